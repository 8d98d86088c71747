"""The settings as a table: every key with its value, unit, origin and meaning."""

import csv
import io
import json
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import yaml

from soxsdark.settings import EffectiveSettings, MdarkSettings
from soxsdark.settings_model import schemas
from soxsdark.settings_text import allowed

if TYPE_CHECKING:
    from soxsdark.settings_frame import Measured

SCREEN = 100
"""Columns of a screen that does not tell, and the most that are used."""
VALUE = 30
"""Columns of a value and its unit; longer ones push the origin aside."""
INDENT = "    "
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins so, a spreadsheet would compute."""


@dataclass(frozen=True)
class Row:
    """One setting as it holds."""

    key: str
    value: object
    unit: str
    origin: str
    """``default``, ``FILE:LINE``, ``FILE:LINE (arm)``, ``--set``, ``header KEY``, ``profile X``."""
    default: object
    allowed: str
    meaning: str


def rows(
    effective: EffectiveSettings, measured: Mapping[str, "Measured"] | None = None
) -> list[Row]:
    """Return every setting, in the order of the settings file.

    Parameters
    ----------
    effective : EffectiveSettings
        Of one arm.
    measured : dict of str to Measured, optional
        What a frame says of keys that the settings leave to it.
    """
    values = effective.values.model_dump(mode="json", by_alias=True)
    defaults = MdarkSettings().model_dump(mode="json", by_alias=True)
    found = {}
    for key, schema in schemas().items():
        value, origin = values[key], effective.origins[key]
        if measured and key in measured and value is None:
            value, origin = measured[key].value, measured[key].source
        unit = str(schema["unit"] or "")
        found[key] = Row(
            key, _plain(value), unit, origin, _plain(defaults[key]), allowed(schema),
            str(schema["description"]),
        )  # fmt: skip
    return list(found.values())


def changed(table: Sequence[Row]) -> list[Row]:
    """Return the rows whose value is not the default."""
    return [row for row in table if row.value != row.default]


def _plain(value: object) -> object:
    """Whole numbers without the point that they have as float."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _screen(table: Sequence[Row]) -> str:
    """For people: a line for each key, what it means below."""
    if not table:
        return "every setting is at its default\n"
    name = max(len(row.key) for row in table)
    width = min(shutil.get_terminal_size((SCREEN, 0)).columns, SCREEN)
    return "".join(
        f"{row.key:<{name}}  {_quantity(row):<{VALUE}} {row.origin}\n"
        f"{_wrapped(row.meaning, width)}\n"
        for row in table
    )


def _quantity(row: Row) -> str:
    return _cell(row.value) + (f" {row.unit}" if row.unit and row.value is not None else "")


def _wrapped(text: str, width: int) -> str:
    return textwrap.fill(
        text, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )


def _csv(table: Sequence[Row]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(asdict(table[0]) if table else Row.__dataclass_fields__)
    for row in table:
        cells = map(_cell, asdict(row).values())
        writer.writerow("'" + cell if cell[:1] in FORMULA else cell for cell in cells)
    return stream.getvalue()


def _json(table: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in table], indent=2, ensure_ascii=False) + "\n"


def _yaml(table: Sequence[Row]) -> str:
    return yaml.safe_dump(
        [asdict(row) for row in table], sort_keys=False, allow_unicode=True, width=SCREEN
    )


def keys_table(table: Sequence[Row]) -> str:
    """Return the keys, their defaults, bounds and meaning in Markdown, for the documentation."""
    lines = [(_code(r.key), _code(r.default), r.unit, r.allowed, r.meaning) for r in table]
    return _markdown_table(("key", "default", "unit", "allowed", "meaning"), lines)


def _markdown(table: Sequence[Row]) -> str:
    lines = [(_code(r.key), _code(r.value), r.unit, r.origin, r.allowed, r.meaning) for r in table]
    return _markdown_table(("key", "value", "unit", "origin", "allowed", "meaning"), lines)


def _markdown_table(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    cells = [headers, ["---"] * len(headers), *lines]
    return "".join(f"| {' | '.join(map(_escaped, row))} |\n" for row in cells)


def _code(value: object) -> str:
    return f"`{_cell(value)}`"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


FORMATS: Mapping[str, Callable[[Sequence[Row]], str]] = {
    "table": _screen,
    "json": _json,
    "yaml": _yaml,
    "csv": _csv,
    "markdown": _markdown,
}
"""Each format, and what writes it."""
