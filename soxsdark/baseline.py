"""What is subtracted from the raw pixels of an amplifier before all else: overscan, reference.

Both follow the electronics of one frame, not the light.
"""

from typing import Literal

import numpy as np

from soxsdark.amplifiers import Section

Overscan = Literal["none", "mean", "median", "polynomial"]
Reference = Literal["none", "median"]
Baseline = float | np.ndarray
"""ADU; an array is one value for each row (R, 1) or for each column (1, C) of the amplifier."""


def baseline_of(
    image: np.ndarray, section: Section, overscan: Overscan, reference: Reference, order: int
) -> Baseline:
    """Measure the baseline of one amplifier in one frame.

    The overscan is collapsed across to one value a line (mean or median), which follows the frame
    line by line; ``polynomial`` is a least-squares fit of `order` to the medians of the lines.
    Reference pixels give their median, one value.

    Parameters
    ----------
    image : ndarray, (rows, columns)
        The whole raw image, ADU; pixels that are not finite are left out.
    section : Section
        Of the amplifier. Without overscan or reference pixels nothing is subtracted.
    overscan, reference : str
        How; ``none``: not at all.
    order : int
        Of the polynomial.

    Returns
    -------
    float or ndarray
        0.0 if nothing is to be subtracted; NaN where there is no finite pixel.
    """
    if overscan != "none" and section.overscan is not None:
        same_rows = section.overscan[0] == section.raw[0]
        return _overscan(image[section.overscan], same_rows, overscan, order)
    if reference != "none" and section.reference:
        pixels = np.concatenate([image[window].ravel() for window in section.reference])
        return _middle(pixels)
    return 0.0


def _middle(pixels: np.ndarray) -> float:
    finite = pixels[np.isfinite(pixels)]
    return float(np.median(finite)) if finite.size else np.nan


def _overscan(strip: np.ndarray, same_rows: bool, how: Overscan, order: int) -> np.ndarray:
    along = 0 if same_rows else 1
    lines = np.where(np.isfinite(strip), strip, np.nan) if strip.dtype.kind == "f" else strip
    lines = lines if along == 0 else lines.T
    empty = np.isnan(lines).all(axis=1)
    values = np.full(len(lines), np.nan)
    collapse = np.nanmean if how == "mean" else np.nanmedian
    values[~empty] = collapse(lines[~empty], axis=1)
    if how == "polynomial" and not empty.all():
        at = np.arange(len(values))
        fit = np.polynomial.Polynomial.fit(at[~empty], values[~empty], order)
        values = fit(at)
    return values[:, None] if along == 0 else values[None, :]
