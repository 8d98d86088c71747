"""Whether products are those of a record: by checksum, and by the run id in their headers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from soxsdark.errors import InputError
from soxsdark.product import reading
from soxsdark.record import sha256_of
from soxsdark.record_file import load_json
from soxsdark.record_model import Product
from soxsdark.settings_layers import show_key

RUN_ID = "ESO PRO RUNID"
AS_RECORDED = "as recorded"


@dataclass(frozen=True)
class State:
    """What has become of a product."""

    product: Product
    text: str
    """`AS_RECORDED`, or what is wrong."""

    @property
    def holds(self) -> bool:
        """Whether it is the file that the record means."""
        return self.text == AS_RECORDED


def states(folder: Path, products: Iterable[Product], run_id: str) -> list[State]:
    """Compare the products in a folder with what a record says of them."""
    return [State(product, _state(folder / product.name, product, run_id)) for product in products]


def _state(path: Path, product: Product, run_id: str) -> str:
    try:
        unchanged = sha256_of(path) == product.sha256
        # what is no FITS file has no header to say it
        own = run_id_of(path) if product.datasums else run_id
    except FileNotFoundError:
        return "missing"
    except (OSError, InputError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or 'damaged'})"
    if own != run_id:
        return f"of another run, {own or 'unknown'}"
    return AS_RECORDED if unchanged else "changed since"


def run_id_of(path: Path) -> str | None:
    """Return the run id in the header of a product; None if there is none.

    Raises
    ------
    OSError, InputError
        The file cannot be read.
    """
    with reading(path, "a product") as hdus:
        return str(hdus[0].header.get(RUN_ID, "")) or None


def mixed(folder: Path, record: str, products: Sequence[str]) -> str | None:
    """Say that products in a folder are not all of the run whose record lies beside them.

    That is what a run leaves that is killed while it publishes.

    Parameters
    ----------
    folder : Path
    record, products
        File names; products that are not there do not count.

    Returns
    -------
    str or None
        One line; None if all is well.
    """
    found = {name: _claimed(folder / name) for name in products if (folder / name).exists()}
    if not found:
        return None
    found = {record: _claimed_by_record(folder / record), **found}
    if len(set(found.values())) == 1:
        return None
    said = ", ".join(f"{name} {run}" for name, run in found.items())
    return f"{folder}: a mixed set, left by a run that was stopped; trust none of it: {said}"


def _claimed(path: Path) -> str:
    try:
        return f"of run {run_id_of(path)}"
    except (OSError, InputError):
        return "damaged"


def _claimed_by_record(path: Path) -> str:
    if not path.exists():
        return "missing"
    try:
        return f"of run {show_key(str(load_json(path).get('run-id')))}"
    except InputError:
        return "damaged"
