"""Background, excess, hot and cold pixels, and the bits."""

import numpy as np
import pytest

from soxsdark.flags import (
    Excess,
    Flag,
    background_map,
    clipped_centre,
    combine,
    find_excess,
    hot_and_cold,
)


def all_good(image):
    return np.ones(image.shape, bool)


def test_clipped_centre_of_a_gaussian_with_outliers():
    rng = np.random.default_rng(0)
    values = rng.normal(50, 2, 100_000)
    values[:2000] += 500
    centre, sigma = clipped_centre(values)
    # five standard errors: 1.25 * 2 / sqrt(98000), and 2 / sqrt(2 * 98000)
    assert centre == pytest.approx(50, abs=0.04)
    assert sigma == pytest.approx(2, abs=0.025)


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [3.0] * 50, [3.0] * 99 + [1000.0]])
def test_clipped_centre_of_equal_values(values):
    centre, sigma = clipped_centre(np.array(values))
    assert (centre, sigma) == (3, 0)


def test_clipped_centre_of_nothing():
    assert np.isnan(clipped_centre(np.zeros(0))).all()


@pytest.mark.parametrize("shape", [(256, 256), (250, 131), (64, 300), (20, 20)])
@pytest.mark.parametrize("box", [64, 32])
def test_a_gradient_is_followed_to_the_edges(shape, box):
    y, x = np.indices(shape)
    image = 100 + 0.3 * y - 0.2 * x
    blocks = [max(1, round(n / box)) for n in shape]
    if min(blocks) == 1:
        # a slope cannot be told along an axis of a single block
        image = 100 + (0.3 * y if blocks[0] > 1 else 0) - (0.2 * x if blocks[1] > 1 else 0)
        image = np.broadcast_to(image, shape).astype(float)
    found = background_map(image, all_good(image), box)
    np.testing.assert_allclose(found, image, atol=0.01)


def test_no_box_gives_one_median():
    image = np.random.default_rng(1).normal(5, 1, (50, 60))
    found = background_map(image, all_good(image), 0)
    assert np.unique(found).size == 1
    assert found[0, 0] == pytest.approx(5, abs=5 * 1.25 / np.sqrt(3000))


def test_bad_pixels_and_outliers_stay_out_of_the_background():
    rng = np.random.default_rng(2)
    image = rng.normal(10, 1, (128, 128))
    good = rng.random(image.shape) > 0.4
    image[~good] = 1e5
    image[rng.random(image.shape) < 0.05] += 300
    found = background_map(image, good, 64)
    # clipped median of 2300 pixels a block, its error doubled at the corners by the slope
    assert np.abs(found - 10).max() < 0.3


def test_a_block_without_good_pixels_takes_the_median_of_the_others():
    image = np.full((192, 64), 7.0)
    image[64:128] = np.nan
    good = np.isfinite(image)
    np.testing.assert_allclose(background_map(image, good, 64), 7)


def glow(shape=(512, 512), height=60.0):
    y, x = np.indices(shape)
    return height * np.exp(-np.hypot(y, x - shape[1]) / 150)


def test_a_glow_makes_no_good_pixel_hot():
    rng = np.random.default_rng(3)
    image = 20 + glow() + rng.normal(0, 2, (512, 512))
    hot = rng.random(image.shape) < 0.005
    image[hot] += 100
    errors = np.full(image.shape, 2.0)
    found, cold = hot_and_cold(find_excess(image, all_good(image), 64), errors)
    assert found[hot].all()
    # the glow is curved within its brightest block alone
    assert (found & ~hot).mean() < 1e-4
    assert (cold & ~hot).mean() < 1e-4
    flat, _ = hot_and_cold(find_excess(image, all_good(image), 0), errors)
    assert (flat & ~hot).mean() > 0.01, "the glow of the fixture is too faint to test anything"


