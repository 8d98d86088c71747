"""What a simulated set of raw frames is to look like."""

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from math import inf
from typing import Any

from soxsdark.errors import UsageError
from soxsdark.nights import moment_in
from soxsdark.simulated_arms import ARMS, Span

DTYPES = ("uint16", "int16", "int32", "float32")
LARGEST_FRAME = 100_000_000
MOST = 1e9
"""Electrons or ADU of an effect."""
MOST_RATE, LONGEST, MOST_READS = 1e6, 1e6, 10**6
"""e-/s, s and NDIT: their product is the largest number of electrons that can be drawn."""


class PixelClass(IntFlag):
    """What a simulated pixel is; 0 is a good one."""

    HOT = 1
    NOISY = 2
    TELEGRAPH = 4
    LISTED = 8
    """In the bad-pixel map, added to the other bits; alone, a good pixel wrongly listed."""


def _option(default: Any, text: str, low: float = -inf, high: float = inf) -> Any:
    return field(default=default, metadata={"help": text, "low": low, "high": high})


@dataclass(frozen=True)
class Scene:
    """Everything that decides what a simulated set looks like.

    Every field's ``metadata["help"]`` says what it is. A field whose default is None takes the
    arm's own value when the scene is made (`shape` and `header_gain` stay None), so a scene for
    another arm is made anew, not by ``dataclasses.replace``.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    arm: str = _option("NIR", ", ".join(f"{key} ({arm.instrument})" for key, arm in ARMS.items()))
    frames: int = _option(5, "number of frames", 1)
    exptime: float = _option(None, "exposure time of one DIT, s; 0 = biases", 0, LONGEST)
    seed: int = _option(1, "seed: the same seed gives the same files", 0, 2**63 - 1)
    shape: tuple[int, int] | None = _option(
        None,
        "rows and columns of a science cut-out without overscan (MEGARA: of a smaller detector, "
        "overscan around it); else the whole detector",
    )
    overscan: bool = _option(True, "with the whole detector: keep reference, pre-, overscan pixels")
    ndit: int = _option(1, "NIR: every frame is the average of so many reads", 1, MOST_READS)
    ron: float = _option(None, "read-out noise of one read, e-", 0, MOST)
    ron_spread: float = _option(0.0, "spread of the read-out noise from pixel to pixel", 0, 1)
    gain: float = _option(None, "true gain, e-/ADU", 1e-6, MOST)
    header_gain: float | None = _option(
        None, "gain in the headers, where it is wrong; else the true one", 1e-6, MOST
    )
    dtype: str = _option(None, "pixels of the files: " + ", ".join(DTYPES))
    saturation: float = _option(None, "value at which raw pixels saturate, ADU", 1)
    pedestal: float = _option(
        None,
        "mean level of a frame without charge, ADU (1000 in uint16 where the arm has none)",
        -MOST,
        MOST,
    )
    drift: float = _option(2.0, "frame-to-frame scatter of that level, ADU", 0, MOST)
    tilt: float = _option(
        0.0, "frame-to-frame scatter of its rise from the first to the last row, ADU", 0, MOST
    )
    dark: float = _option(None, "dark current, e-/s", 0, MOST_RATE)
    dark_spread: float = _option(0.05, "spread of the dark current from pixel to pixel", 0, 1)
    hot_fraction: float = _option(0.004, "fraction of hot pixels", 0, 1)
    hot_rate_min: float = _option(None, "rate of the faintest hot pixel, e-/s", 1e-9, MOST_RATE)
    hot_rate_max: float = _option(None, "rate of the brightest hot pixel, e-/s", 1e-9, MOST_RATE)
    noisy_fraction: float = _option(0.002, "fraction of pixels with 4-10 times the noise", 0, 1)
    telegraph_fraction: float = _option(0.0005, "fraction of random-telegraph pixels", 0, 1)
    bad_pixel_fraction: float = _option(0.002, "fraction of pixels in the bad-pixel map", 0, 1)
    list_bad_pixel_map: bool = _option(False, "name the bad-pixel map in the SOF")
    cosmic_ray_rate: float = _option(1e-7, "cosmic rays per pixel and second", 0, 1)
    glow: float = _option(0.0, "amplifier glow in a corner, e- at its peak in one DIT", 0, MOST)
    gradient: float = _option(0.0, "ramp across the columns, e- at its end in one DIT", 0, MOST)
    light_leak: float = _option(0.0, "light in the middle frame alone, e- at its peak", 0, MOST)
    date_obs: str = _option("2025-03-10T13:00:00.000", "start of the first exposure (UTC)")

    def __post_init__(self) -> None:
        """Fill in the arm's own values and check all."""
        if self.arm not in ARMS:
            raise UsageError(f"arm: got {self.arm!r}, expected one of {', '.join(ARMS)}")
        own = dict(ARMS[self.arm].options)
        if (self.dtype or own["dtype"]) == "uint16":
            own["pedestal"] = max(own["pedestal"], 1000.0)
        for key, value in own.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)
        self._check_bounds()
        self._check_together()

    def _check_bounds(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            low, high = option.metadata["low"], option.metadata["high"]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and not low <= value <= high:
                allowed = f"at least {low:g}" if high == inf else f"{low:g} to {high:g}"
                raise UsageError(f"{option.name}: got {value}, expected {allowed}")

    def _check_together(self) -> None:
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        if self.shape is not None and self.shape[0] * self.shape[1] > LARGEST_FRAME:
            raise UsageError(
                f"shape: got {self.shape}, expected at most {LARGEST_FRAME} pixels in a frame"
            )
        if self.shape is not None and min(self.shape) < 8:
            raise UsageError(f"shape: got {self.shape}, expected at least 8 rows and 8 columns")
        halves = len(ARMS[self.arm].readouts)
        if self.shape is not None and self.shape[0] % halves:
            raise UsageError(
                f"shape: got {self.shape}, expected a number of rows that {halves} amplifiers share"
            )
        if self.hot_rate_max <= self.hot_rate_min:
            low, high = self.hot_rate_min, self.hot_rate_max
            raise UsageError(
                f"hot_rate_max: got {high:g}, expected more than hot_rate_min, {low:g}"
            )
        total = self.hot_fraction + self.noisy_fraction + self.telegraph_fraction
        if total > 1:
            raise UsageError(
                f"hot, noisy and telegraph fractions: their sum is {total:g}, expected at most 1"
            )
        if self.ndit > 1 and ARMS[self.arm].name != "NIR":
            raise UsageError(f"ndit: got {self.ndit}, expected 1 in the {self.arm} arm")
        try:
            self.start(self.frames)
        except (ValueError, OverflowError) as problem:
            raise UsageError(f"date_obs: {problem}; expected 2025-03-10T13:00:00") from problem

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of the raw image, as it lies in the file."""
        return self._turned(self.whole_shape)

    @property
    def whole_shape(self) -> tuple[int, int]:
        """Rows and columns of the raw image, turned as the products are."""
        if not self._full:
            return self.science_shape
        return self.fitted(*self._turned(ARMS[self.arm].raw_shape))

    @property
    def _full(self) -> bool:
        """Whether there is an overscan."""
        return self.overscan and (self.shape is None or len(ARMS[self.arm].readouts) > 1)

    def _turned(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[::-1] if ARMS[self.arm].rotation % 180 else shape

    @property
    def science_shape(self) -> tuple[int, int]:
        """Rows and columns of the science pixels."""
        return self.shape or self._detector_shape

    @property
    def _detector_shape(self) -> tuple[int, int]:
        arm = ARMS[self.arm]
        return sum(stop - start for start, stop in arm.rows), arm.columns[1] - arm.columns[0]

    def fitted(self, row: int, column: int) -> tuple[int, int]:
        """Return where a corner of the detector's areas lies in a detector of this shape.

        Overscan keeps its width; every amplifier loses as many science rows as the others.
        """
        arm, (rows, columns), own = ARMS[self.arm], self._detector_shape, self.science_shape
        less = (rows - own[0]) // len(arm.rows)
        before = sum(stop <= row for _, stop in arm.rows)
        return row - less * before, column - (columns - own[1]) * (column >= arm.columns[1])

    def fitted_window(self, rows: Span, columns: Span) -> tuple[slice, slice]:
        """Return the window that an area of the detector is in a detector of this shape."""
        corners = (self.fitted(*corner) for corner in zip(rows, columns, strict=True))
        first, last = corners
        return slice(first[0], last[0]), slice(first[1], last[1])

    @property
    def amplifiers(self) -> tuple["SceneAmplifier", ...]:
        """The amplifiers, from the first row on."""
        return tuple(map(self._amplifier, range(len(ARMS[self.arm].readouts))))

    def _amplifier(self, number: int) -> "SceneAmplifier":
        arm, columns = ARMS[self.arm], slice(0, self.whole_shape[1])
        readout = arm.readouts[number]
        height = self.science_shape[0] // len(arm.readouts)
        area = science = place = slice(number * height, (number + 1) * height), columns
        if self._full:
            place = place[0], slice(0, self.science_shape[1])
            science = self.fitted_window(readout.rows, arm.columns)
            area = self.fitted_window(readout.area, (0, 0))[0], columns
        header_gain = self.gain if self.header_gain is None else self.header_gain
        return SceneAmplifier(
            area,
            science,
            place,
            gain=self.gain * readout.gain,
            header_gain=header_gain * readout.gain,
            ron=self.ron * readout.ron,
            pedestal=self.pedestal + readout.pedestal,
        )

    @property
    def kind(self) -> str:
        """What the frames are: darks, or biases without exposure."""
        return "dark" if self.exptime else "bias"

    def start(self, index: int) -> datetime:
        """Return the start of an exposure, from 0, in UTC to the millisecond."""
        cycle = self.ndit * (self.exptime + ARMS[self.arm].overhead)
        start = moment_in(self.date_obs).astimezone(UTC) + timedelta(seconds=index * cycle)
        return start.replace(microsecond=start.microsecond // 1000 * 1000)

    @property
    def leak_frame(self) -> int:
        """Index of the frame that a light leak falls into, from 0."""
        return self.frames // 2


@dataclass(frozen=True)
class SceneAmplifier:
    """One amplifier; windows are (rows, columns) of the raw image turned as the products are."""

    area: tuple[slice, slice]
    """All pixels that it reads."""
    science: tuple[slice, slice]
    place: tuple[slice, slice]
    """Its science pixels in the science image."""
    gain: float
    """e-/ADU."""
    header_gain: float
    """As its header says."""
    ron: float
    """e-, of one read."""
    pedestal: float
    """ADU."""
