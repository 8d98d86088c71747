"""The arithmetic of taking a master dark off a frame; writes nothing."""

import math
from dataclasses import dataclass, replace

import numpy as np

from soxsdark.amplifiers import cut
from soxsdark.calibration import MasterBias
from soxsdark.dark_match import Dark, Scale
from soxsdark.description import Description
from soxsdark.flags import Flag
from soxsdark.frame_source import Source
from soxsdark.instruments import as_number
from soxsdark.master_file import ELECTRON
from soxsdark.medians import median
from soxsdark.orientation import all_to_product, to_raw
from soxsdark.product import Subtracted
from soxsdark.verdicts import Metric

Images = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Values and their standard deviations, electrons, and the bad pixels, True = bad."""


@dataclass(frozen=True)
class Tools:
    """What is subtracted, and how."""

    dark: Dark
    """In electrons and raw orientation; without a pedestal, if there is a bias for it."""
    bias: MasterBias | None
    scale: Scale
    levels: tuple[float, ...]
    """Median of the dark's good pixels of each amplifier, e-."""


@dataclass(frozen=True)
class Job:
    """A frame that was matched with the dark."""

    source: Source
    about: Description
    factor: float
    """By what the dark is multiplied."""


@dataclass(frozen=True)
class Result:
    """A frame without its dark, in product orientation."""

    images: Subtracted
    sha256: str | None
    """Of the raw file."""
    rons: tuple[float | None, ...]
    """Read noise of each amplifier in ERRS, e-; None: unknown, or the frame brought its errors."""
    metrics: tuple[Metric, ...]


def prepare(dark: Dark, bias: MasterBias | None, about: Description, scale: Scale) -> Tools:
    """Make ready what is common to all frames, of which `about` is one."""
    file = dark.file
    gain = _gains(about, file.unit)
    flux, errs, qual = (to_raw(i, about.rotation) for i in (file.flux, file.errs, file.qual))
    flux, errs = flux * gain, errs * gain
    if bias is not None and dark.bias is None and dark.pedestal is not False:
        flux = flux - bias.values
        errs = np.hypot(errs, bias.sigma)
        qual = _marked(qual, bias.bad, Flag.INPUT)
        dark = replace(dark, bias=(bias.path.name, bias.datamd5))
    file = replace(file, unit=ELECTRON, flux=flux, errs=errs, qual=qual)
    levels = (_level(flux[a.place], qual[a.place]) for a in about.amplifiers)
    return Tools(replace(dark, file=file), bias, scale, tuple(levels))


def _level(flux: np.ndarray, flags: np.ndarray) -> float:
    good = flux[flags == 0]
    return median(good) if good.size else 0.0


def _marked(flags: np.ndarray, where: np.ndarray, flag: Flag) -> np.ndarray:
    return np.where(where, flags | np.int32(flag), flags)


def subtract(job: Job, tools: Tools) -> Result:
    """The arithmetic of one frame, in double precision and raw orientation."""
    source, about = job.source, job.about
    stored, sha256 = source.read()
    gain = _gains(about, source.unit)
    flags = _frame_flags(job, cut(stored, about.sections))
    values = _prepared(stored, source.unit, about) * gain
    if tools.bias is not None:
        values -= tools.bias.values
        flags = _marked(flags, tools.bias.bad, Flag.INPUT)
    rons: tuple[float | None, ...] = ()
    if source.errs is not None:
        variance = (cut(source.errs, about.sections).astype(np.float64) * gain) ** 2
    else:
        rons = tuple(_read_noise(job, tools, n) for n in range(len(about.amplifiers)))
        variance = np.empty(about.shape)
        for amplifier, ron, base in zip(about.amplifiers, rons, _bases(tools), strict=True):
            quantum = amplifier.gain.value if source.unit != ELECTRON else 1.0
            quantum = quantum if stored.dtype.kind in "iu" else 0.0
            signal = values[amplifier.place] - base
            noise = _frame_variance(signal, ron or 0.0, quantum, about.ndit)
            variance[amplifier.place] = noise
    if tools.bias is not None and not _is_same_bias(tools):
        variance += tools.bias.sigma.astype(np.float64) ** 2
    frame = values, np.sqrt(np.fmax(variance, 0.0)), flags != 0
    dark = tools.dark.file.flux, _dark_errors(job.factor, tools), tools.dark.file.qual != 0
    flux, errs, bad = _by_ccdproc(frame, dark, job.factor)
    flags |= tools.dark.file.qual
    metrics = _metrics(flux, bad, job.factor)
    images = all_to_product(Subtracted(flux, errs, flags), about.rotation)
    return Result(images, sha256, rons, metrics)


def _gains(about: Description, unit: str) -> float | np.ndarray:
    """Electrons for each unit of the pixels; of several amplifiers an image."""
    return 1.0 if unit == ELECTRON else about.gains


