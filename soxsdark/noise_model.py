"""What one sample of a pixel may scatter: measured on the differences of consecutive frames.

The noise of an ordinary sample, sigma-zero, comes from the clipped standard deviation of the
difference of two frames in blocks of 64 x 64 pixels, over sqrt(2). It already holds read
noise, shot noise at the typical signal and quantisation. A smooth map of it follows what
differs over the detector (the shot noise of an amplifier glow, a noisier corner). Pixels of
higher signal add ``slope * signal``; the slope of variance against signal is one in electrons.
"""

import math
from dataclasses import dataclass

import numpy as np

from soxsdark.grid import Grid, filled

BLOCK = 64
CLIP = 4.0
RECURSIONS = 20
SIGNIFICANT = 5.0
"""Signals below this many sigma of the mean add no shot noise of their own."""
WARM = 4.0
"""Pixels this many sigma-zero above the background have a noise of their own."""
BRIGHT = 10.0
"""The slope is measured on pixels this many sigma-zero above the background."""
FEWEST = 64
"""Pixels of a block below which its noise is taken from the others; of a frame, unknown."""
STEADY = 1 / 3
"""A bright pixel has at least this share of its signal in every frame."""
ENOUGH = 300
"""Samples in a bin of signal below which the slope is not measured there."""
MOST_BRIGHT = 100_000
"""Bright pixels taken from one pair of frames: beyond this more of them add nothing."""


@dataclass(frozen=True)
class PairNoise:
    """What the difference of two frames says; electrons."""

    sigma: float
    """Median over blocks of the noise of one sample."""
    blocks: np.ndarray
    """Noise of one sample in each block of the grid (NaN: no usable pixel)."""
    signal: np.ndarray
    """Signal above the background of the bright pixels (mean of both frames)."""
    difference: np.ndarray
    """Their difference, the level removed."""
    pixel: np.ndarray
    """Their places in the flattened image."""


@dataclass(frozen=True)
class NoiseModel:
    """The expected noise of one sample of each pixel; electrons."""

    sigma: float
    """Sigma-zero, typical of the detector."""
    grid: Grid
    ratio: np.ndarray
    """Noise of each block over `sigma`; shape of the grid."""
    background: np.ndarray
    """Signal of each block above the mean level; shape of the grid."""
    slope: float = 1.0
    """Variance added per electron of signal that is used; 1 for a right gain."""
    measured_slope: float = math.nan
    measured_slope_error: float = math.nan
    ndit: int = 1

    def sigma_rows(self, first: int, last: int) -> np.ndarray:
        """Noise of an ordinary sample for pixel rows first to last (half-open)."""
        return self.sigma * np.maximum(self.grid.spread(self.ratio, first, last), 0.1)

    def background_rows(self, first: int, last: int) -> np.ndarray:
        """Background above the mean level for pixel rows first to last (half-open)."""
        return self.grid.spread(self.background, first, last)

    @property
    def variance_slope(self) -> float:
        """Variance added for each electron of signal: `slope` over NDIT."""
        return self.slope / self.ndit

    def sample_sigma(self, sigma, background, median, count, floor=None) -> np.ndarray:
        """Noise of one sample; see `shot_noise`."""
        return shot_noise(sigma, background, median, count, self.variance_slope, floor)


def shot_noise(sigma, background, median, count, slope: float, floor=None) -> np.ndarray:
    """Noise of one sample given the median of the stack.

    sigma^2 = sigma_0^2 + slope * S with S = median - background, where S exceeds
    5 sigma_0 / sqrt(count); sigma_0^2 elsewhere.

    Parameters
    ----------
    sigma, background : ndarray, (P,)
        Noise of an ordinary sample, and the background.
    median, count : ndarray, (P,)
        Median and number of the valid samples.
    slope : float
        Variance for each unit of signal.
    floor : ndarray, (P,), optional
        A lower quantile of the samples that takes the median's place in S once S is
        significant, so that the chance signal of a noisy pixel does not excuse its scatter.
    """
    signal = median - background
    with np.errstate(divide="ignore", invalid="ignore"):
        significant = signal > SIGNIFICANT * sigma / np.sqrt(count)
    if floor is not None:
        signal = np.maximum(floor - background, 0.0)
    return np.sqrt(sigma**2 + np.where(significant, signal, 0.0) * slope)


def _truncated_variance(k: np.ndarray) -> np.ndarray:
    """Variance of a unit Gaussian cut off at plus and minus k."""
    density = np.exp(-(k**2) / 2) / math.sqrt(2 * math.pi)
    inside = np.array([math.erf(x / math.sqrt(2)) for x in np.ravel(k)]).reshape(np.shape(k))
    return 1 - 2 * k * density / inside


