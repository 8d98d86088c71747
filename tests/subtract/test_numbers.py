"""A master dark taken off frames: against ccdproc and against the simulated truth."""

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark import mdark, simulate, subtract_dark
from soxsdark.flags import Flag
from soxsdark.simulator import Scene, read_truth
from soxsdark.subtract import subtract_files
from tests.subtract.frames import (
    HDUS,
    PEDESTAL,
    RON,
    SHAPE,
    VIS,
    VIS_GAIN,
    changed,
    spread,
    write_bias,
)

# Against ccdproc


@pytest.mark.parametrize("kind", ["short", "equal"])
def test_equals_ccdproc(vis, kind):
    import ccdproc

    frame = vis[kind].frames[10]
    found = subtract_dark(frame, vis["free"], master_bias=vis["bias"])
    raw = fits.getdata(frame).astype(float) * VIS_GAIN
    exposure = fits.getheader(frame)["EXPTIME"]
    science = CCDData(raw - fits.getdata(vis["bias"]), unit="electron", meta={"EXPTIME": exposure})
    master = CCDData.read(vis["free"], **HDUS)
    expected = ccdproc.subtract_dark(
        science, master, exposure_time="EXPTIME", exposure_unit=units.s, scale=True
    )
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.unit == units.electron


def test_errors_are_those_of_ccdproc_where_the_frame_brings_its_own(nir):
    import ccdproc

    raw = fits.getdata(nir["frame"]).astype(float)
    bad = np.zeros(SHAPE, bool)
    bad[3, 4] = True
    frame = CCDData(
        raw, unit="adu", uncertainty=StdDevUncertainty(np.full(SHAPE, 3.0)), mask=bad,
        meta=fits.getheader(nir["frame"]),
    )  # fmt: skip
    found = subtract_dark(frame, nir["master"])
    gain = 2.3 * units.electron / units.adu
    master = CCDData.read(nir["master"], **HDUS)
    time = {"dark_exposure": 300 * units.s, "data_exposure": 300 * units.s}
    expected = ccdproc.subtract_dark(ccdproc.gain_correct(frame, gain), master, **time)
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.uncertainty.array, expected.uncertainty.array, rtol=1e-6)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.flags[3, 4] & Flag.INPUT


# Against the truth


@pytest.mark.parametrize("kind", ["short", "equal"])
def test_truth_is_left_with_right_errors(vis, kind):
    truth = read_truth(vis[kind].truth)
    found = subtract_dark(vis[kind].frames[10], vis["free"], master_bias=vis["bias"])
    good = truth.classes == 0
    # 20000 pixels of 4-5 e-; half the pixels without signal count their noise as signal in ERRS
    assert np.mean(found.data[good]) == pytest.approx(0, abs=0.15)
    pulls = (found.data / found.uncertainty.array)[good]
    assert 0.91 < np.std(pulls) < 1.01
    hot = (truth.classes == 1) & (truth.expected > 50)
    assert np.count_nonzero(hot) > 30
    pulls = (found.data / found.uncertainty.array)[hot]
    assert np.abs(np.median(pulls)) < 0.6
    assert 0.7 < spread(pulls) < 1.4


def test_bias_given_for_a_dark_with_pedestal_is_taken_off_both(vis):
    frame = vis["short"].frames[10]
    free = subtract_dark(frame, vis["free"], master_bias=vis["bias"])
    both = subtract_dark(frame, vis["with"], master_bias=vis["bias"])
    np.testing.assert_allclose(both.data, free.data, rtol=0, atol=1e-3)
    # the read noises are measured with and without the shot noise of the dark
    good = ~(free.mask | both.mask)
    ratio = (both.uncertainty.array / free.uncertainty.array)[good]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_the_same_bias_is_not_counted_twice(vis, tmp_path):
    """Bias errors of 30 e-: of the same bias (1 - 1/4)² remain, of another 1 + (1/4)²."""
    raw = vis["darks"].frames[0]
    noise = np.random.default_rng(8).normal(0, 30, (2, *SHAPE))
    paths = [
        write_bias(tmp_path / f"{i}.fits", raw, PEDESTAL + part, 30.0, DATAMD5=str(i))
        for i, part in enumerate(noise)
    ]
    dark = mdark(vis["darks"].sof, output=tmp_path, master_bias=paths[0]).master_dark
    good = read_truth(vis["short"].truth).classes == 0
    for path, expected in zip(paths, (30 * 0.75, 30 * np.hypot(1, 0.25)), strict=True):
        found = subtract_dark(vis["short"].frames[10], dark, master_bias=path)
        own = np.hypot(expected, RON)
        assert np.median(found.uncertainty.array[good]) == pytest.approx(own, rel=0.08)
        assert np.std(found.data[good]) == pytest.approx(own, rel=0.03)


