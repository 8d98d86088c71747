"""Frames and masters of the tests, changed and measured."""

from pathlib import Path

import numpy as np
from astropy.io import fits

SHAPE = (150, 140)
VIS_GAIN, PEDESTAL, RON = 1.0, 1000.0, 3.8
CALM = {"bad_pixel_fraction": 0.0, "cosmic_ray_rate": 0.0, "telegraph_fraction": 0.0}
VIS = {"arm": "VIS", "shape": SHAPE, "seed": 11, "hot_fraction": 0.01, "drift": 0.0, **CALM}
HDUS = {"hdu_uncertainty": "ERRS", "hdu_mask": "QUAL", "key_uncertainty_type": "UTYPE"}


def write_bias(path: Path, raw: Path, flux: np.ndarray, sigma, **cards) -> Path:
    """Write a master bias as ccdproc does, of the setup of a raw frame."""
    header = fits.getheader(raw)
    for key in ("BZERO", "BSCALE", "EXPTIME", "CHECKSUM", "DATASUM", "ESO DPR TYPE", "IMAGETYP"):
        header.remove(key, ignore_missing=True)
    header.update({"BUNIT": "electron", **cards})
    errors = np.broadcast_to(sigma, flux.shape).astype("f4")
    images = [fits.PrimaryHDU(flux.astype("f4"), header), fits.ImageHDU(errors, name="UNCERT")]
    fits.HDUList(images).writeto(path)
    return path


def changed(path: Path, folder: Path, pixels=None, **cards) -> Path:
    """A copy of a FITS file with other cards in its primary header; None removes one."""
    copy = folder / path.name
    with fits.open(path, memmap=False) as hdus:
        hdus = fits.HDUList([hdu.copy() for hdu in hdus])
    for hdu in hdus:
        for key in ("CHECKSUM", "DATASUM"):
            hdu.header.remove(key, ignore_missing=True)
    if pixels is not None:
        hdus[0].data = pixels(hdus[0].data)
    for key, value in cards.items():
        name = key.replace("__", " ")
        if value is None:
            del hdus[0].header[name]
        else:
            hdus[0].header[f"HIERARCH {name}" if " " in name else name] = value
    hdus.writeto(copy)
    return copy


def spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
