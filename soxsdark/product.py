"""The products as FITS: the master dark and the mask out, a bad-pixel map in."""

import hashlib
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from .errors import InputError
from .publish import writing

_BLOCK = 2880
_MASK_EXTENSIONS = ("QUAL", "MASK")
_IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)
_UNREADABLE = (
    OSError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    zlib.error,
    fits.VerifyError,
)


@dataclass(frozen=True)
class Master:
    """A master dark, four images of one shape (rows, columns)."""

    flux: np.ndarray
    """Level in the exposure time of one frame, e-."""
    errs: np.ndarray
    """Standard deviation of `flux`, e-."""
    qual: np.ndarray
    """Flags, 0 = good."""
    ncom: np.ndarray
    """Samples averaged."""


@dataclass(frozen=True)
class Mask:
    """A bad-pixel map, three images of one shape (rows, columns)."""

    flags: np.ndarray
    """Flags, 0 = good."""
    noise: np.ndarray
    """Noise map: the scatter of each stack, e-."""
    rejected: np.ndarray
    """Samples rejected along the stack."""


def write_master(path: Path | str, master: Master, header: fits.Header) -> None:
    """Write a master dark: FLUX in the primary HDU, then QUAL, ERRS and NCOM.

    Raises
    ------
    ProductError
        The file cannot be written.
    ValueError
        The images differ in shape, or a flag or count does not fit an integer image.
    """
    unit = ("BUNIT", "electron", "Unit of the pixels")
    deviation = ("UTYPE", "StdDevUncertainty", "Kind of uncertainty")
    _write(
        path,
        header,
        (
            ("FLUX", _floats(master.flux), (unit,)),
            ("QUAL", _integers(master.qual), ()),
            ("ERRS", _floats(master.errs), (unit, deviation)),
            ("NCOM", _integers(master.ncom), ()),
        ),
    )


def write_mask(path: Path | str, mask: Mask, header: fits.Header) -> None:
    """Write a bad-pixel map: the flags in the primary HDU, then NOISE and NREJ.

    Raises
    ------
    ProductError
        The file cannot be written.
    ValueError
        The images differ in shape, or a flag or count does not fit an integer image.
    """
    unit = ("BUNIT", "electron", "Unit of the pixels")
    _write(
        path,
        header,
        (
            ("QUAL", _integers(mask.flags), ()),
            ("NOISE", _floats(mask.noise), (unit,)),
            ("NREJ", _integers(mask.rejected), ()),
        ),
    )


def read_mask(path: Path | str) -> np.ndarray:
    """Read a bad-pixel map.

    It is the first 2-D image of the file, whatever wrote it: any pixel that is not zero (or not
    a number) is bad. Where that image is of floats, and an extension QUAL or MASK goes with it,
    that extension is the map.

    Returns
    -------
    numpy.ndarray
        Boolean, (rows, columns), True = bad.

    Raises
    ------
    InputError
        The file cannot be read, holds no 2-D image, or marks every pixel as bad.
    """
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            # Astropy leaves a file open that it opened itself and cannot parse.
            with open(path, "rb") as stream, fits.open(stream, memmap=False) as hdus:
                pixels = _mask_pixels(path, hdus)
        # Some cards may be odd; pixels may not be missing.
        if any("truncated" in str(warning.message) for warning in said):
            raise OSError("the file is cut short")
    except _UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as a bad-pixel map: {reason}") from error
    bad = pixels != 0
    if bad.all():
        raise InputError(f"{path}: marks every pixel as bad; a bad-pixel map has 0 where good")
    return bad


def check_mask_header(path: Path | str, arm: str | None) -> None:
    """Refuse a file that says it is something else than a bad-pixel map of this arm.

    Raises
    ------
    InputError
        A raw frame, another product, or another arm's map.
    """
    with warnings.catch_warnings(action="ignore"), open(path, "rb") as stream:
        header = fits.Header.fromfile(stream)
    category = str(header.get("ESO PRO CATG", "")).strip()
    if category and not category.startswith("BP_MAP"):
        raise InputError(f"{path}: ESO PRO CATG is {category!r}, expected a bad-pixel map (BP_MAP)")
    for key in ("ESO DPR TYPE", "IMAGETYP"):
        if not category and str(header.get(key, "")).strip():
            found = str(header[key]).strip()
            raise InputError(f"{path}: {key} is {found!r}, a raw frame: expected a bad-pixel map")
    own = str(header.get("ESO SEQ ARM", "")).strip().upper()
    if own and arm and own != arm.upper():
        raise InputError(f"{path}: bad-pixel map of arm {own}, the frames are of {arm}")


def _mask_pixels(path: Path | str, hdus: fits.HDUList) -> np.ndarray:
    images = [hdu for hdu in hdus if isinstance(hdu, _IMAGES) and hdu.header.get("NAXIS") == 2]
    if not images:
        raise InputError(f"{path}: holds no 2-D image, expected a bad-pixel map")
    first = images[0]
    if first.header["BITPIX"] < 0:
        first = next((hdu for hdu in images if hdu.name in _MASK_EXTENSIONS), first)
    return np.asarray(first.data)


def _write(
    path: Path | str,
    header: fits.Header,
    images: tuple[tuple[str, np.ndarray, tuple[tuple[str, str, str], ...]], ...],
) -> None:
    shapes = {name: pixels.shape for name, pixels, _ in images}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"images of one product differ in shape: {shapes}")
    header = header.copy()
    if "DATAMD5" in header:
        header["DATAMD5"] = _md5([pixels for _, pixels, _ in images])
    hdus = fits.HDUList()
    for name, pixels, cards in images:
        hdu = fits.ImageHDU(pixels) if hdus else fits.PrimaryHDU(pixels, header)
        for card in (("EXTNAME", name, "Name of this image"), *cards):
            hdu.header[card[0]] = card[1:]
        hdus.append(hdu)
    with writing(path):
        hdus.writeto(path, checksum=True)


def _floats(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, dtype=">f4")


def _integers(pixels: np.ndarray) -> np.ndarray:
    """Return `pixels` as int16, or as int32 where a value needs it."""
    pixels = np.asarray(pixels)
    for kind in (">i2", ">i4"):
        limits = np.iinfo(kind)
        if pixels.size == 0 or (limits.min <= pixels.min() and pixels.max() <= limits.max):
            return np.ascontiguousarray(pixels, dtype=kind)
    raise ValueError(f"values up to {pixels.max()} do not fit an integer image")


def _md5(images: list[np.ndarray]) -> str:
    """Return ESO's DATAMD5: of all data units as they stand in the file, with their padding."""
    digest = hashlib.md5(usedforsecurity=False)
    for pixels in images:
        digest.update(pixels.data)
        digest.update(bytes(-pixels.nbytes % _BLOCK))
    return digest.hexdigest()
