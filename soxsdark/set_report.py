"""The page of a set and the small picture of it that the night's page shows."""

from pathlib import Path

from soxsdark.kinds import DARK
from soxsdark.names import Names
from soxsdark.publish import publish_changed, remove_files
from soxsdark.report import page_file


def thumbnail_file(name: str) -> str:
    """File name of the small picture."""
    return f"{name}_small.png"


def has_report(folder: Path, name: str) -> bool:
    """Whether page and picture of a set are there."""
    return all((folder / file).exists() for file in (page_file(name), thumbnail_file(name)))


def make_report(folder: Path, name: str) -> None:
    """Make page and picture of a set that was reduced, over what is there.

    Raises
    ------
    InputError
        Its products are not as they were made.
    ProductError
        They cannot be written.
    """
    from soxsdark.report.finished import report_run
    from soxsdark.report.images import of_products
    from soxsdark.report.maps import thumbnail

    names = Names.of(name, DARK)
    report_run(folder / names.record, overwrite=True)
    mask = folder / names.mask if names.mask else None
    images = of_products(folder / names.master, mask)
    publish_changed(folder, {thumbnail_file(name): thumbnail(images.flux, images.flags)})


def remove_thumbnail(folder: Path, name: str) -> None:
    """Remove the picture of an earlier run, which would show other products, as its page did.

    Raises
    ------
    ProductError
        It cannot be removed.
    """
    remove_files(folder, [thumbnail_file(name)])
