"""soxsdark settings."""

from pathlib import Path

import click

from soxsdark.commands.common import ANY_PATH, example
from soxsdark.errors import ExitCode


@click.group(**example("soxsdark settings init"))
def settings() -> None:
    """Work on settings files."""


@settings.command(**example("soxsdark settings init my_settings.yaml"))
@click.argument("file", type=ANY_PATH, default="settings.yaml")
@click.option("-x", "--overwrite", is_flag=True, help="Replace the file if it exists.")
def init(file: Path, overwrite: bool) -> int:
    """Write the documented default settings file."""
    from soxsdark.publish import Workspace
    from soxsdark.settings import default_settings_text

    with Workspace(file.parent) as work:
        work.check_free([file.name], overwrite)
        work.path(file.name).write_text(default_settings_text(), encoding="utf-8")
        work.publish([file.name], overwrite=overwrite)
    click.echo(file)
    return ExitCode.DONE
