"""Why a pixel has a flag or has it not: the numbers and the limits behind each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.flags import Flag, hot_and_cold
from soxsdark.reduction import Reduced, limits_of

if TYPE_CHECKING:
    from soxsdark.explain import Place, Sample, StackNoise, Value


@dataclass(frozen=True)
class FlagReason:
    """One flag, and why it holds or does not."""

    flag: Flag
    holds: bool
    why: str


def flag_reasons(
    reduced: Reduced,
    place: "Place",
    product: "Value",
    samples: Sequence["Sample"],
    *,
    noise: "StackNoise",
    quiet: float,
) -> tuple[FlagReason, ...]:
    """Say of each flag whether it holds and why.

    Parameters
    ----------
    reduced : Reduced
    place : Place
    product : Value
        The pixel in the products.
    samples : sequence of Sample
    noise : StackNoise
        What the noise map says of it.
    quiet : float
        As in `NoiseBlock`.
    """
    averaged = [s for s in samples if s.fate == "averaged"]
    full = sum(s.saturated for s in averaged)
    return (
        _listed(reduced, place),
        *_hot_and_cold(reduced, place, product, samples, quiet),
        FlagReason(
            Flag.SATURATED, full > 0, f"{full} of {len(averaged)} averaged samples are saturated"
        ),
        FlagReason(Flag.EMPTY, not averaged, f"{len(averaged)} samples were averaged"),
        FlagReason(Flag.NOISY, noise.noisy, _noisy(noise)),
    )


def _noisy(noise: "StackNoise") -> str:
    if noise.unclipped:
        return "clipping would leave fewer than two samples, so that all are kept"
    if not noise.tests:
        return "fewer than two samples: its noise cannot be judged"
    # all sums have to be above their limits: the lowest decides
    test = min(noise.tests, key=lambda test: test.value / test.limit)
    sign, number = ">" if test.value > test.limit else "<=", test.forgiven
    forgiven = f" without its {number} highest sample{'s' * (number > 1)}" if number else ""
    return f"sum of squares{forgiven} {test.value:.6g} {sign} {test.limit:.6g}"


def _listed(reduced: Reduced, place: "Place") -> FlagReason:
    given = (reduced.inputs.bad_pixel_map, reduced.inputs.master_bias)
    bad = [c.path.name for c in given if c is not None and c.bad[place.science]]
    why = f"bad in {' and '.join(bad)}" if bad else "in no map of bad pixels"
    return FlagReason(Flag.INPUT, bool(bad), why)


def _hot_and_cold(
    reduced: Reduced, place: "Place", product: "Value", samples: Sequence["Sample"], quiet: float
) -> Iterator[FlagReason]:
    background = reduced.backgrounds[place.amplifier]
    limits = limits_of(reduced.inputs, background.sigma)
    excess = _excess(reduced, place, product)
    noise = max(background.sigma, product.errs)
    hot, cold = (bool(m[0]) for m in hot_and_cold(_one(excess), _one(product.errs), limits))
    which = "spatial sigma" if noise == background.sigma else "ERRS"
    above, below = limits.hot_sigma * noise, -limits.cold_sigma * noise
    hot_why = [
        f"excess {excess:.6g} e- {'>' if excess > above else '<='} "
        f"{limits.hot_sigma:g} x {which} {noise:.6g} = {above:.6g} e-"
    ]
    cold_why = [
        f"excess {excess:.6g} e- {'<' if excess < below else '>='} "
        f"-{limits.cold_sigma:g} x {which} {noise:.6g} = {below:.6g} e-"
    ]
    if limits.hot_level is not None:
        over = ">" if excess > limits.hot_level else "<="
        hot_why.append(f"{over} {limits.hot_level:.6g} e- of hot-pixel-rate")
    settings = reduced.inputs.settings.values
    if settings.frame_clipping_flags:
        high = sum(s.adu > s.limits[1] for s in samples)
        low = sum(s.adu < s.limits[0] for s in samples)
        hot, cold = hot or high > len(samples) / 2, cold or low > len(samples) / 2
        hot_why.append(f"too high in {high} of {len(samples)} frames")
        cold_why.append(f"too low in {low} of {len(samples)} frames")
    if settings.noise_clipping_lower_sigma is not None:
        still = quiet < reduced.noise_scale
        cold = cold or still
        cold_why.append(f"scatter is {'too small' if still else 'not too small'}")
    yield FlagReason(Flag.HOT, hot, "; ".join(hot_why))
    yield FlagReason(Flag.COLD, cold, "; ".join(cold_why))


def _excess(reduced: Reduced, place: "Place", product: "Value") -> float:
    """Master above its background, electrons; NaN where there is no sample."""
    if not product.used:
        return math.nan
    amplifier = reduced.inputs.darks[0].about.amplifiers[place.amplifier]
    row, column = (at - part.start for at, part in zip(place.science, amplifier.place, strict=True))
    smooth = float(reduced.backgrounds[place.amplifier].rows(row, row + 1)[0, column])
    bias = reduced.inputs.master_bias is not None
    level = 0.0 if bias else float(reduced.survey.levels.mean(axis=0)[place.amplifier])
    return product.flux - level - smooth


def _one(value: float) -> np.ndarray:
    return np.array([value], dtype=np.float32)
