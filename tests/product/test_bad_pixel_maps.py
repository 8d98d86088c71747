"""What a bad-pixel map may be."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from soxsdark.errors import InputError
from soxsdark.product import read_input_mask, read_mask
from tests.product.made import SHAPE, header, mask, master, write_one

BAD = np.zeros(SHAPE, bool)
BAD[3, 4] = BAD[29, 39] = True


def test_read_our_own(tmp_path: Path) -> None:
    write_one(tmp_path / "b.fits", mask(), header("BP_MAP"))
    bad = read_mask(tmp_path / "b.fits")
    assert bad.dtype == bool
    np.testing.assert_array_equal(bad, mask().flags != 0)
    write_one(tmp_path / "m.fits", master(), header())
    np.testing.assert_array_equal(read_mask(tmp_path / "m.fits"), master().qual != 0)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4"])
@pytest.mark.parametrize("packed", [False, True])
def test_sums_that_fit_are_no_trouble(tmp_path, dtype, packed):
    kind = fits.CompImageHDU if packed else fits.ImageHDU
    hdus = fits.HDUList([fits.PrimaryHDU(), kind(BAD.astype(dtype))])
    hdus.writeto(tmp_path / "b.fits", checksum=True)
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits"), BAD)


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["b.fits", "b.fits.gz"])
@pytest.mark.parametrize("extension", [False, True])
def test_read_anyone_s(tmp_path: Path, kind: str, name: str, extension: bool) -> None:
    pixels = BAD.astype(kind) * 3
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(pixels)] if extension else [fits.PrimaryHDU(pixels)]
    fits.HDUList(hdus).writeto(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name), BAD)


def test_read_compressed(tmp_path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(BAD.astype("i2"))])
    hdus.writeto(tmp_path / "b.fits.fz")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits.fz"), BAD)


@pytest.mark.parametrize("name", ["b.fits", "b.fits.gz"])
def test_read_as_input_of_an_arm(tmp_path: Path, name: str) -> None:
    def write(**cards: str) -> None:
        head = fits.Header([(key.replace("_", " "), value) for key, value in cards.items()])
        fits.PrimaryHDU(BAD.astype("i2"), head).writeto(tmp_path / name, overwrite=True)

    warnings.simplefilter("ignore", fits.verify.VerifyWarning)
    for cards in ({}, {"ESO_SEQ_ARM": "nir"}, {"ESO_PRO_CATG": "BP_MAP_NIR", "IMAGETYP": "DARK"}):
        write(**cards)
        np.testing.assert_array_equal(read_input_mask(tmp_path / name, "NIR"), BAD)
    write(ESO_SEQ_ARM="VIS")
    with pytest.raises(InputError, match="bad-pixel map of arm VIS, the frames are of NIR"):
        read_input_mask(tmp_path / name, "NIR")
    write(ESO_PRO_CATG="MASTER_DARK_NIR")
    with pytest.raises(InputError, match="ESO PRO CATG is 'MASTER_DARK_NIR', expected a bad-pixel"):
        read_input_mask(tmp_path / name, "NIR")
    write(IMAGETYP="DARK")
    with pytest.raises(InputError, match="IMAGETYP is 'DARK', a raw frame: expected a bad-pixel"):
        read_input_mask(tmp_path / name, None)


def test_nan_is_bad(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "b.fits", np.where(BAD, np.nan, 0.0))
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits"), BAD)


def test_read_what_ccddata_wrote(tmp_path: Path) -> None:
    CCDData(BAD.astype("u1"), unit="").write(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.fits"), BAD)
    CCDData(np.full(SHAPE, 5.0), unit="electron", mask=BAD).write(tmp_path / "b.fits")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits"), BAD)


def test_maps_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "b.fits"
    with pytest.raises(InputError, match=r"b\.fits: no such file, expected a bad-pixel map"):
        read_mask(path)
    path.write_text("not FITS")
    with pytest.raises(InputError, match=r"b\.fits: cannot be read as a bad-pixel map"):
        read_mask(path)
    fits.writeto(path, np.zeros((2, 3, 4)), overwrite=True)
    with pytest.raises(InputError, match=r"b\.fits: holds no 2-D image"):
        read_mask(path)
    fits.writeto(path, np.ones(SHAPE), overwrite=True)
    with pytest.raises(InputError, match=r"b\.fits: marks every pixel as bad"):
        read_mask(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_truncated_map(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / ("b.fits.gz" if compress else "b.fits")
    fits.writeto(path, np.random.default_rng(1).integers(0, 2, (200, 200)).astype("i2"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read as a bad-pixel map"):
        read_mask(path)
