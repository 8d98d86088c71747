"""The noise map: the rule pixel by pixel, its rates by simulation, cosmic rays forgiven."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from soxsdark.errors import UsageError
from soxsdark.noise_map import (
    events_forgiven,
    noise_block,
    tail_probability,
    threshold_noise,
    upper_thresholds,
)
from soxsdark.stacking import sort_stack
from soxsdark.utilities import create_noise_map
from tests.reference import noise_of

STEADY = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def judge(samples, sigma=1.0, **options):
    """The block of unsorted (N, P) samples."""
    return noise_block(*sort_stack(samples), np.full(samples.shape[1], sigma), **options)


def gaussian(number, pixels, seed=0):
    return np.random.default_rng([seed, number]).normal(size=(number, pixels))


@STEADY
@given(
    st.integers(1, 30),
    st.integers(0, 2**31),
    st.sampled_from([0.0, 0.0, 0.3]),
    st.sampled_from(["float32", "float64"]),
    st.floats(1, 6),
)
def test_equals_the_slow_reference(number, seed, masked, dtype, upper):
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, rng.choice([1, 1, 5], 25), (number, 25))
    samples[rng.random(samples.shape) < 0.1] += 30
    samples[rng.random(samples.shape) < 0.05] -= 30
    samples[rng.random(samples.shape) < masked] = np.nan
    samples = (3 * samples + 1000).astype(dtype)
    block = judge(samples, sigma=3.0, upper=upper)
    for p in range(25):
        scatter, exceedance = noise_of(samples[:, p].tolist(), 3.0, upper)
        np.testing.assert_allclose(block.scatter[p], scatter, rtol=1e-6, equal_nan=True)
        np.testing.assert_allclose(block.relative[p], scatter / 3, rtol=1e-6, equal_nan=True)
        np.testing.assert_allclose(block.exceedance[p], exceedance, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("number", [2, 3, 5, 9, 10, 11, 14, 15, 25, 40])
def test_thresholds_are_chi_square_quantiles(number):
    events = events_forgiven(number)
    assert events == (0 if number == 2 else max(1, number // 5))
    found = upper_thresholds(50, 4.0)[number]
    for j in range(events + 1):
        probability = 2e-3
        if number < 10 or (number < 15 and j > 1):
            probability = 0.05
        if j == 0:
            probability = norm.sf(4)
        assert found[j] == pytest.approx(chi2.isf(probability, number - 1 - j), rel=1e-10)
    assert np.isnan(found[events + 1 :]).all()


@pytest.mark.parametrize("k", [-1.0, 0.0, 1.0, 4.0, 8.0])
def test_tail_probability_is_that_of_a_gaussian(k):
    assert tail_probability(k) == pytest.approx(norm.sf(k), rel=1e-9)


@pytest.mark.parametrize(("number", "pixels"), [(5, 1_000_000), (11, 400_000), (25, 200_000)])
def test_false_positives_are_as_rare_as_the_key_says(number, pixels):
    noisy = (judge(gaussian(number, pixels)).exceedance > 1).sum()
    expected = norm.sf(4) * pixels
    # at most the stated 3.2e-5; less, as a chance outlier may be forgiven as an event
    assert noisy <= expected + 5 * np.sqrt(expected)
    if number == 5:
        assert noisy >= 0.3 * expected - 5 * np.sqrt(0.3 * expected)
        assert noisy > 0


@pytest.mark.parametrize(("number", "share"), [(5, 0.92), (11, 0.997), (25, 0.9999)])
def test_pixels_of_four_to_ten_times_the_noise_are_found(number, share):
    pixels = 40_000
    factor = np.random.default_rng(9).uniform(4, 10, pixels)
    found = judge(gaussian(number, pixels) * factor).exceedance > 1
    # the expected figures 92.8 %, 99.8 % and 100 % lie over five standard errors above
    assert found.mean() >= share


@pytest.mark.parametrize("number", [3, 5, 9, 10, 11, 14, 15, 25])
@pytest.mark.parametrize("height", [12.0, 100.0, 1e5])
def test_cosmic_rays_do_not_make_a_pixel_noisy(number, height):
    pixels = 30_000
    for hits in range(1, events_forgiven(number) + 1):
        samples = gaussian(number, pixels, seed=hits)
        samples[:hits] += height * (1 + 0.2 * np.arange(hits))[:, None]
        noisy = (judge(samples).exceedance > 1).mean()
        stated = 0.05 if number < 10 or (number < 15 and hits > 1) else 2e-3
        error = 5 * np.sqrt(stated / pixels)
        assert noisy <= stated + error
        if height >= 100:
            # such hits are always seen as events: the stated probability is met, not only kept
            assert noisy >= stated - error
        scatter = judge(samples).scatter
        expected = gaussian(number, pixels, seed=hits)[hits:].var(axis=0, ddof=1)
        if number - hits > 1 and height >= 100:
            np.testing.assert_allclose(scatter**2, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("number", [5, 11, 25])
def test_one_hit_more_than_forgiven_is_noisy(number):
    samples = gaussian(number, 2000)
    samples[: events_forgiven(number) + 1] += 1000
    assert (judge(samples).exceedance > 1).all()


@pytest.mark.parametrize("number", [3, 5, 11, 25])
def test_low_outliers_are_no_events(number):
    samples = gaussian(number, 2000)
    samples[0] -= 100
    block = judge(samples)
    assert (block.exceedance > 1).all()
    np.testing.assert_allclose(block.scatter, samples.std(axis=0, ddof=1), rtol=1e-9)


def test_a_hit_at_the_top_of_32_bits_leaves_the_scatter_of_the_others():
    samples = np.array([[0.0], [1.0], [2.0], [3.0], [4e9]])
    assert judge(samples).scatter[0] == pytest.approx(np.sqrt(5 / 3), rel=1e-3)


def test_lower_threshold():
    samples = gaussian(11, 200_000)
    samples[:, :100] *= 0.01
    block = judge(samples, lower=3.0)
    expected = norm.sf(3) * 200_000
    quiet = block.quiet < 1
    assert quiet[:100].all()
    assert quiet[100:].sum() == pytest.approx(expected, abs=5 * np.sqrt(expected))
    total = ((samples - samples.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(block.quiet, total / chi2.isf(1 - norm.sf(3), 10), rtol=1e-9)
    assert np.isinf(judge(samples).quiet).all(), "off unless asked for"


def test_bad_samples_are_left_out():
    samples = np.full((7, 4), np.nan)
    samples[:3, 1] = 1.0, 2.0, 3.0
    samples[2:4, 2] = 0.0, 100.0
    samples[5, 3] = 4.0
    block = judge(samples)
    np.testing.assert_array_equal(np.isnan(block.relative), [True, False, False, True])
    np.testing.assert_allclose(block.scatter[1:3], [1, np.sqrt(5000)])
    np.testing.assert_array_equal(block.exceedance > 1, [False, False, True, False])


@pytest.mark.parametrize("off", [0.9, 1.1])
def test_the_scale_makes_up_for_a_wrong_noise(off):
    samples = gaussian(11, 200_000)
    samples[:, :500] *= 8
    right = judge(samples, sigma=1.0)
    wrong = judge(samples, sigma=off)
    one = threshold_noise(right.relative, right.exceedance, iterations=10)
    other = threshold_noise(wrong.relative, wrong.exceedance, iterations=10)
    # the variance of 2e6 samples is known to 0.001; five of that
    assert one.scale == pytest.approx(1, abs=0.005)
    assert other.scale == pytest.approx(off**-2, rel=0.005)
    # samples near 5 sigma are events for one sigma and none for the other: a few pixels differ
    assert (one.noisy != other.noisy).sum() <= 5
    assert one.noisy[:500].mean() > 0.99
    assert one.noisy[500:].sum() <= 2 * norm.sf(4) * 200_000 + 5
    unscaled = threshold_noise(wrong.relative, wrong.exceedance, iterations=0)
    assert unscaled.scale == 1
    np.testing.assert_array_equal(unscaled.noisy, wrong.exceedance > 1)


def test_threshold_with_nothing_to_judge():
    nothing = np.full((2, 2), np.nan)
    found = threshold_noise(nothing, np.zeros((2, 2)), np.full((2, 2), np.inf))
    assert found.scale == 1
    assert not found.noisy.any()
    assert not found.quiet.any()


def test_quiet_pixels_are_scaled_too_and_pixels_without_samples_are_none():
    relative = np.array([2.0, 2.0, np.nan])
    found = threshold_noise(relative, np.array([0.5, 0.5, 0.0]), np.array([3.9, 4.1, 0.0]))
    assert found.scale == 4
    np.testing.assert_array_equal(found.quiet, [True, False, False])


def test_create_noise_map():
    rng = np.random.default_rng(4)
    frames = rng.normal(0, 3, (9, 120, 100))
    truth = np.zeros((120, 100), bool)
    truth[10:20, 10:20] = True
    frames[:, truth] *= 8
    hit = np.zeros(truth.shape, bool)
    hit[50:60, 50:60] = True
    frames[2, hit] += 500
    frames += 1000 * np.arange(9)[:, None, None]
    found = create_noise_map(frames, noise=3.0)
    assert found.mask[truth].mean() > 0.95
    # one event in nine samples: 5 % of the hundred, five standard errors
    assert found.mask[hit].sum() <= 5 + 5 * np.sqrt(5)
    assert found.mask[~truth & ~hit].sum() <= 3
    assert found.scale == pytest.approx(1, abs=5 * np.sqrt(2 / (8 * 11800)))
    # samples of one pixel: the map is their scatter
    levels = [np.median(f) for f in frames]
    scatter = (frames[:, 100, 90] - levels).std(ddof=1)
    assert found.noise[100, 90] == pytest.approx(scatter, rel=0.05)


def test_create_noise_map_measures_the_noise_itself():
    rng = np.random.default_rng(6)
    frames = rng.normal(0, 3, (7, 128, 128))
    frames[:, 64, :] *= 8
    found = create_noise_map(frames)
    assert found.scale == pytest.approx(1, abs=0.03)
    assert found.mask[64].mean() > 0.9
    assert np.delete(found.mask, 64, axis=0).sum() <= 5


def test_create_noise_map_lower_joins_the_mask():
    frames = np.random.default_rng(5).normal(0, 3, (9, 60, 60))
    frames[:, 5, 5] = 0.0
    assert not create_noise_map(frames, noise=3.0).mask[5, 5]
    assert create_noise_map(frames, noise=3.0, lower=4.0).mask[5, 5]


def test_masked_samples_do_not_make_a_pixel_noisy():
    frames = np.random.default_rng(8).normal(0, 3, (5, 40, 40))
    bad = np.zeros((40, 40), bool)
    bad[3, 3:13] = True
    frames[0, bad] -= 500
    assert create_noise_map(frames, noise=3.0).mask[bad].all()
    assert not create_noise_map(frames, noise=3.0, masks=[bad] + [None] * 4).mask[bad].any()


def test_two_frames_are_needed():
    with pytest.raises(UsageError, match="at least two frames"):
        create_noise_map(np.ones((1, 4, 4)), noise=1.0)


def test_frames_without_any_scatter_are_no_warning():
    # constant frames: the noise measured on their differences is zero
    found = create_noise_map(np.full((5, 16, 16), 7.0))
    assert not found.mask.any()


def test_levels_are_let_alone_where_they_are_not_to_be_equalised():
    frames = np.random.default_rng(3).normal(0, 3, (5, 32, 32))
    equal = create_noise_map(frames, noise=3.0, equalise_levels=False)
    np.testing.assert_allclose(equal.noise, create_noise_map(frames, noise=3.0).noise, rtol=0.2)
    frames[0] -= 1e4
    assert create_noise_map(frames, noise=3.0, equalise_levels=False).mask.all()
    assert not create_noise_map(frames, noise=3.0).mask.any()


@pytest.mark.parametrize("options", [{"upper": None}, {"upper": 0}, {"lower": -1}, {"lower": "1"}])
def test_thresholds_that_make_no_sense(options):
    with pytest.raises(UsageError, match=f"{next(iter(options))} should be a number above 0 "):
        create_noise_map(np.ones((5, 4, 4)), noise=1.0, **options)


def test_the_largest_lower_limit_is_taken():
    frames = np.random.default_rng(4).normal(0, 3, (5, 8, 8))
    assert not create_noise_map(frames, noise=3.0, lower=7.0).mask.any()
    with pytest.raises(UsageError, match="lower should be at most 7 "):
        create_noise_map(frames, noise=3.0, lower=7.1)
