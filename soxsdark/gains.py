"""Gain and read-out noise of an amplifier: settings before header before profile."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from soxsdark.amplifiers import Sourced
from soxsdark.instruments import FrameHeader, Quantity
from soxsdark.instruments.detector import DeclaredAmplifier, Detector

if TYPE_CHECKING:
    from soxsdark.settings import MdarkSettings

CONAD_TOLERANCE = 0.05
"""How far CONAD times GAIN may be from 1 without a remark."""
GAIN_TOLERANCE = 0.20
"""How far a header's gain may be from the profile's, relative, without a warning."""


def _own_keys(area: Detector | DeclaredAmplifier) -> Mapping[Quantity, tuple[str, ...]]:
    if not isinstance(area, DeclaredAmplifier):
        return {}
    keys: Mapping[Any, tuple[str, ...]] = area.keywords
    return keys


def gain_of(
    frame: FrameHeader, area: Detector | DeclaredAmplifier, settings: "MdarkSettings"
) -> Sourced[float]:
    """Return e-/ADU: of the settings, the header, the profile, or 1 with a warning."""
    if settings.gain is not None:
        return Sourced(float(settings.gain), "settings")
    header = header_gain(frame, _own_keys(area))
    if header and area.gain and abs(header.value / area.gain - 1) > GAIN_TOLERANCE:
        frame.warnings.append(
            f"gain {header.value:.4g} e-/ADU ({header.source}) is more than "
            f"{GAIN_TOLERANCE:.0%} from the profile's {area.gain:.4g}"
        )
    if header:
        return header
    if area.gain:
        return Sourced(area.gain, f"profile {frame.profile.name}")
    frame.warnings.append("gain unknown: 1 e-/ADU assumed; set gain in the settings")
    return Sourced(1.0, "assumed")


def header_gain(
    frame: FrameHeader, own: Mapping[Quantity, tuple[str, ...]] | None = None
) -> Sourced[float] | None:
    """Return e-/ADU as the header has it, directly or as the inverse (ADU/e-).

    `own` are the keywords of one amplifier; where there are any, they alone count.
    """
    names: tuple[Quantity, ...] = ("gain", "inverse-gain")
    keys = own if own and own.keys() & set(names) else frame.profile.keywords
    direct, inverse = (frame.positive_of(keys.get(name, ())) for name in names)
    if direct is None:
        return Sourced(1 / inverse[1], f"header {inverse[0]}") if inverse else None
    if inverse and abs(direct[1] * inverse[1] - 1) > CONAD_TOLERANCE:
        frame.remark(
            f"{direct[0]} {direct[1]:g} e-/ADU times {inverse[0]} {inverse[1]:g} ADU/e- is "
            f"{direct[1] * inverse[1]:.3g}, expected 1: {direct[0]} taken"
        )
    return Sourced(direct[1], f"header {direct[0]}")


def ron_of(
    frame: FrameHeader, area: Detector | DeclaredAmplifier, settings: "MdarkSettings"
) -> Sourced[float | None]:
    """Return the read-out noise, e-: of the settings, the header or the profile."""
    if settings.ron is not None:
        return Sourced(float(settings.ron), "settings")
    header = frame.positive_of(_own_keys(area).get("ron") or frame.profile.keys("ron"))
    if header:
        return Sourced(header[1], f"header {header[0]}")
    if area.ron:
        return Sourced(area.ron, f"profile {frame.profile.name}")
    return Sourced(None, "unknown")
