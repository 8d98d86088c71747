"""The database of sets: filled, rebuilt, missing, damaged, held, migrated."""

import json
import re
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from soxsdark import trend_database
from soxsdark.errors import InputError
from soxsdark.trend import read_trend
from soxsdark.trend_database import DATABASE, Database, setup_key
from tests.trend.nights import NIGHTS, RANGES


def content(products: Path) -> list[str]:
    """All that is in the database."""
    connection = sqlite3.connect(products / DATABASE)
    lines = sorted(connection.iterdump())
    connection.close()
    return lines


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
    with pytest.raises(InputError, match="its version is 1, expected 2"), Database.open(products):
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
    with pytest.raises(InputError, match="nowhere"), Database.open(products, write=True):
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


def test_rebuild_needs_a_folder(run, tmp_path):
    code, out, err = run("trend", "rebuild", "-o", tmp_path / "none")
    assert (code, out) == (4, "")
    assert f"{tmp_path / 'none'}: no such folder; expected the products of soxsdark night" in err
    assert not (tmp_path / "none").exists()
