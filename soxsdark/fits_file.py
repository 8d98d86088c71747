"""FITS content opened within limits: astropy alone would follow a header without an end for hours.

A file may come from anywhere, and a few kilobytes may claim any number of pixels.
"""

import gzip
import io
import math
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from astropy.io import fits
from astropy.io.fits.hdu.compressed._compression import CfitsioException

from soxsdark.regular_file import open_regular
from soxsdark.spool import Spool

BLOCK = 2880
LARGEST_HEADER = 1000 * BLOCK
"""Bytes: 36,000 cards."""
MOST_HDUS = 1000
LARGEST = 2 << 30
"""Bytes of an image, or of a packed file: twice a frame of 16k x 16k floats."""
CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
DAMAGED = (EOFError, zlib.error, struct.error, CfitsioException)
"""Raised where content ends too early or is not what it was."""
NOT_UNDERSTOOD = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    fits.VerifyError,
)
"""What astropy raises of cards that make no sense, beside `OSError`."""
UNREADABLE = (OSError, *DAMAGED, *NOT_UNDERSTOOD)

_END = re.compile(rb"(?:.{80})*?END {77}", re.DOTALL)


def is_packed(file: IO[bytes]) -> bool:
    """Tell whether the content is that of gzip, whatever the file is called."""
    return os.pread(file.fileno(), len(GZIP), 0) == GZIP


def inflate(file: IO[bytes]) -> Spool:
    """Unpack a file; `OSError` when there is more in it than any frame has."""
    spool = Spool()
    with gzip.open(file) as packed, spool.writer() as out:
        while chunk := packed.read(CHUNK):
            if out.tell() + len(chunk) > LARGEST:
                raise OSError(f"more than {LARGEST >> 30} GiB are packed in it")
            out.write(chunk)
    return spool


@contextmanager
def opened(descriptor: int, **options: Any) -> Iterator[fits.HDUList]:
    """Open FITS content, all headers of it; the descriptor stays open.

    Raises
    ------
    OSError
        It is beyond a limit.
    Exception
        One of `UNREADABLE`, whatever astropy makes of it.
    """
    _check_length(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    # astropy closes what it is given
    with (
        os.fdopen(os.dup(descriptor), "rb") as file,
        fits.open(file, memmap=False, lazy_load_hdus=True, **options) as hdus,
    ):
        _load(hdus, descriptor)
        yield hdus


@contextmanager
def opened_file(path: Path | str) -> Iterator[fits.HDUList]:
    """Open a regular file, packed or not, as `opened`."""
    with open_regular(path) as file:
        unpacked = inflate(file) if is_packed(file) else None
        with opened(file.fileno() if unpacked is None else unpacked.descriptor) as hdus:
            yield hdus


def header_text(read: Callable[[int], bytes]) -> bytes:
    """Read the bytes of one header, block by block.

    Raises
    ------
    EOFError
        The file ends before it does.
    OSError
        It is too long.
    """
    text = bytearray()
    while len(text) < LARGEST_HEADER:
        block = read(BLOCK)
        text += block
        if _END.match(block):
            return bytes(text)
        if len(block) < BLOCK:
            raise EOFError("a header without END")
    raise OSError(f"a header of more than {LARGEST_HEADER} bytes")


def read_one_header(file: IO[bytes]) -> fits.Header:
    """Read the header that begins where a file stands; raises as `header_text`."""
    return fits.Header.fromfile(io.BytesIO(header_text(file.read)))


def _check_length(descriptor: int, offset: int) -> None:
    """Raise `OSError` if what stands at `offset` is more than a header may be."""
    places = count(offset, BLOCK)
    with suppress(EOFError):
        header_text(lambda size: os.pread(descriptor, size, next(places)))


def _load(hdus: fits.HDUList, descriptor: int) -> None:
    """Let astropy read one header after the other, each after a look at it."""
    for number in count():
        try:
            hdu = hdus[number]
        except IndexError:
            return
        if number >= MOST_HDUS:
            raise OSError(f"more than {MOST_HDUS} HDUs")
        if not isinstance(hdu, fits.hdu.base._ValidHDU):
            raise OSError(f"the header of HDU {number} is damaged")
        if max(hdu.size, _claimed(hdu.header)) > LARGEST:
            raise OSError(f"HDU {number} claims more than {LARGEST >> 30} GiB")
        place = hdu.fileinfo()
        _check_length(descriptor, place["datLoc"] + place["datSpan"])


def _claimed(header: fits.Header) -> int:
    """Bytes of a tile-compressed image, unpacked; 0 of any other."""
    if "ZNAXIS" not in header:
        return 0
    sizes = [header[f"ZNAXIS{axis}"] for axis in range(1, header["ZNAXIS"] + 1)]
    return math.prod(sizes) * abs(header["ZBITPIX"]) // 8
