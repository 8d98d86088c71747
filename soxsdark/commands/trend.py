"""soxsdark trend."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soxsdark.commands import offers
from soxsdark.commands.common import ANY_PATH, OUTPUT, example, say
from soxsdark.errors import ExitCode, InputError
from soxsdark.text import printable, table

if TYPE_CHECKING:
    from soxsdark.trend import Trend

DAYS = {"d": 1, "w": 7, "y": 365.25}
REBUILD = "rebuild"


def _since(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """MJD of a date, or of so many days, weeks or years ago."""
    if value is None:
        return None
    from soxsdark.nights import mjd_of, utc_now

    if found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]+)?)([dwy])", value):
        return mjd_of(utc_now()) - float(found[1]) * DAYS[found[2]]
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither like 90d, 12w, 2y nor a date") from error
    return mjd_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _png_name(
    context: click.Context, parameter: click.Parameter, value: Path | None
) -> Path | None:
    if value is not None and value.suffix.lower() != ".png":
        raise click.BadParameter(f"{str(value)!r} does not end in .png, as what is written does")
    return value


@click.command(**example("soxsdark trend 'RAW RON' hotpix-num --arm NIR --since 90d -o products"))
@click.argument("metrics", nargs=-1, metavar="[METRIC]... | rebuild", shell_complete=offers.metrics)
@click.option("-o", "--output", type=ANY_PATH, default=".", help=OUTPUT)
@click.option("--arm", help="Sets of this arm alone.")
@click.option("--since", callback=_since, metavar="90d|DATE", help="Sets since then: 90d, 12w, 2y.")
@click.option(
    "--plot", type=ANY_PATH, callback=_png_name, metavar="PNG", help="Draw the metrics, as PNG."
)
@click.option("--html", type=ANY_PATH, metavar="HTML", help="Make a page of drawing and table.")
@click.option("--csv", is_flag=True, help="Print all as comma-separated values.")
@click.option("-x", "--overwrite", is_flag=True, help="Replace files that exist.")
def trend(
    metrics: tuple[str, ...],
    output: Path,
    arm: str | None,
    since: float | None,
    plot: Path | None,
    html: Path | None,
    csv: bool,
    overwrite: bool,
) -> int:
    """Show how metrics go from set to set in time.

    The sets are those that `soxsdark night` has reduced. A value is marked ! if it jumps against
    the sets before it, * if its verdict is not GOOD. `soxsdark trend rebuild` makes the database of
    the products anew from the records.
    """
    if metrics == (REBUILD,):
        return _rebuild(output)
    from soxsdark import trend as trends

    found = trends.read_trend(output, metrics, arm, since)
    if csv:
        click.echo(trends.csv_text(found), nl=False)
    files = [(path, make) for path, make in ((plot, _png), (html, _page)) if path]
    for path, make in files:
        _write(path, make(found), overwrite)
        click.echo(printable(str(path)), err=csv)
    if not csv and not files:
        _show(found)
    return ExitCode.DONE


def _rebuild(products: Path) -> int:
    from soxsdark.lock import held
    from soxsdark.night import LOCK
    from soxsdark.trend_database import DATABASE, rebuild

    # to hold the lock makes the folder
    if not products.is_dir():
        raise InputError(f"{products}: no such folder; expected the products of soxsdark night")
    with held(products / LOCK):
        problems = rebuild(products)
    for problem in problems:
        say(f"warning: {problem}")
    click.echo(printable(str(products / DATABASE)))
    return ExitCode.DONE


def _show(found: "Trend") -> None:
    from soxsdark.trend_page import HEADINGS, LEGEND, table_rows

    rows = list(table_rows(found))
    align = ("left", "left", "right", "left", *("right" for _ in found.metrics))
    click.echo(table(rows, (*HEADINGS, *found.metrics), align))
    if any(cell.endswith(("!", "*")) for row in rows for cell in row):
        click.echo(f"\n{LEGEND}")


def _png(found: "Trend") -> bytes:
    from soxsdark.report.trends import draw_trends

    return draw_trends(found.series()).png()


def _page(found: "Trend") -> bytes:
    from soxsdark.trend_page import page

    return page(found)


def _write(path: Path, content: bytes, overwrite: bool) -> None:
    from soxsdark.publish import publish_changed

    publish_changed(path.parent, {path.name: content}, overwrite=overwrite)
