"""Pictures of a sweep: the curves, and what two settings flag differently."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark.report.style import INK, LINE, MUTED, RULE, Picture
from soxsdark.report.words import number
from soxsdark.tune_curves import Panel, panel_of
from soxsdark.tune_text import columns_of
from soxsdark.tuned import SECONDS, Pair, Tuned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS = 4
PANEL = (3.0, 2.0)
"""Inches: width and height of a panel."""
MARGIN, LEGEND = 0.6, 0.5
"""Inches: left of the panels, and below them."""
MOST_NAMED = 6
"""Curves in a panel that a legend can name."""
SERIES = ("#0071b3", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#586374")
LOST, GAINED, BOTH = "#0a7fd0", "#d55e00", "#8a93a0"
"""Pixels that only the first, only the second, or both flag."""
MOST_BINS = 500
"""Bins of the picture of a pair along its longer side."""
DOTS = 3000
"""Pixels of one kind whose dots are drawn larger than a bin, so that they are seen."""


def draw_curves(tuned: Tuned) -> list[Picture]:
    """One picture a key: every measure that changes, against it."""
    varying = [name for name in columns_of(tuned)[0] if name not in (SECONDS, *tuned.keys)]
    pictures = []
    for key in tuned.keys:
        panels = [panel_of(tuned, key, measure) for measure in varying]
        if panels and len(panels[0].mean.x) > 1:
            pictures.append(_curves(key, panels))
    return pictures


def _curves(key: str, panels: Sequence[Panel]) -> Picture:
    from matplotlib.figure import Figure

    down = -(-len(panels) // ACROSS)
    size = ACROSS * PANEL[0], down * PANEL[1] + LEGEND
    figure = Figure(figsize=size)
    # a layout that looks for itself takes as long as the drawing
    figure.subplots_adjust(
        left=MARGIN / size[0], right=1 - 0.1 / size[0], top=1 - 0.3 / size[1],
        bottom=(LEGEND + 0.25) / size[1], wspace=0.32, hspace=0.36,
    )  # fmt: skip
    every = figure.subplots(down, ACROSS, squeeze=False).ravel()
    for axes, panel in zip(every, panels, strict=False):
        _panel(axes, panel)
    for axes in every[len(panels) :]:
        axes.remove()
    named = panels[0].curves
    if 1 < len(named) <= MOST_NAMED:
        handles = every[0].get_lines()[: len(named)]
        figure.legend(
            handles, [c.held for c in named], loc="lower center",
            ncols=min(3, len(named)), labelcolor=INK,
        )  # fmt: skip
    knees = {p.measure: p.knee for p in panels if p.knee is not None}
    bends = "; ".join(f"{name} at {number(at)}" for name, at in knees.items())
    many = " Grey: one line for each setting of the others." if len(named) > MOST_NAMED else ""
    return Picture(
        f"curves-{key}",
        f"Against {key}",
        f"Ring: the current settings.{many} Dotted line: the knee, where the curve (the mean over "
        "the other settings) bends most; beyond it more costs little or brings little. "
        f"{f'Knees: {bends}.' if bends else 'No curve has a knee.'}",
        f"{len(panels)} measures against {key}",
        figure,
    )


def _panel(axes: "Axes", panel: Panel) -> None:
    few = len(panel.curves) <= MOST_NAMED
    for place, curve in enumerate(panel.curves):
        look: dict[str, Any] = {"color": RULE, "linewidth": 0.8}
        if few:
            look = {"color": SERIES[place], "marker": "o", "markersize": 3.5}
        axes.plot(curve.x, curve.y, **look)
    if not few:
        axes.plot(panel.mean.x, panel.mean.y, color=LINE, marker="o", markersize=3.5)
    if panel.current is not None:
        axes.plot(
            *panel.current, linestyle="none", marker="o", markersize=9, markerfacecolor="none",
            markeredgecolor=INK, zorder=4,
        )  # fmt: skip
    if panel.knee is not None:
        axes.axvline(panel.knee, color=MUTED, linestyle=":", linewidth=1.2, zorder=0)
    axes.set_title(panel.measure, fontsize=9.5, color=INK, loc="left")
    if panel.ticks is not None:
        axes.set_xticks(list(panel.ticks), list(panel.ticks.values()))
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    axes.locator_params(axis="y", nbins=5)
    axes.margins(y=0.12)


def draw_pair(pair: Pair) -> Picture:
    """Where one of two settings flags a pixel and the other does not."""
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    first, second = (flags != 0 for flags in pair.flags)
    lost, gained, both = first & ~second, second & ~first, first & second
    image, side = _classes(both, lost, gained)
    rows, columns = first.shape
    width, height = _size(rows, columns)
    figure = Figure(figsize=(width + 3.2, height + 0.8), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=False)
    extent = (0.5, image.shape[1] * side + 0.5, 0.5, image.shape[0] * side + 0.5)
    colours = ListedColormap(["none", BOTH, LOST, GAINED])
    axes.imshow(
        image, cmap=colours, vmin=0, vmax=3, origin="lower", interpolation="none",
        extent=extent, aspect="equal" if 0.2 < rows / columns < 5 else "auto",
    )  # fmt: skip
    for mask, colour in ((lost, LOST), (gained, GAINED)):
        at = np.argwhere(mask)
        if len(at) <= DOTS:
            axes.plot(*(at[:, ::-1] + 1).T, linestyle="none", marker="o", markersize=4,
                      color=colour)  # fmt: skip
    axes.set(xlim=(0.5, columns + 0.5), ylim=(0.5, rows + 0.5))
    axes.set(xlabel="x [pixel]", ylabel="y [pixel]")
    a, b = (_row_name(row) for row in pair.rows)
    entries = {
        f"only {b}\n{number(int(gained.sum()))}": GAINED,
        f"only {a}\n{number(int(lost.sum()))}": LOST,
        f"both\n{number(int(both.sum()))}": BOTH,
    }
    figure.legend(
        [Patch(color=colour) for colour in entries.values()], list(entries),
        loc="outside right upper", labelcolor=INK, handlelength=1.0, handleheight=1.0,
    )  # fmt: skip
    dots = f" A dot is a bin of {side} × {side} pixels." if side > 1 else ""
    return Picture(
        "pair",
        f"Flagged by {a} and by {b}",
        f"Pixels that one of the two flags and the other does not lie over those that both do."
        f"{dots}",
        f"Map of {int(gained.sum())} pixels that only {b} flags and {int(lost.sum())} that only "
        f"{a} flags",
        figure,
    )


def _row_name(row: int) -> str:
    return f"row {row}" if row else "the current settings"


def _size(rows: int, columns: int) -> tuple[float, float]:
    """Width and height of a map, inches."""
    ratio = min(max(rows / columns, 0.2), 2.0)
    return (5.4, 5.4 * ratio) if ratio <= 1 else (7.5 / ratio, 7.5)


def _classes(*masks: np.ndarray) -> tuple[np.ndarray, int]:
    """The number of the last mask that is true anywhere in a bin, 0 for none; side of a bin."""
    rows, columns = masks[0].shape
    side = -(-max(rows, columns) // MOST_BINS)
    down, across = -(-rows // side), -(-columns // side)
    result = np.zeros((down, across), np.int8)
    for value, mask in enumerate(masks, start=1):
        at = np.argwhere(mask) // side
        result[at[:, 0], at[:, 1]] = value
    return result, side
