"""Headers of darks as the instruments write them, and what is seen in them."""

from pathlib import Path

from astropy.io import fits

from soxsdark.instruments import recognise
from soxsdark.settings import MdarkSettings
from soxsdark.setups import describe

SETTINGS = MdarkSettings()
NIR = {
    "INSTRUME": "SOXS    ",
    "ESO DPR TYPE": "DARK",
    "ESO DPR CATG": "CALIB",
    "ESO SEQ ARM": "NIR ",
    "EXPTIME": 300.0,
    "ESO DET SEQ1 DIT": 300.0,
    "ESO DET NDIT": 2,
    "ESO DET READ CURID": 1,
    "ESO DET READ CURNAME": "NonDest ",
    "ESO DET OUT1 CONAD": 2.3,
    "ESO DET OUT1 GAIN": 0.4348,
    "ESO DET OUT1 RON": 0.0,
    "ESO DET CHIP RON": 7.1,
    "ESO INS TEMP217 VAL": 40.1,
    "MJD-OBS": 60000.25,
    "DATE-OBS": "2023-02-25T06:00:00.000",
}
CCD = {
    "INSTRUME": "ST-7",
    "EXPTIME": 120.0,
    "IMAGETYP": "Dark Frame          ",
    "EGAIN": 2.55,
    "XBINNING": 1,
    "YBINNING": 1,
    "CCD-TEMP": -17.4,
    "READOUTM": "Fast",
    "XORGSUBF": 10,
    "YORGSUBF": 20,
    "DATE-OBS": "2019-10-28T21:53:05",
}


def header_of(cards: dict, **changes) -> fits.Header:
    """Make a real header; a change to None removes a card, ``__`` in a name is a blank or dash."""
    header = fits.Header()
    for key, value in {**cards, **changes}.items():
        if value is not None:
            header[f"HIERARCH {key}" if " " in key else key] = value
    return header


def seen(cards, shape=(2048, 2048), tag=None, settings=SETTINGS, name="a.fits", changes=None):
    header = header_of(cards, **(changes or {}))
    profile = recognise(header.get("INSTRUME"))
    return describe(Path(name), header, shape, profile, settings, tag)
