"""Sets of darks reduced, one by one or side by side: one that fails does not stop the others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from soxsdark.errors import ExitCode, InputError, SoxsdarkError, bug_line
from soxsdark.find_sets import DarkSet
from soxsdark.kinds import DARK
from soxsdark.names import Names
from soxsdark.publish import publish_changed
from soxsdark.recipe import mdark
from soxsdark.reduction import Progress
from soxsdark.set_report import make_report, remove_thumbnail
from soxsdark.set_state import Earlier
from soxsdark.settings import Settings
from soxsdark.sof import sof_content
from soxsdark.termination import unwrapped


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
    report: bool = False
    """Whether a page of the set is wanted."""
    current: bool = False
    """Whether its products are, so that the page alone is missing."""
    previous: Path | None = None
    """Master dark to compare with, if it can be used."""


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
    jumps : tuple of str
        Metrics that are far from their history, a line each.
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
    jumps: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether its products are there and current, whichever run made them."""
        return self.state in (State.DONE, State.UNCHANGED)


class Workers(Protocol):
    """Who reduces sets side by side, here or elsewhere."""

    @property
    def slots(self) -> int:
        """How many sets should be under way at least."""

    def submit(self, job: Job) -> "Future[SetResult]":
        """Reduce a set as soon as there is room."""


def reduce_sets(
    jobs: Sequence[Job],
    progress: Progress | None = None,
    workers: Workers | None = None,
    prepare: Callable[[Job], Job] = lambda job: job,
) -> Iterator[SetResult]:
    """Reduce sets, and give each result when it is there; nothing but a signal is raised.

    Parameters
    ----------
    jobs : sequence of Job
    progress : callable, optional
    workers : Workers, optional
        Without them one set follows the other in this process, when its result is asked for.
    prepare : callable, optional
        Completes a job, just before it is begun.
    """
    if workers is None:
        for job in jobs:
            yield reduce_one(prepare(job), progress)
        return
    waiting, done = map(prepare, jobs), 0
    pending: dict[Future[SetResult], Job] = {}
    while done < len(jobs):
        room = max(0, workers.slots - len(pending))
        pending |= {workers.submit(job): job for job in islice(waiting, room)}
        finished, _ = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in finished:
            yield _outcome(pending.pop(future), future)
        done += len(finished)
        if progress is not None:
            progress("sets", done, len(jobs))


def _outcome(job: Job, future: "Future[SetResult]") -> SetResult:
    if future.cancelled():
        return lost(job, "the connection to its worker was lost")
    error = future.exception()
    return future.result() if error is None else lost(job, f"{type(error).__name__}: {error}")


def reduce_one(job: Job, progress: Progress | None = None) -> SetResult:
    """Write the SOF of a set and reduce it, over what is there; nothing but a signal is raised."""
    with _edge() as trouble:
        result = _products(job, progress)
    if trouble:
        return lost(job, *trouble)
    if job.report and result.is_done:
        with _edge() as trouble:
            make_report(job.folder, job.dark_set.name)
        if trouble:
            reason, code = trouble
            reasons = (*result.reasons, f"its page cannot be made: {reason}")
            return replace(result, exit_code=code, reasons=reasons)
    return result


def _products(job: Job, progress: Progress | None) -> SetResult:
    one, names = job.dark_set, Names.of(job.dark_set.name, DARK)
    sof = write_sof_of(one, job.folder)
    if one.is_too_small:
        return too_small(one)
    if not job.current:
        _reduce(job, sof, progress)
        remove_thumbnail(job.folder, one.name)
    earlier = Earlier.read(job.folder / names.record)
    if earlier is None:
        raise RuntimeError(f"{names.record} is not as it was written")
    state = State.UNCHANGED if job.current else State.DONE
    return finished(one, job.folder, earlier, state, job.why)


@contextmanager
def _edge() -> Iterator[list[Any]]:
    """Give a list that has reason and exit code of what goes wrong; it stops no other set."""
    trouble: list[Any] = []
    try:
        with unwrapped():
            yield trouble
    except SoxsdarkError as error:
        trouble += str(error).partition("\n")[0], error.exit_code
    except Exception as error:  # a bug in one set must not stop the others
        trouble += bug_line(error), ExitCode.BUG


def _reduce(job: Job, sof: Path, progress: Progress | None) -> None:
    """Reduce a set; a previous master that cannot be used is left out."""
    for previous in dict.fromkeys((job.previous, None)):
        try:
            mdark(
                sof, job.settings, output=job.folder, overwrite=True, previous=previous,
                command=job.command, progress=progress,
            )  # fmt: skip
            return
        except InputError as error:
            # the fault may be the set's own, which the second time will tell
            if previous is None or str(previous) not in str(error):
                raise


def lost(job: Job, reason: str, code: ExitCode = ExitCode.BUG) -> SetResult:
    """Return the result of a set that failed."""
    log = job.folder / Names.of(job.dark_set.name, DARK).failure[0]
    return _result(
        job.dark_set, State.FAILED,
        exit_code=code, reasons=(" ".join(reason.split()),), why=job.why,
        log=log if log.exists() else None,
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


def _result(one: DarkSet, state: State, **facts: Any) -> SetResult:
    return SetResult(one.name, one.folder, len(one.frames), state, **facts)
