"""A raw frame: its header now, its pixels later, in blocks of rows.

Uncompressed files are read at the offset of the pixels into fresh buffers, without a memory
map: a file cut short under a map is a crash, and mapped pages count as memory. Compressed files
are inflated once, into an unlinked temporary file.
"""

import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.fits_bytes import PixelLayout, is_zero_sum, native, ones_complement_sum
from soxsdark.fits_file import (
    DAMAGED,
    NOT_UNDERSTOOD,
    UNREADABLE,
    inflate,
    is_packed,
    opened,
    opened_file,
)
from soxsdark.frame_layout import joined, layout_of
from soxsdark.regular_file import Identity, descriptor_of, identity_of, open_regular
from soxsdark.spool import Spool

PIECE = 1 << 19
IMAGES = (fits.PrimaryHDU, fits.ImageHDU)


@dataclass(frozen=True)
class Loaded:
    """A frame read once, whole and checked."""

    pixels: np.ndarray
    """(rows, columns), ADU, native byte order; NaN = no value."""
    sha256: str
    """Of the file on disk."""


@dataclass(frozen=True)
class _Hdu:
    """Byte ranges of one HDU and what its header says of their sums."""

    index: int
    start: int
    data: int
    end: int
    datasum: str | None
    has_checksum: bool


@dataclass(frozen=True)
class Frame:
    """One raw frame of which only the headers have been read."""

    path: Path
    header: fits.Header
    """Primary header, updated with that of the pixel HDU."""
    hdu: int
    """Number of the HDU with the pixels."""
    layout: PixelLayout
    identity: Identity
    """Of the file on disk, when its header was read."""
    hdus: tuple[_Hdu, ...] = field(repr=False)
    inflated: Spool | None = field(default=None, repr=False)
    """The content of a compressed file (gzip)."""
    decoded: Spool | None = field(default=None, repr=False)
    """The pixels of a tile-compressed image, at offset 0, as `layout` says."""
    remarks: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path | str, extension: int | str | None = None) -> "Frame":
        """Read the headers of a FITS file and find its pixels.

        Parameters
        ----------
        path : path
        extension : int, str or None
            HDU with the pixels, by number or EXTNAME; None: the only one with a 2-D image.

        Raises
        ------
        InputError
            Not readable, not FITS, cut short, no 2-D image, or several that could be meant.
        """
        path = Path(path)
        with reading(path), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            frame = _open(cls, path, extension)
        notes = {" ".join(str(w.message).split())[:200] for w in caught}
        return replace(frame, remarks=tuple(sorted(notes)))

    def read_rows(self, first: int, last: int) -> np.ndarray:
        """Rows first to last (half-open) in ADU, native byte order; NaN = no value.

        Raises
        ------
        InputError
            If the file can no longer be read, or has become shorter.
        """
        offset, length = self.layout.row_range(first, last)
        # an array takes its memory in large pages, a bytes object in small ones
        data = np.empty(length, np.uint8)
        source = self.decoded or self.inflated
        with reading(self.path), self._descriptor(source) as descriptor:
            if _pread(descriptor, offset, data) < length:
                raise InputError(f"{self.path}: cut short while it was being read; copy it again")
        stored = data.view(self.layout.dtype).reshape(last - first, self.layout.shape[1])
        return native(stored, self.layout, reuse=True)

    @property
    def stored_bytes(self) -> int:
        """How many bytes `load` reads: all HDUs, uncompressed."""
        return self.hdus[-1].end

    @property
    def working_bytes(self) -> int:
        """Memory that reading a frame and finding its level takes."""
        rows, columns = self.layout.shape
        return self.stored_bytes + rows * columns * self.layout.work_a_pixel

    def load(self, buffer: np.ndarray | None = None) -> Loaded:
        """Read the file once: hash it, check DATASUM and CHECKSUM of every HDU, give the pixels.

        Parameters
        ----------
        buffer : ndarray of uint8, optional
            Memory of at least `stored_bytes` to read into; the pixels may lie in it.

        Raises
        ------
        InputError
            If the file changed since it was opened, or a sum is wrong.
        """
        content = np.empty(self.stored_bytes, np.uint8) if buffer is None else buffer
        digest, sums = hashlib.sha256(), []
        with reading(self.path), self._descriptor(self.inflated) as descriptor:
            for hdu in self.hdus:
                parts = (hdu.start, hdu.data), (hdu.data, hdu.end)
                sums.append([self._take(descriptor, content, *part, digest) for part in parts])
            if self.inflated is not None or self.identity.size != self.stored_bytes:
                digest = self._digest()
        for hdu, (header, data) in zip(self.hdus, sums, strict=True):
            self._check_sums(hdu, header, data)
        offset, length = self.layout.row_range(0, self.layout.shape[0])
        if self.decoded is None and self.stored_bytes >= offset + length:
            stored = content[offset : offset + length].view(self.layout.dtype)
            pixels = native(stored.reshape(self.layout.shape), self.layout, reuse=True)
        else:
            pixels = self.read_rows(0, self.layout.shape[0])
        return Loaded(pixels, digest.hexdigest())

    def _digest(self) -> Any:
        """Hash the file on disk, which is more than its HDUs, or packed."""
        with open_regular(self.path) as file:
            self._refuse_change(os.fstat(file.fileno()))
            return hashlib.file_digest(file, "sha256")

    def _take(
        self, descriptor: int, content: np.ndarray, first: int, last: int, digest: Any
    ) -> int:
        """Read bytes first to last into their place, hash them; return their sum."""
        total = 0
        # what is done to a piece finds it in the processor's cache
        for start in range(first, last, PIECE):
            piece = content[start : min(start + PIECE, last)]
            if _pread(descriptor, start, piece) < piece.size:
                raise InputError(f"{self.path}: cut short while it was being read; copy it again")
            digest.update(piece)
            total = ones_complement_sum(piece, total)
        return total

    @contextmanager
    def _descriptor(self, source: Spool | None) -> Iterator[int]:
        if source is not None:
            yield source.descriptor
            return
        descriptor = descriptor_of(self.path)
        try:
            self._refuse_change(os.fstat(descriptor))
            yield descriptor
        finally:
            os.close(descriptor)

    def _refuse_change(self, status: os.stat_result) -> None:
        if identity_of(status) != self.identity:
            raise InputError(
                f"{self.path}: was written or replaced while it was being read; run again"
            )

    def _check_sums(self, hdu: _Hdu, header: int, data: int) -> None:
        place = f"{self.path}: HDU {hdu.index}"
        if hdu.datasum is not None and hdu.datasum != str(data):
            stated = hdu.datasum if hdu.datasum.isdigit() else repr(hdu.datasum)
            if not (is_zero_sum(data) and hdu.datasum in ("0", str(0xFFFFFFFF))):
                raise InputError(
                    f"{place}: DATASUM is {stated}, the data sum to {data}: "
                    "the file is damaged, copy it again"
                )
        if hdu.has_checksum and not is_zero_sum(ones_complement_sum(b"", header + data)):
            raise InputError(
                f"{place}: CHECKSUM does not fit header and data: "
                "the file was damaged or edited, copy it again"
            )


