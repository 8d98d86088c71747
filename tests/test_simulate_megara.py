"""Simulated MEGARA raws: two amplifiers, overscan on opposite sides and between them."""

import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.errors import ProductError, UsageError
from soxsdark.instruments import load_profile, science_sections
from soxsdark.scene import PixelClass, Scene
from soxsdark.simulated_truth import Truth
from soxsdark.simulator import read_truth, simulate

ROWS, COLUMNS = 96, 160
UPPER = slice(ROWS // 2 + 100, ROWS + 100)
LOWER = slice(0, ROWS // 2)
SCIENCE = slice(50, 50 + COLUMNS)
PLAIN = {
    "arm": "MEGARA",
    "shape": (ROWS, COLUMNS),
    "hot_fraction": 0.0,
    "noisy_fraction": 0.0,
    "telegraph_fraction": 0.0,
    "bad_pixel_fraction": 0.0,
    "cosmic_ray_rate": 0.0,
}


def make(folder: Path, **options) -> tuple[np.ndarray, Truth]:
    """Frames in ADU, and their truth."""
    files = simulate(folder, Scene(**PLAIN | options))
    return np.stack([fits.getdata(p) for p in files.frames]).astype(float), read_truth(files.truth)


@pytest.mark.slow
def test_detector_is_that_of_the_instrument(tmp_path):
    files = simulate(tmp_path, Scene(arm="MEGARA", frames=1))
    with fits.open(files.frames[0]) as hdus:
        header, pixels = hdus[0].header, hdus[0].data
        assert pixels.dtype == np.uint16
        assert pixels.shape == (4212, 4196)
    assert read_truth(files.truth).expected.shape == (4112, 4096)
    assert files.profile is None
    assert [header[f"{key}{n}"] for key in ("GAIN", "RDNOISE") for n in (1, 2)] == [
        1.73, 1.6, 3.4, 3.74,
    ]  # fmt: skip
    assert header["INSTRUME"] == "MEGARA"
    assert header["OBSMODE"] == "MegaraDarkImage"
    assert header["EXPTIME"] == header["DARKTIME"] == 1800
    assert "ESO SEQ ARM" not in header


def test_every_image_has_a_uuid_of_its_own(tmp_path):
    files = simulate(tmp_path, Scene(**PLAIN, frames=3, exptime=0))
    headers = [fits.getheader(path) for path in files.frames]
    assert {header["OBSMODE"] for header in headers} == {"MegaraBiasImage"}
    assert {header["DARKTIME"] for header in headers} == {0}
    assert len({header["UUID"] for header in headers}) == 3
    assert len({header["BLCKUUID"] for header in headers}) == 1
    assert files.sof.read_text().splitlines()[0] == "MEGARA_bias_001.fits BIAS"


def test_each_amplifier_has_its_pedestal_gain_and_noise(tmp_path):
    frames, truth = make(tmp_path, frames=2, drift=0.0, dark=0.0)
    assert frames.shape[1:] == (ROWS + 100, COLUMNS + 100)
    parts = {
        (2000, 3.4, 1.73): frames[:, : ROWS // 2 + 50],
        (2350, 3.74, 1.6): frames[:, ROWS // 2 + 50 :],
    }
    for number, ((pedestal, ron, gain), part) in enumerate(parts.items()):
        noise = math.sqrt((ron / gain) ** 2 + 1 / 12)
        assert part.mean() == pytest.approx(pedestal, abs=4 * noise / math.sqrt(part.size))
        assert np.std(part[0] - part[1]) / math.sqrt(2) == pytest.approx(noise, rel=0.02)
        assert truth.levels[:, number] == pytest.approx(pedestal * gain)
        assert truth.gains[number] == pytest.approx(gain)
        half = truth.noise[number * ROWS // 2 : (number + 1) * ROWS // 2]
        assert half == pytest.approx(math.hypot(ron, gain / math.sqrt(12)), rel=1e-5)


def test_levels_drift_independently(tmp_path):
    _, truth = make(tmp_path, frames=150, drift=5.0, shape=(16, 16))
    drift = truth.levels / truth.gains - (2000, 2350)
    assert drift.std(axis=0) == pytest.approx(5, rel=0.2)
    assert abs(np.corrcoef(drift.T)[0, 1]) < 0.3
    np.testing.assert_allclose(truth.levels_e, truth.levels.mean(axis=1))


def test_science_pixels_are_the_truth_pushed_together(tmp_path):
    frames, truth = make(tmp_path, frames=4, hot_fraction=0.02, drift=3.0)
    science = np.concatenate([frames[:, LOWER, SCIENCE], frames[:, UPPER, SCIENCE]], axis=1)
    for number, half in enumerate((slice(0, ROWS // 2), slice(ROWS // 2, ROWS))):
        electrons = science[:, half] * truth.gains[number] - truth.levels[:, number, None, None]
        pulls = (electrons - truth.expected[half]) / truth.noise[half]
        assert pulls.std() == pytest.approx(1, abs=0.02)
        assert pulls.mean() == pytest.approx(0, abs=4 / math.sqrt(pulls.size))
        assert np.count_nonzero(truth.classes[half] == PixelClass.HOT) > 50


def test_overscan_has_no_charge(tmp_path):
    frames, _ = make(tmp_path, frames=2, dark=1.0, drift=0.0)
    overscan = {
        2000: [frames[:, LOWER, :50], frames[:, LOWER, -50:], frames[:, ROWS // 2 :][:, :50]],
        2350: [frames[:, UPPER, :50], frames[:, UPPER, -50:], frames[:, ROWS // 2 + 50 :][:, :50]],
    }
    for pedestal, strips in overscan.items():
        for strip in strips:
            assert strip.mean() == pytest.approx(pedestal, abs=4 * 2.4 / math.sqrt(strip.size))
    assert frames[:, LOWER, SCIENCE].mean() > 2900


def test_tilt_is_a_rise_along_the_rows_overscan_included(tmp_path):
    frames, _ = make(tmp_path, frames=40, dark=0.0, drift=0.0, tilt=60.0)
    for half in (LOWER, UPPER):
        fits_of = {
            name: np.polyfit(np.arange(ROWS // 2), frames[:, half, columns].mean(axis=2).T, 1)
            for name, columns in (("science", SCIENCE), ("overscan", slice(0, 50)))
        }
        rise = {name: fit[0] * (ROWS // 2 - 1) for name, fit in fits_of.items()}
        assert rise["science"].std() == pytest.approx(60, rel=0.4)
        np.testing.assert_allclose(rise["science"], rise["overscan"], atol=1.5)
        # 0 in the middle: the level is that of the truth
        middle = frames[:, half, SCIENCE].mean(axis=(1, 2))
        assert np.ptp(middle) < 0.5


@pytest.mark.parametrize("overscan", [True, False])
def test_smaller_detector_comes_with_its_profile(tmp_path, overscan):
    scene = Scene(**PLAIN, overscan=overscan)
    files = simulate(tmp_path, scene)
    profile = load_profile(files.profile)
    sections, trimmed, remark = science_sections(
        fits.getdata(files.frames[0]).shape, profile.detector(None), (1, 1), trim=True
    )
    assert (trimmed, remark) == (overscan, None)
    assert [s.raw for s in sections] == [a.science for a in scene.amplifiers]
    assert [s.place for s in sections] == [a.place for a in scene.amplifiers]
    if overscan:
        assert [s.raw for s in sections] == [(LOWER, SCIENCE), (UPPER, SCIENCE)]
        assert [s.overscan[1] for s in sections] == [
            slice(50 + COLUMNS, 100 + COLUMNS), slice(0, 50),
        ]  # fmt: skip


def test_profile_is_not_written_over(tmp_path):
    (tmp_path / "megara.yaml").write_text("mine")
    with pytest.raises(ProductError, match="megara.yaml: exists already"):
        simulate(tmp_path, Scene(**PLAIN))


def test_odd_rows_cannot_be_shared():
    with pytest.raises(UsageError, match="rows that 2 amplifiers share"):
        Scene(arm="MEGARA", shape=(97, 160))


def test_options_are_those_of_the_first_amplifier(tmp_path):
    scene = Scene(arm="MEGARA", gain=3.46, header_gain=1.73, ron=10.0, pedestal=500.0)
    second = scene.amplifiers[1]
    assert (second.gain, second.header_gain) == pytest.approx((3.2, 1.6))
    assert (second.ron, second.pedestal) == pytest.approx((11, 850))


def test_darks_and_biases_of_one_seed_are_one_detector_with_noise_of_its_own(tmp_path):
    dark, truth = make(tmp_path / "d", frames=2, hot_fraction=0.01, dark=0.0)
    bias, bias_truth = make(tmp_path / "b", frames=2, hot_fraction=0.01, exptime=0.0)
    np.testing.assert_array_equal(truth.classes, bias_truth.classes)
    for one, other in zip(dark, bias, strict=True):
        quiet = one[:, :50], other[:, :50]
        correlation = np.corrcoef(*(part[: ROWS // 2].ravel() for part in quiet))[0, 1]
        assert abs(correlation) < 4 / math.sqrt(50 * ROWS / 2)
