"""The noise of each frame by itself, from what is left of it beside the mean of all.

Differences of consecutive frames tell the noise of two together. What is left of frame i has the
variance v_i (1 - 2/N) + (sum of all v) / N^2, which N frames can be solved for.
"""

import math

import numpy as np

from soxsdark.differences import clipped_sigma

STEP = 1 / 16
"""Width of a bin, in noises expected of a sample."""
HALF = 256
"""Bins on either side."""
FEWEST_FRAMES = 3


def count_residuals(samples: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Histograms of the frames without their mean: int64, (N, 2 HALF + 1).

    Parameters
    ----------
    samples : ndarray of float32, (N, P), electrons above the levels
        Pixels that are not finite in every frame are not counted.
    sigma : ndarray, (P,)
        Noise expected of one sample.
    """
    width = 2 * HALF + 1
    with np.errstate(over="ignore", invalid="ignore"):
        bins = samples - samples.mean(axis=0)
        bins *= 1 / (STEP * sigma)
        np.rint(bins, out=bins)
        inside = np.abs(bins) <= HALF
    chosen = (row[good].astype(np.int64) + HALF for row, good in zip(bins, inside, strict=True))
    return np.array([np.bincount(numbers, minlength=width) for numbers in chosen])


def frame_noises(counts: np.ndarray) -> np.ndarray:
    """Noise of each frame over that expected of a sample, (N,); NaN: cannot be told.

    Parameters
    ----------
    counts : ndarray of int, (N, bins)
        Of `count_residuals`.
    """
    frames = len(counts)
    if frames < FEWEST_FRAMES:
        return np.full(frames, np.nan)
    left = clipped_sigma(counts, STEP) ** 2
    every = left.sum() / (1 - 1 / frames)
    return np.sqrt(np.maximum(left - every / frames**2, 0) / (1 - 2 / frames))


def relative_error(counts: np.ndarray, sigma: float, quantum: float) -> float:
    """Standard error of the noise of a frame, relative.

    Noise below the step between values depends on where the level lies between two of them.

    Parameters
    ----------
    counts : ndarray of int, (N, bins)
        Of `count_residuals`.
    sigma, quantum : float
        Noise of one sample, and the step between values, in the same unit.
    """
    frames, pixels = len(counts), max(1, int(np.median(counts.sum(axis=1))))
    if frames < FEWEST_FRAMES:
        return math.nan
    chance = math.sqrt(1 / (2 * pixels)) / (1 - 2 / frames)
    if not quantum:
        return chance
    read = max(sigma**2 / quantum**2 - 1 / 12, 0)
    swing = (4 * read + 1 / math.pi**2) * math.exp(-2 * math.pi**2 * read)
    return math.hypot(chance, swing / (2 * (read + 1 / 12)))
