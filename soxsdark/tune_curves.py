"""Measures against swept settings as curves: groups of lines, and where a curve has its knee."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from soxsdark.tune_file import number
from soxsdark.tune_text import shown
from soxsdark.tuned import Tuned

FEWEST = 4
"""Points of a curve that can have a knee."""
SMALLEST = 0.01
"""Change of a measure, of its largest value, below which its curve is flat."""
SHARPEST = 0.1
"""How far a knee lies off the straight line between the ends, in units of both ranges."""


@dataclass(frozen=True)
class Curve:
    """One measure against one key, the other keys held."""

    held: str
    """The other keys' values; empty where there are none."""
    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Panel:
    """All curves of one measure against one key."""

    key: str
    measure: str
    ticks: dict[float, str] | None
    """Labels of values that are no numbers, by their place on the axis."""
    curves: tuple[Curve, ...]
    mean: Curve
    """Over all lines of each value of the key."""
    current: tuple[float, float] | None
    """The current settings, if their value of the key is on the axis."""

    @property
    def knee(self) -> float | None:
        """Where the mean curve bends most."""
        return None if self.ticks else knee(self.mean.x, self.mean.y)


def knee(x: np.ndarray, y: np.ndarray) -> float | None:
    """The x at which a curve lies farthest from the straight line between its ends.

    Both axes are scaled to their ranges. None for curves of few points, and for those that are
    nearly straight or flat.
    """
    if len(x) < FEWEST or not np.ptp(y) > SMALLEST * np.abs(y).max():
        return None
    across, up = (x - x[0]) / (x[-1] - x[0]), (y - y[0]) / np.ptp(y)
    off = np.abs(up - across * up[-1])
    at = int(np.argmax(off))
    return float(x[at]) if off[at] > SHARPEST else None


def panel_of(tuned: Tuned, key: str, measure: str) -> Panel:
    """The curves of one measure against one key."""
    places, ticks = _places(key, [line[key] for line in tuned.lines])
    points = [
        (tuple((k, shown(k, line[k])) for k in tuned.keys if k != key), places[line[key]], value)
        for line in tuned.lines
        if (value := number(line[measure])) is not None
    ]
    groups = dict.fromkeys(held for held, _, _ in points)
    curves = tuple(
        _curve(", ".join(f"{k} {v}" for k, v in held), [p[1:] for p in points if p[0] == held])
        for held in groups
    )
    at, value = places.get(tuned.current[key]), number(tuned.current[measure])
    if at is None and ticks is None:
        at = number(tuned.current[key])
    current = None if at is None or value is None else (at, value)
    return Panel(key, measure, ticks, curves, _curve("", [p[1:] for p in points]), current)


def _places(key: str, cells: Sequence[str]) -> tuple[dict[str, float], dict[float, str] | None]:
    """Where values lie on the axis; words, and what is not set, one after another."""
    distinct = dict.fromkeys(cells)
    numbers = {cell: found for cell in distinct if (found := number(cell)) is not None}
    if len(numbers) == len(distinct):
        return numbers, None
    places = {cell: float(place) for place, cell in enumerate(distinct)}
    return places, {place: shown(key, cell) for cell, place in places.items()}


def _curve(held: str, points: Sequence[tuple[float, float]]) -> Curve:
    """One point for each x: the mean of those there."""
    x, y = np.array(points).reshape(-1, 2).T
    at, which = np.unique(x, return_inverse=True)
    return Curve(held, at, np.bincount(which, weights=y) / np.bincount(which))
