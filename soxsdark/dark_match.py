"""Whether a master dark fits a frame, and by what it is multiplied: setup, time, pedestal, unit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from soxsdark.description import Description
from soxsdark.errors import InputError
from soxsdark.instruments import Detector, Profile, profile_of, size_text
from soxsdark.master_file import ADU, ELECTRON, MasterFile, baseline_problem
from soxsdark.one_setup import same_value, value_text, within
from soxsdark.orientation import turned_lengths
from soxsdark.settings import MdarkSettings, Settings
from soxsdark.setups import describe

Scale = Literal["auto", "always", "never"]
SCALES = ("auto", "always", "never")
PEDESTAL = "ESO PRO PEDESTAL"
INHERITED = (
    "instrument", "data-extension", "trim", "gain", "ron", "saturation", "exposure-time-tolerance",
    "subtract-overscan", "subtract-reference-pixels",
)  # fmt: skip
"""Settings with which the dark was made that hold for the frames too."""
_NOT_COMPARED = {"exposure time", "DIT", "NDIT", "shape"}
_PROCESSING = "ESO PRO REC1"


@dataclass(frozen=True)
class Dark:
    """A master dark, and what its header says of it."""

    file: MasterFile
    about: Description
    profile: Profile
    settings: MdarkSettings
    pedestal: bool | None
    """Whether the bias pedestal is in its pixels; None: the header does not say."""
    bias: tuple[str, str | None] | None
    """Name and DATAMD5 of the master bias that was subtracted from it."""

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.file.path

    @property
    def detector(self) -> Detector:
        """Of its arm."""
        return self.profile.detector(self.about.arm)


def describe_dark(file: MasterFile, instrument: str | None = None) -> Dark:
    """Say what a master dark is.

    The settings with which this program made it, as far as they concern frames, are read from
    its header. `instrument`, a profile by name or path, stands above its own.

    Raises
    ------
    InputError, SettingsError
        Its header lacks something, or the profile does not exist.
    """
    header = file.header
    settings = _settings(header, instrument)
    profile = profile_of(header, settings.instrument)
    about = describe(file.path, header, file.flux.shape, profile, settings, expected="product")
    said = header.get(PEDESTAL)
    pedestal = said if isinstance(said, bool) else None
    return Dark(file, about, profile, settings, pedestal, _bias(header))


def _settings(header: Mapping[str, Any], instrument: str | None) -> MdarkSettings:
    given: dict[str, str] = {}
    if _is_ours(header):
        given = {
            name: str(header.get(f"{_PROCESSING} PARAM{i} VALUE", "null"))
            for i, name in _numbered(header, "PARAM", "NAME")
            if name in INHERITED
        }
    if instrument is not None:
        given.pop("instrument", None)
    # names as JSON, which YAML reads
    for key in {"instrument", "data-extension"} & given.keys():
        if given[key] != "null" and not given[key].isdecimal():
            given[key] = json.dumps(given[key])
    overrides = [f"{key}={value}" for key, value in given.items()]
    return Settings.read(None, overrides, instrument).for_arm(None).values


def _is_ours(header: Mapping[str, Any]) -> bool:
    return str(header.get(f"{_PROCESSING} PIPE ID", "")).startswith("soxsdark/")


def _numbered(header: Mapping[str, Any], kind: str, what: str) -> list[tuple[int, str]]:
    """Return (i, value) of the cards ``<kind>i <what>``, from 1 until one is missing."""
    found, i = [], 1
    while (value := header.get(f"{_PROCESSING} {kind}{i} {what}")) is not None:
        found.append((i, str(value)))
        i += 1
    return found


def _bias(header: Mapping[str, Any]) -> tuple[str, str | None] | None:
    for i, name in _numbered(header, "CAL", "NAME"):
        if str(header.get(f"{_PROCESSING} CAL{i} CATG", "")).startswith("MASTER_BIAS"):
            return name, header.get(f"{_PROCESSING} CAL{i} DATAMD5")
    return None


def check_match(frame: Description, dark: Dark) -> None:
    """Check that a dark is of the setup of a frame, exposure time and NDIT apart.

    A key that one of the two headers lacks is not compared.

    Raises
    ------
    InputError
        The setups or shapes differ, or the units and no gain is known to convert them.
    """
    own, expected = _setup(dark.about), _setup(frame)
    both = [key for key in expected if expected[key] is not None and own.get(key) is not None]
    differing = [key for key in both if not same_value(expected[key], own[key])]
    if differing:
        said = ", ".join(
            f"{k} {value_text(expected[k])} (the dark: {value_text(own[k])})" for k in differing
        )
        raise InputError(
            f"{frame.path}: of another setup than {dark.path.name}: {said}; take a dark of its own"
        )
    if problem := baseline_problem(dark.file.header, frame.subtracted):
        raise InputError(f"{dark.path}: {problem}; take a dark made as the frames are")
    needed = turned_lengths(frame.shape, frame.rotation)
    if dark.file.flux.shape != needed:
        raise InputError(
            f"{frame.path}: {size_text(needed)} science pixels (rows x columns), {dark.path.name} "
            f"has {size_text(dark.file.flux.shape)}; take a dark of the same window"
        )


def check_units(frame: Description, unit: str, dark: Dark) -> None:
    """Check that frame and dark can both be turned into electrons.

    Raises
    ------
    InputError
        One is in electrons, the other in ADU, and the gain is not known.
    """
    if frame.gain.source != "assumed" or unit == dark.file.unit:
        return
    if _is_ours(dark.file.header) and dark.about.gain.source == "assumed":
        return
    units = {ELECTRON: "electrons", ADU: "ADU"}
    raise InputError(
        f"{frame.path}: in {units[unit]}, {dark.path.name} is in {units[dark.file.unit]}, and the "
        "gain is unknown; give a profile with the gain by --instrument"
    )


def _setup(about: Description) -> dict[str, object]:
    setup = {key: value for key, value in about.setup.items() if key not in _NOT_COMPARED}
    # a header that says nothing of binning is one of an unbinned frame
    setup["binning"] = about.binning
    if about.gain.source == "assumed":
        setup["gain"] = None
    return setup


def check_bias(frame: Description, dark: Dark, given: bool) -> None:
    """Check that a master bias is given where one is needed, and only there.

    Raises
    ------
    InputError
        The dark holds no pedestal, the frame does, and no bias is given; or one is given for a
        detector whose readout removes the pedestal.
    """
    free = dark.detector.pedestal is False
    due = dark.bias is not None or (dark.pedestal is False and not free)
    if due and not given:
        of = f" ({dark.bias[0]} was subtracted from it)" if dark.bias else ""
        raise InputError(
            f"{frame.path}: still contains the bias pedestal, {dark.path.name} does not{of}; "
            "give the master bias by --master-bias"
        )
    if given and free and not due:
        raise InputError(
            f"{frame.path}: the readout removes the pedestal (pedestal: false in profile "
            f"{dark.profile.name}), nothing is left for a master bias; leave --master-bias out"
        )


def dark_factor(frame: Description, dark: Dark, scale: Scale, bias_given: bool) -> float:
    """Return by what a dark is multiplied before it is subtracted from a frame.

    It is 1 for equal exposure times (within the tolerance, unless `scale` is ``always``), else
    their ratio.

    Raises
    ------
    InputError
        The exposure times differ and the dark may not be scaled.
    """
    wanted, own = frame.exposure_time, dark.about.exposure_time
    tolerance = 0.0 if scale == "always" else dark.settings.exposure_time_tolerance
    if within(abs(wanted - own), tolerance):
        return 1.0
    said = f"{frame.path}: exposure time is {wanted:g} s, {dark.path.name} has {own:g} s"
    remedy = f"take a dark of {wanted:g} s"
    if own <= 0:
        raise InputError(f"{dark.path}: no exposure time (EXPTIME) in it; {remedy} that says it")
    if scale == "never":
        raise InputError(f"{said}, and scaling is switched off; {remedy}, or --scale auto")
    if dark.detector.dark_scaling == "never":
        where = f"profile {dark.profile.name}{f', arm {frame.arm}' if frame.arm else ''}"
        raise InputError(
            f"{said}, and its level does not grow with time (dark-scaling: never in {where}); "
            f"{remedy}"
        )
    if dark.pedestal is not False and not bias_given:
        known = f"still contains the bias pedestal ({PEDESTAL} T), which does not grow with time"
        unknown = f"does not say that it is free of the bias pedestal ({PEDESTAL} F)"
        raise InputError(
            f"{said} and {known if dark.pedestal else unknown}: it cannot be scaled; {remedy}, "
            "give --master-bias, or make the dark with one"
        )
    return wanted / own
