"""Cosmic rays of simulated frames: tracks, charge, number."""

import math

import numpy as np
import pytest

from soxsdark.cosmic_rays import rasterise
from tests.simulate.scenes import CLEAN, make


def test_cosmic_rays_add_exactly_their_table(tmp_path):
    options = CLEAN | {"frames": 3, "dtype": "float32", "saturation": math.inf}
    without, _, _ = make(tmp_path / "without", **options)
    hit, truth, _ = make(tmp_path / "with", **options | {"cosmic_ray_rate": 1e-5})
    added = np.zeros_like(hit)
    table = truth.cosmics
    added[table["frame"], table["y"], table["x"]] = table["electrons"]
    np.testing.assert_allclose(hit - without, added, atol=0.01)
    assert len(np.unique(table[["frame", "y", "x"]])) == len(table) > 100
    np.testing.assert_array_equal(truth.hits, np.count_nonzero(added, axis=0))


def test_number_and_charge_of_cosmic_rays(tmp_path):
    options = CLEAN | {"shape": (512, 512), "frames": 4, "cosmic_ray_rate": 2e-6}
    _, truth, _ = make(tmp_path, **options)
    events = 2e-6 * 300 * 512 * 512 * 4
    # Isotropic flux through a layer one pixel thick: a mean track of pi/2 pixels on the
    # detector, which crosses (4/pi)(pi/2) = 2 borders: three pixels, less what is cut off.
    pixels = len(truth.cosmics)
    assert pixels / events == pytest.approx(3, rel=0.1)
    charge = truth.cosmics["electrons"]
    # The mean path of an isotropic flux is twice the thickness, times the lognormal's mean.
    assert charge.sum() / events == pytest.approx(2 * 18 * 100 * math.exp(0.35**2 / 2), rel=0.1)
    assert 500 < np.median(charge) < 2500
    assert charge.min() >= 1


def test_cosmic_rays_of_an_average_are_diluted(tmp_path):
    options = CLEAN | {"shape": (256, 256), "frames": 2, "cosmic_ray_rate": 5e-6}
    _, single, _ = make(tmp_path / "1", **options)
    _, average, _ = make(tmp_path / "4", ndit=4, **options)
    assert len(average.cosmics) / len(single.cosmics) == pytest.approx(4, rel=0.25)
    medians = [np.median(truth.cosmics["electrons"]) for truth in (single, average)]
    assert medians[0] / medians[1] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize(
    ("start", "step", "expected"),
    [
        ((0.5, 0.5), (0.0, 3.0), {(0, 0): 1 / 6, (0, 1): 1 / 3, (0, 2): 1 / 3, (0, 3): 1 / 6}),
        ((2.5, 1.25), (-2.0, 0.0), {(2, 1): 0.25, (1, 1): 0.5, (0, 1): 0.25}),
        ((0.5, 0.25), (1.0, 1.0), {(0, 0): 0.5, (1, 0): 0.25, (1, 1): 0.25}),
        ((0.25, 0.25), (-0.5, 0.0), {(0, 0): 0.5, (-1, 0): 0.5}),
        ((4.5, 4.5), (0.0, 0.0), {(4, 4): 1.0}),
    ],
)
def test_lines_are_cut_at_pixel_borders(start, step, expected):
    line, pixel, share = rasterise(np.array([start]), np.array([step]))
    assert set(line) == {0}
    found = {tuple(p): s for p, s in zip(pixel.tolist(), share, strict=True) if s > 1e-12}
    assert found == pytest.approx(expected)


def test_rasterised_lines_agree_with_fine_sampling():
    rng = np.random.default_rng(8)
    start, step = rng.uniform(0, 20, (20, 2)), rng.uniform(-6, 6, (20, 2))
    line, pixel, share = rasterise(start, step)
    along = (np.arange(20000) + 0.5) / 20000
    for i in range(20):
        image = np.zeros((40, 40))
        mine = line == i
        np.add.at(image, tuple(pixel[mine].T + 10), share[mine])
        sampled = np.floor(start[i] + along[:, None] * step[i]).astype(int) + 10
        reference = np.zeros((40, 40))
        np.add.at(reference, tuple(sampled.T), 1 / along.size)
        np.testing.assert_allclose(image, reference, atol=2e-4)
