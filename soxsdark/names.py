"""File names of a run's products."""

from dataclasses import dataclass
from pathlib import Path

from soxsdark.kinds import DARK, Kind
from soxsdark.report import page_file


def failure_names(run: str) -> tuple[str, str]:
    """File names of log and record of a run that failed."""
    return f"{run}_FAILED.log", f"{run}_FAILED.json"


@dataclass(frozen=True)
class Names:
    """File names of what a run makes of a set."""

    master: str
    mask: str | None
    """A master bias has its flags in itself alone."""
    record: str
    log: str
    failure: tuple[str, str]
    """Log and record of a run that failed."""
    page: str | None = None
    """None where no report is asked for."""

    @classmethod
    def of(cls, name: str, kind: Kind, report: bool = False) -> "Names":
        """Names after the SOF or folder; a bias and a dark of one folder do not meet."""
        run = name if kind is DARK else f"{name}_{kind.product}"
        return cls(
            master=f"{name}_{kind.product}.fits",
            mask=f"{name}_BPM.fits" if kind is DARK else None,
            record=f"{run}.json",
            log=f"{run}.log",
            failure=failure_names(run),
            page=page_file(run) if report else None,
        )

    @property
    def run(self) -> str:
        """Name of the run, and so of its record and its pictures."""
        return Path(self.record).stem

    @property
    def products(self) -> tuple[str, ...]:
        """All that a run that succeeds publishes, the record last."""
        names = (self.master, self.mask, self.page, self.log, self.record)
        return tuple(name for name in names if name)

    def outdated(self, overwrite: bool) -> tuple[str, ...]:
        """What earlier runs may have left and a run that succeeds takes away.

        With the products that are replaced goes their page, which would show others.
        """
        page = (page_file(self.run),) if overwrite and not self.page else ()
        return (*self.failure, *page)


@dataclass(frozen=True)
class SubtractNames:
    """File names of what is made of one frame, whose name begins with `stem`."""

    stem: str

    @property
    def run(self) -> str:
        """What all of them begin with."""
        return f"{self.stem}_DSUB"

    @property
    def product(self) -> str:
        """The frame without its dark."""
        return f"{self.run}.fits"

    @property
    def record(self) -> str:
        """Its record."""
        return f"{self.run}.json"

    @property
    def log(self) -> str:
        """The log of a run over frames of which this is the first."""
        return f"{self.run}.log"

    @property
    def failure(self) -> tuple[str, str]:
        """Log and record of such a run that failed."""
        return failure_names(self.run)
