"""One block of pixels: clipping, mean and noise, by the compiled kernel or by NumPy."""

from dataclasses import dataclass, fields
from types import ModuleType
from typing import get_args

import numpy as np

from soxsdark.compiled import kernel
from soxsdark.level import MAD_TO_SIGMA
from soxsdark.noise_map import CANDIDATE, EVENT, lower_thresholds, noise_block, upper_thresholds
from soxsdark.noise_model import SIGNIFICANT, shot_noise
from soxsdark.stacking import (
    ClippedBlock,
    StackDeviation,
    lower_quartile,
    run_median,
    sort_stack,
    stack_block,
)


@dataclass(frozen=True)
class BlockOptions:
    """How pixels are clipped and judged."""

    deviation: StackDeviation
    k: float
    iterations: int
    upper: float
    lower: float | None
    slope: float
    """Variance for each unit of signal."""


@dataclass(frozen=True)
class Average:
    """The survivors of one clipping, one value a pixel."""

    mean: np.ndarray
    error: np.ndarray
    """One standard deviation of `mean`; infinite where there is no sample."""
    lowest: np.ndarray
    highest: np.ndarray
    """Smallest and largest survivor: samples beyond were rejected."""
    used: np.ndarray

    @classmethod
    def empty(cls, pixels: int, dtype: np.dtype) -> "Average":
        """All zero; memory that is never written to is never taken."""
        mean, error, lowest, highest = np.zeros((4, pixels), dtype)
        return cls(mean, error, lowest, highest, np.zeros(pixels, np.int32))

    def first(self, pixels: int) -> "Average":
        """The part of so many pixels."""
        return Average(*(values[:pixels] for values in vars(self).values()))


@dataclass(frozen=True)
class BlockResult:
    """What `process_block` finds, one value a pixel."""

    main: Average
    wide: Average
    """Averaged as a noisy pixel is; for candidates only."""
    scatter: np.ndarray
    relative: np.ndarray
    exceedance: np.ndarray
    quiet: np.ndarray
    """As in `NoiseBlock`."""
    count: np.ndarray
    """Valid samples."""
    unclipped: np.ndarray
    """True where clipping would have left fewer than two samples."""
    candidate: np.ndarray
    """True where the pixel may turn out to be noisy."""

    @classmethod
    def empty(cls, pixels: int, dtype: np.dtype) -> "BlockResult":
        """All zero."""
        main, wide = Average.empty(pixels, dtype), Average.empty(pixels, dtype)
        scatter, relative, exceedance, quiet = np.zeros((4, pixels), dtype)
        count, masks = np.zeros(pixels, np.int32), np.zeros((2, pixels), bool)
        images = scatter, relative, exceedance, quiet
        return cls(main, wide, *images, count, masks[0], masks[1])

    def first(self, pixels: int) -> "BlockResult":
        """The part of so many pixels."""
        averages = (self.main.first(pixels), self.wide.first(pixels))
        others = (values[:pixels] for values in list(vars(self).values())[2:])
        return BlockResult(*averages, *others)


def process_block(
    samples: np.ndarray,
    sigma: np.ndarray,
    background: np.ndarray,
    options: BlockOptions,
    out: BlockResult | None = None,
) -> BlockResult:
    """Clip, average and judge P pixels.

    Parameters
    ----------
    samples : ndarray of float, (N, P)
        Unsorted; not finite = bad. Double precision is kept, all else becomes float32.
    sigma, background : ndarray of float, (P,)
        Noise of an ordinary sample, and the background under each pixel.
    options : BlockOptions
    out : BlockResult, optional
        Memory for the results, of at least P pixels and of the type of `samples`.
    """
    dtype = np.float64 if samples.dtype.char == "d" else np.float32
    samples, sigma, background = (
        np.ascontiguousarray(a, dtype=dtype) for a in (samples, sigma, background)
    )
    pixels = samples.shape[1]
    result = BlockResult.empty(pixels, np.dtype(dtype)) if out is None else out.first(pixels)
    compiled = kernel()
    if compiled is None:
        process_block_numpy(samples, sigma, background, options, result)
    else:
        _process_compiled(compiled, samples, sigma, background, options, result)
    return result


