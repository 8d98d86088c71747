"""Metrics of a master, from a reduced set, judged."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark import metrics as figures
from soxsdark.cross_check import hints_of, ranges_of
from soxsdark.flags import Flag
from soxsdark.frame_noise import frame_noises, relative_error
from soxsdark.kinds import DARK
from soxsdark.metrics import Figure
from soxsdark.parallel import at_once
from soxsdark.previous import compare
from soxsdark.region import (
    PATTERNS,
    Images,
    Region,
    drift_metric,
    noise_metrics,
    pattern_figures,
    pattern_metrics,
    regions_of,
    structure_metric,
)
from soxsdark.survey import RawDark, Survey
from soxsdark.temperature import temperature_metrics
from soxsdark.verdicts import DOUBT, Judged, Metric, QaFlag, judge_ranges

if TYPE_CHECKING:
    from soxsdark.combine import Combined
    from soxsdark.inputs import Inputs

SLOPE_TOLERANCE = 0.25
"""How far the slope of variance against signal may be from 1 without a warning."""
SLOPE_SIGNIFICANCE = 3.0


def judge(inputs: "Inputs", survey: Survey, images: Images, threads: int = 1) -> Judged:
    """Compute the metrics of a set, judge them, and find its QA flag.

    Where a detector has several amplifiers, what each of them has of its own comes last.

    Parameters
    ----------
    inputs, survey
        The frames and what pass 1 found in them.
    images
        What they were reduced to.
    threads
        The result does not depend on it.
    """
    darks, master = inputs.darks, images.master
    about = darks[0].about
    regions = regions_of(survey, about)
    noises = [noise_metrics(region, images, inputs.kind.name) for region in regions]
    (level, mean), patterns, counts, rejections = at_once(
        (
            lambda: figures.centres(master.flux, master.qual),
            lambda: _patterns(regions, images, noises, about.rotation % 180 != 0),
            lambda: _counts(master.qual),
            lambda: _rejections(darks, images.combined),
        ),
        threads,
    )
    structure, of_frames = structure_metric(regions[0], darks)
    error = _level_error(inputs, regions[0])
    metrics = [
        Metric("NFRAMES", len(darks), "", "Number of frames combined"),
        _level(inputs, regions[0], "MEDIAN", level),
        _level(inputs, regions[0], "MEAN", mean),
        *_dark_current(inputs, level, error),
        _raw_ron(inputs, regions[0], level),
        *noises[0],
        *pattern_metrics(regions[0], patterns[0]),
        *counts,
        *rejections,
        *_frame_noises(inputs, images.combined, regions[0]),
        *_frame_signals(inputs, survey, regions[0]),
        _cut(inputs, survey),
        structure,
        drift_metric(regions[0]),
        *_slope(inputs, regions[0]),
        *temperature_metrics(darks, inputs.settings.values.maximum_temperature_spread),
    ]
    if inputs.previous is not None:
        metrics += compare(master, error, inputs.previous, about)
    for region, noise, pattern in zip(regions[1:], noises[1:], patterns[1:], strict=True):
        metrics += _of_amplifier(inputs, region, images, noise, pattern)
        metrics += _frame_signals(inputs, survey, region)
    metrics = [_rounded(m) for m in metrics]
    ranges, remarks = ranges_of(inputs, regions)
    hints = hints_of(inputs, regions, {m.name: m.value for m in metrics})
    judged = judge_ranges(metrics, ranges, hints)
    return Judged(judged, remarks, tuple(_known(v) for v in of_frames.value.tolist()))


def _of_amplifier(
    inputs: "Inputs",
    region: Region,
    images: Images,
    noise: list[Metric],
    patterns: dict[str, Figure],
) -> list[Metric]:
    master = images.master.flux[region.place], images.master.qual[region.place]
    level, _ = figures.centres(*master)
    return [
        _level(inputs, region, "MEDIAN", level),
        _raw_ron(inputs, region, level),
        *noise,
        *pattern_metrics(region, patterns),
        *_frame_noises(inputs, images.combined, region),
        structure_metric(region, inputs.darks)[0],
        drift_metric(region),
        *_slope(inputs, region),
    ]


def _patterns(
    regions: Sequence[Region], images: Images, noises: Sequence[list[Metric]], turned: bool
) -> list[dict[str, Figure]]:
    """Patterns of the whole detector, then of each amplifier: each is read by itself."""
    every = []
    for region, noise, background in zip(
        regions[1:] or regions, noises[1:] or noises, images.backgrounds, strict=True
    ):
        found, expected = (metric.value for metric in noise)
        share = math.nan if found is None or expected is None else found / expected
        every.append(pattern_figures(region, images, background.sigma, share, turned))
    if len(every) == 1:
        return every
    shares = np.array([region.pixels for region in regions[1:]]) / regions[0].pixels
    whole = {name: figures.joined([f[name] for f in every], shares) for name in PATTERNS}
    return [whole, *every]


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _rounded(metric: Metric) -> Metric:
    # what a float32 image can tell; beyond a millionth of an electron there is only rounding
    value, error = metric.value, _known(metric.error)
    if isinstance(value, float):
        value = float(f"{round(value, 8):.7g}")
    return replace(metric, value=value, error=None if error is None else float(f"{error:.3g}"))


def _level(inputs: "Inputs", region: Region, which: str, value: float) -> Metric:
    kind = inputs.kind
    comment = f"{which.capitalize()} of the master {kind.name}"
    figure = Figure(value, _level_error(inputs, region))
    concern = _negative(inputs, region, figure) if which == "MEDIAN" else {}
    return region.metric(f"{kind.product} {which}", figure, comment, **concern)


def _negative(inputs: "Inputs", region: Region, level: Figure) -> dict[str, Any]:
    """The concern about a dark far below zero, which only a pedestal that is not its own makes."""
    least = -(region.sigma + DOUBT * level.error)
    if inputs.kind is not DARK or inputs.pedestal is not False or level.value >= least:
        return {}
    why = f"{level.value:.5g} electron in a dark without pedestal: {_wrong_pedestal(inputs)}"
    return {"verdict": QaFlag.PARTIAL, "why": why}


def _level_error(inputs: "Inputs", region: Region) -> float:
    """Error of the level, common to all pixels: of the frames' and of the bias's."""
    bias, drift = inputs.master_bias, _known(region.drift) or 0.0
    own = drift / math.sqrt(len(inputs.darks))
    return math.hypot(own, bias.level_error or 0.0 if bias else 0.0)


def _dark_current(inputs: "Inputs", level: float, error: float) -> list[Metric]:
    """Dark current and its error, where there is no pedestal and the dark grows with time."""
    about = inputs.darks[0].about
    scales = inputs.profile.detector(about.arm).dark_scaling != "never"
    if inputs.kind is not DARK or inputs.pedestal is not False or not scales:
        return []
    time, unit = about.exposure_time, "electron/s"
    return [
        Metric("DARK CURRENT", level / time, unit, "Typical dark current", error=error / time),
        Metric("DARK CURRENT ERR", error / time, unit, "Its error, from the levels"),
    ]


def _raw_ron(inputs: "Inputs", region: Region, level: float) -> Metric:
    """Read noise of one frame: sigma-zero without quantisation and, if known, typical dark."""
    variance = max(region.sigma**2 - region.quantum**2 / 12, 0.0)
    dark = max(level, 0.0) / region.ndit if inputs.pedestal is False else 0.0
    concern = {}
    if dark and dark >= variance:
        why = (
            f"a level of {level:.1f} e- would have more shot noise than the {variance:.1f} e-^2 "
            f"measured: {_wrong_pedestal(inputs)}"
        )
        concern, dark = {"verdict": QaFlag.PARTIAL, "why": why}, 0.0
    if not variance:
        why = (
            f"the noise is lost in the steps of {region.quantum:.4g} e- between the values of the "
            "raws: ERRS is that of the steps"
        )
        concern = {"verdict": QaFlag.PARTIAL, "why": why}
    ron = math.sqrt(variance - dark)
    error = figures.error_of_differences(region.sigma, len(inputs.darks), region.pixels)
    figure = Figure(ron, error * region.sigma / (ron or region.sigma))
    return region.metric(
        "RAW RON", figure, "Read-out noise of one frame, from differences", **concern
    )


def _wrong_pedestal(inputs: "Inputs") -> str:
    if inputs.master_bias is not None:
        return f"{inputs.master_bias.path.name} does not fit the pedestal of the raws"
    return "the raws hold a pedestal, which the instrument profile says they do not"


def _slope(inputs: "Inputs", region: Region) -> list[Metric]:
    if inputs.kind is not DARK:
        # a bias has no signal whose variance could be measured
        return []
    slope, error, gain = region.slope, region.slope_error, region.gain
    off = abs(slope - 1) > max(SLOPE_TOLERANCE, SLOPE_SIGNIFICANCE * error)
    verdict, why, name = QaFlag.GOOD, "", region.name("GAIN SLOPE")
    if gain.source != "assumed" and math.isfinite(slope) and off:
        own = region.number or len(inputs.darks[0].about.amplifiers) == 1
        said = f"the gain of {gain.value:g} e-/ADU ({gain.source})" if own else "one of the gains"
        verdict = QaFlag.PARTIAL
        why = (
            f"{name} is {slope:.3f} +- {error:.3f}, 1 is expected: {said} is wrong, the "
            "temperature changed between the frames, or one of them has light in it"
        )
    comment = "Measured slope of variance against signal"
    return [
        Metric(
            name, _known(slope), "", comment, verdict, why, _known(error), amplifier=region.number
        )
    ]


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


def _cut(inputs: "Inputs", survey: Survey) -> Metric:
    """The largest share of pixels that the lowest or highest value of a frame cuts off."""
    shares = [frame.cut for frame in survey.frames]
    at = int(np.argmax(shares))
    pixels = math.prod(inputs.darks[0].shape)
    return Metric(
        "CUT FRAC",
        shares[at],
        "",
        "Share of pixels cut off at the end of the range",
        error=math.sqrt(shares[at] / pixels),
        frame=inputs.darks[at].name if shares[at] else "",
    )


def _frame_noises(inputs: "Inputs", combined: "Combined", region: Region) -> list[Metric]:
    """Noise of the loudest and of the quietest frame over that of the median frame."""
    every = combined.frame_residuals
    counts = every[region.number - 1] if region.number else every.sum(axis=0)
    noises = frame_noises(counts)
    error = relative_error(counts, region.sigma, region.quantum)
    return _extremes(inputs, region, "NOISE", noises, error)


def _frame_signals(inputs: "Inputs", survey: Survey, region: Region) -> list[Metric]:
    """Signal of the hot pixels in the frames that have most and least, over the median frame's."""
    if inputs.kind is not DARK:
        return []
    numbers = [region.number - 1] if region.number else range(len(survey.signals))
    known = [survey.signals[n] for n in numbers if math.isfinite(survey.signals[n][1])]
    unknown = np.full(len(inputs.darks), np.nan)
    signals = np.mean([signal for signal, _ in known], axis=0) if known else unknown
    error = max((error for _, error in known), default=math.nan)
    return _extremes(inputs, region, "SIGNAL", signals, error)


