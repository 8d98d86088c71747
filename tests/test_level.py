"""Frame-level clipping: equal to a slow loop and to astropy on every kind of data."""

import math

import numpy as np
import pytest
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.level import clip_frame, clip_frames, distinct
from tests.reference import clip_pixels, spread_of

STEADY = settings(derandomize=True, deadline=None, max_examples=80, database=None)
KINDS = {"mad": "mad_std", "std": "std"}


def frame(dtype: str, seed: int = 0, pedestal: float = 1000, sigma: float = 8) -> np.ndarray:
    """40 x 50 pixels with a few hundred outliers on both sides."""
    rng = np.random.default_rng(seed)
    image = rng.normal(pedestal, sigma, (40, 50))
    image[rng.random(image.shape) < 0.1] += 20 * sigma
    image[rng.random(image.shape) < 0.05] -= 7 * sigma
    if np.issubdtype(np.dtype(dtype), np.integer):
        image = np.rint(image)
    return image.astype(dtype)


def check(found, pixels, **options):
    """Compare with the slow loop over the usable pixels (a flat array)."""
    kept = clip_pixels(pixels, **options)
    usable = [p for p in pixels if math.isfinite(p)]
    assert found.used == len(kept)
    assert found.used + found.clipped == len(usable)
    assert found.clipped_low == sum(p < min(kept) for p in usable)
    assert found.clipped_high == sum(p > max(kept) for p in usable)
    assert found.level == pytest.approx(math.fsum(kept) / len(kept), rel=1e-13, abs=1e-12)
    assert found.median == pytest.approx(float(np.median(kept)), rel=1e-13, abs=1e-12)
    kind = options.get("kind", "mad")
    deviation = spread_of(kept, kind) or spread_of(kept, "std")
    assert found.deviation == pytest.approx(deviation, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", ["mad", "std"])
@pytest.mark.parametrize(
    ("dtype", "pedestal"),
    [
        ("int16", 1000),
        ("int16", -31000),
        ("uint16", 1000),
        ("uint16", 64000),
        (">i2", -5),
        (">u2", 300),
        ("int32", -100000),
        (">i4", 2000000),
        ("uint32", 3000000000),
        ("int64", -(2**40)),
        ("float32", 1000),
        (">f4", -1.5),
        ("float64", 1e6),
        (">f8", 0.0),
    ],
)
def test_equals_slow_loop_and_astropy(dtype, pedestal, kind):
    image = frame(dtype, pedestal=pedestal)
    found = clip_frame(image, deviation=kind, iterations=5)
    exact = image.astype(np.float64).ravel()
    check(found, exact, kind=kind, iterations=5)
    clipped = sigma_clip(exact, sigma=3, maxiters=5, cenfunc="median", stdfunc=KINDS[kind])
    survivors = clipped.compressed()
    assert found.used == survivors.size
    assert found.level == pytest.approx(survivors.mean(), rel=1e-13, abs=1e-12)
    assert found.clipped_high > 100, "the outliers of the fixture went unseen"


@pytest.mark.parametrize("iterations", [0, 1, 2, 3, 20])
@pytest.mark.parametrize(("lower", "upper"), [(3, 3), (2, 5), (6, 1.5), (1, 1)])
def test_iterations_and_asymmetric_limits(lower, upper, iterations):
    image = frame("int16", seed=3)
    found = clip_frame(image, lower=lower, upper=upper, iterations=iterations)
    check(found, image.ravel(), lower=lower, upper=upper, iterations=iterations)


def test_no_iterations_clip_nothing():
    image = frame("uint16")
    found = clip_frame(image, iterations=0)
    assert (found.used, found.clipped, found.level) == (2000, 0, image.mean())
    assert (found.lower, found.upper) == (-np.inf, np.inf)


def test_lower_and_upper_are_the_bounds_that_were_applied():
    image = frame("int16", seed=4)
    found = clip_frame(image, iterations=1)
    assert found.clipped_low == (image < found.lower).sum()
    assert found.clipped_high == (image > found.upper).sum()
    centre = np.median(image)
    deviation = spread_of(image.ravel().tolist(), "mad")
    assert found.upper == pytest.approx(centre + 3 * deviation)
    assert found.lower == pytest.approx(centre - 3 * deviation)


def test_the_bounds_agree_with_the_counts_where_clipping_would_leave_nothing():
    # an even split: the median lies between the two values, a tight clip would take both
    image = np.array([[0, 10], [0, 10]], dtype=np.int16)
    found = clip_frame(image, lower=0.1, upper=0.1)
    assert found.used == 4
    assert ((image < found.lower) | (image > found.upper)).sum() == found.clipped == 0


@pytest.mark.parametrize("dtype", ["int16", ">u2", "float32"])
def test_masked_pixels_take_no_part(dtype):
    image = frame(dtype, seed=5)
    bad = np.random.default_rng(6).random(image.shape) < 0.3
    poisoned = np.where(bad, np.array(30000, dtype=dtype), image).astype(dtype)
    found = clip_frame(poisoned, bad)
    check(found, image[~bad])
    assert found.ignored == bad.sum()


def test_values_that_are_not_finite_are_ignored():
    image = frame("float32", seed=7)
    image[0, :3] = np.nan, np.inf, -np.inf
    bad = np.zeros(image.shape, bool)
    bad[0, 2:5] = True
    found = clip_frame(image, bad)
    check(found, image[~bad].astype(float))
    assert found.ignored == 5


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_nothing_usable_gives_nan(dtype):
    found = clip_frame(np.ones((2, 3), dtype=dtype), np.ones((2, 3), bool))
    assert np.isnan(found.level)
    assert np.isnan(found.median)
    assert (found.used, found.clipped, found.ignored) == (0, 0, 6)


def test_mad_of_zero_falls_back_on_the_standard_deviation():
    image = np.array([100] * 90 + [101] * 9 + [200], dtype=np.int16)
    found = clip_frame(image)
    # std 9.94 around the median 100 keeps 100 and 101 and takes 200; then std 0.29: 101 goes
    assert (found.used, found.clipped_high, found.level) == (90, 10, 100)
    check(found, image)
    first = clip_frame(image, iterations=1)
    assert (first.used, first.clipped_high) == (99, 1)
    assert first.level == pytest.approx(100 + 9 / 99)


def test_constant_frame_loses_no_pixel():
    found = clip_frame(np.full((5, 5), -7, dtype=np.int16))
    assert (found.level, found.deviation, found.used, found.clipped) == (-7, 0, 25, 0)


def test_mean_of_a_large_pedestal_is_exact():
    image = np.tile(np.array([2**31 - 5, 2**31 - 4], dtype=np.int64), 500)
    assert clip_frame(image).level == 2**31 - 4.5


def test_values_too_wide_for_a_histogram():
    image = frame("int32", seed=8)
    image[0, 0], image[0, 1] = -(2**31), 2**31 - 1
    found = clip_frame(image)
    check(found, image.ravel())


@pytest.mark.parametrize("dtype", ["int16", "uint16", ">i2", "int32", "float32", ">f8"])
def test_distinct_values_and_counts(dtype):
    image = frame(dtype, seed=9)
    values, counts = distinct(image)
    expected, times = np.unique(image.astype(np.float64), return_counts=True)
    np.testing.assert_array_equal(values.astype(np.float64), expected)
    np.testing.assert_array_equal(counts, times)


@STEADY
@given(
    st.lists(st.integers(-(2**15), 2**15 - 1) | st.integers(-5, 5), min_size=1, max_size=60),
    st.integers(0, 6),
    st.floats(0.3, 6),
    st.floats(0.3, 6),
    st.sampled_from(["mad", "std"]),
)
def test_any_integers(values, iterations, lower, upper, kind):
    options = {"iterations": iterations, "lower": lower, "upper": upper}
    found = clip_frame(np.array(values, dtype=np.int16), deviation=kind, **options)
    check(found, values, kind=kind, **options)


@STEADY
@given(
    st.lists(st.floats(-1e4, 1e4, width=32) | st.just(math.nan), min_size=1, max_size=60),
    st.integers(0, 6),
)
def test_any_floats(values, iterations):
    found = clip_frame(np.array(values, dtype=np.float32), iterations=iterations)
    if all(map(math.isnan, values)):
        assert np.isnan(found.level)
    else:
        check(found, values, iterations=iterations)
    assert found.ignored == sum(map(math.isnan, values))


def test_clip_frames_is_one_level_a_frame():
    images = [frame("int16", seed=s, pedestal=1000 * s) for s in (1, 2, 3)]
    bad = np.zeros(images[0].shape, bool)
    bad[:20] = True
    expected = [clip_frame(images[0], bad), clip_frame(images[1]), clip_frame(images[2], bad)]
    assert clip_frames(iter(images), [bad, None, bad]) == expected
    assert clip_frames(images, upper=1.0)[0] == clip_frame(images[0], upper=1.0)


def test_one_mask_a_frame_is_needed():
    with pytest.raises(ValueError, match="shorter"):
        clip_frames([np.ones((2, 2))] * 2, [None])


def test_a_frame_without_a_pixel_clips_nothing():
    found = clip_frame(np.full((3, 4), np.nan))
    assert (found.lower, found.upper) == (-np.inf, np.inf)
    assert (found.used, found.clipped, found.ignored) == (0, 0, 12)
    assert math.isnan(found.level)
