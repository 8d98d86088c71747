"""The knee of a curve, where there is one."""

import numpy as np
import pytest

from soxsdark.tune import tune
from soxsdark.tune_curves import knee, panel_of


def test_knee_of_curves_that_have_one():
    x = np.arange(11.0)
    corner = np.where(x < 3, 9 - 3 * x, 0.0)
    assert knee(x, corner) == 3
    assert knee(x, -7 - 5 * corner) == 3
    # of exp(-x/2) the chord's slope is met at x = -2 log(2 (1 - exp(-5)) / 10)
    fine = np.linspace(0, 10, 1001)
    assert knee(fine, np.exp(-fine / 2)) == pytest.approx(
        -2 * np.log((1 - np.exp(-5)) / 5), abs=0.01
    )


@pytest.mark.parametrize(
    "y", [np.arange(9.0), np.ones(9), 1e4 + np.array([0, 9, 9, 9, 9, 9, 9, 9, 9.0])]
)
def test_curves_without_a_knee(y):
    assert knee(np.arange(9.0), y) is None
    assert knee(np.arange(3.0), y[:3]) is None


def test_curves_of_a_sweep(tuned):
    panel = panel_of(tuned, "hot-pixel-sigma", "hot-pixels")
    assert [curve.held for curve in panel.curves] == [f"stacked-clipping-sigma {k}" for k in (3, 5)]
    counts = np.array([int(line["hot-pixels"]) for line in tuned.lines]).reshape(2, 3)
    for curve, expected in zip(panel.curves, counts, strict=True):
        assert list(curve.x) == [4, 5, 6]
        assert list(curve.y) == list(expected)
    assert list(panel.mean.y) == list(counts.mean(axis=0))
    assert panel.current == (5.0, float(tuned.current["hot-pixels"]))


def test_curves_against_words(small_set, tmp_path):
    found = tune(small_set.sof, ["noise-clipping-lower-sigma=null,3"], output=tmp_path)
    panel = panel_of(found, "noise-clipping-lower-sigma", "cold-pixels")
    assert panel.ticks == {0: "-", 1: "3"}
    assert panel.knee is None
    assert list(panel.mean.y) == [float(line["cold-pixels"]) for line in found.lines]
