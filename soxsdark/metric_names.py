"""Names of the quality metrics, and the values that each can have at all."""

import math
import re

Limits = tuple[float, float]

ANY: Limits = (-math.inf, math.inf)
NOT_NEGATIVE: Limits = (0, math.inf)
FRACTION: Limits = (0, 1)
ABSOLUTE_ZERO = -273.15
"""degree Celsius; the header's unit may be that or kelvin."""

METRICS: dict[str, Limits] = {
    "nframes": NOT_NEGATIVE,
    "mdark-median": ANY,
    "mdark-mean": ANY,
    "mbias-median": ANY,
    "mbias-mean": ANY,
    "dark-current": ANY,
    "dark-current-err": NOT_NEGATIVE,
    "raw-ron": NOT_NEGATIVE,
    "master-ron": NOT_NEGATIVE,
    "master-ron-pred": NOT_NEGATIVE,
    "fpn": NOT_NEGATIVE,
    "colstruct": NOT_NEGATIVE,
    "rowstruct": NOT_NEGATIVE,
    "hotpix-num": NOT_NEGATIVE,
    "hotpix-frac": FRACTION,
    "coldpix-num": NOT_NEGATIVE,
    "coldpix-frac": FRACTION,
    "noisypix-num": NOT_NEGATIVE,
    "noisypix-frac": FRACTION,
    "badpix-num": NOT_NEGATIVE,
    "badpix-frac": FRACTION,
    "clipped-frac": FRACTION,
    "rej-framemax": NOT_NEGATIVE,
    "cut-frac": FRACTION,
    "signal-framemax": ANY,
    "signal-framemin": ANY,
    "noise-framemax": NOT_NEGATIVE,
    "noise-framemin": NOT_NEGATIVE,
    "frame-struct": NOT_NEGATIVE,
    "level-drift": NOT_NEGATIVE,
    "gain-slope": ANY,
    "detector-temp": (ABSOLUTE_ZERO, math.inf),
    "detector-temp-rms": NOT_NEGATIVE,
    "prev-moved-frac": FRACTION,
    "prev-level-diff": ANY,
    "prev-hot-new": NOT_NEGATIVE,
    "prev-hot-gone": NOT_NEGATIVE,
}
"""Each metric as it is called in the settings."""


def limits_of(name: str) -> Limits | None:
    """Return the least and greatest value of a metric, None for a name that is no metric's.

    That of one amplifier has the name of the whole detector's and a number.
    """
    return METRICS.get(name) or METRICS.get(re.sub(r"-[1-9]\d*\Z", "", name))
