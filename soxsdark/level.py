"""Frame-level clipping: the robust centre of one frame, and which of its pixels stand out.

Everything happens on the sorted distinct values of a frame and how often each occurs. For
integer frames that is a histogram: the whole iteration is exact and costs one pass over the
pixels, whatever the number of iterations.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np

from soxsdark.compiled import contiguous_rows, kernel
from soxsdark.parallel import in_order, processors

MAD_TO_SIGMA = 1.482602218505602
"""1 / norm.ppf(0.75): the standard deviation of a Gaussian over its median absolute deviation."""

WIDEST_HISTOGRAM = 1 << 22
MOST_CUT = 3.0
"""Deviations from the median within which some of many pixels are always missed."""

Deviation = Literal["mad", "std"]


@dataclass(frozen=True)
class FrameLevel:
    """The outcome of clipping one frame; all values in the unit of its pixels."""

    level: float
    """Mean of the surviving pixels (NaN when there is none)."""
    median: float
    """Median of the surviving pixels."""
    deviation: float
    """1.4826 MAD or standard deviation of the surviving pixels."""
    lower: float
    """Pixels below this were clipped."""
    upper: float
    """Pixels above this were clipped."""
    used: int
    clipped_low: int
    clipped_high: int
    ignored: int
    """Pixels that were masked or not finite from the start."""

    @property
    def clipped(self) -> int:
        """Number of clipped pixels, both sides."""
        return self.clipped_low + self.clipped_high


def distinct(data: np.ndarray, bad: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct values of the usable pixels, and how many pixels have each.

    Parameters
    ----------
    data : ndarray of int or float, any shape
    bad : ndarray of bool, same shape, optional
        True = bad: left out, like values that are not finite.
    """
    if np.issubdtype(data.dtype, np.floating):
        usable = np.isfinite(data) if bad is None else np.isfinite(data) & ~bad
        return np.unique(data[usable], return_counts=True)
    pixels = data if bad is None else data[~bad]
    if not pixels.size:
        return pixels, np.zeros(0, dtype=np.int64)
    low, high = _limits(pixels)
    width = high - low + 1
    if width > WIDEST_HISTOGRAM:
        return np.unique(pixels, return_counts=True)
    counts = _histogram(pixels, low, width)
    present = np.flatnonzero(counts)
    wide = np.uint64 if pixels.dtype.kind == "u" else np.int64
    return present.astype(wide) + wide(low), counts[present]


def _kernel_for(pixels: np.ndarray) -> ModuleType | None:
    return kernel() if pixels.dtype.isnative and pixels.dtype.char in "hHi" else None


def _limits(pixels: np.ndarray) -> tuple[int, int]:
    """Lowest and highest value."""
    compiled = _kernel_for(pixels)
    if compiled is not None:
        return compiled.limits(contiguous_rows(pixels))
    return int(pixels.min()), int(pixels.max())


def _histogram(pixels: np.ndarray, low: int, width: int) -> np.ndarray:
    """How many pixels have each of `width` values from `low` on."""
    compiled = _kernel_for(pixels)
    if compiled is not None:
        counts = np.zeros(width, dtype=np.int64)
        compiled.histogram(contiguous_rows(pixels), low, counts)
        return counts
    # unsigned values from 2^63 on fit no other type
    kind = pixels.dtype.newbyteorder("=") if pixels.dtype.kind == "u" else np.int64
    offset = np.subtract(pixels, low, dtype=kind).astype(np.int64)
    return np.bincount(offset.ravel(), minlength=width)


