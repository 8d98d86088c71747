"""Sets of darks reduced one by one: one that fails does not stop the others."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from soxsdark.errors import ExitCode, SoxsdarkError, bug_line
from soxsdark.find_sets import DarkSet
from soxsdark.kinds import DARK
from soxsdark.publish import publish_changed
from soxsdark.recipe import Names, mdark
from soxsdark.reduction import Progress
from soxsdark.set_state import Earlier
from soxsdark.settings import Settings
from soxsdark.sof import sof_content


class State(StrEnum):
    """What has become of a set."""

    DONE = "done"
    UNCHANGED = "unchanged"
    DUE = "to do"
    TOO_SMALL = "too small"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """A set to reduce, complete in itself, for whichever process does it."""

    dark_set: DarkSet
    folder: Path
    """Of the products."""
    settings: Settings
    why: str = ""
    """Why it must be reduced."""
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetResult:
    """What has become of a set: small, whatever the size of the frames.

    Attributes
    ----------
    name, night : str
    frames : int
    state : State
    verdict : str
        QA flag; empty if there are no products.
    exit_code : int
        As if the set had been reduced alone.
    reasons : tuple of str
        Why it is not GOOD, a line each.
    why : str
        Why it was due.
    log : Path or None
    metrics : dict
        Value of each metric.
    """

    name: str
    night: str
    frames: int
    state: State
    verdict: str = ""
    exit_code: int = ExitCode.DONE
    reasons: tuple[str, ...] = ()
    why: str = ""
    log: Path | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_done(self) -> bool:
        """Whether its products are there and current, whichever run made them."""
        return self.state in (State.DONE, State.UNCHANGED)


def reduce_sets(jobs: Iterable[Job], progress: Progress | None = None) -> Iterator[SetResult]:
    """Reduce sets one after the other, each when its result is asked for."""
    for job in jobs:
        yield reduce_one(job, progress)


def reduce_one(job: Job, progress: Progress | None = None) -> SetResult:
    """Write the SOF of a set and reduce it, over what is there; nothing but a signal is raised."""
    one, names = job.dark_set, Names.of(job.dark_set.name, DARK)
    try:
        sof = write_sof_of(one, job.folder)
        if one.is_too_small:
            return too_small(one)
        mdark(
            sof, job.settings,
            output=job.folder, overwrite=True, command=job.command, progress=progress,
        )  # fmt: skip
        earlier = Earlier.read(job.folder / names.record)
        if earlier is None:
            raise RuntimeError(f"{names.record} is not as it was written")
        return finished(one, job.folder, earlier, State.DONE, job.why)
    except SoxsdarkError as error:
        code, reason = error.exit_code, str(error).partition("\n")[0]
    except Exception as error:  # the edge of one set: a bug in it must not stop the others
        code, reason = ExitCode.BUG, bug_line(error)
    log = job.folder / names.failure[0]
    return _result(
        one, State.FAILED,
        exit_code=code, reasons=(reason,), why=job.why, log=log if log.exists() else None,
    )  # fmt: skip


def write_sof_of(one: DarkSet, folder: Path) -> Path:
    """Write the SOF of a set, if it is not there as it is to be.

    Raises
    ------
    InputError
        The name of a frame cannot stand in a SOF.
    ProductError
        The SOF cannot be written.
    """
    name = f"{one.name}.sof"
    publish_changed(folder, {name: sof_content(one.frames)})
    return folder / name


def finished(
    one: DarkSet, folder: Path, earlier: Earlier, state: State, why: str = ""
) -> SetResult:
    """Return the result of a set whose products are there."""
    return _result(
        one, state,
        verdict=str(earlier.qa_flag), exit_code=earlier.qa_flag.exit_code,
        reasons=earlier.concerns, why=why, log=folder / Names.of(one.name, DARK).log,
        metrics=earlier.metrics,
    )  # fmt: skip


def too_small(one: DarkSet) -> SetResult:
    """Return the result of a set of too few frames."""
    count = f"{len(one.frames)} dark frame{'s' * (len(one.frames) > 1)}"
    least = f"at least {one.minimum} (minimum-frame-count) are needed"
    reason = f"{count}, {least}: {one.frames[0].path}"
    return _result(one, State.TOO_SMALL, exit_code=ExitCode.WRONG_INPUTS, reasons=(reason,))


def due(one: DarkSet, why: str) -> SetResult:
    """Return what is to be said of a set that would be reduced."""
    return _result(one, State.DUE, why=why)


def _result(one: DarkSet, state: State, **facts) -> SetResult:
    return SetResult(one.name, one.folder, len(one.frames), state, **facts)
