"""When and for how long a frame was exposed, by its header."""

import math
from typing import Literal

from soxsdark.errors import InputError, OtherFrameError
from soxsdark.instruments import FrameHeader
from soxsdark.nights import mjd_of, moment_in

Expected = Literal["dark", "bias", "raw", "product"]
"""A raw dark or bias; a raw frame of any type; a product, whose raws were checked."""

POSSIBLE_TIMES = 1e-9, 1e9
"""Seconds that an exposure may take."""
SAME_DAY = 1.0
"""Days that two dates of one exposure may be apart: one of them may be without its time."""


def time_of(frame: FrameHeader, expected: Expected, image_type: str) -> float:
    """Return the seconds of one DIT, or refuse the frame.

    Raises
    ------
    OtherFrameError
        A dark without exposure.
    InputError
        Without a usable exposure time.
    """
    if expected == "bias":
        return _bias_time(frame, image_type)
    return _product_time(frame) if expected == "product" else _exposure_time(frame)


def _exposure_time(frame: FrameHeader) -> float:
    key, value, seconds = frame.exposure
    low, high = POSSIBLE_TIMES
    if seconds is None or not low <= seconds <= high:
        units = {"s": "seconds", "ms": "milliseconds"}[frame.profile.exposure_time_unit]
        expected = f"a number of {units} above 0 ({low:g} s to {high:g} s)"
        hint = " (a frame without exposure is a bias)" if seconds == 0 else ""
        kind = OtherFrameError if seconds == 0 else InputError
        wanted = f"{expected}{hint}; correct the header or leave it out"
        raise frame.refuse(key, value, wanted, kind)
    dit = frame.positive_of(frame.profile.keys("dit"))
    if dit and not math.isclose(dit[1], seconds, rel_tol=1e-3):
        frame.warnings.append(
            f"{key} {seconds:g} s differs from {dit[0]} {dit[1]:g} s: {key} taken"
        )
    return seconds


def _bias_time(frame: FrameHeader, image_type: str) -> float:
    """Return the exposure time of a bias, 0 if it has none; refuse one that may be no bias."""
    key, value, seconds = frame.exposure
    if value is None:
        return 0.0
    if seconds is None or not 0 <= seconds <= POSSIBLE_TIMES[1] or (seconds > 0 and not image_type):
        raise frame.refuse(key, value, "0, since nothing else says that it is a bias; leave it out")
    return seconds


def _product_time(frame: FrameHeader) -> float:
    """Return the seconds that products have in EXPTIME, whatever the raws call it; 0 if none."""
    own = frame.number_of(("EXPTIME",))
    return max((frame.exposure[2] if own is None else own) or 0.0, 0.0)


def mjd_obs_of(frame: FrameHeader) -> float | None:
    """Return the start of the exposure, days; None, with a remark, if nothing says it."""
    date_obs = frame.text("date-obs")
    mjd = frame.number_of(frame.profile.keys("mjd-obs"))
    dated = to_mjd(date_obs) if date_obs else None
    if mjd is not None and dated is not None and abs(mjd - dated) > SAME_DAY:
        frame.warnings.append(
            f"MJD-OBS {mjd:.5f} and DATE-OBS {date_obs} are {abs(mjd - dated):.4g} days apart: "
            "MJD-OBS taken"
        )
    mjd = dated if mjd is None else mjd
    if mjd is None:
        said = f"DATE-OBS is {date_obs!r}" if date_obs else "no DATE-OBS"
        frame.remark(f"start of the exposure unknown: no MJD-OBS, {said}")
    return mjd


def to_mjd(date: str) -> float | None:
    """Convert an ISO date and time (UTC unless it says otherwise) to MJD; None if it is none."""
    try:
        return mjd_of(moment_in(date))
    except ValueError:
        return None
