"""The sets of a small archive, and what a run makes of them."""

import json
import os
import re
from pathlib import Path

from soxsdark.simulator import Scene

# no hot pixels: those of another seed would be of another detector
SMALL = {"shape": (96, 128), "frames": 3, "hot_fraction": 0.0}
SETS = {
    "nir": Scene(**SMALL, date_obs="2026-01-11T09:00:00", seed=1),
    "vis": Scene(**SMALL, arm="VIS", date_obs="2026-01-11T02:00:00", exptime=600.0, seed=2),
    "xsh": Scene(**SMALL, arm="UVB", date_obs="2026-01-12T03:00:00", exptime=60.0, seed=3),
}
NIR = "20260111T090000_NIR_1X1_DARK_300.0S"
VIS = "20260111T020000_VIS_1X1_DARK_600.0S"
UVB = "20260112T030000_UVB_1X1_DARK_60.0S"
ENDS = (".json", ".log", ".sof", "_BPM.fits", "_MDARK.fits")


def states(products: Path, name: str = "2026-01-10") -> dict[str, str]:
    sets = json.loads((products / name / "night.json").read_text())["sets"]
    return {one["name"]: one["state"] for one in sets}


def rows(out: str) -> dict[str, list[str]]:
    """The table: state and verdict of each set."""
    return {c[1]: c[3:5] for c in (re.split(r" {2,}", line) for line in out.splitlines()[2:-2])}


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-5000, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 255]))
