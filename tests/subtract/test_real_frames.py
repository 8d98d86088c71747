"""Hot pixels of real frames go with the dark of another exposure time."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData

from soxsdark import mdark, subtract_dark
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from tests.subtract.frames import spread


def real_bias(path: Path, raw: Path, flux: np.ndarray, sigma) -> Path:
    known = ("INSTRUME", "XBINNING", "YBINNING", "XORGSUBF", "YORGSUBF", "EGAIN")
    header = fits.getheader(raw)
    cards = {key: header[key] for key in known} | {"BUNIT": "electron"}
    errors = fits.ImageHDU(np.broadcast_to(sigma, flux.shape).astype("f4"), name="ERRS")
    image = fits.PrimaryHDU(flux.astype("f4"), fits.Header(cards))
    fits.HDUList([image, errors]).writeto(path)
    return path


def hot_pulls(found: CCDData, hot: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Residuals of hot pixels over their errors; a frame's own level is no matter of pixels."""
    return ((found.data - np.median(found.data[good])) / found.uncertainty.array)[hot]


def test_st7_hot_pixels_of_300_s_go_with_the_dark_of_900_s(shared_data, tmp_path):
    """There are no biases: darks of 120 s and 900 s, drawn to 0 s, give one.

    The frames of 300 s have no part in it.
    """
    frames = {
        seconds: [
            path
            for path in sorted((shared_data / "st7").glob(f"*D{seconds}s*.fit"))
            if "(1)" not in path.name
        ]
        for seconds in (120, 300, 900)
    }
    masters = {s: mdark(frames[s], output=tmp_path / str(s)).master_dark for s in (120, 900)}
    flux = {s: fits.getdata(m).astype(float) for s, m in masters.items()}
    errs = {s: fits.getdata(m, "ERRS") for s, m in masters.items()}
    flags = {s: fits.getdata(m, "QUAL") for s, m in masters.items()}
    zero = (900 * flux[120] - 120 * flux[900]) / 780
    sigma = np.hypot(900 * errs[120], 120 * errs[900]) / 780
    bias = real_bias(tmp_path / "bias.fits", frames[300][0], zero, sigma)
    with pytest.raises(InputError, match="300 s, .*has 900 s and does not say .*--master-bias"):
        subtract_dark(frames[300][0], masters[900])
    good = (flags[900] | flags[120]) == 0
    below = flux[900] < 0.8 * 65535 * 2.55
    hot = (flags[900] == Flag.HOT) & (flags[120] & ~Flag.HOT == 0) & below
    assert hot.sum() > 10000
    assert np.median((flux[900] - zero)[hot] / 3) > 150
    for frame in frames[300]:
        found = subtract_dark(frame, masters[900], master_bias=bias)
        assert found.meta["ESO QC DSUB FACTOR"] == pytest.approx(1 / 3)
        assert spread(hot_pulls(found, good, good)) == pytest.approx(1, abs=0.05)
        pulls = hot_pulls(found, hot, good)
        assert np.abs(np.median(pulls)) < 0.2
        assert spread(pulls) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("of_the_dark", [True, False])
def test_stl1001_hot_pixels_of_300_s_go_with_the_dark_of_30_s(shared_data, tmp_path, of_the_dark):
    folder, gain = shared_data / "stl1001", 2.06
    biases = sorted(folder.glob("bias*.FIT"))
    stack = np.array([fits.getdata(path) for path in biases]) * gain
    # a median of 10 has 1.18 times the noise of their mean
    sigma = 1.18 * np.median(stack.std(axis=0, ddof=1)) / np.sqrt(10)
    bias = real_bias(tmp_path / "bias.fits", biases[0], np.median(stack, axis=0), sigma)
    darks = sorted(folder.glob("dark_10series*.FIT"))
    options = {"master_bias": bias} if of_the_dark else {}
    master = mdark(darks, output=tmp_path, **options).master_dark
    found = subtract_dark(folder / "dark_series_0c_5m.00000002.DARK.FIT", master, master_bias=bias)
    assert found.meta["ESO QC DSUB FACTOR"] == 10
    flags, flux = fits.getdata(master, "QUAL"), fits.getdata(master).astype(float)
    if not of_the_dark:
        flux = flux - fits.getdata(bias)
    good = flags == 0
    # those near the threshold were chosen for their noise, too, which then is multiplied by 10
    hot = (flags == Flag.HOT) & (10 * flux > 2000) & (10 * flux < 0.7 * 65535 * gain)
    assert hot.sum() > 10000
    assert spread(hot_pulls(found, good, good)) == pytest.approx(1, abs=0.05)
    pulls = hot_pulls(found, hot, good)
    assert np.abs(np.median(pulls)) < 0.2
    assert spread(pulls) == pytest.approx(1, abs=0.2)
