"""soxsdark tune, soxsdark explain."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from soxsdark.commands.common import (
    ANY_PATH,
    BAD_PIXELS,
    MASTER_BIAS,
    SETTINGS,
    example,
    override_option,
    progress_of,
    reduction,
    say,
)
from soxsdark.commands.offers import sweep_keys
from soxsdark.errors import ExitCode
from soxsdark.termination import Termination
from soxsdark.text import printable

FORMATS = ("table", "csv", "json", "markdown")
PIXEL_HELP = "counted from 1 as FITS and its viewers do, column first"


class Pair(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on only
    """Two whole numbers with a comma between."""

    name = "pair"

    def __init__(self, letters: str) -> None:
        self.letters = letters

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read the text."""
        first, _, second = str(value).partition(",")
        if not (first.strip().isdecimal() and second.strip().isdecimal()):
            self.fail(f"{value!r} is not {self.letters}, two whole numbers", param, ctx)
        return int(first), int(second)


@click.command(
    **example(
        "soxsdark tune darks.sof --sweep stacked-clipping-sigma=3:5:0.5 "
        "--sweep hot-pixel-sigma=4,5,6 -o tuning"
    )
)
@click.argument("inputs", nargs=-1, required=True, type=ANY_PATH, metavar="SOF|FOLDER|FITS...")
@click.option(
    "--sweep", "sweeps", multiple=True, metavar="KEY=START:STOP:STEP|KEY=V1,V2,...",
    shell_complete=sweep_keys,
    help="A setting and the values it takes, both ends of a range included; repeatable.",
)  # fmt: skip
@click.option(
    "--random", type=click.IntRange(min=1), metavar="N", help="Try N of the combinations only."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Another one draws other combinations."
)
@click.option("-s", "--settings", type=ANY_PATH, help=SETTINGS)
@override_option
@click.option(
    "-o",
    "--output",
    type=ANY_PATH,
    default=".",
    help="Folder of tune.csv and tune.html; else the current one.",
)
@click.option("-x", "--overwrite", is_flag=True, help="Start anew, replace files of other sweeps.")
@click.option(
    "--format", "style", type=click.Choice(FORMATS), default="table", show_default=True,
    help="Of the table on the screen.",
)  # fmt: skip
@click.option(
    "--compare", type=Pair("A,B"), metavar="A,B",
    help="Rows whose masks the page compares; 0 (current settings) and the last by default.",
)  # fmt: skip
@click.option(
    "--pixel", type=Pair("X,Y"), metavar="X,Y",
    help=f"Explain a pixel of the products, {PIXEL_HELP}. Without --sweep nothing else is done.",
)  # fmt: skip
@click.option(
    "--apply", "applied", metavar="ROW|min:COLUMN|max:COLUMN",
    help="Write a copy of the settings file with the values of that row, under the frames' arm.",
)  # fmt: skip
@click.option("--bad-pixel-map", type=ANY_PATH, metavar="FITS", help=BAD_PIXELS)
@click.option("--master-bias", type=ANY_PATH, metavar="FITS", help=MASTER_BIAS)
@click.pass_obj
def tune(
    stop: Termination,
    /,
    inputs: tuple[Path, ...],
    sweeps: tuple[str, ...],
    style: str,
    pixel: tuple[int, int] | None,
    applied: str | None,
    **options: Any,
) -> int:
    """Show what other settings would make of a set of raw darks.

    The frames are read once and reduced with every combination of the swept values. DIR/tune.csv
    has a line for each, DIR/tune.html the curves, and what two of them would flag. The same
    command again goes on where the last one was stopped.
    """
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    if not sweeps:
        if not pixel or applied:
            raise click.UsageError("give --sweep, or --pixel")
        return _explain(stop, given, *pixel, **_for_pixel(options))
    run = reduction("tune").tune
    try:
        with progress_of(stop, quiet=False) as progress:
            found = run(given, sweeps, pixel=pixel, progress=progress, **options)
    except KeyboardInterrupt:
        say("what is done is in tune.csv; the same command goes on from there")
        raise
    from soxsdark.explain_text import explanation_text
    from soxsdark.tune_text import FORMATS as WRITERS

    click.echo(WRITERS[style](found), nl=False)
    if style == "table":
        click.echo(printable(f"\n{found.csv}\n{found.page}"))
    if found.explanation:
        click.echo(f"\n{explanation_text(found.explanation)}", nl=False)
    if applied:
        from soxsdark.tune_apply import apply, chosen_row

        place = {"output": options["output"], "overwrite": options["overwrite"]}
        copy = apply(found, chosen_row(found, applied), **place)
        click.echo(printable(str(copy)), err=style != "table")
    return ExitCode.DONE


def _for_pixel(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of tune that explain has too."""
    names = ("settings", "overrides", "bad_pixel_map", "master_bias")
    return {name: options[name] for name in names}


@click.command(**example("soxsdark explain darks.sof 1021 512"))
@click.argument("sof", type=ANY_PATH, metavar="SOF|FOLDER")
@click.argument("x", type=int)
@click.argument("y", type=int)
@click.option("-s", "--settings", type=ANY_PATH, help=SETTINGS)
@override_option
@click.option("-o", "--output", type=ANY_PATH, help="Folder for a plot, pixel_X_Y.png.")
@click.option("-x", "--overwrite", is_flag=True, help="Replace a plot that exists.")
@click.option("--bad-pixel-map", type=ANY_PATH, metavar="FITS", help=BAD_PIXELS)
@click.option("--master-bias", type=ANY_PATH, metavar="FITS", help=MASTER_BIAS)
@click.pass_obj
def explain(stop: Termination, /, sof: Path, x: int, y: int, **options: Any) -> int:
    """Tell everything that happened to one pixel of the products.

    X and Y are counted from 1, as FITS and its viewers do, column first. Told are its value in
    each frame, the clipping round by round, its noise, and the numbers behind each flag.
    """
    return _explain(stop, sof, x, y, **options)


def _explain(
    stop: Termination,
    inputs: Path | Sequence[Path],
    x: int,
    y: int,
    output: Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> int:
    from soxsdark.explain_text import explanation_text
    from soxsdark.tune import explain_pixel

    with progress_of(stop, quiet=False) as progress:
        told = explain_pixel(inputs, x, y, progress=progress, **options)
    click.echo(explanation_text(told), nl=False)
    if output is not None:
        from soxsdark.explain_chart import write_plot

        click.echo(printable(f"\n{write_plot(told, output, overwrite=overwrite)}"))
    return ExitCode.DONE
