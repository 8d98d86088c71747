"""What the difference of two frames says of the noise, band by band of blocks.

In each block of the grid the differences are counted in bins narrow against their scatter, and
the clipped standard deviation of that histogram, over sqrt(2), is the noise of one sample.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from soxsdark.compiled import kernel
from soxsdark.electrons import Samples, for_kernel
from soxsdark.grid import Grid, filled
from soxsdark.level import MAD_TO_SIGMA

CLIP = 4.0
RECURSIONS = 20
WARM = 4.0
"""Pixels this many sigma-zero above the background have a noise of their own."""
FEWEST = 64
"""Pixels of a block below which its noise is taken from the others; of a frame, unknown."""
SAMPLED = 20_000
"""Pixels from which scale and centre of the bins are estimated."""
BINS_A_SIGMA = 4
REACH = 12
"""Bins on either side, in sigma of the difference."""


@dataclass(frozen=True)
class PairNoise:
    """What the difference of two frames says; electrons."""

    sigma: float
    """Median over blocks of the noise of one sample."""
    blocks: np.ndarray
    """Noise of one sample in each block of the grid (NaN: too few usable pixels)."""


@dataclass(frozen=True)
class Bins:
    """Bins for differences; all in float32, as the differences are."""

    centre: np.float32
    """Middle of the middle bin: a value that occurs, not one between two."""
    step: np.float32
    """Width. An odd number of quanta, so that no value lies between two bins."""
    a_unit: np.float32
    """Bins in a unit: a product is faster than a quotient."""
    half: int
    """Bins on either side of the middle one."""
    warm: np.float32
    """Signal above the background from which on pixels are not counted."""
    widened: float
    """Variance that bins wider than a quantum add (Sheppard)."""

    @property
    def width(self) -> int:
        """Number of bins."""
        return 2 * self.half + 1

    @classmethod
    def of(cls, difference: np.ndarray, quantum: float) -> "Bins | None":
        """Bins that suit a sample of differences; None if they are few or do not scatter."""
        if difference.size < FEWEST:
            return None
        ordered = np.sort(difference, axis=None).astype(np.float64)
        centre = ordered[ordered.size // 2]
        # the MAD stands even where half of the pixels differ for another reason than noise
        rough = MAD_TO_SIGMA * float(np.sort(np.abs(ordered - centre))[ordered.size // 2])
        if not rough:
            low, high = (ordered[int(p * (ordered.size - 1))] for p in (0.1587, 0.8413))
            rough = float(high - low) / 2
        step = rough / BINS_A_SIGMA
        if quantum:
            step = quantum * (2 * int(rough / (2 * BINS_A_SIGMA) / quantum) + 1)
        if not step:
            return None
        return cls(
            centre=np.float32(centre),
            step=np.float32(step),
            a_unit=np.float32(1 / step),
            half=max(8, math.ceil(REACH * rough / step)),
            warm=np.float32(WARM * max(rough / math.sqrt(2), quantum / 2)),
            widened=(step**2 - quantum**2) / 12,
        )


@cache
def _truncation() -> tuple[np.ndarray, np.ndarray]:
    """`truncated_variance` at cuts 0.005 apart: to a millionth in between."""
    cut = np.arange(1, 2001) / 200
    density = np.exp(-(cut**2) / 2) / math.sqrt(2 * math.pi)
    inside = np.array([math.erf(k / math.sqrt(2)) for k in cut])
    return cut, 1 - 2 * cut * density / inside


def truncated_variance(k: np.ndarray | float) -> np.ndarray:
    """Variance of a unit Gaussian cut off at plus and minus k."""
    return np.interp(k, *_truncation())


def clipped_sigma(counts: np.ndarray, step: float) -> np.ndarray:
    """Clipped standard deviation of histograms with bins of `step`, one a row.

    The clip is at 4 sigma around the median, repeated; the result is corrected for what a
    Gaussian loses there. Rows with too few entries give NaN.

    Parameters
    ----------
    counts : ndarray of int, (R, odd number of bins)
    step : float
    """
    compiled = kernel()
    if compiled is None:
        sigma = _clipped_sigma(counts)
    else:
        sigma, size = np.empty(len(counts)), (len(counts), counts.shape[1] // 2)
        numbers = (CLIP, MAD_TO_SIGMA, RECURSIONS)
        compiled.clip_histograms(size, counts, numbers, _truncation(), sigma)
    return np.where(counts.sum(axis=1) >= FEWEST, sigma * step, np.nan)


def _clipped_sigma(counts: np.ndarray) -> np.ndarray:
    """`clipped_sigma` in bins, of rows with few entries too: the reference."""
    half = counts.shape[1] // 2
    offset = np.arange(-half, half + 1)
    # running sums of 1, x and x^2: what lies between two bins is a difference of two of them
    sums = np.zeros((3, len(counts), counts.shape[1] + 1))
    np.cumsum([counts, counts * offset, counts * offset**2], axis=2, out=sums[:, :, 1:])
    total = sums[0, :, -1]
    median = (sums[0, :, 1:] <= total[:, None] / 2).sum(axis=1)
    row = np.arange(len(counts))

    def within(reach: np.ndarray) -> np.ndarray:
        first, last = np.maximum(median - reach, 0), np.minimum(median + reach, 2 * half) + 1
        return sums[:, row, last] - sums[:, row, first]

    # the MAD seeds the clip and is no part of the result
    distance = np.zeros(len(counts), dtype=int)
    while (few := (within(distance)[0] < total / 2) & (distance < half)).any():
        distance += few
    sigma = MAD_TO_SIGMA * (distance + 0.5)
    for _ in range(RECURSIONS):
        reach = np.minimum(np.floor(CLIP * sigma), half).astype(int)
        number, first_moment, second = within(reach)
        number = np.maximum(number, 1)
        variance = second / number - (first_moment / number) ** 2
        k = (reach + 0.5) / sigma
        new = np.sqrt(np.maximum(variance / truncated_variance(k), 1e-12))
        if np.allclose(new, sigma, rtol=1e-4):
            break
        sigma = new
    return sigma


def count_differences(
    first: np.ndarray | Samples,
    second: np.ndarray | Samples,
    bad: np.ndarray | None,
    grid: Grid,
    background: np.ndarray,
    bins: Bins,
) -> np.ndarray:
    """Histograms of the difference of two frames: int64, (blocks down, blocks across, bins).

    Parameters
    ----------
    first, second : ndarray of float32 or Samples, (rows, columns)
        Electrons above the level; pixels that are not finite are not counted.
    bad : ndarray of bool, (rows, columns), optional
        True = bad: not counted.
    grid : Grid
    background : ndarray of float32, shape of the grid
        Typical signal of each block; pixels far above it (warm) are not counted.
    bins : Bins
    """
    compiled = kernel()
    if compiled is None:
        every = [
            _count_band(
                first[rows],
                second[rows],
                None if bad is None else bad[rows],
                grid.columns,
                own,
                bins,
            )
            for rows, own in zip(grid.bands(), background, strict=True)
        ]
        return np.stack(every)
    counts = np.zeros((*grid.shape, bins.width), dtype=np.int64)
    bad = None if bad is None else np.ascontiguousarray(bad)
    edges = [np.ascontiguousarray(e, dtype=np.int64) for e in (grid.rows, grid.columns)]
    numbers = (bins.warm, bins.centre, bins.a_unit, bins.half)
    sizes = (*first.shape, *grid.shape)
    images = for_kernel(first), for_kernel(second)
    compiled.count_differences(sizes, *images, bad, (*edges, background), numbers, counts)
    return counts


def _count_band(
    first: np.ndarray,
    second: np.ndarray,
    bad: np.ndarray | None,
    edges: np.ndarray,
    background: np.ndarray,
    bins: Bins,
) -> np.ndarray:
    """`count_differences` in one row of blocks."""
    block = np.repeat(np.arange(len(background)), np.diff(edges))
    with np.errstate(over="ignore", invalid="ignore"):
        number = np.rint((first - second - bins.centre) * bins.a_unit)
        warm = (first + second) / 2 - background[block] > bins.warm
        inside = (np.abs(number) <= bins.half) & ~warm
    if bad is not None:
        inside &= ~bad
    index = np.broadcast_to(block, first.shape)[inside] * bins.width
    index += number[inside].astype(np.int64) + bins.half
    counts = np.bincount(index, minlength=len(background) * bins.width)
    return counts.reshape(len(background), bins.width)


def difference_sample(
    first: np.ndarray | Samples, second: np.ndarray | Samples, bad: np.ndarray | None = None
) -> np.ndarray:
    """Differences of usable pixels from all over two frames, for `Bins.of`."""
    # an odd step, so that detectors read in several columns at a time are sampled in all
    step = max(1, math.isqrt(first.size // SAMPLED)) | 1
    with np.errstate(over="ignore", invalid="ignore"):
        difference = first[::step, ::step] - second[::step, ::step]
    usable = np.isfinite(difference)
    if bad is not None:
        usable &= ~bad[::step, ::step]
    return difference[usable]


def pair_noise(
    first: np.ndarray | Samples,
    second: np.ndarray | Samples,
    background: np.ndarray,
    grid: Grid,
    quantum: float,
    bad: np.ndarray | None = None,
) -> PairNoise:
    """Noise of one sample from the difference of two frames; at least that of its quantisation.

    Parameters
    ----------
    first, second : ndarray of float32 or Samples, shape of the detector
        Electrons above the level of the frame; not finite = bad.
    background : ndarray, shape of the grid
        Typical signal of each block above the level, electrons.
    grid : Grid
    quantum : float
        Electrons between neighbouring values of the data; 0 for continuous data.
    bad : ndarray of bool, shape of the frames, optional
        True = bad: left out.
    """
    bins = Bins.of(sample := difference_sample(first, second, bad), quantum)
    least = quantum / math.sqrt(12)
    if bins is None:
        sigma = least if sample.size >= FEWEST else math.nan
        return PairNoise(sigma, np.full(grid.shape, sigma))
    background = filled(background, 0.0).astype(np.float32)
    counts = count_differences(first, second, bad, grid, background, bins)
    clipped = clipped_sigma(counts.reshape(-1, bins.width), float(bins.step))
    variance = np.maximum((clipped**2 - bins.widened) / 2, least**2)
    sigmas = np.sqrt(variance).reshape(grid.shape)
    typical = float(np.nanmedian(sigmas)) if np.isfinite(sigmas).any() else math.nan
    return PairNoise(typical, sigmas)
