"""Frames as people hold them (CCDData, arrays) turned into one stack of floats."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from soxsdark.block import BlockOptions, BlockResult, process_block
from soxsdark.differences import PairNoise, pair_noise
from soxsdark.errors import UsageError
from soxsdark.grid import Grid, filled
from soxsdark.level import clip_frames
from soxsdark.medians import run_medians
from soxsdark.memory import MOST_PIXELS, MOST_SAMPLES, row_blocks, rows_at_most
from soxsdark.noise_model import BLOCK, NoiseModel, build_noise_model
from soxsdark.parallel import in_order, processors
from soxsdark.slope import BrightPixels, bright_places

THINNED, STEP = 32, 5
"""Blocks from this side on are sampled in every fifth row and column."""


@dataclass(frozen=True)
class Stack:
    """N frames as one array."""

    samples: np.ndarray
    """(N, rows, columns) float; NaN = bad."""
    uncertainty: np.ndarray | None
    """(N, rows, columns) one standard deviation, where every frame has it."""
    quantum: float
    """Step between neighbouring values; 0 for continuous data."""


def _float(data: np.ndarray) -> np.ndarray:
    kind = np.float32 if data.dtype.kind == "f" and data.dtype.itemsize <= 4 else np.float64
    return np.array(data, dtype=kind)


def _deviation_of(uncertainty: Any, data: np.ndarray) -> np.ndarray | None:
    # astropy's uncertainty classes name themselves; no need to import them
    if uncertainty is None:
        return None
    array = np.asarray(getattr(uncertainty, "array", uncertainty), dtype=np.float64)
    kind = getattr(uncertainty, "uncertainty_type", "std")
    if kind not in ("std", "var", "ivar"):
        raise UsageError(f"uncertainty of type {kind!r}: std, var or ivar is expected")
    if array.shape != data.shape:
        raise UsageError(f"uncertainty of shape {array.shape} on a frame of {data.shape}")
    with np.errstate(divide="ignore"):
        return {"std": array, "var": np.sqrt(array), "ivar": 1 / np.sqrt(array)}[kind]


def _check(arrays: list[np.ndarray], frames: Sequence[Any]) -> None:
    if not arrays:
        raise UsageError("no frames: at least one is needed")
    shapes = sorted({a.shape for a in arrays})
    if len(shapes) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
        raise UsageError(f"frames should be 2-D, not empty and of one shape (got {shapes})")
    if odd := sorted({str(a.dtype) for a in arrays if a.dtype.kind not in "biuf"}):
        raise UsageError(f"frames should be of real numbers (got {', '.join(odd)})")
    units = {str(getattr(f, "unit", None)) for f in frames}
    if len(units) > 1:
        raise UsageError(f"frames should be in one unit (got {', '.join(sorted(units))})")


def as_stack(frames: Sequence[Any], masks: Sequence[np.ndarray | None] | None = None) -> Stack:
    """Turn CCDData or arrays into one stack.

    Parameters
    ----------
    frames : sequence of CCDData or 2-D arrays, or one (N, rows, columns) array
    masks : sequence of bool arrays or None
        Further bad pixels, True = bad.

    Raises
    ------
    UsageError
        If shapes, units, types or the number of masks do not fit.
    """
    frames = list(frames)
    is_ccd = [hasattr(f, "mask") and hasattr(f, "uncertainty") for f in frames]
    arrays = [np.asarray(f.data if c else f) for f, c in zip(frames, is_ccd, strict=True)]
    _check(arrays, frames)
    masks = [None] * len(frames) if masks is None else list(masks)
    if len(masks) != len(frames):
        raise UsageError(f"{len(frames)} frames but {len(masks)} masks")
    samples = np.stack([_float(a) for a in arrays])
    for sample, frame, mask in zip(samples, frames, masks, strict=True):
        own = np.ma.getmaskarray(frame) if np.ma.isMaskedArray(frame) else None
        own = frame.mask if own is None and hasattr(frame, "uncertainty") else own
        for bad in (own, mask):
            if bad is not None:
                bad = np.asarray(bad, dtype=bool)
                if bad.shape not in ((), sample.shape):
                    raise UsageError(f"mask of shape {bad.shape} on a frame of {sample.shape}")
                sample[np.broadcast_to(bad, sample.shape)] = np.nan
        sample[~np.isfinite(sample)] = np.nan
    pairs = zip(frames, arrays, strict=True)
    sigma = [_deviation_of(getattr(frame, "uncertainty", None), a) for frame, a in pairs]
    known = [s for s in sigma if s is not None]
    quantum = 1.0 if all(np.issubdtype(a.dtype, np.integer) for a in arrays) else 0.0
    return Stack(samples, np.stack(known) if len(known) == len(sigma) else None, quantum)


def equal_levels(samples: np.ndarray, **options: Any) -> tuple[np.ndarray, float]:
    """Samples (N, rows, columns) with the level of each frame removed, and the mean level.

    `options` are those of `clip_frames`. A frame without a good pixel has no level.
    """
    levels = np.array([f.level for f in clip_frames(samples, **options)])
    known = np.isfinite(levels)
    mean = float(levels[known].mean()) if known.any() else 0.0
    result = np.empty_like(samples)
    for sample, level, out in zip(samples, np.where(known, levels, 0.0), result, strict=True):
        # in double precision, whatever the type of the samples
        np.subtract(sample, level, out=out, dtype=np.float64, casting="same_kind")
    return result, mean


def check_thresholds(**values: Any) -> None:
    """Raise `UsageError` for a threshold that is no number above zero."""
    for name, value in values.items():
        if not (isinstance(value, Real) and 0 < float(value) < math.inf):
            raise UsageError(f"{name} should be a number above 0 (got {value!r})")


def check_rounds(**values: Any) -> None:
    """Raise `UsageError` for a number of rounds that is no whole number from zero on."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
            raise UsageError(f"{name} should be a whole number from 0 (got {value!r})")


