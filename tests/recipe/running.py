"""Runs of the recipe on small sets, and what a refused one must leave."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from tests.products import names
from tests.simulate.scenes import CLEAN

QUIET = CLEAN | {"shape": (96, 128)}


def refused(
    inputs, output: Path, match: str, name: str = "darks", *, lines: int = 1, **more
) -> str:
    """Run a set that must be refused; check what it says and leaves, and give its message."""
    with pytest.raises(InputError, match=match) as error:
        mdark(inputs, output=output, **more)
    message = str(error.value)
    assert len(message.splitlines()) == lines
    assert error.value.exit_code == 4
    assert names(output) == [f"{name}_FAILED.json", f"{name}_FAILED.log"]
    record = json.loads((output / f"{name}_FAILED.json").read_text())
    assert (record["succeeded"], record["error"]["exit-code"]) == (False, 4)
    assert record["error"]["message"] == message
    assert message.splitlines()[0] in (output / f"{name}_FAILED.log").read_text()
    return message


def run(files, output: Path, **more):
    return mdark(files.sof, output=output, **more)


def science(path: Path, extension: str | int = 0) -> np.ndarray:
    return fits.getdata(path, extension)


def levels(result) -> list[float]:
    return [frame["level"] for frame in result.record["frames"]]


def write_generic(path: Path, pixels: np.ndarray, **cards) -> Path:
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.update({"EXPTIME": 300.0, "IMAGETYP": "Dark Frame"} | cards)
    hdu.writeto(path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pulls(result, truth) -> np.ndarray:
    """(Master - truth) / ERRS."""
    residual = science(result.master_dark) - truth.levels_e.mean() - truth.expected
    return residual / science(result.master_dark, "ERRS")


def robust_spread(values: np.ndarray) -> float:
    return float(np.subtract(*np.percentile(values, [75, 25])) / 1.349)
