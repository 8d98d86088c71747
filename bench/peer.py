"""What a program must tell to take part."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.sets import MadeSet


@dataclass(frozen=True)
class Job:
    """One command, ready to be run again and again in a folder of its own."""

    command: tuple[str, ...]
    product: Path
    """Must be there after a run, whatever the exit code says."""
    made: tuple[Path, ...]
    """Files and folders removed before the next run, the product among them."""
    good_codes: tuple[int, ...] = (0,)
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """Variables set for the command; None takes one away."""


@dataclass(frozen=True)
class Peer:
    """A program that averages darks."""

    key: str
    """Its name on the command line."""
    title: str
    version: Callable[[], str]
    prepare: Callable[[MadeSet, Path], Job]
    """Lays out in an empty folder what the program needs; not timed."""
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot take part here; None = it can."""


def link_frames(dark_set: MadeSet, folder: Path) -> list[str]:
    """Link the frames into a new folder; give their paths."""
    folder.mkdir()
    for frame in dark_set.frames:
        (folder / frame.name).symlink_to(frame)
    return [str(folder / frame.name) for frame in dark_set.frames]


def clear(job: Job) -> None:
    """Remove what the last run made."""
    for path in job.made:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
