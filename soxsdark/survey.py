"""Pass 1, frame by frame: checks, level, and what consecutive frames say of the noise."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from soxsdark.errors import InputError
from soxsdark.frame import Frame
from soxsdark.grid import Grid
from soxsdark.level import FrameLevel, clip_frame
from soxsdark.noise_model import BLOCK, NoiseModel, PairNoise, build_noise_model, pair_noise
from soxsdark.setups import Description
from soxsdark.stack_input import block_medians

LARGEST = 1e12
"""ADU beyond which float32 electrons make no sense."""

Step = Callable[[], None]


@dataclass(frozen=True)
class RawDark:
    """A raw frame and what its header says."""

    frame: Frame
    about: Description
    tag: str | None = None

    @property
    def name(self) -> str:
        """File name without its folders."""
        return self.frame.path.name

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the science pixels."""
        return tuple(s.stop - s.start for s in self.about.window)

    def science_rows(self, first: int, last: int) -> np.ndarray:
        """Rows first to last of the science pixels, ADU."""
        rows, columns = self.about.window
        return self.frame.read_rows(rows.start + first, rows.start + last)[:, columns]


@dataclass(frozen=True)
class SurveyedFrame:
    """What pass 1 found in one frame; ADU unless said otherwise."""

    level: FrameLevel
    sha256: str
    crc: int
    nan_fraction: float
    saturated: int
    ron: float
    """Noise of one sample without quantisation, electrons, from the neighbouring frames."""

    def level_electrons(self, gain: float) -> float:
        """Level of the frame in electrons."""
        return self.level.level * gain


@dataclass(frozen=True)
class Survey:
    """What pass 1 found in the set."""

    frames: tuple[SurveyedFrame, ...]
    noise: NoiseModel
    gain: float
    quantum: float
    """Electrons between neighbouring values; 0 for floating-point frames."""

    @property
    def levels(self) -> np.ndarray:
        """Level of each frame, electrons."""
        return np.array([f.level_electrons(self.gain) for f in self.frames])


def to_electrons(pixels: np.ndarray, level: float, gain: float) -> np.ndarray:
    """Pixels above the level of their frame (both ADU) as float32 electrons."""
    with np.errstate(over="ignore"):
        return ((pixels - level) * gain).astype(np.float32)


def _check_pixels(dark: RawDark, pixels: np.ndarray, level: FrameLevel, settings) -> float:
    """Refuse a frame that cannot be averaged; return its share of NaN."""
    nan = 0
    if pixels.dtype.kind == "f":
        nan = int(pixels.size - np.isfinite(pixels).sum())
    share = nan / pixels.size
    path = dark.frame.path
    if share > settings.maximum_nan_fraction:
        raise InputError(
            f"{path}: {100 * share:.4g} % of its pixels are NaN or infinite, at most "
            f"{100 * settings.maximum_nan_fraction:.4g} % (maximum-nan-fraction) are allowed; "
            "leave the frame out"
        )
    if not level.used:
        raise InputError(
            f"{path}: no usable pixel in it (bad-pixel map included); leave the frame out"
        )
    if level.deviation == 0 and level.clipped == 0:
        raise InputError(
            f"{path}: no scatter at all, every pixel (good in the bad-pixel map, if there is one) "
            f"is {level.level:g} ADU; leave the frame out"
        )
    if pixels.dtype.kind == "f" and not abs(level.level) < LARGEST:
        raise InputError(f"{path}: a level of {level.level:g} ADU is no detector's; leave it out")
    return share


def _check_repeats(darks: Sequence[RawDark], crcs: Sequence[int]) -> None:
    seen: dict[int, list[int]] = {}
    for i, crc in enumerate(crcs):
        for j in seen.get(crc, []):
            if _same_pixels(darks[j], darks[i]):
                raise InputError(
                    f"{darks[i].frame.path}: the same pixels as {darks[j].frame.path}; "
                    "leave one of the two out"
                )
        seen.setdefault(crc, []).append(i)


def _same_pixels(first: RawDark, second: RawDark) -> bool:
    rows = first.frame.layout.shape[0]
    if second.frame.layout.shape != first.frame.layout.shape:
        return False
    step = 256
    return all(
        np.array_equal(
            first.frame.read_rows(top, min(top + step, rows)),
            second.frame.read_rows(top, min(top + step, rows)),
            equal_nan=True,
        )
        for top in range(0, rows, step)
    )


