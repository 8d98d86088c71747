"""soxsdark report."""

from pathlib import Path

import click

from soxsdark.commands.common import ANY_PATH, PICTURES, example, say
from soxsdark.errors import ExitCode
from soxsdark.text import printable


@click.command(**example("soxsdark report products/darks.json --plots pictures"))
@click.argument("record", type=ANY_PATH, metavar="RECORD.json")
@click.option(
    "-o",
    "--output",
    type=ANY_PATH,
    metavar="HTML",
    help="The page; else NAME.html beside the record.",
)
@click.option("--plots", type=ANY_PATH, metavar="DIR", help=PICTURES)
@click.option("-x", "--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good.")
def report(
    record: Path, output: Path | None, plots: Path | None, overwrite: bool, quiet: bool
) -> int:
    """Make the page of a finished run.

    It is that of mdark --report, made from the record and the products, which lie beside the
    record. One that has changed since the run is named on the page, and the exit code is 11.
    """
    from soxsdark.report.finished import report_run

    made = report_run(record, output, plots=plots, overwrite=overwrite)
    for doubt in made.doubts:
        say(doubt)
    for path in () if quiet else (made.page, *made.pictures):
        click.echo(printable(str(path)))
    return ExitCode.DONE_PARTIAL if made.doubts else ExitCode.DONE
