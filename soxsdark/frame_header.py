"""The header of a frame and the shape of its pixels, of which not one is read."""

import gzip
import os
import stat
import warnings
from contextlib import ExitStack
from pathlib import Path

from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.frame import extent, is_compressed, is_picture, joined, reading

COMPRESSED_AXES = ("ZNAXIS2", "ZNAXIS1")
AXES = ("NAXIS2", "NAXIS1")


def read_header(
    path: Path, extension: int | str | None = None
) -> tuple[fits.Header, tuple[int, int] | None]:
    """Read the headers of a FITS file up to that of its pixels.

    Of a ``.gz`` no more is inflated than that.

    Parameters
    ----------
    path : path
    extension : int, str or None
        HDU with the pixels; None: the first one with a 2-D image.

    Returns
    -------
    header : astropy.io.fits.Header
        Primary header, updated with that of the pixel HDU.
    shape : (rows, columns) or None
        None if there is no such HDU.

    Raises
    ------
    InputError
        Not a regular file, not readable, not FITS, or cut short.
    """
    with reading(path), ExitStack() as stack:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise InputError(f"{path}: a pipe, socket or device, expected a regular file")
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        packed = path.suffix.lower() == ".gz"
        size = None if packed else os.path.getsize(path)
        if size == 0:
            raise InputError(f"{path}: empty file (0 bytes)")
        opener = gzip.open if packed else open
        file = stack.enter_context(opener(path, "rb"))
        hdus = stack.enter_context(
            fits.open(file, memmap=False, disable_image_compression=True, lazy_load_hdus=True)
        )
        found = _pixels(hdus, extension)
        if found is None:
            return hdus[0].header.copy(), None
        number, hdu = found
        if size is not None:
            extent(path, number, hdu, size)  # refuses what is cut short
        header = joined(hdus[0].header, hdu.header)
        axes = COMPRESSED_AXES if is_compressed(hdu) else AXES
        return header, (int(hdu.header[axes[0]]), int(hdu.header[axes[1]]))


def _pixels(hdus: fits.HDUList, extension: int | str | None):
    """Return number and HDU of the pixels; HDUs are read one by one until it is found."""
    if extension is None:
        return next(((i, h) for i, h in enumerate(hdus) if _is_image(h)), None)
    try:
        number = hdus.index_of(extension)
        hdu = hdus[number]
    except (KeyError, IndexError):
        return None
    return (number, hdu) if _is_image(hdu) else None


def _is_image(hdu) -> bool:
    return is_picture(hdu) or is_compressed(hdu)
