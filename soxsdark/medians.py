"""Medians, plain and clipped, of many pixels at once."""

import math
from dataclasses import dataclass

import numpy as np

from soxsdark.compiled import kernel

CLIP = 3.0
ROUNDS = 10
KEPT_VARIANCE = 0.97334
"""Variance of a unit Gaussian within 3 sigma."""
QUARTILES = 1.349
"""Distance of the quartiles of a unit Gaussian."""
SLAB = 64
"""Pieces of sorted rows that are summed at a time."""
SAMPLE = 1 << 16
BRACKET = 4.0
"""Half the bracket of a median, in standard errors of the sample's middle."""


def median(values: np.ndarray) -> float:
    """Exactly ``np.median(values)``, NaN if there is a NaN; fast for many values.

    A sample gives a bracket for the middle; only what lies inside is partitioned. Where the
    sample is not like the rest, and the bracket misses, NumPy does it.
    """
    values = values.ravel()
    # odd, or a stride of a power of two would see the same few columns of a frame
    step = (values.size // SAMPLE) | 1
    if step == 1:
        return float(np.median(values))
    sample = np.sort(values[::step])
    half = int(BRACKET * math.sqrt(sample.size) / 2)
    low, high = sample[sample.size // 2 - half], sample[sample.size // 2 + half]
    inside = values[(values >= low) & (values <= high)]
    below = np.count_nonzero(values < low)
    middle = [(values.size - 1) // 2 - below, values.size // 2 - below]
    whole = below + inside.size + np.count_nonzero(values > high) == values.size
    if not whole or middle[0] < 0 or middle[1] >= inside.size:
        return float(np.median(values))
    inside.partition(middle)
    return float(np.mean(inside[middle[0] : middle[1] + 1]))


def run_medians(ordered: np.ndarray, low: np.ndarray | int, high: np.ndarray | int) -> np.ndarray:
    """Median of the run low to high (half-open) of each sorted row, float64; NaN for none.

    Parameters
    ----------
    ordered : ndarray, (rows, values)
        Each row in rising order.
    low, high : ndarray of int, (rows,), or int
        Within 0 and the number of values.
    """
    rows, number = np.arange(len(ordered)), np.asarray(high) - low
    # what an empty run points at is dropped, but should be there
    first = np.maximum(low + (number - 1) // 2, 0)
    second = np.minimum(low + number // 2, ordered.shape[1] - 1)
    middle = (ordered[rows, at].astype(np.float64) for at in (first, second))
    return np.where(number > 0, sum(middle) / 2, np.nan)


@dataclass(frozen=True)
class _Sums:
    """Number, sum and sum of squares of all values below a bound, for sorted rows.

    Sums of pieces of the rows are kept, not those up to every value: these would be the
    slowest part, and each bound needs the values of one piece alone.
    """

    ordered: np.ndarray
    about: np.ndarray
    """(rows, 1): subtracted from all values, so that the squares lose nothing."""
    size: int
    """Values a piece."""
    totals: np.ndarray
    """(2, rows, pieces + 1): sums and sums of squares before each piece."""

    @classmethod
    def of(cls, ordered: np.ndarray, about: np.ndarray) -> "_Sums":
        rows, length = ordered.shape
        size = _piece(length)
        totals = np.zeros((2, rows, -(-length // size) + 1))
        for piece in range(0, totals.shape[2] - 1, SLAB):
            part = ordered[:, piece * size : (piece + SLAB) * size] - about
            part = np.pad(part, ((0, 0), (0, -part.shape[1] % size)))
            part = part.reshape(rows, -1, size)
            into = totals[:, :, piece + 1 : piece + 1 + part.shape[1]]
            into[0], into[1] = _in_turn(part), _in_turn(part * part)
        return cls(ordered, about, size, np.cumsum(totals, axis=2, out=totals))

    def below(self, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(number, sum, sum of squares) of what is less than bounds (rows, k); each (rows, k)."""
        heads = self.ordered[:, :: self.size]
        before = (heads[:, None, :] < bounds[:, :, None]).sum(axis=2)
        piece = np.maximum(before - 1, 0)
        at = piece[:, :, None] * self.size + np.arange(self.size)
        rows = np.arange(len(bounds))[:, None]
        part = self.ordered[rows[:, :, None], np.minimum(at, self.ordered.shape[1] - 1)]
        inside = (part < bounds[:, :, None]) & (at < self.ordered.shape[1])
        rest = np.where(inside, part - self.about[:, :, None], 0.0)
        number = piece * self.size + inside.sum(axis=2)
        total, squares = (t[rows, piece] for t in self.totals)
        return number, total + _in_turn(rest), squares + _in_turn(rest * rest)


def _in_turn(values: np.ndarray) -> np.ndarray:
    """Sums along the last axis in the order of the values, whatever the machine."""
    return np.cumsum(values, axis=-1)[..., -1]


def _piece(length: int) -> int:
    """Values that are summed at a time, in rows of some length."""
    return math.isqrt(length - 1) + 1


def clipped_centres(ordered: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """3-sigma-clipped median of each row, and the standard deviation around it.

    Starts with the quartiles; a round keeps median - 3 sigma <= value < median + 3 sigma, with
    the median and the deviation of what the round before kept, until neither changes. The
    deviation is corrected for what a Gaussian loses beyond 3 sigma.

    Parameters
    ----------
    ordered : ndarray of float, (rows, values)
        Each row in rising order, NaN (no value) last.
    count : ndarray of int, (rows,)
        Values of each row.

    Returns
    -------
    centre, sigma : ndarray of float64, (rows,)
        NaN for a row without a value.
    """
    compiled = kernel()
    if compiled is None or ordered.dtype.char != "f":
        return _clipped_centres(ordered, count)
    centre, sigma = np.empty((2, len(ordered)))
    ordered, count = np.ascontiguousarray(ordered), np.ascontiguousarray(count, dtype=np.int64)
    numbers = _piece(ordered.shape[1]), ROUNDS, CLIP, KEPT_VARIANCE, QUARTILES
    compiled.clip_sorted(ordered.shape, ordered, count, numbers, centre, sigma)
    return centre, sigma


def _clipped_centres(ordered: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`clipped_centres` in NumPy: the reference."""
    low, high = np.zeros_like(count), count
    centre = run_medians(ordered, low, high)
    sums = _Sums.of(ordered, centre[:, None])
    sigma = _first_sigma(sums, count)
    changing = count > 0
    for _ in range(ROUNDS):
        bounds = np.stack([centre - CLIP * sigma, centre + CLIP * sigma], axis=1)
        new, spread = _window(sums, bounds)
        number = new[:, 1] - new[:, 0]
        same = (number == high - low) & (np.abs(spread - sigma) <= 1e-6 * sigma + 1e-8)
        changing = changing & (number > 0) & ~same
        if not changing.any():
            break
        low, high = np.where(changing, new.T, (low, high))
        sigma = np.where(changing, spread, sigma)
        centre = run_medians(ordered, low, high)
    return centre, sigma


def _first_sigma(sums: _Sums, count: np.ndarray) -> np.ndarray:
    """From the quartiles; where these are equal, the standard deviation of all values."""
    rows, quarter = np.arange(len(count)), count // 4
    upper = sums.ordered[rows, np.maximum(count - 1 - quarter, 0)].astype(np.float64)
    sigma = (upper - sums.ordered[rows, quarter]) / QUARTILES
    if (sigma == 0).any():
        every = np.tile([-np.inf, np.inf], (len(count), 1))
        sigma = np.where(sigma == 0, _window(sums, every)[1] * math.sqrt(KEPT_VARIANCE), sigma)
    return np.where(count > 0, sigma, np.nan)


def _window(sums: _Sums, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each row's run within the bounds (rows, 2) begins and ends, and its deviation."""
    place, total, squares = sums.below(bounds)
    number = np.maximum(place[:, 1] - place[:, 0], 1)
    mean = (total[:, 1] - total[:, 0]) / number
    variance = (squares[:, 1] - squares[:, 0]) / number - mean**2
    return place, np.sqrt(np.maximum(variance, 0) / KEPT_VARIANCE)
