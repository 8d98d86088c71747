"""Text from headers and file names, made harmless for terminals and logs."""

from collections.abc import Sequence
from typing import Any


def printable(text: str) -> str:
    """`text` with control and other unprintable characters written as escapes; line ends stay."""
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)


def shown(value: float | int | None, unit: str) -> str:
    """A figure of quality as text; "-" if there is none."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if unit == "electron" else f"{value:.5g}"


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str], align: Sequence[str]) -> str:
    """A table of text, in which nothing is unprintable."""
    from tabulate import tabulate

    cells = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    # tabulate 0.9 cannot align the columns of no rows
    aligned = align if cells else None
    return tabulate(cells, headers, tablefmt="simple", disable_numparse=True, colalign=aligned)
