"""Electrons, histograms and sums of the compiled kernel, and their oracles."""

import numpy as np
import pytest

from soxsdark.electrons import to_electrons
from soxsdark.fits_bytes import ones_complement_sum
from soxsdark.level import distinct
from tests.kernel.paths import TYPES, compiled, numpy_only


@compiled
@pytest.mark.parametrize("kind", TYPES)
def test_electrons(kind):
    rng = np.random.default_rng(1)
    low, high = (-1e6, 1e6) if kind.endswith(("f4", "f8")) else (0, 200)
    pixels = rng.uniform(low, high, (37, 41)).astype(kind)
    if pixels.dtype.kind == "f":
        pixels[:4, 0] = [np.nan, np.inf, -np.inf, 1e38]
    found = to_electrons(pixels, 100.123, 2.3)
    with numpy_only():
        expected = to_electrons(pixels, 100.123, 2.3)
    np.testing.assert_array_equal(found, expected)
    with np.errstate(over="ignore"):
        slow = [[np.float32((float(v) - 100.123) * 2.3) for v in row] for row in pixels]
    np.testing.assert_array_equal(found, np.array(slow))
    # rows of a window are no contiguous memory
    np.testing.assert_array_equal(to_electrons(pixels[:, 3:30], 100.123, 2.3), expected[:, 3:30])


@compiled
@pytest.mark.parametrize("kind", ["i2", "u2", "i4", ">i2", ">u2", ">i4", "i8", "u1"])
@pytest.mark.parametrize("masked", [False, True])
def test_histogram(kind, masked):
    rng = np.random.default_rng(2)
    limits = np.iinfo(kind)
    pixels = rng.integers(max(limits.min, -3000), min(limits.max, 3000), (50, 70)).astype(kind)
    bad = rng.random(pixels.shape) < 0.2 if masked else None
    found = distinct(pixels, bad)
    with numpy_only():
        expected = distinct(pixels, bad)
    np.testing.assert_array_equal(found, expected)
    slow = np.unique(pixels if bad is None else pixels[~bad], return_counts=True)
    np.testing.assert_array_equal(found, slow)


@compiled
@pytest.mark.parametrize("length", [0, 3, 4, 8, 9, 4095, 600_007])
def test_sums(length):
    data = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    found = ones_complement_sum(data, 7)
    with numpy_only():
        assert ones_complement_sum(data, 7) == found
    words = data.tobytes().ljust(-(-length // 4) * 4, b"\0")
    slow = sum(int.from_bytes(words[i : i + 4], "big") for i in range(0, len(words), 4)) + 7
    assert (found - slow) % 0xFFFFFFFF == 0
