"""File names of a run's products."""

from dataclasses import dataclass
from pathlib import Path

from soxsdark.kinds import DARK, Kind
from soxsdark.report import page_file


@dataclass(frozen=True)
class Names:
    """File names of one run's products."""

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
            failure=(f"{run}_FAILED.log", f"{run}_FAILED.json"),
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
