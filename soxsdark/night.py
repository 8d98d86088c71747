"""Nights of darks: sets found, those that are due reduced, and what there is to say of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from soxsdark.errors import ExitCode
from soxsdark.find_frames import Memory
from soxsdark.find_sets import DarkSet, FoundSets, find_sets
from soxsdark.hashes import Hashes
from soxsdark.held_folder import sweep_orphans
from soxsdark.instruments import load_profile
from soxsdark.kinds import DARK
from soxsdark.lock import held
from soxsdark.names import Names
from soxsdark.night_files import publish_index
from soxsdark.night_told import Told
from soxsdark.nights import Boundary, utc_now
from soxsdark.reduce_sets import (
    Job,
    SetResult,
    State,
    Workers,
    due,
    finished,
    reduce_sets,
    too_small,
)
from soxsdark.reduction import Progress
from soxsdark.set_report import has_report
from soxsdark.set_state import Earlier, why_due
from soxsdark.settings import Settings

LOCK = ".soxsdark.lock"
GRAVEST = (
    ExitCode.BUG,
    ExitCode.SHORTAGE,
    ExitCode.PRODUCT_PROBLEM,
    ExitCode.WRONG_SETTINGS,
    ExitCode.WRONG_INPUTS,
    ExitCode.LOCKED,
    ExitCode.DONE_BAD,
    ExitCode.DONE_PARTIAL,
)
"""Exit codes of several sets: the first of these that occurred counts."""
PASSING = (ExitCode.SHORTAGE, ExitCode.PRODUCT_PROBLEM, ExitCode.LOCKED)
"""Failures that are not the set's own: the next look may find them gone."""
NightChoice = date | Literal["last"] | None


