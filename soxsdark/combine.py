"""Pass 2, block of rows by block: noise, both clippings, the mean; then the noisy pixels' choice.

How a pixel is clipped depends on whether it is noisy, and that on the whole noise image. So the
few candidates keep the results of both clippings, and the choice is made after the last block.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from soxsdark.block import BlockOptions, BlockResult, process_block, processors
from soxsdark.level import MAD_TO_SIGMA
from soxsdark.noise_map import threshold_noise
from soxsdark.stacking import rejected_samples, row_blocks, run_median, sort_stack, stack_block
from soxsdark.survey import RawDark, Survey, to_electrons

CANDIDATE = 0.5
"""Pixels this far towards the threshold of the noise image keep both clippings."""


@dataclass(frozen=True)
class Combined:
    """The stack of a set; images of the science pixels, electrons."""

    mean: np.ndarray
    """Without the levels; NaN where there is no sample."""
    errors: np.ndarray
    used: np.ndarray
    rejected: np.ndarray
    noise: np.ndarray
    """The noise map."""
    noisy: np.ndarray
    """True = bad."""
    quiet: np.ndarray
    """True = bad: scatters too little."""
    saturated: np.ndarray
    """True = bad: a saturated sample was averaged."""
    frame_rejected: np.ndarray
    """Samples rejected in each frame."""
    noise_scale: float
    """Typical variance over the expected one."""
    frame_low: np.ndarray
    """Number of frames in which frame-level clipping took the pixel as too low."""
    frame_high: np.ndarray


@dataclass(frozen=True)
class _Candidates:
    """Pixels of one block that may turn out to be noisy, with their other clipping."""

    index: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    used: np.ndarray
    saturated: np.ndarray
    difference: np.ndarray
    """(N, pixels): samples rejected by the other clipping minus those by the first one."""


class _Images:
    """The images that the blocks fill in."""

    def __init__(self, shape: tuple[int, int], frames: int) -> None:
        self.mean, self.errors, self.noise, self.relative, self.exceedance, self.quietness = (
            np.empty(shape, dtype=np.float32) for _ in range(6)
        )
        self.used, self.rejected, self.frame_low, self.frame_high = (
            np.zeros(shape, dtype=np.int16) for _ in range(4)
        )
        self.saturated, self.unclipped = (np.zeros(shape, dtype=bool) for _ in range(2))
        self.frame_rejected = np.zeros(frames, dtype=np.int64)
        self.candidates: list[_Candidates] = []


def _read_block(darks, survey: Survey, settings, rows: slice, images: _Images) -> tuple:
    """Samples (N, rows * columns) in electrons above the levels, and which are saturated."""
    samples, saturated = [], []
    for dark, found in zip(darks, survey.frames, strict=True):
        raw = dark.science_rows(rows.start, rows.stop)
        electrons = to_electrons(raw, found.level.level, survey.gain)
        limit = dark.about.saturation.value
        saturated.append(np.zeros(raw.shape, bool) if limit is None else raw >= limit)
        if settings.frame_clipping_flags or settings.frame_clipping_excludes_samples:
            low, high = raw < found.level.lower, raw > found.level.upper
            images.frame_low[rows] += low
            images.frame_high[rows] += high
            if settings.frame_clipping_excludes_samples:
                electrons[low | high] = np.nan
        samples.append(electrons.ravel())
    return np.stack(samples), np.stack(saturated).reshape(len(samples), -1)


def _mean_error(sigma: np.ndarray, used: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sigma / np.sqrt(used)


def _other_clipping(samples, block: BlockResult, saturated, index, k) -> _Candidates:
    """Clip once at k max(min(1.4826 MAD, scatter), sigma): a noisy pixel keeps its samples.

    The scatter is the noise map's, without what may be cosmic rays. MAD alone is wild for few
    samples and would let one hit in fifty pass; the scatter alone is blown up by a second hit.
    """
    raw, sigma = samples[:, index], block.sigma[index]
    ordered, number = sort_stack(raw)
    zero = np.zeros_like(number)
    distance = np.sort(np.abs(ordered - run_median(ordered, zero, number)), axis=0)
    mad = MAD_TO_SIGMA * run_median(distance, zero, number)
    wide = np.fmax(np.fmin(mad, block.scatter[index]), sigma)
    other = stack_block(ordered, number, sigma=wide, k=k, iterations=1)
    out = rejected_samples(raw, other.lowest, other.highest)
    first_out = rejected_samples(raw, block.lowest[index], block.highest[index])
    kept = np.isfinite(raw) & ~out
    return _Candidates(
        index=index,
        mean=other.mean,
        error=_mean_error(np.sqrt(np.maximum(sigma**2, other.variance)), other.used),
        used=other.used,
        saturated=(saturated[:, index] & kept).any(axis=0),
        difference=out.astype(np.int8) - first_out,
    )


def _do_block(darks, survey: Survey, settings, rows: slice, images: _Images) -> None:
    samples, saturated = _read_block(darks, survey, settings, rows, images)
    model, shape = survey.noise, (rows.stop - rows.start, darks[0].shape[1])
    block = process_block(
        samples,
        model.sigma_rows(rows.start, rows.stop).ravel(),
        model.background_rows(rows.start, rows.stop).ravel(),
        _options(settings, model.variance_slope),
        processors(),
    )
    rejected = block.count - block.used
    some = np.flatnonzero(rejected)
    out = rejected_samples(samples[:, some], block.lowest[some], block.highest[some])
    images.frame_rejected += out.sum(axis=1)
    saturated_left = saturated.any(axis=0)
    saturated_left[some] = (saturated[:, some] & ~out).any(axis=0)
    for name, values in (
        ("mean", block.mean),
        ("errors", _mean_error(block.sigma, block.used)),
        ("noise", block.scatter),
        ("relative", block.relative),
        ("exceedance", block.exceedance),
        ("quietness", block.quiet),
        ("used", block.used),
        ("rejected", rejected),
        ("unclipped", block.unclipped),
        ("saturated", saturated_left),
    ):
        getattr(images, name)[rows] = values.reshape(shape)
    maybe = np.flatnonzero(((block.exceedance > CANDIDATE) | block.unclipped) & (block.count > 0))
    if maybe.size and settings.stacked_clipping_iterations:
        found = _other_clipping(samples, block, saturated, maybe, settings.stacked_clipping_sigma)
        images.candidates.append(replace(found, index=found.index + rows.start * shape[1]))


def _options(settings, slope: float) -> BlockOptions:
    return BlockOptions(
        deviation=settings.stacked_clipping_deviation,
        k=settings.stacked_clipping_sigma,
        iterations=settings.stacked_clipping_iterations,
        upper=settings.noise_clipping_upper_sigma,
        lower=settings.noise_clipping_lower_sigma,
        slope=slope,
    )


def _choose_clipping(images: _Images, noisy: np.ndarray, own_deviation: bool) -> None:
    """Give the noisy pixels the result of their own clipping."""
    for found in images.candidates:
        chosen = noisy.ravel()[found.index]
        at = found.index[chosen]
        images.errors.flat[at] = found.error[chosen]
        if not own_deviation:
            # the user asked for one deviation everywhere: only the error follows the scatter
            continue
        images.mean.flat[at] = found.mean[chosen]
        images.rejected.flat[at] += (images.used.flat[at] - found.used[chosen]).astype(np.int16)
        images.used.flat[at] = found.used[chosen]
        images.saturated.flat[at] = found.saturated[chosen]
        images.frame_rejected += found.difference[:, chosen].sum(axis=1)


def combine(
    darks: Sequence[RawDark],
    survey: Survey,
    settings,
    step: Callable[[], None] = lambda: None,
) -> Combined:
    """Stack the frames: clip, average, and find the noisy pixels.

    Parameters
    ----------
    darks : sequence of RawDark
    survey : Survey
        Of the same frames.
    settings : MdarkSettings
    step : callable
        Called after each block of rows.
    """
    shape = darks[0].shape
    images = _Images(shape, len(darks))
    for rows in row_blocks(*shape, len(darks)):
        _do_block(darks, survey, settings, rows, images)
        step()
    found = threshold_noise(
        images.relative,
        images.exceedance,
        images.quietness,
        iterations=settings.noise_clipping_iterations,
    )
    noisy = found.noisy | images.unclipped
    _choose_clipping(images, noisy, settings.stacked_clipping_deviation == "noise-model")
    return Combined(
        mean=images.mean,
        errors=images.errors,
        used=images.used,
        rejected=images.rejected,
        noise=np.where(np.isfinite(images.noise), images.noise, np.float32(0)),
        noisy=noisy,
        quiet=found.quiet,
        saturated=images.saturated,
        frame_rejected=images.frame_rejected,
        noise_scale=found.scale,
        frame_low=images.frame_low,
        frame_high=images.frame_high,
    )
