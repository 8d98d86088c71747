"""What a combination of settings has made of the frames, in numbers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soxsdark.errors import InputError
from soxsdark.flags import Flag, bands
from soxsdark.parallel import in_order, processors
from soxsdark.reduction import Reduced
from soxsdark.simulator import PixelClass

TRUTH_FILE = "truth.fits"
COUNTS = {
    "hot-pixels": "HOTPIX NUM",
    "cold-pixels": "COLDPIX NUM",
    "noisy-pixels": "NOISYPIX NUM",
}
VALUES = {
    "master-ron": "MASTER RON",
    "master-ron-pred": "MASTER RON PRED",
    "level": "MDARK MEDIAN",
}
MEASURES = {
    "hot-pixels": "pixels flagged hot",
    "cold-pixels": "pixels flagged cold or dead",
    "noisy-pixels": "pixels flagged noisy",
    "flagged-pixels": "pixels with any flag",
    "rejected-samples": "samples rejected along the stack",
    "master-ron": "noise of the master, measured [e-]",
    "master-ron-pred": "noise of the master, expected [e-]",
    "level": "median of the master [e-]",
    "rms-change": "RMS change of the master, of pixels good with the current settings [e-]",
    "new-flags": "pixels flagged that the current settings do not flag",
    "lost-flags": "pixels not flagged that the current settings do flag",
}
TRUTH_MEASURES = {
    "hot-found": "share of the truly hot pixels that are flagged hot",
    "noisy-found": "share of the truly noisy pixels that are flagged noisy",
    "false-flags": "truly good pixels flagged hot, cold or noisy",
    "error-ratio": "RMS of error over ERRS, of truly good pixels that are not flagged",
}
KINDS = PixelClass.HOT | PixelClass.NOISY | PixelClass.TELEGRAPH
FOUND = Flag.HOT | Flag.COLD | Flag.NOISY

Measures = dict[str, int | float | None]


@dataclass(frozen=True)
class Truth:
    """What the simulator knows; images as the products are."""

    expected: np.ndarray
    """e-, but for the levels, float32."""
    kinds: np.ndarray
    """Bits of `PixelClass` without LISTED; 0 = good."""


@dataclass(frozen=True)
class Reference:
    """What the current settings have made of the frames."""

    flux: np.ndarray
    flags: np.ndarray
    truth: Truth | None
    seen: np.ndarray | None
    """True = worked on; None: all pixels are."""

    @classmethod
    def of(cls, reduced: Reduced, seen: np.ndarray | None, source: Path | None) -> "Reference":
        """Keep what is compared; `source` is the SOF, beside which a truth may lie."""
        master = reduced.master
        truth = None if source is None else find_truth(source, master.flux.shape)
        return cls(master.flux, master.qual, truth, seen)

    @property
    def columns(self) -> list[str]:
        """Names of what `measure` gives."""
        return [*MEASURES, *(TRUTH_MEASURES if self.truth else ())]


def find_truth(source: Path, shape: tuple[int, int]) -> Truth | None:
    """The truth of a simulated set, if there is one of this shape beside its SOF."""
    path = (source if source.is_dir() else source.parent) / TRUTH_FILE
    if not path.is_file():
        return None
    from soxsdark.simulated_truth import load_truth

    try:
        found = load_truth(path)
    except InputError:
        return None
    if found.expected.shape != shape:
        return None
    return Truth(found.expected, (found.classes & int(KINDS)).astype(np.int8))


def measure(reduced: Reduced, reference: Reference) -> Measures:
    """Compute all measures of a combination."""
    known = {metric.name: metric.value for metric in reduced.judged.metrics}
    flags, before = reduced.master.qual, reference.flags
    found: Measures = {name: known[metric] for name, metric in COUNTS.items()}
    unseen = 0 if reference.seen is None else int(np.count_nonzero(~reference.seen))
    # what was not looked at is flagged as empty
    found["flagged-pixels"] = int(np.count_nonzero(flags)) - unseen
    found["rejected-samples"] = int(reduced.mask.rejected.sum(dtype=np.int64))
    found |= {name: known.get(metric) for name, metric in VALUES.items()}
    found["rms-change"] = _rms_change(reduced.master.flux, reference)
    found["new-flags"] = int(np.count_nonzero((flags != 0) & (before == 0)))
    found["lost-flags"] = int(np.count_nonzero((flags == 0) & (before != 0)))
    if reference.truth is not None:
        found |= _against_truth(reduced, reference.truth, reference.seen)
    return {name: found[name] for name in reference.columns}


def _rms_change(flux: np.ndarray, reference: Reference) -> float | None:
    def of(rows: slice) -> tuple[float, int]:
        change = (flux[rows] - reference.flux[rows])[reference.flags[rows] == 0]
        return float(np.dot(change, change)), change.size

    total, number = _sums(of, flux.shape)
    return math.sqrt(total / number) if number else None


def _sums(of: Callable[[slice], Sequence[float]], shape: tuple[int, int]) -> np.ndarray:
    """Add up what `of` gives for bands of rows."""
    return np.sum(list(in_order(of, bands(shape), processors())), axis=0)


def _against_truth(reduced: Reduced, truth: Truth, seen: np.ndarray | None) -> Measures:
    flags = reduced.master.qual
    bad = (truth.kinds != 0) if seen is None else (truth.kinds != 0) & seen
    kinds, of_bad = truth.kinds[bad], flags[bad]
    wrong = (flags & np.int16(FOUND)) != 0
    return {
        "hot-found": _share(of_bad[kinds == PixelClass.HOT], Flag.HOT),
        "noisy-found": _share(of_bad[kinds == PixelClass.NOISY], Flag.NOISY),
        "false-flags": int(np.count_nonzero(wrong)) - int(np.count_nonzero(wrong[bad])),
        "error-ratio": _error_ratio(reduced, truth),
    }


def _share(flags: np.ndarray, bit: Flag) -> float | None:
    return float(np.mean(flags & np.int16(bit) != 0)) if flags.size else None


def _error_ratio(reduced: Reduced, truth: Truth) -> float | None:
    master = reduced.master

    def of(rows: slice) -> Sequence[float]:
        # what was not seen is flagged
        good = (truth.kinds[rows] == 0) & (master.qual[rows] == 0)
        error = np.where(good, master.flux[rows] - truth.expected[rows], 0)
        inverse = np.divide(1, master.errs[rows], where=good, out=np.zeros_like(error))
        ratio = error * inverse
        products = (good, error, ratio * ratio, ratio * inverse, inverse * inverse)
        return [float(np.sum(product, dtype=np.float64)) for product in products]

    number, errors, squares, linear, weights = _sums(of, master.flux.shape)
    if not number:
        return None
    # the error of the level, common to all pixels, is not in ERRS
    level = errors / number
    return math.sqrt((squares - 2 * level * linear + level**2 * weights) / number)