def _middle(values: np.ndarray, counts: np.ndarray) -> float:
    """Median of values that occur `counts` times; the mean of the two middle ones if even."""
    cumulative = np.cumsum(counts)
    total = cumulative[-1]
    pair = np.searchsorted(cumulative, [(total - 1) // 2, total // 2], side="right")
    return float(values[pair[0]]) / 2 + float(values[pair[1]]) / 2


def _mean(values: np.ndarray, counts: np.ndarray, around: float) -> float:
    # around a value close by, so that float64 loses nothing on a large pedestal
    return around + float(((values - around) * counts).sum()) / float(counts.sum())


def _deviation(values: np.ndarray, counts: np.ndarray, centre: float, kind: Deviation) -> float:
    distance = np.abs(values - centre)
    if kind == "mad":
        order = np.argsort(distance, kind="stable")
        mad = _middle(distance[order], counts[order])
        if mad > 0:
            return MAD_TO_SIGMA * mad
        # over half of the pixels share one value: the MAD says nothing, the spread still does
    mean = _mean(values, counts, centre)
    return float(np.sqrt(((values - mean) ** 2 * counts).sum() / counts.sum()))


def _run_within(values: np.ndarray, bounds: tuple[float, float]) -> tuple[int, int]:
    first = np.searchsorted(values, bounds[0], side="left")
    return int(first), int(np.searchsorted(values, bounds[1], side="right"))


def clip_values(
    values: np.ndarray,
    counts: np.ndarray,
    *,
    lower: float = 3.0,
    upper: float = 3.0,
    iterations: int = 3,
    deviation: Deviation = "mad",
    ignored: int = 0,
) -> FrameLevel:
    """Sigma-clip sorted distinct `values` that occur `counts` times, around their median.

    Pixels below ``median - lower * deviation`` or above ``median + upper * deviation`` go;
    repeated until nothing changes or `iterations` is reached. The last thresholds decide over
    all pixels, as in `astropy.stats.sigma_clip`. With ``deviation="mad"`` the
    deviation is 1.4826 MAD, or the standard deviation where more than half of the pixels
    share one value and the MAD is zero.
    """
    values = values.astype(np.float64, copy=False)
    if not values.size:
        return FrameLevel(np.nan, np.nan, np.nan, -np.inf, np.inf, 0, 0, 0, ignored)
    first, last = 0, len(values)
    bounds = (-np.inf, np.inf)
    for _ in range(iterations):
        centre = _middle(values[first:last], counts[first:last])
        sigma = _deviation(values[first:last], counts[first:last], centre, deviation)
        limits = (centre - lower * sigma, centre + upper * sigma)
        run = _run_within(values, limits)
        run = max(first, run[0]), min(last, run[1])
        if run[0] >= run[1]:
            break
        bounds = limits
        if run == (first, last):
            break
        first, last = run
    # the last thresholds decide over all pixels: one that went before may lie inside again
    first, last = _run_within(values, bounds)
    kept, times = values[first:last], counts[first:last]
    centre = _middle(kept, times)
    return FrameLevel(
        level=_mean(kept, times, centre),
        median=centre,
        deviation=_deviation(kept, times, centre, deviation),
        lower=bounds[0],
        upper=bounds[1],
        used=int(times.sum()),
        clipped_low=int(counts[:first].sum()),
        clipped_high=int(counts[last:].sum()),
        ignored=ignored,
    )


def cut_share(values: np.ndarray, counts: np.ndarray, found: FrameLevel) -> float:
    """Share of the pixels that lie at the lowest or the highest value, cut off there.

    They are if no pixel lies more than 3 deviations beyond the median on that side, and more of
    them have this value than the next one: 0 where that is not so.

    Parameters
    ----------
    values, counts : ndarray
        Sorted distinct values, and how many pixels have each.
    found : FrameLevel
        Of these pixels, in the same unit.
    """
    if len(values) < 2:
        return 0.0
    reach = MOST_CUT * found.deviation
    low = counts[0] if values[0] >= found.median - reach and counts[0] > counts[1] else 0
    high = counts[-1] if values[-1] <= found.median + reach and counts[-1] > counts[-2] else 0
    return float(max(low, high) / counts.sum())


def step_between(values: np.ndarray, low: float, high: float) -> int:
    """Greatest common step between sorted whole values from low to high, and next to them.

    Cameras of 12 bits may give multiples of 16, say. 1 for values that are not whole numbers.
    """
    if values.dtype.kind not in "iu":
        return 1
    first, last = _run_within(values, (low, high))
    kept = values[max(0, first - 1) : last + 1]
    return max(1, int(np.gcd.reduce(np.diff(kept)))) if len(kept) > 1 else 1


def clip_frame(data: np.ndarray, bad: np.ndarray | None = None, **options: Any) -> FrameLevel:
    """Clip one frame; `options` are those of `clip_values`.

    Parameters
    ----------
    data : ndarray
        Pixels of one frame, integer or float, any unit.
    bad : ndarray of bool, optional
        True = bad: takes no part.
    """
    values, counts = distinct(data, bad)
    return clip_values(values, counts, ignored=data.size - int(counts.sum()), **options)


def clip_frames(
    frames: Iterable[np.ndarray], bad: Sequence[np.ndarray | None] | None = None, **options: Any
) -> list[FrameLevel]:
    """Frame-level clipping of a series of frames: one `FrameLevel` each.

    Parameters
    ----------
    frames : iterable of ndarray
    bad : sequence of ndarray of bool, optional
        One mask a frame, True = bad.
    **options
        Those of `clip_values`.
    """
    frames = list(frames)
    masks = [None] * len(frames) if bad is None else bad
    pairs = list(zip(frames, masks, strict=True))
    return list(in_order(lambda pair: clip_frame(*pair, **options), pairs, processors()))
