"""Frames read once and held, whole or in bands of rows, for one reduction after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from soxsdark.frame import Frame, Loaded
from soxsdark.inputs import Inputs
from soxsdark.memory import MIB, row_blocks
from soxsdark.parallel import in_order
from soxsdark.reduction import plan_of
from soxsdark.survey import AmplifierRows, RawDark

HEIGHT = 16
"""Rows of a band, where frames are not held whole: narrow, so that each block of the background
has some."""


@dataclass(frozen=True)
class HeldFrame(Frame):
    """A raw frame whose pixels stay in memory."""

    loaded: Loaded = field(repr=False, kw_only=True)

    @classmethod
    def of(cls, frame: Frame) -> "HeldFrame":
        """Read a frame, checks included."""
        loaded = frame.load()
        loaded.pixels.flags.writeable = False
        return cls(**{f.name: getattr(frame, f.name) for f in fields(frame)}, loaded=loaded)

    def load(self, buffer: np.ndarray | None = None) -> Loaded:
        """Give what was read."""
        return self.loaded

    def read_rows(self, first: int, last: int) -> np.ndarray:
        """Rows first to last (half-open) in ADU."""
        return self.loaded.pixels[first:last]


@dataclass(frozen=True)
class HeldDark(RawDark):
    """A raw frame that keeps those rows that were once asked for."""

    kept: dict[tuple[int, int], tuple[AmplifierRows, ...]] = field(
        default_factory=dict, repr=False, kw_only=True
    )

    def amplifier_rows(self, first: int, last: int) -> Iterator[AmplifierRows]:
        """Give rows first to last (half-open) of the science pixels."""
        if (first, last) not in self.kept:
            self.kept[first, last] = tuple(super().amplifier_rows(first, last))
        yield from self.kept[first, last]


@dataclass(frozen=True)
class HeldFrames:
    """The frames of a set, and which rows of them are worked on."""

    frames: dict[Path, Frame]
    kept: dict[Path, dict[Any, Any]]
    """Rows of each frame, where only bands are held."""
    blocks: tuple[slice, ...]
    """Rows of the science image that are done at a time; those in none are left out."""
    bytes: int
    """Memory that is taken as long as they are held."""
    spare: bool
    """Whether there was room for what is useful but not needed; it counts in `bytes` then."""

    @property
    def whole(self) -> bool:
        """Whether every row is worked on."""
        return not self.kept

    @property
    def seen(self) -> int:
        """Rows that are worked on."""
        return sum(rows.stop - rows.start for rows in self.blocks)

    def put_into(self, inputs: Inputs) -> Inputs:
        """The same inputs on the held frames, with what memory is left."""
        left = max(1.0, inputs.settings.values.memory_limit - self.bytes / MIB)
        values = inputs.settings.values.model_copy(update={"memory_limit": left})
        return replace(
            inputs,
            darks=tuple(self._held(dark) for dark in inputs.darks),
            settings=replace(inputs.settings, values=values),
        )

    def _held(self, dark: RawDark) -> RawDark:
        frame = self.frames[dark.frame.path]
        if self.whole:
            return replace(dark, frame=frame)
        return HeldDark(frame, dark.about, dark.tag, kept=self.kept[frame.path])


def hold(inputs: Inputs, others: int, *, spare: int = 0) -> HeldFrames:
    """Hold the frames whole if memory-limit allows it, else bands of rows.

    The bands are spread evenly and do not depend on what is in them, so that what is counted in
    them stands for the whole frame.

    Parameters
    ----------
    inputs : Inputs
    others : int
        Bytes that are held for each pixel beside the frames.
    spare : int
        Bytes for each pixel that would be useful.
    """
    (rows, columns), darks = inputs.darks[0].shape, inputs.darks
    others *= rows * columns
    spare *= rows * columns
    plan = plan_of(inputs)
    free = int(inputs.settings.values.memory_limit * MIB) - plan.least - others
    row = sum(_row_bytes(dark.frame) for dark in darks)
    needed = row * darks[0].frame.layout.shape[0]
    kept: dict[Path, dict[Any, Any]] = {}
    if needed <= free:
        read = in_order(HeldFrame.of, (d.frame for d in darks), plan.frame_threads)
        frames: dict[Path, Frame] = {frame.path: frame for frame in read}
        bands = [slice(0, rows)]
    else:
        frames = {d.frame.path: d.frame for d in darks}
        bands, kept = spread_bands(rows, max(free, 0) // row), {path: {} for path in frames}
        needed = row * sum(band.stop - band.start for band in bands)
    room = not kept and needed + spare <= free
    held = HeldFrames(frames, kept, (), needed + others + spare * room, room)
    step = plan_of(held.put_into(inputs)).rows
    blocks = [
        slice(band.start + part.start, band.start + part.stop)
        for band in bands
        for part in row_blocks(band.stop - band.start, step)
    ]
    return replace(held, blocks=tuple(blocks))


def _row_bytes(frame: Frame) -> int:
    layout = frame.layout
    scaled = layout.dtype.kind != "f" and layout.work_a_pixel > 1
    return layout.shape[1] * (8 if scaled else layout.dtype.itemsize)


def spread_bands(rows: int, taken: int) -> list[slice]:
    """Bands of `HEIGHT` rows in the middles of equal parts of `rows`, `taken` rows in all.

    One there is always.
    """
    height = min(HEIGHT, rows)
    number = max(1, taken // height)
    starts = [((2 * i + 1) * rows // number - height) // 2 for i in range(number)]
    return [slice(start, start + height) for start in starts]
