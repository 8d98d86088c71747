"""What a run over nights tells: records, pages, the database of trends, and its report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from soxsdark.errors import InputError, ProductError
from soxsdark.find_sets import FoundSets
from soxsdark.kinds import DARK
from soxsdark.names import Names
from soxsdark.night_files import publish_night, retire_superseded
from soxsdark.nights import UNDATED
from soxsdark.publish import writing
from soxsdark.reduce_sets import Job, SetResult
from soxsdark.trend_database import Database, is_missing, rebuild
from soxsdark.trend_history import Jump, jumps, previous_master

if TYPE_CHECKING:
    from soxsdark.night import NightRun, _Night

Answer = TypeVar("Answer")


@dataclass
class Told:
    """What a run tells: records and pages of nights, the database, and the report at its end."""

    run: "NightRun"
    found: FoundSets
    problems: Sequence[str]
    """For the record of each night."""
    results: list[SetResult] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _is_mute: bool = False
    """Whether the database could not be used; it is not tried again in this run."""

    def begin(self) -> None:
        """Make the database from all records there are, if there is none."""
        products = self.run.products

        def make() -> None:
            with writing(products):
                products.mkdir(parents=True, exist_ok=True)
            if is_missing(products):
                self.warnings.extend(rebuild(products))

        self._try(make, None)

    def tell(self, night: "_Night") -> None:
        """Tell of a night, and move what is superseded, in the nights beside too.

        A set may turn out to begin earlier, and nights may be set to begin at another hour.
        """
        done = sorted(night.done, key=attrgetter("name"))
        if self.run.dry_run:
            self.results += done
            return
        products, raw = self.run.products, self.run.raw
        folders = [night.name, *_beside(night.name)]
        sets = [one for one in self.found.sets if one.folder in folders]
        moved = {name: retire_superseded(products / name, sets) for name in folders}
        for name in folders:
            if name == night.name or moved[name]:
                self.index(name)
        done = [self._judged(result) for result in done]
        publish_night(products / night.name, done, raw, self.problems)
        for name in folders[1:]:
            if moved[name]:
                publish_night(products / name, (), raw)
        night.hashes.save()
        self.superseded += sum(moved.values(), [])
        self.results += done

    def index(self, night: str, names: set[str] | None = None) -> None:
        """Bring the database in line with the records of a night."""
        self.warnings += self._ask(lambda database: database.sync(night, names), [])

    def prepare(self, job: Job) -> Job:
        """Add the master dark to compare with."""
        one = job.dark_set
        found = self._ask(lambda database: previous_master(database, one.setup, one.start), None)
        path = self.run.products / found if found else None
        return replace(job, previous=path if path and path.exists() else None)

    def _judged(self, result: SetResult) -> SetResult:
        """Add what is unusual for a set among those before it."""
        if not result.is_done:
            return result
        record = f"{result.night}/{Names.of(result.name, DARK).record}"
        nothing: tuple[Jump, ...] = ()
        found = self._ask(lambda database: jumps(database, record), nothing)
        return replace(result, jumps=tuple(map(str, found)))

    def _ask(self, ask: Callable[[Database], Answer], otherwise: Answer) -> Answer:
        """Use the database."""

        def use() -> Answer:
            with Database.open(self.run.products, write=True) as database:
                return ask(database)

        return self._try(use, otherwise)

    def _try(self, use: Callable[[], Answer], otherwise: Answer) -> Answer:
        """Do something with the database; what is wrong with it is a warning, and ends its use.

        Of one that another process holds each attempt would take half a minute.
        """
        if self._is_mute:
            return otherwise
        try:
            return use()
        except (InputError, ProductError) as error:
            self.warnings.append(str(error))
            self._is_mute = True
            return otherwise


def _beside(night: str) -> list[str]:
    """The nights before and after."""
    if night == UNDATED:
        return []
    day = date.fromisoformat(night)
    return [(day + timedelta(days=step)).isoformat() for step in (-1, 1)]
