"""The amplifiers of a detector: which pixels each has read, and how they make one image.

Every amplifier has a level, a gain and a noise of its own. The frames of a detector with several
are worked on amplifier by amplifier, wherever the values of neighbouring pixels are compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from soxsdark.orientation import Window

RowsOf = Callable[[int, int], np.ndarray]
"""Gives rows first to last (half-open) of an amplifier's own pixels."""


Value = TypeVar("Value")


@dataclass(frozen=True)
class Sourced(Generic[Value]):
    """A value, and who says so: "settings", "header KEY", "profile NAME", "assumed", "unknown"."""

    value: Value
    source: str


@dataclass(frozen=True)
class Section:
    """Where the pixels of an amplifier are; (rows, columns), with explicit start and stop."""

    raw: Window
    """Its science pixels in the raw image, as it lies in the file."""
    place: Window
    """The same pixels in the science image, which is turned as the raw image is."""
    name: str = ""
    """Empty where there is but one amplifier."""
    overscan: Window | None = None
    """In the raw image; of the rows or of the columns of `raw`."""
    reference: tuple[Window, ...] = ()
    """Reference pixels around, in the raw image."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return lengths(self.place)


@dataclass(frozen=True)
class Amplifier:
    """One amplifier of a frame."""

    section: Section
    gain: Sourced[float]
    """e-/ADU."""
    ron: Sourced[float | None]
    """Of one read, e-; value None when unknown."""

    @property
    def raw(self) -> Window:
        """Its science pixels in the raw image."""
        return self.section.raw

    @property
    def place(self) -> Window:
        """The same pixels in the science image."""
        return self.section.place

    @property
    def of(self) -> str:
        """For messages: which amplifier, or nothing where there is but one."""
        return f" of amplifier {self.section.name}" if self.section.name else ""


def lengths(window: Window) -> tuple[int, int]:
    """Return how many rows and columns a window has."""
    return tuple(part.stop - part.start for part in window)


def whole(shape: tuple[int, int]) -> Window:
    """Return the window that shows all of an image."""
    return slice(0, shape[0]), slice(0, shape[1])


def science_shape(sections: Sequence[Section]) -> tuple[int, int]:
    """Return (rows, columns) of the image that the sections make together."""
    rows, columns = (max(s.place[axis].stop for s in sections) for axis in (0, 1))
    return rows, columns


def bounds(sections: Sequence[Section]) -> Window:
    """Return the rows and columns of the raw image between which all sections lie."""
    rows, columns = (
        slice(min(s.raw[axis].start for s in sections), max(s.raw[axis].stop for s in sections))
        for axis in (0, 1)
    )
    return rows, columns


def cut(image: np.ndarray, sections: Sequence[Section]) -> np.ndarray:
    """Return the science pixels of a raw image: of one section a view, else a copy."""
    if len(sections) == 1:
        return image[sections[0].raw]
    science = np.empty(science_shape(sections), image.dtype)
    for section in sections:
        science[section.place] = image[section.raw]
    return science


def join_rows(parts: Sequence[tuple[Window, RowsOf]], first: int, last: int) -> np.ndarray:
    """Return rows first to last (half-open) of an image that is known part by part, float32.

    Parameters
    ----------
    parts : sequence of (Window, callable)
        The place of each part, and what gives its own rows; together they cover the image.
    first, last : int
    """
    if len(parts) == 1:
        return parts[0][1](first, last)
    columns = max(place[1].stop for place, _ in parts)
    joined = np.empty((last - first, columns), np.float32)
    for place, rows_of in parts:
        top, bottom = max(first, place[0].start), min(last, place[0].stop)
        if top < bottom:
            own = rows_of(top - place[0].start, bottom - place[0].start)
            joined[top - first : bottom - first, place[1]] = own
    return joined
