"""What a run of `darks.sof` leaves, by name."""

from pathlib import Path

PRODUCTS = ["darks.json", "darks.log", "darks_BPM.fits", "darks_MDARK.fits"]
FAILED = ["darks_FAILED.json", "darks_FAILED.log"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
