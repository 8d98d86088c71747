"""What the pictures show of the images: maps in bins, profiles, a histogram, the hottest pixels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from soxsdark.flags import NAMES, Flag, find_background
from soxsdark.report.facts import Amplifier
from soxsdark.report.images import Images

MOST_BINS = (420, 840)
"""Bins along the shorter and the longer side of a map: about as many as the page has dots."""
HISTOGRAM_BINS = 200
HOTTEST = 20
DEFAULT_BOX = 64
CLASSES = tuple(NAMES)
"""Kinds of bad pixels; where several fall into one bin of the map, the last of them is shown."""


@dataclass(frozen=True)
class Histogram:
    """Pixels by their excess, the master above its local background, in bins even in asinh."""

    edges: np.ndarray
    """Electrons, one more than bins."""
    scale: float
    """Electrons: the bins are even in ``asinh(excess / scale)``."""
    all: np.ndarray
    """Pixels in each bin."""
    classes: dict[Flag, np.ndarray]
    """The same of those with a flag."""


@dataclass(frozen=True)
class HotPixel:
    """One of the hottest; position in the product, from 1 as FITS counts."""

    x: int
    y: int
    value: float
    error: float
    noise: float | None
    samples: int
    flags: Flag


@dataclass(frozen=True)
class Digest:
    """All that is drawn of the images, small."""

    shape: tuple[int, int]
    """Rows and columns of the images."""
    side: int
    """Pixels along a side of a bin."""
    master: np.ndarray
    """Mean of the good pixels of each bin, e-."""
    noise: np.ndarray | None
    classes: np.ndarray
    """Highest class in each bin: 0 good, else 1 + the index in `CLASSES`."""
    counts: dict[Flag, int]
    """Pixels with each flag."""
    rows: np.ndarray
    """Mean of the good pixels of each row of the master, e-; NaN where there are none."""
    columns: np.ndarray
    histogram: Histogram
    noise_floor: float
    """Noise of a typical pixel above its background: max(spatial sigma, median ERRS), e-."""
    hottest: tuple[HotPixel, ...]


def digest(
    images: Images,
    settings: Mapping[str, object],
    step: float = 0.0,
    amplifiers: Sequence[Amplifier] = (),
) -> Digest:
    """Bin and count the images.

    Parameters
    ----------
    images : Images
    settings : mapping
        Values of the run by their keys; `background-box` is used, as the run used it.
    step : float, electrons
        By what the values of a master of integers differ at least.
    amplifiers : sequence of Amplifier
        Each has a background of its own; none: one for all.
    """
    shape, good = images.flux.shape, images.flags == 0
    side = max(-(-length // most) for length, most in zip(sorted(shape), MOST_BINS, strict=True))
    box: Any = settings.get("background-box")
    box = DEFAULT_BOX if box is None else int(box)
    excess, sigma = _excess(images, box, amplifiers or [Amplifier((0, shape[0]), (0, shape[1]))])
    floor = float(np.fmax(sigma, np.median(images.errs)))
    return Digest(
        shape=shape,
        side=side,
        master=binned(images.flux, good, side),
        noise=None if images.noise is None else binned(images.noise, good, side),
        classes=_binned_classes(images.flags, side),
        counts={kind: int(np.count_nonzero(_having(images.flags, kind))) for kind in CLASSES},
        rows=_profile(images.flux, good, axis=1),
        columns=_profile(images.flux, good, axis=0),
        histogram=_histogram(excess, images.flags, floor, step),
        noise_floor=floor,
        hottest=_hottest(images),
    )


def _excess(images: Images, box: int, parts: Sequence[Amplifier]) -> tuple[np.ndarray, float]:
    """The master above its background, and the typical scatter of that, electrons."""
    left_out = _having(images.flags, Flag.INPUT | Flag.EMPTY | Flag.NOISY)
    excess, sigmas = images.flux.astype(np.float32), []
    for part in parts:
        place = slice(*part.rows), slice(*part.columns)
        background = find_background(images.flux[place], left_out[place], box)
        excess[place] -= background.rows(0, excess[place].shape[0])
        sigmas.append(background.sigma)
    return excess, float(np.median(sigmas))


def binned(image: np.ndarray, good: np.ndarray, side: int) -> np.ndarray:
    """Mean of the good pixels of each bin of `side` by `side` pixels; of all where none is good.

    A bin without a good pixel is NaN if one of its pixels is.

    Means, not medians: those of integers would go in steps that are no feature of the detector.
    """
    known = good & np.isfinite(image)
    total, number = _sums(np.where(known, image, 0), side), _sums(known, side)
    if not number.all():
        none = number == 0
        every = _sums(image, side), _sums(np.ones(good.shape, bool), side)
        total[none], number[none] = (part[none] for part in every)
    return total / number


def _sums(image: np.ndarray, side: int) -> np.ndarray:
    """Sum of each bin; the last ones may be narrower."""
    rows, columns = (np.arange(0, length, side) for length in image.shape)
    lines = np.add.reduceat(image, rows, axis=0, dtype=np.float64)
    return np.add.reduceat(lines, columns, axis=1)


def _profile(image: np.ndarray, good: np.ndarray, axis: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        total = np.sum(image, axis=axis, where=good, dtype=np.float64)
        return total / np.count_nonzero(good, axis=axis)


def _having(flags: np.ndarray, kinds: Flag) -> np.ndarray:
    return flags & flags.dtype.type(int(kinds)) != 0


def _binned_classes(flags: np.ndarray, side: int) -> np.ndarray:
    rank = np.zeros(flags.shape, np.uint8)
    for number, kind in enumerate(CLASSES, start=1):
        rank[_having(flags, kind)] = number
    rows, columns = (np.arange(0, length, side) for length in flags.shape)
    return np.maximum.reduceat(np.maximum.reduceat(rank, rows, axis=0), columns, axis=1)


def _histogram(excess: np.ndarray, flags: np.ndarray, floor: float, step: float) -> Histogram:
    known = np.isfinite(excess) & ~_having(flags, Flag.EMPTY)
    values, flags = excess[known], flags[known]
    # spread over their step, or bins narrower than it would show a comb
    values += np.float32(step) * (np.random.default_rng(0).random(values.size, np.float32) - 0.5)
    scale = floor if math.isfinite(floor) and floor > 0 else 1.0
    stretched = np.arcsinh(values / np.float32(scale))
    least = min(-3.0, float(stretched.min(initial=0)))
    most = max(3.0, float(stretched.max(initial=0)))

    def count(chosen: np.ndarray | slice) -> np.ndarray:
        return np.histogram(stretched[chosen], HISTOGRAM_BINS, range=(least, most))[0]

    kinds = (Flag.HOT, Flag.COLD, Flag.NOISY)
    edges = scale * np.sinh(np.linspace(least, most, HISTOGRAM_BINS + 1))
    classes = {kind: count(_having(flags, kind)) for kind in kinds}
    return Histogram(edges, scale, count(slice(None)), classes)


def _hottest(images: Images) -> tuple[HotPixel, ...]:
    places = np.flatnonzero(_having(images.flags, Flag.HOT))
    order = np.argsort(-images.flux.ravel()[places], kind="stable")[:HOTTEST]
    return tuple(_pixel(images, *divmod(int(p), images.flux.shape[1])) for p in places[order])


def _pixel(images: Images, row: int, column: int) -> HotPixel:
    at = row, column
    return HotPixel(
        x=column + 1,
        y=row + 1,
        value=float(images.flux[at]),
        error=float(images.errs[at]),
        noise=None if images.noise is None else float(images.noise[at]),
        samples=int(images.ncom[at]),
        flags=Flag(int(images.flags[at])),
    )
