"""What the header of an image says of how its pixels are stored."""

import math
import re
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.fits_bytes import PixelLayout

_LEFT_OUT = re.compile(r"COMMENT|HISTORY|XTENSION||.*[*?].*|.*\.\.\.", re.DOTALL)
"""Keywords of one header alone, and damaged ones that astropy would take for patterns of others."""


def joined(primary: fits.Header, own: fits.Header) -> fits.Header:
    """Return the primary header, updated with that of the HDU of the pixels."""
    joined = primary.copy()
    if own is not primary:
        for card in own.cards:
            if _LEFT_OUT.fullmatch(card.keyword):
                continue
            joined[card.keyword] = (card.value, card.comment)
    return joined


def readable(header: fits.Header) -> fits.Header:
    """Return a copy without the cards that cannot be read."""
    kept = header.copy()
    for number in reversed(range(len(kept))):
        try:
            _ = kept.cards[number].value, kept.cards[number].comment
        except (fits.VerifyError, ValueError):
            del kept[number]
    return kept


def _number(header: fits.Header, key: str, default: float) -> float:
    value = header.get(key, default)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value)):
        raise ValueError(f"{key} is {value!r}, a number is expected")
    return float(value)


def _blank(header: fits.Header) -> int | None:
    if "BLANK" not in header:
        return None
    value = _number(header, "BLANK", 0.0)
    if not value.is_integer():
        raise ValueError(f"BLANK is {value!r}, a whole number is expected")
    return int(value)


def layout_of(hdu: Any) -> PixelLayout:
    """Return how the pixels of an uncompressed image lie in its file.

    Raises
    ------
    ValueError
        A scaling keyword is no number.
    """
    # astropy takes the scaling keywords out of an image it has scaled; the header is untouched yet
    header = hdu.header
    bitpix = int(header["BITPIX"])
    dtype = np.dtype(f">{'f' if bitpix < 0 else 'i'}{abs(bitpix) // 8}" if bitpix != 8 else "u1")
    return PixelLayout(
        hdu.fileinfo()["datLoc"],
        (int(header["NAXIS2"]), int(header["NAXIS1"])),
        dtype,
        _number(header, "BSCALE", 1.0),
        _number(header, "BZERO", 0.0),
        _blank(header) if bitpix > 0 else None,
    )
