"""A bias subtracted once from the mean of the darks: errors, flags, dark current."""

import hashlib
import json
import math
import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.simulator import PixelClass, read_truth
from tests.bias.pairs import DARK, RON, SHAPE, changed, image, made, refused


def residual(result, dark, bias) -> np.ndarray:
    """Master minus truth, the levels' error included in the truth."""
    level = dark.levels_e.mean() - bias.levels_e.mean()
    return image(result.master) - dark.expected - level


def ordinary(dark, bias) -> np.ndarray:
    return (dark.classes == 0) & (dark.hits == 0) & (bias.hits == 0)


def test_errors_are_right(pair):
    good = ordinary(pair.truth, pair.bias_truth)
    pull = residual(pair.result, pair.truth, pair.bias_truth) / image(pair.result.master, "ERRS")
    assert np.count_nonzero(good) > 60000
    # the spread of 65000 pulls is known to 0.3 %
    assert pull[good].std() == pytest.approx(1, abs=0.03)
    expected = math.sqrt((RON**2 + DARK + 1 / 12) / 5 + (RON**2 + 1 / 12) / 10)
    assert np.median(image(pair.result.master, "ERRS")) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("darks", "biases"), [(5, 5), (25, 5), (9, 3)])
def test_pulls_of_other_numbers(tmp_path, darks, biases):
    pattern = np.random.default_rng(4).normal(0, 3, SHAPE).round().astype(int)
    dark, bias = made(tmp_path, darks, biases, pattern, seed=31)
    master = mbias(bias.sof, output=tmp_path / "o").master
    result = mdark(dark.sof, output=tmp_path / "o", master_bias=master)
    truths = read_truth(dark.truth), read_truth(bias.truth)
    errors = image(result.master, "ERRS")
    pull = (residual(result, *truths) / errors)[ordinary(*truths)]
    assert pull.std() == pytest.approx(1, abs=0.03)
    # the error of the bias is common to all darks: more of them do not lessen it
    assert np.median(errors) > 0.99 * math.sqrt((RON**2 + 1 / 12) / biases)


