"""What a person sees of a sweep: the table, the page, and what is wrong in a call."""

import csv
import io
import json
import re

import pytest

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.flags import Flag
from soxsdark.tune import tune
from tests import chromium
from tests.tune.benches import NOISE, SWEEP


def test_table_on_the_screen(tuned, printed):
    shown = printed().splitlines()
    assert shown[-2:] == [str(tuned.csv), str(tuned.page)]
    rows = [line.split() for line in shown if re.match(r" *(current|\d+) ", line)]
    assert [row[0] for row in rows] == ["current", *"123456"]
    assert rows[0][1:3] == ["4", "5"]
    assert rows[6][1:3] == ["5", "6"]
    assert rows[6][3] == tuned.lines[5]["hot-pixels"]
    same = next(line for line in shown if line.startswith("the same in all rows: "))
    assert f"level {float(tuned.current['level']):.4g}" in same


def test_other_formats(tuned, printed):
    assert list(csv.DictReader(io.StringIO(printed("--format", "csv")))) == list(tuned.lines)
    found = json.loads(printed("--format", "json"))
    assert found["current"]["flagged-pixels"] == int(tuned.current["flagged-pixels"])
    assert [row["id"] for row in found["rows"]] == [line["id"] for line in tuned.lines]
    assert found["rows"][0]["stacked-clipping-sigma"] == 3
    assert found["rows"][0]["rms-change"] == float(tuned.lines[0]["rms-change"])
    table = printed("--format", "markdown").splitlines()
    assert table[0].startswith("|     row |")
    assert len([line for line in table if line.startswith("|")]) == 9


def test_pixel_with_and_without_a_sweep(small_set, printed, capsys):
    story = "pixel x 20, y 30 of the products"
    assert story in printed("--pixel", "20,30")
    assert main(["tune", str(small_set.sof), "--pixel", "20,30"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(story)
    assert main(["explain", str(small_set.sof), "20", "30"]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([], "give --sweep, or --pixel"),
        (["--pixel", "1,2", "--apply", "1"], "give --sweep, or --pixel"),
        (["--pixel", "1.5,2"], "is not X,Y, two whole numbers"),
        (["--sweep", SWEEP[0], "--compare", "0,9"], "no row 9: there are 1 to 2"),
        (["--sweep", SWEEP[0], "--apply", "3"], "no row 3"),
        (["--sweep", SWEEP[0], "--apply", "best"], "expected a row from 1 to 2, or min:COLUMN"),
        (["--sweep", SWEEP[0], "--apply", "min:nothing"], "a column of numbers: row, stacked"),
    ],
)
def test_wrong_usage(small_set, tmp_path, capsys, more, says):
    assert main(["tune", str(small_set.sof), *more, "-o", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err


def test_the_page_says_what_the_masks_say(small_set, tmp_path):
    found = tune(small_set.sof, [NOISE, SWEEP[0]], output=tmp_path, compare=(1, 4))
    page = found.page.read_text()
    low, high = (
        mdark(small_set.sof, output=tmp_path / str(i), overrides=list(overrides)).reduced
        for i, overrides in enumerate(
            (
                ("stacked-clipping-sigma=3", "noise-clipping-upper-sigma=2"),
                ("stacked-clipping-sigma=5", "noise-clipping-upper-sigma=8"),
            )
        )
    )
    first, second = (reduced.master.qual for reduced in (low, high))
    noisy = [(flags & int(Flag.NOISY)) != 0 for flags in (first, second)]
    counts = [m.sum() for m in (*noisy, noisy[0] & ~noisy[1], noisy[1] & ~noisy[0])]
    row = re.search(r'<th scope="row">noisy</th>(.*?)</tr>', page).group(1)
    assert re.findall(r'"n">(\d+)<', row)[:4] == [str(count) for count in counts]
    assert "row 1: noise-clipping-upper-sigma 2, stacked-clipping-sigma 3" in page
    only = (first != 0) & (second == 0)
    x, y = map(int, re.search(r"soxsdark explain SOF (\d+) (\d+)", page).groups())
    assert only[y - 1, x - 1]
    for key in found.keys:
        assert f'id="curves-{key}"' in page
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(links) == 4
    assert all(link.startswith("data:") for link in links)
    assert "<script" not in page


def test_the_page_escapes_names(night, tmp_path):
    sof = night.sof.rename(night.sof.with_name("a<b>&.sof"))
    page = tune(sof, SWEEP[:1], output=tmp_path / "t").page.read_text()
    assert "a&lt;b&gt;&amp;" in page
    assert "<b>&" not in page


@pytest.mark.skipif(chromium.PATH is None, reason="no Chromium to open the page in")
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (600, "dark")])
def test_the_page_in_a_browser(tuned, tmp_path, width, scheme):
    with chromium.browser(tmp_path / "profile") as browser:
        browser.open(tuned.page, width, scheme)
        pictures = browser.value("[...document.images].map(i => [i.alt, i.naturalWidth])")
        wide = browser.value("document.documentElement.scrollWidth")
        assert browser.complaints == []
    assert len(pictures) == 3
    assert all(alt and size > 100 for alt, size in pictures)
    assert wide == width
