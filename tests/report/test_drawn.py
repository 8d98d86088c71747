"""What is drawn: bins, profiles, amplifiers, colours, thumbnails."""

import math
import re
from io import BytesIO

import numpy as np
import pytest

from soxsdark.flags import Flag
from soxsdark.report import PICTURES, facts
from soxsdark.report.digest import CLASSES, binned, digest
from soxsdark.report.facts import Amplifier
from soxsdark.report.finished import report_run
from soxsdark.report.images import Images
from soxsdark.report.maps import thumbnail
from soxsdark.report.style import CLASS_COLOURS
from tests.report.pages import PNG


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
    assert facts.amplifiers(record | {"amplifiers": record["amplifiers"][:1]}, (20, 30)) == []


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
