"""Headers and setups of real frames."""

import os
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.instruments import recognise
from soxsdark.one_setup import check_one_setup
from soxsdark.setups import describe
from tests.setups.seen_headers import SETTINGS


def real(folder: str) -> Path:
    shared = Path(os.environ.get("SOXSDARK_SHARED", "../shared")) / "data" / folder
    if not shared.is_dir():
        pytest.skip(f"real frames not found: {shared} (set SOXSDARK_SHARED)")
    return shared


def describe_real(paths):
    result = []
    for path in paths:
        header = fits.getheader(path)
        shape = (header["NAXIS2"], header["NAXIS1"])
        result.append(describe(path, header, shape, recognise(header["INSTRUME"]), SETTINGS))
    return result


@pytest.mark.parametrize(
    ("folder", "pattern", "count", "seconds", "gain", "temperature"),
    [
        ("st7", "*D120s*.fit", 12, 120.0, 2.55, -17.4),
        ("st7", "*D300s*.fit", 5, 300.0, 2.55, -17.4),
        ("stl1001", "dark_10series*.FIT", 10, 30.0, 2.06, 0.0),
    ],
)
def test_real_darks_are_of_one_setup(folder, pattern, count, seconds, gain, temperature):
    found = describe_real(sorted(real(folder).glob(pattern)))
    check_one_setup(found)
    assert len(found) == count
    assert {one.exposure_time for one in found} == {seconds}
    assert {one.gain.source for one in found} == {"header EGAIN"}
    for one in found:
        assert one.gain.value == pytest.approx(gain, abs=1e-6)
        assert one.temperature == pytest.approx(temperature, abs=1.0)
        assert one.mjd_obs is not None
        assert one.warnings == ()


def test_real_frames_of_two_exposure_times_are_told_apart():
    with pytest.raises(InputError, match="17 frames are not of one setup: exposure time differs"):
        check_one_setup(describe_real(sorted(real("st7").glob("*D[13]*.fit"))))


@pytest.mark.parametrize(
    ("folder", "pattern", "message"),
    [
        ("st7", "Vega.fit", "IMAGETYP is 'LIGHT', expected a dark"),
        ("stl1001", "bias*01.BIAS.FIT", "IMAGETYP is 'Bias Frame', expected a dark"),
    ],
)
def test_real_light_and_bias_are_refused(folder, pattern, message):
    with pytest.raises(InputError, match=message):
        describe_real(real(folder).glob(pattern))
