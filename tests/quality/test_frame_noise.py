"""The noise of each frame by itself, against noises that are known."""

import numpy as np
import pytest

from soxsdark import differences
from soxsdark.frame_noise import count_residuals, frame_noises, relative_error


def samples(noises, pixels: int = 40_000) -> np.ndarray:
    rng = np.random.default_rng(4)
    drawn = rng.normal(0, 1, (len(noises), pixels)) * np.array(noises)[:, None]
    return (drawn + rng.normal(0, 300, pixels)).astype("f4")


@pytest.mark.parametrize(
    "noises", [[2, 2, 2], [2, 1, 2], [2, 3, 2, 2, 1.5], [1, 1, 1, 1, 0.2], [2.0] * 20]
)
def test_noises_are_found(noises):
    counts = count_residuals(samples(noises), np.full(40_000, 2.0, "f4"))
    error = relative_error(counts, 2.0, 0.5)
    assert error == pytest.approx(1 / np.sqrt(80_000) / (1 - 2 / len(noises)), rel=0.01)
    expected = np.array(noises) / 2
    assert np.all(np.abs(frame_noises(counts) - expected) < 4 * error * expected.max())


def test_outliers_and_missing_samples_do_not_count():
    values = samples([2] * 5)
    values[1, :4000] = np.nan
    values[2, 4000:4200] = np.inf
    values[3, 4200:4400] += 1e6
    counts = count_residuals(values, np.full(40_000, 2.0, "f4"))
    assert list(counts.sum(axis=1)) == [35_600] * 5
    np.testing.assert_allclose(frame_noises(counts), 1, rtol=0.02)


def test_what_cannot_be_told():
    assert np.isnan(frame_noises(count_residuals(samples([1, 1]), np.ones(40_000)))).all()
    assert np.isnan(frame_noises(count_residuals(samples([1] * 3, 20), np.ones(20)))).all()
    assert np.isnan(frame_noises(np.zeros((5, 513), np.int64))).all()


def test_both_paths_agree(monkeypatch):
    counts = count_residuals(samples([2, 3, 2, 1]), np.full(40_000, 2.0, "f4"))
    compiled = frame_noises(counts)
    monkeypatch.setattr(differences, "kernel", lambda: None)
    np.testing.assert_array_equal(frame_noises(counts), compiled)


@pytest.mark.parametrize(("noise", "error"), [(3.0, 0.0), (0.5, 0.02), (0.4, 0.07)])
def test_noise_below_a_step_depends_on_the_level(noise, error):
    phases = np.linspace(0, 0.5, 6)[:, None]
    rng = np.random.default_rng(2)
    spread = np.rint(rng.normal(phases, noise, (6, 200_000))).std(axis=1)
    total = np.hypot(noise, np.sqrt(1 / 12))
    found = relative_error(np.full((6, 1), 10**9), total, 1.0)
    assert found == pytest.approx(error, abs=0.02 + error / 3)
    assert np.ptp(spread) / 2 < (found + 0.01) * np.median(spread) * 2