def is_product(path: Path) -> bool:
    """Whether a FITS file says that it is no raw frame (ESO PRO CATG); False if unreadable."""
    try:
        with warnings.catch_warnings(action="ignore"), opened_file(path) as hdus:
            return "ESO PRO CATG" in hdus[0].header
    except UNREADABLE:
        return False


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong in reading into one line about the file."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; correct the path") from None
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())[:200]
        raise InputError(
            f"{path}: cannot be read as FITS ({reason}); copy it again, or leave it out"
        ) from error
    except DAMAGED as error:
        raise InputError(f"{path}: cut short or damaged ({error}); copy it again") from error
    except NOT_UNDERSTOOD as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: header cannot be understood ({reason}); correct it, or leave the frame out"
        ) from error


def _pread(descriptor: int, offset: int, buffer: np.ndarray) -> int:
    """Fill `buffer` with bytes from `offset` on; how many there were."""
    done = 0
    while done < buffer.size and (
        got := os.preadv(descriptor, [buffer[done:].data], offset + done)
    ):
        done += got
    return done


def _open(cls: type[Frame], path: Path, extension: int | str | None) -> Frame:
    with open_regular(path) as file:
        identity = identity_of(os.fstat(file.fileno()))
        inflated = inflate(file) if is_packed(file) else None
        size = identity.size if inflated is None else inflated.size
        if size == 0:
            raise InputError(f"{path}: empty file (0 bytes); copy it again")
        source = file.fileno() if inflated is None else inflated.descriptor
        with opened(source, disable_image_compression=True) as raw:
            hdus = tuple(_extent(path, i, hdu, size) for i, hdu in enumerate(raw))
            candidates = [(i, h) for i, h in enumerate(raw) if _is_picture(h) or _is_compressed(h)]
            number, chosen = _choose(path, candidates, raw, extension)
            header = joined(raw[0].header, chosen.header)
            layout = None if _is_compressed(chosen) else layout_of(chosen)
        decoded = None
        if layout is None:
            header, layout, decoded = _decode(source, number)
    return cls(path, header, number, layout, identity, hdus, inflated, decoded)