def block_medians(frame: np.ndarray, grid: Grid, bad: np.ndarray | None = None) -> np.ndarray:
    """Median of the good pixels in each block of the grid (NaN: none).

    Of every fifth row and column in blocks of 32 pixels and more: some 170 of 4096 pixels tell
    the background to a tenth of the noise. They are an odd number a side, so that even and odd
    columns of different level never tie.
    """
    rows, columns = (_spread(edges) for edges in (grid.rows, grid.columns))
    place = np.ix_(rows.ravel(), columns.ravel())
    lines = frame[place].astype(frame.dtype.newbyteorder("="), copy=False)
    count = rows.shape[1] * columns.shape[1]
    if lines.dtype.kind == "f" or bad is not None:
        out = ~np.isfinite(lines)
        if bad is not None:
            out |= bad[place]
        lines = np.where(out, np.nan, lines)
    lines = lines.reshape(*rows.shape, *columns.shape).transpose(0, 2, 1, 3).reshape(-1, count)
    lines.sort(axis=1)
    good = np.isfinite(lines).sum(axis=1) if lines.dtype.kind == "f" else count
    return run_medians(lines, 0, good).reshape(grid.shape)


def sampled_pixels(grid: Grid) -> int:
    """Pixels of each block that `block_medians` looks at, bad ones included."""
    return _spread(grid.rows).shape[1] * _spread(grid.columns).shape[1]


