"""soxsdark simulate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from soxsdark.commands.common import ANY_PATH, example
from soxsdark.errors import ExitCode
from soxsdark.termination import Termination
from soxsdark.text import printable


def _shape(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    rows, _, columns = value.lower().partition("x")
    if not (rows.isdigit() and columns.isdigit()):
        raise click.BadParameter(f"{value!r} is not ROWSxCOLUMNS, such as 512x256")
    return int(rows), int(columns)


class SceneCommand(click.Command):
    """A command with one option a field of Scene, which is looked at when the command is used."""

    complete = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters, those of the scene included."""
        if not self.complete:
            self.params.extend(_scene_options())
            self.complete = True
        return super().get_params(ctx)


def _scene_options() -> Iterator[click.Option]:
    """One option a field of Scene; their texts stand there."""
    from dataclasses import fields
    from typing import get_args, get_type_hints

    from soxsdark.scene import Scene

    hints = get_type_hints(Scene)
    for option in fields(Scene):
        name = f"--{option.name.replace('_', '-')}"
        kind = next((t for t in get_args(hints[option.name]) if t is not type(None)), None)
        kind = kind or hints[option.name]
        extra = {"help": option.metadata["help"], "default": option.default}
        if option.name == "shape":
            extra |= {"callback": _shape, "metavar": "ROWSxCOLUMNS"}
        elif kind is bool:
            name = f"{name}/--no-{option.name.replace('_', '-')}"
        else:
            extra |= {"type": kind}
        extra["show_default"] = option.default is not None
        yield click.Option([name, option.name], **extra)


@click.command(
    cls=SceneCommand, **example("soxsdark simulate night --arm VIS --frames 11 --seed 7")
)
@click.argument("directory", type=ANY_PATH, metavar="DIR")
@click.option("-x", "--overwrite", is_flag=True, help="Replace files that exist.")
@click.pass_obj
def simulate(stop: Termination, /, directory: Path, overwrite: bool, **options: Any) -> int:
    """Write a set of raw darks whose truth is known.

    They are as the instrument would write them, with a SOF, a bad-pixel map, and the truth about
    them in a file of its own. Options without a default take the arm's own value.
    """
    from soxsdark.scene import Scene
    from soxsdark.simulator import simulate as write

    made = write(directory, Scene(**options), progress=lambda *_: stop.check(), overwrite=overwrite)
    for path in (made.sof, made.bad_pixel_map, made.truth, made.profile):
        if path is not None:
            click.echo(printable(str(path)))
    return ExitCode.DONE
