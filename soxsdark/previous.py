"""A master dark compared with the one before it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.calibration import level_error
from soxsdark.dark_match import Dark, check_match, check_units, describe_dark
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.master_file import ELECTRON, read_master_dark
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
    """A previous master dark that fits a set."""

    dark: Dark
    factor: float
    """Electrons for each unit of the file."""
    level: bool
    """Whether its level is comparable: with pedestal, or without, as in the new one."""
    remarks: tuple[str, ...]


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
    check_units(about, "adu", dark)
    apart = abs(dark.about.exposure_time - about.exposure_time)
    if apart > chosen.exposure_time_tolerance * (1 + 1e-9):
        raise InputError(
            f"{dark.path}: exposure time is {dark.about.exposure_time:g} s, expected "
            f"{about.exposure_time:g} s as that of the new frames; give a master of theirs"
        )
    before = False if dark.detector.pedestal is False else dark.pedestal
    remarks, level = [], before is not None and before == inputs.pedestal
    if not level:
        remarks.append(f"level not compared with {dark.path.name}: the pedestal is in one, or may")
    if not dark.file.has_errors:
        remarks.append(f"{dark.path.name} has no errors: taken to be those of the new master")
    factor = 1.0 if dark.file.unit == ELECTRON else about.gain.value
    return Previous(dark, factor, level, tuple(remarks))


def compare(new: "Master", error: float, previous: Previous) -> tuple[Metric, ...]:
    """Compare a new master dark, turned as products are, with a previous one.

    The difference of the levels is its own metric, and taken off before pixels are compared.
    Noisy pixels come and go: they are not counted among the hot ones.

    Parameters
    ----------
    new : Master
    error : float
        Error of its level, electrons.
    previous : Previous
    """
    file = previous.dark.file
    old, errs = file.flux * previous.factor, file.errs * previous.factor
    if not file.has_errors:
        errs = new.errs
    unusable = Flag.EMPTY | Flag.SATURATED | Flag.INPUT
    used = (new.qual | file.qual) & int(unusable) == 0
    difference = np.subtract(new.flux, old, where=used, out=np.zeros(used.shape))
    level = float(np.median(difference[used])) if used.any() else math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (difference - level) / np.hypot(new.errs, errs)
    was, now = ((qual & int(Flag.HOT)) != 0 for qual in (file.qual, new.qual))
    moved = int(np.count_nonzero(used & (np.abs(away) > MOVED)))
    total = max(int(np.count_nonzero(used)), 1)
    hot_known, steady = was.any(), used & ((new.qual | file.qual) & int(Flag.NOISY) == 0)
    counts = {
        "PREV HOT NEW": ("New hot pixels", steady & now & ~was & (away > CHANGED)),
        "PREV HOT GONE": ("Hot pixels that vanished", steady & was & ~now & (away < -CHANGED)),
    }
    return (
        Metric(
            "PREV MOVED FRAC",
            moved / total,
            "",
            "Pixels that moved by 6 sigma since the previous",
            error=math.sqrt(moved) / total,
        ),
        *(
            Metric(name, int(np.count_nonzero(pixels)) if hot_known else None, "", comment)
            for name, (comment, pixels) in counts.items()
        ),
        _level_metric(level, error, previous),
    )


def _level_metric(level: float, error: float, previous: Previous) -> Metric:
    before, _ = level_error(previous.dark.file.header, previous.dark.path.name)
    return Metric(
        "PREV LEVEL DIFF",
        level if previous.level and math.isfinite(level) else None,
        "electron",
        "Level minus that of the previous master",
        error=math.hypot(error, before or 0.0),
    )
