"""soxsdark mdark, soxsdark mbias."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soxsdark.commands.common import (
    ANY_PATH,
    BAD_PIXELS,
    MASTER_BIAS,
    OUTPUT,
    PICTURES,
    SETTINGS,
    example,
    instrument_option,
    override_option,
    progress_of,
    reduction,
    say,
)
from soxsdark.termination import Termination
from soxsdark.text import printable

if TYPE_CHECKING:
    from soxsdark.recipe import Result

RECIPE_OPTIONS = (
    click.argument(
        "inputs", nargs=-1, required=True, type=ANY_PATH, metavar="SOF|YAML|FOLDER|FITS..."
    ),
    click.option("-s", "--settings", type=ANY_PATH, help=SETTINGS),
    click.option("-o", "--output", type=ANY_PATH, default=".", help=OUTPUT),
    click.option("-x", "--overwrite", is_flag=True, help="Replace products that exist."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good."),
    click.option(
        "-V", "--verbose", is_flag=True, help="Print remarks, warnings and stage times too."
    ),
    override_option,
    click.option("--bad-pixel-map", type=ANY_PATH, metavar="FITS", help=BAD_PIXELS),
    instrument_option,
    click.option(
        "--report", is_flag=True, help="Make a page too, NAME.html: verdict, tables, pictures."
    ),
    click.option("--plots", type=ANY_PATH, metavar="DIR", help=PICTURES),
)


def _recipe_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options that all recipes have."""
    for option in reversed(RECIPE_OPTIONS):
        command = option(command)
    return command


@click.command(**example("soxsdark mdark darks.sof -o products --set stacked-clipping-sigma=5"))
@_recipe_options
@click.option("--master-bias", type=ANY_PATH, metavar="FITS", help=MASTER_BIAS)
@click.option(
    "--previous",
    type=ANY_PATH,
    metavar="FITS",
    help="An earlier master dark: what has changed since.",
)
@click.pass_obj
def mdark(stop: Termination, /, **options: Any) -> int:
    """Make a master dark and a mask from a set of raw darks.

    The set is a set-of-files (one path a line, then its tag), numina's observing blocks (.yaml), a
    folder, or FITS files. Products: NAME_MDARK.fits, NAME_BPM.fits, NAME.json and NAME.log, after
    the name of the set.
    """
    return _run("mdark", stop, **options)


@click.command(**example("soxsdark mbias biases.sof -o products"))
@_recipe_options
@click.pass_obj
def mbias(stop: Termination, /, **options: Any) -> int:
    """Make a master bias from a set of raw biases.

    They are stacked as mdark stacks darks. Products: NAME_MBIAS.fits, NAME_MBIAS.json and
    NAME_MBIAS.log, after the name of the set.
    """
    return _run("mbias", stop, **options)


def _run(
    name: str,
    stop: Termination,
    inputs: tuple[Path, ...],
    settings: Path | None,
    output: Path,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
    overrides: tuple[str, ...],
    **options: Any,
) -> int:
    """Run a recipe; return the exit code."""
    if quiet and verbose:
        raise click.UsageError("-q and -V exclude each other")
    recipe = reduction("recipe")
    with progress_of(stop, quiet) as progress:
        result = getattr(recipe, name)(
            inputs[0] if len(inputs) == 1 else list(inputs),
            settings,
            output=output,
            overwrite=overwrite,
            overrides=overrides,
            command=["soxsdark", *sys.argv[1:]],
            progress=progress,
            **options,
        )
    if quiet:
        for metric in result.reduced.judged.concerns:
            say(f"{result.master}: {metric.concern}")
        return result.qa_flag.exit_code
    _show(result, verbose)
    return result.qa_flag.exit_code


def _show(result: "Result", verbose: bool) -> None:
    from soxsdark import screen

    click.echo(f"{screen.frames_table(result)}\n\n{screen.results_table(result)}\n")
    remarks = screen.remarks(result)
    for line in remarks:
        if verbose or line.startswith("warning"):
            click.echo(line)
    if verbose:
        for stage, seconds in result.record["seconds"].items():
            click.echo(f"{stage}: {seconds:.2f} s")
    for path in result.products:
        click.echo(printable(str(path)))
