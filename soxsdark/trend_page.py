"""Trends for people: cells of a table, and a page with the picture."""

import base64
from collections.abc import Iterator

from soxsdark.pages import render
from soxsdark.report.trends import draw_trends
from soxsdark.text import shown
from soxsdark.trend import Point, Trend
from soxsdark.version import __version__

HEADINGS = ("night", "set", "frames", "verdict")
LEGEND = "! jumps against the sets before it   * its verdict is not GOOD"


def table_rows(trend: Trend) -> Iterator[tuple[str, ...]]:
    """Night, name, number of frames and verdict of each set, then its metrics with their marks."""
    for points in trend.sets():
        first = next(iter(points.values()))
        cells = (cell(points.get(metric)) for metric in trend.metrics)
        yield first.night, first.set_name, str(first.frames), first.qa_flag, *cells


def cell(point: Point | None) -> str:
    """A value with its marks."""
    if point is None:
        return "-"
    value = int(point.value) if point.value == int(point.value) and not point.unit else point.value
    return shown(value, point.unit) + "!" * point.is_jump + "*" * point.is_doubtful


def page(trend: Trend) -> bytes:
    """A page with picture and table, complete in itself."""
    picture = draw_trends(trend.series())
    return render(
        "trend.html",
        picture=picture,
        png=base64.b64encode(picture.png()).decode("ascii"),
        headings=(*HEADINGS, *trend.metrics),
        rows=list(table_rows(trend)),
        legend=LEGEND,
        version=__version__,
    )
