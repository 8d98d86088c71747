"""Stack-level clipping: the mean of each pixel over the frames, outliers left out.

The arithmetic of `clip_and_stack`, for blocks of pixels whose samples are sorted along the
stack. On sorted samples the survivors of a clip around the median are always one contiguous
run, so one sort serves all iterations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from soxsdark.level import MAD_TO_SIGMA

StackDeviation = Literal["noise-model", "mad", "std"]

FEWEST_TO_CLIP = 3
FEWEST_SURVIVORS = 2


@dataclass(frozen=True)
class ClippedBlock:
    """The outcome for P pixels; unit of the samples."""

    mean: np.ndarray
    """Mean of the survivors (NaN: no valid sample)."""
    variance: np.ndarray
    """Sample variance (ddof 1) of the survivors; 0 for a single one."""
    used: np.ndarray
    """Survivors."""
    lowest: np.ndarray
    """Smallest survivor: samples below it were rejected."""
    highest: np.ndarray
    """Largest survivor: samples above it were rejected."""
    unclipped: np.ndarray
    """True where clipping would have left fewer than two samples, so that all were kept."""


def sort_stack(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort (N, P) samples along the stack, bad ones (not finite) last: (sorted, valid count)."""
    finite = np.isfinite(samples)
    count = finite.sum(axis=0)
    if not finite.all():
        samples = np.where(finite, samples, np.nan)
    return np.sort(samples, axis=0), count


