"""The sum of the FITS standard."""

import numpy as np
import pytest

from soxsdark.fits_bytes import is_zero_sum, ones_complement_sum


@pytest.mark.parametrize("length", [0, 4, 2880, 2881, 2882, 2883])
def test_ones_complement_sum_is_that_of_the_standard(length):
    data = np.random.default_rng(2).integers(0, 256, length, dtype=np.uint8).tobytes()
    total = 0
    for start in range(0, length, 4):
        total += int.from_bytes(data[start : start + 4].ljust(4, b"\0"), "big")
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert ones_complement_sum(data) == total


@pytest.mark.parametrize(("total", "zero"), [(0, True), (0xFFFFFFFF, True), (1, False)])
def test_both_zeros_count(total, zero):
    assert is_zero_sum(total) is zero
