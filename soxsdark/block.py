"""One block of pixels: clipping, mean and noise, by the compiled kernel or by NumPy.

Both give the same bits. The NumPy functions are the reference; they take over where the kernel
was not built, or where ``SOXSDARK_KERNEL=numpy`` asks for them.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import import_module
from typing import get_args

import numpy as np

from soxsdark.noise_map import EVENT, events_forgiven, lower_threshold, noise_block, thresholds
from soxsdark.noise_model import SIGNIFICANT, shot_noise
from soxsdark.stacking import (
    StackDeviation,
    lower_quartile,
    run_median,
    sort_stack,
    stack_block,
)

FEWEST_A_THREAD = 4096


@dataclass(frozen=True)
class BlockOptions:
    """How pixels are clipped and judged."""

    deviation: StackDeviation
    k: float
    iterations: int
    upper: float
    lower: float | None
    slope: float
    """Variance for each unit of signal."""


@dataclass(frozen=True)
class BlockResult:
    """One value a pixel; see `ClippedBlock` and `NoiseBlock`, whose fields these are."""

    mean: np.ndarray
    variance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    sigma: np.ndarray
    """Expected noise of one sample, shot noise included."""
    scatter: np.ndarray
    relative: np.ndarray
    exceedance: np.ndarray
    quiet: np.ndarray
    used: np.ndarray
    count: np.ndarray
    """Valid samples."""
    unclipped: np.ndarray


def kernel():
    """The compiled kernel, or None where NumPy does the work."""
    if os.environ.get("SOXSDARK_KERNEL") == "numpy":
        return None
    try:
        return import_module("soxsdark._kernel")
    except ImportError:
        return None


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def process_block(
    samples: np.ndarray,
    sigma: np.ndarray,
    background: np.ndarray,
    options: BlockOptions,
    threads: int = 1,
) -> BlockResult:
    """Clip, average and judge P pixels.

    Parameters
    ----------
    samples : ndarray of float32, (N, P)
        Unsorted; not finite = bad.
    sigma, background : ndarray of float, (P,)
        Noise of an ordinary sample, and the background under each pixel.
    options : BlockOptions
    threads : int
        For the compiled kernel; the result does not depend on it.
    """
    compiled = kernel()
    if compiled is None or samples.dtype != np.float32:
        return process_block_numpy(samples, sigma, background, options)
    return _process_compiled(compiled, samples, sigma, background, options, threads)


def process_block_numpy(samples, sigma, background, options: BlockOptions) -> BlockResult:
    """`process_block` in NumPy: the reference."""
    ordered, count = sort_stack(samples)
    least = np.maximum(count, 1)
    median = run_median(ordered, np.zeros_like(count), least)
    ordinary = (sigma, background, median, least)
    own = shot_noise(*ordinary, options.slope)
    cautious = shot_noise(*ordinary, options.slope, floor=lower_quartile(ordered, count))
    clipped = stack_block(
        ordered,
        count,
        deviation=options.deviation,
        sigma=own,
        k=options.k,
        iterations=options.iterations,
    )
    noise = noise_block(ordered, count, cautious, upper=options.upper, lower=options.lower)
    found = {**vars(clipped), **vars(noise), "sigma": own, "count": count}
    return BlockResult(**{f.name: found[f.name] for f in fields(BlockResult)})


@lru_cache(maxsize=8)
def _tables(frames: int, upper: float, lower: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds for every number of valid samples up to `frames`; NaN = none."""
    limits = np.full((frames + 1, events_forgiven(frames) + 1), np.nan)
    least = np.full(frames + 1, np.nan)
    for count in range(2, frames + 1):
        row = thresholds(count, upper)
        limits[count, : len(row)] = row
        if lower is not None:
            least[count] = lower_threshold(count, lower)
    return limits, least


_INTEGERS = {"used": np.int32, "count": np.int32, "unclipped": np.uint8}


def _process_compiled(compiled, samples, sigma, background, options, threads) -> BlockResult:
    frames, pixels = samples.shape
    limits, least = _tables(frames, options.upper, options.lower)
    out = {f.name: np.empty(pixels, _INTEGERS.get(f.name, float)) for f in fields(BlockResult)}
    inputs = (np.ascontiguousarray(samples), _doubles(sigma), _doubles(background), limits, least)
    numbers = (
        limits.shape[1] - 1,
        get_args(StackDeviation).index(options.deviation),
        float(options.k),
        int(options.iterations),
        float(options.slope),
        SIGNIFICANT,
        EVENT,
    )

    def part(first: int, last: int) -> None:
        compiled.block(frames, pixels, first, last, *numbers, inputs, tuple(out.values()))

    parts = max(1, min(threads, pixels // FEWEST_A_THREAD))
    edges = np.linspace(0, pixels, parts + 1).astype(int).tolist()
    if parts == 1:
        part(0, pixels)
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(part, edges[:-1], edges[1:]))
    out["unclipped"] = out["unclipped"].view(bool)
    return BlockResult(**out)


def _doubles(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
