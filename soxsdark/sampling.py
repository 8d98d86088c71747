"""Evenly spread lines of an image: enough to measure a scatter on, few enough to be quick."""

from dataclasses import dataclass

import numpy as np

from soxsdark.orientation import Window

PIXELS = 1 << 19
"""Pixels of a `LineSample`, along either axis."""


@dataclass(frozen=True)
class Lines:
    """Every `step`-th line, from the middle of the first step on."""

    step: int

    @classmethod
    def of(cls, shape: tuple[int, int], pixels: int) -> "Lines":
        """Lines along axis 0 of an image of `shape` that together have about so many pixels."""
        step = min(shape[0] * shape[1] // max(1, pixels), shape[0])
        # odd: lines of even and of odd number are seen alike
        return cls(max(1, step) | 1)

    def number(self, length: int) -> int:
        """How many of `length` lines are among them."""
        return len(range(self.step // 2, length, self.step))

    def within(self, part: slice) -> tuple[slice, slice]:
        """Those lines that lie in a part of the image: as lines of the part, and their numbers."""
        first = -(part.start - self.step // 2) % self.step
        inside = slice(first, None, self.step)
        start = (part.start + first) // self.step
        return inside, slice(start, start + len(range(part.stop - part.start)[inside]))


class LineSample:
    """Some rows and some columns of an image, gathered while it is worked on piece by piece."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._rows, self._columns = Lines.of(shape, PIXELS), Lines.of(shape[::-1], PIXELS)
        self._along_rows = np.empty((self._rows.number(shape[0]), shape[1]), np.float32)
        self._along_columns = np.empty((shape[0], self._columns.number(shape[1])), np.float32)

    def take(self, place: Window, rows: slice, piece: np.ndarray) -> None:
        """Take what is wanted of a piece: some rows, counted from its first, of a window."""
        rows = slice(place[0].start + rows.start, place[0].start + rows.stop)
        inside, numbers = self._rows.within(rows)
        self._along_rows[numbers, place[1]] = piece[inside]
        inside, numbers = self._columns.within(place[1])
        self._along_columns[rows, numbers] = piece[:, inside]

    def part(self, place: Window) -> tuple[np.ndarray, np.ndarray]:
        """What was taken of a window: (some rows, its columns), and (its rows, some columns)."""
        _, rows = self._rows.within(place[0])
        _, columns = self._columns.within(place[1])
        return self._along_rows[rows, place[1]], self._along_columns[place[0], columns]

    def same(self, image: np.ndarray, place: Window) -> tuple[np.ndarray, np.ndarray]:
        """The same pixels of a window of another image."""
        part = image[place]
        return part[self._rows.within(place[0])[0]], part[:, self._columns.within(place[1])[0]]
