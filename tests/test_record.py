"""The record: JSON that every reader takes, and checksums that every tool confirms."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from soxsdark.errors import ExitCode, InputError, ProductError
from soxsdark.fits_writer import Written
from soxsdark.record import (
    RunIdentity,
    failure_record,
    product_entry,
    sha256_of,
    write_record,
)

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def strict(path: Path) -> object:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)


def test_types_and_order(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    record = {
        "z": np.float32(0.5),
        "a": [np.int16(3), np.bool_(True), True, None, 1.5],
        "nan": [float("nan"), np.float64("inf"), -np.inf],
        "path": Path("/data/a.fits"),
        "enum": ExitCode.DONE_BAD,
        "date": NOW,
        "array": np.array([[1.0, np.nan]]),
        "set": {"b", "a"},
        "tuple": (1, 2),
        "é": "café µ",
        "counts": {np.int64(3): 1, 2: 2},
    }
    write_record(path, record)
    back = strict(path)
    assert list(back) == list(record)
    assert back == {
        "z": 0.5,
        "a": [3, True, True, None, 1.5],
        "nan": [None, None, None],
        "path": "/data/a.fits",
        "enum": 10,
        "date": "2024-05-01T12:00:00+00:00",
        "array": [[1.0, None]],
        "set": ["a", "b"],
        "tuple": [1, 2],
        "é": "café µ",
        "counts": {"3": 1, "2": 2},
    }
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "café µ" in text


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = b"d\xe9.fits".decode("utf-8", "surrogateescape")
    write_record(tmp_path / "r.json", {"name": name})
    assert strict(tmp_path / "r.json") == {"name": name}


def test_other_types_are_refused_by_place(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"record\.a\[1\]\.b: object has no place"):
        write_record(tmp_path / "r.json", {"a": [1, {"b": object()}]})
    with pytest.raises(TypeError, match=r"record: tuple cannot be a key"):
        write_record(tmp_path / "r.json", {(1, 2): 3})
    assert not (tmp_path / "r.json").exists()


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match=r"r\.json: cannot be written: No such file"):
        write_record(tmp_path / "no" / "r.json", {})


def test_checksums(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10000
    path = tmp_path / "a.fits"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert sha256_of(path) == digest
    entry = product_entry(Written("a.fits", 2560000, digest, {"FLUX": "7"}, "ab"))
    assert entry == {
        "name": "a.fits", "sha256": digest, "size": 2560000,
        "datamd5": "ab", "datasums": {"FLUX": "7"},
    }  # fmt: skip


def bug() -> Exception:
    try:
        return 1 / 0
    except ZeroDivisionError as error:
        return error


@pytest.mark.parametrize(
    ("error", "code", "message", "where"),
    [
        (InputError("a.fits: not a dark"), 4, "a.fits: not a dark", None),
        (KeyboardInterrupt(), 130, "interrupted", None),
        (SystemExit(143), 143, "terminated", None),
        (bug(), 70, "division by zero", f"test_record.py:{bug.__code__.co_firstlineno + 2}"),
        (ZeroDivisionError(), 70, "ZeroDivisionError", None),
    ],
)
def test_failure(tmp_path: Path, error: BaseException, code: int, message: str, where) -> None:
    run = RunIdentity("mdark", "darks", Path("/n/darks.sof"), "ab" * 16, ("mdark",), NOW)
    inputs = [{"path": Path("/a.fits"), "tag": None}]
    write_record(tmp_path / "r.json", failure_record(error, run, inputs=inputs))
    back = strict(tmp_path / "r.json")
    assert (back["succeeded"], back["run-id"], back["source"]) == (False, "ab" * 16, "/n/darks.sof")
    assert back["error"] == {
        "exit-code": code, "type": type(error).__name__, "message": message, "where": where,
    }  # fmt: skip
    assert back["inputs"] == [{"path": "/a.fits", "tag": None}]
