"""Header cards that tie pixels to places, for an image that is cut out of the raw one and turned.

With p the FITS coordinates (x, y) of a point in the raw image and q in the product, q = A p + b:
so reference pixels go to A CRPIX + b, world matrices to CD A⁻¹, and IRAF's physical coordinates
(q = LTM physical + LTV) to A LTM and A LTV + b.
"""

import re

import numpy as np
from astropy.io import fits

_WORLD = re.compile(
    r"WCS(AXES|NAME)[A-Z]?|C(TYPE|RVAL|RPIX|DELT|UNIT|ROTA)[12][A-Z]?|(CD|PC)[12]_[12][A-Z]?"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d+_\d+)"
)
_PHYSICAL = re.compile(r"LTV[12]|LTM[12]_[12]")
_NOT_TURNED = re.compile(r"CROTA[12]|(A|B|AP|BP)_(ORDER|\d+_\d+)")
_VERSION = re.compile(r"(CRPIX|CDELT|CTYPE|CD|PC)[12](_[12])?([A-Z]?)")
_ELEMENTS = ("1_1", "1_2", "2_1", "2_2")
_RAW = "Pixel here minus pixel of the raw frame"


def place_axes(header: fits.Header, window: tuple[slice, slice], rotation: int) -> None:
    """Make the world and physical coordinates those of the product, in place.

    Of a turned image, world coordinates with CROTA or distortion polynomials are left out.

    Parameters
    ----------
    header : astropy Header
        As of the raw image.
    window : (slice, slice)
        Rows and columns of the raw image that the product shows; stops matter if it is turned.
    rotation : int
        Degrees, as in `soxsdark.orientation.to_product`.
    """
    turn, shift = _placement(window, rotation)
    for axis in "12":
        if not _is_number(header.get(f"LTV{axis}")):
            header[f"LTV{axis}"] = (0.0, _RAW)
    if rotation:
        _turn_matrices(header, turn)
    _move(header, "LTV", "", turn, shift)
    for version in _versions(header):
        _move(header, "CRPIX", version, turn, shift)


def leave_out_axes(header: fits.Header) -> None:
    """Remove all world and physical coordinates, in place: of an image put together of parts."""
    for key in {card.keyword for card in header.cards}:
        if _WORLD.fullmatch(key) or _PHYSICAL.fullmatch(key):
            del header[key]


def _placement(window: tuple[slice, slice], rotation: int) -> tuple[np.ndarray, np.ndarray]:
    """Return A and b."""
    rows, columns = window
    turn, shift = np.eye(2), -np.array([columns.start or 0, rows.start or 0], dtype=float)
    quarter = np.array([[0.0, 1.0], [-1.0, 0.0]])
    for done in range(0, rotation, 90):
        # (x, y) goes to (y, width + 1 - x)
        across = rows if done % 180 else columns
        width = across.stop - (across.start or 0)
        turn, shift = quarter @ turn, quarter @ shift + [0, width + 1]
    return turn, shift


def _move(
    header: fits.Header, name: str, version: str, turn: np.ndarray, shift: np.ndarray
) -> None:
    """Move a pair of pixel coordinates; what is not there stays away, unless there is a turn."""
    found = {key: header.get(key) for key in (f"{name}{axis}{version}" for axis in "12")}
    point = [value if _is_number(value) else 0.0 for value in found.values()]
    turned = turn[0, 0] != 1
    for (key, old), value in zip(found.items(), turn @ point + shift, strict=True):
        if turned or _is_number(old):
            header[key] = float(value)


def _turn_matrices(header: fits.Header, turn: np.ndarray) -> None:
    if any(_NOT_TURNED.fullmatch(card.keyword) and card.value for card in header.cards):
        for key in {card.keyword for card in header.cards if _WORLD.fullmatch(card.keyword)}:
            del header[key]
    for version in _versions(header):
        name = "CD" if any(f"CD{ij}{version}" in header for ij in _ELEMENTS) else "PC"
        default = np.zeros((2, 2)) if name == "CD" else np.eye(2)
        _put_matrix(header, name, version, _matrix(header, name, version, default) @ turn.T)
    _put_matrix(header, "LTM", "", turn @ _matrix(header, "LTM", "", np.eye(2)))


def _versions(header: fits.Header) -> list[str]:
    """Letters of the world coordinates in a header, the empty one included."""
    found = (_VERSION.fullmatch(card.keyword) for card in header.cards)
    return sorted({match[3] for match in found if match})


def _matrix(header: fits.Header, name: str, version: str, default: np.ndarray) -> np.ndarray:
    found = (header.get(f"{name}{ij}{version}") for ij in _ELEMENTS)
    values = [v if _is_number(v) else d for v, d in zip(found, default.flat, strict=True)]
    return np.array(values, dtype=float).reshape(2, 2)


def _put_matrix(header: fits.Header, name: str, version: str, matrix: np.ndarray) -> None:
    for ij, value in zip(_ELEMENTS, matrix.flat, strict=True):
        header[f"{name}{ij}{version}"] = float(value) + 0.0  # no -0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
