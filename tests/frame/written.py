"""Raw frames, written and read."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.frame import Frame

SHAPE = (11, 17)


def whole_range(dtype: str) -> np.ndarray:
    """Pixels of every size, with both ends of the type's range among them."""
    rng = np.random.default_rng(5)
    if np.dtype(dtype).kind == "f":
        return rng.normal(-3, 1e4, SHAPE).astype(dtype)
    limits = np.iinfo(dtype)
    pixels = rng.integers(limits.min, limits.max, SHAPE, dtype=dtype, endpoint=True)
    pixels[0, :2] = limits.min, limits.max
    return pixels


def write(path: Path, pixels: np.ndarray | None = None, header=(), *, checksum=False) -> Path:
    if pixels is None:
        pixels = whole_range("i2")
    hdu = fits.PrimaryHDU(pixels)
    hdu.header.extend(list(header))
    hdu.writeto(path, checksum=checksum)
    return path


def write_stored(path: Path, stored: np.ndarray, **cards: float) -> Path:
    """Write integers as they are, beside scaling keywords that astropy does not touch."""
    fits.PrimaryHDU(stored).writeto(path)
    content = path.read_bytes()
    end = content.index(b"END" + b" " * 77)
    extra = b"".join(fits.Card(key, value).image.encode() for key, value in cards.items())
    header = (content[:end] + extra + b"END").ljust(2880)
    path.write_bytes(header + content[2880:])
    return path


def pixels_of(path: Path, extension: int | str | None = None) -> np.ndarray:
    """Pixels of a frame, read in both ways, which must agree."""
    frame = Frame.open(path, extension)
    whole = frame.load().pixels
    rows = frame.layout.shape[0]
    parts = [frame.read_rows(top, min(top + 4, rows)) for top in range(0, rows, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert parts[0].dtype == whole.dtype
    assert whole.dtype.isnative
    return whole
