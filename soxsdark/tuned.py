"""What came of a sweep: its lines, and the masks of two of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from soxsdark.errors import UsageError
from soxsdark.explain import Explanation
from soxsdark.tune_file import Line
from soxsdark.tune_sweep import Combination

ROW, SHARE, SECONDS = "row", "share-seen", "seconds"
CURRENT = 0
"""Row number of the current settings, which have no line in the file."""


def check_row(row: int, number: int) -> None:
    """Make sure that there is a row, where there are `number` beside the current settings.

    Raises
    ------
    UsageError
        There is none.
    """
    if not 0 <= row <= number:
        raise UsageError(f"no row {row}: there are 1 to {number}, and {CURRENT} (current)")


@dataclass(frozen=True)
class Pair:
    """The masks of two combinations; images as the products are."""

    rows: tuple[int, int]
    settings: tuple[Mapping[str, str], Mapping[str, str]]
    """The swept values of each."""
    flags: tuple[np.ndarray, np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class Tuned:
    """What came of the sweep."""

    name: str
    csv: Path
    page: Path
    keys: tuple[str, ...]
    """The swept keys."""
    current: Line
    """The current settings, as a line of the file."""
    lines: tuple[Line, ...]
    combinations: Mapping[str, Combination]
    """By the id of their lines."""
    arm: str | None
    share_seen: float
    """Of the pixels; below 1 where the frames do not fit in memory-limit."""
    new: int
    """Lines that this call has added."""
    settings: Path | None = None
    """The settings file that was used."""
    overrides: tuple[str, ...] = ()
    """Keys that ``--set`` has given."""
    explanation: Explanation | None = None

    def line(self, row: int) -> Line:
        """The line of that number; the current settings are row 0.

        Raises
        ------
        UsageError
            There is none.
        """
        if row == CURRENT:
            return self.current
        check_row(row, len(self.lines))
        return self.lines[row - 1]
