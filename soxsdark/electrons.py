"""ADU to electrons above the level of a frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from soxsdark.compiled import contiguous_rows, kernel

TYPES = "hHifd"
"""Type codes of pixels that the compiled kernel knows."""


def to_electrons(
    pixels: np.ndarray, level: float | np.ndarray, gain: float, out: np.ndarray | None = None
) -> np.ndarray:
    """``(pixels - level) * gain`` in double precision, rounded to float32.

    Parameters
    ----------
    pixels : ndarray
        ADU.
    level : float or ndarray
        ADU; an array is one value a row or a column.
    gain : float
        Electrons for each ADU.
    out : ndarray of float32, same number of elements, contiguous, optional
        Where the result goes.
    """
    if out is None:
        out = np.empty(pixels.shape, dtype=np.float32)
    compiled = None if np.ndim(level) else kernel()
    if compiled is not None and pixels.dtype.isnative and pixels.dtype.char in TYPES:
        compiled.electrons(contiguous_rows(pixels), level, gain, out)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            difference = np.subtract(pixels, level, dtype=np.float64)
            out[...] = np.multiply(difference, gain, out=difference).reshape(out.shape)
    return out


@dataclass(frozen=True)
class Samples:
    """Pixels of a frame as they were read, which give electrons where they are asked for.

    To convert some of them twice is faster than to keep all of them twice.
    """

    pixels: np.ndarray
    """(rows, columns), ADU."""
    level: float
    gain: float
    """As in `to_electrons`."""

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.pixels.shape

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.pixels.size

    @property
    def dtype(self) -> np.dtype:
        """Of the electrons."""
        return np.dtype(np.float32)

    def __getitem__(self, where: Any) -> np.ndarray:
        """Some of the pixels, electrons above the level, float32."""
        return to_electrons(self.pixels[where], self.level, self.gain)


def for_kernel(image: np.ndarray | Samples) -> tuple[np.ndarray, float, float]:
    """Pixels, level and gain, as the kernel takes them, of samples or of an image of electrons."""
    if not isinstance(image, Samples):
        return np.ascontiguousarray(image, dtype=np.float32), 0.0, 1.0
    if image.pixels.dtype.isnative and image.pixels.dtype.char in TYPES:
        return contiguous_rows(image.pixels), image.level, image.gain
    return image[:], 0.0, 1.0
