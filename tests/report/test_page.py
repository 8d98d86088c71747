"""What the page says, and that nothing foreign gets into it."""

import json
import re
from pathlib import Path
from time import process_time

import pytest

from soxsdark import mbias, mdark
from soxsdark.report import PICTURES
from soxsdark.report.finished import report_run
from soxsdark.report.words import number
from soxsdark.simulator import Scene, simulate
from tests import chromium
from tests.report.pages import Found, change

EVIL = "<script>alert(1)</script>"


# What the page says


def test_page_is_complete_and_accessible(made):
    page = Found(made.page)
    images = page.of("img")
    assert len(images) == len(PICTURES)
    assert all(i["src"].startswith("data:image/svg+xml,") and len(i["alt"]) > 20 for i in images)
    assert sorted(a["id"] for a in page.of("figure")) == sorted(PICTURES)
    assert not page.of("script")
    assert {a["href"] for a in page.of("link")} == {"data:,"}
    assert all("scope" in a for a in page.of("th"))
    assert page.of("html") == [{"lang": "en"}]


def test_page_shows_what_the_record_says(made):
    text = Found(made.page).text
    record = json.loads(made.record_file.read_text())
    assert "GOOD" in text
    for name, entry in record["metrics"].items():
        assert name in text
        assert number(entry["value"], entry["unit"], entry["error"]) in text
    for frame in record["frames"]:
        assert Path(frame["path"]).name in text
        assert frame["sha256"] in text
    for product in record["products"]:
        assert (product["sha256"] in text) == product["name"].endswith(".fits")
    for key in record["settings"]:
        assert key in text


def test_every_input_is_listed(products):
    files = {
        key: {"path": f"/elsewhere/{key}", "sha256": f"{number:064}"}
        for number, key in enumerate(("previous-master", "instrument-profile-file"))
    }
    change(products, **files)
    text = Found(report_run(products, products.with_name("p.html")).page).text
    for key, file in files.items():
        assert key in text
        assert file["sha256"] in text


def test_verdict_and_reasons_lead(products):
    metrics = json.loads(products.read_text())["metrics"]
    metrics["RAW RON"] |= {
        "verdict": "BAD", "why": "RON is <high>", "error": 0.021,
        "acceptable-range": [3, 5], "warning-range": [None, 6.5],
    }  # fmt: skip
    metrics["GAIN SLOPE"] |= {"verdict": "PARTIAL", "why": "slope is off"}
    change(products, metrics=metrics, **{"qa-flag": "BAD", "warnings": ["slope is off", "cold"]})
    page = report_run(products, products.with_name("p.html")).page
    found = Found(page)
    banner = next(a for a in found.of("section") if a.get("id") == "verdict")
    assert banner["class"] == "banner bad"
    text = " ".join(found.text.split())
    assert "BAD RON is <high> PARTIAL slope is off cold 1 remark" in text
    assert f"{metrics['RAW RON']['value']:.3f} ± 0.021" in text
    assert "acceptable 3 … 5expected ≤ 6.5" in text


def test_records_without_ranges_or_figures_are_read(products):
    content = json.loads(products.read_text())
    for entry in content["metrics"].values():
        keys = ("error", "acceptable-range", "warning-range", "frame")
        entry.update(dict.fromkeys(keys))
    for frame in content["frames"]:
        frame.update({"mjd-obs": None, "temperature": None})
    change(products, **content)
    assert "RAW RON" in Found(report_run(products, products.with_name("p.html")).page).text


def test_header_and_file_names_are_text(night, tmp_path, edit):
    evil = f"{EVIL.replace('/', '')}.fits"
    frames = list(night.frames)
    for frame in frames:
        edit(frame, OBJECT=EVIL, ESO_DET_READ_CURNAME=EVIL)
    frames[0] = frames[0].rename(frames[0].with_name(evil))
    made = mdark(frames, output=tmp_path / "o", report=True)
    raw = made.page.read_text(encoding="utf-8")
    assert "<script" not in raw.lower()
    text = Found(made.page).text
    assert text.count(EVIL) == 2
    assert text.count(evil) >= 2
    again = report_run(made.record_file, tmp_path / "again.html").page
    assert again.read_text(encoding="utf-8") == raw


def test_bias_has_no_noise_map(tmp_path):
    files = simulate(tmp_path / "b", Scene(arm="VIS", shape=(64, 300), exptime=0, seed=3))
    made = mbias(files.sof, output=tmp_path / "o", report=True, plots=tmp_path / "p")
    page = Found(made.page)
    assert made.page.name == "biases_MBIAS.html"
    assert len(page.of("img")) == len(PICTURES) - 1
    assert "Master bias" in page.text
    assert not list((tmp_path / "p").glob("*noise*"))
    again = report_run(made.record_file, tmp_path / "again.html")
    assert again.page.read_bytes() == made.page.read_bytes()


@pytest.mark.slow
def test_page_of_a_full_frame_is_light(tmp_path):
    files = simulate(tmp_path / "n", Scene(seed=5))
    made = mdark(files.sof, output=tmp_path / "o", report=True)
    assert made.page.stat().st_size < 3e6
    # of this process alone, whatever else the machine does
    begun = process_time()
    report_run(made.record_file, tmp_path / "again.html")
    assert process_time() - begun < 3


# In a browser


@pytest.mark.skipif(chromium.PATH is None, reason="no Chromium is installed")
@pytest.mark.parametrize(("width", "scheme"), [(1366, "light"), (1920, "dark")])
def test_page_in_a_browser(made, tmp_path, width, scheme):
    with chromium.browser(tmp_path / "profile") as browser:
        browser.open(made.page, width, scheme)
        pictures = browser.value("[...document.images].map(i => [i.alt, i.naturalWidth])")
        tables = browser.value("[...document.querySelectorAll('table')].map(t => t.rows.length)")
        wide = browser.value("document.documentElement.scrollWidth")
        page = browser.value("getComputedStyle(document.body).backgroundColor")
        assert browser.complaints == []
    assert len(pictures) == len(PICTURES)
    assert all(alt and size > 100 for alt, size in pictures)
    assert len(tables) == 6
    assert all(rows > 1 for rows in tables)
    assert wide == width
    assert (max(map(int, re.findall(r"\d+", page))) < 60) == (scheme == "dark")
