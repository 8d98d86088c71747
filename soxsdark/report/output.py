"""Page and pictures as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soxsdark.publish import Workspace, writing
from soxsdark.report import facts, picture_file
from soxsdark.report.digest import digest
from soxsdark.report.images import Images
from soxsdark.report.page import draw, page_of


def write_report(
    record: Mapping[str, Any],
    name: str,
    images: Images,
    *,
    page: Path | None,
    plots: Workspace | None,
    doubts: Sequence[str] = (),
) -> list[str]:
    """Write the page and the pictures of a run; return the file names of the pictures.

    Parameters
    ----------
    record : mapping
        The record of the run.
    name : str
        Name of the run.
    images : Images
    page : path or None
        The page; None: not asked for.
    plots : Workspace or None
        Where the pictures are made, PNG; None: not asked for.
    doubts : sequence of str
        What is wrong with the products that the images come from.

    Raises
    ------
    ProductError
        A file cannot be written.
    """
    borders = facts.amplifiers(record, images.flux.shape)
    found = digest(images, facts.settings_of(record), facts.step(record), borders)
    pictures = draw(record, found)
    if page is not None:
        content = page_of(record, name, images, found, pictures, doubts)
        with writing(page):
            page.write_bytes(content)
    if plots is None:
        return []
    files = {picture_file(name, p.name): p for p in pictures}
    for file, picture in files.items():
        with writing(plots.path(file)):
            plots.path(file).write_bytes(picture.png())
    return list(files)
