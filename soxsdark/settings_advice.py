"""What can be said against settings that are valid: clips without effect, ranges without sense."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from soxsdark.metric_names import ABSOLUTE_ZERO, FRACTION, METRICS, Limits, limits_of
from soxsdark.settings import Settings
from soxsdark.settings_layers import ARMS, RANGES, Given, line_of, nearest, show
from soxsdark.settings_model import MdarkSettings

SHARE_LOST = 0.05
"""Share of good samples or pixels from which on the loss by a clip is told."""
SHARE_FLAGGED = 0.002
"""Share of good pixels from which on it is told that they are flagged."""
SHIFT = 0.01
"""Shift of the level from which on unequal limits are told; its unit is sigma."""
COLD_PROFILES = ("soxs", "xsh")
"""Profiles whose detectors have an operating temperature, where the settings name none."""
MOST_SIGMA = 1000.0
"""Sigma beyond which no set of frames is large enough, so that larger ones count as this."""

Advice = tuple[tuple[str, ...], str]
"""The keys that it is about, and what there is to say."""
Told = tuple[str, str, str]
"""The same of what was given: place, key as it was written, what there is to say."""


@dataclass(frozen=True)
class _Arm:
    """The settings of one arm, and what of them was given."""

    name: str | None
    values: MdarkSettings
    given: Mapping[str, Given]


def advice(settings: Settings) -> list[str]:
    """Return what can be said against valid settings, one line for each, in file order.

    A key at its default is never the reason.
    """
    lines: dict[tuple[str, str], str] = {}
    for name in (None, *ARMS):
        arm = _Arm(name, settings.for_arm(name).values, settings.given(name))
        for place, label, text in (*_on_keys(arm), *_ranges(arm), *_temperature(arm)):
            lines.setdefault((place, text), f"{place}: {label}: {text}")
    return sorted(lines.values(), key=line_of)


def _on_keys(arm: _Arm) -> Iterator[Told]:
    for rule in (_frame_limits, _frame_loss, _stack, _std, _flagged):
        for keys, text in rule(arm.values):
            given = [arm.given[key] for key in keys if key in arm.given]
            if given:
                yield given[0].place, given[0].label, text


def least_frames_for_std(k: float) -> int:
    """Return the least number of samples of which one can lie more than k deviations off.

    Off the median, in standard deviations of all samples (division by their number N). The
    farthest sample can lie ``sqrt(N (N + 3) / (N + 1))`` off for odd N, and
    ``sqrt(N (N + 4) / (N + 2))`` for even N: half of the others lie on the median, those on its
    own side at N/2 + 3/2 (N/2 + 2) times less distance.
    """
    square = min(k, MOST_SIGMA) ** 2
    odd = max(1, math.floor(_root(square - 3, square)))
    even = max(2, math.floor(_root(square - 4, 2 * square)))
    return min(odd + (2 if odd % 2 else 1), even + (1 if even % 2 else 2))


def _root(linear: float, constant: float) -> float:
    """Return the larger x of ``x**2 = linear x + constant``."""
    return (linear + math.sqrt(linear**2 + 4 * constant)) / 2


def _std(values: MdarkSettings) -> Iterator[Advice]:
    k, least = values.stacked_clipping_sigma, values.minimum_frame_count
    if values.stacked_clipping_deviation != "std" or not values.stacked_clipping_iterations:
        return
    # of N samples none lies more than (N - 1)/sqrt(N) sample standard deviations off their mean
    square = min(k, MOST_SIGMA) ** 2
    hardly = math.floor(_root(square + 2, -1))
    if least <= hardly:
        yield (
            ("stacked-clipping-deviation", "stacked-clipping-sigma", "minimum-frame-count"),
            f'found "std" at {k:g} sigma: of {least_frames_for_std(k) - 1} frames or fewer no '
            f"sample can lie that far out, so nothing is rejected, and of {hardly} or fewer hardly "
            f"anything; minimum-frame-count is {least}; expected noise-model",
        )


def _stack(values: MdarkSettings) -> Iterator[Advice]:
    if values.minimum_frame_count < 3:
        yield (
            ("minimum-frame-count",),
            "found 2: stacks of two frames are never clipped, cosmic rays stay in; expected 3",
        )
    k, iterations = values.stacked_clipping_sigma, values.stacked_clipping_iterations
    if not iterations:
        yield (
            ("stacked-clipping-sigma",),
            f"found {k:g}, which has no effect: stacked-clipping-iterations is 0",
        )
    elif (lost := math.erfc(k / math.sqrt(2))) > SHARE_LOST:
        yield ("stacked-clipping-sigma",), _lost(k, lost, "samples")


def _frame_loss(values: MdarkSettings) -> Iterator[Advice]:
    limits = {
        "frame-clipping-sigma": (values.frame_clipping_sigma, 1),
        "clipping-lower-sigma": (values.clipping_lower_sigma, 0.5),
        "clipping-upper-sigma": (values.clipping_upper_sigma, 0.5),
    }
    for key, (k, sides) in limits.items():
        if k is None:
            continue
        if not values.clipping_iteration_count:
            text = f"found {k:g}, which has no effect: clipping-iteration-count is 0"
            yield (key,), text
        elif (lost := sides * math.erfc(k / math.sqrt(2))) > SHARE_LOST:
            yield (key,), _lost(k, lost, "pixels")


def _lost(k: float, share: float, what: str) -> str:
    return f"found {k:g}: {100 * share:.0f} % of the good {what} are clipped in each iteration"


def _frame_limits(values: MdarkSettings) -> Iterator[Advice]:
    low, high = values.frame_lower_sigma, values.frame_upper_sigma
    if not values.clipping_iteration_count:
        return
    inside = (math.erf(low / math.sqrt(2)) + math.erf(high / math.sqrt(2))) / 2
    shift = (_density(low) - _density(high)) / inside
    if abs(shift) > SHIFT:
        yield (
            ("clipping-lower-sigma", "clipping-upper-sigma"),
            f"found {low:g} below and {high:g} above: such unequal limits move the level of every "
            f"frame by {shift:+.2f} sigma",
        )


def _density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _flagged(values: MdarkSettings) -> Iterator[Advice]:
    names = {"hot-pixel-sigma": "hot", "cold-pixel-sigma": "cold"}
    names["noise-clipping-upper-sigma"] = "noisy"
    names["noise-clipping-lower-sigma"] = "dead"
    for key, name in names.items():
        k = getattr(values, key.replace("-", "_"))
        share = 0 if k is None else math.erfc(k / math.sqrt(2)) / 2
        if share > SHARE_FLAGGED:
            yield (
                (key,),
                f"found {k:g}: chance alone makes {100 * share:.2g} % of the good pixels {name}",
            )


def _ranges(arm: _Arm) -> Iterator[Told]:
    """What is wrong with the name or the values of each quality range."""
    for name, given in arm.values.qc_acceptable_ranges.items():
        limits = limits_of(name)
        if limits is None:
            yield *_of_range(arm, name), f"names no metric{nearest(name, METRICS)}"
            continue
        (low, high), (least, most) = _bounds(given), limits
        if high < least or low > most:
            text = f"found {_written(arm, name)}, {name} is {_interval(limits)}: it is never inside"
            yield *_of_range(arm, name), text
        elif limits == FRACTION and low <= least and high >= most:
            found = _written(arm, name)
            text = f"found {found}, {name} is a fraction, never above 1: it is always inside"
            yield *_of_range(arm, name), text


def _temperature(arm: _Arm) -> Iterator[Told]:
    """Say that no detector of an arm works in the range given for its temperature."""
    given = arm.values.qc_acceptable_ranges.get("detector-temp", (None, None))
    if arm.name is None or given == (None, None):
        return
    from soxsdark.instruments import load_profile

    names = [arm.values.instrument] if arm.values.instrument else COLD_PROFILES
    detectors = [load_profile(name).arms.get(arm.name.upper()) for name in names]
    known = [d.operating_temperature for d in detectors if d and d.operating_temperature]
    celsius = [(a + ABSOLUTE_ZERO, b + ABSOLUTE_ZERO) for a, b in known]
    low, high = _bounds(given)
    if known and not any(low <= b and a <= high for a, b in (*known, *celsius)):
        works = " or ".join(f"{a:g} to {b:g} K" for a, b in dict.fromkeys(known))
        found = _written(arm, "detector-temp")
        text = f"found {found}, the detector of {arm.name.upper()} works at {works}"
        yield *_of_range(arm, "detector-temp"), text


def _of_range(arm: _Arm, name: str) -> tuple[str, str]:
    item = arm.given[RANGES]
    return item.parts[name], f"{item.label}: {name}"


def _written(arm: _Arm, name: str) -> str:
    ranges: Any = arm.given[RANGES].value
    return show(ranges[name])


def _bounds(given: tuple[float | None, float | None]) -> Limits:
    low, high = given
    return -math.inf if low is None else low, math.inf if high is None else high


def _interval(limits: Limits) -> str:
    low, high = limits
    return f"from {low:g} to {high:g}" if high < math.inf else f"at least {low:g}"
