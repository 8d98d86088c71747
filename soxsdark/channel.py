"""Pass 1 of one amplifier: levels, and what consecutive frames say of its noise."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from soxsdark.amplifiers import Amplifier
from soxsdark.baseline import Baseline
from soxsdark.calibration import BiasPart
from soxsdark.description import Description
from soxsdark.differences import WARM, Bins, PairNoise, difference_sample, pair_noise
from soxsdark.electrons import Samples, to_electrons
from soxsdark.errors import InputError
from soxsdark.frame_checks import blank_rows
from soxsdark.grid import Grid, filled
from soxsdark.level import FrameLevel, clip_values, cut_share, distinct, step_between
from soxsdark.noise_model import BLOCK, NoiseModel, build_noise_model
from soxsdark.parallel import Pool
from soxsdark.slope import BrightPixels, bright_places, frame_signals
from soxsdark.stack_input import block_medians

LARGEST = 1e12
"""ADU beyond which float32 electrons make no sense."""
SMALL = 4
"""Pixels of more bytes take more memory than their electrons."""


@dataclass(frozen=True)
class AmplifierLevel:
    """The level of one amplifier in one frame."""

    level: FrameLevel
    """ADU above the baseline."""
    baseline: Baseline
    """ADU, subtracted before all else; 0.0: nothing."""
    cut: float = 0.0
    """Share of pixels that lie at the lowest or highest value, cut off there."""
    blank: int = 0
    """Number of rows that hold one value throughout."""

    @property
    def offset(self) -> Baseline:
        """Raw ADU at which there are no electrons above the level; of each line or of all."""
        return self.level.level + self.baseline

    def baseline_of(self, rows: slice) -> Baseline:
        """The baseline of some rows of the amplifier."""
        baseline = self.baseline
        if isinstance(baseline, np.ndarray) and baseline.ndim and len(baseline) > 1:
            return baseline[rows]
        return baseline


@dataclass(frozen=True)
class Part:
    """One amplifier's pixels of a frame; let go as soon as its differences are taken."""

    electrons: np.ndarray | Samples
    """Above the level, float32."""
    saturation: float
    """In the same electrons; at most the highest value of the frame, which may be where pixels are
    stuck at a saturation that nobody has told."""
    medians: np.ndarray
    """Of each block, in the same electrons."""
    found: AmplifierLevel
    saturated: int
    """Number of saturated pixels."""
    step: int = 1
    """Between neighbouring values, in steps of the file's type."""

    @property
    def raw(self) -> bool:
        """Whether it lies where the frame was read to."""
        return isinstance(self.electrons, Samples)

    def bright(self, places: np.ndarray) -> np.ndarray:
        """Some pixels; NaN = saturated."""
        values = self.electrons[np.divmod(places, self.electrons.shape[1])]
        return np.where(values < self.saturation, values, np.nan)


@dataclass(frozen=True)
class _Seen:
    """What the distinct values of an amplifier's pixels say."""

    level: FrameLevel
    saturated: int
    highest: float = math.inf
    """ADU; infinity: not known."""
    cut: float = 0.0
    step: int = 1


