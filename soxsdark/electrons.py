"""ADU to electrons above the level of a frame."""

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
