"""Figures of merit, computed from plain arrays of one region of a detector; electrons."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from soxsdark.flags import Flag
from soxsdark.medians import clipped_centres, median, run_medians
from soxsdark.noise_model import NoiseModel
from soxsdark.stack_input import sampled_pixels

FEWEST = 64
"""Pixels below which a scatter is not measured."""
MEDIAN_VARIANCE = math.pi / 2
"""Variance of the median of many Gaussian values, over that of their mean."""
SURE = 5.0
"""Standard errors beyond which chance is excluded."""
TRACK = 16
"""Samples that cosmic rays take at once, weighted by themselves: their counts scatter that much
more than counts of single pixels."""
LONGEST_TRACK = 100


class Figure(NamedTuple):
    """A value and its standard error; NaN: cannot be told."""

    value: float
    error: float


UNKNOWN = Figure(math.nan, math.nan)


def beyond(variance: float, error: float) -> Figure:
    """Square root of a variance that may have come out below zero by chance (0 then)."""
    value = math.sqrt(max(variance, 0.0))
    return Figure(value, math.sqrt(max(variance, 0.0) + error) - value)


def centres(flux: np.ndarray, flags: np.ndarray) -> tuple[float, float]:
    """Median and mean of the pixels with a sample that the input map does not call bad."""
    known = flags & flags.dtype.type(Flag.INPUT | Flag.EMPTY) == 0
    some = flux.ravel() if known.all() or not known.any() else flux[known]
    return median(some), float(np.mean(some, dtype=np.float64))


def error_of_differences(sigma: float, frames: int, pixels: int) -> float:
    """Standard error of a noise that is the median of many blocks' differences.

    The mean square of consecutive differences of N values has the relative variance
    (3N - 4) / (N - 1)^2; the median of blocks has pi/2 times that of their mean.
    """
    relative = math.sqrt(MEDIAN_VARIANCE * (3 * frames - 4) / pixels) / (2 * (frames - 1))
    return sigma * relative


def noise_of_mean(halves: np.ndarray, good: np.ndarray, frames: int) -> Figure:
    """Noise of the mean of N frames, from half the difference of odd and even ones' means.

    The 3-sigma-clipped scatter, corrected for the truncation, and for unequal halves brought to
    the noise of the mean of all. What all frames share is not in it.

    Parameters
    ----------
    halves : ndarray of float, any shape
        Half the difference of the two means, in any unit.
    good : ndarray of bool, same shape
        True = good.
    frames : int
        N.
    """
    values = np.sort(halves[good & np.isfinite(halves)])
    if values.size < FEWEST:
        return UNKNOWN
    odd, even = (frames + 1) // 2, frames // 2
    scale = math.sqrt(4 / (1 / odd + 1 / even) / frames)
    sigma = scale * float(clipped_centres(values[None], np.array([values.size]))[1][0])
    return Figure(sigma, sigma / math.sqrt(2 * values.size))


def joined(parts: Sequence[Figure], shares: np.ndarray) -> Figure:
    """Root mean square of the scatters of several regions, by their shares of the pixels."""
    values, errors = np.array(parts).T
    variance = float(np.sum(shares * values**2))
    # that of each variance, as `beyond` was given it: there is one where the value is 0, too
    of_variances = (values + errors) ** 2 - values**2
    error = math.sqrt(float(np.sum((shares * of_variances) ** 2)))
    return beyond(variance, error) if math.isfinite(variance) else UNKNOWN


def errors_of_medians(model: NoiseModel) -> np.ndarray:
    """Standard error of the median of each block of a frame, (blocks,)."""
    sigma = model.sigma * model.ratio.ravel()
    return sigma * math.sqrt(MEDIAN_VARIANCE / sampled_pixels(model.grid))


def fixed_pattern(spatial: Figure, noise: Figure) -> Figure:
    """Spatial scatter beyond noise: sqrt(spatial^2 - noise^2)."""
    error = math.hypot(2 * spatial.value * spatial.error, 2 * noise.value * noise.error)
    return beyond(spatial.value**2 - noise.value**2, error)


def column_structure(excess: np.ndarray, good: np.ndarray) -> Figure:
    """Scatter of the medians of columns beyond noise.

    Each column has two medians, of every other line and of the lines in between. Their mean holds
    structure and noise, half their difference noise alone; the 3-sigma-clipped scatters over the
    columns are compared, so that single bad columns do not decide.

    Parameters
    ----------
    excess : ndarray of float, (lines, columns)
        Above the smooth background; transposed for the structure of rows.
    good : ndarray of bool, same shape
        True = good.
    """
    values = np.where(good, excess, np.nan)
    first, second = (_column_medians(values[part::2]) for part in (0, 1))
    number = np.count_nonzero(np.isfinite(first + second))
    if number < 3:
        return UNKNOWN
    both = np.sort([(first + second) / 2, (first - second) / 2], axis=1)
    variance, noise = clipped_centres(both, np.full(2, number))[1] ** 2
    error = math.hypot(variance, noise) * math.sqrt(2 / number)
    return beyond(float(variance - noise), error)


def _column_medians(values: np.ndarray) -> np.ndarray:
    ordered = np.sort(values.T, axis=1)
    if not ordered.shape[1]:
        return np.full(len(ordered), np.nan)
    return run_medians(ordered, 0, np.isfinite(ordered).sum(axis=1))


class FrameStructure(NamedTuple):
    """Structure of each frame of its own."""

    value: np.ndarray
    """(N,): scatter of block medians of frame minus mean of the frames, beyond noise."""
    error: np.ndarray
    """(N,)."""
    chance: float
    """Value that noise alone does not reach."""


def frame_structure(medians: np.ndarray, noise: np.ndarray, quantum: float) -> FrameStructure:
    """Scatter of the block medians of each frame minus the mean of the frames, beyond noise.

    Parameters
    ----------
    medians : ndarray, (N, blocks)
        Of each frame above its level; NaN: unknown.
    noise : ndarray, (blocks,)
        Standard error of each median of a frame.
    quantum : float
        Step between neighbouring values: medians of integers are integers, or lie half way.
    """
    known = np.isfinite(medians).all(axis=0)
    frames, number = len(medians), np.count_nonzero(known)
    if number < 3 or frames < 2:
        nothing = np.full(frames, np.nan)
        return FrameStructure(nothing, nothing, math.inf)
    own = medians[:, known] - medians[:, known].mean(axis=0)
    expected = (np.mean(noise[known] ** 2) + quantum**2 / 12) * (1 - 1 / frames)
    found = own.var(axis=1, ddof=1)
    errors = np.maximum(found, expected) * math.sqrt(2 / (number - 1))
    figures = [beyond(*pair) for pair in zip(found - expected, errors, strict=True)]
    chance = math.hypot(math.sqrt(SURE * expected * math.sqrt(2 / (number - 1))), quantum / 2)
    values, deviations = np.array(figures).T
    return FrameStructure(values, deviations, chance)


class RejectionRatio(NamedTuple):
    """The frame that lost most samples."""

    frame: int
    value: float
    """Its number of rejected samples over that of the median frame (1 if that is 0)."""
    chance: float
    """Value that cosmic rays alone do not reach."""


def rejection_ratio(rejected: np.ndarray) -> RejectionRatio:
    """Compare the frame that lost most samples with the median frame.

    Parameters
    ----------
    rejected : ndarray of int, (N,)
        Samples rejected in each frame.
    """
    frame = int(np.argmax(rejected))
    typical = max(float(np.median(rejected)), 1.0)
    scatter = math.sqrt(TRACK * typical * (1 + MEDIAN_VARIANCE / len(rejected)))
    chance = (typical + SURE * scatter + LONGEST_TRACK) / typical
    return RejectionRatio(frame, float(rejected[frame]) / typical, chance)
