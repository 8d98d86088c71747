"""The lines of a sweep for the screen and for other programs."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

from soxsdark.text import printable
from soxsdark.tune_file import ID, Line, number
from soxsdark.tune_measures import MEASURES, TRUTH_MEASURES
from soxsdark.tuned import CURRENT, ROW, SECONDS, SHARE, Tuned

SAID = MEASURES | TRUTH_MEASURES
"""What each measure is."""

SHORT = {
    "hot-pixels": "hot",
    "cold-pixels": "cold",
    "noisy-pixels": "noisy",
    "flagged-pixels": "flagged",
    "rejected-samples": "rejected",
    "master-ron": "RON",
    "master-ron-pred": "RON\npred",
    "rms-change": "RMS\nchange",
    "new-flags": "new",
    "lost-flags": "lost",
    "hot-found": "hot\nfound",
    "noisy-found": "noisy\nfound",
    "false-flags": "false",
    "error-ratio": "error\n/ERRS",
    SECONDS: "s",
}
"""Heads of columns on the screen."""
NOTHING = 5e-5
"""Measures below it are rounding."""


def shown(name: str, cell: str) -> str:
    """A cell of the column `name` of the file for people."""
    if not cell:
        return "-"
    value = number(cell)
    if value is None:
        return cell
    if name in SAID and abs(value) < NOTHING:
        return "0"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def head_of(name: str) -> str:
    """The head of a column on the screen, broken so that it is narrow."""
    return SHORT.get(name) or name.replace("-", "-\n")


def bands_note(tuned: Tuned) -> str:
    """Say that only a part of the pixels was seen; empty if all were."""
    if tuned.share_seen == 1:
        return ""
    return (
        f"{100 * tuned.share_seen:.3g} % of the pixels, in bands of rows spread evenly: the "
        "frames do not fit in memory-limit; all counts are of these"
    )


def columns_of(tuned: Tuned) -> tuple[list[str], list[str]]:
    """The columns that differ between lines (swept keys always), and those that do not.

    Those that nobody reads, and those that are empty, are in neither.
    """
    varying, constant = [], []
    for name in (name for name in tuned.current if name not in (ROW, ID, SHARE)):
        values = {shown(name, line[name]) for line in (tuned.current, *tuned.lines)}
        if len(values) > 1 or name in tuned.keys:
            varying.append(name)
        elif values != {"-"}:
            constant.append(name)
    return varying, constant


def rows_of(tuned: Tuned, names: Sequence[str]) -> list[list[str]]:
    """The current settings first, then the lines; the number of the row first."""
    lines = [tuned.current, *tuned.lines]
    return [
        [
            "current" if line[ROW] == str(CURRENT) else line[ROW],
            *(shown(name, line[name]) for name in names),
        ]
        for line in lines
    ]


def constant_note(tuned: Tuned) -> str:
    """Name the measures that are the same in all rows; empty if there is none."""
    said = [f"{name} {shown(name, tuned.current[name])}" for name in columns_of(tuned)[1]]
    return f"the same in all rows: {', '.join(said)}" if said else ""


def _table(tuned: Tuned, style: str, head: Callable[[str], str]) -> str:
    from tabulate import tabulate

    names, _ = columns_of(tuned)
    table = tabulate(
        rows_of(tuned, names), [ROW, *map(head, names)], tablefmt=style, disable_numparse=True,
        colalign=["right"] * (len(names) + 1),
    )  # fmt: skip
    parts = (bands_note(tuned), table, constant_note(tuned))
    return printable("\n\n".join(part for part in parts if part)) + "\n"


def _screen(tuned: Tuned) -> str:
    return _table(tuned, "simple", head_of)


def _markdown(tuned: Tuned) -> str:
    return _table(tuned, "pipe", str)


def _csv(tuned: Tuned) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(tuned.current), lineterminator="\n")
    writer.writeheader()
    writer.writerows(tuned.lines)
    return stream.getvalue()


def _json(tuned: Tuned) -> str:
    content = {
        "current": _typed(tuned.current),
        "rows": [_typed(line) for line in tuned.lines],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _typed(line: Line) -> dict[str, object]:
    """A line with numbers as numbers."""
    return {name: _value(name, text) for name, text in line.items()}


def _value(name: str, text: str) -> object:
    words = {"": None, "true": True, "false": False}
    if name == ID:
        return text
    if text in words:
        return words[text]
    return text if number(text) is None else json.loads(text)


FORMATS: Mapping[str, Callable[[Tuned], str]] = {
    "table": _screen,
    "csv": _csv,
    "json": _json,
    "markdown": _markdown,
}
"""Each format, and what writes it."""
