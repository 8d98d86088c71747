"""Page and pictures: what they say, that nothing foreign gets into them, and where they go."""

import hashlib
import json
import math
import re
import shutil
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.cli import main
from soxsdark.errors import InputError, ProductError
from soxsdark.flags import Flag
from soxsdark.report import PICTURES, facts
from soxsdark.report.digest import CLASSES, binned, digest
from soxsdark.report.facts import Amplifier
from soxsdark.report.finished import report_run
from soxsdark.report.images import Images
from soxsdark.report.maps import thumbnail
from soxsdark.report.style import CLASS_COLOURS
from soxsdark.report.words import fraction, number, power
from soxsdark.simulator import Scene, simulate
from tests import chromium

PNG = b"\x89PNG\r\n\x1a\n"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def made(small_set, tmp_path_factory):
    """A reduced set with page and pictures; read only."""
    folder = tmp_path_factory.mktemp("made")
    return mdark(small_set.sof, output=folder, report=True, plots=folder / "pictures")


@pytest.fixture
def products(made, tmp_path) -> Path:
    """The record of a copy of that set, to be changed at will."""
    shutil.copytree(made.page.parent, tmp_path / "made")
    return tmp_path / "made" / "darks.json"


class Found(HTMLParser):
    """Elements with their attributes, and all text, of a page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def change(record: Path, **values) -> None:
    content = json.loads(record.read_text())
    content.update(values)
    record.write_text(json.dumps(content))


# Where things go


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


# Products that do not fit their record


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
    with pytest.raises(InputError, match="names no master among its products"):
        report_run(products, overwrite=True)


def test_failed_run_has_no_page(night, tmp_path):
    with pytest.raises(InputError):
        mdark(list(night.frames[:2]), output=tmp_path / "o")
    with pytest.raises(InputError, match="the run failed and made no products: .*2 dark frames"):
        report_run(tmp_path / "o" / "night_FAILED.json")


def test_other_recipes_have_no_page():
    with pytest.raises(InputError, match="is of 'subtract', a report can be made of mdark and"):
        facts.kind_of({"recipe": "subtract"})


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


# What is drawn


def scene(shape=(23, 31), seed=2, flagged=0.2) -> Images:
    """Images of noise with some flags."""
    rng = np.random.default_rng(seed)
    flux = rng.normal(10, 2, shape).astype(np.float32)
    kinds = np.array([0, *(int(kind) for kind in CLASSES)], np.int16)
    flags = np.where(rng.random(shape) < flagged, rng.choice(kinds, shape), 0).astype(np.int16)
    hot = flags & Flag.HOT != 0
    flux[hot] += rng.uniform(100, 1000, hot.sum()).astype(np.float32)
    return Images(flux, np.full(shape, 2, np.float32), flags, np.full(shape, 5), None, "")


@pytest.mark.parametrize("side", [1, 2, 5, 40])
def test_bins_are_means_of_good_pixels(side):
    images = scene()
    images.flags[:10, :10] = 256
    got = binned(images.flux, images.flags == 0, side)
    for i, j in np.ndindex(got.shape):
        part = slice(i * side, (i + 1) * side), slice(j * side, (j + 1) * side)
        pixels, good = images.flux[part].astype(float), images.flags[part] == 0
        assert got[i, j] == pytest.approx((pixels[good] if good.any() else pixels).mean())
    assert got.shape == tuple(math.ceil(n / side) for n in images.flux.shape)


def test_single_bad_pixels_stay_visible():
    images = scene((1000, 900), flagged=0.0)
    places = {(7, 11): Flag.HOT, (500, 899): Flag.COLD, (999, 3): Flag.NOISY | Flag.EMPTY}
    for place, kind in places.items():
        images.flags[place] = kind
    found = digest(images, {})
    assert found.side == 3
    shown = {tuple(int(i) for i in at): int(found.classes[tuple(at)])
             for at in np.argwhere(found.classes)}  # fmt: skip
    rank = {kind: 1 + number for number, kind in enumerate(CLASSES)}
    assert shown == {
        (2, 3): rank[Flag.HOT], (166, 299): rank[Flag.COLD], (333, 1): rank[Flag.EMPTY],
    }  # fmt: skip
    assert found.counts[Flag.NOISY] == found.counts[Flag.EMPTY] == 1


def test_every_kind_has_a_colour_of_its_own():
    assert set(CLASS_COLOURS) == set(Flag)
    assert len(set(CLASS_COLOURS.values())) == len(Flag)


def test_profiles_counts_and_histogram():
    images = scene((120, 90))
    found = digest(images, {"background-box": 0})
    good = np.ma.masked_array(images.flux.astype(float), images.flags != 0)
    np.testing.assert_allclose(found.rows, good.mean(axis=1))
    np.testing.assert_allclose(found.columns, good.mean(axis=0))
    bits = {kind: int(np.count_nonzero(images.flags & int(kind))) for kind in CLASSES}
    assert found.counts == bits
    assert found.histogram.all.sum() == images.flux.size - bits[Flag.EMPTY]
    assert found.histogram.classes[Flag.HOT].sum() == bits[Flag.HOT]
    above = found.histogram.edges[:-1] >= 50
    assert found.histogram.all[above].sum() == np.count_nonzero(images.flux > 60)


def test_hottest_pixels():
    images = scene((60, 70))
    hot = sorted(images.flux[images.flags & Flag.HOT != 0], reverse=True)[:20]
    found = digest(images, {}).hottest
    assert [pixel.value for pixel in found] == [float(value) for value in hot]
    for pixel in found:
        assert images.flux[pixel.y - 1, pixel.x - 1] == pixel.value
        assert Flag.HOT in pixel.flags


def test_each_amplifier_has_its_own_background():
    images = scene((128, 128), flagged=0.0)
    images.flux[:, 64:] += 500
    halves = [Amplifier((0, 128), (0, 64)), Amplifier((0, 128), (64, 128))]
    settings = {"background-box": 0}
    assert digest(images, settings, amplifiers=halves).noise_floor == pytest.approx(2, rel=0.05)
    assert digest(images, settings).noise_floor > 100


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_amplifiers_are_turned_with_the_products(rotation):
    raw = np.zeros((30, 20), int)
    raw[10:, 5:] = 1
    record = {
        "rotation": rotation,
        "amplifiers": [
            {"rows": [10, 30], "columns": [5, 20]},
            {"rows": [0, 10], "columns": [0, 5]},
        ],
    }  # fmt: skip
    product = np.rot90(raw, rotation // 90)
    place, _ = facts.amplifiers(record, product.shape)
    assert product[slice(*place.rows), slice(*place.columns)].all()
    assert product.sum() == np.ptp(place.rows) * np.ptp(place.columns)
    assert facts.amplifiers({"amplifiers": record["amplifiers"][:1]}, product.shape) == []


def test_colours_follow_the_page(made):
    pictures = re.findall(r'src="(data:image/svg[^"]*)"', made.page.read_text(encoding="utf-8"))
    assert len(pictures) == len(PICTURES)
    for picture in pictures:
        assert "prefers-color-scheme:dark" in picture
        assert "var(--c1b2330)" in picture


def test_own_matplotlibrc_changes_nothing(made, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "text.usetex": True}):
        again = report_run(made.record_file, tmp_path / "again.html")
        assert matplotlib.rcParams["font.size"] == 30
    assert again.page.read_bytes() == made.page.read_bytes()


@pytest.mark.parametrize("shape", [(2048, 2048), (400, 90), (20, 30)])
def test_thumbnail(shape):
    from matplotlib.image import imread

    images = scene(shape)
    content = thumbnail(images.flux, images.flags)
    assert content.startswith(PNG)
    assert len(content) < 100_000
    pixels = imread(BytesIO(content))
    assert max(pixels.shape[:2]) <= 160
    assert pixels.shape[0] / pixels.shape[1] == pytest.approx(shape[0] / shape[1], rel=0.05)


# Numbers


@pytest.mark.parametrize(
    ("value", "unit", "error", "text"),
    [
        (None, "", None, "–"),
        (math.nan, "electron", None, "–"),
        (True, "", None, "yes"),
        (4194304, "", None, "4\u202f194\u202f304"),
        (-1.5, "electron", None, "−1.500"),
        (7e-8, "electron", None, "0.000"),
        (-7e-8, "electron", None, "0.000"),
        (0.0042616, "", None, "0.0042616"),
        (7.858e-05, "", None, "7.858 × 10⁻⁵"),
        (1234.5678, "electron", None, "1\u202f234.568"),
        (7.51667, "electron", 0.0042, "7.5167 ± 0.0042"),
        (152.801, "K", 12.0, "153 ± 12"),
        (5.0, "", 0.0, "5"),
        (0.0009018, "", 5.6e-6, "(9.018 ± 0.056) × 10⁻⁴"),
        (0.0, "", 2e-5, "(0.0 ± 2.0) × 10⁻⁵"),
    ],
)
def test_numbers(value, unit, error, text):
    assert number(value, unit, error) == text


def test_powers_and_fractions():
    assert [power(v) for v in (0, -10, 100, 1e4, -1e5)] == ["0", "−10", "100", "10⁴", "−10⁵"]
    assert (fraction(1, 3), fraction(0, 0)) == ("33.3\u202f%", "–")


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