def _check_levels(darks: Sequence[RawDark], levels: np.ndarray, sigma: float, limit: float):
    typical = float(np.median(levels))
    worst = int(np.argmax(np.abs(levels - typical)))
    away = abs(levels[worst] - typical)
    if sigma > 0 and away > limit * sigma:
        side = "bright" if levels[worst] > typical else "dark"
        raise InputError(
            f"{darks[worst].frame.path}: too {side}: its level of {levels[worst]:.1f} e- lies "
            f"{away / sigma:.1f} sigma from the set's {typical:.1f} e-, at most {limit:g} "
            "(maximum-level-deviation) are allowed; leave the frame out"
        )


class _Pairs:
    """Differences of consecutive frames, gathered while the frames pass by."""

    def __init__(self, shape: tuple[int, int], bad: np.ndarray | None, quantum: float) -> None:
        self.grid = Grid.of(shape, BLOCK)
        self.labels = self.grid.labels()
        self.bad = bad
        self.quantum = quantum
        self.pairs: list[PairNoise] = []
        self.total = np.zeros(self.grid.shape)
        self.number = 0
        self.lowest = np.full(shape, np.inf, dtype=np.float32)
        self._previous: tuple[np.ndarray, float] | None = None

    def add(self, frame: np.ndarray, saturation: float) -> None:
        """Take the next frame: electrons above its level; saturation in the same scale."""
        self.total += block_medians(frame, self.grid, self.bad)
        self.number += 1
        np.fmin(self.lowest, frame, out=self.lowest)
        if self._previous is not None:
            previous, limit = self._previous
            self.pairs.append(
                pair_noise(
                    previous,
                    frame,
                    self.background,
                    self.grid,
                    self.labels,
                    self.quantum,
                    self.bad,
                    (limit, saturation),
                )
            )
        self._previous = (frame, saturation)

    @property
    def background(self) -> np.ndarray:
        """Mean over the frames so far of the medians of the blocks."""
        return self.total / self.number


def _frame_ron(pairs: list[PairNoise], index: int, quantum: float) -> float:
    near = [p.sigma for p in pairs[max(0, index - 1) : index + 1]]
    variance = float(np.mean(np.square(near))) - quantum**2 / 12
    return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan


def survey(
    darks: Sequence[RawDark], settings, bad: np.ndarray | None = None, step: Step = lambda: None
) -> Survey:
    """Read every frame once: check it, find its level, measure the noise.

    Parameters
    ----------
    darks : sequence of RawDark
        Of one setup.
    settings : MdarkSettings
    bad : ndarray of bool, shape of the science pixels
        Input bad-pixel map, True = bad: kept out of levels and noise.
    step : callable
        Called after each frame.

    Raises
    ------
    InputError
        A frame is damaged, twice there, has no scatter, too many NaN or a level far off.
    """
    gain = darks[0].about.gain.value
    quantum = gain * darks[0].frame.layout.quantum
    pairs = _Pairs(darks[0].shape, bad, quantum)
    found: list[tuple[FrameLevel, str, int, float, int]] = []
    for dark in darks:
        loaded = dark.frame.load()
        pixels = loaded.pixels[dark.about.window]
        level = clip_frame(
            pixels,
            bad,
            lower=settings.frame_lower_sigma,
            upper=settings.frame_upper_sigma,
            iterations=settings.clipping_iteration_count,
            deviation=settings.frame_clipping_deviation,
        )
        share = _check_pixels(dark, pixels, level, settings)
        limit = dark.about.saturation.value
        saturated = 0 if limit is None else int((pixels >= limit).sum())
        top = math.inf if limit is None else (limit - level.level) * gain
        pairs.add(to_electrons(pixels, level.level, gain), top)
        found.append((level, loaded.sha256, loaded.crc, share, saturated))
        step()
    _check_repeats(darks, [crc for _, _, crc, _, _ in found])
    about = darks[0].about
    if not any(p.sigma > 0 for p in pairs.pairs):
        raise InputError(
            f"{darks[0].frame.path} and the others: the noise between frames cannot be measured, "
            "too few good pixels in common; use larger frames or another bad-pixel map"
        )
    noise = build_noise_model(
        pairs.pairs,
        pairs.background,
        pairs.grid,
        gain_known=about.gain.source != "assumed",
        ndit=about.ndit,
        lowest=pairs.lowest,
    )
    frames = tuple(
        SurveyedFrame(*facts, _frame_ron(pairs.pairs, i, quantum)) for i, facts in enumerate(found)
    )
    result = Survey(frames, noise, gain, quantum)
    _check_levels(darks, result.levels, noise.sigma, settings.maximum_level_deviation)
    return result
