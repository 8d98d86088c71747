"""The images of a run, as a reduction leaves them or as they are read back from its products."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxsdark.errors import InputError
from soxsdark.product import images_of, reading

if TYPE_CHECKING:
    from astropy.io import fits

    from soxsdark.reduction import Reduced


@dataclass(frozen=True)
class Images:
    """What is drawn; images of one shape (rows, columns), in product orientation."""

    flux: np.ndarray
    """Master, e-."""
    errs: np.ndarray
    """Standard deviation of `flux`, e-."""
    flags: np.ndarray
    """Bits of `soxsdark.flags.Flag`, 0 = good."""
    ncom: np.ndarray
    """Samples averaged."""
    noise: np.ndarray | None
    """Noise map, e-; None of a master bias, which is published without one."""
    target: str
    """OBJECT of the header; empty where it says none."""


def of_reduction(reduced: "Reduced", header: "fits.Header", *, with_noise: bool) -> Images:
    """The images of a reduction, not copied; `header` is that of the master."""
    master = reduced.master
    noise = reduced.mask.noise if with_noise else None
    return Images(master.flux, master.errs, master.qual, master.ncom, noise, _target(header))


def of_products(master: Path, mask: Path | None) -> Images:
    """Read the images back from the products of a run.

    Raises
    ------
    InputError
        A file cannot be read, lacks an image, or the images differ in shape.
    """
    names = ("FLUX", "ERRS", "QUAL", "NCOM")
    found, header = _read(master, names)
    noise = None if mask is None else _read(mask, ("NOISE",))[0]["NOISE"]
    for name, image in (*found.items(), ("NOISE", noise)):
        if image is not None and image.shape != found["FLUX"].shape:
            shapes = f"{image.shape}, FLUX has {found['FLUX'].shape}"
            raise InputError(
                f"{master.parent}: image {name} has the shape {shapes}; make them again"
            )
    flux, errs, qual, used = (found[name] for name in names)
    return Images(flux, errs, qual, used, noise, _target(header))


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, np.ndarray], "fits.Header"]:
    """The named images in native byte order, and the primary header."""
    with reading(path, "a product of soxsdark") as hdus:
        there = {hdu.name: hdu for hdu in images_of(hdus)}
        if missing := [name for name in names if name not in there]:
            raise InputError(f"{path}: has no image {missing[0]}, is no product of soxsdark")
        pixels = {name: there[name].data for name in names}
        header = hdus[0].header.copy()
    return {name: p.astype(p.dtype.newbyteorder("=")) for name, p in pixels.items()}, header


def _target(header: "fits.Header") -> str:
    return str(header.get("OBJECT", "")).strip()
