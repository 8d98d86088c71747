"""Units: darks and frames in ADU and in electrons."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark import mdark, simulate, subtract_dark
from soxsdark.errors import InputError
from soxsdark.simulator import Scene
from tests.subtract.frames import CALM, SHAPE, changed


def adu_dark(path: Path, master: Path, gain: float, **cards) -> Path:
    """The master dark as ccdproc would have written it in ADU."""
    with fits.open(master) as hdus:
        header = fits.Header()
        for key in ("INSTRUME", "EXPTIME", "ESO SEQ ARM", "ESO DET OUT1 CONAD", "EGAIN"):
            if key in hdus[0].header:
                header[f"HIERARCH {key}" if " " in key else key] = hdus[0].header[key]
        header.update({"BUNIT": "adu", **cards})
        ccd = CCDData(
            hdus[0].data / gain, unit="adu", meta=header, mask=hdus["QUAL"].data != 0,
            uncertainty=StdDevUncertainty(hdus["ERRS"].data / gain),
        )  # fmt: skip
    ccd.write(path)
    return path


def test_dark_in_adu_is_converted(nir, tmp_path):
    dark = adu_dark(tmp_path / "adu.fits", nir["master"], 2.3)
    found, expected = (subtract_dark(nir["frame"], d) for d in (dark, nir["master"]))
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(found.mask, expected.mask)
    # without ESO QC RAW RON the header's read noise of 7.3 e- counts, not the measured 7.4
    np.testing.assert_allclose(found.uncertainty.array, expected.uncertainty.array, rtol=0.03)


def test_read_noise_of_the_header_is_that_of_one_read(tmp_path):
    """A dark of another program, whose read noise nobody measured; nine reads are averaged."""
    darks = simulate(tmp_path / "n", Scene(shape=SHAPE, ndit=9, **CALM))
    master = mdark(darks.sof, output=tmp_path).master_dark
    dark = adu_dark(tmp_path / "adu.fits", master, 2.3)
    found, expected = (subtract_dark(darks.frames[0], d) for d in (dark, master))
    ratio = found.uncertainty.array / expected.uncertainty.array
    assert np.median(ratio) == pytest.approx(1, abs=0.03)


def test_frame_in_electrons_is_not_converted(nir):
    raw = fits.getdata(nir["frame"]) * 2.3
    frame = CCDData(raw, unit="electron", meta=fits.getheader(nir["frame"]))
    expected = subtract_dark(nir["frame"], nir["master"])
    np.testing.assert_allclose(subtract_dark(frame, nir["master"]).data, expected.data, atol=1e-4)


def test_gain_of_the_dark_s_settings_holds_for_the_frame(nir, tmp_path):
    darks = sorted((nir["master"].parent / "darks").glob("NIR*.fits"))
    master = mdark(darks, output=tmp_path, overrides=["gain=4.6"]).master_dark
    found = subtract_dark(nir["frame"], master)
    expected = fits.getdata(nir["frame"]) * 4.6 - fits.getdata(master)
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=1e-3)


def test_unknown_gain_is_no_bridge_between_units(tmp_path):
    dark = tmp_path / "d.fits"
    header = fits.Header({"BUNIT": "electron", "EXPTIME": 10.0})
    fits.PrimaryHDU(np.zeros((9, 9), "f4"), header).writeto(dark)
    frame = CCDData(np.zeros((9, 9)), unit="adu", meta={"EXPTIME": 10.0, "FILENAME": "a.fits"})
    with pytest.raises(InputError, match=r"a\.fits: in ADU, d\.fits is in electrons, and the gain"):
        subtract_dark(frame, dark)


@pytest.mark.parametrize(("unit", "said"), [(None, "is missing"), ("Jy", "is 'Jy'")])
def test_dark_of_unknown_unit(nir, tmp_path, unit, said):
    dark = changed(nir["master"], tmp_path, BUNIT=unit)
    with pytest.raises(InputError, match=f"BUNIT {said}, expected electron or adu"):
        subtract_dark(nir["frame"], dark)


def test_frame_of_unknown_unit(nir, tmp_path):
    frame = changed(nir["frame"], tmp_path, BUNIT="Jy")
    with pytest.raises(InputError, match=r"BUNIT\) is 'Jy', expected adu or electron"):
        subtract_dark(frame, nir["master"])


def test_a_raw_frame_is_no_dark(nir, tmp_path):
    with pytest.raises(InputError, match=r"ESO DPR TYPE is 'DARK', a raw frame: expected a master"):
        subtract_dark(nir["frame"], nir["frame"])
