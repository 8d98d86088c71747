"""The noise image: which pixels scatter more than read noise and shot noise allow.

The scatter of a few samples is spread like chi, so thresholds are probabilities under that
distribution, not multiples of a histogram's width. High outliers that stand apart may be
cosmic rays: a pixel is noisy only if it scatters too much with them and without them.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from soxsdark.chi_square import chi_square_isf
from soxsdark.stacking import column_sum, run_median

EVENT = 5.0
"""A sample this many sigma above the median may be a cosmic ray."""

MOST_LOWER = 7.0
"""Beyond this many sigma a lower threshold is no more than the rounding of 1 - probability."""

SAMPLES_AN_EVENT = 5
"""One event is forgiven for this many samples, and at least one."""

CANDIDATE = 0.75
"""Pixels that come this near to their threshold may turn out to be noisy, others not."""


@dataclass(frozen=True)
class NoiseBlock:
    """The scatter of P pixels."""

    scatter: np.ndarray
    """Standard deviation of the samples that are no events; unit of the samples."""
    relative: np.ndarray
    """`scatter` over the expected noise: the noise image; NaN with fewer than two samples."""
    exceedance: np.ndarray
    """Smallest ratio of sum of squares to its threshold, over the numbers of events that
    may be forgiven: the pixel is noisy where it is above 1."""
    quiet: np.ndarray
    """Sum of squares over its lower threshold; below 1 the pixel is too quiet."""


@dataclass(frozen=True)
class NoiseMask:
    """The thresholded noise image."""

    noisy: np.ndarray
    """True = bad: scatters too much."""
    quiet: np.ndarray
    """True = bad: scatters too little (only where a lower threshold is set)."""
    scale: float
    """Typical variance of unflagged pixels over the expected one; near 1."""


def tail_probability(k: float) -> float:
    """Probability of a Gaussian above k sigma."""
    return math.erfc(k / math.sqrt(2)) / 2


def events_forgiven(count: np.ndarray | int) -> np.ndarray:
    """Cosmic rays that stacks of `count` samples may hold without being noisy."""
    return np.where(count > 2, np.maximum(1, count // SAMPLES_AN_EVENT), 0)


@lru_cache(maxsize=8)
def upper_thresholds(frames: int, upper: float) -> np.ndarray:
    """Upper thresholds of the sum of squares: (valid samples up to `frames`, events left out).

    Without events: chi-square of count - 1 degrees of freedom at the probability of `upper`
    sigma. With events left out the samples are few, and a pixel that gets there has shown an
    outlier already, so the probability may be larger where it has to be: 0.05 below ten
    samples, 0.05 for a second event below fifteen, 0.002 elsewhere. NaN where more events are
    left out than may be.
    """
    count, events = np.indices((frames + 1, int(events_forgiven(frames)) + 1))
    probability = np.where((count < 10) | ((count < 15) & (events > 1)), 0.05, 2e-3)
    probability[:, 0] = tail_probability(upper)
    there = (count >= 2) & (events <= events_forgiven(count))
    table = np.full(count.shape, np.nan)
    table[there] = chi_square_isf(probability[there], (count - 1 - events)[there])
    return table


@lru_cache(maxsize=8)
def lower_thresholds(frames: int, lower: float | None) -> np.ndarray:
    """Sum of squares below which a pixel is too quiet, for each number of valid samples."""
    table = np.full(frames + 1, np.nan)
    if lower is not None and frames > 1:
        freedom = np.arange(1, frames)
        table[2:] = chi_square_isf(np.full(frames - 1, 1 - tail_probability(lower)), freedom)
    return table


def _sums_of_squares(ordered: np.ndarray, count: int, events: int) -> np.ndarray:
    """Sum of squares about the mean of the count - j lowest samples, for j = 0 to events."""
    origin = ordered[(count - 1) // 2].astype(np.float64)
    values = ordered[:count] - origin
    result = np.empty((events + 1, ordered.shape[1]))
    # from few samples to many: taking a huge one off again would leave nothing of the others
    total = column_sum(values[: count - events])
    squares = column_sum(values[: count - events] ** 2)
    for number in range(count - events, count + 1):
        result[count - number] = np.maximum(squares - total**2 / number, 0)
        if number < count:
            total = total + values[number]
            squares = squares + values[number] ** 2
    return result


def event_sums(
    ordered: np.ndarray, count: int, sigma: np.ndarray, upper: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of squares without 0, 1, ... events, their thresholds, and the events there may be.

    Parameters are those of `noise_block`, of pixels that all have `count` >= 2 valid samples.

    Returns
    -------
    sums : ndarray, (events + 1, P)
        T_j for j from 0 to the most that are forgiven.
    limits : ndarray, (events + 1,)
    found : ndarray of int, (P,)
        The largest j, j_max.
    """
    events = int(events_forgiven(count))
    limits = upper_thresholds(len(ordered), upper)[count, : events + 1]
    sums = _sums_of_squares(ordered, count, events)
    with np.errstate(divide="ignore"):
        # no scatter where none is expected is no excess
        sums = np.divide(sums, sigma**2, out=np.zeros_like(sums), where=sums > 0)
    middle = np.full(sigma.shape, 0)
    median = run_median(ordered, middle, middle + count)
    high = ordered[count - events : count] > median + EVENT * sigma
    return sums, limits, high.sum(axis=0)


