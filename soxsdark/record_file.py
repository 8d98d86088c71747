"""A record back from its file, which anybody may have written."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from soxsdark.errors import InputError
from soxsdark.record_model import model_of
from soxsdark.regular_file import open_regular
from soxsdark.settings_layers import show, show_key

if TYPE_CHECKING:
    from soxsdark.record_model import Record

LARGEST = 16_000_000
"""Bytes; ten thousand frames take a third of it."""


def read_record(path: Path | str) -> "Record":
    """Read a record and check every field that is known.

    Raises
    ------
    InputError
        The file cannot be read, or is no record.
    """
    path = Path(path)
    content = load_json(path)
    try:
        return model_of(content).model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: is no record of soxsdark: {_first(error)}") from error


def load_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises
    ------
    InputError
        The file cannot be read, is too large, or holds something else.
    """
    try:
        with open_regular(path) as stream:
            text = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a possible file name"
        raise InputError(f"{path}: cannot be read ({reason}), expected a record (JSON)") from error
    if len(text) > LARGEST:
        raise InputError(f"{path}: larger than {LARGEST} bytes, expected a record (JSON)")
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: is not JSON ({reason}), expected a record") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds {_shown(content)}, expected a record (a JSON object)")
    return content


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _first(error: ValidationError) -> str:
    """Say in one line what is wrong first."""
    first = error.errors(include_url=False, include_context=False)[0]
    key = ": ".join(show_key(str(part)) for part in first["loc"])
    if first["type"] == "missing":
        return f"{key} is missing"
    return f"{key}: {first['msg'].removeprefix('Value error, ')}, found {_shown(first['input'])}"


def _shown(value: object) -> str:
    known: dict[type, str] = {dict: "an object", list: "a list"}
    return known.get(type(value)) or show(value)
