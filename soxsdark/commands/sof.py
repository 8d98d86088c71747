"""soxsdark sof."""

from pathlib import Path

import click

from soxsdark.commands.common import (
    ANY_PATH,
    SETTINGS,
    example,
    instrument_option,
    override_option,
    say,
)
from soxsdark.errors import ExitCode, InputError
from soxsdark.text import printable


@click.command(**example("soxsdark sof /data/raw/2026-01-10 -o sofs"))
@click.argument("folder", type=ANY_PATH, metavar="DIR")
@click.option(
    "-o", "--output", type=ANY_PATH, default=".", help="Folder of the SOFs; else the current one."
)
@click.option("-x", "--overwrite", is_flag=True, help="Replace SOFs that exist.")
@click.option("-s", "--settings", type=ANY_PATH, help=SETTINGS)
@override_option
@instrument_option
def sof(
    folder: Path,
    output: Path,
    overwrite: bool,
    settings: Path | None,
    overrides: tuple[str, ...],
    instrument: str | None,
) -> int:
    """Write a set-of-files for each set of darks below a folder.

    Frames are found by their headers, at any depth; soxspipe reads the files as well.
    """
    from soxsdark import screen
    from soxsdark.find_sets import find_sets
    from soxsdark.publish import publish_changed
    from soxsdark.settings import Settings
    from soxsdark.sof import sof_content

    found = find_sets(folder, Settings.read(settings, overrides, instrument))
    for problem in found.frames.problems:
        say(problem.reason)
    if not found.sets:
        raise InputError(f"{folder}: no raw darks below it; expected the folder of the raw frames")
    contents = {f"{one.name}.sof": sof_content(one.frames) for one in found.sets}
    publish_changed(output, contents, overwrite=overwrite)
    click.echo(f"{screen.found_sets_table(found.sets)}\n")
    for name in contents:
        click.echo(printable(str(output / name)))
    return ExitCode.WRONG_INPUTS if found.frames.problems else ExitCode.DONE
