"""The story of one pixel as tables for the screen."""

import math
from collections.abc import Sequence

from soxsdark.explain import REJECTED, ClippingRound, Explanation, Sample
from soxsdark.flags import NAMES
from soxsdark.text import printable, table


def explanation_text(told: Explanation) -> str:
    """Return everything that is known of the pixel, for the screen."""
    parts = (_place(told), _samples(told), _noise(told), _clipping(told), _flags(told))
    return printable("\n\n".join(parts)) + "\n"


def names_of(flags: int) -> str:
    """Return the names of all flags that are set; "good" if none is."""
    return ", ".join(name for flag, name in NAMES.items() if flags & flag) or "good"


def _electrons(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "-"


def _place(told: Explanation) -> str:
    place, product = told.place, told.product
    of = f", amplifier {place.amplifier_name}" if place.amplifier_name else ""
    return (
        f"pixel x {place.x}, y {place.y} of the products, counted from 1 as FITS does\n"
        f"  in arrays [{place.row}, {place.column}], counted from 0; in the raw files "
        f"[{place.raw_row}, {place.raw_column}]{of}\n"
        f"master {product.flux:.3f} +- {product.errs:.3f} e-, {product.used} samples averaged, "
        f"{product.rejected} rejected, noise {product.noise:.3f} e-\n"
        f"flags {product.flags}: {names_of(product.flags)}"
    )


def _samples(told: Explanation) -> str:
    rows = [
        (
            sample.frame, f"{sample.adu:g}", f"{sample.level:.2f}",
            _electrons(sample.electrons), _in_frame(sample), fate_of(sample, told),
        )
        for sample in told.samples
    ]  # fmt: skip
    headers = ("frame", "raw [ADU]", "level [ADU]", "above it [e-]", "in its frame", "in the stack")
    return table(rows, headers, ("left", "right", "right", "right", "left", "left"))


def _in_frame(sample: Sample) -> str:
    """What frame-level clipping says of a sample."""
    low, high = sample.limits
    said = "saturated, " if sample.saturated else ""
    if sample.adu < low:
        return f"{said}below {low:.2f} ADU"
    return f"{said}above {high:.2f} ADU" if sample.adu > high else f"{said}inside"


def fate_of(sample: Sample, told: Explanation) -> str:
    """Say what became of a sample, and by which rule."""
    if sample.fate != REJECTED:
        return sample.fate
    rounds = told.own_rounds or told.rounds
    rule = "as a noisy pixel" if told.own_rounds else f"{told.k:g} {told.deviation}"
    for found in rounds:
        if sample.electrons < found.lower:
            return f"rejected in round {found.number}: below {found.lower:.2f} e- ({rule})"
        if sample.electrons > found.upper:
            return f"rejected in round {found.number}: above {found.upper:.2f} e- ({rule})"
    return sample.fate


def _noise(told: Explanation) -> str:
    noise = told.noise
    lines = [
        f"noise of an ordinary sample here {noise.sigma:.3f} e-, background "
        f"{noise.background:+.3f} e-, median of the samples {noise.median:+.3f} e-",
        f"expected with the shot noise of its signal {noise.expected:.3f} e- "
        f"(for the noise map {noise.cautious:.3f} e-), found {_electrons(noise.scatter)} e-",
    ]
    for test in noise.tests:
        sign, number = (">" if test.value > test.limit else "<="), test.forgiven
        forgiven = f"without its {number} highest" if number else "of all samples"
        lines.append(f"sum of squares {forgiven}: {test.value:.2f} {sign} {test.limit:.2f}")
    if noise.tests:
        lines.append(
            f"noisy if every sum is above its limit; limits are scaled by {noise.scale:.4f}, as "
            "the whole noise image is"
        )
    return "\n".join(lines)


def _clipping(told: Explanation) -> str:
    title = f"clipping at {told.k:g} deviations ({told.deviation})"
    parts = [f"{title}\n{_rounds(told.rounds)}"]
    if told.own_rounds:
        parts.append(
            "this pixel is noisy: what counts is its own clipping, which keeps its samples\n"
            f"{_rounds(told.own_rounds)}"
        )
    return "\n\n".join(parts)


def _rounds(rounds: Sequence[ClippingRound]) -> str:
    if not rounds:
        return "no clipping: too few samples, or no iterations are asked for"
    rows = [
        (r.number, *map(_electrons, (r.centre, r.deviation, r.lower, r.upper)), r.left)
        for r in rounds
    ]
    headers = ("round", "median [e-]", "deviation [e-]", "lowest [e-]", "highest [e-]", "left")
    return table(rows, headers, ("right",) * len(headers))


def _flags(told: Explanation) -> str:
    rows = [
        (int(reason.flag), NAMES[reason.flag], "yes" if reason.holds else "no", reason.why)
        for reason in told.reasons
    ]
    return table(rows, ("flag", "", "set", "because"), ("right", "left", "left", "left"))
