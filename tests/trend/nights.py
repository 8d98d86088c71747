"""Fourteen nights, one of them noisier."""

import numpy as np

NIGHTS, BAD_NIGHT = 14, 12
RANGES = ["qc-acceptable-ranges={raw-ron: [5, 9]}"]


def noisier(night: int, data: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The last night but one has a read noise of 8.7 e-, not 7.3; it is within its range."""
    return data + random.normal(0, 2.0, data.shape).round() if night == BAD_NIGHT else data
