"""soxsdark subtract."""

import sys
from pathlib import Path
from typing import Any

import click

from soxsdark.commands.common import ANY_PATH, OUTPUT, example, progress_of
from soxsdark.commands.offers import profiles
from soxsdark.errors import ExitCode
from soxsdark.termination import Termination


@click.command(**example("soxsdark subtract science.fits --dark darks_MDARK.fits -o products"))
@click.argument("frames", nargs=-1, required=True, type=ANY_PATH, metavar="FRAME...")
@click.option(
    "--dark", required=True, type=ANY_PATH, metavar="FITS", help="Master dark, made by mdark."
)
@click.option("-o", "--output", type=ANY_PATH, default=".", help=OUTPUT)
@click.option("-x", "--overwrite", is_flag=True, help="Replace products that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good.")
@click.option(
    "--scale", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Scale the dark to the exposure time of the frame where it differs by more than the "
    "tolerance, wherever it differs, or never.",
)  # fmt: skip
@click.option(
    "--master-bias", type=ANY_PATH, metavar="FITS", help="Master bias, for frames with a pedestal."
)
@click.option(
    "--instrument", metavar="NAME|YAML", shell_complete=profiles,
    help="Instrument profile, if not the dark's.",
)  # fmt: skip
@click.pass_obj
def subtract(stop: Termination, /, frames: tuple[Path, ...], quiet: bool, **options: Any) -> int:
    """Subtract a master dark from raw frames.

    Products: NAME_DSUB.fits (FLUX in electron, QUAL, ERRS) and NAME_DSUB.json of each frame, and
    one log, NAME_DSUB.log after the first.
    """
    from soxsdark import screen
    from soxsdark.subtract import subtract_files

    with progress_of(stop, quiet) as progress:
        results = subtract_files(
            frames, command=["soxsdark", *sys.argv[1:]], progress=progress, **options
        )
    for line in () if quiet else screen.subtracted(results):
        click.echo(line)
    return ExitCode.DONE
