"""Frames that do not belong into a set, each of them legal by itself."""

import math
from collections.abc import Sequence

import numpy as np

from soxsdark.amplifiers import Amplifier
from soxsdark.errors import InputError
from soxsdark.frame import Frame
from soxsdark.level import FrameLevel

NARROWEST = 16
"""Pixels of a row below which they may well be all equal by chance."""
SURE = 5.0
"""Scatters of a count beyond which chance is excluded."""


def blank_rows(pixels: np.ndarray) -> int:
    """How many rows of an image, (rows, columns), have the same value throughout."""
    if pixels.shape[1] < NARROWEST:
        return 0
    some = pixels[:, :: pixels.shape[1] // NARROWEST]
    candidates = np.flatnonzero((some == some[:, :1]).all(axis=1))
    return sum(bool((pixels[row] == pixels[row, 0]).all()) for row in candidates)


def check_blank_rows(frames: Sequence[Frame], amplifier: Amplifier, blank: Sequence[int]) -> None:
    """Refuse a frame that has more rows without scatter than the others: read in part only."""
    typical, worst = float(np.median(blank)), int(np.argmax(blank))
    if blank[worst] > typical + SURE * math.sqrt(typical) + 1:
        raise InputError(
            f"{frames[worst].path}: {blank[worst]} rows{amplifier.of} hold one value throughout, "
            f"{typical:g} in the median frame: it was read or copied in part; leave it out"
        )


def check_repeats(frames: Sequence[Frame], levels: Sequence[tuple[FrameLevel, ...]]) -> None:
    """Refuse a frame with the pixels of another, whatever the constant between them."""
    # pixels that are equal but for a constant scatter alike, whatever the type and packing
    seen: dict[tuple[tuple[float, ...], ...], list[int]] = {}
    for i, of_frame in enumerate(levels):
        alike = tuple((f.deviation, f.used, f.clipped_low, f.clipped_high) for f in of_frame)
        for j in seen.get(alike, []):
            offset = _offset(frames[j], frames[i])
            if offset is not None:
                but = f" but for {offset:g} ADU" if offset else ""
                raise InputError(
                    f"{frames[i].path}: the same pixels as {frames[j].path}{but}; "
                    "leave one of the two out"
                )
        seen.setdefault(alike, []).append(i)


def _offset(first: Frame, second: Frame) -> float | None:
    """By how much all pixels of two frames differ; None if not by a constant."""
    rows = first.layout.shape[0]
    if second.layout.shape != first.layout.shape:
        return None
    step, offset = 256, None
    for top in range(0, rows, step):
        one, other = (
            frame.read_rows(top, min(top + step, rows)).astype(np.float64)
            for frame in (first, second)
        )
        known = np.isfinite(one) & np.isfinite(other)
        if not np.array_equal(one[~known], other[~known], equal_nan=True):
            return None
        difference = (other - one)[known]
        if difference.size and offset is None:
            offset = float(difference[0])
        if np.any(difference != offset):
            return None
    return 0.0 if offset is None else offset


def check_resolution(
    frames: Sequence[Frame], amplifier: Amplifier, level: float, sigma: float
) -> None:
    """Refuse a pedestal beside which float32 products cannot hold the noise of the mean."""
    step, noise = float(np.spacing(np.float32(abs(level)))), sigma / math.sqrt(len(frames))
    if step > noise:
        raise InputError(
            f"{frames[0].path} and the others: beside a level{amplifier.of} of {level:.6g} e- "
            f"products of 32 bits have steps of {step:g} e-, more than the noise of the mean, "
            f"{noise:.3g} e-; subtract the pedestal of the raws, or give a master bias"
        )


def check_levels(
    frames: Sequence[Frame], amplifier: Amplifier, levels: np.ndarray, sigma: float, limit: float
) -> None:
    """Refuse frames whose level of an amplifier lies far from that of the others."""
    typical = float(np.median(levels))
    away = np.abs(levels - typical)
    off = [i for i in np.argsort(-away, kind="stable") if away[i] > limit * sigma > 0]
    if not off:
        return
    worst, *others = off
    side = "bright" if levels[worst] > typical else "dark"
    also = f", and {', '.join(frames[i].path.name for i in others)} too" if others else ""
    raise InputError(
        f"{frames[worst].path}: too {side}: its level{amplifier.of} of "
        f"{levels[worst]:.1f} e- lies {away[worst] / sigma:.1f} sigma from the set's {typical:.1f} "
        f"e-, at most {limit:g} (maximum-level-deviation) are allowed; leave the frame out{also}"
    )
