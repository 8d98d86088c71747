"""What a master dark says of itself, and how it is read."""

import hashlib

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.flags import Flag
from soxsdark.headers import ProductFacts, product_header
from soxsdark.master_file import read_master_dark
from soxsdark.product import Master, Product, write_products


def test_master_says_whether_it_holds_the_pedestal(vis, nir):
    paths = (vis["with"], vis["free"], nir["master"])
    found = [fits.getheader(path)["ESO PRO PEDESTAL"] for path in paths]
    assert found == [True, False, False]


def test_unknown_pedestal_is_not_written():
    facts = ProductFacts("1", "r", {}, [], exposure_time=1.0, total_exposure=1.0)
    assert "ESO PRO PEDESTAL" not in product_header(fits.Header(), facts, "MASTER_DARK")


@pytest.mark.parametrize(
    ("kind", "stored"),
    [("StdDevUncertainty", 2.0), ("VarianceUncertainty", 4.0), ("InverseVariance", 0.25)],
)
def test_kinds_of_uncertainty(tmp_path, kind, stored):
    """Those that CCDData writes."""
    errors = fits.ImageHDU(np.full((2, 3), stored), fits.Header({"UTYPE": kind}), name="UNCERT")
    flux = fits.PrimaryHDU(np.zeros((2, 3)), fits.Header({"BUNIT": "electron"}))
    fits.HDUList([flux, errors]).writeto(tmp_path / "m.fits")
    np.testing.assert_array_equal(read_master_dark(tmp_path / "m.fits").errs, np.full((2, 3), 2.0))


def test_read_master_dark(tmp_path):
    images = {"flux": np.array([[1.5, np.nan]]), "errs": np.array([[0.5, 1.0]])}
    master = Master(**images, qual=np.array([[256, 0]]), ncom=np.array([[3, 0]]))
    write_products([Product(tmp_path / "m.fits", master, fits.Header())])
    found = read_master_dark(tmp_path / "m.fits")
    assert (found.unit, found.has_errors) == ("electron", True)
    np.testing.assert_array_equal(found.flux, images["flux"])
    np.testing.assert_array_equal(found.errs, images["errs"])
    np.testing.assert_array_equal(found.qual, [[256, Flag.EMPTY]])
    assert found.sha256 == hashlib.sha256((tmp_path / "m.fits").read_bytes()).hexdigest()