def test_the_same_bias_in_a_dark_that_is_multiplied(vis, tmp_path):
    """Bias errors of 30 e-, a dark times 4: (1 - 4)² of the variance remains, not 4²."""
    noise = np.random.default_rng(8).normal(0, 30, SHAPE)
    bias = write_bias(tmp_path / "b.fits", vis["darks"].frames[0], PEDESTAL + noise, 30.0)
    dark = mdark(vis["short"].sof, output=tmp_path, master_bias=bias).master_dark
    found = subtract_dark(vis["equal"].frames[10], dark, master_bias=bias)
    assert found.meta["ESO QC DSUB FACTOR"] == 4
    good = read_truth(vis["equal"].truth).classes == 0
    own = np.hypot(30 * 3, np.hypot(RON, 4 * RON / np.sqrt(11)))
    assert np.std(found.data[good]) == pytest.approx(own, rel=0.03)
    assert np.median(found.uncertainty.array[good]) == pytest.approx(own, rel=0.03)


def test_equal_times_need_no_bias(vis):
    truth = read_truth(vis["equal"].truth)
    found = subtract_dark(vis["equal"].frames[10], vis["with"])
    good = truth.classes == 0
    assert np.mean(found.data[good]) == pytest.approx(0, abs=0.15)
    pulls = (found.data / found.uncertainty.array)[good]
    assert 0.91 < np.std(pulls) < 1.01
    assert found.meta["ESO PRO PEDESTAL"] is False


def test_flags_of_frame_and_dark_are_joined(nir, tmp_path):
    def spoil(pixels):
        pixels = pixels.astype("f4")
        pixels[5, 6] = np.nan
        return pixels

    flags = fits.getdata(nir["master"], "QUAL")
    assert flags[5, 6] == 0
    found = subtract_dark(changed(nir["frame"], tmp_path, spoil), nir["master"])
    expected = flags.astype(int)
    expected[5, 6] = Flag.EMPTY
    np.testing.assert_array_equal(found.flags, expected)
    np.testing.assert_array_equal(found.mask, expected != 0)


def test_saturated_pixels_are_flagged(vis, tmp_path):
    def fill(pixels):
        pixels[7, 8] = 65535
        return pixels

    frame = changed(vis["equal"].frames[10], tmp_path, fill)
    assert subtract_dark(frame, vis["with"]).flags[7, 8] & Flag.SATURATED


def test_frames_are_trimmed_as_the_dark(tmp_path):
    scene = {"arm": "NIR", "seed": 2, "cosmic_ray_rate": 0.0}
    darks = simulate(tmp_path / "n", Scene(**scene, frames=3))
    master = mdark(darks.sof, output=tmp_path).master_dark
    [result] = subtract_files([darks.frames[1]], master, output=tmp_path)
    flux, header = fits.getdata(result.product, header=True)
    assert flux.shape == (2040, 2040)
    raw = fits.getdata(darks.frames[1])[4:2044, 4:2044] * 2.3
    np.testing.assert_allclose(flux, raw - fits.getdata(master), rtol=0, atol=0.02)
    assert (header["LTV1"], header["LTV2"]) == (-4, -4)
    assert result.record["window"] == [[4, 2044], [4, 2044]]


def test_turned_frames_fall_on_their_dark(tmp_path):
    scene = {**VIS, "arm": "UVB", "hot_rate_min": 1.0}
    darks = simulate(tmp_path / "u", Scene(**scene, frames=5))
    master = mdark(darks.sof, output=tmp_path).master_dark
    found = subtract_dark(darks.frames[4], master)
    hot = fits.getdata(master, "QUAL") == Flag.HOT
    above = fits.getdata(master)[hot] - np.median(fits.getdata(master))
    assert hot.sum() > 100
    assert np.median(above) > 1000
    assert np.abs(np.median(found.data[hot])) < 0.05 * np.median(above)
    expected = np.rot90(fits.getdata(darks.frames[4]) * 1.61, 2) - fits.getdata(master)
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=0.02)
