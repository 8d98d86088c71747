"""The page of a sweep: one HTML file with its table, its curves and the masks of two rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from soxsdark.flags import NAMES
from soxsdark.pages import render
from soxsdark.report.style import own_style
from soxsdark.report.words import fraction, number
from soxsdark.tune_charts import draw_curves, draw_pair
from soxsdark.tune_measures import Reference
from soxsdark.tune_text import SAID, bands_note, columns_of, constant_note, rows_of, shown
from soxsdark.tuned import SECONDS, Pair, Tuned
from soxsdark.version import __version__

EXAMPLES = 5
"""Pixels that are named of those that only one of two settings flags."""


@dataclass(frozen=True)
class KindRow:
    """How many pixels of a kind two settings flag."""

    name: str
    first: str
    second: str
    lost: str
    gained: str
    truly_bad: tuple[str, str] | None
    """Of the lost and of the gained ones, where the truth is known."""


def page_of(tuned: Tuned, pair: Pair, reference: Reference) -> bytes:
    """The page as HTML, complete in itself: no script, nothing from the network."""
    names, constant = columns_of(tuned)
    with own_style():
        pictures = [*draw_curves(tuned), draw_pair(pair)]
    shape = pair.flags[0].shape
    return render(
        "tune.html",
        name=tuned.name,
        version=__version__,
        arm=tuned.arm,
        shape=f"{shape[0]} × {shape[1]}",
        keys=tuned.keys,
        number=len(tuned.lines),
        note=bands_note(tuned),
        names=names,
        meanings=[(name, SAID[name]) for name in (*names, *constant) if name in SAID],
        constant=constant_note(tuned),
        rows=rows_of(tuned, names),
        curves=pictures[:-1],
        picture=pictures[-1],
        pair=[
            _described(row, values) for row, values in zip(pair.rows, pair.settings, strict=True)
        ],
        kinds=list(_kinds(pair, reference)),
        known=reference.truth is not None,
        examples=_examples(pair),
        seconds=SECONDS,
    )


def _described(row: int, values: Mapping[str, str]) -> str:
    settings = ", ".join(f"{key} {shown(key, value)}" for key, value in values.items())
    return f"{f'row {row}' if row else 'current'}: {settings}"


def _kinds(pair: Pair, reference: Reference) -> Iterator[KindRow]:
    """Each kind of flag and all together."""
    truth = reference.truth
    bad = None if truth is None else truth.kinds != 0
    for name, bits in (*((name, int(flag)) for flag, name in NAMES.items()), ("any flag", -1)):
        first, second = (flags & flags.dtype.type(bits) != 0 for flags in pair.flags)
        if not (first.any() or second.any()):
            continue
        lost, gained = first & ~second, second & ~first
        counts = [number(int(np.count_nonzero(m))) for m in (first, second, lost, gained)]
        truly = None
        if bad is not None:
            share = [
                fraction(int(np.count_nonzero(m & bad)), int(np.count_nonzero(m)))
                for m in (lost, gained)
            ]
            truly = share[0], share[1]
        yield KindRow(name, counts[0], counts[1], counts[2], counts[3], truly)


def _examples(pair: Pair) -> list[tuple[str, list[tuple[int, int]]]]:
    """Some pixels, x and y from 1, that only one of the two flags, spread over the image."""
    first, second = (flags != 0 for flags in pair.flags)
    found = []
    for who, mask in (("first", first & ~second), ("second", second & ~first)):
        at = np.argwhere(mask)
        chosen = at[np.linspace(0, len(at) - 1, min(EXAMPLES, len(at))).astype(int)]
        found.append((who, [(int(x) + 1, int(y) + 1) for y, x in chosen]))
    return found