def _is_compressed(hdu: Any) -> bool:
    return isinstance(hdu, fits.BinTableHDU) and bool(hdu.header.get("ZIMAGE", False))


def _is_picture(hdu: Any) -> bool:
    return isinstance(hdu, IMAGES) and hdu.header.get("NAXIS") == 2


def _describe(number: int, hdu: Any) -> str:
    kind = "compressed image" if _is_compressed(hdu) else f"{hdu.header.get('NAXIS', 0)}-D"
    name = str(hdu.header.get("EXTNAME", "")).strip()
    return f"{number}{f' {name}' if name else ''} ({kind})"


def _choose(
    path: Path, candidates: list[Any], hdus: Any, extension: int | str | None
) -> tuple[int, Any]:
    if isinstance(extension, str):
        wanted = [c for c in enumerate(hdus) if _name(c[1]) == extension.strip().upper()]
    elif extension is not None:
        wanted = [c for c in enumerate(hdus) if c[0] == extension]
    else:
        wanted = candidates
    listing = ", ".join(_describe(i, h) for i, h in enumerate(hdus))
    if extension is not None and not [c for c in wanted if c[1] in [h for _, h in candidates]]:
        found = "not there" if not wanted else "not a 2-D image"
        raise InputError(f"{path}: data-extension {extension} is {found}; choose one of {listing}")
    if not wanted:
        raise InputError(f"{path}: no 2-D image in it (HDUs: {listing}); leave it out")
    if len(wanted) > 1 and "ESO PRO CATG" in hdus[0].header:
        raise InputError(
            f"{path}: already reduced (ESO PRO CATG {hdus[0].header['ESO PRO CATG']!r}), "
            "a raw frame is expected; leave it out"
        )
    if len(wanted) > 1:
        several = ", ".join(_describe(i, h) for i, h in wanted)
        raise InputError(
            f"{path}: several HDUs hold a 2-D image: {several}; choose one with data-extension"
        )
    return wanted[0]


def _name(hdu: Any) -> str:
    return str(hdu.header.get("EXTNAME", "")).strip().upper()


def _extent(path: Path, index: int, hdu: Any, size: int) -> _Hdu:
    info = hdu.fileinfo()
    needed = info["datLoc"] + hdu.size
    if needed > size:
        raise InputError(
            f"{path}: cut short: HDU {index} needs {needed} bytes, the file has {size}; "
            "copy it again"
        )
    end = min(info["datLoc"] + info["datSpan"], size)
    datasum = hdu.header.get("DATASUM")
    return _Hdu(
        index,
        info["hdrLoc"],
        info["datLoc"],
        end,
        None if datasum in (None, "") else str(datasum).strip(),
        bool(str(hdu.header.get("CHECKSUM", "")).strip()),
    )


def _decode(descriptor: int, number: int) -> tuple[fits.Header, PixelLayout, Spool]:
    """Decode a tile-compressed image, some rows at a time, into a temporary file."""
    spool = Spool()
    with opened(descriptor) as hdus, spool.writer() as out:
        hdu = hdus[number]
        if len(hdu.shape) != 2:
            raise ValueError(f"compressed image of {len(hdu.shape)} dimensions, 2 are expected")
        header = joined(hdus[0].header, hdu.header)
        rows, columns = hdu.shape
        step = max(1, (1 << 24) // max(1, columns * 8))
        for top in range(0, rows, step):
            part = np.asarray(hdu.section[top : top + step])
            out.write(part.tobytes())
        dtype = part.dtype
    return header, PixelLayout(0, (rows, columns), dtype), spool
