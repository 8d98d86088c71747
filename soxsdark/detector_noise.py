"""The noise models of all amplifiers of a detector, as one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from soxsdark.amplifiers import RowsOf, join_rows
from soxsdark.noise_model import NoiseModel
from soxsdark.orientation import Window


@dataclass(frozen=True)
class DetectorNoise:
    """The expected noise of one sample of each pixel; electrons."""

    parts: tuple[tuple[Window, NoiseModel], ...]
    """Place and model of each amplifier."""
    pattern: RowsOf | None = None
    """Fixed pattern under the signal, for pixel rows first to last; None: not known."""

    @property
    def models(self) -> tuple[NoiseModel, ...]:
        """One an amplifier."""
        return tuple(model for _, model in self.parts)

    @property
    def sigma(self) -> float:
        """Sigma-zero, typical of the detector: the median over its blocks."""
        if len(self.parts) == 1:
            return self.models[0].sigma
        blocks = [(model.sigma * model.ratio).ravel() for model in self.models]
        return float(np.median(np.concatenate(blocks)))

    @property
    def slope(self) -> float:
        """Variance added per electron of signal that is used: one for all amplifiers."""
        return self.models[0].slope

    @property
    def variance_slope(self) -> float:
        """Variance added for each electron of signal: `slope` over NDIT."""
        return self.models[0].variance_slope

    @property
    def measured_slope(self) -> float:
        """Mean over the amplifiers, weighted by their errors; NaN: not measured."""
        return _mean_slope(self.models)[0]

    @property
    def measured_slope_error(self) -> float:
        """Error of `measured_slope`."""
        return _mean_slope(self.models)[1]

    def sigma_rows(self, first: int, last: int) -> np.ndarray:
        """Noise of an ordinary sample for pixel rows first to last (half-open), float32."""
        return join_rows([(place, m.sigma_rows) for place, m in self.parts], first, last)

    def background_rows(self, first: int, last: int) -> np.ndarray:
        """What is under the signal of pixel rows first to last (half-open), float32.

        The background above the mean level and, where it is known, the fixed pattern, which
        has no shot noise.
        """
        smooth = join_rows([(place, m.background_rows) for place, m in self.parts], first, last)
        return smooth if self.pattern is None else smooth + self.pattern(first, last)


def join_models(
    parts: Sequence[tuple[Window, NoiseModel]], *, gain_known: bool, pattern: RowsOf | None = None
) -> DetectorNoise:
    """Give all amplifiers one slope: where the gain is not known, the measured one.

    Parameters
    ----------
    parts : sequence of (Window, NoiseModel)
        Place and model of each amplifier.
    gain_known : bool
    pattern : callable, optional
        As in `DetectorNoise`.
    """
    joined = DetectorNoise(tuple(parts), pattern)
    if gain_known or len(parts) == 1:
        return joined
    measured = joined.measured_slope
    slope = measured if math.isfinite(measured) and measured > 0 else 1.0
    same = partial(replace, slope=slope)
    return replace(joined, parts=tuple((place, same(model)) for place, model in parts))


def _mean_slope(models: Sequence[NoiseModel]) -> tuple[float, float]:
    known = [m for m in models if math.isfinite(m.measured_slope)]
    if len(known) < 2:
        only = known[0] if known else models[0]
        return only.measured_slope, only.measured_slope_error
    weights = np.array([1 / max(m.measured_slope_error, 1e-9) ** 2 for m in known])
    slopes = np.array([m.measured_slope for m in known])
    return float((weights * slopes).sum() / weights.sum()), float(1 / math.sqrt(weights.sum()))
