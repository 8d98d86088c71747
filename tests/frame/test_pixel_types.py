"""Reading raw frames: every pixel type and scaling; the oracle is astropy."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.frame import Frame
from tests.frame.written import SHAPE, pixels_of, whole_range, write, write_stored

INTEGERS = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8")


@pytest.mark.parametrize("dtype", [*INTEGERS, "f4", "f8"])
def test_pixels_are_those_of_astropy(tmp_path, dtype):
    path = write(tmp_path / "a.fits", whole_range(dtype))
    expected = fits.getdata(path)
    np.testing.assert_array_equal(expected, whole_range(dtype))
    found = pixels_of(path)
    if dtype == "u8":  # 2**63 is added in double precision, which is good to 2**11 there
        np.testing.assert_allclose(found, expected.astype(float), rtol=1e-15, atol=2**11)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("bitpix", "size"), [(8, "u1"), (16, "i2"), (32, "i4"), (64, "i8"), (-32, "f4"), (-64, "f8")]
)
def test_layout_holds_stored_type_and_shape(tmp_path, bitpix, size):
    path = write(tmp_path / "a.fits", whole_range(size))
    frame = Frame.open(path)
    assert frame.header["BITPIX"] == bitpix
    assert frame.layout.shape == SHAPE
    assert frame.layout.dtype.itemsize * 8 == abs(bitpix)
    assert frame.layout.quantum == (0 if bitpix < 0 else 1)


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4"])
def test_negative_values_survive(tmp_path, dtype):
    pixels = np.full(SHAPE, -1, dtype)
    np.testing.assert_array_equal(pixels_of(write(tmp_path / "a.fits", pixels)), pixels)


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8"])
def test_scaled_integers_become_physical_values(tmp_path, dtype):
    stored = whole_range(dtype)
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=0.25, BZERO=-12.5)
    found = pixels_of(path)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, stored.astype(float) * 0.25 - 12.5, rtol=1e-15)
    assert Frame.open(path).layout.quantum == 0.25


@pytest.mark.parametrize("zero", [100, -70000, 2**31, 3e9])
def test_whole_offsets_neither_clip_nor_wrap(tmp_path, zero):
    stored = whole_range("i2")
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=1.0, BZERO=float(zero))
    np.testing.assert_array_equal(pixels_of(path), stored.astype(np.int64) + int(zero))


def test_scaled_floats(tmp_path):
    stored = whole_range("f4")
    path = write_stored(tmp_path / "a.fits", stored, BSCALE=2.0, BZERO=5.0)
    np.testing.assert_allclose(pixels_of(path), stored.astype(float) * 2 + 5, rtol=1e-12)


@pytest.mark.parametrize("scaling", [{}, {"BSCALE": 1.0, "BZERO": 32768.0}, {"BSCALE": 0.5}])
def test_blank_is_nan_and_nothing_else_is(tmp_path, scaling):
    stored = whole_range("i2")
    stored[stored == -77] = 0
    stored[2, 3:6] = -77
    found = pixels_of(write_stored(tmp_path / "a.fits", stored, BLANK=-77, **scaling))
    np.testing.assert_array_equal(np.isnan(found), stored == -77)
    good = stored != -77
    physical = stored.astype(float) * scaling.get("BSCALE", 1) + scaling.get("BZERO", 0)
    np.testing.assert_array_equal(found[good], physical[good])


def test_blank_that_no_pixel_has_leaves_integers(tmp_path):
    stored = np.arange(20, dtype="i2").reshape(4, 5)
    found = pixels_of(write_stored(tmp_path / "a.fits", stored, BLANK=-32768))
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, stored)


def test_blank_of_a_float_image_means_nothing(tmp_path):
    stored = np.zeros(SHAPE, "f4")
    path = write_stored(tmp_path / "a.fits", stored, BLANK=0)
    np.testing.assert_array_equal(pixels_of(path), stored)


def test_nan_and_infinity_are_kept(tmp_path):
    pixels = whole_range("f4")
    pixels[1, 1:4] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(pixels_of(write(tmp_path / "a.fits", pixels)), pixels)
