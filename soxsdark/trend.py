"""Trends: the metrics of all sets below a folder of products, in time, with what is unusual."""

import csv
import difflib
import io
import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from soxsdark.errors import InputError, UsageError
from soxsdark.nights import moment_of
from soxsdark.settings_layers import range_name
from soxsdark.trend_database import Database
from soxsdark.trend_history import HISTORY, LIMIT, score

DEFAULT = ("DARK CURRENT", "MDARK MEDIAN", "RAW RON", "HOTPIX NUM", "NOISYPIX NUM")
"""Metrics that are shown when none are named, as far as there are some."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would take for a formula."""
COLUMNS = (
    "night", "set", "start", "mjd", "instrument", "arm", "exposure time [s]", "frames", "qa flag",
    "metric", "value", "error", "unit", "verdict", "acceptable low", "acceptable high", "score",
)  # fmt: skip

_QUERY = """
    SELECT night, sets.name AS set_name, instrument, arm, exposure_time, setup, mjd, frames,
        qa_flag, metrics.name AS metric, metrics.value, error, unit, verdict, acceptable_low,
        acceptable_high
    FROM sets JOIN metrics USING (record) JOIN json_each(:metrics) AS wanted
        ON metrics.name = wanted.value
    WHERE metrics.value IS NOT NULL AND (:arm IS NULL OR arm = :arm COLLATE NOCASE)
    ORDER BY instrument, arm, exposure_time, setup, mjd, sets.name, wanted.key
"""


@dataclass(frozen=True)
class Point:
    """The value of one metric of one set."""

    night: str
    set_name: str
    instrument: str | None
    arm: str | None
    exposure_time: float
    setup: str
    mjd: float | None
    frames: int
    qa_flag: str
    metric: str
    value: float
    error: float | None
    unit: str
    verdict: str
    acceptable_low: float | None
    acceptable_high: float | None
    score: float | None = None
    """Against its history; see `soxsdark.trend_history.score`."""

    @property
    def is_jump(self) -> bool:
        """Whether it is far from its history."""
        return self.score is not None and abs(self.score) > LIMIT

    @property
    def is_doubtful(self) -> bool:
        """Whether its own set says so: it is outside a range, or contradicts another."""
        return self.verdict != "GOOD"


@dataclass(frozen=True)
class Trend:
    """What was asked for.

    Attributes
    ----------
    metrics : tuple of str
    points : tuple of Point
        By setup, then in time.
    """

    metrics: tuple[str, ...]
    points: tuple[Point, ...]

    def series(self) -> dict[str, dict[str, list[Point]]]:
        """Points of each metric of each setup, by a label of the setup and the metric."""
        labels = _labels(self.points)
        found: dict[str, dict[str, list[Point]]] = {}
        for point in self.points:
            of_setup = found.setdefault(labels[point.setup], {})
            of_setup.setdefault(point.metric, []).append(point)
        return found

    def sets(self) -> list[dict[str, Point]]:
        """The points of each set by metric, in time."""
        found: dict[tuple[Any, ...], dict[str, Point]] = defaultdict(dict)
        for point in self.points:
            found[point.mjd or 0.0, point.night, point.set_name][point.metric] = point
        return [found[key] for key in sorted(found)]


def read_trend(
    products: Path, metrics: Sequence[str] = (), arm: str | None = None, since: float | None = None
) -> Trend:
    """Read metrics from the database of a folder of products.

    Parameters
    ----------
    products : path
    metrics : sequence of str
        Names as in the records or in the settings, any case; without them the usual ones.
    arm : str, optional
    since : float, optional
        MJD of the earliest set.

    Raises
    ------
    UsageError
        There is no such metric.
    InputError
        The database is missing or damaged, or there is no such set.
    """
    with Database.open(products) as database:
        known = [row["name"] for row in database.rows("SELECT DISTINCT name FROM metrics")]
        names = _chosen(metrics, known)
        rows = database.rows(_QUERY, arm=arm, metrics=json.dumps(names))
    points = [p for p in _scored(Point(**dict(row)) for row in rows) if _is_since(p, since)]
    if not points:
        which = (
            arm and f"of arm {arm}",
            "since then" if since else "",
            f"with {' or '.join(names)}",
        )
        limits = [option for option, given in (("--arm", arm), ("--since", since)) if given]
        advice = f"leave out {' and '.join(limits)}" if limits else "choose other metrics"
        advice = advice if names else "'soxsdark night' makes them"
        said = " ".join(["no sets", *filter(None, which if names else ())])
        raise InputError(f"{products}: {said}; {advice}")
    return Trend(tuple(names), tuple(points))


def csv_text(trend: Trend) -> str:
    """Return all points as comma-separated values; no text in it is a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for p in trend.points:
        start = None if p.mjd is None else f"{moment_of(p.mjd):%Y-%m-%dT%H:%M:%S}"
        row = (
            p.night, p.set_name, start, p.mjd, p.instrument, p.arm, p.exposure_time, p.frames,
            p.qa_flag, p.metric, p.value, p.error, p.unit, p.verdict, p.acceptable_low,
            p.acceptable_high, None if p.score is None else round(p.score, 2),
        )  # fmt: skip
        writer.writerow(_cell(value) for value in row)
    return stream.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _chosen(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """Names of metrics as the database has them."""
    if not wanted:
        return [name for name in DEFAULT if name in known] or sorted(known)[:5]
    by_name = {range_name(name): name for name in known}
    for name in wanted:
        if range_name(name) not in by_name:
            near = difflib.get_close_matches(range_name(name), by_name) or sorted(by_name)
            raise UsageError(f"{name!r} is no metric of these sets; there are {', '.join(near)}")
    return list(dict.fromkeys(by_name[range_name(name)] for name in wanted))


def _scored(points: Iterable[Point]) -> Iterator[Point]:
    """Compare each point with those before it."""
    histories: dict[tuple[Any, ...], deque[float]] = defaultdict(lambda: deque(maxlen=HISTORY))
    for point in points:
        history = histories[point.setup, point.frames, point.metric]
        dated = point.mjd is not None
        found = score(point.metric, point.value, point.error, history) if dated else None
        yield replace(point, score=found)
        if dated and point.qa_flag != "BAD":
            history.append(point.value)


def _is_since(point: Point, since: float | None) -> bool:
    return since is None or (point.mjd is not None and point.mjd >= since)


def _labels(points: Iterable[Point]) -> dict[str, str]:
    """A short name of each setup; those that would share one are numbered."""
    labels: dict[str, str] = {}
    for p in points:
        if p.setup not in labels:
            who = " ".join(filter(None, (p.instrument, p.arm)))
            label = f"{who} {p.exposure_time:g} s".strip()
            count = sum(other.split(" #")[0] == label for other in labels.values())
            labels[p.setup] = f"{label} #{count + 1}" if count else label
    return labels
