"""soxsdark night."""

import sys
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soxsdark.commands.common import (
    ANY_PATH,
    OUTPUT,
    SETTINGS,
    example,
    instrument_option,
    override_option,
    progress_of,
    reduction,
    say,
)
from soxsdark.termination import Termination

if TYPE_CHECKING:
    from soxsdark.night import NightReport


def _night(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> date | str | None:
    if value is None or value == "last":
        return value
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither 'last' nor a date, 2026-01-10") from error


@click.command(
    **example("soxsdark night /data/raw --night last -o /data/products -s settings.yaml --quiet")
)
@click.argument("raw", type=ANY_PATH, metavar="RAWDIR")
@click.option(
    "--night", callback=_night, metavar="last|DATE",
    help="Only one night: that which begins on the evening of DATE (2026-01-10), or the latest "
    "that has ended (last). A night is from noon to noon at the site.",
)  # fmt: skip
@click.option("-o", "--output", type=ANY_PATH, default=".", help=OUTPUT)
@click.option("-s", "--settings", type=ANY_PATH, help=SETTINGS)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good.")
@click.option("--dry-run", is_flag=True, help="Show the sets and what would be done.")
@click.option("--redo", is_flag=True, help="Reduce sets that are up to date, too.")
@click.option(
    "--report/--no-report", default=True, help="Make a page of every set that has none, or none."
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), default=1, metavar="N",
    help="Reduce so many sets at a time, in processes.",
)  # fmt: skip
@click.option(
    "--scheduler", metavar="ADDRESS", help="Let a Dask cluster reduce them: tcp://host:8786."
)
@click.option("--allow-empty", is_flag=True, help="A night without darks is fine.")
@click.option(
    "--watch", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
    help="Look again every so many seconds, until stopped.",
)  # fmt: skip
@override_option
@instrument_option
@click.pass_obj
def night(
    stop: Termination,
    /,
    raw: Path,
    night: Any,
    output: Path,
    settings: Path | None,
    quiet: bool,
    watch: float | None,
    workers: int,
    scheduler: str | None,
    overrides: tuple[str, ...],
    instrument: str | None,
    **options: Any,
) -> int:
    """Reduce all darks below a folder, set by set, night by night.

    Sets are found by the headers of the frames; those that are up to date are left alone. Products
    go to OUTPUT/NIGHT/, with a page, index.html, over the sets, and one over the nights beside.
    """
    if watch and (options["dry_run"] or options["redo"]):
        raise click.UsageError("--watch goes with neither --dry-run nor --redo")
    if scheduler and workers > 1:
        raise click.UsageError("--workers does not go with --scheduler, whose cluster has its own")
    module = reduction("night")
    from soxsdark.settings import Settings

    run = module.NightRun(
        raw, output, Settings.read(settings, overrides, instrument), night,
        settle=watch or 0.0, command=("soxsdark", *sys.argv[1:]),
        **options | {"allow_empty": options["allow_empty"] or bool(watch)},
    )  # fmt: skip
    told: set[object] = set()
    with run.alone(), _workers(workers, scheduler) as team, progress_of(stop, quiet) as progress:
        while True:
            report = run.once(progress, team)
            told = _tell(report, quiet, told)
            if not watch:
                return report.exit_code
            time.sleep(watch)


def _workers(count: int, scheduler: str | None) -> AbstractContextManager[Any]:
    """Who reduces the sets; None is this process."""
    if scheduler:
        from soxsdark.cluster import ClusterWorkers

        return ClusterWorkers.running(scheduler)
    if count > 1:
        from soxsdark.workers import LocalWorkers

        return LocalWorkers.running(count)
    return nullcontext()


def _tell(report: "NightReport", quiet: bool, told: set[Any]) -> set[Any]:
    """Show what was not so the last time, and return what is so now.

    Results go to stdout, and a line a problem to stderr.
    """
    from soxsdark import screen

    problems = screen.night_problems(report)
    for line in problems:
        if line not in told:
            say(line)
    now = {(r.name, r.frames, r.is_done, r.verdict): r for r in report.results}
    results = [result for key, result in now.items() if key not in told]
    if results and not quiet:
        click.echo(screen.sets_table(results))
        click.echo(f"\n{screen.night_summary(report)}")
    return {*problems, *now}