def process_block_numpy(
    samples: np.ndarray,
    sigma: np.ndarray,
    background: np.ndarray,
    options: BlockOptions,
    result: BlockResult,
) -> None:
    """`process_block` in NumPy: the reference."""
    sigma, background = sigma.astype(np.float64), background.astype(np.float64)
    ordered, count = sort_stack(samples)
    least = np.maximum(count, 1)
    median = run_median(ordered, np.zeros_like(count), least)
    ordinary = (sigma, background, median, least)
    own = shot_noise(*ordinary, options.slope)
    cautious = shot_noise(*ordinary, options.slope, floor=lower_quartile(ordered, count))
    clipped = stack_block(
        ordered,
        count,
        deviation=options.deviation,
        sigma=own,
        k=options.k,
        iterations=options.iterations,
    )
    noise = noise_block(ordered, count, cautious, upper=options.upper, lower=options.lower)
    _fill(result.main, slice(None), clipped, own)
    for name in ("scatter", "relative", "exceedance", "quiet"):
        getattr(result, name)[:] = getattr(noise, name)
    result.count[:], result.unclipped[:] = count, clipped.unclipped
    result.candidate[:] = (noise.exceedance > CANDIDATE) | clipped.unclipped
    some = np.flatnonzero(result.candidate)
    if some.size:
        _average_wide(result, some, (ordered, count, own, noise.scatter), clipped, options)


def _fill(
    average: Average, at: np.ndarray | slice, clipped: ClippedBlock, sigma: np.ndarray
) -> None:
    average.mean[at], average.used[at] = clipped.mean, clipped.used
    average.lowest[at], average.highest[at] = clipped.lowest, clipped.highest
    some = clipped.used > 0
    error = np.full(some.shape, np.inf)
    average.error[at] = np.divide(sigma, np.sqrt(clipped.used), out=error, where=some)


def _average_wide(
    result: BlockResult,
    at: np.ndarray,
    stack: tuple[np.ndarray, ...],
    clipped: ClippedBlock,
    options: BlockOptions,
) -> None:
    """Clip candidates once at k max(min(1.4826 MAD, scatter), sigma), to keep noisy samples.

    The scatter is the noise map's, without what may be cosmic rays. MAD alone is wild for few
    samples and would let one hit in fifty pass; the scatter alone is blown up by a second hit.
    Where the user asked for mad or std it holds for noisy pixels too. Either way the error
    follows the scatter of the survivors.
    """
    ordered, count, sigma, scatter = (s[..., at] for s in stack)
    if options.deviation == "noise-model":
        wide = wide_sigma(ordered, count, sigma, scatter)
        rounds = min(1, options.iterations)
        found = stack_block(ordered, count, sigma=wide, k=options.k, iterations=rounds)
    else:
        found = ClippedBlock(**{f.name: getattr(clipped, f.name)[at] for f in fields(clipped)})
    _fill(result.wide, at, found, np.sqrt(np.maximum(sigma**2, found.variance)))


def wide_sigma(
    ordered: np.ndarray, count: np.ndarray, sigma: np.ndarray, scatter: np.ndarray
) -> np.ndarray:
    """What one sigma is in the clipping of noisy pixels: max(min(1.4826 MAD, scatter), sigma)."""
    zero = np.zeros_like(count)
    distance = np.sort(np.abs(ordered - run_median(ordered, zero, count)), axis=0)
    mad = MAD_TO_SIGMA * run_median(distance, zero, count)
    return np.fmax(np.fmin(mad, scatter), sigma)


def _process_compiled(
    compiled: ModuleType,
    samples: np.ndarray,
    sigma: np.ndarray,
    background: np.ndarray,
    options: BlockOptions,
    result: BlockResult,
) -> None:
    frames, pixels = samples.shape
    limits = upper_thresholds(frames, options.upper)
    least = lower_thresholds(frames, options.lower)
    own = [getattr(result, f.name) for f in fields(result)[2:]]
    numbers = (
        get_args(StackDeviation).index(options.deviation),
        float(options.k),
        int(options.iterations),
        float(options.slope),
        SIGNIFICANT,
        EVENT,
        CANDIDATE,
    )
    inputs = (samples, sigma, background, limits, least)
    averages = [tuple(vars(a).values()) for a in (result.main, result.wide)]
    compiled.block(frames, pixels, limits.shape[1] - 1, numbers, inputs, *averages, tuple(own))
