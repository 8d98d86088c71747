"""The record of a run: what was done with what, as JSON, and the checksums that tie it together."""

import hashlib
import json
import math
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from soxsdark.compiled import path_in_use
from soxsdark.errors import ExitCode, SoxsdarkError, place_of
from soxsdark.publish import writing
from soxsdark.regular_file import open_regular
from soxsdark.version import __version__

if TYPE_CHECKING:
    from soxsdark.fits_writer import Written

Plain: TypeAlias = "None | bool | int | float | str | list[Plain] | dict[str, Plain]"

OTHER_INPUTS = {
    "bad-pixel-map": "bad-pixel map",
    "master-bias": "master bias",
    "previous-master": "previous master",
    "instrument-profile-file": "instrument profile",
}
"""What a run may have read beside its frames and its dark: field of the record, and its name."""
LIBRARIES = ("numpy", "astropy", "pydantic", "PyYAML")
"""Distributions that every run uses."""
_MODULES = {"PyYAML": "yaml"}
"""Where a module is not called like its distribution."""


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
    encoded = json_text(record)
    with writing(path):
        Path(path).write_bytes(encoded)


def json_text(record: Mapping[str, object]) -> bytes:
    """Return what `write_record` writes.

    Raises
    ------
    TypeError
        As `write_record`.
    """
    text = json.dumps(plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file name that is not UTF-8 arrives as lone surrogates; their escape is JSON's own.
    return text.encode("utf-8", errors="backslashreplace")


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
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def product_entry(product: "Written") -> dict[str, Plain]:
    """Return a product's line in the record."""
    return {
        "name": product.name,
        "sha256": product.sha256,
        "size": product.size,
        "datamd5": product.datamd5,
        "datasums": dict(product.datasums),
    }


@dataclass(frozen=True)
class RunIdentity:
    """Which run it was: what its record begins with, and what its headers refer to."""

    recipe: str
    name: str
    """What the names of its products begin with."""
    source: Path | None
    """The SOF or folder; None of files that were given one by one."""
    run_id: str
    command: tuple[str, ...]
    """What the user typed."""
    started: datetime
    libraries: tuple[str, ...] = LIBRARIES

    def head(self, succeeded: bool) -> dict[str, object]:
        """Return the first entries of the record; the run ends now."""
        return {
            "program": "soxsdark",
            "version": __version__,
            "run-id": self.run_id,
            "succeeded": succeeded,
            "recipe": self.recipe,
            "name": self.name,
            "source": self.source and self.source.absolute(),
            "command": list(self.command),
            "started": self.started,
            "ended": datetime.now(UTC),
            "python": platform.python_version(),
            "kernel": path_in_use(),
            "libraries": {name: _version(name) for name in self.libraries},
        }


def _version(library: str) -> str:
    """Ask the module in use, which is quicker than to look through what is installed."""
    module = sys.modules.get(_MODULES.get(library, library))
    return getattr(module, "__version__", None) or version(library)


def file_entry(path: Path) -> dict[str, Plain]:
    """Return the line of a product that is no FITS file."""
    size, sha256 = path.stat().st_size, sha256_of(path)
    return {"name": path.name, "sha256": sha256, "size": size, "datamd5": None, "datasums": {}}


def failure_record(
    error: BaseException,
    run: RunIdentity,
    *,
    settings_file: Path | None = None,
    inputs: Iterable[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Return the record of a run that failed: what was asked, when, and why it ended.

    Parameters
    ----------
    error
        What ended the run. A `SoxsdarkError` and a `SystemExit` bring their exit codes;
        anything else but an interrupt is a bug.
    run
        Which run it was.
    settings_file
        Given by the user.
    inputs
        The entries of the inputs as far as they are known.
    """
    return {
        **run.head(succeeded=False),
        "error": {
            "exit-code": _exit_code(error),
            "type": type(error).__name__,
            "message": message_of(error),
            "where": None if is_expected(error) else place_of(error),
        },
        "settings-file": settings_file and settings_file.absolute(),
        "inputs": list(inputs),
    }


def is_expected(error: BaseException) -> bool:
    """Whether a run may end so without a fault of the program."""
    return isinstance(error, SoxsdarkError | KeyboardInterrupt | SystemExit)


def message_of(error: BaseException) -> str:
    """Say why a run ended; never empty."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit) and error.code == ExitCode.TERMINATED:
        return "terminated"
    return str(error) or type(error).__name__


def _exit_code(error: BaseException) -> int:
    if isinstance(error, SoxsdarkError):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.BUG
