"""The products of a set: their names, their form, and when they are written anew."""

import re
import warnings
from datetime import datetime, timedelta

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import ProductError
from tests.products import names
from tests.recipe.running import refused, run, science


def test_products_are_named_after_the_sof(night, tmp_path):
    renamed = night.sof.rename(night.sof.with_name("tonight.v2.sof"))
    result = mdark(renamed, output=tmp_path / "out" / "deep")
    folder = tmp_path / "out" / "deep"
    expected = ["_BPM.fits", "_MDARK.fits", ".json", ".log"]
    assert names(folder) == sorted(f"tonight.v2{end}" for end in expected)
    assert sorted(result.products) == sorted(folder / name for name in names(folder))
    assert result.master_dark.name == "tonight.v2_MDARK.fits"


def test_products_are_named_after_the_folder(night, tmp_path):
    night.bad_pixel_map.unlink()
    night.truth.unlink()
    result = mdark(night.sof.parent, output=tmp_path / "out")
    assert result.master_dark == tmp_path / "out" / "night_MDARK.fits"


def test_sof_folder_and_list_give_the_same_master(night, tmp_path):
    night.bad_pixel_map.unlink()
    night.truth.unlink()
    given = [night.sof, night.sof.parent, list(night.frames)]
    found = [mdark(g, output=tmp_path / f"o{i}") for i, g in enumerate(given)]
    first = science(found[0].master_dark)
    for other in found[1:]:
        np.testing.assert_array_equal(science(other.master_dark), first)


def test_end_of_the_exposures(night, tmp_path):
    first, last = (fits.getheader(path) for path in (night.frames[0], night.frames[-1]))
    result = run(night, tmp_path / "o")
    for product in (result.master, result.mask):
        header = fits.getheader(product)
        assert header["MJD-OBS"] == first["MJD-OBS"]
        # 300 s, one DIT
        assert header["MJD-END"] == pytest.approx(last["MJD-OBS"] + 300 / 86400, abs=1e-8)
        # the cards have milliseconds
        end = datetime.fromisoformat(header["DATE-END"])
        assert abs(end - datetime(2025, 3, 10, 13, 25, 14)) <= timedelta(milliseconds=1)


def test_image_file_collection(night, tmp_path):
    with warnings.catch_warnings():
        # of other packages, while they are imported
        warnings.simplefilter("ignore")
        from ccdproc import ImageFileCollection

        collection = ImageFileCollection(night.sof.parent, glob_include="NIR*.fits")
    collected = mdark(collection, output=tmp_path / "c")
    plain = mdark(night.sof, output=tmp_path / "p")
    assert collected.master_dark.name == "night_MDARK.fits"
    np.testing.assert_array_equal(science(collected.master_dark), science(plain.master_dark))


def test_master_opens_as_ccddata(night, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.nddata import CCDData, StdDevUncertainty
    master = run(night, tmp_path / "o").master_dark
    read = CCDData.read(
        master, hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE"
    )
    assert read.unit == "electron"
    assert isinstance(read.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(read.data, science(master, "FLUX"))
    np.testing.assert_array_equal(read.uncertainty.array, science(master, "ERRS"))
    np.testing.assert_array_equal(read.mask.astype(bool), science(master, "QUAL") != 0)


def test_extensions_types_and_sums(night, tmp_path):
    result = run(night, tmp_path / "o")
    with fits.open(result.master_dark, checksum=True) as hdus:
        found = {h.name: (h.header["BITPIX"], h.shape) for h in hdus}
    shape = (96, 128)
    assert found == {
        "FLUX": (-32, shape), "QUAL": (16, shape), "ERRS": (-32, shape), "NCOM": (16, shape),
    }  # fmt: skip
    with fits.open(result.mask, checksum=True) as hdus:
        found = {h.name: (h.header["BITPIX"], h.shape) for h in hdus}
        np.testing.assert_array_equal(hdus[0].data, science(result.master_dark, "QUAL"))
        total = hdus["NREJ"].data + science(result.master_dark, "NCOM")
    assert found == {"QUAL": (16, shape), "NOISE": (-32, shape), "NREJ": (16, shape)}
    np.testing.assert_array_equal(total, 5)


def test_second_run_touches_nothing(night, tmp_path):
    run(night, tmp_path / "o")
    before = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "o").iterdir()}
    with pytest.raises(ProductError, match=r"darks_MDARK\.fits.*-x") as error:
        run(night, tmp_path / "o")
    assert error.value.exit_code == 5
    after = {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in (tmp_path / "o").iterdir()}
    assert after == before


@pytest.mark.parametrize("name", ["darks_MDARK.fits", "darks_BPM.fits", "darks.json", "darks.log"])
def test_one_product_is_enough_to_stop(night, tmp_path, name):
    folder = tmp_path / "o"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(ProductError, match=re.escape(name)):
        run(night, folder)
    assert names(folder) == [name]
    assert (folder / name).read_text() == "mine"


def test_overwrite_replaces_all(night, tmp_path):
    first = run(night, tmp_path / "o")
    old = first.record["run-id"]
    second = run(night, tmp_path / "o", overwrite=True)
    new = second.record["run-id"]
    assert old != new
    for path in second.products:
        content = path.read_bytes()
        assert new.encode() in content
        assert old.encode() not in content
    assert len(names(tmp_path / "o")) == 4


def test_the_page_of_products_that_are_replaced_goes_with_them(night, tmp_path):
    folder = tmp_path / "o"
    folder.mkdir()
    (folder / "darks.html").write_text("of another run")
    run(night, folder)
    assert "darks.html" in names(folder)
    run(night, folder, overwrite=True)
    assert "darks.html" not in names(folder)
    (folder / "darks.html").mkdir()
    with pytest.raises(ProductError, match=r"darks\.html: is a folder"):
        run(night, folder, overwrite=True)


def test_an_input_is_not_taken_for_the_page_of_an_earlier_run(night, tmp_path):
    sof = night.sof.rename(night.sof.with_suffix(".html"))
    with pytest.raises(ProductError, match=r"darks\.html: is an input of this run"):
        mdark(sof, output=sof.parent, overwrite=True)
    assert sof.read_text()


def test_success_takes_the_failure_away(night, tmp_path):
    refused(list(night.frames[:2]), tmp_path / "o", "minimum-frame-count", "night")
    mdark(list(night.frames), output=tmp_path / "o")
    assert names(tmp_path / "o") == [
        "night.json", "night.log", "night_BPM.fits", "night_MDARK.fits",
    ]  # fmt: skip


def test_output_that_is_a_file(night, tmp_path):
    (tmp_path / "o").write_text("")
    with pytest.raises(ProductError, match="o: "):
        run(night, tmp_path / "o")
