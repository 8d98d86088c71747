"""The database of finished sets: an index over the records, which are the truth."""

import json
import re
import sqlite3
from collections.abc import Container, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from soxsdark.errors import InputError
from soxsdark.nights import RECORD, UNDATED, is_datable
from soxsdark.publish import Workspace, remove_files, writing
from soxsdark.record import plain
from soxsdark.record_file import read_record
from soxsdark.record_model import MasterRun

DATABASE = "soxsdark.db"
PATIENCE = 30.0
"""Seconds that a transaction waits for those of others; each takes milliseconds."""
MIGRATIONS = (
    """
    CREATE TABLE sets (
        record TEXT PRIMARY KEY,
        night TEXT NOT NULL,
        name TEXT NOT NULL,
        run_id TEXT NOT NULL,
        version TEXT NOT NULL,
        instrument TEXT,
        arm TEXT,
        exposure_time REAL,
        setup TEXT NOT NULL,
        mjd REAL,
        frames INTEGER NOT NULL,
        qa_flag TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX sets_by_time ON sets (setup, mjd);
    CREATE TABLE metrics (
        record TEXT NOT NULL REFERENCES sets ON DELETE CASCADE,
        name TEXT NOT NULL,
        value REAL,
        error REAL,
        unit TEXT NOT NULL,
        verdict TEXT NOT NULL,
        acceptable_low REAL,
        acceptable_high REAL,
        warning_low REAL,
        warning_high REAL,
        PRIMARY KEY (record, name)
    ) WITHOUT ROWID;
    CREATE TABLE products (
        record TEXT NOT NULL REFERENCES sets ON DELETE CASCADE,
        path TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (record, path)
    ) WITHOUT ROWID;
    """,
)
"""What leads from each version of the schema to the next; ``PRAGMA user_version`` counts them."""
NO_RANGE = (None, None)

_NIGHT = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}|{UNDATED}")
_ANEW = "'soxsdark trend rebuild' makes it anew"


class Database:
    """The index, open; every change is one transaction.

    Paths in it are relative to the folder of the products, which can be moved. The journal is a
    file that lives as long as a transaction, not a write-ahead log: that needs memory shared by all
    readers, which network filesystems do not have, and the right to write even in order to read.

    Parameters
    ----------
    connection : sqlite3.Connection
        In autocommit mode.
    products : path
    """

    def __init__(self, connection: sqlite3.Connection, products: Path) -> None:
        self._connection, self._products = connection, products

    @classmethod
    @contextmanager
    def open(
        cls, products: Path, *, write: bool = False, path: Path | None = None
    ) -> "Iterator[Database]":
        """Open the database of a folder of products.

        Parameters
        ----------
        products : path
        write : bool
            It is made, or brought to this program's version, if need be.
        path : path, optional
            The file, if it is not where it should be.

        Raises
        ------
        InputError
            It is missing, damaged or of a newer program, or fails while it is open.
        """
        path = path or products / DATABASE
        if not write and not path.exists():
            raise InputError(
                f"{path}: no such file, expected the products of soxsdark night (-o); {_ANEW}"
            )
        address = f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}"
        try:
            connection = sqlite3.connect(address, uri=True, timeout=PATIENCE, isolation_level=None)
            with closing(connection):
                connection.execute("PRAGMA foreign_keys = ON")
                _migrate(connection, write)
                yield cls(connection, products)
        except sqlite3.Error as error:
            raise InputError(f"{path}: {_trouble(error)}") from error

    def sync(self, night: str, names: Container[str] | None = None) -> list[str]:
        """Bring the sets of a night in line with their records, one transaction each.

        Parameters
        ----------
        night : str
            Name of its folder.
        names : container of str, optional
            Of the sets that may have changed; None: all, and those that are gone are forgotten.

        Returns
        -------
        list of str
            A line for each file that should be a record and is none.
        """
        query = "SELECT record, run_id FROM sets WHERE night = ?"
        known, problems = dict(self._connection.execute(query, (night,))), []
        for path in sorted((self._products / night).glob("*.json")):
            if path.name == RECORD or path.name.startswith("."):
                continue
            if names is not None and path.stem not in names:
                continue
            try:
                run = read_record(path)
            except InputError as error:
                problems.append(str(error))
                continue
            key = f"{night}/{path.name}"
            if not isinstance(run, MasterRun) or run.recipe != "mdark":
                continue
            if run.run_id != known.pop(key, None):
                self._put(key, night, run)
        for key in known if names is None else ():
            with self._transaction():
                self._forget(key)
        return problems

    def rows(self, query: str, **values: object) -> list[sqlite3.Row]:
        """Ask, and return all rows, which know their values by the names of the columns."""
        cursor = self._connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(query, values).fetchall()

    def _put(self, key: str, night: str, run: MasterRun) -> None:
        setup = run.setup
        times = [mjd for f in run.frames if is_datable(mjd := f.mjd_obs)]
        facts = (
            night, run.name, run.run_id, run.version, _text(setup.get("instrument")),
            _text(setup.get("arm")), run.frames[0].exposure_time, setup_key(setup),
            min(times, default=None), len(run.frames), run.qa_flag,
        )  # fmt: skip
        with self._transaction():
            self._forget(key)
            self._insert("sets", key, *facts)
            for name, metric in run.metrics.items():
                ends = *(metric.acceptable_range or NO_RANGE), *(metric.warning_range or NO_RANGE)
                figure = metric.value, metric.error, metric.unit, metric.verdict
                self._insert("metrics", key, name, *figure, *ends)
            for file in run.products:
                self._insert("products", key, f"{night}/{file.name}", file.sha256)

    def _forget(self, key: str) -> None:
        self._connection.execute("DELETE FROM sets WHERE record = ?", (_text(key),))

    def _insert(self, table: str, *values: object) -> None:
        row = [_text(value) if isinstance(value, str) else value for value in values]
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # nosec B608

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:  # commits, or takes all back
            yield


