"""Instrument profiles: header keywords, what makes a setup, the detector of each arm; their use.

A profile is a YAML file. Those in this folder are known by name; a user's own by its path.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from numbers import Real
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from astropy.io.fits import Header
from astropy.io.fits.verify import VerifyError
from pydantic import Field, ValidationError, model_validator

from soxsdark.errors import InputError, OtherFrameError, SettingsError
from soxsdark.instruments.detector import (
    Capitals,
    Declared,
    Flag,
    Longitude,
    Text,
    WarningRanges,
)
from soxsdark.instruments.detector import Detector as Detector
from soxsdark.instruments.window import science_sections as science_sections
from soxsdark.instruments.window import size_text as size_text
from soxsdark.regular_file import open_regular
from soxsdark.yaml_nodes import compose, plain, refuse_repeats

GENERIC = "generic"
ANY_ARM = "*"
PROFILE_SUFFIXES = (".yaml", ".yml")
LARGEST_PROFILE = 1_000_000
UNREADABLE = "not valid FITS"
AMBIGUOUS = "given twice, with two values"
WORDS = {"missing": "is missing", "extra_forbidden": "unknown field"}
"""What pydantic says less well, by the type of its error."""
POSSIBLE = 1e-6, 1e6
"""What a gain in e-/ADU, a noise in electrons or a DIT in seconds may be."""

Quantity = Literal[
    "instrument", "arm", "image-type", "image-category", "exposure-time", "dit", "ndit",
    "binning-x", "binning-y", "window-x", "window-y", "readout-id", "readout-name",
    "gain", "inverse-gain", "ron", "mjd-obs", "date-obs", "template-start", "observation-block",
    "reduced",
]  # fmt: skip
SetupKey = Literal[
    "instrument", "arm", "exposure time", "DIT", "NDIT", "binning", "window",
    "readout id", "readout name", "gain", "shape",
]  # fmt: skip


class Profile(Declared):
    """What the program must know of an instrument.

    Attributes
    ----------
    name : str
    recognise : tuple of str
        Values of INSTRUME, upper case.
    keywords : dict
        For each quantity its header keywords; the first one present counts.
    dark_types : tuple of str
        Patterns (``*`` is anything) of the image type of a dark, upper case.
    dark_categories : tuple of str
        Image categories that a dark may have, upper case; empty is any.
    image_type_required : bool
        False: a frame that does not say what it is passes, with a remark.
    exposure_time_unit : str
        Of the keywords of the exposure time.
    setup : tuple of str
        What must be equal in all frames of a set.
    longitude : float or None
        Of the site, degrees east: its noon parts the nights; None is that of Greenwich.
    arms : dict of str to Detector
        By the arm's name, upper case; ``*`` stands for any arm and for none.
    qc_warning_ranges : dict or None
        For metrics (as in the settings) the range (low, high) outside of which a set is PARTIAL; a
        third entry names the metric, or ``nominal-ron``, of which low and high are multiples.
        None: those of the generic profile.
    """

    name: Text
    recognise: tuple[Capitals, ...] = ()
    keywords: dict[Quantity, tuple[Text, ...]]
    dark_types: tuple[Capitals, ...] = Field(min_length=1)
    dark_categories: tuple[Capitals, ...] = ()
    image_type_required: Flag = True
    exposure_time_unit: Literal["s", "ms"] = "s"
    setup: tuple[SetupKey, ...]
    longitude: Longitude | None = None
    arms: dict[Capitals, Detector] = Field(default_factory=dict)
    qc_warning_ranges: WarningRanges | None = None

    @model_validator(mode="after")
    def _essentials(self) -> Self:
        missing = [key for key in ("exposure time", "shape") if key not in self.setup]
        if missing:
            raise ValueError(f"setup lacks {' and '.join(missing)}: frames cannot be stacked")
        if not self.keywords.get("exposure-time"):
            raise ValueError("keywords lack exposure-time")
        return self

    @property
    def needs_arm(self) -> bool:
        """Whether a frame must say which arm it is from."""
        return bool(self.arms) and ANY_ARM not in self.arms

    def keys(self, quantity: Quantity) -> tuple[str, ...]:
        """Return the header keywords of a quantity, the preferred first."""
        return self.keywords.get(quantity, ())

    def detector(self, arm: str | None) -> Detector:
        """Return the detector of an arm; one of which nothing is known if the profile has none."""
        return self.arms.get(arm or ANY_ARM) or self.arms.get(ANY_ARM) or Detector()

    def warning_ranges(self, arm: str | None) -> dict[str, tuple[Any, ...]]:
        """Return the warning ranges of the metrics of an arm."""
        own = self.qc_warning_ranges
        if own is None and self.name != GENERIC:
            own = _packaged(GENERIC).qc_warning_ranges
        every = (own or {}) | self.detector(arm).qc_warning_ranges
        return {name: ends for name, ends in every.items() if ends is not None}


def profile_names() -> list[str]:
    """Return the names of the profiles that come with the program, sorted."""
    files = (Path(entry.name) for entry in resources.files(__name__).iterdir())
    return sorted(file.stem for file in files if file.suffix == ".yaml")


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a profile by its name, or a user's own by its path (which ends in .yaml).

    Raises
    ------
    SettingsError
        No such profile, or one that is wrong: the message names file and key.
    """
    text = str(name_or_path)
    if (file := own_profile(text)) is not None:
        return _parse(_read(file), text)
    if text in profile_names():
        return _packaged(text)
    near = difflib.get_close_matches(text.lower(), profile_names(), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SettingsError(
        f"instrument: {text!r} is not known, expected one of {', '.join(profile_names())}, or the "
        f"path of a profile that ends in .yaml{hint}"
    )


def own_profile(name_or_path: str | Path | None) -> Path | None:
    """Return the path of a user's own profile; None for one that comes with the program."""
    if name_or_path and str(name_or_path).lower().endswith(PROFILE_SUFFIXES):
        return Path(name_or_path)
    return None


def recognise(instrume: str | None) -> Profile:
    """Return the profile that claims this value of INSTRUME, else the generic one."""
    wanted = (instrume or "").strip().upper()
    for name in profile_names():
        # a profile that does not hold the word cannot claim it; reading YAML takes time
        if wanted not in _text(name).upper():
            continue
        profile = _packaged(name)
        if wanted in profile.recognise:
            return profile
    return _packaged(GENERIC)


def profile_of(header: Mapping[str, Any], given: str | Path | None) -> Profile:
    """Return the profile that is given, else the one for the header's INSTRUME.

    Raises
    ------
    SettingsError
        As `load_profile`.
    """
    return load_profile(given) if given else recognise(str(header_value(header, "INSTRUME") or ""))


@cache
def _packaged(name: str) -> Profile:
    # known to be right; the loader in C takes a fifth of the time where it is there
    content = yaml.load(_text(name), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # nosec B506
    return _validated(content, f"{name}.yaml")


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text("utf-8")


def _read(path: Path) -> str:
    try:
        with open_regular(path) as stream:
            content = stream.read(LARGEST_PROFILE + 1)
        if len(content) > LARGEST_PROFILE:
            raise SettingsError(f"{path}: larger than {LARGEST_PROFILE} bytes: no profile")
        return content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SettingsError(f"{path}: instrument profile cannot be read ({reason})") from error


def _parse(text: str, file: str) -> Profile:
    root = compose(text, file)
    if root is None:
        return _validated(None, file)
    refuse_repeats(root, file)
    return _validated(plain(root), file)


def _validated(content: object, file: str) -> Profile:
    if not isinstance(content, dict):
        raise SettingsError(f"{file}: expected a mapping of keys, as in the profile soxs")
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise SettingsError(_explain(error, file)) from error


def _explain(error: ValidationError, file: str) -> str:
    """Say in one line what is wrong first, and how many more errors there are."""
    errors = error.errors(include_url=False)
    first = errors[0]
    key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the profile"
    said = WORDS.get(first["type"]) or first["msg"].removeprefix("Value error, ")
    found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r:.80})"
    advice = f"; 'soxsdark instruments {GENERIC}' shows what there is" * (first["type"] in WORDS)
    more = f"; {len(errors) - 1} more" if len(errors) > 1 else ""
    return f"{file}: {key}: {said}{found}{advice}{more}"


