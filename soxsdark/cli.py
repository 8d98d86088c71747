"""The command line: which commands there are, and the program's edge."""

import signal
from collections.abc import Sequence
from importlib import import_module

import click

from soxsdark.commands.common import example, say
from soxsdark.errors import ExitCode, SoxsdarkError, bug_line, shortages
from soxsdark.standard_streams import open_closed_streams
from soxsdark.termination import Termination, unwrapped
from soxsdark.version import __version__

COMMANDS = {
    "mdark": "recipes",
    "mbias": "recipes",
    "subtract": "subtract",
    "night": "night",
    "sof": "sof",
    "trend": "trend",
    "tune": "tune",
    "explain": "tune",
    "report": "report",
    "simulate": "simulate",
    "record": "record",
    "instruments": "instruments",
    "settings": "settings",
    "completion": "completion",
}
"""Each command, and the module of `soxsdark.commands` that has it."""


class Commands(click.Group):
    """Commands whose modules are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        return getattr(import_module(f"soxsdark.commands.{COMMANDS[cmd_name]}"), cmd_name)


def _version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked:
        from soxsdark.compiled import path_in_use

        click.echo(f"soxsdark {__version__} ({path_in_use()})")
        context.exit()


@click.group(
    cls=Commands, **example("soxsdark simulate demo && soxsdark mdark demo/darks.sof -o demo")
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
    help="Show the version, and whether the compiled kernel is in use, and exit.",
)  # fmt: skip
def cli() -> None:
    """Reduce raw dark frames to a master dark and a bad-pixel mask."""
    from soxsdark.chatter import hush

    hush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    open_closed_streams()
    stop = Termination()
    signal.signal(signal.SIGTERM, stop)
    try:
        with shortages(), unwrapped():
            return int(cli.main(argv, prog_name="soxsdark", standalone_mode=False, obj=stop) or 0)
    except click.exceptions.Abort:
        say("interrupted")
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        say("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.WRONG_USAGE
    except SoxsdarkError as error:
        for line in error.lines:
            say(line)
        return error.exit_code
    except OSError as error:
        # everything but the screen is read and written under the name of its file
        if error.filename is not None:
            say(bug_line(error))
            return ExitCode.BUG
        say(f"cannot write to the screen ({error.strerror}); products may be complete")
        return ExitCode.PRODUCT_PROBLEM
    except SystemExit as error:
        if error.code == ExitCode.TERMINATED:
            say("terminated")
        return error.code if isinstance(error.code, int) else ExitCode.BUG
    except Exception as error:  # the one edge of the program: a bug, said in one line
        # a run that has left its log says where
        say("; ".join([bug_line(error), *getattr(error, "__notes__", ())]))
        return ExitCode.BUG
