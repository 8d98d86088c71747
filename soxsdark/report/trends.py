"""The picture of trends: a panel for each metric of each setup."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from soxsdark.flags import Flag
from soxsdark.report.style import (
    BAND,
    CLASS_COLOURS,
    INK,
    LINE,
    MUTED,
    Picture,
    date_axis,
    own_style,
)
from soxsdark.report.words import time_of, unit
from soxsdark.trend_history import is_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from soxsdark.trend import Point

MOST_SETUPS = 4
"""Beside each other; those of the most sets."""
PANEL = (4.2, 1.7)
"""Inches: width and height of a panel."""
JUMP, DOUBTFUL = CLASS_COLOURS[Flag.HOT], CLASS_COLOURS[Flag.NOISY]

RING: dict[str, Any] = {
    "linestyle": "none", "markerfacecolor": "none", "markeredgewidth": 1.5, "markersize": 8,
}  # fmt: skip


def draw_trends(series: Mapping[str, Mapping[str, Sequence["Point"]]]) -> Picture:
    """Draw all metrics of all setups in time.

    Parameters
    ----------
    series : mapping
        Dated points by metric, by label of the setup.
    """
    from matplotlib.figure import Figure

    def size(label: str) -> int:
        return sum(map(len, series[label].values()))

    largest = sorted(series, key=size, reverse=True)[:MOST_SETUPS]
    columns = [label for label in series if label in largest]
    rows = list(dict.fromkeys(metric for label in columns for metric in series[label]))
    with own_style():
        width = max(PANEL[0] * len(columns), 6.5)
        figure = Figure(figsize=(width, PANEL[1] * len(rows) + 1.0), layout="constrained")
        grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex="all")
        for column, label in enumerate(columns):
            grid[0, column].set_title(label, fontsize=10, color=INK)
            for row, metric in enumerate(rows):
                _draw_panel(grid[row, column], metric, series[label].get(metric, ()))
        for axes in grid[-1]:
            date_axis(axes, 6)
            axes.set_xlabel("start of the first exposure [UTC]")
        figure.align_ylabels(grid[:, 0])
        _legend(figure)
    left_out = len(series) - len(columns)
    caption = f" {left_out} more setups are not drawn: choose an arm." if left_out else ""
    return Picture(
        "trend",
        "Trends",
        "Blue band: acceptable range. Orange: a jump against the sets before. Purple: a verdict "
        f"that is not GOOD.{caption}",
        f"{', '.join(rows)} against time, of {', '.join(columns)}",
        figure,
    )


def _draw_panel(axes: "Axes", metric: str, points: Sequence["Point"]) -> None:
    points = [point for point in points if point.mjd is not None]
    if not points:
        axes.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center", color=MUTED)
        return
    symbol = unit(points[0].unit)
    axes.set_ylabel(f"{metric}\n[{symbol}]" if symbol else metric)
    times: Any = [time_of(point.mjd) for point in points]
    low, high = points[-1].acceptable_low, points[-1].acceptable_high
    values = [point.value for point in points]
    axes.plot(times, values, color=LINE, marker="o", markersize=3, linewidth=0.7)
    axes.margins(y=0.15)
    _range(axes, low, high)
    for chosen, colour, marker, size in (
        ([p.is_doubtful for p in points], DOUBTFUL, "s", 8),
        ([p.is_jump for p in points], JUMP, "o", 11),
    ):
        x: Any = [time for time, is_so in zip(times, chosen, strict=True) if is_so]
        y = [value for value, is_so in zip(values, chosen, strict=True) if is_so]
        axes.plot(x, y, marker=marker, markeredgecolor=colour, **RING | {"markersize": size})
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.locator_params(axis="y", nbins=4, integer=is_count(metric), min_n_ticks=1)


def _range(axes: "Axes", low: float | None, high: float | None) -> None:
    """The acceptable range as it is now, within sight."""
    ends = [end for end in (low, high) if end is not None]
    if not ends:
        return
    bottom, top = min(*axes.get_ylim(), *ends), max(*axes.get_ylim(), *ends)
    margin = 0.06 * (top - bottom)
    axes.set_ylim(bottom - margin, top + margin)
    bottom, top = axes.get_ylim()
    band = bottom if low is None else low, top if high is None else high
    axes.axhspan(*band, color=BAND, linewidth=0)
    for end in ends:
        axes.axhline(end, color=LINE, linewidth=0.8, linestyle="--")


def _legend(figure: "Figure") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    def ring(colour: str, marker: str, label: str) -> Line2D:
        return Line2D([], [], marker=marker, label=label, markeredgecolor=colour, **RING)

    figure.legend(
        handles=[
            Patch(color=BAND, label="acceptable"),
            ring(JUMP, "o", "jump against its history"),
            ring(DOUBTFUL, "s", "verdict not GOOD"),
        ],
        loc="outside lower center", ncols=3,
    )  # fmt: skip
