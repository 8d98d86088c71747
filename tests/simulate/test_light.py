"""Light in simulated frames: glow, gradient, leak."""

import math

import numpy as np
import pytest

from tests.simulate.scenes import CLEAN, make, residuals


def test_glow_sits_in_one_corner(tmp_path):
    frames, truth, _ = make(tmp_path, glow=400.0, dark=0.0, frames=9, **CLEAN)
    assert truth.expected[0, 0] == pytest.approx(400, rel=1e-6)
    assert truth.expected[0, 16] == pytest.approx(400 * math.exp(-0.5), rel=1e-6)
    assert truth.expected[64:].max() < 1
    corner = residuals(frames, truth)[:, :16, :16]
    assert abs(corner.mean()) < 4 * truth.noise.max() / math.sqrt(corner.size)
    far = CLEAN | {"shape": (1600, 1600), "frames": 1}
    _, wide, _ = make(tmp_path / "wide", glow=400.0, dark=0.0, **far)
    assert wide.expected[150, 0] == pytest.approx(400 * math.exp(-0.5), rel=1e-6)


def test_gradient_rises_along_the_columns(tmp_path):
    frames, truth, _ = make(tmp_path, gradient=100.0, dark=0.0, frames=4, **CLEAN)
    profile = (frames - truth.levels_e[:, None, None]).mean(axis=(0, 1))
    slope, start = np.polyfit(np.arange(160) / 159, profile, 1)
    assert slope == pytest.approx(100, abs=1)
    assert start == pytest.approx(0, abs=1)


def test_light_leaks_into_one_frame_only(tmp_path):
    tight, _, _ = make(tmp_path / "dark", **CLEAN)
    leaky, truth, _ = make(tmp_path / "leaky", light_leak=500.0, **CLEAN)
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(leaky[others], tight[others])
    excess = (leaky - tight)[2]
    assert excess[60:68, 76:84].mean() == pytest.approx(500, abs=20)
    assert excess[0, 0] < 100
    assert truth.expected.max() < 5
