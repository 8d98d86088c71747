"""The science pixels of a raw image, by its shape and binning."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from soxsdark.orientation import Window, raw_window, turned_lengths

if TYPE_CHECKING:
    from soxsdark.instruments import Detector


def science_window(
    shape: tuple[int, int], detector: "Detector", binning: tuple[int, int], trim: bool
) -> tuple[Window, bool, str | None]:
    """Choose the pixels of a raw image to use.

    Parameters
    ----------
    shape : (rows, columns)
        Of the raw image.
    detector : Detector
        Of the arm.
    binning : (x, y)
        Of the raw image.
    trim : bool
        False: use all pixels.

    Returns
    -------
    window : (slice, slice)
        Rows and columns of the raw image, as it lies in the file.
    trimmed : bool
    remark : str or None
        Why the frame is not trimmed although the detector has a science window.
    """
    whole = (slice(0, shape[0]), slice(0, shape[1]))
    if detector.shape is None or detector.rows is None or detector.columns is None:
        return whole, False, None
    by = binning[::-1]
    for factor in (by, (1, 1)):
        full = tuple(length // n for length, n in zip(detector.shape, factor, strict=True))
        window = _binned_window(detector, full, factor)
        if tuple(shape) == full:
            if not trim:
                return whole, False, "not trimmed: trim is false, all pixels are used"
            odd = f"full unbinned frame although binning is {size_text(binning)}"
            return window, True, None if factor == by else odd
        if tuple(shape) == tuple(part.stop - part.start for part in window):
            return whole, False, None
    remark = (
        f"not trimmed: shape {size_text(shape)} (rows x columns) is neither that of a full frame, "
        f"{size_text(detector.shape)}, nor of its science pixels, at binning {size_text(binning)}"
    )
    return whole, False, remark


def _binned_window(detector: "Detector", full: tuple[int, int], factor: tuple[int, int]) -> Window:
    """Whole science pixels of a binned raw frame; `full` and `factor` are (rows, columns) of it."""
    turned = tuple(
        slice(-(-start // n), stop // n)
        for (start, stop), n in zip(
            (detector.rows, detector.columns),
            turned_lengths(factor, detector.rotation),
            strict=True,
        )
    )
    return raw_window(turned, full, detector.rotation)


def size_text(lengths: Sequence[Any]) -> str:
    """Return 2048x2048 for (2048, 2048)."""
    return "x".join(str(length) for length in lengths)
