"""Reading raw frames: names, gzip, tile compression, extensions."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.frame import Frame
from tests.frame.written import SHAPE, pixels_of, whole_range, write


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.FTS", "a.Fits.gz", "a.fits.GZ"])
def test_names_and_gzip(tmp_path, name):
    plain = write(tmp_path / "plain.fits", whole_range("u2"), checksum=True)
    content = plain.read_bytes()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.lower().endswith("gz") else content)
    np.testing.assert_array_equal(pixels_of(path), whole_range("u2"))


def test_sha256_is_that_of_the_file_on_disk(tmp_path):
    plain = write(tmp_path / "a.fits", checksum=True)
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    tail = tmp_path / "tail.fits"
    tail.write_bytes(plain.read_bytes() + b"\0" * 100)
    loaded = [Frame.open(path).load() for path in (plain, packed, tail)]
    for path, one in zip((plain, packed, tail), loaded, strict=True):
        assert one.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        np.testing.assert_array_equal(one.pixels, loaded[0].pixels)


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1"])
@pytest.mark.parametrize("dtype", ["i2", "u2", "i4"])
def test_tile_compressed_integers_are_exact(tmp_path, kind, dtype):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 3000, (40, 50)).astype(dtype)
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(pixels, compression_type=kind, name="RAW")
    hdu.header["EXPTIME"] = 300.0
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, checksum=True)
    frame = Frame.open(path)
    np.testing.assert_array_equal(pixels_of(path), fits.getdata(path, 1))
    np.testing.assert_array_equal(pixels_of(path), pixels)
    assert (frame.hdu, frame.header["EXPTIME"], frame.layout.shape) == (1, 300.0, (40, 50))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_tile_compressed_floats_are_those_of_astropy(tmp_path, dtype):
    pixels = np.random.default_rng(1).normal(10, 3, (40, 50)).astype(dtype)
    pixels[3, 4] = np.nan
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(pixels, compression_type="RICE_1", quantize_level=16, dither_seed=3)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    found = pixels_of(path)
    np.testing.assert_array_equal(found, fits.getdata(path, 1))
    np.testing.assert_allclose(found, pixels, atol=3 / 16)


def test_compressed_image_of_a_cube_is_refused(tmp_path):
    path = tmp_path / "a.fits.fz"
    hdu = fits.CompImageHDU(np.zeros((3, 20, 20), "i2"))
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with pytest.raises(InputError, match=r"a\.fits\.fz: .*(3-D|3 dimensions|2-D)"):
        Frame.open(path)


def test_image_in_an_extension_is_found(tmp_path):
    path = tmp_path / "a.fits"
    primary = fits.PrimaryHDU()
    primary.header["EXPTIME"], primary.header["OBJECT"] = 10.0, "DARK"
    image = fits.ImageHDU(whole_range("u2"), name="NIR")
    image.header["EXPTIME"] = 20.0
    fits.HDUList([primary, image]).writeto(path, checksum=True)
    frame = Frame.open(path)
    np.testing.assert_array_equal(pixels_of(path), whole_range("u2"))
    assert frame.hdu == 1
    # the header of the pixels wins over that of the file
    assert (frame.header["EXPTIME"], frame.header["OBJECT"]) == (20.0, "DARK")


@pytest.fixture
def several(tmp_path) -> Path:
    path = tmp_path / "several.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(3))], name="TAB")
    images = [fits.ImageHDU(np.full(SHAPE, i, "i2"), name=n) for i, n in ((1, "ONE"), (2, "TWO"))]
    fits.HDUList([fits.PrimaryHDU(), images[0], table, images[1]]).writeto(path)
    return path


def test_several_images_are_an_error_that_lists_them(several):
    with pytest.raises(
        InputError, match=r"several\.fits: several .*1 ONE \(2-D\), 3 TWO \(2-D\); .*data-extension"
    ):
        Frame.open(several)


@pytest.mark.parametrize(("extension", "value"), [(1, 1), (3, 2), ("ONE", 1), ("two", 2)])
def test_extension_by_number_or_name(several, extension, value):
    np.testing.assert_array_equal(pixels_of(several, extension), np.full(SHAPE, value))


@pytest.mark.parametrize(
    ("extension", "reason"),
    [(0, "not a 2-D image"), ("TAB", "not a 2-D image"), (9, "not there"), ("THREE", "not there")],
)
def test_wrong_extension_is_an_error_that_lists_them(several, extension, reason):
    with pytest.raises(InputError, match=rf"data-extension {extension} is {reason}; .*3 TWO"):
        Frame.open(several, extension)
