"""The ranges that hold for a set, and what a figure outside its range points to."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from soxsdark.kinds import BIAS, DARK
from soxsdark.region import Region
from soxsdark.settings_layers import RANGES
from soxsdark.verdicts import Ranges, metric_name

if TYPE_CHECKING:
    from soxsdark.inputs import Inputs

RIGHT_GAIN = 0.1
"""A slope this near to 1 speaks for the gain."""
ALIKE = 0.15
"""A wrong gain puts RON and slope off by the same factor; so near counts as the same, and a RON so
near to the nominal one as right."""

HINTS = {
    "MASTER RON": "the frames are not independent of one another, or one has a structure of its "
    "own: look at FRAME STRUCT and at the levels of the frames",
    "CLIPPED FRAC": "look at NREJ in the mask: many cosmic rays, light in a frame, or clipping "
    "too tight (stacked-clipping-sigma, stacked-clipping-deviation)",
    "REJ FRAMEMAX": "persistence, light or a burst of cosmic rays in that frame; look at it, "
    "leave it out",
    "NOISE FRAMEMAX": "interference, light or another read-out mode in that frame; look at it, "
    "leave it out",
    "NOISE FRAMEMIN": "that frame is no raw exposure of its own (an average, smoothed, scaled, a "
    "copy of another), or of another gain or read-out mode; leave it out",
    "SIGNAL FRAMEMAX": "hot pixels are brighter in that frame: it was exposed for longer, warmer, "
    "or of another gain; leave it out",
    "SIGNAL FRAMEMIN": "hot pixels are fainter in that frame: it was exposed for less, colder, of "
    "another gain, or their places moved; leave it out",
    "CUT FRAC": "the pedestal is too low, or too high, for the range of the raws: the mean and its "
    "noise are wrong; change the offset of the camera",
    "FRAME STRUCT": "light, persistence or a read-out that moved in that frame; look at it, "
    "leave it out",
    "HOTPIX FRAC": "a warm detector, light in all frames, or structure finer than background-box; "
    "look at the master and at DETECTOR TEMP",
    "COLDPIX FRAC": "dead columns, a dropped amplifier, or raws from which a dark was subtracted; "
    "look at the master",
    "BADPIX FRAC": "look at QUAL for the flag that most have; 128: the input bad-pixel map marks "
    "good pixels, or too many; 4096: saturation is too low; 8192: clipping excludes samples",
    "NOISYPIX FRAC": "interference, an unstable detector, or light in one of the frames; look at "
    "NOISE in the mask and at FRAME STRUCT",
    "PREV MOVED FRAC": "the detector changed since the previous master, or one of the two is "
    "wrong; compare their frames and temperatures",
}
"""What to look at, by metric."""


NOMINAL_RON = "NOMINAL RON"
LEVELS = ("MDARK MEDIAN", "MDARK MEAN")
NOT_OF = {
    DARK: ("MBIAS",),
    BIAS: ("MDARK", "DARK CURRENT", "GAIN SLOPE", "SIGNAL", "PREV"),
}
"""First words of metrics that a kind of set never has."""
PATTERN = ("HOTPIX FRAC", "COLDPIX FRAC", "BADPIX FRAC")
"""Metrics that profiles do not warn of in a bias, whose columns may stand out."""


def ranges_of(inputs: "Inputs", regions: Sequence[Region]) -> tuple[Ranges, tuple[str, ...]]:
    """The ranges that a set is judged against, and remarks on those that it is not.

    Levels are judged only where there is no pedestal in them; what needs a previous master, only
    where one was given.
    """
    kind, about = inputs.kind, inputs.darks[0].about
    skipped = NOT_OF[kind] if inputs.previous else (*NOT_OF[kind], "PREV")
    acceptable, remarks = {}, []
    for text, ends in inputs.settings.values.qc_acceptable_ranges.items():
        name = metric_name(text)
        if name.startswith(LEVELS) and kind is DARK and inputs.pedestal is not False:
            remarks.append(
                f"{text} is not judged: the level holds the bias pedestal, or may; give a master "
                "bias"
            )
        elif not name.startswith(skipped):
            acceptable[name] = ends
    warning = {metric_name(n): r for n, r in inputs.profile.warning_ranges(about.arm).items()}
    if kind is BIAS:
        warning = {name: r for name, r in warning.items() if name not in PATTERN}
    origin = inputs.settings.origins[RANGES]
    sources = f"{RANGES}, {origin}", f"qc-warning-ranges of profile {inputs.profile.name}"
    known = {region.name(NOMINAL_RON): region.nominal_ron for region in regions}
    return Ranges(acceptable, sources[0], warning, sources[1], known), tuple(remarks)


def hints_of(
    inputs: "Inputs", regions: Sequence[Region], values: Mapping[str, float | None]
) -> Mapping[str, str]:
    """What to look at for each metric, RAW RON by what the slope says of the gain."""
    after = ""
    if inputs.pedestal is not False and inputs.kind is DARK:
        after = "; the shot noise of the dark is in it, since its level is not known without bias"
    names = {region.name("RAW RON"): region for region in regions}
    return HINTS | {name: _ron_hint(r, values[name]) + after for name, r in names.items()}


def _ron_hint(region: Region, ron: float | None) -> str:
    """Tell a wrong gain from a wrong RON: a gain too high raises RON and slope by one factor."""
    slope, nominal = region.slope, region.nominal_ron
    gain = f"the gain of {region.gain.value:.4g} e-/ADU ({region.gain.source})"
    if nominal is None or ron is None:
        return f"look at the read-out, and at {gain}"
    expected = f"the RON of {region.ron.value:.4g} e- ({region.ron.source})"
    if abs(ron / nominal - 1) < ALIKE:
        return f"it agrees with {expected}: look at the range"
    if abs(slope - 1) <= max(RIGHT_GAIN, 3 * region.slope_error):
        return (
            f"GAIN SLOPE {slope:.3f} speaks for the gain: {expected} is likely wrong, or the "
            "read-out has changed"
        )
    if math.isfinite(slope) and abs(ron / nominal / slope - 1) < ALIKE:
        return (
            f"GAIN SLOPE is off by the same factor, {slope:.3f}: {gain} is likely wrong, "
            f"{region.gain.value / slope:.4g} would suit both"
        )
    return f"{expected} or {gain} is wrong, or the read-out has changed"