def _block_of(
    ordered: np.ndarray, count: int, sigma: np.ndarray, upper: float, lower: float | None
) -> tuple[np.ndarray, ...]:
    """`noise_block` for pixels that all have `count` >= 2 valid samples."""
    sums, limits, found = event_sums(ordered, count, sigma, upper)
    allowed = np.arange(len(limits))[:, None] <= found
    exceedance = np.where(allowed, sums / limits[:, None], np.inf).min(axis=0)
    chosen = np.take_along_axis(sums, found[None], axis=0)[0] / (count - 1 - found)
    quiet = np.full(sigma.shape, np.inf)
    if lower is not None:
        quiet = sums[0] / lower_thresholds(len(ordered), lower)[count]
    return np.sqrt(chosen), exceedance, quiet


def noise_block(
    ordered: np.ndarray,
    count: np.ndarray,
    sigma: np.ndarray,
    *,
    upper: float = 4.0,
    lower: float | None = None,
) -> NoiseBlock:
    """Scatter of P pixels against what is expected.

    With T_j the sum of (x - mean)^2 / sigma^2 over the N - j lowest samples and j_max the
    number of samples more than 5 sigma above the median (at most max(1, N // 5)), a pixel is
    noisy where T_j > chi2.isf(p_j, N - 1 - j) for every j from 0 to j_max.

    Parameters
    ----------
    ordered, count
        Samples sorted along the stack (N, P) and valid counts (P,); see `sort_stack`.
    sigma : ndarray, (P,)
        Expected noise of one sample.
    upper, lower : float, float or None
        Thresholds as equivalent Gaussian sigmas; None: quiet pixels are not looked for.
    """
    relative = np.full(sigma.shape, np.nan)
    exceedance, quiet = np.zeros(sigma.shape), np.full(sigma.shape, np.inf)
    for number in np.unique(count[count >= 2]):
        here = count == number
        columns = slice(None) if here.all() else here
        parts = _block_of(ordered[:, columns], int(number), sigma[columns], upper, lower)
        relative[columns], exceedance[columns], quiet[columns] = parts
    return NoiseBlock(relative * sigma, relative, exceedance, quiet)


def noise_scale(
    squares: np.ndarray,
    exceedance: np.ndarray,
    *,
    rest: float = 0.0,
    others: int = 0,
    iterations: int = 3,
) -> float:
    """Typical variance of the pixels that are not noisy, over the expected one.

    Which pixels are noisy depends on the scale, so both are found in turn until neither
    changes or `iterations` is reached. The scale is not let below `CANDIDATE`: expected noise
    that wrong is no measure.

    Parameters
    ----------
    squares, exceedance : ndarray, (P,)
        Variance over the expected one, and `NoiseBlock.exceedance`.
    rest, others
        Sum of the squares, and number, of further pixels whose exceedance is at most
        `CANDIDATE`.
    """
    scale = 1.0
    for _ in range(iterations):
        good = exceedance <= scale
        number = others + int(np.count_nonzero(good))
        if not number:
            break
        new = max((rest + float(np.sum(squares[good]))) / number, CANDIDATE)
        if new == scale:
            break
        scale = new
    return scale


def threshold_noise(
    relative: np.ndarray,
    exceedance: np.ndarray,
    quiet: np.ndarray | None = None,
    *,
    iterations: int = 3,
) -> NoiseMask:
    """Clip the noise image: what falls outside is the noise bad-pixel map.

    Parameters
    ----------
    relative, exceedance, quiet : ndarray, same shape
        Of `noise_block`.
    iterations : int
        See `noise_scale`, to which the expected noise is scaled.
    """
    judged = np.isfinite(relative)
    squares = np.square(relative[judged], dtype=np.float64)
    scale = noise_scale(squares, exceedance[judged], iterations=iterations)
    still = np.zeros_like(judged) if quiet is None else judged & (quiet < scale)
    return NoiseMask(exceedance > scale, still, scale)
