"""Background, excess, hot and cold pixels, and the bits."""

from unittest.mock import patch

import numpy as np
import pytest

from soxsdark import flags
from soxsdark.flags import Flag, Limits, bands, combine, find_background, hot_and_cold
from soxsdark.grid import Grid, filled
from tests.reference import blocks_of, spread_grid
from tests.test_medians import clip_values


def background_map(image, bad, box):
    """The background of all rows, put together from bands."""
    found = find_background(image, bad, box)
    return np.concatenate([found.rows(b.start, b.stop) for b in bands(image.shape)])


def find_hot(image, errors, box):
    """Hot and cold pixels of an image without bad ones."""
    limits = Limits(find_background(image, None, box).sigma)
    return hot_and_cold(image - background_map(image, None, box), errors, limits)


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
    found = background_map(image, None, box)
    np.testing.assert_allclose(found, image, atol=0.01)


def test_no_box_gives_one_median():
    image = np.random.default_rng(1).normal(5, 1, (50, 60))
    found = background_map(image, None, 0)
    assert np.unique(found).size == 1
    assert found[0, 0] == pytest.approx(5, abs=5 * 1.25 / np.sqrt(3000))


def test_bad_pixels_and_outliers_stay_out_of_the_background():
    rng = np.random.default_rng(2)
    image = rng.normal(10, 1, (128, 128))
    good = rng.random(image.shape) > 0.4
    image[~good] = 1e5
    image[rng.random(image.shape) < 0.05] += 300
    found = background_map(image, ~good, 64)
    # clipped median of 2300 pixels a block, its error doubled at the corners by the slope
    assert np.abs(found - 10).max() < 0.3


def test_a_block_without_good_pixels_takes_the_median_of_the_others():
    image = np.full((192, 64), 7.0)
    image[64:128] = np.nan
    good = np.isfinite(image)
    np.testing.assert_allclose(background_map(image, ~good, 64), 7)


def test_a_block_of_bad_pixels_alone_does_not_bring_the_others_back():
    image = np.full((192, 64), 7.0)
    bad = np.zeros(image.shape, bool)
    bad[64:128] = bad[:40] = True
    image[bad] = 1e5
    np.testing.assert_allclose(background_map(image, bad, 64), 7)


def glow(shape=(512, 512), height=60.0):
    y, x = np.indices(shape)
    return height * np.exp(-np.hypot(y, x - shape[1]) / 150)


def test_a_glow_makes_no_good_pixel_hot():
    rng = np.random.default_rng(3)
    image = 20 + glow() + rng.normal(0, 2, (512, 512))
    hot = rng.random(image.shape) < 0.005
    image[hot] += 100
    errors = np.full(image.shape, 2.0)
    found, cold = find_hot(image, errors, 64)
    assert found[hot].all()
    # the glow is curved within its brightest block alone
    assert (found & ~hot).mean() < 1e-4
    assert (cold & ~hot).mean() < 1e-4
    flat, _ = find_hot(image, errors, 0)
    assert (flat & ~hot).mean() > 0.01, "the glow of the fixture is too faint to test anything"


def slow_background(image, bad, box):
    """Clipped centres of blocks one by one, every pixel interpolated on its own."""
    grid = Grid.of(image.shape, box)
    level = np.empty(grid.shape)
    for i, j, rows, columns in blocks_of(grid):
        level[i, j] = clip_values(image[rows, columns][~bad[rows, columns]])[0]
    level = filled(level, 0.0)
    return np.array(
        [[spread_grid(grid, level, y, x) for x in range(image.shape[1])] for y in range(len(image))]
    )


SHAPES = [
    (70, 45, 16),
    (64, 64, 32),
    (1, 90, 8),
    (90, 1, 8),
    (1, 1, 64),
    (40, 30, 500),
    (33, 31, 0),
]


