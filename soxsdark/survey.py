"""Pass 1, frame by frame: checks, level, and what consecutive frames say of the noise."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark.calibration import MasterBias
from soxsdark.channel import AmplifierLevel, Channel, Part
from soxsdark.description import Description
from soxsdark.detector_noise import DetectorNoise, join_models
from soxsdark.differences import PairNoise
from soxsdark.errors import InputError
from soxsdark.frame import Frame
from soxsdark.frame_checks import check_blank_rows, check_levels, check_repeats, check_resolution
from soxsdark.orientation import Window
from soxsdark.parallel import Pool, in_order

if TYPE_CHECKING:
    from soxsdark.settings_model import MdarkSettings

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
        return self.about.shape

    def amplifier_rows(self, first: int, last: int) -> Iterator["AmplifierRows"]:
        """Give rows first to last (half-open) of the science pixels, amplifier by amplifier."""
        read: dict[int, np.ndarray] = {}
        for number, amplifier in enumerate(self.about.amplifiers):
            rows, columns = amplifier.place
            place = slice(max(first, rows.start), min(last, rows.stop))
            if place.start >= place.stop:
                continue
            own = slice(place.start - rows.start, place.stop - rows.start)
            top = amplifier.raw[0].start + own.start
            if top not in read:
                read[top] = self.frame.read_rows(top, top + own.stop - own.start)
            yield AmplifierRows(number, own, (place, columns), read[top][:, amplifier.raw[1]])


@dataclass(frozen=True)
class AmplifierRows:
    """Some rows of one amplifier."""

    number: int
    own: slice
    """Rows of the amplifier."""
    place: Window
    """Of the science image."""
    pixels: np.ndarray
    """ADU."""


@dataclass(frozen=True)
class SurveyedFrame:
    """What pass 1 found in one frame."""

    levels: tuple[AmplifierLevel, ...]
    """One an amplifier; ADU."""
    sha256: str
    nan_fraction: float
    saturated: int
    rons: tuple[float, ...]
    """Noise of one sample of each amplifier without quantisation, from the neighbouring frames."""

    @property
    def clipped_low(self) -> int:
        """Pixels clipped as too low."""
        return sum(found.level.clipped_low for found in self.levels)

    @property
    def clipped_high(self) -> int:
        """Pixels clipped as too high."""
        return sum(found.level.clipped_high for found in self.levels)

    @property
    def clipped(self) -> int:
        """Pixels clipped, both sides."""
        return self.clipped_low + self.clipped_high

    @property
    def cut(self) -> float:
        """Share of an amplifier's pixels that are cut off at the lowest or highest value."""
        return max(found.cut for found in self.levels)

    @property
    def level_adu(self) -> float:
        """Level above the baseline, mean over the amplifiers."""
        return float(np.mean([found.level.level for found in self.levels]))

    @property
    def ron(self) -> float:
        """Noise of one sample, electrons, root mean square over the amplifiers."""
        return math.sqrt(np.mean(np.square(self.rons)))


@dataclass(frozen=True)
class Survey:
    """What pass 1 found in the set."""

    frames: tuple[SurveyedFrame, ...]
    noise: DetectorNoise
    gains: tuple[float, ...]
    """e-/ADU of each amplifier."""
    quanta: tuple[float, ...]
    """Electrons between neighbouring values; 0 for floating-point frames."""
    signals: tuple[tuple[np.ndarray, float], ...]
    """Of each amplifier, what `frame_signals` says."""
    block_medians: tuple[np.ndarray, ...]
    """Of each amplifier, (frames, blocks down, across): above the frame's level, electrons."""

    @cached_property
    def levels(self) -> np.ndarray:
        """Level of each amplifier in each frame, electrons, (frames, amplifiers)."""
        adu = [[found.level.level for found in frame.levels] for frame in self.frames]
        return np.array(adu) * np.array(self.gains)

    @property
    def frame_levels(self) -> np.ndarray:
        """Level of each frame, electrons, mean over the amplifiers."""
        return self.levels.mean(axis=1)

    @property
    def quantum(self) -> float:
        """Electrons between neighbouring values, typical of the amplifiers."""
        return float(np.median(self.quanta))


def _nan_share(dark: RawDark, pixels: np.ndarray, limit: float) -> float:
    """Return the share of NaN in the science pixels; refuse a frame with too many."""
    if pixels.dtype.kind != "f":
        return 0.0
    parts = [pixels[amplifier.raw] for amplifier in dark.about.amplifiers]
    size = sum(part.size for part in parts)
    share = sum(part.size - int(np.isfinite(part).sum()) for part in parts) / size
    if share > limit:
        raise InputError(
            f"{dark.frame.path}: {100 * share:.4g} % of its pixels are NaN or infinite, at most "
            f"{100 * limit:.4g} % (maximum-nan-fraction) are allowed; leave the frame out"
        )
    return share


@dataclass(frozen=True)
class _Loaded:
    """A frame read once; let go as soon as its differences are taken."""

    parts: tuple[Part, ...]
    sha256: str
    nan_fraction: float
    memory: np.ndarray | None
    """In which its parts lie; None: in none that is used again."""