def test_frame_by_frame_with_ccdproc_has_wrong_errors(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.nddata import CCDData, StdDevUncertainty
        from ccdproc import subtract_bias
    bias = CCDData.read(
        pair.master.master, hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE"
    )
    noise = np.full(SHAPE, math.sqrt(RON**2 + DARK + 1 / 12))
    frames = [
        subtract_bias(
            CCDData(image(p).astype(float), unit="electron", uncertainty=StdDevUncertainty(noise)),
            bias,
        )
        for p in pair.dark.frames
    ]
    mean = np.mean([f.data for f in frames], axis=0)
    error = np.sqrt(np.sum([f.uncertainty.array**2 for f in frames], axis=0)) / len(frames)
    good = ordinary(pair.truth, pair.bias_truth)
    level = pair.truth.levels_e.mean() - pair.bias_truth.levels_e.mean()
    theirs = ((mean - pair.truth.expected - level) / error)[good].std()
    # sqrt((18/5 + 14.5/10) / (18/5 + 14.5/50))
    assert theirs == pytest.approx(1.13, abs=0.02)
    # what is subtracted is the same; 4-sigma clipping alone makes a difference
    ours = image(pair.result.master)
    assert np.median(np.abs(ours - mean)[good]) < 1e-3


def test_pattern_of_the_bias_makes_no_hot_pixels_and_hides_none(pair, tmp_path):
    without = mdark(pair.dark.sof, output=tmp_path)
    hot = (pair.truth.classes & PixelClass.HOT != 0) & (pair.truth.classes & PixelClass.LISTED == 0)
    good = ordinary(pair.truth, pair.bias_truth)
    found, lost = (image(r.master, "QUAL") & Flag.HOT != 0 for r in (pair.result, without))
    # the faintest has 18 e-, eight errors of 2.25 e-
    assert found[hot].mean() > 0.97
    assert lost[hot].mean() < 0.5
    assert np.count_nonzero(found[good]) == 0
    assert np.count_nonzero(image(pair.result.master, "QUAL")[good] & Flag.COLD) == 0


def test_columns_far_above_are_no_signal(tmp_path):
    pattern = np.zeros(SHAPE, int)
    pattern[:, ::37] = 60
    dark, bias = made(tmp_path, 5, 5, pattern)
    master = mbias(bias.sof, output=tmp_path / "o").master
    result = mdark(dark.sof, output=tmp_path / "o", master_bias=master)
    without = mdark(dark.sof, output=tmp_path / "p")
    assert any("GAIN SLOPE" in m.why for m in without.reduced.judged.concerns)
    assert result.reduced.judged.concerns == ()
    errors = image(result.master, "ERRS")
    good = ordinary(read_truth(dark.truth), read_truth(bias.truth))
    inside, outside = (np.median(errors[good & where]) for where in (pattern > 0, pattern == 0))
    assert inside == pytest.approx(outside, rel=0.01)
    # shot noise of 60 e- would have given sqrt((18 + 60) / 18) times
    assert np.median(image(without.master, "ERRS")[good & (pattern > 0)]) > 1.5 * outside / 1.4


def test_dark_current(pair):
    metrics = pair.result.metrics
    assert metrics["DARK CURRENT"] == pytest.approx(metrics["MDARK MEDIAN"] / 1800, abs=1e-8)
    drift = pair.result.metrics["LEVEL DRIFT"] / math.sqrt(5)
    error = math.hypot(drift, pair.master.metrics["LEVEL DRIFT"] / math.sqrt(10)) / 1800
    assert metrics["DARK CURRENT ERR"] == pytest.approx(error, abs=1e-8)
    assert metrics["DARK CURRENT"] == pytest.approx(DARK / 1800, abs=3 * error)
    # the typical dark is known, and taken out of the read noise
    assert metrics["RAW RON"] == pytest.approx(RON, rel=0.015)


def test_no_dark_current_with_a_pedestal_or_where_it_does_not_scale(pair, night, tmp_path):
    with_pedestal = mdark(pair.dark.sof, output=tmp_path / "v")
    nir = mdark(night.sof, output=tmp_path / "n")
    for result in (with_pedestal, nir):
        assert not [name for name in result.metrics if name.startswith("DARK CURRENT")]
    headers = [fits.getheader(r.master) for r in (with_pedestal, nir, pair.result)]
    assert [h["ESO PRO PEDESTAL"] for h in headers] == [True, False, False]


def test_header_record_and_log_name_the_bias(pair):
    path = pair.master.master
    header, bias = fits.getheader(pair.result.master), fits.getheader(path)
    found = {k: header[f"ESO PRO REC1 CAL1 {k}"] for k in ("NAME", "CATG", "DATAMD5")}
    assert found == {"NAME": path.name, "CATG": "MASTER_BIAS_VIS", "DATAMD5": bias["DATAMD5"]}
    entry = json.loads(pair.result.record_file.read_text())["master-bias"]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry["path"], entry["unit"]) == (str(path), "electron (BUNIT)")
    assert entry["sha256"] in pair.result.log.read_text()


def test_bias_of_the_sof(pair, tmp_path):
    sof = tmp_path / "darks.sof"
    frames = "".join(f"{path} DARK_VIS\n" for path in pair.dark.frames)
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_VIS\n")
    result = mdark(sof, output=tmp_path / "o", overrides=["require-master-bias=true"])
    np.testing.assert_array_equal(image(result.master), image(pair.result.master))
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_UVB\n")
    shutil.rmtree(tmp_path / "o")
    path = changed(
        pair.master.master, tmp_path / "b.fits", lambda h: h[0].header.remove("ESO SEQ ARM")
    )
    sof.write_text(frames + f"{path} MASTER_BIAS_UVB\n")
    with pytest.raises(InputError, match=r"another setup than the frames: arm UVB \(expected VIS"):
        mdark(sof, output=tmp_path / "o")
    sof.write_text(frames + f"{path} MASTER_BIAS\n{path.parent}/c.fits MASTER_BIAS\n")
    shutil.copy(path, tmp_path / "c.fits")
    with pytest.raises(InputError, match=r"2 master biases \(lines 6 and 7\)"):
        mdark(sof, output=tmp_path / "o")


def test_required_bias(pair, tmp_path):
    refused(pair, tmp_path, "no master bias given", overrides=["require-master-bias=true"])
