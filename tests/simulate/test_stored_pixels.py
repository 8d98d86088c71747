"""Pixels of simulated files: types, limits, rounding."""

import math

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.simulator import PixelClass
from soxsdark.sky import digitise
from tests.simulate.scenes import CLEAN, make


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("uint16", 0, 65535), ("int16", -32768, 32767), ("int32", -40000, 70000)],
)
def test_values_beyond_the_dtype_or_saturation_are_clipped_never_wrapped(dtype, low, high):
    values = np.array([[-40000.0, -0.6, 0.4, 1.5, 2.5, 70000.0]], np.float32)
    digital = digitise(values.copy(), dtype, math.inf)
    middle = [0 if dtype == "uint16" else -1, 0, 2, 2]
    assert digital.dtype == dtype
    assert digital.tolist() == [[low, *middle, high]]
    assert digitise(values.copy(), dtype, 1000.0)[0, -1] == 1000


def test_largest_int32_is_not_passed():
    digital = digitise(np.array([1e12, -1e12], np.float32), "int32", math.inf)
    assert digital.tolist() == [2147483520, -2147483648]


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_saturated_files(tmp_path, dtype):
    options = CLEAN | {"hot_fraction": 0.05}
    limits = {"hot_rate_min": 1e3, "hot_rate_max": 1e4, "saturation": 20000.0, "drift": 0.0}
    frames, truth, files = make(tmp_path, dtype=dtype, **limits, **options)
    hot = truth.classes == PixelClass.HOT
    assert np.all(frames[:, hot] == pytest.approx(20000 * 2.3))
    assert frames[:, ~hot].max() < 1200 * 2.3
    header = fits.getheader(files.frames[0])
    bitpix = {"uint16": 16, "int16": 16, "int32": 32, "float32": -32}
    assert header["BITPIX"] == bitpix[dtype]
    assert header.get("BZERO") == (32768 if dtype == "uint16" else None)
    assert truth.saturation == 20000


def test_float_frames_are_not_rounded(tmp_path):
    frames, truth, _ = make(tmp_path, dtype="float32", dark=0.0, **CLEAN)
    adu = frames / 2.3
    assert np.mean(adu == np.rint(adu)) < 0.01
    assert truth.noise[0, 0] == pytest.approx(7.3, rel=1e-6)
