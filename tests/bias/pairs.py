"""Darks and biases that share a pattern: made, changed, refused."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from soxsdark.simulator import Scene, simulate

SHAPE = (256, 256)
RON, DARK = 3.8, 3.6
CLEAN = {"hot_fraction": 0.0, "noisy_fraction": 0.0, "telegraph_fraction": 0.0}
COLUMNS = np.where(np.arange(SHAPE[1]) % 2, 10, -10) * np.ones(SHAPE, int)
"""A fixed pattern of 5 sigma of one sample, ADU."""


def put(pattern: np.ndarray, files) -> None:
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data = (hdus[0].data + pattern).astype(hdus[0].data.dtype)
            hdus[0].add_checksum()


def made(folder: Path, darks: int, biases: int, pattern: np.ndarray, seed: int = 11):
    """Darks of 1800 s with their truth, and biases; the same fixed pattern in both."""
    vis = {"arm": "VIS", "shape": SHAPE}
    exposed = {"frames": darks, "seed": seed, "exptime": 1800.0, "dark": DARK / 1800}
    dark = simulate(folder / "d", Scene(**vis, **exposed))
    bias = simulate(folder / "b", Scene(**vis, frames=biases, seed=seed + 1, exptime=0.0, **CLEAN))
    put(pattern, dark)
    put(pattern, bias)
    return dark, bias


def image(path: Path, name: str | int = 0) -> np.ndarray:
    return fits.getdata(path, name)


def changed(master: Path, path: Path, change, **cards) -> Path:
    """A copy of a master bias whose HDUs have been changed, with sums that fit."""
    with fits.open(master, memmap=False) as hdus:
        for key, value in cards.items():
            hdus[0].header[key.replace("_", " ")] = value
        hdus = change(hdus) or hdus
        hdus.writeto(path, checksum=True)
    return path


def refused(pair, folder: Path, match: str, **options) -> None:
    with pytest.raises(InputError, match=match) as error:
        mdark(pair.dark.sof, output=folder / "o", **options)
    assert len(str(error.value).splitlines()) == 1
    assert (folder / "o" / "darks_FAILED.json").exists()
