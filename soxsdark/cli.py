"""The command line: thin, and the only part that touches the terminal."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from soxsdark.errors import ExitCode, SoxsdarkError
from soxsdark.text import printable
from soxsdark.version import __version__

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
ANY_PATH = click.Path(path_type=Path)


class Termination:
    """SIGTERM as an exception, and as a memory of it.

    Python drops an exception that is raised in a callback of the interpreter's own (a weak
    reference that goes, say); so long runs ask at every step whether one was.
    """

    def __init__(self) -> None:
        self.requested = False

    def __call__(self, signum, frame) -> None:
        """Handle the signal."""
        self.requested = True
        self.check()

    def check(self) -> None:
        """Stop the program if it was told to."""
        if self.requested:
            raise SystemExit(ExitCode.TERMINATED)


def _example(text: str):
    return {"epilog": f"\b\nExample:\n  {text}", "context_settings": CONTEXT}


def _version(context: click.Context, _option, asked: bool) -> None:
    if asked:
        from soxsdark.compiled import path_in_use

        click.echo(f"soxsdark {__version__} ({path_in_use()})")
        context.exit()


@click.group(**_example("soxsdark simulate demo && soxsdark mdark demo/darks.sof -o demo"))
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version,
    help="Show the version, and whether the compiled kernel is in use, and exit.",
)  # fmt: skip
def cli() -> None:
    """Reduce raw dark frames to a master dark and a bad-pixel mask."""


RECIPE_OPTIONS = (
    click.argument("inputs", nargs=-1, required=True, type=ANY_PATH, metavar="SOF|FOLDER|FITS..."),
    click.option("-s", "--settings", type=ANY_PATH, help="Settings file (YAML)."),
    click.option("-o", "--output", type=ANY_PATH, default=".", help="Folder of the products."),
    click.option("-x", "--overwrite", is_flag=True, help="Replace products that exist."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good."),
    click.option(
        "-V", "--verbose", is_flag=True, help="Print remarks, warnings and stage times too."
    ),
    click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one setting."),
    click.option(
        "--bad-pixel-map", type=ANY_PATH, metavar="FITS", help="Known bad pixels (not 0)."
    ),
    click.option("--instrument", metavar="NAME|YAML", help="Instrument profile."),
)


def _recipe_options(command):
    """Give a command the options that all recipes have."""
    for option in reversed(RECIPE_OPTIONS):
        command = option(command)
    return command


@cli.command(**_example("soxsdark mdark darks.sof -o products --set stacked-clipping-sigma=5"))
@_recipe_options
@click.option("--master-bias", type=ANY_PATH, metavar="FITS", help="Subtracted from the mean.")
@click.pass_obj
def mdark(stop, **options) -> int:
    """Make a master dark and a mask from a set of raw darks.

    The set is a set-of-files (one path a line, then its tag), a folder, or FITS files. Products:
    NAME_MDARK.fits, NAME_BPM.fits, NAME.json and NAME.log, after the name of the set.
    """
    return _run("mdark", stop, **options)


@cli.command(**_example("soxsdark mbias biases.sof -o products"))
@_recipe_options
@click.pass_obj
def mbias(stop, **options) -> int:
    """Make a master bias from a set of raw biases, the way mdark stacks darks.

    Products: NAME_MBIAS.fits, NAME_MBIAS.json and NAME_MBIAS.log, after the name of the set.
    """
    return _run("mbias", stop, **options)


def _run(name, stop, inputs, settings, output, overwrite, quiet, verbose, overrides, **options):
    """Run a recipe; return the exit code."""
    if quiet and verbose:
        raise click.UsageError("-q and -V exclude each other")
    recipe = _reduction()
    with _progress(stop, quiet) as progress:
        result = getattr(recipe, name)(
            inputs[0] if len(inputs) == 1 else list(inputs),
            settings,
            output=output,
            overwrite=overwrite,
            overrides=overrides,
            command=["soxsdark", *sys.argv[1:]],
            progress=progress,
            **options,
        )
    if quiet:
        for metric in result.reduced.judged.concerns:
            _say(f"{result.master}: {metric.why}")
        return result.qa_flag.exit_code
    _show(result, verbose)
    return result.qa_flag.exit_code


def _reduction():
    """Import what a reduction needs.

    What an import makes stays: to look for garbage in it takes a tenth of the time.
    """
    # nothing here multiplies matrices: the threads that numpy starts for it would only take time
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()
    try:
        from soxsdark import recipe
    finally:
        gc.enable()
    gc.freeze()
    return recipe


@contextmanager
def _progress(stop: Termination, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
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


def _show(result, verbose: bool) -> None:
    from soxsdark import screen

    click.echo(f"{screen.frames_table(result)}\n\n{screen.results_table(result)}\n")
    remarks = screen.remarks(result)
    for line in remarks:
        if verbose or line.startswith("warning"):
            click.echo(line)
    if verbose:
        for stage, seconds in result.record["seconds"].items():
            click.echo(f"{stage}: {seconds:.2f} s")
    for path in result.products:
        click.echo(printable(str(path)))


@cli.command(**_example("soxsdark subtract science.fits --dark darks_MDARK.fits -o products"))
@click.argument("frames", nargs=-1, required=True, type=ANY_PATH, metavar="FRAME...")
@click.option("--dark", required=True, type=ANY_PATH, metavar="FITS", help="Master dark.")
@click.option("-o", "--output", type=ANY_PATH, default=".", help="Folder of the products.")
@click.option("-x", "--overwrite", is_flag=True, help="Replace products that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing when all is good.")
@click.option(
    "--scale", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
    help="Scale the dark to the exposure time of the frame where it differs by more than the "
    "tolerance, wherever it differs, or never.",
)  # fmt: skip
@click.option("--master-bias", type=ANY_PATH, metavar="FITS", help="For frames with a pedestal.")
@click.option("--instrument", metavar="NAME|YAML", help="Instrument profile, if not the dark's.")
@click.pass_obj
def subtract(stop, frames, quiet, **options) -> int:
    """Subtract a master dark from raw frames.

    Products: NAME_DSUB.fits (FLUX in electron, QUAL, ERRS) and NAME_DSUB.json of each frame.
    """
    from soxsdark import screen
    from soxsdark.subtract import subtract_files

    with _progress(stop, quiet) as progress:
        results = subtract_files(
            frames, command=["soxsdark", *sys.argv[1:]], progress=progress, **options
        )
    for line in () if quiet else screen.subtracted(results):
        click.echo(line)
    return ExitCode.DONE


def _shape(context, parameter, value: str | None) -> tuple[int, int] | None:
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

    from soxsdark.simulator import Scene

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


@cli.command(cls=SceneCommand, **_example("soxsdark simulate night --arm VIS --frames 11 --seed 7"))
@click.argument("directory", type=ANY_PATH, metavar="DIR")
@click.option("-x", "--overwrite", is_flag=True, help="Replace files that exist.")
@click.pass_obj
def simulate(stop, directory, overwrite, **options) -> int:
    """Write a set of raw darks as the instrument would, a SOF, and the truth about them."""
    from soxsdark.simulator import Scene
    from soxsdark.simulator import simulate as write

    made = write(directory, Scene(**options), progress=lambda *_: stop.check(), overwrite=overwrite)
    for path in (made.sof, made.bad_pixel_map, made.truth):
        click.echo(path)
    return ExitCode.DONE


@cli.command(**_example("soxsdark instruments soxs > mine.yaml"))
@click.argument("profile", required=False, metavar="[NAME|YAML]")
def instruments(profile: str | None) -> int:
    """List the instrument profiles, or print one in full, checked, as YAML."""
    from soxsdark.instruments import load_profile
    from soxsdark.instruments.listing import profile_rows, profile_text

    if profile is not None:
        click.echo(profile_text(load_profile(profile)), nl=False)
        return ExitCode.DONE
    from tabulate import tabulate

    click.echo(tabulate(profile_rows(), headers=("name", "arms", "INSTRUME")))
    return ExitCode.DONE


@cli.group(**_example("soxsdark settings init"))
def settings() -> None:
    """Work on settings files."""


@settings.command(**_example("soxsdark settings init my_settings.yaml"))
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


def _say(line: str) -> None:
    click.echo(f"soxsdark: {printable(line)}", err=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    stop = Termination()
    signal.signal(signal.SIGTERM, stop)
    try:
        return int(cli.main(argv, prog_name="soxsdark", standalone_mode=False, obj=stop) or 0)
    except click.exceptions.Abort:
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        _say("interrupted")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.WRONG_USAGE
    except SoxsdarkError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        # everything but the screen is read and written under the name of its file
        _say(f"cannot write to the screen ({error.strerror}); products may be complete")
        return ExitCode.PRODUCT_PROBLEM
    except SystemExit as error:
        if error.code == ExitCode.TERMINATED:
            _say("terminated")
        return error.code if isinstance(error.code, int) else ExitCode.BUG
    except Exception as error:  # the one edge of the program: a bug, said in one line
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        line = " ".join(str(error).split())
        _say(f"a bug in soxsdark ({type(error).__name__} at {where}: {line}); see the log")
        return ExitCode.BUG