class Channel:
    """One amplifier, and what is gathered while its frames pass by in order."""

    def __init__(self, number: int, about: Description, layout_quantum: float, frames: int) -> None:
        self.number, self.frames, self.ndit = number, frames, about.ndit
        amplifier = about.amplifiers[number]
        self.place = amplifier.place
        self.grid = Grid.of(amplifier.section.shape, BLOCK)
        self.gain = amplifier.gain
        self.quantum = amplifier.gain.value * layout_quantum
        self.medians: list[np.ndarray] = []
        """Of the blocks of each frame, electrons above its level."""
        self.bad: np.ndarray | None = None
        self.bias: BiasPart | None = None
        self.images = Pool(lambda: np.empty(amplifier.section.shape, np.float32))
        self.pairs: list[PairNoise] = []
        self._bright: list[np.ndarray] = []
        self._places = np.zeros(0, dtype=np.intp)

    def take(self, about: Description, image: np.ndarray, clipping: dict[str, Any]) -> Part:
        """Find the level of a frame, and its electrons above it; `image` is the whole raw."""
        amplifier = about.amplifiers[self.number]
        pixels, baseline = image[amplifier.raw], about.baseline(image, amplifier)
        _check_baseline(about, amplifier, baseline)
        limit, gain = about.saturation.value, amplifier.gain.value
        limit = math.inf if limit is None else limit
        seen = self._seen(pixels, baseline, limit, clipping)
        _check_level(about, amplifier, seen.level, pixels.dtype)
        # where the noise is lost between two values rows may hold one of them by chance
        blank = blank_rows(pixels) if seen.level.deviation >= seen.step else 0
        found = AmplifierLevel(seen.level, baseline, seen.cut, blank)
        if self.bias is None and np.ndim(baseline) == 0:
            offset = float(found.offset)
            medians = (block_medians(pixels, self.grid, self.bad) - offset) * gain
            small = Samples(pixels, offset, gain) if pixels.itemsize <= SMALL else None
            held = small or to_electrons(pixels, offset, gain, out=self.images.take())
            ceiling = (min(limit, seen.highest) - offset) * gain
            return Part(held, ceiling, medians, found, seen.saturated, seen.step)
        electrons = to_electrons(pixels, found.offset, gain, out=self.images.take())
        # their electrons no longer tell which pixels are saturated
        np.putmask(electrons, pixels >= min(limit, seen.highest), np.nan)
        if self.bias is not None:
            electrons -= self.bias.values
            electrons += np.float32(self.bias.level)
        medians = block_medians(electrons, self.grid, self.bad)
        return Part(electrons, math.inf, medians, found, seen.saturated, seen.step)

    def _seen(
        self, pixels: np.ndarray, baseline: Baseline, limit: float, clipping: dict[str, Any]
    ) -> _Seen:
        """Clip the pixels above the baseline.

        Exact on the distinct values, unless the baseline differs from line to line.
        """
        lines = np.ndim(baseline) > 0
        raw, counts = distinct(pixels - baseline if lines else pixels, self.bad)
        values = raw if lines or not baseline else raw - baseline
        level = clip_values(values, counts, ignored=pixels.size - int(counts.sum()), **clipping)
        if not lines:
            saturated = int(counts[raw >= limit].sum())
            highest = float(raw[-1]) if raw.size else math.inf
            ends = (float(end + baseline) for end in (level.lower, level.upper))
            step = step_between(raw, *ends)
            return _Seen(level, saturated, highest, cut_share(values, counts, level), step)
        full = pixels >= limit
        saturated = int(np.count_nonzero(full if self.bad is None else full & ~self.bad))
        return _Seen(level, saturated)

    def start(self, first: Part, second: Part) -> None:
        """Choose, on the first two frames, the bright pixels that are followed through all."""
        self.quantum *= math.gcd(first.step, second.step)
        pair = first.electrons, second.electrons
        bins = Bins.of(difference_sample(*pair, self.bad), self.quantum)
        if bins is None:
            return
        # well below the final limit, which is not known yet: light in one of the two raises it
        sigma = 0.3 * float(bins.warm) / WARM
        typical = (first.medians + second.medians) / 2
        self._places = bright_places(*pair, typical, self.grid, sigma, self.bad, self.frames)

    def follow(self, part: Part) -> None:
        """Take in the next frame's blocks and bright pixels."""
        self.medians.append(part.medians)
        self._bright.append(part.bright(self._places))

    def difference(self, first: Part, second: Part) -> PairNoise:
        """Measure the noise between two consecutive frames."""
        typical = (first.medians + second.medians) / 2
        pair = first.electrons, second.electrons
        return pair_noise(*pair, typical, self.grid, self.quantum, self.bad)

    def let_go(self, part: Part) -> None:
        """Take back the memory of a part whose differences are taken."""
        if isinstance(part.electrons, np.ndarray):
            self.images.give(part.electrons)

    def noise_model(self) -> NoiseModel:
        """Join what all pairs of frames say."""
        return build_noise_model(
            self.pairs,
            np.mean(self.medians, axis=0),
            self.grid,
            self.bright_pixels,
            gain_known=self.gain.source != "assumed",
            ndit=self.ndit,
        )

    @cached_property
    def bright_pixels(self) -> BrightPixels:
        """Those that were followed, once all frames have passed by."""
        typical = filled(np.mean(self.medians, axis=0), 0.0)
        return BrightPixels(np.array(self._bright), typical[self.grid.block_of(self._places)])

    def frame_signals(self, sigma: float) -> tuple[np.ndarray, float]:
        """`frame_signals` of the pixels that were followed, where sigma-zero is known."""
        return frame_signals(self.bright_pixels, sigma)

    def frame_ron(self, index: int) -> float:
        """Noise of one sample of a frame without quantisation, from the neighbouring frames."""
        near = [p.sigma for p in self.pairs[max(0, index - 1) : index + 1]]
        variance = float(np.mean(np.square(near))) - self.quantum**2 / 12
        return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan


def _check_baseline(about: Description, amplifier: Amplifier, baseline: Baseline) -> None:
    if np.isnan(baseline).any():
        raise InputError(
            f"{about.path}: no finite pixel in the overscan or reference pixels{amplifier.of}; "
            "leave the frame out, or do not subtract them"
        )


def _check_level(
    about: Description, amplifier: Amplifier, level: FrameLevel, dtype: np.dtype
) -> None:
    """Refuse a frame that cannot be averaged."""
    if not level.used:
        raise InputError(
            f"{about.path}: no usable pixel{amplifier.of} in it (bad-pixel map included); "
            "leave the frame out"
        )
    if level.deviation == 0 and level.clipped == 0:
        raise InputError(
            f"{about.path}: no scatter at all, every pixel{amplifier.of} (good in the bad-pixel "
            f"map, if there is one) is {level.level:g} ADU; leave the frame out"
        )
    if dtype.kind == "f" and not abs(level.level) < LARGEST:
        raise InputError(
            f"{about.path}: a level of {level.level:g} ADU is no detector's; leave it out"
        )
