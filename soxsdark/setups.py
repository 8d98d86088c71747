"""What a raw frame's header says: is it a dark, and of which setup.

Remarks and warnings do not name the file, so that equal ones of many frames can be told once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from soxsdark.amplifiers import Amplifier, Section, Sourced, bounds, lengths, science_shape
from soxsdark.baseline import Baseline, Overscan, Reference, baseline_of
from soxsdark.errors import InputError, OtherFrameError
from soxsdark.gains import gain_of, ron_of
from soxsdark.instruments import (
    GENERIC,
    FrameHeader,
    Profile,
    Quantity,
    as_number,
    science_sections,
)
from soxsdark.instruments.detector import Detector
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.nights import mjd_of
from soxsdark.orientation import Window
from soxsdark.sof import tag_arm

if TYPE_CHECKING:
    from soxsdark.settings import MdarkSettings

Expected = Literal["dark", "bias", "raw", "product"]
"""A raw dark or bias; a raw frame of any type; a product, whose raws were checked."""


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
    amplifiers : tuple of Amplifier
        Which pixels of the raw image to use, with the gain and read-out noise of each part.
    saturation : Sourced
        ADU of the raw; value None is not tested.
    trimmed : bool
        Whether the pixels come from the profile; False is the whole image.
    overscan, reference : str
        What is subtracted of each raw; ``none`` where the detector, or a trimmed frame, has none.
    overscan_order : int
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
    amplifiers: tuple[Amplifier, ...]
    saturation: Sourced
    trimmed: bool
    pedestal: bool | None
    mjd_obs: float | None
    date_obs: str | None
    temperature: float | None
    image_type: str
    rotation: int = 0
    set_point: float | None = None
    overscan: Overscan = "none"
    reference: Reference = "none"
    overscan_order: int = 0
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[Section, ...]:
        """Where the pixels of each amplifier are."""
        return tuple(amplifier.section for amplifier in self.amplifiers)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the science image, turned as the raw image is."""
        return science_shape(self.sections)

    @property
    def window(self) -> Window:
        """Rows and columns of the raw image between which the science pixels lie."""
        return bounds(self.sections)

    @property
    def gapless(self) -> bool:
        """Whether all pixels of the window are science pixels."""
        return lengths(self.window) == self.shape

    @property
    def gain(self) -> Sourced:
        """Gain of the first amplifier; unknown if that of any is."""
        every = [amplifier.gain for amplifier in self.amplifiers]
        return next((gain for gain in every if gain.source == "assumed"), every[0])

    @property
    def ron(self) -> Sourced:
        """Read-out noise of the first amplifier."""
        return self.amplifiers[0].ron

    @property
    def subtracted(self) -> str:
        """What is subtracted of the raws, in words: ``none``, ``overscan median`` and the like."""
        if self.overscan != "none":
            return f"overscan {self.overscan}"
        return "none" if self.reference == "none" else f"reference pixels {self.reference}"

    def baseline(self, image: np.ndarray, amplifier: Amplifier) -> Baseline:
        """Return what is to be subtracted from an amplifier's pixels in a raw image, ADU."""
        how = self.overscan, self.reference, self.overscan_order
        return baseline_of(image, amplifier.section, *how)


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
    OtherFrameError
        Not what is expected.
    InputError
        Without a usable exposure time, binning or arm.
    """
    frame = FrameHeader(Path(path), header, profile)
    if expected != "product":
        frame.refuse_reduced()
    image_type = _type_of(frame, tag, expected)
    arm = _arm(frame, tag)
    detector = profile.detector(arm)
    binning = (_whole(frame, "binning-x") or 1, _whole(frame, "binning-y") or 1)
    sections, trimmed, remark = science_sections(shape, detector, binning, settings.trim)
    frame.remark(remark)
    frame.remark(_instrument_remark(frame, settings))
    exposure_time = _time_of(frame, expected, image_type)
    amplifiers = _amplifiers(frame, detector, settings, sections)
    date_obs = frame.text("date-obs")
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
        mjd_obs=_mjd_obs(frame, date_obs),
        date_obs=date_obs,
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
    if profile.dark_categories and category is None:
        frame.remark(f"{' or '.join(profile.keys('image-category'))} is missing")
    elif profile.dark_categories and str(category[1]).upper() not in profile.dark_categories:
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


def _exposure_time(frame: FrameHeader) -> float:
    key, value, seconds = frame.exposure
    if seconds is None or seconds <= 0:
        units = {"s": "seconds", "ms": "milliseconds"}[frame.profile.exposure_time_unit]
        expected = f"a number of {units} above 0"
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


def _time_of(frame: FrameHeader, expected: Expected, image_type: str) -> float:
    if expected == "bias":
        return _bias_time(frame, image_type)
    return _product_time(frame) if expected == "product" else _exposure_time(frame)


def _bias_time(frame: FrameHeader, image_type: str) -> float:
    """Return the exposure time of a bias, 0 if it has none; refuse one that may be no bias."""
    key, value, seconds = frame.exposure
    if value is None:
        return 0.0
    if seconds is None or seconds < 0 or (seconds > 0 and not image_type):
        raise frame.refuse(key, value, "0, since nothing else says that it is a bias; leave it out")
    return seconds


def _product_time(frame: FrameHeader) -> float:
    """Return the seconds that products have in EXPTIME, whatever the raws call it; 0 if none."""
    own = frame.number_of(("EXPTIME",))
    return max((frame.exposure[2] if own is None else own) or 0.0, 0.0)


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
    areas = detector.amplifiers if len(detector.amplifiers) == len(sections) else (detector,)
    return tuple(
        Amplifier(section, gain_of(frame, area, settings), ron_of(frame, area, settings))
        for section, area in zip(sections, areas, strict=True)
    )


def _asked(frame: FrameHeader, what: str, how: str, sections: Sequence[Section]) -> str:
    """How the baseline is to be subtracted, where that is possible."""
    if how == "none" or any(getattr(section, what) for section in sections):
        return how
    pixels = {"overscan": "overscan", "reference": "reference pixels"}[what]
    frame.remark(f"no {pixels} known in profile {frame.profile.name}, or cut off: not subtracted")
    return "none"


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
    return mjd_of(moment)
