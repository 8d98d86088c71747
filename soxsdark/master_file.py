"""A master dark back from its file: that of this program, or another's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.instruments import size_text
from soxsdark.product import check_sums, header_of, images_of, reading
from soxsdark.record import sha256_of

BASELINE = "ESO PRO BASELINE"
ELECTRON = "electron"
ADU = "adu"
UNCERTAINTIES = ("ERRS", "UNCERT")
"""Extensions of the uncertainty: of this program and soxspipe, of `astropy.nddata.CCDData`."""
_UNITS = {
    **dict.fromkeys(("electron", "electrons", "e-", "e"), ELECTRON),
    **dict.fromkeys(("adu", "dn", "ct", "count", "counts"), ADU),
}


@dataclass(frozen=True)
class MasterFile:
    """A master as it is stored; images of one shape (rows, columns)."""

    path: Path
    header: fits.Header
    """Of the primary HDU, updated with that of the pixels."""
    sha256: str
    unit: str
    """``electron`` or ``adu``, of `flux` and `errs`."""
    flux: np.ndarray
    """Double precision."""
    errs: np.ndarray
    """Standard deviation of `flux`; 0 if the file has none."""
    has_errors: bool
    qual: np.ndarray
    """Flags, 0 = good. A mask without codes is INPUT; what is no number is EMPTY."""


def unit_of(value: object) -> str | None:
    """Return ``electron`` or ``adu`` for a BUNIT that means one of them, else None."""
    return _UNITS.get(str(value or "").strip().lower())


def baseline_problem(header: fits.Header, wanted: str) -> str | None:
    """Say in what the baseline of a product differs from that of a frame; None if it does not.

    Mean, median and polynomial are alike; a product that does not say it has nothing to compare.
    """
    own = str(header.get(BASELINE, wanted)).strip()
    if own.split()[:1] == wanted.split()[:1]:
        return None
    subtracted = {"none": "neither overscan nor reference pixels"}
    return (
        f"{subtracted.get(own, own)} subtracted from its raws, expected "
        f"{subtracted.get(wanted, wanted)} as of the frames"
    )


def read_master_dark(path: Path | str) -> MasterFile:
    """Read a master dark with its errors and flags.

    FLUX is the first 2-D image; ERRS (or UNCERT) and QUAL (or MASK) go with it, as this program,
    soxspipe and `astropy.nddata.CCDData` write them.

    Raises
    ------
    InputError
        The file cannot be read, is damaged or something else, or its unit is not known.
    """
    path = Path(path)
    with reading(path, "a master dark") as hdus:
        check_sums(path, hdus)
        header, images = header_of(hdus), images_of(hdus)
        category = str(header.get("ESO PRO CATG", "")).strip()
        if category and not category.startswith("MASTER_DARK"):
            raise InputError(
                f"{path}: ESO PRO CATG is {category!r}, expected a master dark (MASTER_DARK)"
            )
        if not images:
            raise InputError(f"{path}: holds no 2-D image, expected a master dark")
        named = {hdu.name: hdu for hdu in images[1:]}
        flux = np.asarray(images[0].data, np.float64)
        errors = next((named[name] for name in UNCERTAINTIES if name in named), None)
        given = None if errors is None else deviation_of(path, errors, np.float64)
        qual = _flags(named, flux)
    errs = np.zeros_like(flux) if given is None else given
    unit = unit_of(header.get("BUNIT"))
    if unit is None:
        if "ESO DPR TYPE" in header:
            kind = header["ESO DPR TYPE"]
            raise InputError(
                f"{path}: ESO DPR TYPE is {kind!r}, a raw frame: expected a master dark"
            )
        found = f"is {header['BUNIT']!r}" if "BUNIT" in header else "is missing"
        raise InputError(f"{path}: BUNIT {found}, expected electron or adu; correct the header")
    for name, image in (("errors", errs), ("flags", qual)):
        if image.shape != flux.shape:
            sizes = size_text(image.shape), size_text(flux.shape)
            raise InputError(
                f"{path}: {name} of {sizes[0]} pixels, expected {sizes[1]} as its image has; "
                "make it again"
            )
    return MasterFile(path, header, sha256_of(path), unit, flux, errs, given is not None, qual)


def deviation_of(path: Path, hdu: Any, dtype: type[np.floating]) -> np.ndarray:
    """Return the standard deviations in an HDU, whatever kind of uncertainty it holds (UTYPE).

    The kinds are those of `astropy.nddata`; without a UTYPE it holds standard deviations.
    """
    kind = str(hdu.header.get("UTYPE", "")).strip()
    stored = hdu.data.astype(dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        match kind.lower().removesuffix("uncertainty"):
            case "" | "std" | "stddev":
                return stored
            case "var" | "variance":
                return np.sqrt(stored)
            case "ivar" | "inversevariance":
                return 1 / np.sqrt(stored)
    raise InputError(
        f"{path}: UTYPE of {hdu.name} is {kind!r}, expected StdDevUncertainty, "
        "VarianceUncertainty or InverseVariance; correct the header"
    )


def _flags(named: dict[str, Any], flux: np.ndarray) -> np.ndarray:
    if "QUAL" in named:
        flags = np.asarray(named["QUAL"].data).astype(np.int32)
    elif "MASK" in named:
        flags = np.where(np.asarray(named["MASK"].data) != 0, np.int32(Flag.INPUT), np.int32(0))
    else:
        flags = np.zeros(flux.shape, np.int32)
    if flags.shape == flux.shape:
        flags[~np.isfinite(flux)] |= np.int32(Flag.EMPTY)
    return flags
