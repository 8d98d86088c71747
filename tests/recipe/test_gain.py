"""Electrons: the gain that is stated against the one measured, and averaged reads."""

import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate
from tests.recipe.running import QUIET, pulls, robust_spread, run, science, write_generic

# Averaged reads


def test_ndit_divides_shot_noise(tmp_path):
    options = QUIET | {"hot_fraction": 0.03, "ndit": 4, "frames": 7, "shape": (192, 192)}
    files = simulate(tmp_path / "n", Scene(**options))
    result = run(files, tmp_path / "o")
    truth = read_truth(files.truth)
    pull = pulls(result, truth)
    hot = truth.classes & PixelClass.HOT != 0
    # 1100 pixels: the spread of a unit Gaussian is known to 2 %
    assert robust_spread(pull[hot]) == pytest.approx(1, abs=0.08)
    header = fits.getheader(result.master_dark)
    assert header["EXPTIME"] == 300.0
    assert result.metrics["GAIN SLOPE"] == pytest.approx(1, abs=0.15)


# Gain


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_gain_is_reported(tmp_path, factor):
    options = QUIET | {"hot_fraction": 0.03, "shape": (256, 256), "header_gain": 2.3 * factor}
    result = run(simulate(tmp_path / "n", Scene(**options)), tmp_path / "o")
    assert result.qa_flag == "PARTIAL"
    assert result.qa_flag.exit_code == 11
    ron, concern = result.reduced.judged.concerns
    assert (ron.name, concern.name) == ("RAW RON", "GAIN SLOPE")
    assert f"gain of {2.3 * factor:g} e-/ADU" in concern.why
    assert "ESO DET OUT1 CONAD" in concern.why
    # in units of the wrong gain: variance goes with its square, signal with itself
    assert concern.value == pytest.approx(factor, rel=0.1)
    assert concern.why in (tmp_path / "o" / "darks.log").read_text()
    assert concern.why in result.record["warnings"]


def test_right_gain_is_not_reported(tmp_path):
    options = QUIET | {"hot_fraction": 0.03, "shape": (256, 256)}
    result = run(simulate(tmp_path / "n", Scene(**options)), tmp_path / "o")
    assert result.qa_flag == "GOOD"
    assert result.metrics["GAIN SLOPE"] == pytest.approx(1, abs=0.1)


def test_unknown_gain_is_measured(tmp_path):
    options = QUIET | {"hot_fraction": 0.03, "shape": (256, 256), "pedestal": 1000.0}
    files = simulate(tmp_path / "n", Scene(**options))
    (tmp_path / "g").mkdir()
    paths = [write_generic(tmp_path / "g" / p.name, science(p)) for p in files.frames]
    result = mdark(paths, output=tmp_path / "o", instrument="generic")
    assert result.record["gain"] == {"value": 1.0, "source": "assumed"}
    assert any("gain" in line for line in result.record["warnings"])
    assert result.record["noise-model"]["slope-used"] == pytest.approx(1 / 2.3, rel=0.1)
    truth = read_truth(files.truth)
    hot = truth.classes & PixelClass.HOT != 0
    flux, errors = science(result.master_dark), science(result.master_dark, "ERRS")
    residual = flux * 2.3 - truth.levels_e.mean() - truth.expected
    # 2000 hot pixels: spread known to 1.6 %
    assert robust_spread((residual / errors / 2.3)[hot]) == pytest.approx(1, abs=0.07)
    assert result.qa_flag == "GOOD"
