"""Slow, obvious references: one pixel at a time, plain loops, the definition word by word."""

import math
from statistics import median

import numpy as np
from scipy.stats import chi2, norm

MAD_TO_SIGMA = 1 / norm.ppf(0.75)


def spread_of(values: list[float], kind: str) -> float:
    """1.4826 MAD or standard deviation (ddof 0)."""
    if kind == "mad":
        centre = median(values)
        return MAD_TO_SIGMA * median(abs(v - centre) for v in values)
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))


def clip_pixels(pixels, lower=3.0, upper=3.0, iterations=3, kind="mad") -> list[float]:
    """Survivors of the clipping of one frame; the deviation is the standard one if the MAD is 0."""
    every = kept = [float(p) for p in pixels if math.isfinite(p)]
    bounds = -math.inf, math.inf
    for _ in range(iterations):
        centre = median(kept)
        deviation = spread_of(kept, kind) or spread_of(kept, "std")
        limits = centre - lower * deviation, centre + upper * deviation
        new = [v for v in kept if limits[0] <= v <= limits[1]]
        if not new:
            break
        bounds = limits
        if len(new) == len(kept):
            break
        kept = new
    return [v for v in every if bounds[0] <= v <= bounds[1]]


def clip_stack(samples, kind: str, k: float, iterations: int, sigma=math.nan, readmit=False):
    """Which samples of one pixel are averaged, and whether clipping had to be given up.

    With `readmit` the last bounds are applied to all valid samples, as astropy does: a sample
    that an earlier round took comes back if they hold it.
    """
    valid = [i for i, x in enumerate(samples) if math.isfinite(x)]
    kept = list(valid)
    if len(valid) < 3:
        return set(valid), False
    for _ in range(iterations):
        values = [float(samples[i]) for i in kept]
        centre = median(values)
        deviation = sigma if kind == "noise-model" else spread_of(values, kind)
        new = [i for i in kept if abs(float(samples[i]) - centre) <= k * deviation]
        bounds = centre - k * deviation, centre + k * deviation
        if len(new) < 2:
            return set(valid), True
        if new == kept:
            break
        kept = new
    if readmit and iterations:
        kept = [i for i in valid if bounds[0] <= float(samples[i]) <= bounds[1]]
    return set(kept), False


def noise_of(samples, sigma: float, upper: float) -> tuple[float, float]:
    """(scatter, exceedance) of one pixel, by the rule in the docstring of `noise_block`."""
    values = sorted(float(x) for x in samples if math.isfinite(x))
    number = len(values)
    if number < 2:
        return math.nan, 0.0
    forgiven = max(1, number // 5) if number > 2 else 0
    limit = median(values) + 5 * sigma
    events = sum(v > limit for v in values[number - forgiven :])
    ratios = []
    for j in range(events + 1):
        kept = values[: number - j]
        mean = math.fsum(kept) / len(kept)
        total = math.fsum((v - mean) ** 2 for v in kept) / sigma**2
        if j == 0:
            probability = norm.sf(upper)
        elif number < 10 or (number < 15 and j > 1):
            probability = 0.05
        else:
            probability = 2e-3
        ratios.append(total / chi2.isf(probability, number - 1 - j))
    return sigma * math.sqrt(total / (number - 1 - events)), min(ratios)


def spread_grid(grid, coarse: np.ndarray, row: int, column: int) -> float:
    """Bilinear value at one pixel, the outermost cell's plane going on beyond its centres."""

    def cell(edges, at):
        centres = [(a + b) / 2 for a, b in zip(edges[:-1], edges[1:], strict=True)]
        if len(centres) == 1:
            return 0, 0, 0.0
        i = 0
        while i < len(centres) - 2 and at > centres[i + 1]:
            i += 1
        return i, i + 1, (at - centres[i]) / (centres[i + 1] - centres[i])

    a, b, t = cell(grid.rows, row + 0.5)
    c, d, u = cell(grid.columns, column + 0.5)
    top = coarse[a, c] * (1 - u) + coarse[a, d] * u
    bottom = coarse[b, c] * (1 - u) + coarse[b, d] * u
    return top * (1 - t) + bottom * t


def blocks_of(grid):
    """Yield (index down, index across, slice of rows, slice of columns) of every block."""
    for i, rows in enumerate(grid.bands()):
        for j, edges in enumerate(zip(grid.columns[:-1], grid.columns[1:], strict=True)):
            yield i, j, rows, slice(*edges)