@dataclass
class FrameHeader:
    """The header of one frame, read through its profile, and what there is to say about it."""

    path: Path
    header: Mapping[str, Any]
    profile: Profile
    remarks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def remark(self, text: str | None) -> None:
        """Keep a remark, if there is one."""
        if text:
            self.remarks.append(text)

    def found(self, keys: Sequence[str]) -> list[tuple[str, Any]]:
        """Return (key, value) of those keys that the header gives a value."""
        values = ((key, header_value(self.header, key)) for key in keys)
        return [(key, value) for key, value in values if value is not None]

    def first(self, quantity: Quantity) -> tuple[str, Any] | None:
        """Return the (key, value) that counts for a quantity."""
        found = self.found(self.profile.keys(quantity))
        return found[0] if found else None

    def value(self, quantity: Quantity) -> Any:
        """Return the value that counts; None if the header has none."""
        first = self.first(quantity)
        return first[1] if first else None

    def text(self, quantity: Quantity) -> str | None:
        """Return the value if it is text."""
        value = self.value(quantity)
        return value if isinstance(value, str) and value not in (UNREADABLE, AMBIGUOUS) else None

    def number_of(self, keys: Sequence[str]) -> float | None:
        """Return the value of the first key present, if it is a number."""
        found = self.found(keys)
        return as_number(found[0][1]) if found else None

    @property
    def exposure(self) -> tuple[str, Any, float | None]:
        """Keyword of the exposure time, its value (None: not there) and the seconds it means."""
        found = self.first("exposure-time")
        key, value = found or (" or ".join(self.profile.keys("exposure-time")), None)
        number = as_number(value)
        factor = {"s": 1.0, "ms": 1e-3}[self.profile.exposure_time_unit]
        return key, value, None if number is None else number * factor

    def positive_of(self, keys: Sequence[str]) -> tuple[str, float] | None:
        """Return the first (key, value) with a number that a gain, a noise or a time may be."""
        low, high = POSSIBLE
        for key, value in self.found(keys):
            number = as_number(value)
            if number is not None and low <= number <= high:
                return key, number
            if number != 0:  # 0 is how headers say that it is not known
                self.remark(f"{key} is {value!r}, no number from {low:g} to {high:g}: not used")
        return None

    def refuse(
        self, key: str, value: Any, expected: str, error: type[InputError] = InputError
    ) -> InputError:
        """Make the error that names file, key, value found and value expected."""
        found = "is missing" if value is None else f"is {value!r}"
        return error(f"{self.path}: {key} {found}, expected {expected}")

    def refuse_reduced(self) -> None:
        """Raise `OtherFrameError` for a product of a reduction."""
        expected = "a raw frame: this is a reduced product; leave it out"
        for key in self.profile.keys("reduced"):
            if key in self.header:
                value = header_value(self.header, key)
                raise self.refuse(key, value, expected, OtherFrameError)


def as_number(value: Any) -> float | None:
    """Return a finite float; None for all else (text, logical, NaN)."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def header_value(header: Mapping[str, Any], key: str) -> str | Real | None:
    """Return a card's value: text is stripped, empty is None.

    What is not FITS is UNREADABLE, what stands there twice with two values is AMBIGUOUS.
    """
    try:
        value = header.get(key)
        if value is not None and _others(header, key, value):
            return AMBIGUOUS
    except VerifyError:
        return UNREADABLE
    if isinstance(value, str):
        return value.strip() or None
    return value if isinstance(value, Real) else None


def _others(header: Mapping[str, Any], key: str, value: Any) -> bool:
    """Tell whether further cards of the key have another value; FITS does not say which counts."""
    if not isinstance(header, Header):
        return False
    return any(header[key, number] != value for number in range(1, header.count(key)))