def _at(ordered: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(ordered, index[None], axis=0)[0].astype(np.float64)


def column_sum(rows: np.ndarray) -> np.ndarray:
    """Sum along the stack in the order of the samples, whatever the memory layout."""
    total = np.zeros(rows.shape[1])
    for row in rows:
        total += row
    return total


def run_median(ordered: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Median of the run first to last (half-open, not empty) of each column."""
    return _at(ordered, (first + last - 1) // 2) / 2 + _at(ordered, (first + last) // 2) / 2


def lower_quartile(ordered: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The sample a quarter of the way up each column of `count` valid samples."""
    return _at(ordered, np.maximum(count - 1, 0) // 4)


def _run_mask(ordered: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    row = np.arange(len(ordered))[:, None]
    return (row >= first) & (row < last)


def _deviation(
    ordered: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    centre: np.ndarray,
    kind: StackDeviation,
) -> np.ndarray:
    inside = _run_mask(ordered, first, last)
    number = last - first
    if kind == "std":
        values = np.where(inside, ordered, 0).astype(np.float64)
        mean = column_sum(values) / number
        return np.sqrt(column_sum(np.where(inside, ordered - mean, 0) ** 2) / number)
    distance = np.sort(np.where(inside, np.abs(ordered - centre), np.inf), axis=0)
    return MAD_TO_SIGMA * run_median(distance, np.zeros_like(number), number)


def _clip_once(
    ordered: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    kind: StackDeviation,
    sigma: np.ndarray | None,
    k: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, lowest and highest value that survive one clip of the run first to last."""
    centre = run_median(ordered, first, last)
    deviation: Any = (
        sigma if kind == "noise-model" else _deviation(ordered, first, last, centre, kind)
    )
    with np.errstate(over="ignore"):
        return centre, centre - k * deviation, centre + k * deviation


def _run_within(
    ordered: np.ndarray, first: np.ndarray, last: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the run first to last that lies between two values, both included."""
    inside = _run_mask(ordered, first, last) & (ordered >= lower) & (ordered <= upper)
    number = inside.sum(axis=0)
    start = np.where(number > 0, inside.argmax(axis=0), first)
    return start, start + number


@dataclass(frozen=True)
class Round:
    """One round of clipping; one value for each of the columns that it looked at."""

    at: np.ndarray
    """Numbers of these columns."""
    centre: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    """Samples below `lower` or above `upper` go."""
    first: np.ndarray
    last: np.ndarray
    """The run that is left (half-open)."""
    changed: np.ndarray
    """True where a sample went."""


def clipping_rounds(
    ordered: np.ndarray,
    count: np.ndarray,
    *,
    deviation: StackDeviation,
    sigma: np.ndarray | None,
    k: float,
    iterations: int,
) -> Iterator[Round]:
    """Clip round by round; columns that do not change, or have no two samples left, drop out.

    Parameters are those of `stack_block`.
    """
    first = np.zeros(count.shape, dtype=np.intp)
    last = count.astype(np.intp)
    active = np.flatnonzero(count >= FEWEST_TO_CLIP)
    for _ in range(iterations):
        if not active.size:
            break
        noise = None if sigma is None else sigma[active]
        columns = ordered if active.size == count.size else ordered[:, active]
        run = first[active], last[active]
        limits = _clip_once(columns, *run, deviation, noise, k)
        start, stop = _run_within(columns, *run, *limits[1:])
        changed = (start != run[0]) | (stop != run[1])
        yield Round(active, *limits, start, stop, changed)
        first[active], last[active] = start, stop
        active = active[changed & (stop - start >= FEWEST_SURVIVORS)]


def surviving_run(
    ordered: np.ndarray,
    count: np.ndarray,
    *,
    deviation: StackDeviation,
    sigma: np.ndarray | None,
    k: float,
    iterations: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surviving run of each column: (first, last (half-open), unclipped).

    Parameters are those of `stack_block`.
    """
    first = np.zeros(count.shape, dtype=np.intp)
    last = count.astype(np.intp)
    touched, bounds = [], np.empty((2, count.size))
    options: dict[str, Any] = {
        "deviation": deviation,
        "sigma": sigma,
        "k": k,
        "iterations": iterations,
    }
    for found in clipping_rounds(ordered, count, **options):
        bounds[:, found.at] = found.lower, found.upper
        first[found.at], last[found.at] = found.first, found.last
        touched.append(found.at[found.changed])
    again = np.unique(np.concatenate(touched)) if touched else np.zeros(0, dtype=np.intp)
    if again.size:
        # the last thresholds hold for every sample: one that went before may lie inside again
        run = _run_within(ordered[:, again], 0 * again, count[again], *bounds[:, again])
        first[again], last[again] = run
    unclipped = (last - first < FEWEST_SURVIVORS) & (count >= FEWEST_TO_CLIP)
    first[unclipped], last[unclipped] = 0, count[unclipped]
    return first, last, unclipped


def stack_block(
    ordered: np.ndarray,
    count: np.ndarray,
    *,
    deviation: StackDeviation = "noise-model",
    sigma: np.ndarray | None = None,
    k: float = 4.0,
    iterations: int = 3,
) -> ClippedBlock:
    """Clip and average the samples of P pixels.

    A sample x goes where ``|x - median| > k * deviation``, the median being that of the
    surviving samples; repeated until nothing changes or `iterations` is reached. The last
    thresholds decide over all samples, as in `astropy.stats.sigma_clip`. Fewer than three
    samples are not clipped; where fewer than two would survive, all are kept.

    Parameters
    ----------
    ordered : ndarray, (N, P)
        Samples sorted along the stack, bad ones (NaN) last; see `sort_stack`.
    count : ndarray of int, (P,)
        Valid samples of each pixel.
    deviation : {"noise-model", "mad", "std"}
        What one sigma is: `sigma`, or 1.4826 MAD or the standard deviation (ddof 0) of the
        survivors.
    sigma : ndarray, (P,)
        Expected noise of one sample; for the noise model.
    k, iterations
        Clipping threshold in deviations, and the largest number of rounds.
    """
    first, last, unclipped = surviving_run(
        ordered, count, deviation=deviation, sigma=sigma, k=k, iterations=iterations
    )
    inside = _run_mask(ordered, first, last)
    used = last - first
    number = np.maximum(used, 1)
    # around a sample of the run, so that nothing is lost on a large pedestal
    origin = np.where(used > 0, _at(ordered, first.clip(0, len(ordered) - 1)), 0.0)
    shifted = np.where(inside, ordered - origin, 0.0)
    offset = column_sum(shifted) / number
    squares = column_sum(np.where(inside, shifted - offset, 0.0) ** 2)
    end = (last - 1).clip(0, len(ordered) - 1)
    return ClippedBlock(
        mean=np.where(used > 0, origin + offset, np.nan),
        variance=squares / np.maximum(used - 1, 1),
        used=used,
        lowest=np.where(used > 0, origin, np.nan),
        highest=np.where(used > 0, _at(ordered, end), np.nan),
        unclipped=unclipped,
    )


def rejected_samples(samples: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Which (N, P) unsorted `samples` were left out, True = rejected; bad ones are not.

    Parameters
    ----------
    samples : ndarray, (N, P)
    lowest, highest : ndarray, (P,)
        Smallest and largest survivor.
    """
    return (samples < lowest) | (samples > highest)