@pytest.mark.parametrize(("rows", "columns", "box"), SHAPES)
def test_background_and_scatter_equal_the_slow_reference(rows, columns, box):
    rng = np.random.default_rng(rows * columns)
    y, x = np.indices((rows, columns))
    image = (20 + 0.3 * y - 0.1 * x + rng.normal(0, 2, y.shape)).astype(np.float32)
    bad = rng.random(image.shape) < 0.2
    image[bad] += 1000
    # a block without a good pixel, NaN that no mask tells of, a saturated pixel
    bad[:16, :16] = min(image.shape) > 32
    image[rows // 2, columns // 2 :: 7] = np.nan
    image[-1, -1] = 65535
    expected = slow_background(image, bad, box)
    with patch.object(flags, "BAND", 100):
        found = find_background(image, bad, box)
        # float32 of values around 30
        np.testing.assert_allclose(background_map(image, bad, box), expected, atol=2e-5)
    sigma = clip_values((image - expected)[~bad])[1]
    assert found.sigma == pytest.approx(sigma, rel=1e-5, nan_ok=True)


def test_bands_hold_every_row_once():
    for shape in [(1, 1), (3, 10**6), (2048, 2048), (4096, 808), (5, 100)]:
        rows = [r for b in bands(shape) for r in range(b.start, b.stop)]
        assert rows == list(range(shape[0]))


def test_scatter_of_a_plain_image():
    image = np.random.default_rng(4).normal(20, 2, (256, 256))
    found = find_background(image, None, 64)
    assert found.sigma == pytest.approx(2, rel=5 / np.sqrt(2 * image.size))
    assert abs((image - found.rows(0, 256)).mean()) < 0.1


@pytest.mark.parametrize("shape", [(1024, 2048), (2000, 900)])
def test_scatter_of_a_large_image_is_that_of_all_its_pixels(shape):
    rng = np.random.default_rng(shape[1])
    image = rng.normal(0, 2, shape).astype(np.float32)
    # rows and columns of their own level, as amplifiers and 1/f noise leave them
    image += rng.normal(0, 1, shape[1]).astype(np.float32)
    image += rng.normal(0, 1, (shape[0], 1)).astype(np.float32)
    image[::8, ::8] += 3
    image[rng.random(shape) < 0.01] += 100
    bad = rng.random(shape) < 0.1
    assert image.size > 2 * flags.SAMPLE
    found = find_background(image, bad, 64)
    with patch.object(flags, "SAMPLE", image.size):
        every = find_background(image, bad, 64)
    excess = (image - background_map(image, bad, 64))[~bad]
    # the exact one is the reference's; the sampled one is off by 5 standard errors at the most
    assert every.sigma == pytest.approx(sorted_clip(excess), rel=1e-6)
    assert found.sigma == pytest.approx(every.sigma, rel=5 / np.sqrt(2 * flags.SAMPLE))
    with patch.object(flags, "BAND", 12_345):
        assert find_background(image, bad, 64).sigma == found.sigma


def sorted_clip(values) -> float:
    """The deviation of `clip_values`, with NumPy where a loop would take minutes."""
    values = np.sort(values.astype(np.float64))
    sigma = (values[-1 - values.size // 4] - values[values.size // 4]) / 1.349
    kept = values
    for _ in range(10):
        new = values[np.abs(values - np.median(kept)) <= 3 * sigma]
        kept, sigma = new, np.std(new) / np.sqrt(0.97334)
    return float(sigma)


def test_few_good_pixels_in_a_large_image_are_all_taken():
    rng = np.random.default_rng(7)
    image = rng.normal(0, 2, (1100, 1000))
    bad = np.ones(image.shape, bool)
    bad[500:520, 300:350] = False
    with patch.object(flags, "SAMPLE", 1 << 16):
        found = find_background(image, bad, 0)
    assert found.sigma == pytest.approx(clip_values(image[~bad])[1], rel=1e-6)


def test_missing_and_bad_pixels_take_no_part_in_the_scatter():
    rng = np.random.default_rng(5)
    image = rng.normal(20, 2, (128, 128))
    image[5, 5] = np.nan
    good = rng.random(image.shape) > 0.3
    image[~good & np.isfinite(image)] += rng.normal(0, 100)
    found = find_background(image, ~good, 64)
    assert found.sigma == pytest.approx(2, rel=5 / np.sqrt(good.sum()))
    assert np.isfinite(found.rows(0, 128)).all()


def test_an_image_all_bad_is_judged_by_all_its_pixels():
    image = np.random.default_rng(6).normal(20, 2, (64, 64))
    found = find_background(image, np.ones(image.shape, bool), 64)
    assert found.sigma == pytest.approx(2, rel=0.1)
    assert found.rows(0, 64) == pytest.approx(20, abs=0.2)


def test_an_image_without_a_pixel_has_no_scatter():
    found = find_background(np.full((20, 30), np.nan), np.ones((20, 30), bool), 8)
    assert np.isnan(found.sigma)
    np.testing.assert_array_equal(found.rows(0, 20), np.zeros((20, 30)))


def judged(excess, errors=0.0, **limits):
    """Hot and cold pixels of one row, the scatter being 2 electrons."""
    excess = np.array([excess], dtype=float)
    return hot_and_cold(excess, np.broadcast_to(errors, excess.shape), Limits(2.0, **limits))


def test_hot_and_cold_of_known_pixels():
    excess = [9.9, 10.1, -9.9, -10.1, 19.0, 21.0, -19.0, -21.0, np.nan, 11.0]
    # the error is larger than the spatial scatter in four pixels, not known in the last
    hot, cold = judged(excess, [1.0, 1, 1, 1, 4, 4, 4, 4, 1, np.nan])
    np.testing.assert_array_equal(hot, [[0, 1, 0, 0, 0, 1, 0, 0, 0, 1]])
    np.testing.assert_array_equal(cold, [[0, 0, 0, 1, 0, 0, 0, 1, 0, 0]])


def test_thresholds_of_hot_and_cold_are_their_own():
    hot, cold = judged([7.0, 9.0, -7.0, -9.0], hot_sigma=3, cold_sigma=4)
    np.testing.assert_array_equal(hot, [[1, 1, 0, 0]])
    np.testing.assert_array_equal(cold, [[0, 0, 0, 1]])


def test_hot_level_adds_pixels_and_takes_none():
    excess = [4.0, 6.0, 50.0, np.nan]
    hot, _ = judged(excess, hot_level=5.0)
    np.testing.assert_array_equal(hot, [[0, 1, 1, 0]])
    hot, _ = judged(excess, hot_level=100.0)
    np.testing.assert_array_equal(hot, [[0, 0, 1, 0]])


CODES = {"input": 128, "hot": 256, "cold": 512, "saturated": 4096, "empty": 8192, "noisy": 16384}


def test_bits_are_those_of_the_standard():
    assert {f.name.lower(): int(f) for f in Flag} == CODES


def test_every_flag_has_a_name_of_its_own():
    assert set(flags.NAMES) == set(Flag)
    assert len(set(flags.NAMES.values())) == len(Flag)


@pytest.mark.parametrize("name", CODES)
def test_each_mask_sets_its_own_bit(name):
    mask = np.array([[True, False]])
    found = combine(**{name: mask})
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, [[CODES[name], 0]])


def test_masks_are_joined_by_or():
    kinds = len(CODES)
    masks = dict(zip(CODES, np.eye(kinds, kinds + 2, dtype=bool), strict=True))
    for mask in masks.values():
        mask[-1] = True
    found = combine(**masks)
    np.testing.assert_array_equal(found, [*CODES.values(), 0, sum(CODES.values())])
    assert found.dtype == np.int16
    found = combine(input=None, hot=masks["hot"], cold=None)
    np.testing.assert_array_equal(found, np.where(masks["hot"], 256, 0))


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError, match="WARM"):
        combine(warm=np.ones(2, bool))


def test_every_column_is_seen_by_the_scatter_of_a_large_frame():
    """Two pixels a sample: had a step of two been taken, the odd columns would not count."""
    image = np.random.default_rng(6).normal(0, 1, (1024, 1024))
    image[:, 1::2] *= 3
    assert 1.6 < find_background(image, None, 0).sigma < np.sqrt(5)
