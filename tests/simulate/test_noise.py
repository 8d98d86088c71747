"""Noise and levels of simulated frames, measured against the truth or the scene."""

import math

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.simulator import PixelClass
from tests.simulate.scenes import CLEAN, make, residuals


def scatter_of_half_differences(frames: np.ndarray) -> float:
    return np.std(frames[0] - frames[1], ddof=1) / math.sqrt(2)


# Noise


@pytest.mark.parametrize("arm", ["NIR", "VIS", "UVB"])
def test_noise_is_that_of_read_shot_and_quantisation(tmp_path, arm):
    frames, truth, _ = make(tmp_path, arm=arm, frames=2, **CLEAN | {"shape": (256, 256)})
    ron, gain, charge = {
        "NIR": (7.3, 2.3, 3.0),
        "VIS": (3.8, 1.0, 3.6),
        "UVB": (2.6, 1.61, 1.08),
    }[arm]
    model = math.sqrt(ron**2 + charge + gain**2 / 12)
    assert scatter_of_half_differences(frames) == pytest.approx(model, rel=0.01)
    assert np.median(truth.noise) == pytest.approx(model, rel=1e-3)


def test_samples_scatter_around_the_truth_by_their_noise(tmp_path):
    options = {"shape": (256, 256), "frames": 4, "cosmic_ray_rate": 0.0, "ron_spread": 0.2}
    frames, truth, _ = make(tmp_path, **options)
    kept = (truth.classes & PixelClass.TELEGRAPH) == 0
    pulls = (residuals(frames, truth) / truth.noise)[:, kept]
    assert pulls.std() == pytest.approx(1, abs=0.01)
    assert pulls.mean() == pytest.approx(0, abs=4 / math.sqrt(pulls.size))


def test_dark_charge_and_its_shot_noise_give_the_gain(tmp_path):
    frames, truth, _ = make(
        tmp_path, dark=20.0, dark_spread=0.0, ron=0.0, gain=2.0, frames=2, **CLEAN
    )
    adu = frames / 2.0
    mean = (adu - truth.levels_e[:, None, None] / 2.0).mean()
    variance = scatter_of_half_differences(adu) ** 2 - 1 / 12
    assert mean * 2.0 == pytest.approx(20.0 * 300, rel=1e-3)
    assert mean / variance == pytest.approx(2.0, rel=0.04)


def test_header_gain_changes_the_headers_alone(tmp_path):
    right, _, _ = make(tmp_path / "right", **CLEAN)
    wrong, truth, files = make(tmp_path / "wrong", header_gain=3.0, **CLEAN)
    header = fits.getheader(files.frames[0])
    np.testing.assert_array_equal(right, wrong)
    assert header["ESO DET OUT1 CONAD"] == 3.0
    assert header["ESO DET OUT1 GAIN"] == pytest.approx(1 / 3, abs=1e-6)
    assert truth.gain == 2.3


def test_averaging_reads_divides_the_variance_and_not_the_charge(tmp_path):
    options = {"dark": 1.0, "dark_spread": 0.0, "dtype": "float32", "frames": 2}
    single, _, _ = make(tmp_path / "1", **options, **CLEAN)
    average, truth, files = make(tmp_path / "4", ndit=4, **options, **CLEAN)
    model = math.sqrt(7.3**2 + 300)
    assert scatter_of_half_differences(single) == pytest.approx(model, rel=0.02)
    assert scatter_of_half_differences(average) == pytest.approx(model / 2, rel=0.02)
    assert truth.noise[0, 0] == pytest.approx(model / 2, rel=1e-5)
    assert residuals(average, truth).mean() == pytest.approx(0, abs=0.2)
    assert truth.expected.mean() == pytest.approx(300, rel=1e-5)
    header = fits.getheader(files.frames[0])
    assert (header["EXPTIME"], header["ESO DET SEQ1 DIT"], header["ESO DET NDIT"]) == (300, 300, 4)


def test_spread_of_read_noise_from_pixel_to_pixel(tmp_path):
    even, even_truth, _ = make(tmp_path / "even", dark=0.0, frames=2, **CLEAN)
    spread, truth, _ = make(tmp_path / "spread", dark=0.0, ron_spread=0.2, frames=30, **CLEAN)
    assert np.ptp(even_truth.noise) == 0
    assert truth.noise.std() / truth.noise.mean() == pytest.approx(0.2, rel=0.05)
    measured = spread.std(axis=0, ddof=1)
    assert np.corrcoef(measured.ravel(), truth.noise.ravel())[0, 1] > 0.75


# Levels


def test_level_drifts_around_the_pedestal(tmp_path):
    small = CLEAN | {"shape": (16, 16)}
    frames, truth, files = make(tmp_path, arm="VIS", frames=200, drift=5.0, dark=0.0, **small)
    levels = fits.getdata(files.truth, "LEVELS")
    assert truth.levels_e.mean() == pytest.approx(1000, abs=4 * 5 / math.sqrt(200))
    assert truth.levels_e.std() == pytest.approx(5, rel=0.2)
    measured = frames.mean(axis=(1, 2))
    assert np.abs(measured - levels["electrons"]).max() < 5 * 3.81 / 16


def test_arm_without_pedestal_has_signed_pixels_unless_they_are_unsigned(tmp_path):
    signed, truth, _ = make(tmp_path / "signed", drift=0.0, **CLEAN)
    lifted, _, _ = make(tmp_path / "lifted", drift=0.0, dtype="uint16", **CLEAN)
    assert signed.min() < 0
    assert truth.levels_e == pytest.approx(-0.4 * 2.3)
    assert lifted.mean() == pytest.approx(1000 * 2.3 + 3, abs=0.3)
