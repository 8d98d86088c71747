"""What is shown: jumps, table, CSV, picture and page."""

import csv
import io
import json
import re
import sqlite3

import pytest

from soxsdark.trend import csv_text, read_trend
from soxsdark.trend_database import DATABASE
from tests.trend.nights import NIGHTS, RANGES

# Jumps


def test_a_jump_is_told_and_told_again(reduced, products, run):
    (record,) = (products / "2026-01-22").glob("*DARK*.json")
    entry = json.loads((products / "2026-01-22" / "night.json").read_text())["sets"][0]
    told = [line for line in entry["jumps"] if line.startswith("RAW RON jumps: ")]
    assert len(told) == 1
    # the record of the set is what was made of the set alone
    assert entry["qa-flag"] == json.loads(record.read_text())["qa-flag"] == "GOOD"
    assert told[0] in (products / "2026-01-22" / "index.html").read_text()
    nothing = json.loads((products / "2026-01-23" / "night.json").read_text())["sets"][0]
    assert nothing["jumps"] == []
    for _ in range(2):
        code, out, err = run("night", reduced[0], "-o", products, "--set", RANGES[0], "-q")
        assert (code, out) == (11, "")
        assert f"{record.stem} GOOD: {told[0]}; see " in err
    code, out, err = run("night", reduced[0], "-o", products, "--set", RANGES[0], "-q",
                         "--night", "2026-01-21")  # fmt: skip
    assert (code, err) == (0, "")


# What is shown


def test_table(products, run):
    code, out, err = run("trend", "RAW RON", "hotpix-num", "-o", products)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.split(r" {2,}", lines[0]) == ["night", "set", "frames", "verdict", "RAW RON",
                                            "HOTPIX NUM"]  # fmt: skip
    cells = {line.split()[0]: line.split()[4:] for line in lines[2 : 2 + NIGHTS]}
    assert len(cells) == NIGHTS
    assert [night for night, (ron, _) in cells.items() if ron.endswith("!")] == ["2026-01-22"]
    record = json.loads(next((products / "2026-01-12").glob("*DARK*.json")).read_text())
    assert float(cells["2026-01-12"][0]) == pytest.approx(
        record["metrics"]["RAW RON"]["value"], abs=6e-4
    )
    assert int(cells["2026-01-12"][1]) == record["metrics"]["HOTPIX NUM"]["value"]
    assert run("trend", "raw-ron", "--arm", "nir", "-o", products)[1].count("2026-01-1") == 10
    assert run("trend", "--since", "2026-01-20", "-o", products)[1].count("_NIR_") == 5


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["raw-rom"], 2, "'raw-rom' is no metric of these sets; there are raw-ron"),
        (["--arm", "UVB"], 4, "NOISYPIX NUM; leave out --arm"),
        (["gain-slope"], 4, "no sets with GAIN SLOPE; choose other metrics"),
        (["--plot", "t.pdf"], 2, "'t.pdf' does not end in .png"),
        (["--since", "1d"], 4, "no sets since then with"),
        (["--since", "yesterday"], 2, "'yesterday' is neither like 90d"),
    ],
)
def test_what_is_not_there(products, run, options, code, said):
    found, out, err = run("trend", "-o", products, *options)
    if options == ["--since", "1d"] and found == 0:
        pytest.skip("the clock is at the time of the simulated nights")
    assert (found, out) == (code, "")
    assert said in err


def test_csv_has_no_formulas(products, run):
    connection = sqlite3.connect(products / DATABASE)
    connection.execute("UPDATE sets SET instrument = '=cmd|'' /C calc''!A0', arm = '-1+1'")
    connection.commit()
    connection.close()
    rows = list(csv.DictReader(io.StringIO(csv_text(read_trend(products, ["mdark-median"])))))
    assert len(rows) == NIGHTS
    assert {row["instrument"] for row in rows} == {"'=cmd|' /C calc'!A0"}
    assert {row["arm"] for row in rows} == {"'-1+1"}
    # numbers are numbers, below zero as well
    values = [float(row["value"]) for row in rows]
    assert min(values) < 0
    code, out, err = run("trend", "mdark-median", "--csv", "-o", products)
    assert (code, err) == (0, "")
    assert list(csv.DictReader(io.StringIO(out))) == rows


def test_picture_and_page(products, run, tmp_path):
    connection = sqlite3.connect(products / DATABASE)
    connection.execute("UPDATE sets SET instrument = '<script>', name = '<img src=x>'")
    connection.commit()
    connection.close()
    png, page = tmp_path / "t.png", tmp_path / "t.html"
    argv = ("trend", "-o", products, "--plot", png, "--html", page)
    assert run(*argv) == (0, f"{png}\n{page}\n", "")
    assert png.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "<script" not in text
    assert "<img src=x" not in text
    assert text.count("<tr>") == NIGHTS + 1
    assert re.search(r'<span class="verdict PARTIAL">8\.\d+!</span>', text)
    # the same again is fine, another picture is not written over
    assert run(*argv)[0] == 0
    assert run("trend", "raw-ron", "-o", products, "--plot", png)[0] == 5
    assert run("trend", "raw-ron", "-o", products, "--plot", png, "-x")[0] == 0


def test_the_acceptable_range_and_what_is_unusual_are_drawn(products):
    from matplotlib.colors import same_color

    from soxsdark.report.style import BAND
    from soxsdark.report.trends import JUMP, draw_trends

    figure = draw_trends(read_trend(products, ["raw-ron"]).series()).figure
    (axes,) = figure.axes
    (band,) = [patch for patch in axes.patches if same_color(patch.get_facecolor(), BAND)]
    low, high = band.get_extents().transformed(axes.transData.inverted()).intervaly
    assert (low, high) == (pytest.approx(5), pytest.approx(9))
    (rings,) = [line for line in axes.lines if line.get_markeredgecolor() == JUMP]
    assert len(rings.get_xdata()) == 1
    assert rings.get_ydata()[0] == pytest.approx(8.7, abs=0.3)
