"""Hot, noisy and telegraph pixels of simulated frames."""

import math

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.simulator import PixelClass, Scene
from tests.simulate.scenes import CLEAN, make, residuals


def test_fractions_and_classes(tmp_path):
    _, truth, files = make(tmp_path, shape=(200, 200), bad_pixel_fraction=0.005)
    kinds = truth.classes & ~np.int16(PixelClass.LISTED)
    assert np.bincount(kinds.ravel()).tolist() == [39740, 160, 80, 0, 20]
    listed = fits.getdata(files.bad_pixel_map)
    np.testing.assert_array_equal(listed == 1, truth.classes & PixelClass.LISTED != 0)
    assert listed.sum() == 200
    assert np.count_nonzero(kinds[listed == 1] == 0) == 20
    assert not np.any(kinds[listed == 1] == PixelClass.TELEGRAPH)


def test_every_pixel_may_be_odd(tmp_path):
    """99 pixels: two halves, each rounded up, would be 100."""
    halves = {"hot_fraction": 0.5, "noisy_fraction": 0.5, "shape": (9, 11), "frames": 1}
    _, truth, _ = make(tmp_path, **CLEAN | halves)
    assert np.bincount(truth.classes.ravel()).tolist() == [0, 50, 49]


def test_hot_rates_follow_their_power_law_and_time(tmp_path):
    options = CLEAN | {"hot_fraction": 0.25, "shape": (200, 200), "dark": 0.0, "frames": 1}
    _, short, _ = make(tmp_path / "100", exptime=100.0, **options)
    frames, long, _ = make(tmp_path / "300", exptime=300.0, **options)
    hot = long.classes == PixelClass.HOT
    np.testing.assert_allclose(long.expected, 3 * short.expected, rtol=1e-6)
    rates = long.expected[hot] / 300
    assert rates.min() == pytest.approx(0.2, rel=0.01)
    assert rates.max() < 500
    assert np.median(rates) == pytest.approx(0.4, rel=0.03)
    assert np.mean(rates > 2) == pytest.approx(0.1, abs=0.01)
    assert np.all(long.expected[~hot] == 0)
    assert residuals(frames, long)[0][hot].mean() == pytest.approx(0, abs=1.0)


def test_faintest_hot_pixel_is_far_above_the_noise_of_five_frames():
    for arm in ("NIR", "VIS", "UVB"):
        scene = Scene(arm=arm)
        charge = scene.hot_rate_min * scene.exptime
        variance = scene.ron**2 + scene.dark * scene.exptime + scene.gain**2 / 12
        assert charge / math.sqrt(variance / 5) > 17.5, arm


def test_noisy_pixels_have_their_own_factor_in_all_frames(tmp_path):
    options = CLEAN | {"noisy_fraction": 0.1, "shape": (64, 64)}
    frames, truth, _ = make(tmp_path, frames=60, dark=0.0, **options)
    noisy = truth.classes == PixelClass.NOISY
    ordinary = math.sqrt(7.3**2 + 2.3**2 / 12)
    factors = truth.noise[noisy] / ordinary
    assert 3.9 < factors.min() < 4.3
    assert 9.7 < factors.max() < 10
    assert factors.mean() == pytest.approx(7, abs=0.3)
    measured = residuals(frames, truth).std(axis=0)
    assert np.median(measured[noisy] / truth.noise[noisy]) == pytest.approx(1, abs=0.03)
    for half in (frames[:30], frames[30:]):
        assert np.all(half.std(axis=0)[noisy] > 2 * ordinary)
    assert measured[~noisy].mean() == pytest.approx(ordinary, rel=0.02)


def test_telegraph_pixels_switch_between_two_levels(tmp_path):
    options = CLEAN | {"telegraph_fraction": 0.05, "shape": (64, 64)}
    frames, truth, _ = make(tmp_path, frames=80, ron=0.5, dtype="float32", **options)
    switching = truth.classes == PixelClass.TELEGRAPH
    samples = residuals(frames, truth)[:, switching]
    assert np.mean(samples > 0) == pytest.approx(0.5, abs=0.02)
    upper = np.array([s[s > 0].mean() for s in samples.T])
    lower = np.array([s[s < 0].mean() for s in samples.T])
    step = upper - lower
    base = math.sqrt(0.25 + 3)
    assert 4 * base < step.min() < 8 * base
    assert 27 * base < step.max() < 31 * base
    assert np.abs(samples.mean(axis=1)).max() < 6 * step.mean() / math.sqrt(switching.sum())
    assert samples.std(axis=0) == pytest.approx(truth.noise[switching], rel=0.2)
