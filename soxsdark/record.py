"""The record of a run: what was done with what, as JSON, and the checksums that tie it together."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import ExitCode, SoxsdarkError
from .publish import writing

if TYPE_CHECKING:
    from .fits_writer import Written

Plain: TypeAlias = "None | bool | int | float | str | list[Plain] | dict[str, Plain]"


def write_record(path: Path | str, record: Mapping[str, object]) -> None:
    """Write `record` as JSON: UTF-8, keys in their order, one newline at the end.

    NaN and infinities become null, because JSON knows neither.

    Raises
    ------
    ProductError
        The file cannot be written.
    TypeError
        The record holds something that has no place in JSON; the message says where.
    """
    text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is not UTF-8 arrives as lone surrogates; their escape is JSON's own.
    encoded = text.encode("utf-8", errors="backslashreplace")
    with writing(path):
        Path(path).write_bytes(encoded)


def plain(value: object, where: str = "record") -> Plain:
    """Return `value` in the types of JSON.

    Known are the types of JSON, NumPy numbers and arrays, paths, enums, dates, mappings with
    such keys, sequences and sets (sorted).

    Raises
    ------
    TypeError
        Any other type; `where` leads the message.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, set | frozenset):
        value = sorted(value)
    if isinstance(value, list | tuple | range):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise TypeError(f"{where}: {type(value).__name__} has no place in a record")


def _key(key: object, where: str) -> str:
    known = plain(key, where)
    if isinstance(known, str):
        return known
    if isinstance(known, int | float):
        return str(known)
    raise TypeError(f"{where}: {type(key).__name__} cannot be a key in a record")


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def product_entry(product: "Written") -> dict[str, Plain]:
    """Return a product's line in the record: name, SHA-256 and size in bytes."""
    return {"name": product.name, "sha256": product.sha256, "size": product.size}


def failure_record(
    error: BaseException,
    *,
    version: str,
    run_id: str,
    command: Iterable[str],
    started: datetime,
    ended: datetime,
    inputs: Iterable[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return the record of a run that failed: what was asked, when, and why it ended.

    Parameters
    ----------
    error
        What ended the run. A `SoxsdarkError` and a `SystemExit` bring their exit codes;
        anything else but an interrupt is a bug.
    version, run_id, command
        Of the program, of the run, and what the user typed.
    started, ended
        Times with their zone.
    inputs
        The entries of the inputs as far as they are known.
    """
    return {
        "program": "soxsdark",
        "version": version,
        "run-id": run_id,
        "succeeded": False,
        "command": list(command),
        "started": started,
        "ended": ended,
        "error": {
            "type": type(error).__name__,
            "message": str(error),
            "exit-code": _exit_code(error),
        },
        "inputs": list(inputs),
    }


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SoxsdarkError):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.BUG
