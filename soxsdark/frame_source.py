"""A frame that a dark is to be taken off: a raw file, or a CCDData in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.frame import Frame
from soxsdark.instruments import header_value
from soxsdark.master_file import ADU, unit_of


@dataclass(frozen=True)
class Source:
    """A frame whose header is known and whose pixels are read when they are asked for."""

    path: Path
    """Of the file; of a CCDData the name that its header says."""
    header: fits.Header
    shape: tuple[int, int]
    unit: str
    """``electron`` or ``adu``."""
    read: Callable[[], tuple[np.ndarray, str | None]]
    """Gives the pixels, and the SHA-256 of the file."""
    errs: np.ndarray | None = None
    """Standard deviation of the pixels, in `unit`; None: not known."""
    bad: np.ndarray | None = None
    """True = bad."""
    remarks: tuple[str, ...] = ()


def open_source(frame: Any, extension: int | str | None) -> Source:
    """Open a raw FITS file, or take a CCDData (known by its attributes).

    Raises
    ------
    InputError
        The file cannot be read, or its unit is neither adu nor electron.
    """
    if hasattr(frame, "uncertainty") and hasattr(frame, "meta"):
        return _of_ccddata(frame)
    opened = Frame.open(frame, extension)

    def read() -> tuple[np.ndarray, str]:
        loaded = opened.load()
        return loaded.pixels, loaded.sha256

    unit = _unit(opened.path, header_value(opened.header, "BUNIT") or ADU)
    return Source(
        opened.path, opened.header, opened.layout.shape, unit, read, remarks=opened.remarks
    )


def _of_ccddata(ccd: Any) -> Source:
    path = Path(str(ccd.meta.get("FILENAME", "CCDData")))
    errs = None
    if ccd.uncertainty is not None:
        from astropy.nddata import StdDevUncertainty

        errs = ccd.uncertainty.represent_as(StdDevUncertainty).array
    pixels = np.asarray(ccd.data)
    if pixels.ndim != 2:
        raise InputError(f"{path}: {pixels.ndim} dimensions, a 2-D image is expected")
    return Source(
        path,
        _header(ccd.meta),
        pixels.shape,
        _unit(path, ccd.unit),
        lambda: (pixels, None),
        errs,
        None if ccd.mask is None else np.broadcast_to(np.asarray(ccd.mask) != 0, pixels.shape),
    )


def _header(meta: Mapping[str, Any]) -> fits.Header:
    if isinstance(meta, fits.Header):
        return meta
    return fits.Header([(k, v) for k, v in meta.items() if isinstance(v, str | int | float)])


def _unit(path: Path, value: object) -> str:
    unit = unit_of(value)
    if unit is None:
        raise InputError(f"{path}: unit (BUNIT) is {str(value)!r}, expected adu or electron")
    return unit