def _histogram_sigma(counts: np.ndarray, step: float) -> np.ndarray:
    """Clipped standard deviation of histograms with bins of `step`, one a row.

    The clip is at 4 sigma around the median, repeated; the result is corrected for what a
    Gaussian loses there. Rows with too few entries give NaN.
    """
    half = counts.shape[1] // 2
    offset = np.arange(-half, half + 1, dtype=np.float64)
    cumulative = np.cumsum(counts, axis=1)
    total = cumulative[:, -1:]
    median = (cumulative <= total / 2).sum(axis=1) - half
    distance = np.abs(offset - median[:, None])
    # the half-width that holds 68.3 % seeds the clip and is no part of the result
    inside = [(counts * (distance <= w)).sum(axis=1) for w in range(half + 1)]
    seed = 0.5 + (np.array(inside) < 0.683 * total[:, 0]).sum(axis=0)
    sigma = seed.astype(np.float64)
    for _ in range(RECURSIONS):
        reach = np.minimum(np.floor(CLIP * sigma), half)
        kept = np.where(distance <= reach[:, None], counts, 0)
        number = np.maximum(kept.sum(axis=1), 1)
        mean = (kept @ offset) / number
        variance = (kept * (offset - mean[:, None]) ** 2).sum(axis=1) / number
        k = (reach + 0.5) / sigma
        new = np.sqrt(np.maximum(variance / _truncated_variance(k), 1e-12))
        if np.allclose(new, sigma, rtol=1e-4):
            break
        sigma = new
    return np.where(total[:, 0] >= FEWEST, sigma * step, np.nan)


