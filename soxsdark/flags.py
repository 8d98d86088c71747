"""Background, excess, hot and cold pixels, and the bits that say what is wrong with a pixel."""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from soxsdark.grid import Grid, filled

CLIP = 3.0
ROUNDS = 10


class Flag(IntFlag):
    """The Euro3D / X-shooter codes; 0 is a good pixel."""

    INPUT = 128
    """Bad in the input bad-pixel map."""
    HOT = 256
    COLD = 512
    """Cold or dead."""
    SATURATED = 4096
    """Saturated in a sample that was averaged."""
    EMPTY = 8192
    """No valid sample at all."""
    NOISY = 16384
    """Found by the noise map."""


@dataclass(frozen=True)
class Excess:
    """The master dark above its local background; electrons."""

    image: np.ndarray
    background: np.ndarray
    sigma: float
    """Robust spatial scatter of the excess."""


def clipped_centre(values: np.ndarray) -> tuple[float, float]:
    """3-sigma-clipped median and standard deviation around it (NaN for nothing).

    The deviation is corrected for what a Gaussian loses beyond 3 sigma.
    """
    if not values.size:
        return np.nan, np.nan
    ordered = np.sort(values).astype(np.float64)
    kept = ordered
    quarter = len(ordered) // 4
    sigma = (ordered[-1 - quarter] - ordered[quarter]) / 1.349 or float(np.std(ordered))
    for _ in range(ROUNDS):
        centre = float(np.median(kept))
        low, high = np.searchsorted(ordered, [centre - CLIP * sigma, centre + CLIP * sigma])
        new = ordered[low:high]
        if not len(new):
            break
        # variance of a unit Gaussian within 3 sigma
        spread = float(np.std(new)) / np.sqrt(0.97334)
        if len(new) == len(kept) and np.isclose(spread, sigma, rtol=1e-6):
            break
        kept, sigma = new, spread
    return float(np.median(kept)), sigma


def background_map(image: np.ndarray, good: np.ndarray, box: int) -> np.ndarray:
    """Smooth background: clipped medians of blocks, bilinear between them.

    Parameters
    ----------
    image : ndarray, (rows, columns)
    good : ndarray of bool
        True = may be used (the inverse of a mask).
    box : int
        Side of the blocks, pixels; 0: one median for the whole image.
    """
    if not box:
        return np.full(image.shape, clipped_centre(image[good])[0], dtype=np.float32)
    grid = Grid.of(image.shape, box)
    coarse = np.full(grid.shape, np.nan)
    for i, j, rows, columns in grid.blocks():
        coarse[i, j] = clipped_centre(image[rows, columns][good[rows, columns]])[0]
    smooth = filled(coarse, 0.0)
    result = np.empty(image.shape, dtype=np.float32)
    for top in range(0, image.shape[0], 256):
        bottom = min(top + 256, image.shape[0])
        result[top:bottom] = grid.spread(smooth, top, bottom)
    return result


def find_excess(image: np.ndarray, good: np.ndarray, box: int) -> Excess:
    """Excess of the master dark above its local background, and its spatial scatter.

    Parameters
    ----------
    image : ndarray, (rows, columns), electrons
        NaN where there is no sample.
    good : ndarray of bool
        True = may be used for background and scatter.
    box : int
        Side of the background's blocks; 0: off.
    """
    usable = good & np.isfinite(image)
    if not usable.any():
        usable = np.isfinite(image)
    background = background_map(image, usable, box)
    excess = image - background
    return Excess(excess, background, clipped_centre(excess[usable])[1])


def hot_and_cold(
    excess: Excess,
    errors: np.ndarray,
    *,
    hot_sigma: float = 5.0,
    cold_sigma: float = 5.0,
    hot_level: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Masks of hot and of cold pixels, True = bad.

    Hot: excess > hot_sigma * max(spatial sigma, ERRS), or excess > hot_level (electrons) where
    that is given; cold: excess < -cold_sigma * max(spatial sigma, ERRS).
    """
    with np.errstate(invalid="ignore"):
        noise = np.fmax(errors, excess.sigma)
        hot = excess.image > hot_sigma * noise
        if hot_level is not None:
            hot |= excess.image > hot_level
        return hot, excess.image < -cold_sigma * noise


def combine(**masks: np.ndarray | None) -> np.ndarray:
    """Flags of all pixels (int16) from one mask a kind, True = bad; names as in `Flag`."""
    result: np.ndarray | None = None
    for name, mask in masks.items():
        if mask is None:
            continue
        bits = np.where(mask, np.int16(Flag[name.upper()]), np.int16(0))
        result = bits if result is None else result | bits
    return result
