"""soxsdark settings."""

from pathlib import Path

import click

from soxsdark.commands.common import ANY_PATH, SETTINGS, example, override_option
from soxsdark.errors import ExitCode
from soxsdark.text import printable

ARMS = ("vis", "nir", "uvb")
FORMATS = ("table", "json", "yaml", "csv", "markdown")


@click.group(**example("soxsdark settings init"))
def settings() -> None:
    """Write, show and check settings files."""


@settings.command(**example("soxsdark settings init my_settings.yaml"))
@click.argument("file", type=ANY_PATH, default="settings.yaml")
@click.option("-x", "--overwrite", is_flag=True, help="Replace the files if they exist.")
def init(file: Path, overwrite: bool) -> int:
    """Write a settings file of all defaults, documented.

    Its schema, for editors, is written beside it.
    """
    from soxsdark.settings import default_settings_text
    from soxsdark.settings_schema import settings_schema_text
    from soxsdark.settings_text import SCHEMA_NAME

    texts = {file.name: default_settings_text(), SCHEMA_NAME: settings_schema_text()}
    if _holds(file.with_name(SCHEMA_NAME), texts[SCHEMA_NAME]):
        del texts[SCHEMA_NAME]
    _publish(file.parent, texts, overwrite)
    return ExitCode.DONE


@settings.command(**example("soxsdark settings show -s my_settings.yaml --arm nir --diff"))
@click.option("-s", "--settings", "file", type=ANY_PATH, help=SETTINGS)
@click.option(
    "--arm", type=click.Choice(ARMS, case_sensitive=False), help="With the section of this arm."
)
@override_option
@click.option(
    "--frame", type=ANY_PATH, metavar="FITS",
    help="A raw frame: its arm, and what is taken from its header or profile.",
)  # fmt: skip
@click.option("--diff", is_flag=True, help="Only what differs from the defaults.")
@click.option(
    "--format", "style", type=click.Choice(FORMATS), default="table", show_default=True,
    help="The table is for people, the others say what is allowed too.",
)  # fmt: skip
def show(
    file: Path | None,
    arm: str | None,
    overrides: tuple[str, ...],
    frame: Path | None,
    diff: bool,
    style: str,
) -> int:
    """Show every setting as it holds: value, unit, origin and meaning."""
    from soxsdark import settings_table
    from soxsdark.settings import Settings

    if arm and frame:
        raise click.UsageError("--frame says which arm it is; leave out --arm")
    read = Settings.read(file, overrides)
    if frame:
        from soxsdark.settings_frame import of_frame

        table = settings_table.rows(*of_frame(read, frame))
    else:
        table = settings_table.rows(read.for_arm(arm))
    if diff:
        table = settings_table.changed(table)
    click.echo(printable(settings_table.FORMATS[style](table)), nl=False)
    return ExitCode.DONE


@settings.command(**example("soxsdark settings check my_settings.yaml"))
@click.argument("file", type=ANY_PATH, default="settings.yaml")
def check(file: Path) -> int:
    """Check a settings file: all faults at once, then what is doubtful.

    Each stands on one line, behind file and line. Exit code 3 if there is a fault.
    """
    from soxsdark.settings_check import check_settings

    found = check_settings(file)
    for line in found.faults:
        click.echo(printable(line))
    for line in found.warnings:
        click.echo(printable(f"warning: {line}"))
    if found.faults:
        return ExitCode.WRONG_SETTINGS
    number = len(found.warnings)
    doubtful = f", {number} warning{'s' if number > 1 else ''}" if number else ""
    click.echo(printable(f"{file}: no faults{doubtful}"))
    return ExitCode.DONE


@settings.command(**example("soxsdark settings schema -o soxsdark-settings.schema.json"))
@click.option(
    "-o", "--output", type=ANY_PATH, metavar="FILE", help="Write it there; else to the screen."
)
@click.option("-x", "--overwrite", is_flag=True, help="Replace the file if it exists.")
def schema(output: Path | None, overwrite: bool) -> int:
    """Print the JSON Schema of settings files, for editors.

    They complete and check such a file with it.
    """
    from soxsdark.settings_schema import settings_schema_text

    if output is None:
        click.echo(settings_schema_text(), nl=False)
    else:
        _publish(output.parent, {output.name: settings_schema_text()}, overwrite)
    return ExitCode.DONE


@settings.command(**example("soxsdark settings migrate old_settings.yaml --dry-run"))
@click.argument("file", type=ANY_PATH)
@click.option("--dry-run", is_flag=True, help="Print the changes, write nothing.")
def migrate(file: Path, dry_run: bool) -> int:
    """Bring a settings file of soxspipe to the names of today.

    Everything else in it stays as it is. The old file is kept as FILE.bak.
    """
    from soxsdark.settings_migrate import migrated, replace_file

    new = migrated(file)
    if not new.edits:
        click.echo(printable(f"{file}: nothing to change"))
    elif dry_run:
        click.echo(printable(new.difference), nl=False)
    else:
        backup = replace_file(file, new.text)
        for line in new.notes:
            click.echo(printable(line))
        click.echo(printable(f"{file}\n{backup}"))
    return ExitCode.DONE


def _holds(path: Path, text: str) -> bool:
    """Tell whether a file is there with this text."""
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _publish(folder: Path, texts: dict[str, str], overwrite: bool) -> None:
    """Write texts as files of a folder, and name them."""
    from soxsdark.publish import publish_files

    contents = {name: text.encode("utf-8") for name, text in texts.items()}
    publish_files(folder, contents, overwrite=overwrite)
    for name in texts:
        click.echo(printable(str(folder / name)))
