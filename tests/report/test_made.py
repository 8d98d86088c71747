"""Where pages and pictures go, and what makes them."""

import hashlib
import json

import pytest

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.errors import ProductError
from soxsdark.report import PICTURES
from soxsdark.report.finished import report_run
from tests.report.pages import PNG


def test_page_is_a_product_of_the_run(made):
    names = {p["name"]: p for p in json.loads(made.record_file.read_text())["products"]}
    entry = names["darks.html"]
    content = made.page.read_bytes()
    assert (entry["sha256"], entry["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert made.page in made.products
    assert made.page == made.record_file.with_suffix(".html")


def test_pictures_alone(made):
    folder = made.page.parent / "pictures"
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"darks_{p}.png" for p in PICTURES)
    assert all(p.read_bytes().startswith(PNG) for p in folder.iterdir())


def test_page_of_a_finished_run_is_the_same(made, tmp_path):
    again = report_run(made.record_file, tmp_path / "again.html", plots=tmp_path / "p")
    assert again.page.read_bytes() == made.page.read_bytes()
    assert again.doubts == ()
    assert [p.name for p in again.pictures] == [f"darks_{p}.png" for p in PICTURES]


def test_nothing_is_overwritten_without_leave(products, small_set):
    before = products.with_name("darks.html").read_bytes()
    with pytest.raises(ProductError, match=r"darks\.html: exists already; overwrite with -x"):
        report_run(products)
    other = products.with_name("other.html")
    with pytest.raises(ProductError, match=r"darks_master\.png.* exist already"):
        report_run(products, other, plots=products.parent / "pictures")
    assert not other.exists()
    with pytest.raises(ProductError, match=r"darks_master\.png.* exist already"):
        mdark(small_set.sof, output=products.parent / "o", plots=products.parent / "pictures")
    assert list((products.parent / "o").iterdir()) == []
    assert report_run(products, overwrite=True).page.read_bytes() == before


def test_command_names_what_it_made(products, capsys):
    page = products.with_name("p.html")
    assert main(["report", str(products), "-o", str(page)]) == 0
    assert capsys.readouterr().out.split() == [str(page)]
    assert main(["report", str(products), "-o", str(page), "-q"]) == 5
    assert main(["report", str(products), "-o", str(page), "-qx"]) == 0
    assert capsys.readouterr().out == ""


def test_command_line_of_the_recipe(night, tmp_path, capsys):
    options = ["--report", "--plots", str(tmp_path / "p"), "-o", str(tmp_path / "o")]
    assert main(["mdark", str(night.sof), *options]) == 0
    assert str(tmp_path / "o" / "darks.html") in capsys.readouterr().out.split()
    assert len(list((tmp_path / "p").iterdir())) == len(PICTURES)


def test_record_of_a_run_with_a_page_can_be_shown_and_repeated(made, tmp_path, capsys):
    assert main(["record", "show", str(made.record_file)]) == 0
    [line] = [text for text in capsys.readouterr().out.splitlines() if "darks.html" in text]
    assert line.endswith("as recorded")
    assert main(["record", "rerun", str(made.record_file), "-o", str(tmp_path)]) == 0