def test_excess_is_what_stands_above_the_background():
    image = np.random.default_rng(4).normal(20, 2, (256, 256))
    found = find_excess(image, all_good(image), 64)
    np.testing.assert_allclose(found.image + found.background, image, rtol=1e-6)
    assert found.sigma == pytest.approx(2, rel=5 / np.sqrt(2 * image.size))
    assert abs(found.image.mean()) < 0.1


def test_missing_and_bad_pixels_take_no_part_in_the_scatter():
    rng = np.random.default_rng(5)
    image = rng.normal(20, 2, (128, 128))
    image[5, 5] = np.nan
    good = rng.random(image.shape) > 0.3
    image[~good & np.isfinite(image)] += rng.normal(0, 100)
    found = find_excess(image, good, 64)
    assert found.sigma == pytest.approx(2, rel=5 / np.sqrt(good.sum()))
    assert np.isnan(found.image[5, 5])
    assert np.isfinite(found.background).all()


def test_an_image_all_bad_is_judged_by_all_its_pixels():
    image = np.random.default_rng(6).normal(20, 2, (64, 64))
    found = find_excess(image, ~all_good(image), 64)
    assert found.sigma == pytest.approx(2, rel=0.1)


def known(values, sigma=2.0) -> Excess:
    image = np.array([values], dtype=float)
    return Excess(image, np.zeros_like(image), sigma)


def test_hot_and_cold_of_known_pixels():
    excess = known([9.9, 10.1, -9.9, -10.1, 19.0, 21.0, -19.0, -21.0, np.nan, 11.0])
    # the error is larger than the spatial scatter in four pixels, not known in the last
    errors = np.array([[1.0, 1, 1, 1, 4, 4, 4, 4, 1, np.nan]])
    hot, cold = hot_and_cold(excess, errors)
    np.testing.assert_array_equal(hot, [[0, 1, 0, 0, 0, 1, 0, 0, 0, 1]])
    np.testing.assert_array_equal(cold, [[0, 0, 0, 1, 0, 0, 0, 1, 0, 0]])


def test_thresholds_of_hot_and_cold_are_their_own():
    excess = known([7.0, 9.0, -7.0, -9.0])
    hot, cold = hot_and_cold(excess, np.zeros((1, 4)), hot_sigma=3, cold_sigma=4)
    np.testing.assert_array_equal(hot, [[1, 1, 0, 0]])
    np.testing.assert_array_equal(cold, [[0, 0, 0, 1]])


def test_hot_level_adds_pixels_and_takes_none():
    excess = known([4.0, 6.0, 50.0, np.nan])
    hot, _ = hot_and_cold(excess, np.zeros((1, 4)), hot_level=5.0)
    np.testing.assert_array_equal(hot, [[0, 1, 1, 0]])
    hot, _ = hot_and_cold(excess, np.zeros((1, 4)), hot_level=100.0)
    np.testing.assert_array_equal(hot, [[0, 0, 1, 0]])


CODES = {"input": 128, "hot": 256, "cold": 512, "saturated": 4096, "empty": 8192, "noisy": 16384}


def test_bits_are_those_of_the_standard():
    assert {f.name.lower(): int(f) for f in Flag} == CODES


@pytest.mark.parametrize("name", CODES)
def test_each_mask_sets_its_own_bit(name):
    mask = np.array([[True, False]])
    found = combine(**{name: mask})
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, [[CODES[name], 0]])


def test_masks_are_joined_by_or():
    masks = dict(zip(CODES, np.eye(6, 8, dtype=bool), strict=True))
    for mask in masks.values():
        mask[7] = True
    found = combine(**masks, **{})
    np.testing.assert_array_equal(found, [*CODES.values(), 0, sum(CODES.values())])
    assert found.dtype == np.int16
    found = combine(input=None, hot=masks["hot"], cold=None)
    np.testing.assert_array_equal(found, np.where(masks["hot"], 256, 0))


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError, match="WARM"):
        combine(warm=np.ones(2, bool))