def rebuild(products: Path) -> list[str]:
    """Make the database anew from the records below a folder of products, and replace it.

    Nobody else may be writing it: hold the lock of the products.

    Returns
    -------
    list of str
        A line for each file that should be a record and is none.

    Raises
    ------
    ProductError
        It cannot be written.
    """
    problems: list[str] = []
    with Workspace(products) as work, writing(products / DATABASE):
        with Database.open(products, write=True, path=work.path(DATABASE)) as database:
            for night in nights_of(products):
                problems += database.sync(night)
        # of a writer that was killed: it would be taken for the journal of the new file
        remove_files(products, [f"{DATABASE}-journal"])
        work.publish([DATABASE], overwrite=True)
    return problems


def is_missing(products: Path) -> bool:
    """Whether there is no database, or nothing in it."""
    path = products / DATABASE
    return not path.exists() or (path.is_file() and not path.stat().st_size)


def nights_of(products: Path) -> list[str]:
    """Names of the folders of nights."""
    return sorted(path.name for path in products.iterdir() if _NIGHT.fullmatch(path.name))


def setup_key(setup: Mapping[str, object]) -> str:
    """Return a setup as text that is equal for equal setups."""
    return json.dumps(_rounded(plain(setup)), sort_keys=True)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def _text(value: object) -> str | None:
    """Text that a database can hold: of names that are not UTF-8 the odd bytes are escaped."""
    return None if value is None else str(value).encode("utf-8", "backslashreplace").decode()


def _trouble(error: sqlite3.Error) -> str:
    """What is wrong, and what to do."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
        return f"another process has held it for {PATIENCE:g} s; end that, or try again later"
    return f"cannot be used ({error}); {_ANEW}"


def _migrate(connection: sqlite3.Connection, write: bool) -> None:
    """Bring the schema to this program's version."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    latest = len(MIGRATIONS)
    if version > latest:
        raise sqlite3.DatabaseError(f"its version is {version}, this program knows {latest}")
    if version < latest and not write:
        raise sqlite3.DatabaseError(f"its version is {version}, expected {latest}")
    for number in range(version, latest):
        end = f"PRAGMA user_version = {number + 1}; COMMIT;"
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} {end}")