class _Passage:
    """All frames pass by in order, each read once; what is gathered on the way."""

    def __init__(
        self,
        darks: Sequence[RawDark],
        settings: "MdarkSettings",
        bad: np.ndarray | None,
        bias: MasterBias | None,
    ) -> None:
        self.darks, self.settings, self.bias = darks, settings, bias
        about = darks[0].about
        self.channels = [
            Channel(number, about, darks[0].frame.layout.quantum, len(darks))
            for number in range(len(about.amplifiers))
        ]
        for number, channel in enumerate(self.channels):
            # a copy of a part that is not all of the map: work on it is faster
            channel.bad = None if bad is None else np.ascontiguousarray(bad[channel.place])
            channel.bias = None if bias is None else bias.parts[number]
        self.found: list[tuple[tuple[AmplifierLevel, ...], str, float, int]] = []
        largest = max(d.frame.stored_bytes for d in darks)
        self._buffers = Pool(lambda: np.empty(largest, np.uint8))

    def go(self, threads: int, step: Step) -> None:
        """Take the frames in, and the noise of consecutive ones."""
        loaded = in_order(self._load, self.darks, threads)
        start = list(islice(loaded, 2))
        for channel, *pair in zip(self.channels, *(frame.parts for frame in start), strict=True):
            channel.start(*pair)
        every = pairwise(self._passing(chain(start, loaded), step))
        # a difference takes a third of the time of a frame
        for noises, done in in_order(self._difference, every, threads // 2):
            for channel, noise, part in zip(self.channels, noises, done.parts, strict=True):
                channel.pairs.append(noise)
                channel.let_go(part)
            if done.memory is not None:
                self._buffers.give(done.memory)

    def noise(self, exposed: bool) -> DetectorNoise:
        """Return the noise of all amplifiers together; of biases without any signal."""
        about, bias = self.darks[0].about, self.bias
        for channel, amplifier in zip(self.channels, about.amplifiers, strict=True):
            if not any(p.sigma > 0 for p in channel.pairs):
                raise InputError(
                    f"{self.darks[0].frame.path} and the others: the noise between frames"
                    f"{amplifier.of} cannot be measured, too few good pixels in common or values "
                    "too coarse for it; use larger frames or another bad-pixel map"
                )
        models = [(channel.place, channel.noise_model()) for channel in self.channels]
        if not exposed:
            none: dict[str, Any] = {
                "slope": 0.0,
                "measured_slope": math.nan,
                "measured_slope_error": math.nan,
            }
            models = [(place, replace(model, **none)) for place, model in models]
        return join_models(
            models,
            gain_known=about.gain.source != "assumed" or not exposed,
            pattern=None if bias is None else bias.pattern,
        )

    def survey(self, noise: DetectorNoise) -> Survey:
        """Return all that was gathered."""
        frames = tuple(
            SurveyedFrame(*facts, tuple(channel.frame_ron(i) for channel in self.channels))
            for i, facts in enumerate(self.found)
        )
        gains = tuple(amplifier.gain.value for amplifier in self.darks[0].about.amplifiers)
        quanta = tuple(channel.quantum for channel in self.channels)
        medians = tuple(np.array(channel.medians) for channel in self.channels)
        pairs = zip(self.channels, noise.models, strict=True)
        signals = tuple(channel.frame_signals(model.sigma) for channel, model in pairs)
        return Survey(frames, noise, gains, quanta, signals, medians)

    def _load(self, dark: RawDark) -> _Loaded:
        buffer = self._buffers.take()
        loaded = dark.frame.load(buffer)
        share = _nan_share(dark, loaded.pixels, self.settings.maximum_nan_fraction)
        clipping = _clipping(self.settings)
        parts = tuple(c.take(dark.about, loaded.pixels, clipping) for c in self.channels)
        kept = any(part.raw for part in parts) and np.may_share_memory(loaded.pixels, buffer)
        if not kept:
            self._buffers.give(buffer)
        return _Loaded(parts, loaded.sha256, share, buffer if kept else None)

    def _passing(self, loaded: Iterable[_Loaded], step: Step) -> Iterator[_Loaded]:
        for one in loaded:
            levels = tuple(part.found for part in one.parts)
            saturated = sum(part.saturated for part in one.parts)
            self.found.append((levels, one.sha256, one.nan_fraction, saturated))
            for channel, part in zip(self.channels, one.parts, strict=True):
                channel.follow(part)
            step()
            yield one

    def _difference(self, pair: tuple[_Loaded, _Loaded]) -> tuple[list[PairNoise], _Loaded]:
        first, second = pair
        parts = zip(self.channels, first.parts, second.parts, strict=True)
        return [channel.difference(*both) for channel, *both in parts], first


def _clipping(settings: "MdarkSettings") -> dict[str, Any]:
    """Options of `clip_values`."""
    return {
        "lower": settings.frame_lower_sigma,
        "upper": settings.frame_upper_sigma,
        "iterations": settings.clipping_iteration_count,
        "deviation": settings.frame_clipping_deviation,
    }


def survey(
    darks: Sequence[RawDark],
    settings: "MdarkSettings",
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
    passage = _Passage(darks, settings, bad, bias)
    passage.go(threads, step)
    frames = [dark.frame for dark in darks]
    check_repeats(frames, [tuple(f.level for f in levels) for levels, *_ in passage.found])
    for number, amplifier in enumerate(darks[0].about.amplifiers):
        check_blank_rows(frames, amplifier, [of[number].blank for of, *_ in passage.found])
    result = passage.survey(passage.noise(exposed))
    limit, amplifiers = settings.maximum_level_deviation, darks[0].about.amplifiers
    models = result.noise.models
    for amplifier, levels, model in zip(amplifiers, result.levels.T, models, strict=True):
        check_levels(frames, amplifier, levels, model.sigma, limit)
        if bias is None:
            check_resolution(frames, amplifier, float(levels.mean()), model.sigma)
    return result
