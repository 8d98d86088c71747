"""Numbers, units and times as the page and the pictures write them: one way everywhere."""

import math
from datetime import datetime, timedelta

from soxsdark.nights import MJD_ZERO

NONE = "–"
THIN = "\u202f"
"""Narrow space that no line breaks at."""
ELECTRONS = ("electron", "electrons")
_UNITS = {
    **dict.fromkeys(ELECTRONS, "e⁻"),
    **{f"{name}/s": "e⁻/s" for name in ELECTRONS},
}
SMALL = 1e-3
"""A value with an error gets a power of ten below this."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(
    value: object, unit: str = "", error: object = None, *, decimals: int | None = None
) -> str:
    """A number for people.

    Integers have their thousands apart, electrons three decimals, other numbers five figures,
    unless `decimals` are asked for; with an error there are as many decimals as its first two
    figures need. What is missing or not finite is a dash.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float) or not math.isfinite(value):
        return NONE if value is None or isinstance(value, float) else str(value)
    if isinstance(value, int):
        return _signed(f"{value:,}")
    if isinstance(error, int | float) and math.isfinite(error) and error > 0:
        return _with_error(value, error)
    if unit in ELECTRONS:
        decimals = 3
    if decimals is not None:
        return _signed(f"{value:,.{decimals}f}")
    text = f"{value:.5g}"
    if "e" not in text:
        return _signed(text)
    figures, _, exponent = text.partition("e")
    return _signed(figures) + _times(int(exponent))


def _with_error(value: float, error: float) -> str:
    size = max(abs(value), error)
    if size < SMALL:
        exponent = math.floor(math.log10(size))
        scaled = (number * 10.0**-exponent for number in (value, error))
        return f"({_with_error(*scaled)}){_times(exponent)}"
    decimals = min(max(1 - math.floor(math.log10(error)), 0), 8)
    return f"{_signed(f'{value:,.{decimals}f}')} ± {error:.{decimals}f}"


def _times(exponent: int) -> str:
    return f" × 10{str(exponent).translate(_RAISED)}"


def power(value: float) -> str:
    """A power of ten for an axis: 10⁴, and as it is where that is short."""
    if abs(value) < 1000:
        return number(float(value))
    return _signed("-10" if value < 0 else "10") + f"{math.log10(abs(value)):.0f}".translate(
        _RAISED
    )


def _signed(text: str) -> str:
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", "−").replace(",", THIN)


def unit(name: str) -> str:
    """A unit for people: e⁻ for electron."""
    return _UNITS.get(name, name)


def fraction(part: int, whole: int) -> str:
    """A share in per cent, to three figures."""
    return f"{100 * part / whole:.3g}{THIN}%" if whole else NONE


def time_of(mjd: object) -> datetime | None:
    """The time of a modified Julian date, UTC; None where there is none."""
    if not isinstance(mjd, int | float) or not 0 <= mjd < 1e6:
        return None
    return MJD_ZERO + timedelta(days=mjd)


def said_time(time: datetime | None) -> str:
    """A time to the second."""
    return NONE if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
