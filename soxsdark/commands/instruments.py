"""soxsdark instruments."""

import click

from soxsdark.commands.common import example
from soxsdark.commands.offers import profiles
from soxsdark.errors import ExitCode


@click.command(**example("soxsdark instruments soxs > mine.yaml"))
@click.argument("profile", required=False, metavar="[NAME|YAML]", shell_complete=profiles)
def instruments(profile: str | None) -> int:
    """List the instrument profiles, or print one in full.

    One of your own is checked, and printed as YAML with every field filled in.
    """
    from soxsdark.instruments import load_profile
    from soxsdark.instruments.listing import profile_rows, profile_text

    if profile is not None:
        click.echo(profile_text(load_profile(profile)), nl=False)
        return ExitCode.DONE
    from tabulate import tabulate

    click.echo(tabulate(profile_rows(), headers=("name", "arms", "INSTRUME")))
    return ExitCode.DONE