def difference_noise(
    first: np.ndarray,
    second: np.ndarray,
    grid: Grid,
    labels: np.ndarray,
    quantum: float,
    bad: np.ndarray | None = None,
) -> tuple[float, np.ndarray]:
    """Noise of one sample from two frames: (typical, one a block of the grid).

    Parameters
    ----------
    first, second : ndarray of float, shape of the detector
        Frames with their levels removed, in electrons; not finite = bad.
    grid, labels : Grid and its labels
    quantum : float
        Electrons between neighbouring values of the data; 0 for continuous data.
    bad : ndarray of bool, optional
        True = bad: left out.
    """
    difference = (first - second).ravel()
    usable = np.isfinite(difference)
    if bad is not None:
        usable &= ~bad.ravel()
    difference, block = difference[usable], labels.ravel()[usable]
    if difference.size < FEWEST:
        return math.nan, np.full(grid.shape, np.nan)
    sample = np.sort(difference[:: max(1, difference.size // 20_011)])
    # a value of the data, not the middle between two, and an odd number of quanta a bin: so no
    # value lies on the border of two bins
    centre = float(sample[len(sample) // 2])
    rough = (sample[int(0.8413 * (len(sample) - 1))] - sample[int(0.1587 * (len(sample) - 1))]) / 2
    step = quantum * (2 * int(rough / 16 / quantum) + 1) if quantum else rough / 8
    if not step:
        return 0.0, np.zeros(grid.shape)
    half = max(8, math.ceil(12 * rough / step))
    bins = np.rint((difference - centre) / step)
    inside = np.abs(bins) <= half
    index = block[inside] * np.int64(2 * half + 1) + (bins[inside].astype(np.int64) + half)
    counts = np.bincount(index, minlength=grid.shape[0] * grid.shape[1] * (2 * half + 1))
    sigma = _histogram_sigma(counts.reshape(-1, 2 * half + 1), step)
    # Sheppard: bins wider than the data's own lattice add to the variance
    widened = (step**2 - quantum**2) / 12
    sigma = np.sqrt(np.maximum(sigma**2 - widened, 0) / 2).reshape(grid.shape)
    return float(np.nanmedian(sigma)) if np.isfinite(sigma).any() else math.nan, sigma


def pair_noise(
    first: np.ndarray,
    second: np.ndarray,
    background: np.ndarray,
    grid: Grid,
    labels: np.ndarray,
    quantum: float,
    bad: np.ndarray | None = None,
    limit: tuple[float, float] = (math.inf, math.inf),
) -> PairNoise:
    """All that the difference of two frames says of the noise.

    Parameters
    ----------
    first, second, grid, labels, quantum, bad
        As in `difference_noise`.
    background : ndarray, shape of the grid
        Typical signal of each block.
    limit : pair of float
        Saturation of either frame in its own scale; brighter samples are left out.
    """
    background = filled(background, 0.0)
    ignored = np.zeros(first.shape, dtype=bool) if bad is None else bad
    with np.errstate(invalid="ignore"):
        signal = (first + second) / 2 - background.astype(first.dtype).ravel()[labels]
        # selecting by the sum of two frames leaves the spread of their difference as it is
        warm = signal > WARM * _rough_sigma(first, second)
        sigma, blocks = difference_noise(first, second, grid, labels, quantum, ignored | warm)
        both = (first < limit[0]) & (second < limit[1])
        chosen = np.flatnonzero(both & ~ignored & (signal > BRIGHT * sigma))
    # one that is dark in either frame was hit by a cosmic ray in the other
    least = np.minimum(first.ravel()[chosen], second.ravel()[chosen])
    chosen = chosen[least > signal.ravel()[chosen] * STEADY]
    chosen = chosen[:: max(1, -(-chosen.size // MOST_BRIGHT))]
    difference = first.ravel()[chosen] - second.ravel()[chosen]
    return PairNoise(sigma, blocks, signal.ravel()[chosen], difference, chosen)


def _rough_sigma(first: np.ndarray, second: np.ndarray) -> float:
    """Noise of one sample to some ten percent, from a sample of the pixels."""
    step = max(1, first.size // 20_011)
    difference = first.ravel()[::step] - second.ravel()[::step]
    difference = np.sort(difference[np.isfinite(difference)])
    if not difference.size:
        return math.inf
    low, high = (difference[int(p * (len(difference) - 1))] for p in (0.1587, 0.8413))
    return float(high - low) / 2 / math.sqrt(2)


def _bin_variance(difference: np.ndarray) -> float:
    """Variance of one sample from differences: clipped at 4 sigma around zero, corrected."""
    sigma = 1.4826 * float(np.median(np.abs(difference)))
    for _ in range(RECURSIONS):
        if sigma == 0:
            return 0.0
        kept = difference[np.abs(difference) <= CLIP * sigma]
        new = math.sqrt(np.mean(kept**2) / float(_truncated_variance(np.array(CLIP))))
        if abs(new - sigma) < 1e-4 * sigma:
            break
        sigma = new
    return sigma**2 / 2


def measure_slope(
    pairs: list[PairNoise], sigma: float, ndit: int = 1, lowest: np.ndarray | None = None
) -> tuple[float, float]:
    """Slope of variance against signal and its error, from the bright pixels of all pairs.

    `lowest` is the smallest sample of each pixel, above the level: pixels that are dark in any
    frame (telegraph noise, cosmic rays, noise without signal) are left out.

    In bins of signal (a quarter of a power of ten) with at least 300 samples each:
    slope = (variance - sigma_0^2) NDIT / signal; the weighted median over the bins, which no
    single bin of saturated or switching pixels can move. (NaN, NaN) where there is no bin.
    """
    signal = np.concatenate([p.signal for p in pairs]) if pairs else np.zeros(0)
    difference = np.concatenate([p.difference for p in pairs]) if pairs else np.zeros(0)
    if lowest is not None and pairs:
        steady = lowest.ravel()[np.concatenate([p.pixel for p in pairs])] > signal * STEADY
        signal, difference = signal[steady], difference[steady]
    if signal.size < ENOUGH:
        return math.nan, math.nan
    bins = np.floor(4 * np.log10(signal)).astype(int)
    slopes, weights = [], []
    for number in np.unique(bins):
        here = bins == number
        if here.sum() < ENOUGH:
            continue
        typical = float(np.mean(signal[here]))
        # normalised to the typical signal, so that the width of the bin does not matter
        scaled = difference[here] * np.sqrt(
            (sigma**2 + typical / ndit) / (sigma**2 + signal[here] / ndit)
        )
        variance = _bin_variance(scaled)
        error = variance * math.sqrt(2 / here.sum()) * ndit / typical
        slopes.append((variance - sigma**2) * ndit / typical)
        weights.append(1 / max(error, 1e-9) ** 2)
    if not slopes:
        return math.nan, math.nan
    order = np.argsort(slopes)
    cumulative = np.cumsum(np.array(weights)[order])
    middle = order[np.searchsorted(cumulative, cumulative[-1] / 2)]
    return slopes[middle], 1.2533 / math.sqrt(cumulative[-1])


def build_noise_model(
    pairs: list[PairNoise],
    background: np.ndarray,
    grid: Grid,
    *,
    gain_known: bool = True,
    ndit: int = 1,
    fallback: float = 1.0,
    lowest: np.ndarray | None = None,
) -> NoiseModel:
    """Join what all pairs of frames say.

    Parameters
    ----------
    pairs : list of PairNoise
    background : ndarray, shape of the grid
        Signal of each block above the mean level, mean over frames.
    gain_known : bool
        If not, the measured slope takes the place of 1.
    ndit : int
        Integrations averaged in a frame.
    fallback : float
        Slope where the gain is not known and too few pixels are bright to measure it.
    lowest : ndarray, optional
        Smallest sample of each pixel; see `measure_slope`.
    """
    every = np.array([p.blocks for p in pairs])
    sigma = float(np.nanmedian(every))
    known = np.isfinite(every)
    per_block = np.full(grid.shape, np.nan)
    some = known.any(axis=0)
    per_block[some] = np.nanmedian(every[:, some], axis=0)
    ratio = filled(per_block, sigma) / sigma if sigma else np.ones(grid.shape)
    slope, error = measure_slope(pairs, sigma, ndit, lowest)
    used = 1.0
    if not gain_known:
        used = slope if math.isfinite(slope) and slope > 0 else fallback
    return NoiseModel(sigma, grid, ratio, filled(background, 0.0), used, slope, error, ndit)
