"""Pictures that are charts: the histogram, the frames one by one, the profiles."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark.flags import NAMES, Flag
from soxsdark.report.digest import Digest, Histogram
from soxsdark.report.facts import Amplifier
from soxsdark.report.style import (
    BAND,
    CLASS_COLOURS,
    DASHES,
    INK,
    LINE,
    MUTED,
    RULE,
    Picture,
    date_axis,
)
from soxsdark.report.words import number, power, time_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL, RON = "level [e⁻]", "RON [e⁻]"
FEW = 40
"""Frames whose dots do not touch."""
SIZE = (6.85, 5.3)
"""Inches: that of a square map."""


def draw_histogram(found: Digest, name: str, limits: Mapping[str, float]) -> Picture:
    """The histogram of the excess.

    Parameters
    ----------
    found : Digest
    name : str
        "dark" or "bias".
    limits : mapping
        Label of each threshold, and where it is drawn; electrons.
    """
    figure, (axes,) = _panels(1)
    shown = found.histogram
    axes.stairs(shown.all, shown.edges, fill=True, color=RULE)
    axes.stairs(shown.all, shown.edges, color=MUTED, linewidth=1.0, label="all pixels")
    for kind, count in shown.classes.items():
        if count.any():
            axes.stairs(count, shown.edges, color=CLASS_COLOURS[kind], label=NAMES[kind])
    for (label, at), dashes in zip(limits.items(), ("--", "--", ":"), strict=False):
        kind = Flag.COLD if at < 0 else Flag.HOT
        axes.axvline(at, color=CLASS_COLOURS[kind], linestyle=dashes, linewidth=1.2,
                     label=f"{label} {number(at, 'electron')} e⁻")  # fmt: skip
    axes.set_xscale("asinh", linear_width=shown.scale)
    axes.set_xticks(_decades(shown))
    axes.set_yscale("log")
    axes.set(
        xlim=shown.edges[[0, -1]], ylim=(0.7, max(10.0, 2.0 * shown.all.max())),
        xlabel=f"master {name} above its background [e⁻]", ylabel="pixels in a bin",
    )  # fmt: skip
    axes.tick_params(which="minor", bottom=False, left=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: power(value))
    axes.legend(loc="upper right")
    said = "; ".join(f"{label} {number(at, 'electron')} electrons" for label, at in limits.items())
    return Picture(
        "histogram",
        f"Histogram of the master {name}",
        "Pixels by how far they stand above the local background. A pixel whose own error is "
        "larger than the scatter has a threshold further out.",
        f"Histogram of the master {name} above its background, thresholds drawn: {said or 'none'}",
        figure,
    )


def _decades(shown: Histogram) -> list[float]:
    """Where the axis of the histogram is labelled: 0, and the powers of ten that lie apart."""
    low, high = shown.edges[[0, -1]]
    first, last = (math.ceil(math.log10(value)) for value in (shown.scale, max(high, -low)))
    decades = [10.0**power for power in range(first, last)]
    return [tick for tick in (*(-d for d in decades), 0.0, *decades) if low <= tick <= high]


def draw_frames(
    frames: Sequence[Mapping[str, Any]], pixels: int, nominal_ron: float | None
) -> Picture:
    """Level, read noise and clipped shares of each frame against time.

    Parameters
    ----------
    frames : sequence of mapping
        Entries of the record.
    pixels : int
        Science pixels of a frame.
    nominal_ron : float or None
        Read noise that header, profile or settings give, electrons.
    """
    times = [time_of(frame.get("mjd-obs")) for frame in frames]
    dated = None not in times
    x: Any = times if dated else list(range(1, len(frames) + 1))
    series = _series(frames, pixels)
    figure, axes = _panels(len(series), sharex=True)
    for panel, (label, values) in zip(axes, series.items(), strict=True):
        panel.plot(x, values, color=LINE, marker="o", linewidth=0.8,
                   markersize=5 if len(frames) <= FEW else 3)  # fmt: skip
        panel.set_ylabel(label)
        panel.ticklabel_format(axis="y", useOffset=False)
        panel.locator_params(axis="y", nbins=4)
        panel.margins(x=0.03, y=0.18)
    if nominal_ron is not None and RON in series:
        panel = axes[list(series).index(RON)]
        panel.axhline(nominal_ron, color=MUTED, linestyle="--", linewidth=1)
        panel.annotate(f"expected {number(nominal_ron)}", (1, nominal_ron), (-3, 2), color=INK,
                         xycoords=("axes fraction", "data"), textcoords="offset points",
                         ha="right", va="bottom", fontsize=8)  # fmt: skip
    _time_axis(axes[-1], dated, len(frames))
    figure.align_ylabels(axes)
    levels = [number(find(series[LEVEL]), "electron") for find in (np.nanmin, np.nanmax)]
    return Picture(
        "frames",
        "Frame by frame",
        "A frame that stands out may have light in it, persistence or another temperature.",
        f"Level, read noise and clipped shares of {len(frames)} frames against time; the levels "
        f"go from {levels[0]} to {levels[1]} electrons",
        figure,
    )


def draw_profiles(
    found: Digest, noise: float | None, name: str, amplifiers: Sequence[Amplifier]
) -> Picture:
    """Means of columns and rows; `noise` is that expected of a pixel of the master, e-."""
    figure, axes = _panels(2)
    sides = (
        ("column", "x", found.columns, found.shape[0], [a.columns for a in amplifiers]),
        ("row", "y", found.rows, found.shape[1], [a.rows for a in amplifiers]),
    )
    outside = []
    for panel, (what, letter, values, averaged, borders) in zip(axes, sides, strict=True):
        middle = float(np.nanmedian(values))
        half = 3 * (noise or 0.0) / averaged**0.5
        if half:
            panel.axhspan(middle - half, middle + half, color=BAND, linewidth=0)
        panel.plot(np.arange(1, values.size + 1), values, color=LINE, linewidth=0.8)
        outside.append(_scale(panel, values, middle, half))
        for border in sorted({edge for pair in borders for edge in pair if 0 < edge < values.size}):
            panel.axvline(border + 0.5, color=MUTED, linestyle=DASHES, linewidth=0.9)
        panel.set(
            xlim=(0.5, values.size + 0.5),
            xlabel=f"{letter} [pixel]",
            ylabel=f"mean of the {what} [e⁻]",
        )
        panel.ticklabel_format(axis="y", useOffset=False)
    figure.align_ylabels(axes)
    cut = f" Off the scale: {outside[0]} columns and {outside[1]} rows." if any(outside) else ""
    return Picture(
        "profiles",
        "Profiles",
        "Means of the good pixels. What leaves the band, three times what noise alone does, is "
        f"structure.{cut}",
        f"Means of the columns and of the rows of the master {name}",
        figure,
    )


def _panels(count: int, **shared: Any) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    return figure, list(figure.subplots(count, squeeze=False, **shared)[:, 0])


def _series(frames: Sequence[Mapping[str, Any]], pixels: int) -> dict[str, list[float]]:
    """What is drawn of the frames, by its label."""
    clipped = [_value(f, "clipped-low") + _value(f, "clipped-high") for f in frames]
    series = {
        LEVEL: [_value(f, "level") for f in frames],
        RON: [_value(f, "ron") for f in frames],
        "clipped in\nframe [%]": [100 * number / pixels for number in clipped],
        "rejected in\nstack [%]": [100 * _value(f, "rejected") / pixels for f in frames],
        "structure\n[e⁻]": [_value(f, "structure") for f in frames],
    }
    return {label: values for label, values in series.items() if np.isfinite(values).any()}


def _value(frame: Mapping[str, Any], key: str) -> float:
    value = frame.get(key)
    return float("nan") if value is None else float(value)


def _time_axis(axes: "Axes", dated: bool, count: int) -> None:
    if dated:
        date_axis(axes, 8)
        axes.set_xlabel("start of the exposure [UTC]")
    else:
        axes.set_xlabel("number of the frame")
        axes.locator_params(axis="x", integer=True, nbins=min(count, 10))


def _scale(axes: "Axes", values: np.ndarray, middle: float, half: float) -> int:
    """Scale to most of the values and to the band; return how many are off the scale."""
    low, high = np.nanpercentile(values, (0.5, 99.5))
    spread = max(high - low, 1e-3)
    low = min(low - 0.5 * spread, middle - 1.5 * half)
    high = max(high + 0.5 * spread, middle + 1.5 * half)
    axes.set_ylim(low, high)
    return int(np.count_nonzero((values < low) | (values > high)))
