"""FITS at the level of bytes: sums that show whether a file is whole, and native pixels."""

from dataclasses import dataclass

import numpy as np

from soxsdark.compiled import kernel

ALL_ONES = 0xFFFFFFFF
SORTED_BYTES = 6
"""For each byte of floating-point values: their copies, sorted and counted."""
_PAIRS = 1 << 15
"""Pairs of words summed at a time: few enough to stay in the processor's cache."""
_ZERO = ord("0")
_PLAIN = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


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

    @property
    def work_a_pixel(self) -> int:
        """Bytes for each pixel that `native` and the sorting of its values take beside it."""
        if self.dtype.kind == "f" and (self.bscale, self.bzero) == (1.0, 0.0):
            return SORTED_BYTES * self.dtype.itemsize
        whole = self.bscale == 1.0 and float(self.bzero).is_integer() and self.blank is None
        unsigned = self.bzero in (0.0, float(1 << (8 * self.dtype.itemsize - 1)))
        if whole and unsigned:
            return 1
        return 9 if whole else SORTED_BYTES * 8 + 8

    def row_range(self, first: int, last: int) -> tuple[int, int]:
        """Offset and length in bytes of the rows first to last (half-open)."""
        row = self.shape[1] * self.dtype.itemsize
        return self.offset + first * row, (last - first) * row


def ones_complement_sum(data: bytes | memoryview | np.ndarray, total: int = 0) -> int:
    """32-bit ones' complement sum of big-endian words (FITS standard 4.0, appendix J).

    Parameters
    ----------
    data : bytes-like
        One dimension of bytes; the last word is filled up with zeros.
    total : int
        Sum of what stands before it, a whole number of words.
    """
    whole = len(data) // 8 * 8
    compiled = kernel()
    total += _sum_of_words(data[:whole]) if compiled is None else compiled.sum_words(data[:whole])
    total += int.from_bytes(bytes(data[whole:]).ljust(8, b"\0"), "big")
    while total >> 32:
        total = (total & ALL_ONES) + (total >> 32)
    return total


def _sum_of_words(data: bytes | memoryview | np.ndarray) -> int:
    """Sum of big-endian words of 32 bits, an even number of them."""
    pairs, total = np.frombuffer(data, dtype=">u8"), 0
    buffer = np.empty(min(_PAIRS, len(pairs)), np.uint64)
    for first in range(0, len(pairs), _PAIRS):
        native_pairs = buffer[: len(pairs) - first]
        native_pairs[:] = pairs[first : first + _PAIRS]
        # the sum of both words may wrap, that of one word each cannot
        both = int(np.add.reduce(native_pairs))
        native_pairs >>= 32
        upper = int(np.add.reduce(native_pairs))
        total += upper + ((both - (upper << 32)) & 0xFFFFFFFFFFFFFFFF)
    return total


def encoded_checksum(total: int) -> bytes:
    """Value of CHECKSUM, 16 characters, that makes a sum of `total` minus zero.

    The value is made for the place that a CHECKSUM card gives it, and `total` is the sum with
    sixteen ``0`` there (FITS standard 4.0, appendix J).
    """
    columns = []
    for byte in (ALL_ONES - total).to_bytes(4, "big"):
        quarter, rest = divmod(byte, 4)
        column = [_ZERO + quarter + rest, *3 * [_ZERO + quarter]]
        # letters and digits only: what one of a pair gains the other loses
        for i in (0, 2):
            while not _PLAIN.issuperset(column[i : i + 2]):
                column[i] += 1
                column[i + 1] -= 1
        columns.append(column)
    code = bytes(letter for row in zip(*columns, strict=True) for letter in row)
    return code[-1:] + code[:-1]


def is_zero_sum(total: int) -> bool:
    """Whether a ones' complement sum is (plus or minus) zero, as a right CHECKSUM makes it."""
    return total in (0, ALL_ONES)


def native(stored: np.ndarray, layout: PixelLayout, *, reuse: bool = False) -> np.ndarray:
    """Physical values of stored pixels in the machine's byte order.

    Integers stay integers where BSCALE is 1 and BZERO whole, in a type that holds them all;
    everything else becomes floating point. BLANK becomes NaN. With `reuse` the memory of
    `stored` may be taken for the result.
    """
    blank = None if layout.blank is None else stored == layout.blank
    plain = _native_order(stored, reuse)
    if plain.dtype.kind == "f":
        if (layout.bscale, layout.bzero) != (1.0, 0.0):
            plain = plain.astype(np.float64) * layout.bscale + layout.bzero
        return plain
    if layout.bscale == 1.0 and float(layout.bzero).is_integer():
        pixels = _shifted(plain, int(layout.bzero))
    else:
        pixels = plain.astype(np.float64) * layout.bscale + layout.bzero
    if blank is not None and blank.any():
        pixels = pixels.astype(np.float64)
        pixels[blank] = np.nan
    return pixels


def _native_order(stored: np.ndarray, reuse: bool) -> np.ndarray:
    order = stored.dtype.newbyteorder("=")
    if not reuse:
        return stored.astype(order)
    if stored.dtype.isnative:
        return stored
    compiled = kernel()
    if compiled is not None and stored.itemsize in (2, 4):
        # NumPy's own keeps all other threads waiting
        compiled.swap(stored.view(f"u{stored.itemsize}"))
        return stored.view(order)
    return stored.byteswap(inplace=True).view(order)


def _shifted(plain: np.ndarray, zero: int) -> np.ndarray:
    """Integers with BZERO added; the memory of `plain` may be taken."""
    if zero == 0:
        return plain
    unsigned = 1 << (8 * plain.dtype.itemsize - 1)
    if plain.dtype.kind == "i" and zero == unsigned:
        # the unsigned convention: flipping the sign bit adds the offset
        raw = plain.view(plain.dtype.str.replace("i", "u"))
        raw ^= raw.dtype.type(unsigned)
        return raw
    limits = np.iinfo(plain.dtype)
    if abs(zero) < 2**62 and limits.bits <= 32:
        return plain.astype(np.int64) + zero
    return plain.astype(np.float64) + zero
