"""Every command of the command line."""

from collections.abc import Iterator

import click

from soxsdark.cli import cli


def every_command(command: click.Command = cli, *words: str) -> Iterator[list[str]]:
    yield list(words)
    if isinstance(command, click.Group):
        with click.Context(command) as here:
            for name in command.list_commands(here):
                yield from every_command(command.get_command(here, name), *words, name)


COMMANDS = list(every_command())
