"""Trends: the database of sets, what jumps, and how it is shown."""

import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from soxsdark import reduce_sets, trend_database
from soxsdark.cli import main
from soxsdark.errors import ProductError
from soxsdark.night import NightRun
from soxsdark.settings import Settings
from soxsdark.trend import csv_text, read_trend
from soxsdark.trend_database import DATABASE, Database, rebuild, setup_key
from soxsdark.trend_history import HISTORY, LIMIT, score
from tests.archive import make_archive
from tests.test_night import SOURCE

NIGHTS, BAD_NIGHT = 14, 12
RANGES = ["qc-acceptable-ranges={raw-ron: [5, 9]}"]


def noisier(night: int, data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The last night but one has a read noise of 8.7 e-, not 7.3; it is within its range."""
    return data + random.normal(0, 2.0, data.shape).round() if night == BAD_NIGHT else data


@pytest.fixture(scope="module")
def reduced(tmp_path_factory) -> tuple[Path, Path]:
    """Raws and products of 14 nights; to be copied."""
    folder = tmp_path_factory.mktemp("trend")
    raw = make_archive(folder / "raw", NIGHTS, noisier, frames=3, shape=(96, 128))
    report = NightRun(raw, folder / "p", Settings.read(None, RANGES)).once()
    assert len(report.results) == NIGHTS
    return raw, folder / "p"


@pytest.fixture
def products(reduced, tmp_path) -> Path:
    """A copy of the products."""
    return Path(shutil.copytree(reduced[1], tmp_path / "p"))


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process; give exit code, stdout and stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def go(*argv) -> tuple[int, str, str]:
        argv = list(map(str, argv))
        if argv[0] == "night":
            argv.insert(1, "--no-report")
        monkeypatch.setattr(sys, "argv", ["soxsdark", *argv])
        code = main(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield go
    signal.signal(signal.SIGTERM, handler)


def content(products: Path) -> list[str]:
    """All that is in the database."""
    connection = sqlite3.connect(products / DATABASE)
    lines = sorted(connection.iterdump())
    connection.close()
    return lines


# The score


def test_score_is_what_the_manual_says():
    random = np.random.default_rng(3)
    history = list(random.normal(7.3, 0.1, 20))
    mad = np.median(np.abs(history - np.median(history)))
    tenths = np.diff(np.quantile(history, [0.1, 0.9]))[0] / 2.5631
    scale = max(1.4826 * mad, tenths) * 1.25
    found = score("RAW RON", 8.0, None, history)
    assert found == pytest.approx((8.0 - np.median(history)) / scale, rel=1e-4)
    # an error that is larger counts, and so does the least of a scale
    assert score("RAW RON", 8.0, 0.5, history) == pytest.approx((8.0 - np.median(history)) / 0.5)
    assert score("RAW RON", 8.0, None, [7.0] * 10) == pytest.approx(1 / (0.002 * 7))
    assert score("HOTPIX NUM", 130, None, [100] * 10) == pytest.approx(3)
    assert score("COLDPIX NUM", 4, None, [0] * 10) == 4
    assert score("CLIPPED FRAC", 0.1, None, [0.0] * 10) is None
    assert score("RAW RON", 9.0, None, history[:9]) is None


@pytest.mark.parametrize(("n", "most"), [(10, 4e-4), (HISTORY, 1e-4)])
def test_false_alarms_are_rare(n, most):
    values = np.random.default_rng(n).normal(100.0, 5.0, (20_000, n + 1)).tolist()
    scores = [score("LEVEL", value, None, history) for *history, value in values]
    assert np.mean(np.abs(scores) > LIMIT) < most


def test_a_change_that_stays_is_told_a_few_times():
    random = np.random.default_rng(1)
    values = list(random.normal(100, 1, 40)) + list(random.normal(120, 1, 20))
    told = [
        k for k in range(40, 60)
        if abs(score("LEVEL", values[k], None, values[k - HISTORY : k])) > LIMIT
    ]  # fmt: skip
    assert told == list(range(40, 40 + len(told)))
    assert 2 <= len(told) <= 5


# The database


def test_every_set_is_there(products):
    with Database.open(products) as database:
        sets = database.rows("SELECT * FROM sets ORDER BY mjd")
        assert [row["night"] for row in sets] == sorted(f.parent.name for f in
                                                        products.glob("*/night.json"))  # fmt: skip
        record = json.loads((products / sets[3]["record"]).read_text())
        values = {row["name"]: row for row in database.rows(
            "SELECT * FROM metrics WHERE record = :it", it=sets[3]["record"])}  # fmt: skip
        files = database.rows("SELECT * FROM products WHERE record = :it", it=sets[3]["record"])
    assert {name: row["value"] for name, row in values.items()} == {
        name: metric["value"] for name, metric in record["metrics"].items()
    }
    assert (values["RAW RON"]["acceptable_low"], values["RAW RON"]["acceptable_high"]) == (5, 9)
    assert {Path(row["path"]).name: row["sha256"] for row in files} == {
        file["name"]: file["sha256"] for file in record["products"]
    }
    assert (sets[3]["arm"], sets[3]["frames"], sets[3]["qa_flag"]) == ("NIR", 3, "GOOD")
    assert sets[3]["mjd"] == min(frame["mjd-obs"] for frame in record["frames"])
    assert sets[3]["setup"] == setup_key(record["setup"])


def test_rebuild_gives_the_same(products, run):
    before = content(products)
    (products / DATABASE).unlink()
    code, out, err = run("trend", "-o", products)
    assert (code, out) == (4, "")
    assert "soxsdark trend rebuild" in err
    # of a writer that was killed: it is of another file and must not be played back into this
    (products / f"{DATABASE}-journal").write_bytes(b"junk")
    assert run("trend", "rebuild", "-o", products) == (0, f"{products / DATABASE}\n", "")
    assert content(products) == before
    assert not (products / f"{DATABASE}-journal").exists()


def test_rebuild_leaves_out_what_is_no_record(products, run):
    night = products / "2026-01-15"
    (night / "notes.json").write_text("{}")
    (next(night.glob("*DARK*.json"))).write_text("{")
    code, out, err = run("trend", "rebuild", "-o", products)
    assert code == 0
    assert len(err.splitlines()) == 2
    assert re.search(r"warning: \S+notes\.json: ", err)
    with Database.open(products) as database:
        assert len(database.rows("SELECT * FROM sets")) == NIGHTS - 1


def test_what_is_gone_is_forgotten(reduced, products):
    for file in (products / "2026-01-15").glob("*.json"):
        file.unlink()
    with Database.open(products, write=True) as database:
        assert database.sync("2026-01-15") == []
        assert len(database.rows("SELECT * FROM sets")) == NIGHTS - 1
        assert not database.rows("SELECT * FROM metrics WHERE record LIKE '2026-01-15/%'")


@pytest.mark.parametrize("damage", ["junk", "newer", "folder"])
def test_a_database_that_cannot_be_used_is_a_warning(reduced, products, damage, run):
    raw, database = reduced[0], products / DATABASE
    if damage == "newer":
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        database.unlink()
        database.mkdir() if damage == "folder" else database.write_text("junk" * 1000)
    late = products / "2026-01-23"
    shutil.rmtree(late)
    code, out, err = run("night", raw, "-o", products, "--set", RANGES[0], "-q")
    assert code == 0
    assert re.fullmatch(rf"soxsdark: warning: {database}: cannot be used \(.*rebuild.*\n", err)
    assert len(list(late.glob("*_MDARK.fits"))) == 1
    if damage != "folder":
        assert run("trend", "rebuild", "-o", products)[0] == 0
        assert "2026-01-23" in run("trend", "-o", products)[1]


@pytest.mark.parametrize("empty", [False, True])
def test_a_database_that_is_missing_is_made_of_all_nights(reduced, products, run, empty):
    before = content(products)
    (products / DATABASE).write_bytes(b"") if empty else (products / DATABASE).unlink()
    assert run("night", reduced[0], "-o", products, "--set", RANGES[0], "-q",
               "--night", "2026-01-12") == (0, "", "")  # fmt: skip
    assert content(products) == before


def test_a_database_that_another_process_holds(reduced, products, run, monkeypatch):
    monkeypatch.setattr(trend_database, "PATIENCE", 0.1)
    shutil.rmtree(products / "2026-01-12")
    shutil.rmtree(products / "2026-01-13")
    holder = sqlite3.connect(products / DATABASE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    argv = ("night", reduced[0], "-o", products, "--set", RANGES[0], "-q")
    code, out, err = run(*argv)
    # one warning, after one attempt
    assert (code, out) == (0, "")
    assert re.fullmatch(r"soxsdark: warning: \S+db: another process has held it for .*\n", err)
    assert run("trend", "-o", products)[0] == 4
    holder.execute("ROLLBACK")
    holder.close()
    assert time.monotonic() - begun < 30
    assert len(list(products.glob("2026-01-1[23]/*_MDARK.fits"))) == 2
    assert run(*argv)[0] == 11
    assert "2026-01-13" in run("trend", "-o", products)[1]


def test_an_older_schema_is_brought_up_to_date(products, monkeypatch):
    more = "ALTER TABLE sets ADD COLUMN remark TEXT;"
    monkeypatch.setattr(trend_database, "MIGRATIONS", (*trend_database.MIGRATIONS, more))
    with pytest.raises(Exception, match="its version is 1, expected 2"), Database.open(products):
        pass
    with Database.open(products, write=True) as database:
        rows = database.rows("SELECT remark FROM sets")
    assert len(rows) == NIGHTS
    with Database.open(products) as database:
        assert database.rows("PRAGMA user_version")[0][0] == 2


def test_a_migration_that_fails_leaves_what_was(products, monkeypatch):
    before = content(products)
    more = "ALTER TABLE sets ADD COLUMN remark TEXT; SELECT remark FROM nowhere;"
    monkeypatch.setattr(trend_database, "MIGRATIONS", (*trend_database.MIGRATIONS, more))
    with pytest.raises(Exception, match="nowhere"), Database.open(products, write=True):
        pass
    assert content(products) == before


def test_it_can_be_read_while_it_is_written(products):
    path = products / DATABASE
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM sets")
    assert len(read_trend(products, ["raw-ron"]).points) == NIGHTS
    writer.execute("ROLLBACK")
    writer.close()


def test_setups_that_are_equal_have_one_key():
    assert setup_key({"a": 1.0, "shape": (2, 3)}) == setup_key({"shape": [2, 3], "a": 1.0000001})
    assert setup_key({"a": 1.0}) != setup_key({"a": 1.001})


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
        (["--arm", "UVB"], 4, "no sets of arm UVB"),
        (["gain-slope"], 4, "no sets with GAIN SLOPE"),
        (["--plot", "t.pdf"], 2, "'t.pdf' does not end in .png"),
        (["--since", "1d"], 4, "no sets since then with"),
        (["--since", "yesterday"], 2, "'yesterday' is neither like 90d"),
    ],
)
def test_what_is_not_there(products, run, options, code, said, monkeypatch):
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
    from soxsdark.report.style import BAND
    from soxsdark.report.trends import JUMP, draw_trends

    figure = draw_trends(read_trend(products, ["raw-ron"]).series()).figure
    (axes,) = figure.axes
    (band,) = [patch for patch in axes.patches if patch.get_facecolor() is not None]
    low, high = band.get_extents().transformed(axes.transData.inverted()).intervaly
    assert (low, high) == (pytest.approx(5), pytest.approx(9))
    assert BAND.startswith("#")
    (rings,) = [line for line in axes.lines if line.get_markeredgecolor() == JUMP]
    assert len(rings.get_xdata()) == 1
    assert rings.get_ydata()[0] == pytest.approx(8.7, abs=0.3)


# The master before, and pages


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


def test_rebuild_needs_a_folder(tmp_path):
    with pytest.raises(Exception, match="no such folder"):
        rebuild(tmp_path / "none")
