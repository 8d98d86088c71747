"""Raw pixels of every type give the same master."""

import math
from pathlib import Path

import numpy as np
import pytest

from soxsdark import mdark
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate
from tests.recipe.running import pulls, run, science, write_generic


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """Pixels of a set whose values suit every type of at least 16 bits."""
    scene = Scene(shape=(96, 128), seed=21, hot_rate_max=40.0, dtype="uint16")
    files = simulate(tmp_path_factory.mktemp("shifted"), scene)
    frames = [np.minimum(science(path), 32000) for path in files.frames]
    return [frame.astype("i8") for frame in frames]


def master_of(folder: Path, frames: list[np.ndarray], dtype: str, **cards):
    folder.mkdir(parents=True)
    paths = [
        write_generic(folder / f"{i}.fits", frame.astype(dtype), **cards)
        for i, frame in enumerate(frames)
    ]
    return mdark(paths, output=folder / "o", instrument="generic")


@pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "u4", "f4", "f8"])
def test_pixel_type_does_not_change_the_master(shifted, tmp_path, dtype):
    first = master_of(tmp_path / "a", shifted, "u2", EGAIN=2.3)
    other = master_of(tmp_path / "b", shifted, dtype, EGAIN=2.3)
    difference = np.abs(science(other.master_dark) - science(first.master_dark))
    if dtype[0] in "iu":
        np.testing.assert_array_equal(difference, 0)
        np.testing.assert_array_equal(science(other.mask), science(first.mask))
    else:
        # floats have no known quantum: sigma, and with it a rare rejection, may differ
        assert np.mean(difference > 2.3 / 5) < 1e-3
        assert np.median(difference) < 2.3 / 100


def test_float_frames_without_quantum(shifted, tmp_path):
    rng = np.random.default_rng(1)
    frames = [f + rng.uniform(-0.5, 0.5, f.shape) for f in shifted]
    result = master_of(tmp_path / "a", frames, "f4", EGAIN=2.3)
    # read noise of 7.3, 300 s of 0.01 e-/s, and the quantisation that the frames bring along,
    # known to 0.4 % from 4 pairs of 12288 pixels
    expected = math.sqrt(7.3**2 + 3 + 2 * 2.3**2 / 12)
    assert result.metrics["RAW RON"] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_every_type_of_the_simulator(tmp_path, dtype):
    files = simulate(tmp_path / "n", Scene(dtype=dtype, shape=(96, 128), seed=5))
    result = run(files, tmp_path / "o")
    truth = read_truth(files.truth)
    good = (truth.classes & ~PixelClass.LISTED == 0) & (truth.hits == 0)
    # 12000 good pixels: spread known to 0.7 %
    assert pulls(result, truth)[good].std() == pytest.approx(1, abs=0.03)
