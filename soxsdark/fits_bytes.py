"""FITS at the level of bytes: sums that show whether a file is whole, and native pixels."""

from dataclasses import dataclass

import numpy as np

ALL_ONES = 0xFFFFFFFF


@dataclass(frozen=True)
class PixelLayout:
    """Where and how the pixels of one 2-D image lie in a file."""

    offset: int
    """Byte at which the pixels begin."""
    shape: tuple[int, int]
    """(rows, columns)."""
    dtype: np.dtype
    """As stored: big-endian."""
    bscale: float = 1.0
    bzero: float = 0.0
    blank: int | None = None
    """Stored integer that stands for no value."""

    @property
    def quantum(self) -> float:
        """Step between neighbouring values, 0 for floating-point pixels."""
        return abs(self.bscale) if self.dtype.kind in "iu" else 0.0

    def row_range(self, first: int, last: int) -> tuple[int, int]:
        """Offset and length in bytes of the rows first to last (half-open)."""
        row = self.shape[1] * self.dtype.itemsize
        return self.offset + first * row, (last - first) * row


def ones_complement_sum(data: bytes | memoryview) -> int:
    """32-bit ones' complement sum of big-endian words (FITS standard 4.0, appendix J)."""
    whole = len(data) // 4 * 4
    total = int(np.frombuffer(data[:whole], dtype=">u4").sum(dtype=np.uint64))
    if whole < len(data):
        total += int.from_bytes(bytes(data[whole:]).ljust(4, b"\0"), "big")
    while total >> 32:
        total = (total & ALL_ONES) + (total >> 32)
    return total


def is_zero_sum(total: int) -> bool:
    """Whether a ones' complement sum is (plus or minus) zero, as a right CHECKSUM makes it."""
    return total in (0, ALL_ONES)


def native(stored: np.ndarray, layout: PixelLayout) -> np.ndarray:
    """Physical values of stored pixels in the machine's byte order.

    Integers stay integers where BSCALE is 1 and BZERO whole, in a type that holds them all;
    everything else becomes floating point. BLANK becomes NaN.
    """
    if layout.dtype.kind == "f":
        pixels = stored.astype(stored.dtype.newbyteorder("="))
        if (layout.bscale, layout.bzero) != (1.0, 0.0):
            pixels = pixels.astype(np.float64) * layout.bscale + layout.bzero
        return pixels
    if layout.bscale == 1.0 and float(layout.bzero).is_integer():
        pixels = _shifted(stored, layout)
    else:
        pixels = stored.astype(np.float64) * layout.bscale + layout.bzero
    if layout.blank is not None:
        blank = stored == layout.blank
        if blank.any():
            pixels = pixels.astype(np.float64)
            pixels[blank] = np.nan
    return pixels


def _shifted(stored: np.ndarray, layout: PixelLayout) -> np.ndarray:
    plain = stored.astype(stored.dtype.newbyteorder("="))
    zero = int(layout.bzero)
    if zero == 0:
        return plain
    unsigned = 1 << (8 * plain.dtype.itemsize - 1)
    if plain.dtype.kind == "i" and zero == unsigned:
        # the unsigned convention: flipping the sign bit adds the offset
        raw = plain.view(plain.dtype.str.replace("i", "u"))
        return raw ^ raw.dtype.type(unsigned)
    limits = np.iinfo(plain.dtype)
    if abs(zero) < 2**62 and limits.bits <= 32:
        return plain.astype(np.int64) + zero
    return plain.astype(np.float64) + zero
