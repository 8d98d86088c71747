"""The detector's temperature in a set: its mean, its scatter, and whether they are right."""

import math
from collections.abc import Sequence

import numpy as np

from soxsdark.one_setup import within
from soxsdark.survey import RawDark
from soxsdark.verdicts import Metric, QaFlag


def temperature_metrics(darks: Sequence[RawDark], limit: float | None) -> list[Metric]:
    """Metrics of the detector temperature; none where no frame says it.

    Parameters
    ----------
    darks : sequence of RawDark
    limit : float or None
        By how much the temperatures may spread, and be off the set-point; None: by any amount.
    """
    known = [d for d in darks if d.about.temperature is not None]
    if not known:
        return []
    values = [_of(d) for d in known]
    mean, rms = float(np.mean(values)), float(np.std(values))
    return [
        _warned("DETECTOR TEMP", mean, "Mean detector temperature", _off_set_point(known, limit)),
        _warned("DETECTOR TEMP RMS", rms, "Its scatter over the frames", _spread(known, limit)),
    ]


def _warned(name: str, value: float, comment: str, why: str) -> Metric:
    return Metric(name, value, "", comment, QaFlag.PARTIAL if why else QaFlag.GOOD, why)


def _of(dark: RawDark) -> float:
    """Return the temperature, NaN where there is none."""
    found = dark.about.temperature
    return math.nan if found is None else found


def _spread(known: Sequence[RawDark], limit: float | None) -> str:
    """Say by how much the temperatures spread too far; empty if they do not."""
    coldest = min(known, key=_of)
    warmest = max(known, key=_of)
    spread = _of(warmest) - _of(coldest)
    if limit is None or within(spread, limit):
        return ""
    ordered = sorted(known, key=lambda d: d.about.mjd_obs or 0.0)
    return (
        f"the detector temperature spreads over {spread:.3g} from {ordered[0].name} to "
        f"{ordered[-1].name}, at most {limit:g} (maximum-temperature-spread) is expected: "
        f"{_of(coldest):.5g} in {coldest.name}, {_of(warmest):.5g} in "
        f"{warmest.name}"
    )


def _off_set_point(known: Sequence[RawDark], limit: float | None) -> str:
    """Say how far the mean temperature is from the set-point; empty if near, or not known."""
    pairs = [(_of(d), d.about.set_point) for d in known if d.about.set_point is not None]
    if limit is None or not pairs:
        return ""
    temperature, point = (float(value) for value in np.mean(pairs, axis=0))
    off = abs(temperature - point)
    if within(off, limit):
        return ""
    return (
        f"the detector temperature, {temperature:.5g} in the mean, is {off:.3g} from its set-point "
        f"of {point:.5g}, at most {limit:g} (maximum-temperature-spread) is expected"
    )
