"""Pictures that are maps of the detector: master, bad pixels, noise; and a thumbnail."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark.flags import NAMES
from soxsdark.report.digest import CLASSES, Digest, binned
from soxsdark.report.facts import Amplifier
from soxsdark.report.style import BORDER, CLASS_COLOURS, COLOUR_MAP, DASHES, INK, Picture
from soxsdark.report.words import fraction, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

STRETCH = (1.0, 99.0)
"""Percentiles of the binned image at the ends of the colours."""
THUMBNAIL = 160
SIDE, LONGEST, SHORTEST = 4.6, 9.0, 1.0
"""Inches: side of a square map, longest side of any, shortest side of any."""
LEFT, RIGHT, BOTTOM, TOP = 0.75, 1.5, 0.55, 0.15
"""Margins, inches."""
LEGEND = 2.7
"""Inches: height of the legend of bad pixels."""


def map_size(shape: tuple[int, int]) -> tuple[float, float]:
    """Height and width of a map, inches: to scale, as far as it is not too narrow to see."""
    ratio = shape[0] / shape[1]
    if ratio < 0.5:
        return max(LONGEST * ratio, SHORTEST), LONGEST
    height = min(SIDE * ratio, LONGEST)
    return height, max(height / ratio, SHORTEST)


def draw_maps(found: Digest, name: str, amplifiers: Sequence[Amplifier]) -> list[Picture]:
    """The maps; `name` is "dark" or "bias"."""
    dots = f"A dot is the mean of the good pixels among {_bins(found)}" if found.side > 1 else ""
    stretch = "Colours from the 1st to the 99th percentile."
    smooth = f"{dots}. {stretch}" if dots else stretch
    maps = [
        _smooth(found.master, found, amplifiers, name="master", title=f"Master {name}",
                label=f"master {name} [e⁻]", caption=f"{smooth} Single hot pixels are in the "
                "map of bad pixels."),
        _classes(found, amplifiers),
    ]  # fmt: skip
    if found.noise is not None:
        maps.append(
            _smooth(found.noise, found, amplifiers, name="noise", title="Noise map",
                    label="scatter along the stack [e⁻]", caption=smooth)
        )  # fmt: skip
    return maps


def thumbnail(flux: np.ndarray, flags: np.ndarray, size: int = THUMBNAIL) -> bytes:
    """A small picture of a master, PNG, its longer side at most `size` dots.

    Parameters
    ----------
    flux, flags : ndarray, (rows, columns)
        Means of the pixels without a flag are shown, in colours from the 1st to the 99th
        percentile.
    """
    from matplotlib.image import imsave

    small = binned(flux, flags == 0, max(1, -(-max(flux.shape) // size)))
    low, high = _limits(small)
    stream = io.BytesIO()
    imsave(stream, small, vmin=low, vmax=high, cmap=COLOUR_MAP, origin="lower", format="png")
    return stream.getvalue()


def _bins(found: Digest) -> str:
    return f"{found.side} × {found.side} pixels"


def _limits(image: np.ndarray) -> tuple[float, float]:
    known = image[np.isfinite(image)]
    low, high = (float(v) for v in np.percentile(known, STRETCH)) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _smooth(
    image: np.ndarray,
    found: Digest,
    amplifiers: Sequence[Amplifier],
    *,
    name: str,
    title: str,
    label: str,
    caption: str,
) -> Picture:
    figure, axes = _empty_map(found.shape, amplifiers)
    low, high = _limits(image)
    shown = _show(axes, image, found, cmap=COLOUR_MAP, vmin=low, vmax=high)
    box = axes.get_position()
    width = figure.get_figwidth()
    beside = figure.add_axes((box.x1 + 0.14 / width, box.y0, 0.16 / width, box.height))
    bar = figure.colorbar(shown, cax=beside, extend="both")
    bar.set_label(f"{label}\nmean of {found.side} × {found.side}" if found.side > 1 else label)
    alt = (
        f"{title} of {found.shape[0]} rows and {found.shape[1]} columns, "
        f"colours from {number(low, 'electron')} to {number(high, 'electron')} electrons"
    )
    return Picture(name, title, caption, alt, figure)


def _classes(found: Digest, amplifiers: Sequence[Amplifier]) -> Picture:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    figure, axes = _empty_map(found.shape, amplifiers, lowest=LEGEND)
    colours = ["none", *(CLASS_COLOURS[kind] for kind in CLASSES)]
    _show(axes, found.classes, found, cmap=ListedColormap(colours), vmin=0, vmax=len(CLASSES))
    axes.grid(visible=False)
    total = found.shape[0] * found.shape[1]
    kinds = list(reversed(CLASSES))
    entries = [
        f"{NAMES[k]}\n{number(found.counts[k])} ({fraction(found.counts[k], total)})" for k in kinds
    ]
    patches = [Patch(color=CLASS_COLOURS[k]) for k in kinds]
    at = axes.get_position()
    figure.legend(
        patches, entries, loc="upper left", bbox_to_anchor=(at.x1, at.y1), handlelength=1.0,
        handleheight=1.0, borderpad=0, borderaxespad=0.8, labelspacing=0.9, labelcolor=INK,
    )  # fmt: skip
    many = (
        f"A dot is a bin of {_bins(found)} and has the colour of the worst kind in it, so that "
        "single bad pixels stay visible. " if found.side > 1 else ""
    )  # fmt: skip
    caption = f"{many}A pixel may be of several kinds."
    said = ", ".join(entry.replace("\n", " ") for entry in entries)
    return Picture("mask", "Bad pixels", caption, f"Map of the bad pixels by kind: {said}", figure)


def _empty_map(
    shape: tuple[int, int], amplifiers: Sequence[Amplifier], lowest: float = 0.0
) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    height, width = map_size(shape)
    outer = width + LEFT + RIGHT, max(height + BOTTOM + TOP, lowest)
    figure = Figure(figsize=outer)
    bottom = outer[1] - TOP - height
    part = LEFT / outer[0], bottom / outer[1], width / outer[0], height / outer[1]
    axes = figure.add_axes(part, xlabel="x [pixel]", ylabel="y [pixel]")
    axes.grid(visible=False)
    axes.set(xlim=(0.5, shape[1] + 0.5), ylim=(0.5, shape[0] + 0.5), autoscale_on=False)
    axes.locator_params(axis="x", nbins=max(2, int(width * 1.3)))
    axes.locator_params(axis="y", nbins=max(2, int(height * 1.3)))
    for amplifier in amplifiers:
        _border(axes, amplifier, shape)
    return figure, axes


def _border(axes: "Axes", amplifier: Amplifier, shape: tuple[int, int]) -> None:
    """Draw the edges of an amplifier that are not those of the image."""
    (low, high), (left, right) = amplifier.rows, amplifier.columns
    lines = [([left, right], [y, y]) for y in (low, high) if 0 < y < shape[0]]
    lines += [([x, x], [low, high]) for x in (left, right) if 0 < x < shape[1]]
    for x, y in lines:
        # on a light and on a dark ground
        axes.plot(np.add(x, 0.5), np.add(y, 0.5), color="white", linewidth=1.4, alpha=0.6)
        axes.plot(np.add(x, 0.5), np.add(y, 0.5), color=BORDER, linewidth=0.8, linestyle=DASHES)


def _show(axes: "Axes", image: np.ndarray, found: Digest, **colours: Any) -> "AxesImage":
    down, across = image.shape
    extent = (0.5, across * found.side + 0.5, 0.5, down * found.side + 0.5)
    return axes.imshow(
        image, origin="lower", interpolation="none", aspect="auto", extent=extent, **colours
    )