def _prepared(stored: np.ndarray, unit: str, about: Description) -> np.ndarray:
    """The science pixels of a raw image without their baseline, in its unit."""
    values = cut(stored, about.sections).astype(np.float64)
    if unit != ELECTRON:
        for amplifier in about.amplifiers:
            values[amplifier.place] -= about.baseline(stored, amplifier)
    return values


def _frame_flags(job: Job, raw: np.ndarray) -> np.ndarray:
    flags = np.zeros(raw.shape, np.int32)
    flags[~np.isfinite(raw)] |= np.int32(Flag.EMPTY)
    full = job.about.saturation.value
    if full is not None and job.source.unit != ELECTRON:
        flags[raw >= full] |= np.int32(Flag.SATURATED)
    if job.source.bad is not None:
        flags[cut(job.source.bad, job.about.sections)] |= np.int32(Flag.INPUT)
    return flags


def _by_ccdproc(frame: Images, dark: Images, factor: float) -> Images:
    """Subtract the dark times a factor; errors add in quadrature, masks by "or"."""
    import ccdproc
    from astropy import units
    from astropy.nddata import CCDData, StdDevUncertainty

    def ccd(flux: np.ndarray, errs: np.ndarray, bad: np.ndarray) -> CCDData:
        return CCDData(flux, unit=ELECTRON, uncertainty=StdDevUncertainty(errs), mask=bad)

    result = ccdproc.subtract_dark(
        ccd(*frame),
        ccd(*dark),
        # as the factor says, which is 1 for times within the tolerance
        data_exposure=factor * units.s,
        dark_exposure=1 * units.s,
        scale=factor != 1,
        add_keyword=None,
    )
    return result.data, result.uncertainty.array, result.mask


def _bases(tools: Tools) -> tuple[float, ...]:
    """What of a frame's levels is no signal: a pedestal that nothing but the dark takes off."""
    free = tools.bias is not None or tools.dark.pedestal is False
    return (0.0,) * len(tools.levels) if free else tools.levels


def _read_noise(job: Job, tools: Tools, number: int) -> float | None:
    """Read noise of an amplifier, e-: as measured on the darks, else as header or profile say."""
    dark, amplifiers = tools.dark, job.about.amplifiers
    name = "RAW RON" if len(amplifiers) == 1 else f"RAW RON {number + 1}"
    measured = as_number(dark.file.header.get(f"ESO QC {name}"))
    if measured is None:
        of_one_read = amplifiers[number].ron.value
        return None if of_one_read is None else of_one_read / math.sqrt(job.about.ndit)
    variance = measured**2
    if tools.bias is not None and dark.pedestal is not False:
        # where the pedestal was unknown, the shot noise of the typical dark counts as read noise
        variance = max(variance - max(tools.levels[number], 0.0) / dark.about.ndit, 0.0)
    return math.sqrt(variance * dark.about.ndit / job.about.ndit)


def _frame_variance(signal: np.ndarray, ron: float, quantum: float, ndit: int) -> np.ndarray:
    """Variance of a frame, e-²: ron² + quantum²/12 + signal / NDIT, where there is signal."""
    return np.fmax(signal, 0.0) / ndit + (ron**2 + quantum**2 / 12)


def _is_same_bias(tools: Tools) -> bool:
    """Whether the bias of the frame is the one that was subtracted from the dark."""
    bias = tools.bias
    return bias is not None and tools.dark.bias == (bias.path.name, bias.datamd5)


def _dark_errors(factor: float, tools: Tools) -> np.ndarray:
    """Standard deviation of the dark as far as it is not that of the frame's own bias, e-.

    Of ``frame - bias - factor (dark - bias)`` a share of (1 - factor)² remains of the same bias.
    The errors of the dark hold the bias once, and are multiplied by the factor.
    """
    errs = tools.dark.file.errs
    if tools.bias is None or not _is_same_bias(tools):
        return errs
    more = (1 / factor - 1) ** 2 - 1
    return np.sqrt(np.fmax(errs**2 + more * tools.bias.sigma.astype(np.float64) ** 2, 0.0))


def _metrics(flux: np.ndarray, bad: np.ndarray, factor: float) -> tuple[Metric, ...]:
    good, centre, spread = flux[~bad], None, None
    if good.size:
        middle = median(good)
        # what a float32 image can tell
        centre = float(f"{middle:.7g}")
        spread = float(f"{1.4826 * median(np.abs(good - middle)):.7g}")
    return (
        Metric("DSUB MEDIAN", centre, "electron", "Median of the good pixels"),
        Metric("DSUB SCATTER", spread, "electron", "1.4826 MAD of the good pixels"),
        Metric("DSUB FACTOR", factor, "", "By what the dark was multiplied"),
        Metric("BADPIX NUM", int(np.count_nonzero(bad)), "count", "Pixels with any flag"),
    )
