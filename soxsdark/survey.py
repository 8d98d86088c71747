"""Pass 1, frame by frame: checks, level, and what consecutive frames say of the noise."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise

import numpy as np

from soxsdark.calibration import MasterBias
from soxsdark.differences import WARM, Bins, PairNoise, difference_sample, pair_noise
from soxsdark.electrons import to_electrons
from soxsdark.errors import InputError
from soxsdark.frame import Frame
from soxsdark.grid import Grid, filled
from soxsdark.level import FrameLevel, clip_values, distinct
from soxsdark.noise_model import BLOCK, NoiseModel, build_noise_model
from soxsdark.parallel import Pool, in_order
from soxsdark.setups import Description
from soxsdark.slope import BrightPixels, bright_places
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
    def raw_levels(self) -> list[float]:
        """Level of each frame, ADU."""
        return [f.level.level for f in self.frames]

    @property
    def levels(self) -> np.ndarray:
        """Level of each frame, electrons."""
        return np.array(self.raw_levels) * self.gain


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


def _check_repeats(darks: Sequence[RawDark], levels: Sequence[FrameLevel]) -> None:
    # equal pixels have equal levels, whatever the type and packing of the file
    seen: dict[FrameLevel, list[int]] = {}
    for i, level in enumerate(levels):
        for j in seen.get(level, []):
            if _same_pixels(darks[j], darks[i]):
                raise InputError(
                    f"{darks[i].frame.path}: the same pixels as {darks[j].frame.path}; "
                    "leave one of the two out"
                )
        seen.setdefault(level, []).append(i)


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


@dataclass(frozen=True)
class _Loaded:
    """A frame read once; let go as soon as its differences are taken."""

    electrons: np.ndarray
    """Above the level, float32."""
    saturation: float
    """In the same electrons."""
    medians: np.ndarray
    """Of each block, in the same electrons."""
    facts: tuple[FrameLevel, str, float, int]

    def bright(self, places: np.ndarray) -> np.ndarray:
        """Some pixels; NaN = saturated."""
        values = self.electrons.ravel()[places]
        return np.where(values < self.saturation, values, np.nan)


class _Passage:
    """All frames pass by in order, each read once; what is gathered on the way."""

    def __init__(self, darks: Sequence[RawDark], settings, bad, bias) -> None:
        self.darks, self.settings, self.bad, self.bias = darks, settings, bad, bias
        self.grid = Grid.of(darks[0].shape, BLOCK)
        self.quantum = darks[0].about.gain.value * darks[0].frame.layout.quantum
        self.background = np.zeros(self.grid.shape)
        self.found: list[tuple[FrameLevel, str, float, int]] = []
        self._bright: list[np.ndarray] = []
        self._places = np.zeros(0, dtype=np.intp)
        largest = max(d.frame.stored_bytes for d in darks)
        self._buffers = Pool(lambda: np.empty(largest, np.uint8))
        self._images = Pool(lambda: np.empty(darks[0].shape, np.float32))

    def differences(self, threads: int, step: Step) -> list[PairNoise]:
        """Take the frames in, and the noise of consecutive ones."""
        loaded, pairs = in_order(self._load, self.darks, threads), []
        start = list(islice(loaded, 2))
        self._places = self._bright_places(*start)
        every = pairwise(self._passing(chain(start, loaded), step))
        # a difference takes a third of the time of a frame
        for noise, image in in_order(self._difference, every, threads // 2):
            pairs.append(noise)
            self._images.give(image)
        return pairs

    @property
    def bright(self) -> BrightPixels:
        """The bright pixels of all frames."""
        background = filled(self.background, 0.0)[self.grid.block_of(self._places)]
        return BrightPixels(np.array(self._bright), background)

    def _load(self, dark: RawDark) -> _Loaded:
        with self._buffers.lent() as buffer:
            loaded = dark.frame.load(buffer)
            pixels = loaded.pixels[dark.about.window]
            values, counts = distinct(pixels, self.bad)
            ignored = pixels.size - int(counts.sum())
            level = clip_values(values, counts, ignored=ignored, **_clipping(self.settings))
            share = _check_pixels(dark, pixels, level, self.settings)
            limit, gain = dark.about.saturation.value, dark.about.gain.value
            saturated = 0 if limit is None else int(counts[values >= limit].sum())
            electrons = to_electrons(pixels, level.level, gain, out=self._images.take())
            saturation = math.inf if limit is None else (limit - level.level) * gain
            if self.bias is None:
                medians = (block_medians(pixels, self.grid, self.bad) - level.level) * gain
            else:
                saturation = _take_out(self.bias, electrons, saturation)
                medians = block_medians(electrons, self.grid, self.bad)
            return _Loaded(electrons, saturation, medians, (level, loaded.sha256, share, saturated))

    def _passing(self, loaded: Iterable[_Loaded], step: Step) -> Iterator[_Loaded]:
        for one in loaded:
            self.found.append(one.facts)
            self.background += one.medians / len(self.darks)
            self._bright.append(one.bright(self._places))
            step()
            yield one

    def _difference(self, pair: tuple[_Loaded, _Loaded]) -> tuple[PairNoise, np.ndarray]:
        first, second = pair
        typical = (first.medians + second.medians) / 2
        noise = pair_noise(
            first.electrons, second.electrons, typical, self.grid, self.quantum, self.bad
        )
        return noise, first.electrons

    def _bright_places(self, first: _Loaded, second: _Loaded) -> np.ndarray:
        pair = first.electrons, second.electrons
        bins = Bins.of(difference_sample(*pair, self.bad), self.quantum)
        if bins is None:
            return np.zeros(0, dtype=np.intp)
        # well below the final limit, which is not known yet: light in one of the two raises it
        sigma = 0.3 * float(bins.warm) / WARM
        typical = (first.medians + second.medians) / 2
        return bright_places(*pair, typical, self.grid, sigma, self.bad, len(self.darks))


def _take_out(bias: MasterBias, electrons: np.ndarray, saturation: float) -> float:
    """Take the fixed pattern out of a frame, in place; return from where on it is saturated.

    Saturated pixels become NaN, because their electrons no longer tell that they are.
    """
    np.putmask(electrons, electrons >= saturation, np.nan)
    electrons -= bias.values
    electrons += np.float32(bias.level)
    return math.inf


def _clipping(settings) -> dict:
    """Options of `clip_values`."""
    return {
        "lower": settings.frame_lower_sigma,
        "upper": settings.frame_upper_sigma,
        "iterations": settings.clipping_iteration_count,
        "deviation": settings.frame_clipping_deviation,
    }


def _frame_ron(pairs: list[PairNoise], index: int, quantum: float) -> float:
    near = [p.sigma for p in pairs[max(0, index - 1) : index + 1]]
    variance = float(np.mean(np.square(near))) - quantum**2 / 12
    return math.sqrt(max(variance, 0.0)) if math.isfinite(variance) else math.nan


def survey(
    darks: Sequence[RawDark],
    settings,
    bad: np.ndarray | None = None,
    step: Step = lambda: None,
    threads: int = 1,
    bias: MasterBias | None = None,
    exposed: bool = True,
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
    threads : int
        The result does not depend on it.
    bias : MasterBias, optional
        Its fixed pattern is no signal, and has no shot noise. Levels keep it.
    exposed : bool
        False: biases, which have no signal at all.

    Raises
    ------
    InputError
        A frame is damaged, twice there, has no scatter, too many NaN or a level far off.
    """
    about, passage = darks[0].about, _Passage(darks, settings, bad, bias)
    pairs = passage.differences(threads, step)
    _check_repeats(darks, [level for level, *_ in passage.found])
    if not any(p.sigma > 0 for p in pairs):
        raise InputError(
            f"{darks[0].frame.path} and the others: the noise between frames cannot be measured, "
            "too few good pixels in common; use larger frames or another bad-pixel map"
        )
    noise = build_noise_model(
        pairs,
        passage.background,
        passage.grid,
        passage.bright,
        gain_known=about.gain.source != "assumed",
        ndit=about.ndit,
    )
    if bias is not None:
        noise = replace(noise, pattern=bias.pattern)
    if not exposed:
        noise = replace(noise, slope=0.0, measured_slope=math.nan, measured_slope_error=math.nan)
    frames = tuple(
        SurveyedFrame(*facts, _frame_ron(pairs, i, passage.quantum))
        for i, facts in enumerate(passage.found)
    )
    result = Survey(frames, noise, about.gain.value, passage.quantum)
    _check_levels(darks, result.levels, noise.sigma, settings.maximum_level_deviation)
    return result
