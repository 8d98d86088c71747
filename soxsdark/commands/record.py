"""soxsdark record."""

import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soxsdark.commands.common import ANY_PATH, OUTPUT, example, progress_of, say
from soxsdark.errors import ExitCode
from soxsdark.termination import Termination
from soxsdark.text import printable

if TYPE_CHECKING:
    from soxsdark.record_rerun import Rerun


@click.group(**example("soxsdark record show products/darks.json"))
def record() -> None:
    """Look into the record of a run, or repeat the run from it."""


@record.command(**example("soxsdark record schema > record.schema.json"))
def schema() -> int:
    """Print the JSON Schema of records."""
    text = resources.files("soxsdark").joinpath("record.schema.json").read_text("utf-8")
    click.echo(text, nl=False)
    return ExitCode.DONE


@record.command(**example("soxsdark record show products/darks.json"))
@click.argument("file", type=ANY_PATH)
def show(file: Path) -> int:
    """Print a record for people, and check its products.

    They lie beside it, and are checked to be still those of the run. The exit code is 4 if one is
    missing, has changed, or is of another run.
    """
    from soxsdark.record_check import states
    from soxsdark.record_file import read_record
    from soxsdark.record_text import record_text

    found = read_record(file)
    products = states(file.parent, getattr(found, "products", ()), found.run_id)
    click.echo(record_text(found, products))
    broken = [state for state in products if not state.holds]
    for state in broken:
        say(f"{file.parent / state.product.name}: {state.text}")
    return ExitCode.WRONG_INPUTS if broken else ExitCode.DONE


@record.command(**example("soxsdark record rerun products/darks.json -o again"))
@click.argument("file", type=ANY_PATH)
@click.option("-o", "--output", type=ANY_PATH, default=".", help=OUTPUT)
@click.option("-x", "--overwrite", is_flag=True, help="Replace products that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all pixels are the same.")
@click.pass_obj
def rerun(stop: Termination, /, file: Path, output: Path, overwrite: bool, quiet: bool) -> int:
    """Repeat a run from its record, and compare the pixels.

    Inputs are read where they lay, if they have not changed. The exit code is 4 if a single pixel
    differs.
    """
    from soxsdark.record_rerun import rerun as repeat

    with progress_of(stop, quiet) as progress:
        result = repeat(
            file,
            output=output,
            overwrite=overwrite,
            command=["soxsdark", *sys.argv[1:]],
            progress=progress,
        )
    for line in () if quiet else (*_compared(result), *map(str, result.files)):
        click.echo(printable(line))
    for product in result.products:
        if not product.identical:
            say(f"{output / product.name}: pixels differ from those of {file}")
    return ExitCode.DONE if result.identical else ExitCode.WRONG_INPUTS


def _compared(result: "Rerun") -> list[str]:
    """Say of each product what is the same, then what else is not as it was."""
    lines = []
    for product in result.products:
        same, differing = ", ".join(product.same), ", ".join(product.differing)
        if product.identical:
            lines.append(f"{product.name}: bit-identical ({same})")
        else:
            lines.append(f"{product.name}: {differing} differ; the same: {same or 'none'}")
    return [*lines, *(f"not as it was: {line}" for line in result.differences)]
