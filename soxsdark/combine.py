"""Pass 2, block of rows by block: noise, both clippings, the mean; then the noisy pixels' choice.

How a pixel is clipped depends on whether it is noisy, and that on the whole noise image. So the
few candidates keep the results of both clippings, and the choice is made after the last block.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark.baseline import Baseline
from soxsdark.block import Average, BlockOptions, BlockResult, process_block
from soxsdark.electrons import to_electrons
from soxsdark.frame_noise import HALF, count_residuals
from soxsdark.level import FrameLevel
from soxsdark.noise_map import noise_scale
from soxsdark.orientation import Window
from soxsdark.parallel import Pool, in_order
from soxsdark.sampling import Lines
from soxsdark.saturation import SaturationLimits
from soxsdark.stacking import rejected_samples
from soxsdark.survey import AmplifierRows, RawDark, Survey

if TYPE_CHECKING:
    from soxsdark.settings_model import MdarkSettings

HALVES = 1 << 18
"""Pixels whose odd and even frames are compared: they tell a noise to 0.14 %."""
HALVES_SAMPLES = 1 << 23
"""Samples that are read for it at most: a hundredth of what pass 2 reads."""
ALONE = 4
"""Every so many of these lines tell the noise of each frame by itself."""


@dataclass(frozen=True)
class Halves:
    """What odd and even frames say of the noise, on some rows of the detector."""

    values: np.ndarray
    """(some rows, columns): half the difference of the two means, over the noise expected of one
    sample; of all samples, unclipped, NaN where one is missing."""
    lines: Lines
    """Which rows."""

    def of(self, place: Window) -> tuple[np.ndarray, slice]:
        """The values in a window, and which of its rows they are of."""
        inside, numbers = self.lines.within(place[0])
        return self.values[numbers, place[1]], inside


@dataclass(frozen=True)
class Combined:
    """The stack of a set; images of the science pixels, electrons."""

    mean: np.ndarray
    """Without the levels; NaN where there is no sample."""
    errors: np.ndarray
    used: np.ndarray
    rejected: np.ndarray
    noise: np.ndarray
    """The noise map; 0 where there are no two samples."""
    noisy: np.ndarray
    """True = bad."""
    quiet: np.ndarray | None
    """True = bad: scatters too little; None: not looked for."""
    saturated: np.ndarray
    """True = bad: a saturated sample was averaged."""
    frame_rejected: np.ndarray
    """Samples rejected in each frame."""
    frame_residuals: np.ndarray
    """Of each amplifier and frame: see `count_residuals`."""
    noise_scale: float
    """Typical variance over the expected one."""
    frame_clipped: tuple[np.ndarray, ...]
    """Number of frames in which frame-level clipping took the pixel as too low, and as too high; on
    request."""
    halves: Halves

    def part(self, place: Window) -> "Combined":
        """The images of a window, as views."""
        images: dict[str, Any] = {
            name: value[place]
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray) and value.ndim == 2
        }
        return replace(self, **images)


@dataclass(frozen=True)
class _Candidates:
    """Pixels of one block that may turn out to be noisy, averaged the other way."""

    index: np.ndarray
    exceedance: np.ndarray
    squares: np.ndarray
    """Variance over the expected one."""
    always: np.ndarray
    """True: noisy whatever the scale of the noise image."""
    mean: np.ndarray
    error: np.ndarray
    used: np.ndarray
    saturated: np.ndarray
    changed: tuple[np.ndarray, np.ndarray, np.ndarray]
    """Samples that only one of the two clippings rejects: frame, candidate, +1 or -1."""


@dataclass(frozen=True)
class _Part:
    """What a block leaves behind beside its part of the images."""

    candidates: _Candidates
    squares: np.ndarray
    """Sum over each row of the variances over the expected ones, candidates left out."""
    judged: int
    """How many pixels these are."""
    frame_rejected: np.ndarray


def further_bytes(settings: "MdarkSettings") -> int:
    """Bytes for each pixel of the images of the stack that only some settings ask for."""
    quiet = 4 * (settings.noise_clipping_lower_sigma is not None)
    return quiet + 2 * 2 * _counts_frame_clipping(settings)


def _counts_frame_clipping(settings: "MdarkSettings") -> bool:
    return settings.frame_clipping_flags or settings.frame_clipping_excludes_samples


class _Stack:
    """The images, and how one block of rows of them is made."""

    def __init__(
        self, darks: Sequence[RawDark], survey: Survey, settings: "MdarkSettings", rows: int
    ) -> None:
        self.darks, self.survey, self.settings = darks, survey, settings
        self.shape = darks[0].shape
        pixels = rows * self.shape[1]
        self.memory = Pool(lambda: np.empty(len(darks) * pixels, np.float32))
        self.results = Pool(lambda: BlockResult.empty(pixels, np.dtype(np.float32)))
        self.mean, self.errors, self.noise = (np.empty(self.shape, np.float32) for _ in range(3))
        counts = np.int16 if len(darks) <= np.iinfo(np.int16).max else np.int32
        self.used, self.rejected = (np.empty(self.shape, counts) for _ in range(2))
        self.saturated = np.zeros(self.shape, bool)
        lines = Lines.of(self.shape, min(HALVES, HALVES_SAMPLES // len(darks)))
        halves = np.empty((lines.number(self.shape[0]), self.shape[1]), np.float32)
        self.halves = Halves(halves, lines)
        amplifiers = len(darks[0].about.amplifiers)
        self.residuals = np.zeros((amplifiers, len(darks), 2 * HALF + 1), np.int64)
        self._adding = Lock()
        self.quiet = None
        if settings.noise_clipping_lower_sigma is not None:
            self.quiet = np.empty(self.shape, np.float32)
        number = 2 if _counts_frame_clipping(settings) else 0
        self.frame_clipped = tuple(np.zeros(self.shape, counts) for _ in range(number))
        self.options = block_options(survey, settings)
        self.saturation = SaturationLimits(darks, survey)

    def leave_out(self, blocks: Sequence[slice]) -> None:
        """Fill the rows that are in no block."""
        edges = [0, *(edge for rows in blocks for edge in (rows.start, rows.stop)), self.shape[0]]
        for gap in map(slice, edges[::2], edges[1::2]):
            self.mean[gap], self.errors[gap] = np.nan, np.inf
            self.noise[gap] = self.used[gap] = self.rejected[gap] = 0
            self.halves.values[self.halves.lines.within(gap)[1]] = np.nan
            if self.quiet is not None:
                self.quiet[gap] = np.inf

    def read(self, rows: slice, memory: np.ndarray) -> np.ndarray:
        """Samples (N, rows * columns) in electrons above the levels."""
        height, width = rows.stop - rows.start, self.shape[1]
        samples = memory[: len(self.darks) * height * width].reshape(len(self.darks), -1)
        for sample, dark, found in zip(samples, self.darks, self.survey.frames, strict=True):
            image = sample.reshape(height, width)
            for part in dark.amplifier_rows(rows.start, rows.stop):
                level, gain = found.levels[part.number], self.survey.gains[part.number]
                baseline = level.baseline_of(part.own)
                offset = level.level.level + baseline
                into = image[part.place[0].start - rows.start : part.place[0].stop - rows.start]
                if part.pixels.shape == image.shape:
                    to_electrons(part.pixels, offset, gain, out=sample)
                else:
                    into[:, part.place[1]] = to_electrons(part.pixels, offset, gain)
                if self.frame_clipped:
                    clipped = self._clip(part, level.level, baseline)
                    if self.settings.frame_clipping_excludes_samples:
                        into[:, part.place[1]][clipped] = np.nan
        return samples

    def _clip(self, part: AmplifierRows, level: FrameLevel, baseline: Baseline) -> np.ndarray:
        """Count what frame-level clipping took; return where."""
        low, high = part.pixels < level.lower + baseline, part.pixels > level.upper + baseline
        for counts, mask in zip(self.frame_clipped, (low, high), strict=True):
            counts[part.place] += mask
        return low | high

    def do(self, rows: slice) -> _Part:
        """Do one block of rows; blocks may be done side by side."""
        with self.memory.lent() as memory, self.results.lent() as results:
            return self._do(rows, self.read(rows, memory), results)

    def _do(self, rows: slice, samples: np.ndarray, results: BlockResult) -> _Part:
        model = self.survey.noise
        sigma = model.sigma_rows(rows.start, rows.stop).ravel()
        background = model.background_rows(rows.start, rows.stop).ravel()
        self._take_halves(rows, samples, sigma)
        block = process_block(samples, sigma, background, self.options, results)
        main, shape = block.main, (rows.stop - rows.start, self.shape[1])
        self.mean[rows], self.errors[rows] = main.mean.reshape(shape), main.error.reshape(shape)
        self.noise[rows] = np.nan_to_num(block.scatter, copy=False, nan=0.0).reshape(shape)
        self.used[rows] = main.used.reshape(shape)
        rejected = block.count - main.used
        self.rejected[rows] = rejected.reshape(shape)
        if self.quiet is not None:
            self.quiet[rows] = block.quiet.reshape(shape)
        some = np.flatnonzero(rejected)
        out = rejected_samples(samples[:, some], main.lowest[some], main.highest[some])
        start = rows.start * self.shape[1]
        bright = np.flatnonzero(main.highest >= self.saturation.lowest)
        self.saturated[rows].ravel()[bright] = self._saturated(samples, main, bright, start)
        squares = np.square(block.relative, dtype=np.float64)
        squares[block.candidate | np.isnan(block.relative)] = 0
        return _Part(
            candidates=self._candidates(samples, block, start),
            squares=squares.reshape(shape).sum(axis=1),
            judged=int(np.count_nonzero((block.count > 1) & ~block.candidate)),
            frame_rejected=out.sum(axis=1),
        )

    def _take_halves(self, rows: slice, samples: np.ndarray, sigma: np.ndarray) -> None:
        inside, numbers = self.halves.lines.within(rows)
        shape = (rows.stop - rows.start, self.shape[1])
        chosen = samples.reshape(-1, *shape)[:, inside]
        with np.errstate(over="ignore", invalid="ignore"):
            difference = chosen[0::2].mean(axis=0) - chosen[1::2].mean(axis=0)
            self.halves.values[numbers] = difference / (2 * sigma.reshape(shape)[inside])
        alone = slice(-numbers.start % ALONE, None, ALONE)
        lines = np.arange(rows.start, rows.stop)[inside][alone]
        self._take_residuals(lines, chosen[:, alone], sigma.reshape(shape)[inside][alone])

    def _take_residuals(self, lines: np.ndarray, samples: np.ndarray, sigma: np.ndarray) -> None:
        """Count what is left of the frames on some lines, amplifier by amplifier."""
        for number, amplifier in enumerate(self.darks[0].about.amplifiers):
            rows, columns = amplifier.place
            own = slice(*np.searchsorted(lines, (rows.start, rows.stop)))
            some = samples[:, own, columns].reshape(len(samples), -1)
            counts = count_residuals(some, sigma[own, columns].ravel())
            with self._adding:
                self.residuals[number] += counts

    def _saturated(
        self, samples: np.ndarray, average: Average, at: np.ndarray, start: int
    ) -> np.ndarray:
        """Whether a saturated sample was averaged; the block begins at pixel `start`."""
        some = samples[:, at]
        left: np.ndarray = ~rejected_samples(some, average.lowest[at], average.highest[at])
        return np.any(left & (some >= self.saturation.at(at + start)), axis=0)

    def _candidates(self, samples: np.ndarray, block: BlockResult, start: int) -> _Candidates:
        at = np.flatnonzero(block.candidate)
        wide = block.wide
        # most keep the same samples either way
        other = np.flatnonzero(
            (wide.lowest[at] != block.main.lowest[at])
            | (wide.highest[at] != block.main.highest[at])
        )
        some = at[other]
        change = rejected_samples(samples[:, some], wide.lowest[some], wide.highest[some])
        change = change.astype(np.int8) - rejected_samples(
            samples[:, some], block.main.lowest[some], block.main.highest[some]
        )
        frame, number = np.nonzero(change)
        return _Candidates(
            index=at + start,
            exceedance=block.exceedance[at],
            squares=np.square(block.relative[at], dtype=np.float64),
            always=block.unclipped[at],
            mean=wide.mean[at],
            error=wide.error[at],
            used=wide.used[at],
            saturated=self._saturated(samples, wide, at, start),
            changed=(frame, other[number], change[frame, number]),
        )

    def choose(self, found: _Candidates, noisy: np.ndarray, frame_rejected: np.ndarray) -> None:
        """Give the noisy ones of the candidates (True) the result of their own clipping."""
        at = found.index[noisy]
        self.mean.flat[at], self.errors.flat[at] = found.mean[noisy], found.error[noisy]
        self.rejected.flat[at] += (self.used.flat[at] - found.used[noisy]).astype(self.used.dtype)
        self.used.flat[at] = found.used[noisy]
        self.saturated.flat[at] = found.saturated[noisy]
        frame, candidate, change = found.changed
        np.add.at(frame_rejected, frame[noisy[candidate]], change[noisy[candidate]])


def block_options(survey: Survey, settings: "MdarkSettings") -> BlockOptions:
    """How the pixels of a set are clipped and judged."""
    return BlockOptions(
        deviation=settings.stacked_clipping_deviation,
        k=settings.stacked_clipping_sigma,
        iterations=settings.stacked_clipping_iterations,
        upper=settings.noise_clipping_upper_sigma,
        lower=settings.noise_clipping_lower_sigma,
        slope=survey.noise.variance_slope,
    )


def read_samples(
    darks: Sequence[RawDark], survey: Survey, settings: "MdarkSettings", rows: slice
) -> np.ndarray:
    """Samples of some rows as `combine` sees them: (N, rows * columns), electrons above levels."""
    stack = _Stack(darks, survey, settings, rows.stop - rows.start)
    return stack.read(rows, stack.memory.take())


def combine(
    darks: Sequence[RawDark],
    survey: Survey,
    settings: "MdarkSettings",
    blocks: Sequence[slice],
    threads: int = 1,
    step: Callable[[], None] = lambda: None,
) -> Combined:
    """Stack the frames: clip, average, and find the noisy pixels.

    Parameters
    ----------
    darks : sequence of RawDark
    survey : Survey
        Of the same frames.
    settings : MdarkSettings
    blocks : sequence of slice
        Rows that are done at a time, in rising order; with `threads` of no influence on the
        result. Rows in none of them are left out: they have no sample.
    threads : int
    step : callable
        Called after each block of rows.
    """
    tallest = max(rows.stop - rows.start for rows in blocks)
    stack, parts = _Stack(darks, survey, settings, tallest), []
    stack.leave_out(blocks)
    for part in in_order(stack.do, blocks, threads):
        parts.append(part)
        step()
    candidates = [p.candidates for p in parts]
    scale = noise_scale(
        np.concatenate([c.squares for c in candidates]),
        np.concatenate([c.exceedance for c in candidates]),
        rest=math.fsum(np.concatenate([p.squares for p in parts])),
        others=sum(p.judged for p in parts),
        iterations=settings.noise_clipping_iterations,
    )
    noisy = np.zeros(stack.shape, bool)
    frame_rejected = np.sum([p.frame_rejected for p in parts], axis=0)
    for found in candidates:
        chosen = found.always | (found.exceedance > scale)
        noisy.flat[found.index[chosen]] = True
        stack.choose(found, chosen, frame_rejected)
    return Combined(
        mean=stack.mean,
        errors=stack.errors,
        used=stack.used,
        rejected=stack.rejected,
        noise=stack.noise,
        noisy=noisy,
        quiet=None if stack.quiet is None else stack.quiet < scale,
        saturated=stack.saturated,
        frame_rejected=frame_rejected,
        frame_residuals=stack.residuals,
        noise_scale=scale,
        frame_clipped=stack.frame_clipped,
        halves=stack.halves,
    )
