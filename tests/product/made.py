"""A master, a mask and a header as a recipe would make them."""

import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.headers import ProductFacts, product_header
from soxsdark.product import Mask, Master, Product, write_products
from soxsdark.verdicts import Metric

NOW = datetime(2024, 5, 2, 12, 0, 1, tzinfo=UTC)
SHAPE = (30, 40)
LONG_NAME = "SOXS_" + "x" * 60 + ".fits"
FACTS = ProductFacts(
    version="0.1",
    run_id="20240502T120000-abcd",
    products={"MASTER_DARK": "darks_MDARK.fits", "BP_MAP": "darks_BPM.fits"},
    raws=(("a.fits", "DARK_NIR"), (LONG_NAME, "DARK_NIR"), ("c.fits", None)),
    calibrations=(("bpm.fits", "BP_MAP_NIR", "0" * 32), ("é.fits", "BP_MAP_NIR", None)),
    parameters=(("stacked-clipping-sigma", 4.0), ("gain", None), ("trim", True), ("r", (1, 2.5))),
    metrics=(
        Metric("MDARK MEDIAN", np.float64(1.25), "electron", "x"),
        Metric("HOTPIX NUM", np.int64(7), "count", "hot pixels"),
        Metric("FPN", float("nan"), "electron", "no value"),
        Metric("RAW RON", 7.3, "electron", "y", error=0.00123),
        Metric("DARK CURRENT ERR", 1.23456789012e-05, "electron/s", "y" * 80),
    ),
    exposure_time=300.0,
    total_exposure=900.0,
    arm="NIR",
    first_date_obs="2024-05-01T01:00:00.000",
    first_mjd=60431.0416666667,
    last_mjd=60431.0555555556,
    window=(slice(4, 34), slice(6, 46)),
    trimmed=True,
    qa_flag="GOOD",
)


def raw_header() -> fits.Header:
    cards = [
        ("BITPIX", 16, ""),
        ("BZERO", 32768, ""),
        ("BSCALE", 1, ""),
        ("BLANK", -1, ""),
        ("ZIMAGE", True, ""),
        ("ZCMPTYPE", "RICE_1", ""),
        ("ZD", 12.5, "zenith distance"),
        ("DATAMAX", 65535, ""),
        ("DATASEC", "[7:46,5:34]", ""),
        ("BUNIT", "adu", ""),
        ("CHECKSUM", "abc", ""),
        ("ARCFILE", "SOXS.2024.fits", ""),
        ("ORIGFILE", "dark.fits", ""),
        ("INSTRUME", "SOXS", ""),
        ("ORIGIN", "ESO", ""),
        ("DATE", "2000-01-01T00:00:00", ""),
        ("DATE-OBS", "2000-01-01T00:00:00", ""),
        ("EXPTIME", 1.0, ""),
        ("CTYPE1", "PIXEL", ""),
        ("CTYPE2", "PIXEL", ""),
        ("CRPIX1", 10.0, ""),
        ("CRPIX2", 20.0, ""),
        ("CRVAL1", 1.0, ""),
        ("CRVAL2", 1.0, ""),
        ("CDELT1", 1.0, ""),
        ("CDELT2", 1.0, ""),
        ("HIERARCH ESO DPR TYPE", "DARK", ""),
        ("HIERARCH ESO DPR TECH", "ECHELLE,SLIT", ""),
        ("HIERARCH ESO SEQ ARM", "NIR", ""),
        ("HIERARCH ESO DET BINX", 1, ""),
        ("HIERARCH ESO DET READ CURID", 2, ""),
        ("HIERARCH ESO DET READ CURNAME", "NonDest", ""),
        ("HIERARCH ESO DET OUT1 CONAD", 2.3, "[e-/ADU] " + "long " * 6),
        ("HIERARCH ESO DET OUT1 PRSCX", 6, ""),
        ("HIERARCH ESO INS TEMP217 VAL", 41.5, "[K]"),
        ("HIERARCH ESO TPL ID", "SOXS_gen_cal_Dark", ""),
        ("HIERARCH ESO OBS START", None, ""),
        ("HIERARCH ESO PRO CATG", "OLD", ""),
        ("COMMENT", "  FITS (Flexible Image Transport System) format is defined", ""),
        ("COMMENT", "shutter closed", ""),
        ("HISTORY", "warmed up at noon", ""),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header([fits.Card(*card) for card in cards])


def write_one(path: Path, content: Master | Mask, header: fits.Header) -> None:
    write_products([Product(path, content, header)])


def header(category: str = "MASTER_DARK", **changes: object) -> fits.Header:
    return product_header(raw_header(), replace(FACTS, **changes), category, now=NOW)


def master() -> Master:
    rng = np.random.default_rng(1)
    qual = np.zeros(SHAPE, np.uint16)
    qual[3, 4], qual[5, 6] = 256, 16384 + 8192
    return Master(rng.normal(5, 1, SHAPE), rng.random(SHAPE) + 1, qual, np.full(SHAPE, 5))


def mask() -> Mask:
    return Mask(master().qual, master().errs, np.ones(SHAPE, bool).astype(int))


def parse(*lines: str) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header.fromstring("".join(line.ljust(80) for line in lines))
