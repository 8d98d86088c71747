"""The two utilities of the recipe, for frames as people hold them: CCDData or arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from soxsdark.block import BlockOptions, BlockResult
from soxsdark.errors import UsageError
from soxsdark.noise_map import MOST_LOWER, threshold_noise
from soxsdark.noise_model import NoiseModel
from soxsdark.stack_input import (
    as_stack,
    check_rounds,
    check_thresholds,
    equal_levels,
    expected_noise,
    process_stack,
)
from soxsdark.stacking import StackDeviation, rejected_samples

UPPER = 4.0
"""Threshold of the noise map, which `clip_and_stack` does not use."""


@dataclass(frozen=True)
class Stacked:
    """What `clip_and_stack` returns; images of the frames' shape, unit of the frames."""

    mean: np.ndarray
    uncertainty: np.ndarray
    """One standard deviation of the mean."""
    mask: np.ndarray
    """True = bad: no valid sample, or clipping left no two that agree."""
    used: np.ndarray
    """Samples averaged."""
    rejected: np.ndarray | None
    """(N, rows, columns), True = valid but left out; on request."""

    @classmethod
    def empty(cls, shape: tuple[int, int, int], with_rejected: bool) -> "Stacked":
        """Make the arrays for N frames, nothing in them yet."""
        return cls(
            mean=np.empty(shape[1:]),
            uncertainty=np.empty(shape[1:]),
            mask=np.empty(shape[1:], dtype=bool),
            used=np.empty(shape[1:], dtype=np.int32),
            rejected=np.zeros(shape, dtype=bool) if with_rejected else None,
        )

    def put(self, rows: slice, samples: np.ndarray, block: BlockResult, level: float) -> None:
        """Take in the result of a block of rows, whose (N, P) samples had their level removed."""
        main, part = block.main, self.mean[rows].shape
        self.mean[rows] = main.mean.reshape(part) + level
        self.uncertainty[rows] = main.error.reshape(part)
        self.mask[rows] = ((main.used == 0) | block.unclipped).reshape(part)
        self.used[rows] = main.used.reshape(part)
        if self.rejected is not None:
            out = rejected_samples(samples, main.lowest, main.highest)
            self.rejected[:, rows] = out.reshape(len(samples), *part)


def clip_and_stack(
    frames: Sequence[Any],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    deviation: StackDeviation = "noise-model",
    k: float = 4.0,
    iterations: int = 3,
    noise: NoiseModel | np.ndarray | float | None = None,
    equalise_levels: bool = True,
    frame_lower: float = 3.0,
    frame_upper: float = 3.0,
    frame_iterations: int = 3,
    return_rejected: bool = False,
) -> Stacked:
    """Clip each frame for its level, then clip and average the stack.

    Parameters
    ----------
    frames : sequence of N CCDData, or array_like of shape (N, rows, columns)
        One exposure each, all in one unit. Masked (True = bad) and non-finite pixels take no
        part. Uncertainties of CCDData, where all have them, are the expected noise.
    masks : sequence of N bool arrays or None, optional
        Further bad pixels of each frame, True = bad.
    deviation : {"noise-model", "mad", "std"}
        What one sigma is along the stack; see `stack_block`.
    k, iterations
        Clipping threshold along the stack, in deviations, and the largest number of rounds.
    noise : NoiseModel, array (rows, columns), float or None
        Expected noise of one sample; None: the frames' uncertainties, or else measured on the
        differences of consecutive frames.
    equalise_levels : bool
        Whether the frames' levels are made equal before clipping; the mean level is put back.
    frame_lower, frame_upper, frame_iterations
        Frame-level clipping that gives the level (`clip_frames`).
    return_rejected : bool
        Whether `Stacked.rejected` is wanted.

    Raises
    ------
    UsageError
        If the frames differ in shape or unit, there is none, or a parameter makes no sense.
    """
    frame = {"lower": frame_lower, "upper": frame_upper, "iterations": frame_iterations}
    _check_parameters(deviation, k, iterations, frame)
    stack = as_stack(frames, masks)
    samples, level = equal_levels(stack.samples, **frame) if equalise_levels else (stack.samples, 0)
    expected = expected_noise(samples, stack, noise)
    options = BlockOptions(deviation, k, iterations, UPPER, None, expected.slope)
    result = Stacked.empty(samples.shape, return_rejected)
    for rows, flat, block in process_stack(samples, expected, options):
        result.put(rows, flat, block, level)
    return result


def _check_parameters(deviation: str, k: float, iterations: int, frame: dict[str, Any]) -> None:
    if deviation not in get_args(StackDeviation):
        allowed = ", ".join(get_args(StackDeviation))
        raise UsageError(f"deviation should be one of {allowed} (got {deviation!r})")
    check_thresholds(k=k, frame_lower=frame["lower"], frame_upper=frame["upper"])
    check_rounds(iterations=iterations, frame_iterations=frame["iterations"])


@dataclass(frozen=True)
class NoiseMap:
    """What `create_noise_map` returns; images of the frames' shape."""

    noise: np.ndarray
    """Scatter of each stack, unit of the frames."""
    mask: np.ndarray
    """True = bad: noisy (or too quiet, where asked for)."""
    scale: float
    """Typical variance of unflagged pixels over the expected one; near 1."""


def create_noise_map(
    frames: Sequence[Any],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    upper: float = 4.0,
    lower: float | None = None,
    iterations: int = 3,
    noise: NoiseModel | np.ndarray | float | None = None,
    equalise_levels: bool = True,
) -> NoiseMap:
    """Measure the scatter of each pixel along a stack and flag the noisy ones.

    Parameters
    ----------
    frames, masks, noise, equalise_levels
        As in `clip_and_stack`.
    upper, lower, iterations
        Thresholds as equivalent Gaussian sigmas (lower None: off), rounds of clipping.

    Raises
    ------
    UsageError
        If the frames do not fit together, or there are fewer than two.
    """
    check_thresholds(upper=upper, **({} if lower is None else {"lower": lower}))
    check_rounds(iterations=iterations)
    if lower is not None and lower > MOST_LOWER:
        raise UsageError(f"lower should be at most {MOST_LOWER:g} (got {lower!r})")
    stack = as_stack(frames, masks)
    samples = stack.samples
    if len(samples) < 2:
        raise UsageError("a noise map needs at least two frames (got 1)")
    if equalise_levels:
        samples, _ = equal_levels(samples)
    expected = expected_noise(samples, stack, noise)
    options = BlockOptions("noise-model", 1.0, 0, upper, lower, expected.slope)
    images = {
        name: np.empty(samples.shape[1:]) for name in ("scatter", "relative", "exceedance", "quiet")
    }
    for rows, _, block in process_stack(samples, expected, options):
        for name, image in images.items():
            image[rows] = getattr(block, name).reshape(image[rows].shape)
    scatter = images.pop("scatter")
    found = threshold_noise(**images, iterations=iterations)
    return NoiseMap(scatter, found.noisy | found.quiet, found.scale)