def _spread(edges: np.ndarray) -> np.ndarray:
    """Positions in each block, equally many in all: (blocks, positions)."""
    narrowest = int(np.diff(edges).min())
    step = STEP if narrowest >= THINNED else 1
    number = (narrowest - step // 2 - 1) // step + 1
    if step > 1:
        number -= number % 2 == 0
    return edges[:-1, None] + step // 2 + step * np.arange(number)


def measure_noise(samples: np.ndarray, quantum: float = 0.0) -> NoiseModel:
    """Noise model of a stack whose levels are equal: (N, rows, columns), NaN = bad.

    With a single frame there is no difference to measure it on: UsageError. Signals are not
    taken for electrons: the slope of variance against signal is the measured one, 0 where
    there are too few bright pixels to measure it.
    """
    if len(samples) < 2:
        raise UsageError("one frame has no measurable noise: give its noise, or more frames")
    grid = Grid.of(samples.shape[1:], BLOCK)
    threads = processors()
    medians = list(in_order(lambda sample: block_medians(sample, grid), samples, threads))

    def difference(first: int) -> PairNoise:
        one, other = (np.asarray(samples[i], dtype=np.float32) for i in (first, first + 1))
        typical = (medians[first] + medians[first + 1]) / 2
        return pair_noise(one, other, typical, grid, quantum)

    pairs = list(in_order(difference, range(len(samples) - 1), threads))
    if not any(np.isfinite(p.sigma) for p in pairs):
        raise UsageError(
            "too few good pixels that consecutive frames share to measure their noise: give noise="
        )
    background = filled(np.mean(medians, axis=0), 0.0)
    sigma = float(np.nanmedian([p.sigma for p in pairs]))
    places = bright_places(samples[0], samples[1], background, grid, sigma, frames=len(samples))
    values = samples.reshape(len(samples), -1)[:, places]
    bright = BrightPixels(values, background[grid.block_of(places)])
    return build_noise_model(pairs, background, grid, bright, gain_known=False, fallback=0.0)


def _typical_uncertainty(samples: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Root mean square of the uncertainties of the valid samples; NaN where there is none."""
    valid = np.isfinite(samples) & np.isfinite(uncertainty)
    squares = np.where(valid, uncertainty, 0.0) ** 2
    with np.errstate(invalid="ignore"):
        return np.sqrt(squares.sum(axis=0) / valid.sum(axis=0))


@dataclass(frozen=True)
class ExpectedNoise:
    """Noise of one sample of each pixel, in the unit of the samples."""

    of_rows: Callable[[slice], tuple[np.ndarray, np.ndarray]]
    """Some rows -> noise of an ordinary sample and background of their pixels."""
    slope: float
    """Variance for each unit of signal above the background."""


def expected_noise(
    samples: np.ndarray, stack: Stack, noise: NoiseModel | np.ndarray | float | None = None
) -> ExpectedNoise:
    """Noise of the samples, the first of these that is there.

    `noise` (a NoiseModel, an image or a number), the frames' own uncertainties (root mean
    square along the stack), what the differences of the frames show.
    """
    shape = samples.shape[1:]
    if noise is None and stack.uncertainty is not None:
        noise = _typical_uncertainty(stack.samples, stack.uncertainty)
    if noise is None:
        noise = measure_noise(samples, stack.quantum)
    if isinstance(noise, NoiseModel):
        model = noise
        return ExpectedNoise(
            lambda rows: (
                model.sigma_rows(rows.start, rows.stop).ravel(),
                model.background_rows(rows.start, rows.stop).ravel(),
            ),
            model.variance_slope,
        )
    image = np.asarray(noise, dtype=np.float64)
    if image.shape not in ((), shape):
        raise UsageError(f"noise of shape {image.shape} for frames of {shape}")
    image = np.broadcast_to(image, shape)
    if not ((image > 0) | ~np.isfinite(samples).any(axis=0)).all():
        raise UsageError("noise should be above zero wherever there is a valid sample")
    return ExpectedNoise(lambda rows: (image[rows].ravel(), np.zeros(image[rows].size)), 0.0)


def process_stack(
    samples: np.ndarray, noise: ExpectedNoise, options: BlockOptions
) -> Iterator[tuple[slice, np.ndarray, BlockResult]]:
    """Yield rows, their samples (N, P) and what is found in them, for all blocks of rows."""

    def do(rows: slice) -> tuple[slice, np.ndarray, BlockResult]:
        flat = samples[:, rows].reshape(len(samples), -1)
        return rows, flat, process_block(flat, *noise.of_rows(rows), options)

    step = rows_at_most(samples.shape[2], len(samples), MOST_SAMPLES, MOST_PIXELS)
    return in_order(do, row_blocks(samples.shape[1], step), processors())
