"""What a raw frame's header says: is it a dark, and of which setup.

Remarks and warnings do not name the file, so that equal ones of many frames can be told once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from soxsdark.instruments import (
    GENERIC,
    Detector,
    FrameHeader,
    Profile,
    Quantity,
    as_number,
    science_window,
)
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.sof import tag_arm

if TYPE_CHECKING:
    from soxsdark.settings import MdarkSettings

CONAD_TOLERANCE = 0.05
"""How far CONAD times GAIN may be from 1 without a remark."""
GAIN_TOLERANCE = 0.20
"""How far a header's gain may be from the profile's, relative, without a warning."""
Expected = Literal["dark", "bias", "raw", "product"]
"""A raw dark or bias; a raw frame of any type; a product, whose raws were checked."""
_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)


@dataclass(frozen=True)
class Sourced:
    """A value, and who says so: "settings", "header KEY", "profile NAME", "assumed", "unknown"."""

    value: float | None
    source: str


@dataclass(frozen=True)
class Description:
    """One raw frame, from its header alone.

    Attributes
    ----------
    path : Path
    setup : dict
        What must be equal across a set; None where the header is silent.
    arm : str or None
    exposure_time : float
        Seconds, of one DIT.
    ndit : int
        Integrations averaged in the frame; 1 when unknown.
    binning : (x, y)
    gain : Sourced
        e-/ADU.
    ron : Sourced
        e-; value None when unknown.
    saturation : Sourced
        ADU of the raw; value None is not tested.
    window : (slice, slice)
        Rows and columns of the raw image to use, with explicit start and stop.
    trimmed : bool
        Whether `window` comes from the profile; False is the whole image.
    rotation : int
        Degrees by which products are turned against the raw image; see `soxsdark.orientation`.
    pedestal : bool or None
        True: the raw holds a bias pedestal; False: the readout removed it; None: unknown.
    mjd_obs : float or None
        Start of the exposure, days.
    date_obs : str or None
    temperature, set_point : float or None
        Of the detector, as the header has them (kelvin or celsius).
    image_type : str
        Empty when the header is silent.
    remarks, warnings : tuple of str
    """

    path: Path
    setup: dict[str, object]
    arm: str | None
    exposure_time: float
    ndit: int
    binning: tuple[int, int]
    gain: Sourced
    ron: Sourced
    saturation: Sourced
    window: tuple[slice, slice]
    trimmed: bool
    pedestal: bool | None
    mjd_obs: float | None
    date_obs: str | None
    temperature: float | None
    image_type: str
    rotation: int = 0
    set_point: float | None = None
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def describe(
    path: Path | str,
    header: Mapping[str, Any],
    shape: tuple[int, int],
    profile: Profile,
    settings: "MdarkSettings",
    tag: str | None = None,
    expected: Expected = "dark",
) -> Description:
    """Describe a frame by its header.

    Parameters
    ----------
    path : path
        For messages and the result.
    header : astropy Header or mapping
        Of the pixel HDU, the primary's cards included.
    shape : (rows, columns)
        Of the raw image.
    profile : Profile
        Of the instrument.
    settings : MdarkSettings
        Its gain, ron, saturation, trim and instrument count.
    tag : str, optional
        The SOF's tag of this frame.
    expected : {"dark", "bias", "raw", "product"}
        As in `Expected`; a product may lack an exposure time (0 then).

    Raises
    ------
    InputError
        Not what is expected, or without a usable exposure time, binning or arm.
    """
    frame = FrameHeader(Path(path), header, profile)
    if expected != "product":
        frame.refuse_reduced()
    image_type = _type_of(frame, tag, expected)
    arm = _arm(frame, tag)
    detector = profile.detector(arm)
    binning = (_whole(frame, "binning-x") or 1, _whole(frame, "binning-y") or 1)
    window, trimmed, remark = science_window(shape, detector, binning, settings.trim)
    frame.remark(remark)
    frame.remark(_instrument_remark(frame, settings))
    exposure_time = _time_of(frame, expected, image_type)
    gain = _gain(frame, detector, settings)
    date_obs = frame.text("date-obs")
    return Description(
        path=frame.path,
        setup=_setup(frame, arm, exposure_time, binning, gain, shape),
        arm=arm,
        exposure_time=exposure_time,
        ndit=_whole(frame, "ndit") or 1,
        binning=binning,
        gain=gain,
        ron=_ron(frame, detector, settings),
        saturation=_saturation(detector, settings, profile),
        window=window,
        trimmed=trimmed,
        pedestal=detector.pedestal,
        mjd_obs=_mjd_obs(frame, date_obs),
        date_obs=date_obs,
        temperature=_temperature(frame, detector.temperature),
        image_type=image_type,
        rotation=detector.rotation,
        set_point=_temperature(frame, detector.set_point),
        remarks=tuple(frame.remarks),
        warnings=tuple(frame.warnings),
    )


def _type_of(frame: FrameHeader, tag: str | None, expected: Expected) -> str:
    kind = {"dark": DARK, "bias": BIAS}.get(expected)
    return _image_type(frame, tag, kind) if kind else frame.text("image-type") or ""


def _image_type(frame: FrameHeader, tag: str | None, kind: Kind) -> str:
    """Return the image type of a dark or bias, or refuse the frame."""
    profile = frame.profile
    key, value = frame.first("image-type") or (" or ".join(profile.keys("image-type")), None)
    if value is None:
        if profile.image_type_required:
            wanted = f"a {kind.name}; leave the frame out or correct the header"
            raise frame.refuse(key, value, wanted)
        said = f"tag {tag}" if tag else "the user"
        frame.remark(f"{key} is missing: taken as a {kind.name} because {said} says so")
        return ""
    types = kind.image_types(profile, frame.number_of(profile.keys("exposure-time")))
    if not any(fnmatchcase(str(value).upper(), pattern) for pattern in types):
        raise frame.refuse(key, value, f"a {kind.name} ({' or '.join(types)}); leave it out")
    category = frame.first("image-category")
    if profile.dark_categories and category is None:
        frame.remark(f"{' or '.join(profile.keys('image-category'))} is missing")
    elif profile.dark_categories and str(category[1]).upper() not in profile.dark_categories:
        raise frame.refuse(*category, f"{' or '.join(profile.dark_categories)}; leave it out")
    return str(value)


def _arm(frame: FrameHeader, tag: str | None) -> str | None:
    """Return the arm, of the header or else of the tag."""
    key, value = frame.first("arm") or (" or ".join(frame.profile.keys("arm")) or "arm", None)
    arm = None if value is None else str(value).upper()
    tagged = tag_arm(tag)
    if arm and tagged and arm != tagged:
        raise frame.refuse(key, value, f"{tagged}, as the tag {tag} says; correct the tag")
    arm = arm or tagged
    known = frame.profile.arms
    if frame.profile.needs_arm:
        if arm is None:
            raise frame.refuse(key, None, f"one of {', '.join(known)}; or give a tag DARK_<ARM>")
        if arm not in known:
            frame.remark(f"arm {arm} is not in profile {frame.profile.name}: detector not known")
    return arm


def _temperature(frame: FrameHeader, key: str | None) -> float | None:
    return frame.number_of((key,)) if key else None


def _instrument_remark(frame: FrameHeader, settings: "MdarkSettings") -> str | None:
    if frame.profile.name != GENERIC or settings.instrument is not None:
        return None
    name = frame.text("instrument")
    known = f"instrument {name} not known" if name else "no instrument in the header"
    return f"{known}: generic profile used"


def _exposure_time(frame: FrameHeader) -> float:
    keys = frame.profile.keys("exposure-time")
    key, value = frame.first("exposure-time") or (" or ".join(keys), None)
    seconds = as_number(value)
    if seconds is None or seconds <= 0:
        expected = "a number of seconds above 0"
        hint = " (a frame without exposure is a bias)" if seconds == 0 else ""
        raise frame.refuse(key, value, f"{expected}{hint}; correct the header or leave it out")
    dit = frame.positive("dit")
    if dit and not math.isclose(dit[1], seconds, rel_tol=1e-3):
        frame.warnings.append(
            f"{key} {seconds:g} s differs from {dit[0]} {dit[1]:g} s: {key} taken"
        )
    return seconds


def _time_of(frame: FrameHeader, expected: Expected, image_type: str) -> float:
    if expected == "bias":
        return _bias_time(frame, image_type)
    return _product_time(frame) if expected == "product" else _exposure_time(frame)


def _bias_time(frame: FrameHeader, image_type: str) -> float:
    """Return the exposure time of a bias, 0 if it has none; refuse one that may be no bias."""
    first = frame.first("exposure-time")
    seconds = as_number(first[1]) if first else 0.0
    if seconds is None or seconds < 0 or (seconds > 0 and not image_type):
        raise frame.refuse(*first, "0 s, since nothing else says that it is a bias; leave it out")
    return seconds


def _product_time(frame: FrameHeader) -> float:
    """Return the seconds that products have in EXPTIME, whatever the raws call it; 0 if none."""
    return max(frame.number_of(("EXPTIME", *frame.profile.keys("exposure-time"))) or 0.0, 0.0)


def _whole(frame: FrameHeader, quantity: Quantity) -> int | None:
    """Return a count of at least 1; None if the header is silent."""
    first = frame.first(quantity)
    if first is None:
        return None
    number = as_number(first[1])
    if number is None or number < 1 or number != int(number):
        raise frame.refuse(*first, "a whole number above 0; correct the header")
    return int(number)


def _setup(
    frame: FrameHeader,
    arm: str | None,
    exposure_time: float,
    binning: tuple[int, int],
    gain: Sourced,
    shape: tuple[int, int],
) -> dict[str, object]:
    given = frame.first("binning-x") or frame.first("binning-y")
    window = (frame.value("window-x"), frame.value("window-y"))
    values = {
        "instrument": frame.text("instrument"),
        "arm": arm,
        "exposure time": exposure_time,
        "DIT": frame.value("dit"),
        "NDIT": _whole(frame, "ndit"),
        "binning": binning if given else None,
        "window": None if window == (None, None) else window,
        "readout id": frame.value("readout-id"),
        "readout name": frame.value("readout-name"),
        "gain": gain.value,
        "shape": tuple(shape),
    }
    return {key: value if key in frame.profile.setup else None for key, value in values.items()}


def _gain(frame: FrameHeader, detector: Detector, settings: "MdarkSettings") -> Sourced:
    if settings.gain is not None:
        return Sourced(float(settings.gain), "settings")
    header = header_gain(frame)
    if header and detector.gain and abs(header.value / detector.gain - 1) > GAIN_TOLERANCE:
        frame.warnings.append(
            f"gain {header.value:.4g} e-/ADU ({header.source}) is more than "
            f"{GAIN_TOLERANCE:.0%} from the profile's {detector.gain:.4g}"
        )
    if header:
        return header
    if detector.gain:
        return Sourced(detector.gain, f"profile {frame.profile.name}")
    frame.warnings.append("gain unknown: 1 e-/ADU assumed; set gain in the settings")
    return Sourced(1.0, "assumed")


def header_gain(frame: FrameHeader) -> Sourced | None:
    """Return e-/ADU as the header has it, directly or as the inverse (ADU/e-)."""
    direct, inverse = frame.positive("gain"), frame.positive("inverse-gain")
    if direct is None:
        return Sourced(1 / inverse[1], f"header {inverse[0]}") if inverse else None
    if inverse and abs(direct[1] * inverse[1] - 1) > CONAD_TOLERANCE:
        frame.remark(
            f"{direct[0]} {direct[1]:g} e-/ADU times {inverse[0]} {inverse[1]:g} ADU/e- is "
            f"{direct[1] * inverse[1]:.3g}, expected 1: {direct[0]} taken"
        )
    return Sourced(direct[1], f"header {direct[0]}")


def _ron(frame: FrameHeader, detector: Detector, settings: "MdarkSettings") -> Sourced:
    if settings.ron is not None:
        return Sourced(float(settings.ron), "settings")
    header = frame.positive("ron")
    if header:
        return Sourced(header[1], f"header {header[0]}")
    if detector.ron:
        return Sourced(detector.ron, f"profile {frame.profile.name}")
    return Sourced(None, "unknown")


def _saturation(detector: Detector, settings: "MdarkSettings", profile: Profile) -> Sourced:
    if settings.saturation is not None:
        return Sourced(float(settings.saturation), "settings")
    if detector.saturation is not None:
        return Sourced(detector.saturation, f"profile {profile.name}")
    return Sourced(None, "unknown")


def _mjd_obs(frame: FrameHeader, date_obs: str | None) -> float | None:
    mjd = frame.number_of(frame.profile.keys("mjd-obs"))
    if mjd is None:
        mjd = to_mjd(date_obs) if date_obs else None
    if mjd is None:
        said = f"DATE-OBS is {date_obs!r}" if date_obs else "no DATE-OBS"
        frame.remark(f"start of the exposure unknown: no MJD-OBS, {said}")
    return mjd


def to_mjd(date: str) -> float | None:
    """Convert an ISO date and time (UTC unless it says otherwise) to MJD; None if it is none."""
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _MJD_ZERO).total_seconds() / 86400
