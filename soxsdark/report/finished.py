"""The page and the pictures of a run that has ended, from its record and its products."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxsdark.errors import InputError
from soxsdark.publish import Workspace
from soxsdark.record import sha256_of
from soxsdark.record_file import load_json, read_record
from soxsdark.record_model import FailedRun, MasterRun
from soxsdark.report import page_file, picture_files
from soxsdark.report.facts import kind_of
from soxsdark.report.images import of_products
from soxsdark.report.output import write_report


@dataclass(frozen=True)
class Finished:
    """What was made."""

    page: Path
    pictures: tuple[Path, ...]
    doubts: tuple[str, ...]
    """What is wrong with the products, a line each; the page says it too."""


def report_run(
    record_file: Path | str,
    page: Path | str | None = None,
    *,
    plots: Path | str | None = None,
    overwrite: bool = False,
) -> Finished:
    """Make the page and the pictures of a run again.

    Parameters
    ----------
    record_file : path
        The record; the FITS products that it names lie beside it.
    page : path, optional
        The page; by default beside the record, with its name.
    plots : path, optional
        Folder of the pictures, PNG; none are made by default.
    overwrite : bool
        Replace files that exist.

    Raises
    ------
    InputError
        The record cannot be used, or a product is missing or damaged.
    ProductError
        A file exists already, or cannot be written.
    """
    record_file = Path(record_file)
    record, name = _read(record_file), record_file.stem
    page = record_file.with_name(page_file(name)) if page is None else Path(page)
    products = {record_file.with_name(Path(p["name"]).name): p for p in record["products"]}
    master, mask = (_ending(products, f"_{end}.fits") for end in (kind_of(record).product, "BPM"))
    if master is None:
        raise InputError(f"{record_file}: names no master among its products; make them again")
    with ExitStack() as stack:
        work = stack.enter_context(Workspace(page.parent))
        work.check_free([page.name], overwrite)
        gallery = None if plots is None else stack.enter_context(Workspace(plots))
        if gallery is not None:
            gallery.check_free(picture_files(name), overwrite)
        used = (path for path in (master, mask) if path is not None)
        doubts = [said for path in used if (said := _doubt(path, products[path]))]
        images = of_products(master, mask)
        pictures = write_report(
            record, name, images, page=work.path(page.name), plots=gallery, doubts=doubts
        )
        if gallery is not None:
            gallery.publish(pictures, overwrite=overwrite)
        work.publish([page.name], overwrite=overwrite)
    folder = Path(plots or "")
    return Finished(page, tuple(folder / file for file in pictures), tuple(doubts))


def _read(path: Path) -> dict[str, Any]:
    record = read_record(path)
    if isinstance(record, FailedRun):
        raise InputError(f"{path}: the run failed and made no products: {record.error.message}")
    if not isinstance(record, MasterRun):
        raise InputError(
            f"{path}: is the record of {record.recipe}, a page can be made of mdark and mbias"
        )
    return load_json(path)


def _ending(paths: Iterable[Path], end: str) -> Path | None:
    return next((path for path in paths if path.name.endswith(end)), None)


def _doubt(path: Path, product: Mapping[str, Any]) -> str:
    """Say what is wrong with a product; empty if nothing."""
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); the products lie beside their record"
        ) from error
    if found == product["sha256"]:
        return ""
    return (
        f"{path.name} is not the file of this run: its SHA-256 is {found}, the record says "
        f"{product['sha256']}"
    )
