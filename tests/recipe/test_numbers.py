"""Whether the numbers are those of the sky: noise, flags and errors over several seeds."""

import math

import numpy as np
import pytest

from soxsdark.flags import Flag
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate
from tests.recipe.running import QUIET, robust_spread, run, science

SEEDS = range(101, 107)


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """Six NIR sets of 5 frames of 256 x 256, one below the other: 393216 pixels."""
    parts = []
    for seed in SEEDS:
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        files = simulate(folder / "n", Scene(shape=(256, 256), seed=seed))
        result, truth = run(files, folder / "o"), read_truth(files.truth)
        parts.append(
            {
                "residual": science(result.master_dark) - truth.levels_e.mean() - truth.expected,
                "errors": science(result.master_dark, "ERRS"),
                "flags": science(result.mask),
                "classes": truth.classes & ~np.int16(PixelClass.LISTED),
                "hits": truth.hits,
                "expected": truth.expected,
            }
        )
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


FLOOR = math.sqrt((7.3**2 + 0.01 * 300 + 2.3**2 / 12) / 5)


def test_noise_of_good_pixels(pooled):
    good = pooled["classes"] == 0
    rms = math.sqrt(np.mean(np.square(pooled["residual"][good])))
    # the figure to reach is 1.005; 390000 pixels tell the ratio to 0.0011
    assert rms / FLOOR < 1.005 + 2 * 0.0011


def test_noise_of_pixels_hit_by_one_cosmic_ray(pooled):
    hit = (pooled["classes"] == 0) & (pooled["hits"] == 1)
    number = np.count_nonzero(hit)
    assert number > 100
    rms = math.sqrt(np.mean(np.square(pooled["residual"][hit])))
    # a lost sample costs sqrt(5/4) = 1.118; the figure to reach is 1.15
    assert rms / FLOOR < 1.15 * (1 + 2 / math.sqrt(2 * number))


def test_hot_pixels(pooled):
    hot, good = pooled["classes"] == PixelClass.HOT, pooled["classes"] == 0
    found = pooled["flags"] & Flag.HOT != 0
    assert np.count_nonzero(hot) == 6 * 262
    # the faintest has 60 e-, 18 errors: none can be missed
    assert np.mean(found[hot]) >= 0.999
    # 1e-5 of 390000 are 4, Poisson: 10 would be 3 sigma
    assert np.count_nonzero(found[good]) <= 10


def test_hot_pixels_keep_their_dark(pooled):
    hot = (pooled["classes"] == PixelClass.HOT) & (pooled["expected"] < 65000 * 2.3)
    bias = pooled["residual"][hot] / pooled["expected"][hot]
    # errors of 3.4 e- and more on 60 e- and more: some percent a pixel, 0.1 % over 1500
    assert abs(np.mean(bias)) <= 0.01


def test_noisy_pixels(pooled):
    noisy, good = pooled["classes"] == PixelClass.NOISY, pooled["classes"] == 0
    found = pooled["flags"] & Flag.NOISY != 0
    assert np.count_nonzero(noisy) == 6 * 131
    # 92.8 % expected, 786 pixels tell it to 0.9 %: five sigma
    assert np.mean(found[noisy]) >= 0.88
    # 1e-4 of 390000 are 39, cosmic-ray pixels among them
    assert np.count_nonzero(found[good & (pooled["hits"] <= 1)]) <= 39


def test_errors_are_right(pooled):
    good = (pooled["classes"] == 0) & (pooled["hits"] == 0)
    pull = (pooled["residual"] / pooled["errors"])[good]
    # the spread of 390000 pulls is known to 0.1 %
    assert pull.std() == pytest.approx(1, abs=0.03)
    assert robust_spread(pull) == pytest.approx(1, abs=0.03)


def test_no_bias(pooled):
    good = (pooled["classes"] == 0) & (pooled["hits"] == 0)
    # the error of the mean is 3.4 / sqrt(390000) = 0.0055 e-, and levels add 0.008 e- a set
    assert abs(pooled["residual"][good].mean()) <= 0.05


def test_gradient_and_uneven_noise_make_no_hot_pixels(tmp_path):
    options = QUIET | {"shape": (256, 256), "gradient": 40.0, "ron_spread": 0.2}
    files = simulate(tmp_path / "n", Scene(**options))
    hot = np.count_nonzero(science(run(files, tmp_path / "o").mask) & Flag.HOT)
    assert hot <= 1e-4 * 256**2
