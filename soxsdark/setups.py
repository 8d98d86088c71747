"""What a raw frame's header says: is it a dark, and of which setup.

Remarks and warnings do not name the file, so that equal ones of many frames can be told once.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soxsdark.amplifiers import Amplifier, Section, Sourced
from soxsdark.description import Description
from soxsdark.errors import OtherFrameError
from soxsdark.exposures import Expected, mjd_obs_of, time_of
from soxsdark.gains import gain_of, ron_of
from soxsdark.instruments import (
    GENERIC,
    FrameHeader,
    Profile,
    Quantity,
    as_number,
    science_sections,
)
from soxsdark.instruments.detector import DeclaredAmplifier, Detector
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.sof import tag_arm

if TYPE_CHECKING:
    from soxsdark.settings import MdarkSettings


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
    path, header, shape : path, astropy Header or mapping, (rows, columns)
        Of the raw image; the header is that of the pixel HDU, the primary's cards included.
    profile, settings : Profile, MdarkSettings
        Of the instrument; gain, ron, saturation, trim, baselines and instrument count.
    tag : str, optional
        The SOF's tag of this frame.
    expected : {"dark", "bias", "raw", "product"}
        As in `Expected`; a product may lack an exposure time (0 then).

    Raises
    ------
    InputError
        Without a usable exposure time, binning or arm; `OtherFrameError` if it is not as expected.
    """
    frame = FrameHeader(Path(path), header, profile)
    image_type = _type_of(frame, tag, expected)
    arm = _arm(frame, tag)
    detector = profile.detector(arm)
    binning = (_whole(frame, "binning-x") or 1, _whole(frame, "binning-y") or 1)
    sections, trimmed, remark = science_sections(shape, detector, binning, settings.trim)
    frame.remark(remark)
    frame.remark(_instrument_remark(frame, settings))
    exposure_time = time_of(frame, expected, image_type)
    amplifiers = _amplifiers(frame, detector, settings, sections)
    return Description(
        path=frame.path,
        setup=_setup(frame, arm, exposure_time, binning, amplifiers, shape),
        arm=arm,
        exposure_time=exposure_time,
        ndit=_whole(frame, "ndit") or 1,
        binning=binning,
        amplifiers=amplifiers,
        saturation=_saturation(detector, settings, profile),
        trimmed=trimmed,
        pedestal=detector.pedestal,
        mjd_obs=mjd_obs_of(frame),
        date_obs=frame.text("date-obs"),
        temperature=_temperature(frame, detector.temperature),
        image_type=image_type,
        rotation=detector.rotation,
        set_point=_temperature(frame, detector.set_point),
        overscan=_asked(frame, "overscan", settings.subtract_overscan, sections),
        reference=_asked(frame, "reference", settings.subtract_reference_pixels, sections),
        overscan_order=detector.overscan_order,
        remarks=tuple(frame.remarks),
        warnings=tuple(frame.warnings),
    )


def _type_of(frame: FrameHeader, tag: str | None, expected: Expected) -> str:
    if expected != "product":
        frame.refuse_reduced()
    kind = {"dark": DARK, "bias": BIAS}.get(expected)
    return _image_type(frame, tag, kind) if kind else frame.text("image-type") or ""


def _image_type(frame: FrameHeader, tag: str | None, kind: Kind) -> str:
    """Return the image type of a dark or bias, or refuse the frame."""
    profile = frame.profile
    keys = " or ".join(profile.keys("image-type")) or "image type (no keyword in the profile)"
    key, value = frame.first("image-type") or (keys, None)
    if value is None:
        if profile.image_type_required:
            wanted = f"a {kind.name}; leave the frame out or correct the header"
            raise frame.refuse(key, value, wanted, OtherFrameError)
        said = f"tag {tag}" if tag else "the user"
        frame.remark(f"{key} is missing: taken as a {kind.name} because {said} says so")
        return ""
    types = kind.image_types(profile, frame.number_of(profile.keys("exposure-time")))
    if not any(fnmatchcase(str(value).upper(), pattern) for pattern in types):
        wanted = f"a {kind.name} ({' or '.join(types)}); leave it out"
        raise frame.refuse(key, value, wanted, OtherFrameError)
    category = frame.first("image-category")
    if not profile.dark_categories:
        return str(value)
    if category is None:
        frame.remark(f"{' or '.join(profile.keys('image-category'))} is missing")
    elif str(category[1]).upper() not in profile.dark_categories:
        wanted = f"{' or '.join(profile.dark_categories)}; leave it out"
        raise frame.refuse(*category, wanted, OtherFrameError)
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
    amplifiers: Sequence[Amplifier],
    shape: tuple[int, int],
) -> dict[str, object]:
    given = frame.first("binning-x") or frame.first("binning-y")
    window = (frame.value("window-x"), frame.value("window-y"))
    gains = tuple(amplifier.gain.value for amplifier in amplifiers)
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
        "gain": gains[0] if len(gains) == 1 else gains,
        "shape": tuple(shape),
    }
    return {key: value if key in frame.profile.setup else None for key, value in values.items()}


def _amplifiers(
    frame: FrameHeader, detector: Detector, settings: "MdarkSettings", sections: Sequence[Section]
) -> tuple[Amplifier, ...]:
    """Each section with its gain and read-out noise; the settings hold for all."""
    # a frame that is not trimmed is one section, whatever the detector has
    areas: Sequence[Detector | DeclaredAmplifier] = (detector,)
    if len(detector.amplifiers) == len(sections):
        areas = detector.amplifiers
    return tuple(
        Amplifier(section, gain_of(frame, area, settings), ron_of(frame, area, settings))
        for section, area in zip(sections, areas, strict=True)
    )


def _asked(frame: FrameHeader, what: str, how: str, sections: Sequence[Section]) -> Any:
    """How the baseline is to be subtracted, where that is possible."""
    if how == "none" or any(getattr(section, what) for section in sections):
        return how
    pixels = {"overscan": "overscan", "reference": "reference pixels"}[what]
    frame.remark(f"no {pixels} known in profile {frame.profile.name}, or cut off: not subtracted")
    return "none"


def _saturation(
    detector: Detector, settings: "MdarkSettings", profile: Profile
) -> Sourced[float | None]:
    if settings.saturation is not None:
        return Sourced(float(settings.saturation), "settings")
    if detector.saturation is not None:
        return Sourced(detector.saturation, f"profile {profile.name}")
    return Sourced(None, "unknown")