def _extremes(
    inputs: "Inputs", region: Region, what: str, values: np.ndarray, error: float
) -> list[Metric]:
    """The largest and the least value of a frame over that of the median frame."""
    typical = float(np.median(values))
    metrics = []
    for which, find in (("MAX", np.argmax), ("MIN", np.argmin)):
        at = int(find(values))
        share = _known(float(values[at]) / typical) if typical > 0 else None
        metrics.append(
            Metric(
                region.name(f"{what} FRAME{which}"),
                share,
                "",
                f"{which.capitalize()}imal {what.lower()} of one frame, over the median",
                error=None if share is None else error * max(share, 1.0),
                frame="" if share is None else inputs.darks[at].name,
                amplifier=region.number,
            )
        )
    return metrics


def _rejections(darks: Sequence[RawDark], combined: "Combined") -> list[Metric]:
    used, left_out = (int(c.sum(dtype=np.int64)) for c in (combined.used, combined.rejected))
    samples = max(used + left_out, 1)
    most = figures.rejection_ratio(combined.frame_rejected)
    return [
        Metric(
            "CLIPPED FRAC",
            left_out / samples,
            "",
            "Fraction of samples rejected along the stack",
            error=math.sqrt(left_out) / samples,
        ),
        Metric(
            "REJ FRAMEMAX",
            most.value,
            "",
            "Most samples rejected in a frame, over the median",
            frame=darks[most.frame].name,
            chance=most.chance,
        ),
    ]
