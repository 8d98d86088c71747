"""A record as a person reads it: the verdict first."""

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from soxsdark.one_setup import UNITS
from soxsdark.record_check import State
from soxsdark.record_model import (
    FailedRun,
    MasterRun,
    Metric,
    Record,
    Sourced,
    SubtractRun,
    files_read,
)
from soxsdark.text import printable, shown, table

DIGITS = 12
"""Of a checksum, as many as tell files apart."""
FIGURES = (
    "exposure [s]",
    "level [e-]",
    "RON [e-]",
    "clipped",
    "rejected",
    "figure",
    "error",
    "bytes",
    "gain [e-/ADU]",
    "nominal RON [e-]",
    "sigma-zero [e-]",
)
"""Columns of numbers."""


def record_text(record: Record, states: Sequence[State] = ()) -> str:
    """Return a record as text for the screen.

    Parameters
    ----------
    record : Record
    states : sequence of State
        Of its products.
    """
    parts = [_verdict(record), _run(record)]
    if isinstance(record, FailedRun):
        rows = [(given.path, given.tag or "-") for given in record.inputs]
        parts.append(_table("inputs", ("file", "tag"), rows))
    else:
        parts += [
            _remarks(record),
            _setup(record),
            *((_amplifiers(record), _frames(record)) if isinstance(record, MasterRun) else ()),
            _metrics(record),
            _changed_settings(record) if isinstance(record, MasterRun) else "",
            _inputs(record),
            _products(states),
        ]
    return printable("\n\n".join(part for part in parts if part))


def _verdict(record: Record) -> str:
    if isinstance(record, FailedRun):
        return f"FAILED, exit code {record.error.exit_code}: {record.error.message}"
    if isinstance(record, SubtractRun):
        return f"DONE: {record.dark.path} taken off, times {record.factor:.5g}"
    why = [metric.why for metric in record.metrics.values() if metric.verdict != "GOOD"]
    return "\n".join((f"QA FLAG {record.qa_flag}", *(f"warning: {line}" for line in why)))


def _run(record: Record) -> str:
    seconds = (record.ended - record.started).total_seconds()
    rows = [
        ("run", record.run_id),
        ("recipe", f"{record.recipe}, soxsdark {record.version} ({record.kernel})"),
        ("started", f"{record.started:%Y-%m-%d %H:%M:%S %Z}, took {seconds:.1f} s"),
        ("command", shlex.join(record.command) or "from Python"),
    ]
    if isinstance(record, FailedRun):
        rows.append(("error", ", ".join(filter(None, (record.error.type, record.error.where)))))
    return "\n".join(f"{name:8} {value}" for name, value in rows)


def _remarks(record: MasterRun | SubtractRun) -> str:
    # what a verdict rests on stands beside it
    judged = record.metrics.values() if isinstance(record, MasterRun) else ()
    told = {metric.why for metric in judged}
    warnings = [f"warning: {line}" for line in record.warnings if line not in told]
    return "\n".join((*warnings, *(f"remark: {line}" for line in record.remarks)))


def _setup(record: MasterRun | SubtractRun) -> str:
    own = record.instrument_profile_file
    rows = [("instrument profile", own.path if own else record.instrument_profile)]
    said = {
        key: f"{_value(value)}{UNITS.get(key, '')}"
        for key, value in record.setup.items()
        if value is not None
    }
    if isinstance(record, MasterRun):
        # of several amplifiers each has its own, in their table
        said.pop("gain", None)
        said |= {name: _sourced(*given) for name, given in _detector(record).items()}
        said["baseline"] = record.baseline
    return _table("setup", ("key", "value"), [*rows, *said.items()])


def _detector(record: MasterRun) -> dict[str, tuple[Sourced, str]]:
    """Figures that hold for the whole detector, each with its unit."""
    own = {"gain": (record.gain, "electron/ADU"), "ron": (record.ron, "electron")}
    return (own if len(record.amplifiers) == 1 else {}) | {"saturation": (record.saturation, "ADU")}


def _sourced(figure: Sourced, unit: str) -> str:
    known = figure.value is not None
    return f"{figure.value:g} {unit} ({figure.source})" if known else figure.source


def _value(value: object) -> str:
    if isinstance(value, list):
        return " x ".join(map(_value, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _frames(record: MasterRun) -> str:
    rows = [
        (
            PurePath(frame.path).name,
            f"{frame.exposure_time:g}",
            f"{frame.level:.2f}",
            f"{frame.ron:.2f}",
            frame.clipped_low + frame.clipped_high,
            frame.rejected,
        )
        for frame in record.frames
    ]
    headers = ("file", "exposure [s]", "level [e-]", "RON [e-]", "clipped", "rejected")
    return _table("frames", headers, rows)


def _amplifiers(record: MasterRun) -> str:
    rows = [
        (one.name, _figure(one.gain), _figure(one.ron), f"{one.sigma:.2f}")
        for one in record.amplifiers
    ]
    headers = ("name", "gain [e-/ADU]", "nominal RON [e-]", "sigma-zero [e-]")
    return _table("amplifiers", headers, rows) if len(rows) > 1 else ""


def _figure(figure: Sourced) -> str:
    return "-" if figure.value is None else f"{figure.value:g}"


def _error(metric: Metric) -> str:
    return "-" if metric.error is None else f"{metric.error:.2g}"


def _metrics(record: MasterRun | SubtractRun) -> str:
    rows = [
        (name, shown(metric.value, metric.unit), metric.unit or "-",
         *([_error(metric), metric.verdict] if isinstance(metric, Metric) else []))
        for name, metric in record.metrics.items()
    ]  # fmt: skip
    headers = ("name", "figure", "unit", "error", "verdict")
    return _table("quality", headers[: len(rows[0]) if rows else 3], rows)


def _changed_settings(record: MasterRun) -> str:
    rows = [
        (key, _value(setting.value), setting.origin)
        for key, setting in record.settings.items()
        if setting.origin != "default"
    ]
    title = f"settings ({len(record.settings) - len(rows)} more at their defaults)"
    return _table(title, ("key", "value", "origin"), rows) if rows else ""


def _inputs(record: MasterRun | SubtractRun) -> str:
    rows = [(what, file.path, file.sha256[:DIGITS]) for what, file in files_read(record)]
    return _table("inputs", ("what", "file", "SHA-256"), rows)


def _products(states: Sequence[State]) -> str:
    rows = [(s.product.name, s.product.size, s.product.sha256[:DIGITS], s.text) for s in states]
    return _table("products", ("file", "bytes", "SHA-256", "is"), rows)


def _table(title: str, headers: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    """A titled table; figures are aligned right."""
    align = tuple("right" if header in FIGURES else "left" for header in headers)
    return f"{title}\n\n{table(rows, tuple(headers), align)}"
