"""What all commands share: their options' types, the screen's edge, progress, SIGTERM."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

import click

from soxsdark.commands.offers import profiles, settings_keys
from soxsdark.lasting import lasting
from soxsdark.termination import Termination
from soxsdark.text import printable

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
ANY_PATH = click.Path(path_type=Path)


OUTPUT = "Folder of the products; else the current one."
SETTINGS = "Settings file (YAML); else the defaults hold."
BAD_PIXELS = "Map of the known bad pixels; 0 is good."
MASTER_BIAS = "Master bias, subtracted from the mean; made by mbias."
PICTURES = "Put the pictures of the page there, as PNG."
"""What options that several commands have say of themselves."""

override_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", shell_complete=settings_keys,
    help="Set one setting, above the file; repeatable.",
)  # fmt: skip
instrument_option = click.option(
    "--instrument", metavar="NAME|YAML", shell_complete=profiles,
    help="Instrument profile; else recognised by INSTRUME.",
)  # fmt: skip


class Help(TypedDict):
    """Keywords of a command."""

    epilog: str
    context_settings: dict[str, Any]


def example(text: str) -> Help:
    """Keywords of a command whose help ends with an example."""
    return {"epilog": f"\b\nExample:\n  {text}", "context_settings": CONTEXT}


def say(line: str) -> None:
    """Put one line on stderr."""
    click.echo(f"soxsdark: {printable(line)}", err=True)


@contextmanager
def progress_of(stop: Termination, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """What a run calls at every step: asks for a signal, and shows a bar unless told not to."""
    from soxsdark.screen import Progress

    bar = Progress()

    def progress(stage: str, done: int, total: int) -> None:
        stop.check()
        if not quiet:
            bar(stage, done, total)

    try:
        yield progress
    finally:
        bar.close()


def reduction(module: str) -> ModuleType:
    """Import a module that reduces frames."""
    # nothing here multiplies matrices: the threads that numpy starts for it would only take time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return lasting(f"soxsdark.{module}")
