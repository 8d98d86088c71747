"""Metrics of a master dark, and the QA flag that follows from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.amplifiers import Sourced
from soxsdark.errors import ExitCode
from soxsdark.flags import Flag
from soxsdark.kinds import DARK
from soxsdark.medians import median
from soxsdark.survey import RawDark, Survey

if TYPE_CHECKING:
    from soxsdark.inputs import Inputs

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


def _raw_ron(survey: Survey, inputs: "Inputs", level: float) -> Metric:
    """Read noise of one frame: sigma-zero without quantisation and, if known, typical dark."""
    variance = max(survey.noise.sigma**2 - survey.quantum**2 / 12, 0.0)
    dark = max(level, 0.0) / survey.noise.ndit if inputs.pedestal is False else 0.0
    verdict, why = QaFlag.GOOD, ""
    if dark and dark >= variance:
        verdict = QaFlag.PARTIAL
        why = (
            f"a level of {level:.1f} e- would have more shot noise than the {variance:.1f} e-^2 "
            f"measured: {_wrong_pedestal(inputs)}"
        )
        dark = 0.0
    comment = "Read-out noise of one frame, from differences"
    return Metric("RAW RON", math.sqrt(variance - dark), "electron", comment, verdict, why)


def _wrong_pedestal(inputs: "Inputs") -> str:
    if inputs.master_bias is not None:
        return f"{inputs.master_bias.path.name} does not take the pedestal of the raws away"
    return "the raws hold a pedestal, which the instrument profile says they do not"


def _dark_current(inputs: "Inputs", level: float, drift: float | None) -> list[Metric]:
    """Dark current and its error, where there is no pedestal and the dark grows with time."""
    about, bias = inputs.darks[0].about, inputs.master_bias
    scales = inputs.profile.detector(about.arm).dark_scaling != "never"
    if inputs.kind is not DARK or inputs.pedestal is not False or not scales:
        return []
    error = math.hypot(
        (drift or 0.0) / math.sqrt(len(inputs.darks)),
        bias.level_error or 0.0 if bias else 0.0,
    )
    time, comments = about.exposure_time, ("Typical dark current", "Its error, from the levels")
    return [
        Metric("DARK CURRENT", level / time, "electron/s", comments[0]),
        Metric("DARK CURRENT ERR", error / time, "electron/s", comments[1]),
    ]


def _slope_of(survey: Survey, inputs: "Inputs") -> list[Metric]:
    gain = inputs.darks[0].about.gain
    # a bias has no signal whose variance could be measured
    return [_slope(survey, gain)] if inputs.kind is DARK else []


def _slope(survey: Survey, gain: Sourced) -> Metric:
    slope, error = survey.noise.measured_slope, survey.noise.measured_slope_error
    off = abs(slope - 1) > max(SLOPE_TOLERANCE, SLOPE_SIGNIFICANCE * error)
    verdict, why = QaFlag.GOOD, ""
    if gain.source != "assumed" and math.isfinite(slope) and off:
        verdict = QaFlag.PARTIAL
        why = (
            f"GAIN SLOPE is {slope:.3f} +- {error:.3f}, 1 is expected: the gain of {gain.value:g} "
            f"e-/ADU ({gain.source}) is wrong, the temperature changed between the frames, or one "
            "of them has light in it"
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


def _temperature(darks: Sequence[RawDark], limit: float | None) -> list[Metric]:
    known = [d for d in darks if d.about.temperature is not None]
    if not known:
        return []
    values = [d.about.temperature for d in known]
    mean, rms = float(np.mean(values)), float(np.std(values))
    return [
        _warned("DETECTOR TEMP", mean, "Mean detector temperature", _off_set_point(known, limit)),
        _warned("DETECTOR TEMP RMS", rms, "Its scatter over the frames", _spread(known, limit)),
    ]


def _warned(name: str, value: float, comment: str, why: str) -> Metric:
    return Metric(name, value, "", comment, QaFlag.PARTIAL if why else QaFlag.GOOD, why)


def _spread(known: Sequence[RawDark], limit: float | None) -> str:
    """Say by how much the temperatures spread too far; empty if they do not."""
    coldest = min(known, key=lambda d: d.about.temperature)
    warmest = max(known, key=lambda d: d.about.temperature)
    spread = warmest.about.temperature - coldest.about.temperature
    if limit is None or spread <= limit:
        return ""
    ordered = sorted(known, key=lambda d: d.about.mjd_obs or 0.0)
    return (
        f"the detector temperature spreads over {spread:.3g} from {ordered[0].name} to "
        f"{ordered[-1].name}, at most {limit:g} (maximum-temperature-spread) is expected: "
        f"{coldest.about.temperature:.5g} in {coldest.name}, {warmest.about.temperature:.5g} in "
        f"{warmest.name}"
    )


def _off_set_point(known: Sequence[RawDark], limit: float | None) -> str:
    """Say how far the mean temperature is from the set-point; empty if near, or not known."""
    abouts = [d.about for d in known]
    pairs = [(a.temperature, a.set_point) for a in abouts if a.set_point is not None]
    if limit is None or not pairs:
        return ""
    temperature, point = (float(value) for value in np.mean(pairs, axis=0))
    off = abs(temperature - point)
    if off <= limit:
        return ""
    return (
        f"the detector temperature, {temperature:.5g} in the mean, is {off:.3g} from its set-point "
        f"of {point:.5g}, at most {limit:g} (maximum-temperature-spread) is expected"
    )


def judge(
    inputs: "Inputs",
    survey: Survey,
    flux: np.ndarray,
    flags: np.ndarray,
    used: np.ndarray,
    rejected: np.ndarray,
) -> Judged:
    """Compute the metrics of a set and its QA flag.

    Parameters
    ----------
    inputs, survey
        The frames and what pass 1 found in them.
    flux : ndarray, electrons
        The master.
    flags, used, rejected : ndarray of int
        Flags, samples averaged and samples left out of each pixel; flagged EMPTY: none.
    """
    darks, kind = inputs.darks, inputs.kind
    temperature_spread = inputs.settings.values.maximum_temperature_spread
    typical, mean = _centres(flux, flags)
    drift = float(np.std(survey.frame_levels, ddof=1)) if len(darks) > 1 else None
    samples, left_out = (int(counts.sum(dtype=np.int64)) for counts in (used, rejected))
    metrics = [
        Metric("NFRAMES", len(darks), "", "Number of frames combined"),
        Metric(f"{kind.product} MEDIAN", typical, "electron", f"Median of the master {kind.name}"),
        Metric(f"{kind.product} MEAN", mean, "electron", "Its mean"),
        *_dark_current(inputs, typical, drift),
        _raw_ron(survey, inputs, typical),
        Metric(
            "MASTER RON PRED",
            survey.noise.sigma / math.sqrt(len(darks)),
            "electron",
            f"Noise expected in the master {kind.name}",
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
            drift,
            "electron",
            "Spread of the levels of the frames",
        ),
        *_slope_of(survey, inputs),
        *_temperature(darks, temperature_spread),
    ]
    metrics = [replace(m, value=_rounded(m.value)) for m in metrics]
    flag = QaFlag.GOOD
    if any(m.verdict is not QaFlag.GOOD for m in metrics):
        bad = any(m.verdict is QaFlag.BAD for m in metrics)
        flag = QaFlag.BAD if bad else QaFlag.PARTIAL
    return Judged(tuple(metrics), flag)
