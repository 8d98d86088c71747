"""Sets of darks from the simulator, made once and kept outside the repository."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


class SetError(Exception):
    """The simulator did not end well."""


@dataclass(frozen=True)
class DarkSet:
    """What the simulator is asked for."""

    arm: str
    frames: int
    shape: tuple[int, int] | None = None
    """Rows and columns of a cut-out; None = the whole detector."""

    @property
    def name(self) -> str:
        """A name that tells it from all others."""
        size = "full" if self.shape is None else "{}x{}".format(*self.shape)
        return f"{self.arm}-{size}-{self.frames}"

    @property
    def options(self) -> list[str]:
        """The options of ``soxsdark simulate``."""
        size = [] if self.shape is None else ["--shape", "{}x{}".format(*self.shape)]
        return ["--arm", self.arm, "--frames", str(self.frames), *size]


@dataclass(frozen=True)
class MadeSet:
    """A set that is there."""

    sof: Path
    frames: tuple[Path, ...]


def store() -> Path:
    """Give the folder of the sets: $SOXSDARK_BENCH, else one in the user's cache."""
    given = os.environ.get("SOXSDARK_BENCH")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given).absolute() if given else Path(cache) / "soxsdark-bench"


def simulator(dark_set: DarkSet, folder: Path) -> list[str]:
    """Give the command that makes a set."""
    python = [sys.executable, "-m", "soxsdark", "simulate"]
    return [*python, str(folder), *dark_set.options]


def build(dark_set: DarkSet, folder: Path, say=lambda line: None, command=simulator) -> MadeSet:
    """Make a set unless it is there; a folder of its name is always complete.

    Parameters
    ----------
    dark_set : DarkSet
        What is asked for.
    folder : Path
        The store.
    say : callable
        Takes a line for the person who waits.
    command : callable
        Gives the command for a set and the folder it is to fill.

    Raises
    ------
    SetError
        If the command fails; nothing is left then.
    """
    home = folder / dark_set.name
    if not home.exists():
        say(f"simulating {dark_set.name}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="half-") as half:
            _fill(command(dark_set, Path(half) / dark_set.name), dark_set.name)
            _publish(Path(half) / dark_set.name, home)
    return MadeSet(home / "darks.sof", tuple(sorted(home.glob("*_dark_*.fits"))))


def _fill(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        raise SetError(f"{name}: the simulator ended with code {done.returncode}: {said}")


def _publish(made: Path, home: Path) -> None:
    try:
        made.rename(home)
    except OSError:
        # another run was faster; its set is as good
        if not home.exists():
            raise
