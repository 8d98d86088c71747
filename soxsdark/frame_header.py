"""The header of a frame and the shape of its pixels, of which not one is read."""

import gzip
import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any

from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.fits_file import MOST_HDUS, is_packed, read_one_header
from soxsdark.frame import reading
from soxsdark.frame_layout import joined
from soxsdark.regular_file import open_regular

Shape = tuple[int, int]
MAGIC = b"SIMPLE  ="


def read_header(path: Path, extension: int | str | None = None) -> tuple[fits.Header, Shape | None]:
    """Read the headers of a FITS file up to that of its pixels.

    Of a ``.gz`` no more is inflated than that.

    Parameters
    ----------
    path : path
    extension : int, str or None
        HDU with the pixels, by number or EXTNAME; None: the first one with a 2-D image.

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
    with (
        reading(path),
        warnings.catch_warnings(action="ignore"),
        open_regular(path) as stored,
        _unpacked(stored) as file,
    ):
        on_disk = os.fstat(stored.fileno()).st_size
        if on_disk == 0:
            raise InputError(f"{path}: empty file (0 bytes); copy it again")
        size = on_disk if file is stored else None
        primary = None
        for number, header in enumerate(_headers(path, file, size)):
            primary = header if primary is None else primary
            shape = _image_shape(header)
            if shape is not None and _is_chosen(header, number, extension):
                return header if header is primary else joined(primary, header), shape
    return primary, None


def _unpacked(stored: IO[bytes]) -> AbstractContextManager[Any]:
    return gzip.open(stored) if is_packed(stored) else nullcontext(stored)


def _headers(path: Path, file: IO[bytes], size: int | None) -> Iterator[fits.Header]:
    """The headers of all HDUs, each read when it is asked for."""
    if file.read(len(MAGIC)) != MAGIC:
        raise OSError("no SIMPLE card at its beginning")
    file.seek(0)
    for number in range(MOST_HDUS):
        try:
            header = read_one_header(file)
        except EOFError:
            if number:
                return
            raise
        end = file.tell() + header.data_size
        if size is not None and end > size:
            raise InputError(
                f"{path}: cut short: it needs {end} bytes and has {size}; copy it again"
            )
        yield header
        file.seek(header.data_size_padded, os.SEEK_CUR)
    raise OSError(f"more than {MOST_HDUS} HDUs")


def _image_shape(header: fits.Header) -> Shape | None:
    """Rows and columns of a 2-D image, tile-compressed or not."""
    is_table = header.get("XTENSION", "IMAGE").strip() != "IMAGE"
    packed = is_table and bool(header.get("ZIMAGE", False))
    axes = "ZNAXIS" if packed else "NAXIS"
    if is_table != packed or header.get(axes) != 2:
        return None
    return int(header[f"{axes}2"]), int(header[f"{axes}1"])


def _is_chosen(header: fits.Header, number: int, extension: int | str | None) -> bool:
    if isinstance(extension, str):
        return str(header.get("EXTNAME", "")).strip().upper() == extension.strip().upper()
    return extension is None or extension == number
