"""Write the manual page, soxsdark.1, from the commands: python docs/man_page.py."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from reference import sentences

from soxsdark.cli import cli
from soxsdark.commands.common import CONTEXT
from soxsdark.errors import ExitCode
from soxsdark.version import __version__

PAGE = Path(__file__).with_name("soxsdark.1")
VARIABLES = {
    "SOXSDARK_KERNEL": "Set to numpy: compute without the compiled kernel; the results are equal.",
}
DESCRIPTION = """\
Hot pixels are found and keep their measured values, noisy ones are found, cosmic rays are thrown
out, and every pixel gets an error. Raw frames are those of SOXS at the NTT, or of any FITS camera.

Results go to standard output, errors to standard error, one line each. Nothing is overwritten
without -x, and a run that fails leaves no products."""


def escaped(text: str) -> str:
    """Return text as roff reads it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def paragraphs(text: str) -> str:
    """Return paragraphs, which blank lines part."""
    parts = (" ".join(part.replace("\b", "").split()) for part in text.split("\n\n"))
    return "".join(f".PP\n{escaped(part)}\n" for part in parts)


def entries(rows: list[tuple[str, str]]) -> str:
    """Return terms, each with its explanation below."""
    return "".join(f".TP\n.B {escaped(term)}\n{escaped(text)}\n" for term, text in rows)


def commands(command: click.Command, above: click.Context) -> Iterator[str]:
    """Return the section of a command and of those within it."""
    with click.Context(command, above, command.name, **CONTEXT) as here:
        usage = " ".join(command.collect_usage_pieces(here))
        yield f".SS {escaped(here.command_path)} {escaped(usage)}\n{paragraphs(command.help or '')}"
        records = (option.get_help_record(here) for option in command.params)
        yield entries([record for record in records if record and record[1]])
        example = re.search(r"Example:\n\s*(.*)", command.epilog or "", re.DOTALL)
        yield f".PP\nExample:\n.PP\n.RS\n.EX\n{escaped(example[1])}\n.EE\n.RE\n"
        if isinstance(command, click.Group):
            for name in command.list_commands(here):
                yield from commands(command.get_command(here, name), here)


def page() -> str:
    """Return the whole page."""
    with click.Context(cli, None, "soxsdark", **CONTEXT) as top:
        every = [cli.get_command(top, name) for name in cli.list_commands(top)]
        said = "".join(part for command in every for part in commands(command, top))
    summary, said_of = cli.help.rstrip("."), sentences(ExitCode)
    sections = {
        "NAME": f"soxsdark \\- {summary[0].lower()}{summary[1:]}\n",
        "SYNOPSIS": ".B soxsdark\n.I command\n[options] [arguments]\n",
        "DESCRIPTION": paragraphs(DESCRIPTION),
        "COMMANDS": said,
        "EXIT STATUS": entries([(str(int(c)), said_of[c.name]) for c in sorted(ExitCode)]),
        "ENVIRONMENT": entries(list(VARIABLES.items())),
    }
    head = f'.TH SOXSDARK 1 "" "soxsdark {__version__}" "User Commands"\n'
    return head + "".join(f".SH {title}\n{text}" for title, text in sections.items())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
