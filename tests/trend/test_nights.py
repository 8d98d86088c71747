"""What a night makes of those before: the previous master, and pages of its sets."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from soxsdark import reduce_sets
from soxsdark.errors import ProductError
from tests.interpreter import SOURCE
from tests.trend.nights import RANGES


def previous_of(products: Path, night: str) -> str | None:
    record = json.loads(next((products / night).glob("*DARK*.json")).read_text())
    found = record["previous-master"]
    return found and str(Path(found["path"]).relative_to(products).parent)


def test_each_master_is_compared_with_the_one_before(reduced):
    products = reduced[1]
    nights = sorted(path.parent.name for path in products.glob("*/night.json"))
    assert [previous_of(products, night) for night in nights] == [None, *nights[:-1]]


def test_a_previous_master_that_cannot_be_used(reduced, products, run):
    before = next((products / "2026-01-20").glob("*_MDARK.fits"))
    before.write_bytes(before.read_bytes()[:-5000])
    shutil.rmtree(products / "2026-01-21")
    argv = ("night", reduced[0], "-o", products, "--set", RANGES[0], "-q", "--night", "2026-01-21")
    assert run(*argv) == (0, "", "")
    assert previous_of(products, "2026-01-21") is None
    before.unlink()
    shutil.rmtree(products / "2026-01-21")
    assert run(*argv) == (0, "", "")
    assert len(list((products / "2026-01-21").glob("*_MDARK.fits"))) == 1


def test_pages_of_sets(reduced, products, run):
    night = products / "2026-01-21"
    (record,) = night.glob("*DARK*.json")
    whole = record.read_bytes()
    argv = ("night", reduced[0], "-o", products, "--set", RANGES[0], "-q", "--night", "2026-01-21")
    assert run(*argv, "--report") == (0, "", "")
    # what is current is not reduced again for the sake of its page
    assert record.read_bytes() == whole
    page, small = night / f"{record.stem}.html", night / f"{record.stem}_small.png"
    assert small.read_bytes().startswith(b"\x89PNG")
    text = (night / "index.html").read_text()
    assert f'<a href="{page.name}"><img src="{small.name}"' in text
    made = os.stat(page).st_mtime_ns
    assert run(*argv, "--report") == (0, "", "")
    assert os.stat(page).st_mtime_ns == made
    # the page of an earlier run is none of the new products
    assert run(*argv, "--redo") == (0, "", "")
    assert not page.exists()
    assert not small.exists()
    assert "<img" not in (night / "index.html").read_text()


def test_pages_of_sets_are_made_unasked_and_in_silence(reduced, tmp_path):
    # nobody has a home here, of which matplotlib would say something
    argv = [sys.executable, "-m", "soxsdark", "night", reduced[0], "--night", "2026-01-21", "-q"]
    nowhere = {"HOME": "/proc/none", "PYTHONPATH": str(SOURCE)}
    pages = []
    for folder, *options in (("one",), ("two", "--workers", "2"), ("none", "--no-report")):
        products = tmp_path / folder
        ended = subprocess.run([*argv, "-o", products, *options], env=nowhere, capture_output=True)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
        (record,) = (products / "2026-01-21").glob("*DARK*.json")
        pages.append(record.with_suffix(".html").exists())
    assert pages == [True, True, False]


def test_a_page_that_cannot_be_made_costs_no_verdict(reduced, tmp_path, run, monkeypatch):
    def fails(folder, name):
        raise ProductError(f"{folder}/{name}.html: the disk is full")

    argv = ("night", reduced[0], "-o", tmp_path, "--report", "-q", "--night", "2026-01-21")
    with monkeypatch.context() as patch:
        patch.setattr(reduce_sets, "make_report", fails)
        code, out, err = run(*argv)
        assert (code, out) == (5, "")
        assert re.search(r"S GOOD: its page cannot be made: \S+html: the disk is full; see ", err)
        patch.setattr(reduce_sets, "make_report", lambda folder, name: 1 / 0)
        assert run(*argv)[0] == 70
    (entry,) = json.loads((tmp_path / "2026-01-21" / "night.json").read_text())["sets"]
    assert (entry["state"], entry["qa-flag"]) == ("done", "GOOD")
    # the next run makes the page, and nothing else
    (master,) = (tmp_path / "2026-01-21").glob("*_MDARK.fits")
    made = os.stat(master).st_ino
    assert run(*argv) == (0, "", "")
    assert os.stat(master).st_ino == made
    assert len(list((tmp_path / "2026-01-21").glob("*DARK*.html"))) == 1
