"""Simulated frames of both arms with their master darks; read only."""

import numpy as np
import pytest

from soxsdark import mdark, simulate
from soxsdark.simulator import Scene
from tests.subtract.frames import CALM, PEDESTAL, SHAPE, VIS, VIS_GAIN, write_bias


@pytest.fixture(scope="session")
def vis(tmp_path_factory) -> dict:
    """Darks of 3600 s, and frames of 900 s and 3600 s with noise of their own, of one detector."""
    folder = tmp_path_factory.mktemp("vis")
    darks = simulate(folder / "darks", Scene(**VIS, frames=9))
    short = simulate(folder / "short", Scene(**VIS, frames=11, exptime=900.0))
    equal = simulate(folder / "equal", Scene(**VIS, frames=11))
    noise = np.random.default_rng(5).normal(0, 1.2, SHAPE)
    raw = darks.frames[0]
    bias = write_bias(folder / "bias.fits", raw, PEDESTAL * VIS_GAIN + noise, 1.2)
    return {
        "bias": bias,
        "short": short,
        "equal": equal,
        "darks": darks,
        "with": mdark(darks.sof, output=folder / "with").master_dark,
        "free": mdark(darks.sof, output=folder / "free", master_bias=bias).master_dark,
    }


@pytest.fixture(scope="session")
def nir(tmp_path_factory) -> dict:
    """A NIR dark of 300 s, with frames of 300 s and 100 s."""
    folder = tmp_path_factory.mktemp("nir")
    scene = {"shape": SHAPE, "seed": 4, **CALM}
    darks = simulate(folder / "darks", Scene(**scene, frames=5))
    return {
        "master": mdark(darks.sof, output=folder).master_dark,
        "frame": simulate(folder / "equal", Scene(**scene, frames=6)).frames[5],
        "short": simulate(folder / "short", Scene(**scene, frames=6, exptime=100.0)).frames[5],
    }
