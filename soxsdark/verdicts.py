"""Metrics, the ranges they should lie in, and the QA flag that follows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from soxsdark.errors import ExitCode

DOUBT = 3.0
"""A warning is given when a metric lies outside its range by more than this many of its errors."""
NO_VALUE = "it cannot be measured on this set, or there is no metric of that name"
Ends = tuple[float | None, float | None]


class QaFlag(StrEnum):
    """The verdict on a set, from good to bad."""

    GOOD = "GOOD"
    PARTIAL = "PARTIAL"
    BAD = "BAD"

    @property
    def exit_code(self) -> ExitCode:
        """What the program tells the shell."""
        codes = {"BAD": ExitCode.DONE_BAD, "PARTIAL": ExitCode.DONE_PARTIAL}
        return codes.get(self.value, ExitCode.DONE)


@dataclass(frozen=True)
class Metric:
    """One figure of merit."""

    name: str
    value: float | int | None
    unit: str
    comment: str
    verdict: QaFlag = QaFlag.GOOD
    why: str = ""
    """Reason of a verdict that is not GOOD, in one line."""
    error: float | None = None
    """One standard deviation of `value`; None: not known, or none."""
    amplifier: int = 0
    """Whose metric it is, from 1; the last word of its name. 0: of the whole detector."""
    frame: str = ""
    """The frame whose value it is, where it is that of the worst."""
    chance: float = 0.0
    """Value that chance alone may reach: a warning of a high one needs more."""
    acceptable: Ends | None = None
    warning: Ends | None = None
    """The ranges it was judged against."""

    @property
    def general(self) -> str:
        """The name without the number of the amplifier."""
        return self.name.removesuffix(f" {self.amplifier}") if self.amplifier else self.name

    @property
    def concern(self) -> str:
        """The reason of a verdict that is not GOOD, behind its name; else empty."""
        named = not self.why or self.why.startswith(self.name)
        return self.why if named else f"{self.name}: {self.why}"

    @property
    def text(self) -> str:
        """Name, value, error, unit and frame, for a message."""
        if self.value is None:
            return f"{self.name} has no value"
        error = "" if self.error is None else f" +- {self.error:.2g}"
        unit = f" {self.unit}" if self.unit else ""
        frame = f" in {self.frame}" if self.frame else ""
        return f"{self.name} is {self.value:.5g}{error}{unit}{frame}"

    def with_concern(self, verdict: QaFlag, why: str) -> "Metric":
        """The metric with a verdict of at least this severity, and one reason more."""
        worst = max(self.verdict, verdict, key=list(QaFlag).index)
        return replace(self, verdict=worst, why="; ".join(filter(None, (self.why, why))))


@dataclass(frozen=True)
class Judged:
    """All metrics of a set, and remarks on what could not be judged."""

    metrics: tuple[Metric, ...]
    remarks: tuple[str, ...] = ()
    frame_struct: tuple[float | None, ...] = ()
    """FRAME STRUCT of every frame."""

    def __getitem__(self, name: str) -> Metric:
        """The metric of that name."""
        return next(m for m in self.metrics if m.name == name)

    @property
    def flag(self) -> QaFlag:
        """The worst verdict."""
        return max((m.verdict for m in self.metrics), key=list(QaFlag).index, default=QaFlag.GOOD)

    @property
    def concerns(self) -> tuple[Metric, ...]:
        """The metrics whose verdict is not GOOD."""
        return tuple(m for m in self.metrics if m.verdict is not QaFlag.GOOD)


def metric_name(text: str) -> str:
    """Return the name of a metric as headers have it: ``raw-ron``, ``raw_ron`` is RAW RON."""
    return text.upper().replace("-", " ").replace("_", " ")


@dataclass(frozen=True)
class Ranges:
    """Ranges that metrics are judged against, by the metric's name.

    What holds for the whole detector holds for each amplifier, unless that has its own.
    """

    acceptable: Mapping[str, Ends]
    acceptable_source: str
    """Who says so."""
    warning: Mapping[str, tuple[Any, ...]]
    """(low, high), or (low, high, name of the quantity that they are multiples of)."""
    warning_source: str
    known: Mapping[str, float | None]
    """Further quantities that warning ranges may be multiples of."""


def judge_ranges(
    metrics: Iterable[Metric], ranges: Ranges, hints: Mapping[str, str]
) -> tuple[Metric, ...]:
    """Judge metrics against their ranges.

    Outside its acceptable range (the ends are inside) a metric is BAD; outside its warning range,
    by more than `DOUBT` errors and more than chance, PARTIAL; so is an acceptable range whose
    metric has no value, and a metric without value is added for it.

    Parameters
    ----------
    metrics : iterable of Metric
    ranges : Ranges
    hints : mapping
        What to look at, for each name.
    """
    metrics = list(metrics)
    values = {m.name: m.value for m in metrics} | dict(ranges.known)
    missing = [name for name in ranges.acceptable if name not in values]
    metrics += [Metric(name, None, "", "Not measured in this run") for name in missing]
    return tuple(_judged(m, ranges, values, _of(hints, m) or "") for m in metrics)


def _of(given: Mapping[str, Any], metric: Metric) -> Any:
    """What is given for a metric by its own name, or by that of the whole detector's."""
    return given.get(metric.name, given.get(metric.general))


def _judged(metric: Metric, ranges: Ranges, values: Mapping[str, Any], hint: str) -> Metric:
    given = _of(ranges.warning, metric)
    acceptable, warning = _of(ranges.acceptable, metric), _scaled(given, metric, values)
    metric = replace(metric, acceptable=acceptable, warning=warning)
    after = f": {hint}" if hint else ""
    limits = f"{_text(acceptable)} is acceptable ({ranges.acceptable_source})" if acceptable else ""
    if metric.value is None:
        why = f"{metric.text}, {limits}: {NO_VALUE}"
        return metric.with_concern(QaFlag.PARTIAL, why) if acceptable else metric
    if acceptable and _outside(metric.value, acceptable, margin=0.0):
        return metric.with_concern(QaFlag.BAD, f"{metric.text}, {limits}{after}")
    margin = DOUBT * (metric.error or 0.0)
    if warning and _outside(metric.value, warning, margin, metric.chance):
        times = f": {_text(given)} x {metric_name(given[2])}" if len(given) > 2 else ""
        said = f"{_text(warning)} is expected ({ranges.warning_source}{times})"
        return metric.with_concern(QaFlag.PARTIAL, f"{metric.text}, {said}{after}")
    return metric


def _scaled(
    given: tuple[Any, ...] | None, metric: Metric, values: Mapping[str, Any]
) -> Ends | None:
    """The ends of a warning range; None if what they are multiples of is not known."""
    if given is None:
        return None
    unit = 1.0
    if len(given) > 2:
        name = metric_name(given[2])
        own = f"{name} {metric.amplifier}" if metric.amplifier else name
        unit = values.get(own, values.get(name))
    if unit is None:
        return None
    low, high = (None if end is None else end * unit for end in given[:2])
    return low, high


def _outside(value: float, ends: Ends, margin: float, chance: float = -math.inf) -> bool:
    low, high = ends
    too_low = low is not None and value < low - margin
    return too_low or (high is not None and value > max(high + margin, chance))


def _text(ends: tuple[Any, ...]) -> str:
    low, high = (None if end is None else f"{end:.4g}" for end in ends[:2])
    if low and high:
        return f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else "any value"