@dataclass(frozen=True)
class NightReport:
    """What one run has found and done.

    Attributes
    ----------
    results : tuple of SetResult
        One a set, by night and name.
    problems : tuple of str
        Of files that cannot be used, a line each.
    others : int
        FITS files that are no raw darks.
    superseded : tuple of str
        Sets of earlier runs whose frames are in other sets now.
    empty : str
        Why there is no set at all; empty if there are some, or if none are fine.
    warnings : tuple of str
        Of the database, a line each: the products do not depend on it.
    """

    results: tuple[SetResult, ...]
    problems: tuple[str, ...] = ()
    others: int = 0
    superseded: tuple[str, ...] = ()
    empty: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The gravest that occurred; a metric that jumps counts as PARTIAL."""
        codes = {result.exit_code for result in self.results}
        if any(result.jumps for result in self.results):
            codes.add(ExitCode.DONE_PARTIAL)
        if self.problems or self.empty:
            codes.add(ExitCode.WRONG_INPUTS)
        return next((code for code in GRAVEST if code in codes), ExitCode.DONE)


@dataclass
class _Night:
    """One night: what is known of it, and what remains to be done."""

    name: str
    hashes: Hashes
    done: list[SetResult]
    jobs: dict[str, Job]
    """Of the sets that have no result yet."""


@dataclass
class NightRun:
    """What is asked for; run it once, or again and again while frames arrive.

    Parameters
    ----------
    raw : path
        Folder below which the raw frames lie.
    products : path
        Folder of the products; each night has its own in it.
    settings : Settings
    night : date, "last", or None
        Of whose evening the date is; the latest that has ended; None is all there are.
    redo : bool
        Reduce sets that are current, too.
    allow_empty : bool
        Nights without darks are fine.
    dry_run : bool
        Only tell what would be done; nothing is written.
    report : bool
        Make a page of every set that has none.
    settle : float
        While frames arrive: seconds for which a file must not have been written, or it is left for
        later; so is a set that is too small, as long as `set-gap`. 0: nothing is left.
    command : tuple of str
        For the records: what the user typed.
    """

    raw: Path
    products: Path
    settings: Settings
    night: NightChoice = None
    redo: bool = False
    allow_empty: bool = False
    dry_run: bool = False
    report: bool = False
    settle: float = 0.0
    command: tuple[str, ...] = ()
    _memory: Memory = field(default_factory=dict, repr=False)
    _failed: dict[tuple[Any, ...], SetResult] = field(default_factory=dict, repr=False)
    """Sets that failed in this process, which are not tried again as they are."""

    def __post_init__(self) -> None:
        """Make paths absolute: records and SOFs name them."""
        self.raw, self.products = self.raw.absolute(), self.products.absolute()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of the products, which `once` wants; a dry run needs none.

        Raises
        ------
        LockedError
            Another run holds it.
        """
        with nullcontext() if self.dry_run else held(self.products / LOCK):
            yield

    def once(self, progress: Progress | None = None, workers: Workers | None = None) -> NightReport:
        """Find the sets, reduce those that are due, publish what there is to say.

        Parameters
        ----------
        progress : callable, optional
        workers : Workers, optional
            Who reduces the sets; one follows the other in this process when not given.

        Raises
        ------
        InputError, SettingsError, ProductError
            Nothing could be done, or its results not be told; what concerns one set alone is in
            its result.
        """
        now = utc_now()
        found = find_sets(self.raw, self.settings, self._memory, self.settle)
        chosen = [one for one in found.sets if self._is_chosen(one, now)]
        problems = tuple(self._problems(found, now))
        told = Told(self, found, problems if self.night else ())
        by_night = groupby(sorted(chosen, key=_by_night), key=attrgetter("folder"))
        nights = [self._plan_night(name, list(sets)) for name, sets in by_night]
        self._reduce(nights, told, progress, workers)
        if nights and not self.dry_run:
            sweep_orphans(self.products)
            publish_index(self.products)
        return NightReport(
            tuple(told.results),
            problems,
            found.frames.others,
            tuple(told.superseded),
            "" if nights or self.allow_empty else self._empty(now),
            tuple(dict.fromkeys(told.warnings)),
        )

    def _reduce(
        self,
        nights: Sequence[_Night],
        told: Told,
        progress: Progress | None,
        workers: Workers | None,
    ) -> None:
        """Reduce what is due, and tell of each night when it and those before it are done."""
        if nights and not self.dry_run:
            told.begin()
        waiting, by_name = deque(nights), {night.name: night for night in nights}
        jobs = [job for night in nights for job in night.jobs.values()]
        try:
            for result in reduce_sets(jobs, progress, workers, told.prepare):
                night = by_name[result.night]
                self._take(night, result, told)
                while waiting and not waiting[0].jobs:
                    told.tell(waiting.popleft())
        finally:
            for night in waiting:
                told.tell(night)

    def _is_chosen(self, one: DarkSet, now: datetime) -> bool:
        wanted = one.boundary.last_ended(now) if self.night == "last" else self.night
        if wanted is not None and one.night != wanted:
            return False
        return not (self.settle and one.is_too_small and self._may_grow(one, now))

    def _may_grow(self, one: DarkSet, now: datetime) -> bool:
        """Whether its latest frame came so lately that another may follow."""
        latest = max(self._memory[entry.path][0][1] for entry in one.frames) / 1e9
        gap = self.settings.for_arm(one.arm).values.set_gap
        return now.timestamp() - latest < gap * 3600

    def _problems(self, found: FoundSets, now: datetime) -> Iterator[str]:
        """Files that cannot be used, but for those that are older than the night."""
        night = self._named(now)
        since = _midnight(night) if night else 0.0
        for problem in found.frames.problems:
            if problem.mtime >= since:
                yield problem.reason.partition("\n")[0]
        for one in found.sets:
            if night and one.night is None:
                count, first = len(one.frames), one.frames[0].path
                yield f"{first}: no date in the header, so of no night ({count} such darks)"

    def _named(self, now: datetime) -> date | None:
        """The night that was asked for; of none but Greenwich if no instrument is named."""
        if self.night != "last":
            return self.night
        values = self.settings.for_arm(None).values
        longitude = load_profile(values.instrument).longitude if values.instrument else None
        return Boundary.at(longitude, values.night_start).last_ended(now)

    def _empty(self, now: datetime) -> str:
        night = self._named(now)
        of = f" of the night {night}" if night else ""
        return f"{self.raw}: no raw darks{of} below it; --allow-empty if that is fine"

    def _plan_night(self, name: str, sets: Sequence[DarkSet]) -> _Night:
        """What is to be done of a night, and the results of what need not be."""
        folder = self.products / name
        if folder.is_dir() and not self.dry_run:
            # of a run that was killed; where nothing is due, nobody else would
            sweep_orphans(folder)
        night = _Night(name, Hashes(folder), [], {})
        for one in sets:
            planned = self._plan(one, folder, night.hashes)
            if isinstance(planned, Job):
                night.jobs[one.name] = planned
            else:
                night.done.append(planned)
        return night

    def _take(self, night: _Night, result: SetResult, told: Told) -> None:
        """Keep the result of a set."""
        one = night.jobs.pop(result.name).dark_set
        night.done.append(result)
        if result.state is State.DONE:
            _learn(night.hashes, self.products / night.name, one)
            told.index(night.name, {one.name})
        elif result.state is State.FAILED and result.exit_code not in PASSING:
            self._failed[self._fingerprint(one)] = result

    def _plan(self, one: DarkSet, folder: Path, hashes: Hashes) -> Job | SetResult:
        """The result of a set that is not to be reduced now, or the job that it is."""
        job = Job(one, folder, self.settings, command=self.command, report=self.report)
        if one.is_too_small:
            return too_small(one) if self.dry_run else job
        if (failed := self._failed.get(self._fingerprint(one))) is not None:
            return failed
        try:
            why = "asked for" if self.redo else why_due(one, folder, self.settings, hashes)
            hashes.expect(entry.path for entry in one.frames)
        except OSError as error:
            why = f"{error.filename} cannot be read"
        if not why and self.report and not self.dry_run and not has_report(folder, one.name):
            return replace(job, current=True)
        earlier = Earlier.read(folder / Names.of(one.name, DARK).record) if not why else None
        if earlier is not None:
            return finished(one, folder, earlier, State.UNCHANGED)
        if self.dry_run:
            return due(one, why)
        return replace(job, why=why)

    def _fingerprint(self, one: DarkSet) -> tuple[Any, ...]:
        return one.name, *(self._memory[entry.path][0] for entry in one.frames)


def _by_night(one: DarkSet) -> tuple[str, str]:
    return one.folder, one.name


def _midnight(night: date) -> float:
    """Seconds since the epoch of the first moment that the date has anywhere."""
    return datetime(night.year, night.month, night.day, tzinfo=UTC).timestamp()


def _learn(hashes: Hashes, folder: Path, one: DarkSet) -> None:
    """Take the checksums of the frames over from the record of the run that has read them."""
    earlier = Earlier.read(folder / Names.of(one.name, DARK).record)
    for path, sha256 in earlier.inputs.items() if earlier else ():
        hashes.learn(Path(path), sha256)
