"""The products as others read them."""

import shutil
import subprocess
import warnings

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.flags import Flag
from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, simulate
from tests.quality.sets import SIDE


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Products of a BAD, long-named set with all calibrations."""
    folder = tmp_path_factory.mktemp("products")
    biases = simulate(folder / "b", Scene(arm="VIS", exptime=0.0, seed=9, **SIDE))
    bias = mbias(biases.sof, output=folder / "o")
    files = simulate(folder / "n", Scene(arm="VIS", **SIDE))
    sof = files.sof.rename(files.sof.with_name(f"{'long' * 15}.sof"))
    first = mdark(sof, output=folder / "first", master_bias=bias.master)
    result = mdark(
        sof,
        output=folder / "o",
        master_bias=bias.master,
        bad_pixel_map=first.mask,
        previous=first.master,
        overrides=["qc-acceptable-ranges={raw-ron: [0, 1]}"],
    )
    assert result.qa_flag == "BAD"
    return {"master": result.master, "mask": result.mask, "bias": bias.master}


@pytest.mark.parametrize("name", ["master", "mask", "bias"])
def test_fitsverify_finds_nothing(products, name):
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    answer = subprocess.run([program, products[name]], capture_output=True, text=True, check=False)
    assert "found 0 warning(s) and 0 error(s)" in answer.stdout, answer.stdout


@pytest.mark.parametrize("name", ["master", "mask", "bias"])
def test_sums_verify_and_units_survive(products, name):
    with fits.open(products[name], checksum=True) as hdus:
        assert all(h.verify_checksum() == h.verify_datasum() == 1 for h in hdus)
        cards = [c for c in hdus[0].header.cards if c.keyword.startswith("ESO QC")]
    assert len(cards) > 15
    units = {c.keyword.removeprefix("ESO QC "): c.comment.partition("]")[0] for c in cards}
    for metric in ("RAW RON", "MASTER RON", "FPN", "FRAME STRUCT", "LEVEL DRIFT"):
        assert units[metric] == "[electron"


def test_soxspipe_can_use_master_and_mask(products):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy import units
        from astropy.nddata import CCDData, bitfield_to_boolean_mask
    dark = CCDData.read(
        products["master"], hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE"
    )
    assert dark.unit == units.electron
    assert dark.uncertainty.uncertainty_type == "std"
    assert dark.uncertainty.array.min() > 0
    assert (dark.header["ESO PRO CATG"], dark.header["ESO SEQ ARM"]) == ("MASTER_DARK_VIS", "VIS")
    bad = CCDData.read(products["mask"], hdu=0, unit=units.dimensionless_unscaled)
    mask = bitfield_to_boolean_mask(bad.data, ignore_flags=0, dtype=bool)
    np.testing.assert_array_equal(mask, dark.mask != 0)
    assert 0.001 < mask.mean() < 0.05
    science = CCDData(dark.data + 100, unit="electron", uncertainty=dark.uncertainty, mask=mask)
    left = science.subtract(dark)
    np.testing.assert_allclose(left.data[~left.mask.astype(bool)], 100, atol=1e-3)
    hot = fits.getdata(products["mask"]) & Flag.HOT != 0
    assert mask[hot].all()
