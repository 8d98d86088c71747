"""Small sets, simulated and reduced, and the concerns about them."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark import mdark
from soxsdark.simulator import Scene, simulate

CLEAN = {"hot_fraction": 0.0, "noisy_fraction": 0.0, "telegraph_fraction": 0.0}
SIDE = {"shape": (256, 256)}
ARMS = [
    {"arm": "NIR", "frames": 5},
    {"arm": "NIR", "frames": 25, "shape": (128, 128)},
    {"arm": "VIS", "frames": 11},
]


def made(folder: Path, *, settings=(), **options):
    """Simulate and reduce a set."""
    files = simulate(folder / "raw", Scene(**{**SIDE, **options}))
    return mdark(files.sof, output=folder / "out", overrides=settings)


def concerns(result) -> dict[str, str]:
    return {m.name: m.concern for m in result.reduced.judged.concerns}


def add(files, values: np.ndarray, frames=slice(None)) -> None:
    """Add electrons to frames of the NIR arm."""
    for path in files.frames[frames]:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data += np.rint(values / 2.3).astype(hdus[0].data.dtype)
            hdus[0].add_checksum()
