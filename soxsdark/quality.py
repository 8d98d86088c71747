"""Metrics of a master dark, and the QA flag that follows from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from soxsdark.errors import ExitCode
from soxsdark.flags import Flag
from soxsdark.medians import median
from soxsdark.survey import RawDark, Survey

SLOPE_TOLERANCE = 0.25
"""How far the slope of variance against signal may be from 1 without a warning."""
SLOPE_SIGNIFICANCE = 3.0


class QaFlag(StrEnum):
    """The verdict on a set."""

    GOOD = "GOOD"
    PARTIAL = "PARTIAL"
    BAD = "BAD"

    @property
    def exit_code(self) -> ExitCode:
        """What the program tells the shell."""
        codes = {"BAD": ExitCode.DONE_BAD, "PARTIAL": ExitCode.DONE_PARTIAL}
        return codes.get(self.value, ExitCode.DONE)


@dataclass(frozen=True)
class Metric:
    """One figure of merit."""

    name: str
    value: float | int | None
    unit: str
    comment: str
    verdict: QaFlag = QaFlag.GOOD
    why: str = ""
    """Reason of a verdict that is not GOOD, in one line."""


@dataclass(frozen=True)
class Judged:
    """All metrics of a set and the flag they give."""

    metrics: tuple[Metric, ...]
    flag: QaFlag

    def __getitem__(self, name: str) -> Metric:
        """The metric of that name."""
        return next(m for m in self.metrics if m.name == name)

    @property
    def concerns(self) -> tuple[Metric, ...]:
        """The metrics whose verdict is not GOOD."""
        return tuple(m for m in self.metrics if m.verdict is not QaFlag.GOOD)


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _rounded(value: float | int | None) -> float | int | None:
    # what a float32 image can tell; beyond a millionth of an electron there is only rounding
    return value if value is None or isinstance(value, int) else float(f"{round(value, 8):.7g}")


def _raw_ron(survey: Survey, level: float, pedestal: bool | None) -> Metric:
    """Read noise of one frame: sigma-zero without quantisation and, if known, typical dark."""
    variance = max(survey.noise.sigma**2 - survey.quantum**2 / 12, 0.0)
    dark = max(level, 0.0) / survey.noise.ndit if pedestal is False else 0.0
    verdict, why = QaFlag.GOOD, ""
    if dark and dark >= variance:
        verdict = QaFlag.PARTIAL
        why = (
            f"a level of {level:.1f} e- would have more shot noise than the {variance:.1f} e-^2 "
            "measured: the raws hold a pedestal, which the instrument profile says they do not"
        )
        dark = 0.0
    comment = "Read-out noise of one frame, from differences"
    return Metric("RAW RON", math.sqrt(variance - dark), "electron", comment, verdict, why)


def _slope(survey: Survey, gain_known: bool, name: str) -> Metric:
    slope, error = survey.noise.measured_slope, survey.noise.measured_slope_error
    off = abs(slope - 1) > max(SLOPE_TOLERANCE, SLOPE_SIGNIFICANCE * error)
    verdict, why = QaFlag.GOOD, ""
    if gain_known and math.isfinite(slope) and off:
        verdict = QaFlag.PARTIAL
        why = (
            f"GAIN SLOPE is {slope:.3f} +- {error:.3f}, 1 is expected: the gain of {survey.gain:g} "
            f"e-/ADU ({name}) is wrong, the temperature changed between the frames, or one of "
            "them has light in it"
        )
    comment = "Measured slope of variance against signal"
    return Metric("GAIN SLOPE", _known(slope), "", comment, verdict, why)


def _centres(flux: np.ndarray, flags: np.ndarray) -> tuple[float, float]:
    """Median and mean of the pixels with a sample that the input map does not call bad."""
    known = flags & flags.dtype.type(Flag.INPUT | Flag.EMPTY) == 0
    some = flux.ravel() if known.all() or not known.any() else flux[known]
    return median(some), float(np.mean(some, dtype=np.float64))


def _counts(flags: np.ndarray) -> list[Metric]:
    kinds = {
        "HOTPIX": (int(Flag.HOT), "hot pixels"),
        "COLDPIX": (int(Flag.COLD), "cold or dead pixels"),
        "NOISYPIX": (int(Flag.NOISY), "noisy pixels"),
        "BADPIX": (-1, "pixels with any flag"),
    }
    metrics = []
    flagged = flags[flags != 0]
    for name, (bits, what) in kinds.items():
        number = int(np.count_nonzero(flagged & flags.dtype.type(bits)))
        metrics.append(Metric(f"{name} NUM", number, "", f"Number of {what}"))
        metrics.append(Metric(f"{name} FRAC", number / flags.size, "", f"Fraction of {what}"))
    return metrics


def _temperature(darks: Sequence[RawDark]) -> list[Metric]:
    known = [d.about.temperature for d in darks if d.about.temperature is not None]
    if not known:
        return []
    return [
        Metric("DETECTOR TEMP", float(np.mean(known)), "", "Mean detector temperature"),
        Metric("DETECTOR TEMP RMS", float(np.std(known)), "", "Its scatter over the frames"),
    ]


def judge(
    darks: Sequence[RawDark],
    survey: Survey,
    flux: np.ndarray,
    flags: np.ndarray,
    used: np.ndarray,
    rejected: np.ndarray,
) -> Judged:
    """Compute the metrics of a set and its QA flag.

    Parameters
    ----------
    darks, survey
        The frames and what pass 1 found in them.
    flux : ndarray, electrons
        The master dark.
    flags, used, rejected : ndarray of int
        Flags, samples averaged and samples left out of each pixel; flagged EMPTY: none.
    """
    about = darks[0].about
    typical, mean = _centres(flux, flags)
    level = float(survey.levels.mean())
    samples, left_out = (int(counts.sum(dtype=np.int64)) for counts in (used, rejected))
    metrics = [
        Metric("NFRAMES", len(darks), "", "Number of frames combined"),
        Metric("MDARK MEDIAN", typical, "electron", "Median of the master dark"),
        Metric("MDARK MEAN", mean, "electron", "Its mean"),
        _raw_ron(survey, level, about.pedestal),
        Metric(
            "MASTER RON PRED",
            survey.noise.sigma / math.sqrt(len(darks)),
            "electron",
            "Noise expected in the master dark",
        ),
        *_counts(flags),
        Metric(
            "CLIPPED FRAC",
            left_out / max(samples + left_out, 1),
            "",
            "Fraction of samples rejected along the stack",
        ),
        Metric(
            "LEVEL DRIFT",
            float(np.std(survey.levels, ddof=1)) if len(darks) > 1 else None,
            "electron",
            "Spread of the levels of the frames",
        ),
        _slope(survey, about.gain.source != "assumed", about.gain.source),
        *_temperature(darks),
    ]
    metrics = [replace(m, value=_rounded(m.value)) for m in metrics]
    flag = QaFlag.GOOD
    if any(m.verdict is not QaFlag.GOOD for m in metrics):
        bad = any(m.verdict is QaFlag.BAD for m in metrics)
        flag = QaFlag.BAD if bad else QaFlag.PARTIAL
    return Judged(tuple(metrics), flag)
