"""Background, excess, hot and cold pixels, and the bits that say what is wrong with a pixel."""

import math
from dataclasses import dataclass
from enum import IntFlag
from typing import Any

import numpy as np

from soxsdark.grid import Grid, filled
from soxsdark.medians import clipped_centres
from soxsdark.memory import row_blocks
from soxsdark.parallel import in_order

SAMPLE = 1 << 19
"""Pixels that tell the scatter of a whole frame to a thousandth: 1 / sqrt(2 * SAMPLE)."""
ENOUGH = SAMPLE // 8
"""With fewer good pixels in the sample, all of the frame are taken."""
BAND = 1 << 18
"""Pixels worked on at a time: they stay in the processor's cache."""


class Flag(IntFlag):
    """The Euro3D / X-shooter codes; 0 is a good pixel."""

    INPUT = 128
    """Bad in the input bad-pixel map, or in the master bias."""
    HOT = 256
    """Above the background by more than chance allows; its value is measured all the same."""
    COLD = 512
    """Cold or dead: as far below."""
    SATURATED = 4096
    """Saturated in a sample that was averaged."""
    EMPTY = 8192
    """No valid sample at all."""
    NOISY = 16384
    """Scatters more than read noise and shot noise allow: found by the noise map."""


NAMES = {
    Flag.INPUT: "input map",
    Flag.HOT: "hot",
    Flag.NOISY: "noisy",
    Flag.COLD: "cold or dead",
    Flag.SATURATED: "saturated",
    Flag.EMPTY: "no sample",
}
"""What people call each, the gravest last: it gives its colour to a bin of the report's map."""


@dataclass(frozen=True)
class Background:
    """Smooth background of a master dark, and the scatter of what stands above it; electrons."""

    grid: Grid
    level: np.ndarray
    """One number a block, float32."""
    sigma: float
    """Robust spatial scatter of the excess, the image above its background."""

    def rows(self, first: int, last: int) -> np.ndarray:
        """The background of the pixel rows first to last (half-open), float32."""
        return self.grid.spread(self.level, first, last)


def bands(shape: tuple[int, int]) -> list[slice]:
    """Slices of rows to be worked on one by one."""
    return row_blocks(shape[0], max(1, BAND // shape[1]))


def find_background(
    image: np.ndarray, bad: np.ndarray | None, box: int, threads: int = 1
) -> Background:
    """Clipped medians of blocks, bilinear between them, and the scatter of the excess.

    Parameters
    ----------
    image : ndarray of float, (rows, columns), electrons
        NaN where there is no sample.
    bad : ndarray of bool or None
        True = takes part neither in background nor in scatter. If that leaves no pixel,
        all that are finite do.
    box : int
        Side of the blocks, pixels; 0: one median for the whole image.
    threads : int
        The result does not depend on it.
    """
    grid = Grid.of(image.shape, box)
    level = _block_levels(image, bad, grid, threads)
    if bad is not None and np.isnan(level).all():
        return find_background(image, None, box, threads)
    level = filled(level, 0.0).astype(np.float32)
    sigma = _spatial_sigma(image, bad, Background(grid, level, math.nan), threads)
    return Background(grid, level, sigma)


def _block_levels(
    image: np.ndarray, bad: np.ndarray | None, grid: Grid, threads: int
) -> np.ndarray:
    """Clipped median of each block; NaN for one without a good pixel."""

    def levels(rows: slice) -> np.ndarray:
        lines, count = grid.cut(image[rows], None if bad is None else bad[rows])
        lines.sort(axis=1)
        return clipped_centres(lines, count)[0]

    return np.array(list(in_order(levels, grid.bands(), threads)))


def _spatial_sigma(
    image: np.ndarray, bad: np.ndarray | None, background: Background, threads: int
) -> float:
    """3-sigma-clipped standard deviation of the excess (NaN: no good pixel)."""
    step = max(1, image.size // SAMPLE)
    # every row and every column of the frame are seen alike
    while math.gcd(step, image.shape[1]) > 1:
        step += 1
    excess = _sampled_excess(image, bad, background, step, threads)
    if step > 1 and excess.size < ENOUGH:
        excess = _sampled_excess(image, bad, background, 1, threads)
    if not excess.size:
        return math.nan
    excess.sort()
    return float(clipped_centres(excess[None], np.array([excess.size]))[1][0])


def _sampled_excess(
    image: np.ndarray, bad: np.ndarray | None, background: Background, step: int, threads: int
) -> np.ndarray:
    """Excess of every step-th pixel, in reading order, as far as it is good."""

    def sample(rows: slice) -> np.ndarray:
        every = slice(-rows.start * image.shape[1] % step, None, step)
        part = image[rows].reshape(-1)[every]
        part = part - background.rows(rows.start, rows.stop).reshape(-1)[every]
        good = np.isfinite(part)
        if bad is not None:
            good &= ~bad[rows].reshape(-1)[every]
        return part[good]

    return np.concatenate(list(in_order(sample, bands(image.shape), threads)))


@dataclass(frozen=True)
class Limits:
    """When a pixel is hot or cold."""

    sigma: float
    """Spatial scatter of the excess, electrons."""
    hot_sigma: float = 5.0
    cold_sigma: float = 5.0
    hot_level: float | None = None
    """Electrons; None: not asked for."""


def hot_and_cold(
    excess: np.ndarray, errors: np.ndarray, limits: Limits
) -> tuple[np.ndarray, np.ndarray]:
    """Masks of hot and of cold pixels, True = bad.

    Hot: excess > hot_sigma * max(sigma, errors), or excess > hot_level where that is given;
    cold: excess < -cold_sigma * max(sigma, errors).
    """
    with np.errstate(invalid="ignore"):
        noise = np.fmax(errors, limits.sigma)
        hot = excess > limits.hot_sigma * noise
        if limits.hot_level is not None:
            hot |= excess > limits.hot_level
        return hot, excess < -limits.cold_sigma * noise


def combine(**masks: np.ndarray | None) -> np.ndarray:
    """Flags of all pixels (int16) from one mask a kind, True = bad; names as in `Flag`."""
    result: Any = None
    for name, mask in masks.items():
        if mask is None:
            continue
        bit = np.int16(Flag[name.upper()])
        if result is None:
            result = mask * bit
        elif mask.any():
            result |= mask * bit
    return result
