"""The slope of variance against signal, from pixels that are bright in every frame.

In electrons it is 1: another slope means another gain, or a temperature that changed.
"""

import math
from dataclasses import dataclass

import numpy as np

from soxsdark.differences import CLIP, RECURSIONS, truncated_variance
from soxsdark.electrons import Samples
from soxsdark.grid import Grid, filled

BRIGHT = 10.0
"""The slope is measured on pixels this many sigma-zero above the background."""
STEADY = 1 / 3
"""A bright pixel has at least this share of its signal in every frame."""
ENOUGH = 300
"""Samples in a bin of signal below which the slope is not measured there."""
MOST = 1_500_000
"""Samples of bright pixels that are kept: beyond this more of them add nothing."""


FEWEST_BRIGHT = 30
"""Bright pixels below which they do not tell one frame from another."""
MOST_BRIGHT = 10_000
"""Of which no more are looked at for that."""


@dataclass(frozen=True)
class BrightPixels:
    """Pixels that stand high above the background, in all frames; electrons above the levels."""

    values: np.ndarray
    """(N, P); NaN = bad or saturated."""
    background: np.ndarray
    """(P,): typical signal around each."""


def bright_places(
    first: np.ndarray | Samples,
    second: np.ndarray | Samples,
    background: np.ndarray,
    grid: Grid,
    sigma: float,
    bad: np.ndarray | None = None,
    frames: int = 2,
) -> np.ndarray:
    """Places, in reading order, of pixels that are bright in the mean of two frames.

    Parameters
    ----------
    first, second : ndarray or Samples, shape of the detector
        Electrons above the level of the frame; not finite = bad.
    background : ndarray, shape of the grid
        Typical signal of each block above the level.
    grid : Grid
    sigma : float
        Noise of one sample.
    bad : ndarray of bool, shape of the frames, optional
        True = bad: left out.
    frames : int
        How many frames will be looked at: for fewer than `MOST` samples in all.
    """
    background = filled(background, 0.0).astype(first.dtype)
    across = np.repeat(np.arange(grid.shape[1]), np.diff(grid.columns))
    found = []
    for rows, level in zip(grid.bands(), background, strict=True):
        with np.errstate(over="ignore", invalid="ignore"):
            signal = (first[rows] + second[rows]) / 2 - level[across]
        bright = (signal > BRIGHT * sigma) & (signal < np.inf)
        if bad is not None:
            bright &= ~bad[rows]
        found.append(np.flatnonzero(bright) + rows.start * across.size)
    places = np.concatenate(found)
    return places[:: max(1, -(-places.size * frames // MOST))]


def _bin_variance(difference: np.ndarray) -> float:
    """Variance of one sample from differences: clipped at 4 sigma around zero, corrected."""
    sigma = 1.4826 * float(np.median(np.abs(difference)))
    for _ in range(RECURSIONS):
        if sigma == 0:
            return 0.0
        kept = difference[np.abs(difference) <= CLIP * sigma]
        new = math.sqrt(np.mean(kept**2) / float(truncated_variance(CLIP)))
        if abs(new - sigma) < 1e-4 * sigma:
            break
        sigma = new
    return sigma**2 / 2


def _pairs(bright: BrightPixels, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Signal and difference of consecutive frames, where the pixel is bright and steady."""
    if not bright.values.size:
        return np.zeros(0), np.zeros(0)
    values = np.subtract(bright.values, bright.background, dtype=np.float32)
    signal, difference = (values[1:] + values[:-1]) / 2, np.diff(values, axis=0)
    # dark in any frame: telegraph noise, a cosmic ray in another, noise without signal
    lowest = np.fmin.reduce(values, axis=0)
    chosen = (signal > BRIGHT * sigma) & (lowest > signal * STEADY) & np.isfinite(difference)
    return signal[chosen], difference[chosen]


def measure_slope(bright: BrightPixels, sigma: float, ndit: int = 1) -> tuple[float, float]:
    """Slope of variance against signal and its error.

    In bins of signal (a quarter of a power of ten) with at least 300 samples each:
    slope = (variance - sigma_0^2) NDIT / signal; the weighted median over the bins, which no
    single bin of saturated or switching pixels can move. (NaN, NaN) where there is no bin.
    """
    signal, difference = _pairs(bright, sigma)
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
        # a bin that scatters less than it can is no better known for it
        least = sigma**2 + typical / ndit
        error = max(variance, least) * math.sqrt(2 / here.sum()) * ndit / typical
        slopes.append((variance - sigma**2) * ndit / typical)
        weights.append(1 / max(error, 1e-9) ** 2)
    if not slopes:
        return math.nan, math.nan
    order = np.argsort(slopes)
    cumulative = np.cumsum(np.array(weights)[order])
    middle = order[np.searchsorted(cumulative, cumulative[-1] / 2)]
    return slopes[middle], 1.2533 / math.sqrt(cumulative[-1])


def frame_signals(bright: BrightPixels, sigma: float) -> tuple[np.ndarray, float]:
    """Signal of the bright pixels in each frame over their usual one, (N,), and its error.

    The usual one is a pixel's mean over the frames; the result the median over the pixels that are
    bright in half of the frames. A frame of another exposure, temperature or gain stands out. NaN
    where too few pixels are bright.
    """
    values = np.subtract(bright.values, bright.background, dtype=np.float32)
    values = values[:, np.isfinite(values).all(axis=0)]
    usual = np.median(values, axis=0) if values.size else np.zeros(0)
    chosen = np.flatnonzero(usual > BRIGHT * sigma)
    if chosen.size < FEWEST_BRIGHT:
        return np.full(len(values), np.nan), math.nan
    chosen = chosen[:: -(-chosen.size // MOST_BRIGHT)]
    # the mean, since a median is the value of one of the frames: its ratio would be exactly 1
    ratios = values[:, chosen] / values[:, chosen].mean(axis=0)
    found = np.median(ratios, axis=1)
    scatter = 1.4826 * float(np.median(np.abs(ratios - found[:, None])))
    return found, 1.2533 * scatter / math.sqrt(chosen.size)
