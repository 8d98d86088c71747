"""Products that do not fit their record, and records that have no page."""

import json
import re

import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.errors import InputError
from soxsdark.report.finished import report_run
from soxsdark.subtract import subtract_files
from tests.report.pages import Found, change


def test_changed_product_is_named_on_the_page(products, capsys):
    master = products.with_name("darks_MDARK.fits")
    with fits.open(master, mode="update") as hdus:
        hdus["FLUX"].data[10, 10] += 1
    page = products.with_name("p.html")
    assert main(["report", str(products), "-o", str(page)]) == 11
    said = "darks_MDARK.fits is not the file of this run: its SHA-256 is "
    assert said in capsys.readouterr().err
    found = Found(page)
    assert said in found.text
    assert [a["id"] for a in found.of("section") if "banner" in a["class"]] == ["doubts", "verdict"]


def test_missing_product(products, capsys):
    products.with_name("darks_BPM.fits").unlink()
    assert main(["report", str(products), "-x"]) == 4
    assert "darks_BPM.fits: cannot be read (No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"program": "other"}, "is no record of soxsdark: program"),
        ({"frames": None}, "is no record of soxsdark: frames"),
    ],
)
def test_records_that_have_no_page(products, values, message):
    change(products, **values)
    with pytest.raises(InputError, match=message):
        report_run(products, overwrite=True)


def test_record_without_a_master(products):
    change(products, products=json.loads(products.read_text())["products"][1:])
    with pytest.raises(InputError, match="names no master among its products; make them again"):
        report_run(products, overwrite=True)


def test_failed_run_has_no_page(night, tmp_path):
    with pytest.raises(InputError):
        mdark(list(night.frames[:2]), output=tmp_path / "o")
    with pytest.raises(InputError, match="the run failed and made no products: .*2 dark frames"):
        report_run(tmp_path / "o" / "night_FAILED.json")


def test_other_recipes_have_no_page(products):
    [result] = subtract_files(
        [json.loads(products.read_text())["frames"][0]["path"]],
        products.with_name("darks_MDARK.fits"),
        output=products.parent,
    )
    said = f"{result.record_file}: is the record of subtract, a page can be made of mdark and mbias"
    with pytest.raises(InputError, match=re.escape(said)):
        report_run(result.record_file)
