"""How pictures look, and how a figure becomes a file: one drawing serves light and dark pages.

Figures are drawn in the colours of a light page. In the SVG each of these colours becomes a CSS
variable with another value where the reader's screen is dark.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from soxsdark.flags import Flag
from soxsdark.lasting import lasting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PANEL, LINE, BAND = (
    "#1b2330", "#586374", "#d2d8e0", "#f2f4f7", "#0071b3", "#cfe3f1",
)  # fmt: skip
DARK = {
    INK: "#e7ebf0",
    MUTED: "#a3aebc",
    RULE: "#3a4451",
    PANEL: "#0c1015",
    LINE: "#56b4e9",
    BAND: "#1d3547",
}
"""Each colour on a dark page."""
CLASS_COLOURS = {
    Flag.HOT: "#d55e00",
    Flag.COLD: "#0a7fd0",
    Flag.NOISY: "#b85c9e",
    Flag.SATURATED: "#e69f00",
    Flag.EMPTY: "#009e73",
    Flag.INPUT: "#8a93a0",
}
"""After Okabe and Ito: told apart by colour-blind readers, visible on light and dark."""
COLOUR_MAP = "viridis"
BORDER, DASHES = "#000000", (0, (4, 3))
"""Of the lines between amplifiers."""
_SIZE = 9.5
_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": _SIZE,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.facecolor": PANEL,
    "axes.labelcolor": INK,
    "axes.labelsize": _SIZE,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": _SIZE - 0.5,
    "ytick.labelsize": _SIZE - 0.5,
    "legend.frameon": False,
    "legend.fontsize": _SIZE - 0.5,
    "svg.hashsalt": "soxsdark",
}


@contextmanager
def own_style() -> Iterator[None]:
    """Draw in this style, whatever the reader's matplotlibrc says; both are as before after it."""
    matplotlib = lasting("matplotlib")
    # the parts that every drawing needs
    lasting("matplotlib.figure")
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def date_axis(axes: "Axes", most: int) -> None:
    """Let the horizontal axis have dates, at `most` so many of them."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator(minticks=3, maxticks=most)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter: Any = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)


@dataclass(frozen=True)
class Picture:
    """One drawing and the words that go with it."""

    name: str
    """Last part of its file name."""
    title: str
    caption: str
    alt: str
    """What it shows, for those who cannot see it."""
    figure: "Figure"

    def png(self) -> bytes:
        """The picture as a file of its own."""
        with own_style():
            stream = io.BytesIO()
            self.figure.savefig(stream, format="png", dpi=150, facecolor="white")
        return stream.getvalue()

    def svg(self) -> str:
        """The picture for light and dark pages; the same drawing gives the same text."""
        with own_style():
            stream = io.StringIO()
            self.figure.savefig(stream, format="svg", transparent=False, facecolor="none",
                                metadata={"Date": None})  # fmt: skip
        text = stream.getvalue()
        text = text[text.index("<svg") :]
        for colour in DARK:
            text = text.replace(colour, f"var(--c{colour[1:]})")
        return text.replace("<defs>", f"<style>{_variables()}</style>\n<defs>", 1)

    def uri(self) -> str:
        """The SVG as the address of an image."""
        return "data:image/svg+xml," + quote(self.svg(), safe=" !$()*+,-./:;=?@_~|{}[]\n")


def _variables() -> str:
    def root(pairs: Iterable[tuple[str, str]]) -> str:
        return ":root{" + ";".join(f"--c{name[1:]}:{value}" for name, value in pairs) + "}"

    light, dark = root(zip(DARK, DARK, strict=True)), root(DARK.items())
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"
