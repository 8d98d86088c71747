"""The arithmetic of a reduction, from opened frames to images and metrics; writes nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from soxsdark.amplifiers import Amplifier
from soxsdark.calibration import MasterBias
from soxsdark.clock import Clock
from soxsdark.combine import Combined, combine, further_bytes
from soxsdark.compiled import kernel
from soxsdark.flags import Background, Limits, bands, find_background, hot_and_cold
from soxsdark.flags import combine as combine_flags
from soxsdark.inputs import Inputs
from soxsdark.kinds import DARK
from soxsdark.memory import MIB, Plan, plan, row_blocks
from soxsdark.orientation import Window, all_to_product
from soxsdark.parallel import in_order, processors
from soxsdark.product import Mask, Master
from soxsdark.quality import judge
from soxsdark.region import Images
from soxsdark.sampling import LineSample
from soxsdark.survey import Step, Survey, survey
from soxsdark.verdicts import Judged

Progress = Callable[[str, int, int], None]
"""Called with what is going on, the steps done and the steps in all."""


@dataclass(frozen=True)
class Reduced:
    """A reduced set, in memory; images of the science pixels, in product orientation."""

    inputs: Inputs
    survey: Survey
    master: Master
    mask: Mask
    judged: Judged
    frame_rejected: np.ndarray
    """Samples rejected in each frame."""
    noise_scale: float
    """Typical variance over the expected one."""
    backgrounds: tuple[Background, ...]
    """Of each amplifier, without its level."""


def reduce_set(
    inputs: Inputs, progress: Progress | None = None, clock: Clock | None = None
) -> Reduced:
    """The data flow from opened frames to master, mask and metrics; writes nothing."""
    tell = progress or (lambda what, done, total: None)
    lap = clock.lap if clock else (lambda stage: None)
    surveyed = survey_set(inputs, _counter(tell, "frames", len(inputs.darks)))
    lap("survey")
    blocks = row_blocks(inputs.darks[0].shape[0], plan_of(inputs).rows)
    combined = stack_set(inputs, surveyed, blocks, _counter(tell, "stack", len(blocks)))
    lap("combine")
    return flag_set(inputs, surveyed, combined, lap)


def survey_set(inputs: Inputs, step: Step = lambda: None) -> Survey:
    """Pass 1; `step` is called after each frame."""
    return survey(
        inputs.darks,
        inputs.settings.values,
        inputs.bad,
        step,
        plan_of(inputs).frame_threads,
        inputs.master_bias,
        inputs.kind is DARK,
    )


def stack_set(
    inputs: Inputs, surveyed: Survey, blocks: Sequence[slice], step: Step = lambda: None
) -> Combined:
    """Pass 2, on blocks of rows; `step` is called after each."""
    threads = plan_of(inputs).threads
    return combine(inputs.darks, surveyed, inputs.settings.values, blocks, threads, step)


def flag_set(
    inputs: Inputs,
    surveyed: Survey,
    combined: Combined,
    lap: Callable[[str], None] = lambda stage: None,
) -> Reduced:
    """What follows the two passes; the master takes the memory of the mean and its errors."""
    about, images = inputs.darks[0].about, _flagged(inputs, surveyed, combined)
    lap("flags")
    judged = judge(inputs, surveyed, images, plan_of(inputs).threads)
    lap("metrics")
    master = images.master
    mask = Mask(flags=master.qual, noise=combined.noise, rejected=combined.rejected)
    return Reduced(
        inputs,
        surveyed,
        master=all_to_product(master, about.rotation),
        mask=all_to_product(mask, about.rotation),
        judged=judged,
        frame_rejected=combined.frame_rejected,
        noise_scale=combined.noise_scale,
        backgrounds=images.backgrounds,
    )


def plan_of(inputs: Inputs) -> Plan:
    """What is held at a time, by the settings and the size of the frames."""
    settings = inputs.settings.values
    return plan(
        inputs.darks[0].shape,
        len(inputs.darks),
        limit=int(settings.memory_limit * MIB),
        threads=settings.threads or processors(),
        frame_bytes=max(d.frame.working_bytes for d in inputs.darks),
        compiled=kernel() is not None,
        calibrated=(inputs.master_bias is not None) + (inputs.previous is not None),
        further=further_bytes(settings),
    )


def told_of_memory(inputs: Inputs) -> Inputs:
    """Remark on a memory-limit that cannot be kept; the run goes on with as little as it can."""
    limit, least = inputs.settings.values.memory_limit, plan_of(inputs).least / MIB
    if least <= limit:
        return inputs
    rows, columns = inputs.darks[0].shape
    remark = f"frames of {rows} x {columns} need {least:.0f} MiB, memory-limit is {limit:g}"
    return replace(inputs, of_set=(*inputs.of_set, remark))


def _counter(tell: Progress, what: str, total: int) -> Callable[[], None]:
    done = iter(range(1, total + 1))
    return lambda: tell(what, next(done), total)


def _flagged(inputs: Inputs, surveyed: Survey, combined: Combined) -> Images:
    """The master, in the memory of the mean and its errors, and what its metrics need."""
    bad, levels = inputs.bad, surveyed.levels.mean(axis=0)
    if inputs.master_bias is not None:
        _subtract(inputs.master_bias, inputs.darks[0].about.amplifiers, combined, levels)
        levels = np.zeros_like(levels)
    rows, columns = combined.mean.shape
    flags = np.empty((rows, columns), dtype=np.int16)
    excess, backgrounds = LineSample((rows, columns)), []
    for amplifier, level in zip(inputs.darks[0].about.amplifiers, levels, strict=True):
        own = amplifier.place, float(level)
        backgrounds.append(_flag_amplifier(inputs, combined, bad, *own, flags, excess))
    master = Master(flux=combined.mean, errs=combined.errors, qual=flags, ncom=combined.used)
    return Images(master, combined, tuple(backgrounds), excess)


def _flag_amplifier(
    inputs: Inputs,
    combined: Combined,
    bad: np.ndarray | None,
    place: Window,
    level: float,
    flags: np.ndarray,
    sample: LineSample,
) -> Background:
    """Flag the pixels of one amplifier, and add their level, in place; return the background."""
    settings = inputs.settings.values
    combined, flags = combined.part(place), flags[place]
    bad = None if bad is None else bad[place]
    ignored = combined.noisy | (combined.used == 0)
    if bad is not None:
        ignored |= bad
    threads = plan_of(inputs).threads
    background = find_background(combined.mean, ignored, settings.background_box, threads)
    limits = limits_of(inputs, background.sigma)
    most = len(inputs.darks) / 2 if settings.frame_clipping_flags else None

    def flag(rows: slice) -> None:
        flux, errors = combined.mean[rows], combined.errors[rows]
        empty = combined.used[rows] == 0
        smooth = background.rows(rows.start, rows.stop)
        excess = flux - smooth
        sample.take(place, rows, excess)
        hot, cold = hot_and_cold(excess, errors, limits)
        if most is not None:
            low, high = (number[rows] > most for number in combined.frame_clipped)
            cold |= low
            hot |= high
        if combined.quiet is not None:
            cold |= combined.quiet[rows]
        flags[rows] = combine_flags(
            input=None if bad is None else bad[rows],
            hot=hot,
            cold=cold,
            saturated=combined.saturated[rows],
            empty=empty,
            noisy=combined.noisy[rows],
        )
        np.copyto(flux, smooth, where=empty)
        # the mean level in double precision, once, so that float32 rounds only the sum
        flux[...] = flux.astype(np.float64) + level
        np.copyto(errors, background.sigma, where=empty)

    for _ in in_order(flag, bands(ignored.shape), threads):
        pass
    return background


def limits_of(inputs: Inputs, sigma: float) -> Limits:
    """When a pixel is hot or cold where the spatial scatter is `sigma`, electrons."""
    settings = inputs.settings.values
    rate = settings.hot_pixel_rate if inputs.kind is DARK else None
    return Limits(
        sigma,
        hot_sigma=settings.hot_pixel_sigma,
        cold_sigma=settings.cold_pixel_sigma,
        hot_level=None if rate is None else rate * inputs.darks[0].about.exposure_time,
    )


def _subtract(
    bias: MasterBias, amplifiers: Sequence[Amplifier], combined: Combined, levels: np.ndarray
) -> None:
    """Subtract the bias from the mean, its level included, in place; its error is added once."""
    for amplifier, level, own in zip(amplifiers, levels, bias.parts, strict=True):
        part = combined.part(amplifier.place)
        for rows in bands(part.mean.shape):
            flux, errors = part.mean[rows], part.errors[rows]
            # in double precision, so that float32 rounds only the small difference
            flux[...] = flux.astype(np.float64) + (level - own.values[rows].astype(np.float64))
            np.hypot(errors, own.sigma[rows], out=errors)
