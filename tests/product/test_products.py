"""Products as other programs read them: layout, sums, types, modes."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark.errors import ProductError
from soxsdark.headers import product_header
from soxsdark.product import Product, write_products
from tests.product.made import FACTS, SHAPE, header, mask, master, parse, raw_header, write_one


def test_master_as_ccddata(tmp_path: Path) -> None:
    path, images = tmp_path / "m.fits", master()
    write_one(path, images, header())
    ccd = CCDData.read(path, hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE")
    assert ccd.unit == "electron"
    assert isinstance(ccd.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(ccd.data, images.flux.astype(np.float32))
    np.testing.assert_array_equal(ccd.uncertainty.array, images.errs.astype(np.float32))
    np.testing.assert_array_equal(ccd.mask, images.qual != 0)


def test_layout_and_checksums(tmp_path: Path) -> None:
    written = write_products(
        [
            Product(tmp_path / "m.fits", master(), header()),
            Product(tmp_path / "b.fits", mask(), header("BP_MAP")),
        ]
    )
    for file in written:
        content = (tmp_path / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    for name, layout in (
        ("m.fits", [("FLUX", -32), ("QUAL", 16), ("ERRS", -32), ("NCOM", 16)]),
        ("b.fits", [("QUAL", 16), ("NOISE", -32), ("NREJ", 16)]),
    ):
        with fits.open(tmp_path / name, checksum=True) as hdus:
            assert [(hdu.name, hdu.header["BITPIX"]) for hdu in hdus] == layout
            for hdu in hdus:
                assert hdu.verify_checksum() == 1
                assert hdu.verify_datasum() == 1
                floats = hdu.header["BITPIX"] < 0
                assert hdu.header.get("BUNIT") == ("electron" if floats else None)


def test_datamd5_is_that_of_the_data_units(tmp_path: Path) -> None:
    path = tmp_path / "m.fits"
    write_one(path, master(), header())
    content, digest = path.read_bytes(), hashlib.md5()
    with fits.open(path) as hdus:
        for hdu in hdus:
            info = hdu.fileinfo()
            digest.update(content[info["datLoc"] : info["datLoc"] + info["datSpan"]])
        assert hdus[0].header["DATAMD5"] == digest.hexdigest()


@pytest.mark.parametrize("raw", [raw_header(), parse("EXPTIME =                 30.0")])
def test_fitsverify_finds_nothing(tmp_path: Path, raw: fits.Header) -> None:
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    write_one(tmp_path / "m.fits", master(), product_header(raw, FACTS, "MASTER_DARK"))
    write_one(tmp_path / "b.fits", mask(), product_header(raw, FACTS, "BP_MAP"))
    for name in ("m.fits", "b.fits"):
        answer = subprocess.run(
            [program, tmp_path / name], capture_output=True, text=True, check=False
        )
        assert "found 0 warning(s) and 0 error(s)" in answer.stdout, answer.stdout
        assert answer.returncode == 0


def test_headers_are_left_as_they_were(tmp_path: Path) -> None:
    mine = header()
    before = mine.tostring()
    write_one(tmp_path / "m.fits", master(), mine)
    assert mine.tostring() == before


def test_big_counts_need_int32(tmp_path: Path) -> None:
    images = replace(master(), ncom=np.full(SHAPE, 40000))
    write_one(tmp_path / "m.fits", images, header())
    counts = fits.getdata(tmp_path / "m.fits", "NCOM")
    assert counts.dtype.itemsize == 4
    assert np.all(counts == 40000)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"differ in shape: .*'ERRS': \(2, 2\)"):
        write_one(tmp_path / "m.fits", replace(master(), errs=np.ones((2, 2))), header())
    with pytest.raises(ValueError, match="up to 4294967296 do not fit"):
        write_one(tmp_path / "b.fits", replace(mask(), flags=np.full(SHAPE, 2**32)), header())
    with pytest.raises(ProductError, match=r"no/m\.fits: cannot be written"):
        write_one(tmp_path / "no" / "m.fits", master(), header())


def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_one(tmp_path / "b.fits", mask(), header())
    finally:
        os.umask(before)
    assert (tmp_path / "b.fits").stat().st_mode & 0o777 == 0o640
