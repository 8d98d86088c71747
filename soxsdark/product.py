"""The products as FITS: masters, masks and subtracted frames out, a bad-pixel map in."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.fits_file import UNREADABLE, opened_file
from soxsdark.fits_writer import Image, Plan, Written, write_files
from soxsdark.frame_layout import joined, readable

_MASK_EXTENSIONS = ("QUAL", "MASK")
_IMAGES = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)


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


@dataclass(frozen=True)
class Subtracted:
    """A frame without its dark, three images of one shape (rows, columns)."""

    flux: np.ndarray
    """Signal in the exposure time of the frame, e-."""
    errs: np.ndarray
    """Standard deviation of `flux`, e-."""
    qual: np.ndarray
    """Flags, 0 = good."""


@dataclass(frozen=True)
class Product:
    """One product that is to be written."""

    path: Path
    content: Master | Mask | Subtracted
    header: fits.Header
    """Primary header, as `soxsdark.headers.product_header` makes it."""


def write_products(products: Sequence[Product], threads: int = 2) -> list[Written]:
    """Write products at once, and return name, size and hash of each file.

    A master has FLUX in the primary HDU, then QUAL, ERRS and NCOM, a subtracted frame the same
    without NCOM; a bad-pixel map has the flags, then NOISE and NREJ.

    Raises
    ------
    ProductError
        A file exists, or cannot be written.
    ValueError
        The images differ in shape, or a flag or count does not fit an integer image.
    """
    return write_files([_plan(product) for product in products], threads)


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
    return _read_map(path)[0]


def read_input_mask(path: Path | str, arm: str | None) -> np.ndarray:
    """Read a bad-pixel map for frames of an arm, as `read_mask` does.

    Raises
    ------
    InputError
        As `read_mask`; or the file says that it is something else: a raw frame, another product,
        another arm's map.
    """
    bad, header = _read_map(path)
    _check_mask_header(path, header, arm)
    return bad


@contextmanager
def reading(path: Path | str, what: str) -> Iterator[fits.HDUList]:
    """Open a calibration; whatever is wrong with the file becomes an `InputError`."""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with opened_file(path) as hdus:
                yield hdus
        # Some cards may be odd; pixels may not be missing.
        if any("truncated" in str(warning.message) for warning in said):
            raise OSError("the file is cut short")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected {what}; correct the path") from error
    except UNREADABLE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: cannot be read as {what}: {reason}") from error


def check_sums(path: Path | str, hdus: fits.HDUList) -> None:
    """Raise `InputError` if a sum of an HDU does not fit; before pixels are asked for."""
    for number, hdu in enumerate(hdus):
        for key, verified in (
            ("DATASUM", hdu.verify_datasum()),
            ("CHECKSUM", hdu.verify_checksum()),
        ):
            if verified == 0:
                raise InputError(
                    f"{path}: HDU {number}: {key} does not fit: the file was damaged or edited; "
                    "make or copy it again"
                )


def images_of(hdus: fits.HDUList) -> list[Any]:
    """Return the HDUs that hold a 2-D image."""
    return [hdu for hdu in hdus if isinstance(hdu, _IMAGES) and hdu.header.get("NAXIS") == 2]


def header_of(hdus: fits.HDUList) -> fits.Header:
    """Return the primary header with that of the first image; without what cannot be read."""
    first = next(iter(images_of(hdus)), hdus[0])
    return readable(joined(hdus[0].header, first.header))


def _read_map(path: Path | str) -> tuple[np.ndarray, fits.Header]:
    """Return the bad pixels and the primary header."""
    with reading(path, "a bad-pixel map") as hdus:
        check_sums(path, hdus)
        header = header_of(hdus)
        pixels = _mask_pixels(path, hdus)
    bad = pixels != 0
    if bad.all():
        raise InputError(f"{path}: marks every pixel as bad; a bad-pixel map has 0 where good")
    return bad, header


def _check_mask_header(path: Path | str, header: fits.Header, arm: str | None) -> None:
    category = _text(header, "ESO PRO CATG")
    if category and not category.startswith("BP_MAP"):
        raise InputError(f"{path}: ESO PRO CATG is {category!r}, expected a bad-pixel map (BP_MAP)")
    for key in ("ESO DPR TYPE", "IMAGETYP"):
        if not category and (found := _text(header, key)):
            raise InputError(f"{path}: {key} is {found!r}, a raw frame: expected a bad-pixel map")
    own = _text(header, "ESO SEQ ARM").upper()
    if own and arm and own != arm.upper():
        raise InputError(
            f"{path}: bad-pixel map of arm {own}, the frames are of {arm}; give one of theirs"
        )


def _text(header: fits.Header, key: str) -> str:
    return str(header.get(key, "")).strip()


def _mask_pixels(path: Path | str, hdus: fits.HDUList) -> np.ndarray:
    images = images_of(hdus)
    if not images:
        raise InputError(f"{path}: holds no 2-D image, expected a bad-pixel map")
    first = images[0]
    if first.header["BITPIX"] < 0:
        first = next((hdu for hdu in images if hdu.name in _MASK_EXTENSIONS), first)
    return np.asarray(first.data)


def _plan(product: Product) -> Plan:
    content = product.content
    images = _mask_images(content) if isinstance(content, Mask) else _flux_images(content)
    shapes = {image.name: image.pixels.shape for image in images}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"images of one product differ in shape: {shapes}")
    return Plan(product.path, product.header, images)


def _flux_images(content: Master | Subtracted) -> tuple[Image, ...]:
    deviation = ("UTYPE", "StdDevUncertainty", "Kind of uncertainty")
    images = (
        _electrons("FLUX", content.flux),
        _integers("QUAL", content.qual),
        _electrons("ERRS", content.errs, deviation),
    )
    return (*images, _integers("NCOM", content.ncom)) if isinstance(content, Master) else images


def _mask_images(mask: Mask) -> tuple[Image, ...]:
    return (
        _integers("QUAL", mask.flags),
        _electrons("NOISE", mask.noise),
        _integers("NREJ", mask.rejected),
    )


def _electrons(name: str, pixels: np.ndarray, *cards: tuple[str, str, str]) -> Image:
    unit = ("BUNIT", "electron", "Unit of the pixels")
    return Image(name, np.asarray(pixels), np.dtype(">f4"), (unit, *cards))


def _integers(name: str, pixels: np.ndarray) -> Image:
    """Return an image to be stored as int16, or as int32 where a value needs it."""
    pixels = np.asarray(pixels)
    for kind in (">i2", ">i4"):
        limits = np.iinfo(kind)
        if pixels.size == 0 or (limits.min <= pixels.min() and pixels.max() <= limits.max):
            return Image(name, pixels, np.dtype(kind))
    raise ValueError(f"values up to {pixels.max()} do not fit an integer image")
