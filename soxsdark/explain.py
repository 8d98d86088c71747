"""Everything that happened to one pixel, retraced with the functions that made the products."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from soxsdark.block import Average, BlockOptions, process_block, wide_sigma
from soxsdark.combine import block_options, read_samples
from soxsdark.errors import UsageError
from soxsdark.flags import Flag
from soxsdark.flags_explained import FlagReason, flag_reasons
from soxsdark.noise_map import event_sums
from soxsdark.noise_model import shot_noise
from soxsdark.orientation import raw_window
from soxsdark.reduction import Reduced
from soxsdark.saturation import SaturationLimits
from soxsdark.stacking import (
    StackDeviation,
    clipping_rounds,
    lower_quartile,
    rejected_samples,
    run_median,
    sort_stack,
)

AVERAGED, REJECTED, NO_VALUE = "averaged", "rejected", "no value"
EXCLUDED = "left out, clipped in its frame"


@dataclass(frozen=True)
class Place:
    """Where a pixel is."""

    x: int
    y: int
    """In the products, from 1, as FITS and its viewers count."""
    row: int
    column: int
    """In arrays of the products, from 0."""
    raw_row: int
    raw_column: int
    """In the pixels of the raw files, from 0."""
    amplifier: int
    """Its number, from 0."""
    amplifier_name: str
    science: tuple[int, int]
    """In the science image as the raw frames lie, from 0."""


@dataclass(frozen=True)
class Sample:
    """The pixel in one frame."""

    frame: str
    adu: float
    level: float
    """Of its frame and amplifier, with overscan or reference pixels; ADU."""
    electrons: float
    """Above the level; NaN: no value."""
    limits: tuple[float, float]
    """Of frame-level clipping, ADU."""
    saturated: bool
    fate: str


@dataclass(frozen=True)
class ClippingRound:
    """One round of the clipping along the stack; electrons."""

    number: int
    centre: float
    deviation: float
    lower: float
    upper: float
    left: int
    """Samples left."""


@dataclass(frozen=True)
class NoiseTest:
    """Sum of squares with some of the highest samples forgiven as cosmic rays."""

    forgiven: int
    value: float
    limit: float
    """With the scale of the noise image."""


@dataclass(frozen=True)
class StackNoise:
    """What a sample of the pixel may scatter, and what it does; electrons."""

    sigma: float
    """Of an ordinary sample here."""
    background: float
    """Above the level."""
    median: float
    expected: float
    """With the shot noise of its signal: one sigma of the clipping by the noise model."""
    cautious: float
    """With that of the lower quartile: for the noise map."""
    scatter: float
    scale: float
    """Typical variance over the expected one."""
    tests: tuple[NoiseTest, ...]
    """Noisy if every one is exceeded."""
    noisy: bool
    unclipped: bool
    """Whether clipping would have left fewer than two samples, so that all were kept."""


@dataclass(frozen=True)
class Value:
    """The pixel in the products."""

    flux: float
    errs: float
    used: int
    rejected: int
    noise: float
    flags: int


@dataclass(frozen=True)
class Explanation:
    """The story of one pixel."""

    place: Place
    samples: tuple[Sample, ...]
    noise: StackNoise
    rounds: tuple[ClippingRound, ...]
    """As an ordinary pixel is clipped."""
    own_rounds: tuple[ClippingRound, ...]
    """As a noisy pixel is clipped; empty where it is not noisy."""
    k: float
    deviation: str
    """stacked-clipping-deviation."""
    average: Average
    """Of the clipping that counts, arrays of one pixel."""
    reasons: tuple[FlagReason, ...]
    product: Value

    @property
    def flags(self) -> Flag:
        """The flags that the reasons give."""
        return Flag(sum(reason.flag for reason in self.reasons if reason.holds))


def explain(reduced: Reduced, x: int, y: int) -> Explanation:
    """Retrace what happened to a pixel.

    Parameters
    ----------
    reduced : Reduced
    x, y : int
        Column and row in the products, from 1, as FITS counts.

    Raises
    ------
    UsageError
        There is no such pixel.
    """
    inputs, surveyed = reduced.inputs, reduced.survey
    settings, place = inputs.settings.values, find_place(reduced, x, y)
    row, column = place.science
    samples = read_samples(inputs.darks, surveyed, settings, slice(row, row + 1))[:, [column]]
    model = surveyed.noise
    sigma = model.sigma_rows(row, row + 1)[0, [column]]
    background = model.background_rows(row, row + 1)[0, [column]]
    options = block_options(surveyed, settings)
    block = process_block(samples, sigma, background, options)
    unclipped = bool(block.unclipped[0])
    noisy = unclipped or float(block.exceedance[0]) > reduced.noise_scale
    average = block.wide if noisy else block.main
    stack = _Stack.of(samples, sigma, background, options)
    saturated = samples >= SaturationLimits(inputs.darks, surveyed).at(
        np.array([row * inputs.darks[0].shape[1] + column])
    )
    rejected = rejected_samples(samples, average.lowest, average.highest)
    fates = [_fate(*facts) for facts in zip(samples[:, 0], rejected[:, 0], strict=True)]
    found = tuple(_samples(reduced, place, samples[:, 0], saturated[:, 0], fates))
    product = _value(reduced, place)
    noise = stack.noise(float(block.scatter[0]), reduced.noise_scale, noisy, unclipped)
    return Explanation(
        place=place,
        samples=found,
        noise=noise,
        rounds=stack.rounds(options),
        own_rounds=stack.own_rounds(options, block.scatter) if noisy else (),
        k=options.k,
        deviation=options.deviation,
        average=average,
        reasons=flag_reasons(
            reduced, place, product, found, noise=noise, quiet=float(block.quiet[0])
        ),
        product=product,
    )


def find_place(reduced: Reduced, x: int, y: int) -> Place:
    """Where the pixel x, y of the products is everywhere else."""
    about, (rows, columns) = reduced.inputs.darks[0].about, reduced.master.flux.shape
    if not (1 <= x <= columns and 1 <= y <= rows):
        raise UsageError(
            f"no pixel {x},{y}: the products have {columns} columns and {rows} rows, counted "
            "from 1, column first"
        )
    one = slice(y - 1, y), slice(x - 1, x)
    row, column = (part.start for part in raw_window(one, about.shape, about.rotation))
    for number, amplifier in enumerate(about.amplifiers):
        down, across = amplifier.place
        if down.start <= row < down.stop and across.start <= column < across.stop:
            raw_row = amplifier.raw[0].start + row - down.start
            raw_column = amplifier.raw[1].start + column - across.start
            return Place(
                x, y, y - 1, x - 1, raw_row, raw_column, number, amplifier.section.name,
                (row, column),
            )  # fmt: skip
    raise AssertionError("the amplifiers cover the image")


def _fate(value: float, rejected: bool) -> str:
    if not math.isfinite(value):
        return NO_VALUE
    return REJECTED if rejected else AVERAGED


def _samples(
    reduced: Reduced,
    place: Place,
    electrons: np.ndarray,
    saturated: np.ndarray,
    fates: Sequence[str],
) -> Iterator[Sample]:
    pairs = zip(reduced.inputs.darks, reduced.survey.frames, strict=True)
    for i, (dark, found) in enumerate(pairs):
        amplifier, at = dark.about.amplifiers[place.amplifier], found.levels[place.amplifier]
        own = tuple(n - span.start for n, span in zip(place.science, amplifier.place, strict=True))
        baseline = float(np.broadcast_to(at.baseline, amplifier.section.shape)[own])
        row = dark.frame.read_rows(place.raw_row, place.raw_row + 1)[0]
        adu = float(row[place.raw_column])
        limits = at.level.lower + baseline, at.level.upper + baseline
        outside = adu < limits[0] or adu > limits[1]
        excluded = outside and reduced.inputs.settings.values.frame_clipping_excludes_samples
        yield Sample(
            frame=dark.name,
            adu=adu,
            level=at.level.level + baseline,
            electrons=float(electrons[i]),
            limits=limits,
            saturated=bool(saturated[i]),
            fate=EXCLUDED if excluded else fates[i],
        )


def _value(reduced: Reduced, place: Place) -> Value:
    at, master, mask = (place.row, place.column), reduced.master, reduced.mask
    return Value(
        flux=float(master.flux[at]),
        errs=float(master.errs[at]),
        used=int(master.ncom[at]),
        rejected=int(mask.rejected[at]),
        noise=float(mask.noise[at]),
        flags=int(master.qual[at]),
    )


@dataclass(frozen=True)
class _Stack:
    """The samples of the pixel in order, and what they may scatter; arrays of one pixel."""

    ordered: np.ndarray
    count: np.ndarray
    sigma: np.ndarray
    background: np.ndarray
    median: np.ndarray
    own: np.ndarray
    cautious: np.ndarray
    upper: float

    @classmethod
    def of(
        cls, samples: np.ndarray, sigma: np.ndarray, background: np.ndarray, options: BlockOptions
    ) -> "_Stack":
        sigma, background = sigma.astype(np.float64), background.astype(np.float64)
        ordered, count = sort_stack(samples)
        least = np.maximum(count, 1)
        median = run_median(ordered, np.zeros_like(count), least)
        noise = partial(shot_noise, sigma, background, median, least, options.slope)
        cautious = noise(floor=lower_quartile(ordered, count))
        return cls(ordered, count, sigma, background, median, noise(), cautious, options.upper)

    def rounds(self, options: BlockOptions) -> tuple[ClippingRound, ...]:
        """The clipping of an ordinary pixel."""
        return self._rounds(options, options.deviation, self.own, options.iterations)

    def own_rounds(self, options: BlockOptions, scatter: np.ndarray) -> tuple[ClippingRound, ...]:
        """The clipping of a noisy pixel."""
        if options.deviation != "noise-model":
            return self.rounds(options)
        wide = wide_sigma(self.ordered, self.count, self.own, scatter.astype(np.float64))
        return self._rounds(options, "noise-model", wide, min(1, options.iterations))

    def _rounds(
        self, options: BlockOptions, deviation: StackDeviation, sigma: np.ndarray, iterations: int
    ) -> tuple[ClippingRound, ...]:
        rounds = clipping_rounds(
            self.ordered, self.count, deviation=deviation, sigma=sigma, k=options.k,
            iterations=iterations,
        )  # fmt: skip
        return tuple(
            ClippingRound(
                number,
                float(found.centre[0]),
                float(found.upper[0] - found.centre[0]) / options.k,
                float(found.lower[0]),
                float(found.upper[0]),
                int(found.last[0] - found.first[0]),
            )
            for number, found in enumerate(rounds, start=1)
        )

    def noise(self, scatter: float, scale: float, noisy: bool, unclipped: bool) -> StackNoise:
        """What the noise map says of it."""
        tests: tuple[NoiseTest, ...] = ()
        if self.count[0] > 1:
            sums, limits, found = event_sums(
                self.ordered, int(self.count[0]), self.cautious, self.upper
            )
            tests = tuple(
                NoiseTest(j, float(sums[j, 0]), float(limits[j]) * scale)
                for j in range(int(found[0]) + 1)
            )
        return StackNoise(
            sigma=float(self.sigma[0]),
            background=float(self.background[0]),
            median=float(self.median[0]),
            expected=float(self.own[0]),
            cautious=float(self.cautious[0]),
            scatter=scatter,
            scale=scale,
            tests=tests,
            noisy=noisy,
            unclipped=unclipped,
        )
