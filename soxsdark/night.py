"""Nights of darks: sets found, those that are due reduced, and what there is to say of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Literal

from soxsdark.errors import ExitCode
from soxsdark.find_frames import Memory
from soxsdark.find_sets import UNDATED, DarkSet, FoundSets, find_sets
from soxsdark.hashes import Hashes
from soxsdark.instruments import load_profile
from soxsdark.kinds import DARK
from soxsdark.lock import held
from soxsdark.night_files import publish_index, publish_night, retire_superseded
from soxsdark.nights import Boundary, utc_now
from soxsdark.publish import sweep_orphans
from soxsdark.recipe import Names
from soxsdark.reduce_sets import (
    Job,
    SetResult,
    State,
    due,
    finished,
    reduce_sets,
    too_small,
)
from soxsdark.reduction import Progress
from soxsdark.set_state import Earlier, why_due
from soxsdark.settings import Settings

LOCK = ".soxsdark.lock"
GRAVEST = (
    ExitCode.BUG,
    ExitCode.SHORTAGE,
    ExitCode.PRODUCT_PROBLEM,
    ExitCode.WRONG_SETTINGS,
    ExitCode.WRONG_INPUTS,
    ExitCode.DONE_BAD,
    ExitCode.DONE_PARTIAL,
)
"""Exit codes of several sets: the first of these that occurred counts."""
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
    """

    results: tuple[SetResult, ...]
    problems: tuple[str, ...] = ()
    others: int = 0
    superseded: tuple[str, ...] = ()
    empty: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """The gravest that occurred."""
        codes = {result.exit_code for result in self.results}
        if self.problems or self.empty:
            codes.add(ExitCode.WRONG_INPUTS)
        return next((code for code in GRAVEST if code in codes), ExitCode.DONE)


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
    settle: float = 0.0
    command: tuple[str, ...] = ()
    _memory: Memory = field(default_factory=dict, repr=False)
    _failed: dict[tuple, SetResult] = field(default_factory=dict, repr=False)
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

    def once(self, progress: Progress | None = None) -> NightReport:
        """Find the sets, reduce those that are due, publish what there is to say.

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
        results, superseded = [], []
        for night, sets in groupby(sorted(chosen, key=_by_night), key=attrgetter("folder")):
            done: list[SetResult] = []
            try:
                for result in self._results(self.products / night, list(sets), progress):
                    done.append(result)
            finally:
                if not self.dry_run:
                    superseded += self._publish(night, found, done, problems)
            results += sorted(done, key=attrgetter("name"))
        if results and not self.dry_run:
            sweep_orphans(self.products)
            publish_index(self.products)
        return NightReport(
            tuple(results),
            problems,
            found.frames.others,
            tuple(superseded),
            "" if results or self.allow_empty else self._empty(now),
        )

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

    def _results(
        self, folder: Path, sets: Sequence[DarkSet], progress: Progress | None
    ) -> Iterator[SetResult]:
        """What becomes of the sets of a night, those first that need not be reduced."""
        if folder.is_dir() and not self.dry_run:
            # of a run that was killed; where nothing is due, nobody else would
            sweep_orphans(folder)
        hashes = Hashes(folder)
        jobs = {}
        for one in sets:
            planned = self._plan(one, folder, hashes)
            if isinstance(planned, Job):
                jobs[one.name] = planned
            else:
                yield planned
        for result in reduce_sets(jobs.values(), progress):
            one = jobs[result.name].dark_set
            if result.state is State.DONE:
                _learn(hashes, folder, one)
            elif result.state is State.FAILED and result.exit_code != ExitCode.PRODUCT_PROBLEM:
                self._failed[self._fingerprint(one)] = result
            yield result
        if not self.dry_run:
            hashes.save()

    def _plan(self, one: DarkSet, folder: Path, hashes: Hashes) -> Job | SetResult:
        """The result of a set that is not to be reduced now, or the job that it is."""
        job = Job(one, folder, self.settings, command=self.command)
        if one.is_too_small:
            return too_small(one) if self.dry_run else job
        if (failed := self._failed.get(self._fingerprint(one))) is not None:
            return failed
        try:
            why = "asked for" if self.redo else why_due(one, folder, self.settings, hashes)
            hashes.expect(entry.path for entry in one.frames)
        except OSError as error:
            why = f"{error.filename} cannot be read"
        if not why:
            earlier = Earlier.read(folder / Names.of(one.name, DARK).record)
            return finished(one, folder, earlier, State.UNCHANGED)
        if self.dry_run:
            return due(one, why)
        return replace(job, why=why)

    def _fingerprint(self, one: DarkSet) -> tuple:
        return one.name, *(self._memory[entry.path][0] for entry in one.frames)

    def _publish(
        self, night: str, found: FoundSets, done: Sequence[SetResult], problems: Sequence[str]
    ) -> list[str]:
        """Tell of a night, and move what is superseded: in the nights beside, too, since a set may
        turn out to begin earlier, and nights may be set to begin at another hour.
        """
        folders = [night, *_beside(night)]
        sets = [one for one in found.sets if one.folder in folders]
        moved = {name: retire_superseded(self.products / name, sets) for name in folders}
        told = problems if self.night else ()
        publish_night(self.products / night, done, self.raw, told)
        for name in folders[1:]:
            if moved[name]:
                publish_night(self.products / name, (), self.raw)
        return sum(moved.values(), [])


def _by_night(one: DarkSet) -> tuple[str, str]:
    return one.folder, one.name


def _midnight(night: date) -> float:
    """Seconds since the epoch of the first moment that the date has anywhere."""
    return datetime(night.year, night.month, night.day, tzinfo=UTC).timestamp()


def _beside(night: str) -> list[str]:
    """The nights before and after."""
    if night == UNDATED:
        return []
    day = date.fromisoformat(night)
    return [(day + timedelta(days=step)).isoformat() for step in (-1, 1)]


def _learn(hashes: Hashes, folder: Path, one: DarkSet) -> None:
    """Take the checksums of the frames over from the record of the run that has read them."""
    earlier = Earlier.read(folder / Names.of(one.name, DARK).record)
    for path, sha256 in earlier.inputs.items():
        hashes.learn(Path(path), sha256)
