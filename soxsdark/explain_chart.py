"""The story of one pixel as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.explain import AVERAGED, REJECTED, ClippingRound, Explanation
from soxsdark.explain_text import names_of
from soxsdark.publish import publish_files
from soxsdark.report.style import BAND, INK, LINE, MUTED, Picture, own_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GONE, FULL = "#d55e00", "#cc79a7"
SIZE = (7.6, 4.4)


def draw_pixel(told: Explanation) -> Picture:
    """The samples of a pixel, what was expected of them, and the limits of each round."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    _samples(axes, told)
    rounds = told.own_rounds or told.rounds
    _limits(axes, rounds)
    place, product = told.place, told.product
    verdict = names_of(product.flags)
    axes.set_title(
        f"pixel {place.x}, {place.y}: {verdict}; {product.flux:.2f} ± {product.errs:.2f} e⁻ from "
        f"{product.used} of {len(told.samples)} samples",
        loc="left", color=INK,
    )  # fmt: skip
    axes.set(xlabel="frame", ylabel="above the level of its frame [e⁻]")
    if len(told.samples) <= 20:
        axes.set_xticks(np.arange(1, len(told.samples) + 1))
    axes.margins(x=0.06, y=0.1)
    figure.legend(loc="outside lower center", ncols=3, labelcolor=INK)
    return Picture(
        "pixel",
        f"Pixel {place.x}, {place.y}",
        "Samples of one pixel in each frame.",
        f"Samples of pixel {place.x}, {place.y}, which is {verdict}",
        figure,
    )


def _samples(axes: "Axes", told: Explanation) -> None:
    number = np.arange(1, len(told.samples) + 1)
    value = np.array([s.electrons for s in told.samples])
    fates = np.array([s.fate for s in told.samples])
    noise = told.noise
    middle = noise.median
    axes.axhspan(
        middle - noise.expected, middle + noise.expected, color=BAND, linewidth=0,
        label=f"median ± expected noise, {noise.expected:.2f} e⁻",
    )  # fmt: skip
    for fate, colour, marker in ((AVERAGED, LINE, "o"), (REJECTED, GONE, "X")):
        here = fates == fate
        if here.any():
            axes.plot(number[here], value[here], linestyle="none", marker=marker, color=colour,
                      markersize=7, label=fate)  # fmt: skip
    full = np.array([s.saturated for s in told.samples])
    if full.any():
        axes.plot(number[full], value[full], linestyle="none", marker="s", color=FULL,
                  markersize=12, markerfacecolor="none", label="saturated")  # fmt: skip
    if told.product.used:
        axes.axhline(float(told.average.mean[0]), color=LINE, linewidth=1, label="mean")


def _limits(axes: "Axes", rounds: tuple[ClippingRound, ...]) -> None:
    for found in rounds:
        last = found is rounds[-1]
        for at, label in ((found.lower, None), (found.upper, f"limits of round {found.number}")):
            axes.axhline(
                at, color=INK if last else MUTED, linestyle="--" if last else ":", linewidth=1.1,
                label=label,
            )  # fmt: skip


def write_plot(told: Explanation, folder: Path, *, overwrite: bool) -> Path:
    """Write ``pixel_X_Y.png`` in a folder; return its path.

    Raises
    ------
    ProductError
        It exists already, or cannot be written.
    """
    name = f"pixel_{told.place.x}_{told.place.y}.png"
    with own_style():
        content = draw_pixel(told).png()
    publish_files(folder, {name: content}, overwrite=overwrite)
    return folder / name
