"""FITS files of 2-D images, on their way to the disk: summed, hashed and written in pieces.

The primary header holds the MD5 of the data behind it, so the data go first and the headers follow
into the room that was left for them; the SHA-256 of the file comes last. The pixels are turned into
stored order anew for each of the three: that is cheaper than to keep them, or to read them back.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.fits_bytes import encoded_checksum, ones_complement_sum
from soxsdark.publish import writing

BLOCK = 2880
PIECE = 1 << 19
"""Bytes stored at a time: few enough to stay in the processor's cache."""
DATAMD5 = "DATAMD5"

_NO_CHECKSUM = "0" * 16
_NO_MD5 = "0" * 32
_MD5_CARD = f"{DATAMD5} = '{_NO_MD5}'"


@dataclass(frozen=True)
class Image:
    """One HDU."""

    name: str
    """EXTNAME."""
    pixels: np.ndarray
    """(rows, columns)."""
    dtype: np.dtype
    """As stored: big-endian."""
    cards: tuple[tuple[str, object, str], ...] = ()
    """(key, value, comment) of further cards."""

    @property
    def size(self) -> int:
        """Bytes of the data unit without its padding."""
        return self.pixels.size * self.dtype.itemsize

    def pieces(self) -> Iterator[np.ndarray]:
        """The data unit as it is stored, padding included, as bytes in pieces of whole words."""
        rows = max(1, self.pixels.shape[0])
        step = max(4, PIECE * rows // max(1, self.size) // 4 * 4)
        for first in range(0, rows, step):
            part = np.ascontiguousarray(self.pixels[first : first + step], dtype=self.dtype)
            yield part.reshape(-1).view(np.uint8)
        yield np.zeros(-self.size % BLOCK, np.uint8)


@dataclass(frozen=True)
class Plan:
    """One file that is to be written: the first image is the primary HDU."""

    path: Path
    header: fits.Header
    """Of the primary HDU, without the cards of structure and sums. An empty DATAMD5 is filled."""
    images: tuple[Image, ...]


@dataclass(frozen=True)
class Written:
    """One file that was written."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    datasums: Mapping[str, str] = field(default_factory=dict)
    """DATASUM of each image, by its name."""
    datamd5: str | None = None


def write_files(plans: Sequence[Plan], threads: int = 2) -> list[Written]:
    """Write FITS files, several at once, with DATASUM and CHECKSUM in every HDU.

    They are flushed to the disk while they are hashed.

    Parameters
    ----------
    plans : sequence of Plan
        What to write where.
    threads : int
        Threads that sum and hash.

    Raises
    ------
    ProductError
        A file exists, or cannot be written.
    """
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(len(plans) or 1) as disk:
        digests = pool.map(_data_md5, plans)
        texts = [_texts(plan) for plan in plans]
        sums = pool.map(_write_data, plans, texts)
        written, flushed = [], []
        for plan, text, md5, data in zip(plans, texts, digests, sums, strict=True):
            headers = _headers(text, data, md5)
            named = {i.name: str(total) for i, total in zip(plan.images, data, strict=True)}
            written.append(pool.submit(_written, plan, headers, named, md5))
            flushed.append(disk.submit(_write_headers, plan, headers))
        for file in flushed:
            file.result()
        return [file.result() for file in written]


def _data_md5(plan: Plan) -> str | None:
    """Return ESO's DATAMD5: of all data units as they stand in the file, with their padding."""
    if DATAMD5 not in plan.header:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for image in plan.images:
        for piece in image.pieces():
            digest.update(piece.data)
    return digest.hexdigest()


def _write_data(plan: Plan, texts: Sequence[str]) -> list[int]:
    """Write the data units, and return the ones' complement sum of each."""
    sums = []
    with writing(plan.path), plan.path.open("xb") as file:
        for image, header in zip(plan.images, _headers(texts), strict=True):
            file.seek(len(header), os.SEEK_CUR)
            total = 0
            for piece in image.pieces():
                file.write(piece.data)
                total = ones_complement_sum(piece, total)
            sums.append(total)
    return sums


def _write_headers(plan: Plan, headers: Sequence[bytes]) -> None:
    with writing(plan.path), plan.path.open("r+b") as file:
        for image, header in zip(plan.images, headers, strict=True):
            file.write(header)
            file.seek(image.size + -image.size % BLOCK, os.SEEK_CUR)
        file.flush()
        os.fsync(file.fileno())


def _written(
    plan: Plan, headers: Sequence[bytes], datasums: Mapping[str, str], md5: str | None
) -> Written:
    digest, size = hashlib.sha256(), 0
    for image, header in zip(plan.images, headers, strict=True):
        digest.update(header)
        for piece in image.pieces():
            digest.update(piece.data)
        size += len(header) + image.size + -image.size % BLOCK
    return Written(plan.path.name, size, digest.hexdigest(), datasums, md5)


def _texts(plan: Plan) -> list[str]:
    """Return the cards of every HDU, without the sums and with a place for DATAMD5."""
    first = plan.header.copy()
    if DATAMD5 in first:
        first[DATAMD5] = _NO_MD5
    result = []
    for number, image in enumerate(plan.images):
        own = fits.Header() if number else first
        for key, *rest in (("EXTNAME", image.name, "Name of this image"), *image.cards):
            own[key] = tuple(rest)
        structure = _structure(image, primary=number == 0)
        result.append(structure + own.tostring(endcard=False, padding=False))
    return result


def _headers(
    texts: Sequence[str], sums: Sequence[int] | None = None, md5: str | None = None
) -> list[bytes]:
    """Return the header of every HDU; their sizes do not depend on the sums."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    first, *others = texts
    filled = (first.replace(_MD5_CARD, _MD5_CARD.replace(_NO_MD5, md5 or _NO_MD5)), *others)
    return [
        _with_sums(text, total, now)
        for text, total in zip(filled, sums or [0] * len(filled), strict=True)
    ]


def _structure(image: Image, *, primary: bool) -> str:
    rows, columns = image.pixels.shape
    bits = 8 * image.dtype.itemsize
    cards = (
        ("SIMPLE", True, "conforms to FITS standard") if primary
        else ("XTENSION", "IMAGE", "Image extension"),
        ("BITPIX", -bits if image.dtype.kind == "f" else bits, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", columns),
        ("NAXIS2", rows),
        *(
            [("EXTEND", True)] if primary
            else [("PCOUNT", 0, "number of parameters"), ("GCOUNT", 1, "number of groups")]
        ),
    )  # fmt: skip
    return "".join(str(fits.Card(*card)) for card in cards)


def _with_sums(text: str, datasum: int, now: str) -> bytes:
    """End a header with CHECKSUM and DATASUM, padded to whole blocks."""
    place = len(text) + len("CHECKSUM= '")
    text += str(fits.Card("CHECKSUM", _NO_CHECKSUM, f"HDU checksum updated {now}"))
    text += str(fits.Card("DATASUM", str(datasum), f"data unit checksum updated {now}"))
    text += "END".ljust(fits.Card.length)
    header = text.ljust(len(text) + -len(text) % BLOCK).encode("ascii")
    checksum = encoded_checksum(ones_complement_sum(header, datasum))
    return header[:place] + checksum + header[place + len(checksum) :]
