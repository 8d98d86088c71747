"""The page of a run: one HTML file with everything in it."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from soxsdark.flags import NAMES
from soxsdark.pages import render
from soxsdark.report import facts
from soxsdark.report.charts import draw_frames, draw_histogram, draw_profiles
from soxsdark.report.digest import Digest, HotPixel
from soxsdark.report.images import Images
from soxsdark.report.maps import draw_maps
from soxsdark.report.style import Picture, own_style
from soxsdark.report.words import number, said_time

SUMMARY = {
    "GOOD": "No metric asks for attention.",
    "PARTIAL": "Usable, with the reservations below.",
    "BAD": "Outside what is acceptable: do not use it unseen.",
}
MARKS = {"GOOD": "✓", "PARTIAL": "!", "BAD": "✕"}


def draw(record: Mapping[str, Any], found: Digest) -> list[Picture]:
    """All pictures of a run.

    Parameters
    ----------
    record : mapping
        The record of the run.
    found : Digest
        What its images show.
    """
    name, borders = facts.kind_of(record).name, facts.amplifiers(record, found.shape)
    pixels = found.shape[0] * found.shape[1]
    noise = facts.value_of(record, "MASTER RON PRED")
    with own_style():
        return [
            *draw_maps(found, name, borders),
            draw_histogram(found, name, facts.thresholds(record, found.noise_floor)),
            draw_frames(record["frames"], pixels, record["ron"]["value"]),
            draw_profiles(found, noise, name, borders),
        ]


def page_of(
    record: Mapping[str, Any],
    name: str,
    images: Images,
    found: Digest,
    pictures: Iterable[Picture],
    doubts: Sequence[str] = (),
) -> bytes:
    """The page as HTML, complete in itself: no script, nothing from the network.

    Parameters
    ----------
    record : mapping
        The record of the run.
    name : str
        Name of the run.
    images, found, pictures
        Its images, what they show, and what `draw` has drawn of them.
    doubts : sequence of str
        What is wrong with the products that the page was made from.
    """
    rows, columns = found.shape
    flag = record["qa-flag"]
    return render(
        "report.html",
        name=name,
        kind=facts.kind_of(record).name,
        record=record,
        target=images.target,
        flag=flag,
        css={"GOOD": "good", "PARTIAL": "partial", "BAD": "bad"},
        marks=MARKS,
        summary=SUMMARY[flag],
        reasons=facts.reasons(record),
        warnings=facts.warnings_of(record),
        doubts=doubts,
        command=shlex.join(record["command"]),
        ended=said_time(datetime.fromisoformat(record["ended"])),
        qc=list(facts.qc_rows(record)),
        setup=facts.setup_rows(record),
        pictures={picture.name: picture for picture in pictures},
        proportions="tall" if rows > 2 * columns else "wide" if columns > 2 * rows else "square",
        hottest=[_hot_row(pixel) for pixel in found.hottest],
        frames=list(facts.frame_rows(record, rows * columns)),
        inputs=facts.input_rows(record),
        settings=facts.setting_rows(record),
        products=[p for p in record["products"] if not p["name"].endswith(".html")],
    )


def _hot_row(pixel: HotPixel) -> tuple[str, ...]:
    kinds = ", ".join(label for kind, label in NAMES.items() if pixel.flags & kind)
    electrons = (number(v, decimals=1) for v in (pixel.value, pixel.error, pixel.noise))
    return (str(pixel.x), str(pixel.y), *electrons, str(pixel.samples), kinds)
