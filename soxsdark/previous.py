"""A master dark compared with the one before it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.amplifiers import Amplifier
from soxsdark.calibration import level_error
from soxsdark.dark_match import check_match, check_units, describe_dark
from soxsdark.description import Description
from soxsdark.errors import InputError
from soxsdark.flags import Flag, bands
from soxsdark.master_file import ADU, ELECTRON, read_master_dark
from soxsdark.medians import median
from soxsdark.one_setup import within
from soxsdark.orientation import to_product, to_raw
from soxsdark.verdicts import Metric

if TYPE_CHECKING:
    from soxsdark.inputs import Inputs
    from soxsdark.product import Master

MOVED = 6.0
"""Standard deviations of the difference by which a pixel has moved."""
CHANGED = 3.0
"""Likewise, by which a pixel that became hot or ceased to be differs: at the threshold chance
makes hot pixels of cold ones and back."""


@dataclass(frozen=True)
class Previous:
    """A previous master dark that fits a set; images turned as products are, electrons."""

    path: Path
    sha256: str
    flux: np.ndarray
    errs: np.ndarray | None
    """Standard deviation of `flux`; None: the file has none."""
    qual: np.ndarray
    level: bool
    """Whether its level is comparable: with pedestal, or without, as in the new one."""
    level_error: float | None
    remarks: tuple[str, ...]

    def turned_back(self, rotation: int) -> "Previous":
        """The same with its images as the raw frames lie; views."""
        flux, qual = (to_raw(image, rotation) for image in (self.flux, self.qual))
        errs = None if self.errs is None else to_raw(self.errs, rotation)
        return replace(self, flux=flux, errs=errs, qual=qual)


def open_previous(path: Path | str, inputs: "Inputs") -> Previous:
    """Read a previous master dark and check that it is of the setup of a set.

    Parameters
    ----------
    path : path
        Product of this program or of soxspipe.
    inputs : Inputs
        The new set.

    Raises
    ------
    InputError
        The file cannot be used, or is of another setup, shape or exposure time.
    """
    about, chosen = inputs.darks[0].about, inputs.settings.values
    dark = describe_dark(read_master_dark(path), chosen.instrument)
    check_match(about, dark)
    check_units(about, ADU, dark)
    apart = abs(dark.about.exposure_time - about.exposure_time)
    if not within(apart, chosen.exposure_time_tolerance):
        raise InputError(
            f"{dark.path}: exposure time is {dark.about.exposure_time:g} s, expected "
            f"{about.exposure_time:g} s as that of the new frames; give a master of theirs"
        )
    before = False if dark.detector.pedestal is False else dark.pedestal
    level, file = before is not None and before == inputs.pedestal, dark.file
    remarks = []
    if not level:
        remarks.append(f"level not compared with {dark.path.name}: the pedestal is in one, or may")
    if not file.has_errors:
        remarks.append(f"{dark.path.name} has no errors: taken to be those of the new master")
    factor = 1.0 if file.unit == ELECTRON else about.gains
    if isinstance(factor, np.ndarray):
        factor = to_product(factor, about.rotation)
    return Previous(
        path=dark.path,
        sha256=file.sha256,
        flux=(file.flux * factor).astype(np.float32),
        errs=(file.errs * factor).astype(np.float32) if file.has_errors else None,
        # no flag of ours is beyond 16 bits
        qual=file.qual.astype(np.int16),
        level=level,
        level_error=level_error(file.header, dark.path.name)[0],
        remarks=tuple(remarks),
    )


def compare(
    new: "Master", error: float, previous: Previous, about: Description
) -> tuple[Metric, ...]:
    """Compare a new master dark with a previous one.

    Each amplifier's difference of the levels is taken off before its pixels are compared; the mean
    over the amplifiers is a metric of its own. Noisy pixels come and go: they are not counted among
    the hot ones.

    Parameters
    ----------
    new : Master
        As the raw frames lie.
    error : float
        Error of its level, electrons.
    previous : Previous
    about : Description
        Of the first raw frame.
    """
    previous = previous.turned_back(about.rotation)
    unusable = np.int16(Flag.EMPTY | Flag.SATURATED | Flag.INPUT)
    used = (new.qual | previous.qual) & unusable == 0
    difference = new.flux - previous.flux
    level = _take_off_levels(difference, used, about.amplifiers)
    # moved, newly hot, no longer hot
    counts = np.zeros(3, dtype=int)
    for rows in bands(used.shape):
        masks = _changed(new, previous, difference, rows)
        counts += [np.count_nonzero(mask & used[rows]) for mask in masks]
    moved, came, went = counts.tolist()
    total = max(int(np.count_nonzero(used)), 1)
    hot_known = bool(np.any(previous.qual & np.int16(Flag.HOT)))
    return (
        Metric(
            "PREV MOVED FRAC",
            moved / total,
            "",
            "Pixels that moved by 6 sigma since the previous",
            error=math.sqrt(moved) / total,
        ),
        Metric("PREV HOT NEW", came if hot_known else None, "", "New hot pixels"),
        Metric("PREV HOT GONE", went if hot_known else None, "", "Hot pixels that vanished"),
        _level_metric(level, error, previous),
    )


def _take_off_levels(
    difference: np.ndarray, used: np.ndarray, amplifiers: Sequence[Amplifier]
) -> float:
    """Subtract the median of each amplifier, in place; return their mean, NaN if there is none."""
    levels = []
    for amplifier in amplifiers:
        part, good = difference[amplifier.place], used[amplifier.place]
        if good.any():
            levels.append(median(part[good]))
            part -= np.float32(levels[-1])
    return float(np.mean(levels)) if levels else math.nan


def _changed(
    new: "Master", previous: Previous, difference: np.ndarray, rows: slice
) -> tuple[np.ndarray, ...]:
    """Masks of the pixels that moved, that became hot, and that ceased to be."""
    errs = new.errs[rows] if previous.errs is None else previous.errs[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        away = difference[rows] / np.hypot(new.errs[rows], errs)
    qualities = new.qual[rows], previous.qual[rows]
    now, was = (qual & np.int16(Flag.HOT) != 0 for qual in qualities)
    steady = (qualities[0] | qualities[1]) & np.int16(Flag.NOISY) == 0
    return (
        np.abs(away) > MOVED,
        steady & now & ~was & (away > CHANGED),
        steady & was & ~now & (away < -CHANGED),
    )


def _level_metric(level: float, error: float, previous: Previous) -> Metric:
    return Metric(
        "PREV LEVEL DIFF",
        level if previous.level and math.isfinite(level) else None,
        "electron",
        "Level minus that of the previous master",
        error=math.hypot(error, previous.level_error or 0.0),
    )
