"""What one sample of a pixel may scatter: measured on the differences of consecutive frames.

The noise of an ordinary sample, sigma-zero, comes from the differences of consecutive frames in
blocks of 64 x 64 pixels (`differences.pair_noise`). It already holds read
noise, shot noise at the typical signal and quantisation. A smooth map of it follows what
differs over the detector (the shot noise of an amplifier glow, a noisier corner). Pixels of
higher signal add ``slope * signal``; the slope of variance against signal is one in electrons.
"""

import math
from dataclasses import dataclass

import numpy as np

from soxsdark.differences import PairNoise
from soxsdark.grid import Grid, filled
from soxsdark.slope import BrightPixels, measure_slope

BLOCK = 64
SIGNIFICANT = 5.0
"""Signals below this many sigma of the mean add no shot noise of their own."""


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
        """Noise of an ordinary sample for pixel rows first to last (half-open), float32."""
        rows = self.grid.spread(self.ratio.astype(np.float32), first, last)
        # in place: fresh memory takes longer than the arithmetic
        np.maximum(rows, np.float32(0.1), out=rows)
        rows *= np.float32(self.sigma)
        return rows

    def background_rows(self, first: int, last: int) -> np.ndarray:
        """Background above the mean level of pixel rows first to last (half-open), float32."""
        return self.grid.spread(self.background.astype(np.float32), first, last)

    @property
    def variance_slope(self) -> float:
        """Variance added for each electron of signal: `slope` over NDIT."""
        return self.slope / self.ndit


def shot_noise(
    sigma: np.ndarray,
    background: np.ndarray,
    median: np.ndarray,
    count: np.ndarray | int,
    slope: float,
    floor: np.ndarray | None = None,
) -> np.ndarray:
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


def build_noise_model(
    pairs: list[PairNoise],
    background: np.ndarray,
    grid: Grid,
    bright: BrightPixels,
    *,
    gain_known: bool = True,
    ndit: int = 1,
    fallback: float = 1.0,
) -> NoiseModel:
    """Join what all pairs of frames say.

    Parameters
    ----------
    pairs : list of PairNoise
    background : ndarray, shape of the grid
        Signal of each block above the mean level, mean over frames.
    grid : Grid
    bright : BrightPixels
        On which the slope is measured.
    gain_known : bool
        If not, the measured slope takes the place of 1.
    ndit : int
        Integrations averaged in a frame.
    fallback : float
        Slope where the gain is not known and too few pixels are bright to measure it.
    """
    every = np.array([p.blocks for p in pairs])
    sigma = float(np.nanmedian(every))
    known = np.isfinite(every)
    per_block = np.full(grid.shape, np.nan)
    some = known.any(axis=0)
    per_block[some] = np.nanmedian(every[:, some], axis=0)
    ratio = filled(per_block, sigma) / sigma if sigma else np.ones(grid.shape)
    slope, error = measure_slope(bright, sigma, ndit)
    used = 1.0
    if not gain_known:
        used = slope if math.isfinite(slope) and slope > 0 else fallback
    return NoiseModel(sigma, grid, ratio, filled(background, 0.0), used, slope, error, ndit)
