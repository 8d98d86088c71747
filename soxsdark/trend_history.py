"""What is unusual for a metric: its robust z-score against its own history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median, quantiles
from typing import Any

from soxsdark.kinds import DARK
from soxsdark.trend_database import Database, setup_key

HISTORY = 30
"""Sets that make a history: the latest before."""
LEAST = 10
"""With fewer nothing is said."""
LIMIT = 5.0
"""Scores beyond it are jumps."""
FINEST = 0.002
"""Smallest scale, as a share of the typical value: smaller changes are nobody's concern."""
MAD_TO_SIGMA, TENTHS_TO_SIGMA = 1.4826, 2.5631
"""Of a Gaussian: sigma over MAD, and how many sigma lie from the first tenth to the last."""

_HISTORY = """
    SELECT metrics.name, value FROM metrics JOIN (
        SELECT record FROM sets
        WHERE setup = :setup AND frames = :frames AND mjd < :mjd AND qa_flag != 'BAD'
        ORDER BY mjd DESC LIMIT :most
    ) USING (record) WHERE value IS NOT NULL
"""
_PREVIOUS = """
    SELECT path FROM sets JOIN products USING (record)
    WHERE setup = :setup AND mjd < :mjd AND qa_flag != 'BAD' AND path LIKE :ending
    ORDER BY mjd DESC LIMIT 1
"""


@dataclass(frozen=True)
class Jump:
    """A metric that is far from its history."""

    metric: str
    value: float
    unit: str
    score: float
    typical: float
    """Median of the history."""
    sets: int
    """Of the history."""

    def __str__(self) -> str:
        """One line for people."""
        value, typical = (f"{number:.5g}" for number in (self.value, self.typical))
        return (
            f"{self.metric} jumps: {value}{self.unit and ' '}{self.unit}, {typical} is the median "
            f"of the {self.sets} sets before (score {self.score:+.1f}, at most {LIMIT:g} is usual)"
        )


def score(name: str, value: float, error: float | None, history: Sequence[float]) -> float | None:
    """Robust z-score of a value: (value - median of the history) / scale.

    The scale is the largest of these: the spread of the history x (1 + 5/n), the error of the
    value, and what is the least for this kind of metric: for a count 1 and the root of the median,
    else 0.2 % of the median. The spread is the larger one of 1.4826 MAD and (90 % - 10 %)/2.563,
    which both are the standard deviation of a Gaussian. The second is for metrics that come in
    steps, whose MAD may be nothing, and ends the alarm when a few sets have shown that a change is
    to stay; the factor is for few sets, whose spread may be small by chance. Of Gaussian values
    one in 5000 scores beyond 5 for n = 10, one in 100 000 for n = 30.

    Parameters
    ----------
    name : str
        Of the metric.
    value : float
    error : float or None
        Its standard deviation.
    history : sequence of float
        The values before.

    Returns
    -------
    float or None
        None if the history is too short, or has no scale at all.
    """
    if len(history) < LEAST:
        return None
    typical = median(history)
    tenths = quantiles(history, n=10, method="inclusive")
    mad = median(abs(v - typical) for v in history)
    spread = max(MAD_TO_SIGMA * mad, (tenths[-1] - tenths[0]) / TENTHS_TO_SIGMA)
    least = max(1.0, sqrt(abs(typical))) if is_count(name) else FINEST * abs(typical)
    scale = max(spread * (1 + 5 / len(history)), error or 0.0, least)
    return (value - typical) / scale if scale else None


def is_count(name: str) -> bool:
    """Whether a metric counts pixels."""
    return name.endswith(" NUM") or name.startswith("PREV HOT ")


def jumps(database: Database, record: str) -> tuple[Jump, ...]:
    """Return the metrics of a set that are far from their history, by its record.

    The history are the latest 30 sets before it of the same setup and number of frames that are
    not BAD. A fraction that has its number beside it is passed over, and so is a set without date.

    Raises
    ------
    InputError
        From the database, when it is closed.
    """
    rows = database.rows("SELECT setup, frames, mjd FROM sets WHERE record = :it", it=record)
    if not rows or rows[0]["mjd"] is None:
        return ()
    history: dict[str, list[float]] = {}
    for name, value in database.rows(_HISTORY, most=HISTORY, **dict(rows[0])):
        history.setdefault(name, []).append(value)
    query = "SELECT name, value, error, unit FROM metrics WHERE record = :it AND value IS NOT NULL"
    metrics = {row["name"]: row for row in database.rows(query, it=record)}
    found = (_jump(metrics[name], history.get(name, ())) for name in _distinct(metrics))
    return tuple(filter(None, found))


def previous_master(
    database: Database, setup: Mapping[str, object], start: float | None
) -> str | None:
    """Return the path below the products of the master dark to compare a new one with.

    It is the latest of the same setup before `start` (MJD) that is not BAD; None: there is none.
    """
    key = {"setup": setup_key(setup), "mjd": start, "ending": f"%/%_{DARK.product}.fits"}
    found = database.rows(_PREVIOUS, **key)
    return found[0]["path"] if found else None


def _distinct(metrics: Mapping[str, object]) -> list[str]:
    return [
        name for name in metrics if name.replace(" FRAC", " NUM") not in metrics.keys() - {name}
    ]


def _jump(metric: Iterable[Any], history: Sequence[float]) -> Jump | None:
    name, value, error, unit = metric
    found = score(name, value, error, history)
    if found is None or abs(found) <= LIMIT:
        return None
    return Jump(name, value, unit, found, median(history), len(history))
