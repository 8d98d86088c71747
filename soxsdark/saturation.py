"""From how many electrons on a sample is saturated: raw ADU less the level of its frame."""

import math
from collections.abc import Sequence

import numpy as np

from soxsdark.survey import RawDark, Survey, SurveyedFrame


class SaturationLimits:
    """The limit of every frame and amplifier, in electrons above the level."""

    def __init__(self, darks: Sequence[RawDark], survey: Survey) -> None:
        about = darks[0].about
        self._width = about.shape[1]
        self._places = [amplifier.place for amplifier in about.amplifiers]
        pairs = zip(darks, survey.frames, strict=True)
        self._frames = [_limits(dark, found, survey.gains) for dark, found in pairs]
        self._lines = any(np.ndim(limit) for frame in self._frames for limit in frame)
        self.lowest = min(float(np.min(limit)) for frame in self._frames for limit in frame)
        """Below it no sample is saturated."""

    def at(self, pixels: np.ndarray) -> np.ndarray:
        """Return the limits for P pixels of the science image, given in reading order.

        They are (N, P), or (N, 1) where each frame has one limit for all of its pixels.
        """
        if not self._lines and len(self._places) == 1:
            return np.array(self._frames)
        row, column = np.divmod(pixels, self._width)
        result = np.empty((len(self._frames), len(pixels)), np.float32)
        for number, (rows, columns) in enumerate(self._places):
            inside = (row >= rows.start) & (row < rows.stop)
            here = np.flatnonzero(inside & (column >= columns.start) & (column < columns.stop))
            own = row[here] - rows.start, column[here] - columns.start
            shape = rows.stop - rows.start, columns.stop - columns.start
            for frame, limits in enumerate(self._frames):
                result[frame, here] = np.broadcast_to(limits[number], shape)[own]
        return result


def _limits(
    dark: RawDark, found: SurveyedFrame, gains: Sequence[float]
) -> list[np.ndarray | np.float32]:
    limit = dark.about.saturation.value
    if limit is None:
        return [np.float32(math.inf)] * len(gains)
    pairs = zip(found.levels, gains, strict=True)
    # as the electrons are made of the raw values, so that equal ones are equal here
    return [np.multiply(limit - level.offset, gain).astype(np.float32) for level, gain in pairs]
