"""Stack-level clipping: sample by sample equal to astropy and to a slow loop; stated rates."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.nddata import CCDData, InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.errors import UsageError
from soxsdark.stacking import lower_quartile, rejected_samples, run_median, sort_stack, stack_block
from soxsdark.utilities import clip_and_stack
from tests.reference import clip_stack

STEADY = settings(derandomize=True, deadline=None, max_examples=60, database=None)
KINDS = {"mad": "mad_std", "std": "std"}


def samples_of(number: int, pixels: int, dtype="float64", quantum=0.0, masked=0.0, seed=0):
    """(N, P) samples of unit noise on a pedestal, with hits high and low and bad samples."""
    rng = np.random.default_rng([seed, number])
    samples = rng.normal(100, 1, (number, pixels))
    hit = rng.random(samples.shape)
    samples[hit < 0.05] += rng.exponential(50, (hit < 0.05).sum())
    samples[hit > 0.98] -= 15
    if quantum:
        samples = np.rint(samples / quantum) * quantum
    samples = samples.astype(dtype)
    samples[rng.random(samples.shape) < masked] = np.nan
    return samples


def stack(samples, **options):
    """(block, rejected) of unsorted samples."""
    block = stack_block(*sort_stack(samples), **options)
    return block, rejected_samples(samples, block.lowest, block.highest)


@pytest.mark.parametrize("kind", ["mad", "std"])
@pytest.mark.parametrize(
    ("dtype", "quantum"), [("float64", 0), ("float32", 0), ("float32", 1), ("float64", 2.3)]
)
@pytest.mark.parametrize("number", [3, 4, 5, 6, 8, 11, 25, 40])
def test_survivors_equal_astropy_sample_by_sample(number, dtype, quantum, kind):
    samples = samples_of(number, 3000, dtype, quantum, masked=0.1 if number > 4 else 0)
    valid = np.isfinite(samples)
    for k, iterations in [(3, 3), (2, 1), (2, 10)]:
        block, rejected = stack(samples, deviation=kind, k=k, iterations=iterations)
        masked = sigma_clip(
            np.ma.masked_invalid(samples),
            axis=0,
            sigma=k,
            maxiters=iterations,
            cenfunc="median",
            stdfunc=KINDS[kind],
        )
        theirs = np.ma.getmaskarray(masked) & valid
        # fewer than three samples, or than two survivors: all are kept by design
        clips = (valid.sum(axis=0) >= 3) & ((valid & ~theirs).sum(axis=0) >= 2)
        np.testing.assert_array_equal(rejected[:, clips], theirs[:, clips])
        assert not rejected[:, ~clips].any()
        assert clips.mean() > 0.9
        assert kind == "std" or theirs.any()
        kept = np.where(valid & ~rejected, samples.astype(np.float64), np.nan)
        np.testing.assert_allclose(block.mean, np.nanmean(kept, axis=0), rtol=1e-13)
        np.testing.assert_array_equal(block.used, (valid & ~rejected).sum(axis=0))


@STEADY
@given(
    st.integers(3, 40),
    st.integers(0, 2**31),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([0.0, 0.0, 1.0]),
    st.sampled_from([0.0, 0.2, 0.6]),
    st.sampled_from(["mad", "std", "noise-model"]),
    st.floats(0.5, 6),
    st.integers(0, 8),
)
def test_survivors_equal_the_slow_loop(number, seed, dtype, quantum, masked, kind, k, iterations):
    samples = samples_of(number, 30, dtype, quantum, masked, seed)
    sigma = np.random.default_rng(seed).uniform(0.5, 2, 30)
    block, rejected = stack(samples, deviation=kind, sigma=sigma, k=k, iterations=iterations)
    for p in range(30):
        kept, gave_up = clip_stack(samples[:, p].tolist(), kind, k, iterations, sigma[p], True)
        valid = np.flatnonzero(np.isfinite(samples[:, p]))
        assert set(valid) - set(np.flatnonzero(rejected[:, p])) == kept
        assert block.unclipped[p] == gave_up
        assert block.used[p] == len(kept)
        values = samples[sorted(kept), p].astype(np.float64)
        if len(kept):
            assert block.mean[p] == pytest.approx(values.mean(), rel=1e-13)
            assert (block.lowest[p], block.highest[p]) == (values.min(), values.max())
        else:
            assert np.isnan(block.mean[p])
        variance = values.var(ddof=1) if len(kept) > 1 else 0
        assert block.variance[p] == pytest.approx(variance, rel=1e-9, abs=1e-12)


@STEADY
@given(
    st.lists(
        st.floats(-1e6, 1e6, width=32) | st.integers(-3, 3).map(float) | st.just(np.nan),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(["mad", "noise-model"]),
    st.integers(0, 5),
)
def test_any_samples(values, kind, iterations):
    samples = np.array(values)[:, None]
    block, rejected = stack(samples, deviation=kind, sigma=np.ones(1), iterations=iterations)
    kept, gave_up = clip_stack(values, kind, 4.0, iterations, 1.0, True)
    valid = set(np.flatnonzero(np.isfinite(values)))
    assert valid - set(np.flatnonzero(rejected[:, 0])) == kept
    assert block.unclipped[0] == gave_up


@pytest.mark.parametrize("kind", ["mad", "std", "noise-model"])
def test_two_samples_are_never_clipped(kind):
    samples = np.array([[0.0, 0.0, np.nan], [1e6, 0.0, 3.0]])
    block, rejected = stack(samples, deviation=kind, sigma=np.full(3, 1e-3))
    np.testing.assert_array_equal(block.mean, [5e5, 0, 3])
    np.testing.assert_array_equal(block.used, [2, 2, 1])
    assert not rejected.any()
    assert not block.unclipped.any()


def test_fewer_than_two_survivors_keep_all():
    samples = np.array([[0.0, 0.0], [10.0, 0.1], [20.0, 50.0]])
    block, rejected = stack(samples, sigma=np.ones(2))
    # first pixel: only the median itself lies within 4 sigma of the median
    np.testing.assert_array_equal(block.unclipped, [True, False])
    np.testing.assert_array_equal(block.used, [3, 2])
    np.testing.assert_allclose(block.mean, [10, 0.05])
    np.testing.assert_array_equal(rejected, [[0, 0], [0, 0], [0, 1]])


def test_the_public_mask_marks_what_was_not_clipped_and_what_is_empty():
    frames = np.zeros((3, 1, 3))
    frames[:, 0, 0] = 0, 10, 20
    frames[:, 0, 1] = np.nan
    found = clip_and_stack(frames, noise=1.0, equalise_levels=False, return_rejected=True)
    np.testing.assert_array_equal(found.mask, [[True, True, False]])
    np.testing.assert_array_equal(found.used, [[3, 0, 3]])
    np.testing.assert_array_equal(found.mean, [[10, np.nan, 0]])
    np.testing.assert_allclose(found.uncertainty, [[3**-0.5, np.inf, 3**-0.5]])
    assert not found.rejected.any()


def test_no_iterations_average_everything():
    samples = samples_of(7, 100)
    block, rejected = stack(samples, sigma=np.ones(100), iterations=0)
    assert not rejected.any()
    np.testing.assert_allclose(block.mean, samples.mean(axis=0), rtol=1e-14)


def test_mean_and_variance_lose_nothing_on_a_large_pedestal():
    samples = np.array([[1.0], [2.0], [4.0]]) + 2.0**40
    block, _ = stack(samples, sigma=np.ones(1))
    assert block.mean[0] - 2.0**40 == pytest.approx(7 / 3, rel=1e-4)
    assert block.variance[0] == pytest.approx(7 / 3, rel=1e-12)


def test_median_and_quartile_of_a_sorted_run():
    ordered, count = sort_stack(np.array([[4.0, 7], [1, np.nan], [3, 5], [2, np.inf], [9, np.nan]]))
    np.testing.assert_array_equal(count, [5, 2])
    np.testing.assert_array_equal(ordered[:, 0], [1, 2, 3, 4, 9])
    np.testing.assert_array_equal(ordered[:2, 1], [5, 7])
    np.testing.assert_array_equal(run_median(ordered, count * 0, count), [3, 6])
    np.testing.assert_array_equal(run_median(ordered, count * 0 + 1, count), [3.5, 7])
    np.testing.assert_array_equal(lower_quartile(ordered, count), [2, 5])


# the table of rates: (N, deviation, k) -> good samples lost, noise, share of 10-sigma hits caught
RATES = [
    (3, "noise-model", 4, 0.00035, 1.004, 1.0),
    (5, "noise-model", 4, 0.00020, 1.002, 1.0),
    (7, "noise-model", 4, 0.00016, 1.002, 1.0),
    (11, "noise-model", 4, 0.00011, 1.002, 1.0),
    (25, "noise-model", 4, 0.00009, 1.003, 1.0),
    (5, "noise-model", 3, 0.0046, 1.029, 1.0),
    (3, "mad", 3, 0.110, None, 0.84),
    (5, "mad", 3, 0.093, None, 0.98),
    (11, "mad", 3, 0.043, None, 1.0),
]


@pytest.mark.parametrize(("number", "kind", "k", "lost", "noise", "caught"), RATES)
def test_rates_of_the_design(number, kind, k, lost, noise, caught):
    pixels = 1_000_000 // number
    samples = np.random.default_rng(number).normal(size=(number, pixels))
    options = {"deviation": kind, "k": k, "iterations": 3, "sigma": np.ones(pixels)}
    block, rejected = stack(samples, **options)
    # five standard errors of a count (twice: losses in one stack come in pairs), plus the
    # rounding of the expected figure
    error = 5 * np.sqrt(2 * lost / samples.size)
    assert rejected.mean() == pytest.approx(lost, abs=error + 0.05 * lost)
    if noise:
        # relative error of a standard deviation: 1 / sqrt(2 P); 0.0005 is the rounding
        measured = block.mean.std() * np.sqrt(number)
        assert measured == pytest.approx(noise, abs=5 / np.sqrt(2 * pixels) + 0.0005)
    samples[0] += 10
    _, rejected = stack(samples, **options)
    # the figure is rounded to a percent; five standard errors are 0.004 at most
    assert rejected[0].mean() == pytest.approx(caught, abs=0.005 + 0.004)


def test_price_of_four_sigma_is_a_five_sigma_hit():
    samples = np.random.default_rng(5).normal(size=(5, 100_000))
    samples[0] += 5
    for k, caught in [(4.0, 0.73), (3.0, 0.93)]:
        _, rejected = stack(samples, k=k, sigma=np.ones(100_000))
        # 0.005 is the rounding of the figure, 0.007 five standard errors
        assert rejected[0].mean() == pytest.approx(caught, abs=0.012)


def dark_frames(number=6, shape=(96, 80), seed=0, drift=0.0) -> np.ndarray:
    """Frames of noise 3 around 500, levels `drift` apart, hits of 200 in one pixel of 300."""
    rng = np.random.default_rng(seed)
    frames = rng.normal(500, 3, (number, *shape))
    frames[rng.random(frames.shape) < 1 / 300] += 200
    return frames + drift * np.arange(number)[:, None, None]


def test_levels_are_equalised_and_their_mean_put_back():
    still = clip_and_stack(dark_frames(), noise=3.0, return_rejected=True)
    drifted = clip_and_stack(dark_frames(drift=1000.0), noise=3.0, return_rejected=True)
    np.testing.assert_array_equal(drifted.rejected, still.rejected)
    assert still.rejected.mean() == pytest.approx(1 / 300, rel=0.15)
    np.testing.assert_allclose(drifted.mean, still.mean + 2500, atol=1e-9)
    assert still.mean.mean() == pytest.approx(500, abs=0.1)
    np.testing.assert_allclose(still.uncertainty, 3 / np.sqrt(still.used))


def test_without_equalising_the_drift_is_in_the_samples():
    found = clip_and_stack(dark_frames(drift=1000.0), noise=3.0, equalise_levels=False)
    assert found.mask.all(), "no two of the samples agree"
    plain = clip_and_stack(dark_frames(), noise=3.0, equalise_levels=False)
    equal = clip_and_stack(dark_frames(), noise=3.0)
    # the levels of equal frames agree to 3 / sqrt(7680), and shift means by no more
    np.testing.assert_allclose(plain.mean[plain.used == 6], equal.mean[plain.used == 6], atol=0.1)


def test_a_frame_without_a_good_pixel_changes_nothing():
    frames = dark_frames(drift=7.0)
    empty = np.concatenate([frames, np.full((1, *frames.shape[1:]), np.nan)])
    expected = clip_and_stack(frames, noise=3.0)
    found = clip_and_stack(empty, noise=3.0)
    np.testing.assert_array_equal(found.used, expected.used)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-9)


def test_noise_is_measured_where_none_is_given():
    found = clip_and_stack(dark_frames(shape=(256, 256)), return_rejected=True)
    # no hits in the differences: 3 / sqrt(6), the noise of a block known to 1 %
    whole = found.used == 6
    assert np.median(found.uncertainty[whole]) == pytest.approx(3 / np.sqrt(6), rel=0.01)
    assert found.rejected.mean() == pytest.approx(1 / 300, rel=0.1)


@pytest.mark.parametrize("dtype", ["int16", ">i2", "uint16", "int32", "float32", ">f4", "float64"])
def test_kinds_of_data(dtype):
    frames = np.rint(dark_frames()).astype(dtype)
    found = clip_and_stack(frames, noise=3.0, return_rejected=True)
    expected = clip_and_stack(frames.astype(float), noise=3.0, return_rejected=True)
    np.testing.assert_array_equal(found.rejected, expected.rejected)
    # the mean of float32 samples is float32
    rounding = 2**-24 if dtype.endswith(("32", "f4")) and "int" not in dtype else 1e-12
    np.testing.assert_allclose(found.mean, expected.mean, rtol=rounding)


def test_input_is_left_as_it_was():
    frames = dark_frames()
    frames[0, 0, 0] = np.inf
    before = frames.copy()
    clip_and_stack(frames, masks=[np.ones(frames.shape[1:], bool)] + [None] * 5, noise=3.0)
    np.testing.assert_array_equal(frames, before)


def ccd(image, **options) -> CCDData:
    return CCDData(image, unit=options.pop("unit", "adu"), **options)


def test_masks_of_ccddata_and_further_masks_are_joined():
    frames = dark_frames()
    rng = np.random.default_rng(1)
    own, further = rng.random((2, *frames.shape)) < 0.1
    poisoned = np.where(own | further, 1e6, frames)
    expected = clip_and_stack(np.where(own | further, np.nan, frames), noise=3.0)
    made = [ccd(f, mask=m) for f, m in zip(poisoned, own, strict=True)]
    found = clip_and_stack(made, masks=list(further), noise=3.0)
    np.testing.assert_array_equal(found.used, expected.used)
    np.testing.assert_array_equal(found.mean, expected.mean)
    masked = [np.ma.array(f, mask=m) for f, m in zip(poisoned, own, strict=True)]
    found = clip_and_stack(masked, masks=list(further), noise=3.0)
    np.testing.assert_array_equal(found.mean, expected.mean)


@pytest.mark.parametrize(
    ("kind", "of_sigma"),
    [
        (StdDevUncertainty, lambda s: s),
        (VarianceUncertainty, lambda s: s**2),
        (InverseVariance, lambda s: s**-2.0),
    ],
)
def test_uncertainties_of_ccddata_are_the_expected_noise(kind, of_sigma):
    frames = dark_frames()
    sigma = np.random.default_rng(2).uniform(2, 5, frames.shape)
    made = [ccd(f, uncertainty=kind(of_sigma(s))) for f, s in zip(frames, sigma, strict=True)]
    expected = clip_and_stack(frames, noise=np.sqrt(np.mean(sigma**2, axis=0)))
    found = clip_and_stack(made)
    np.testing.assert_array_equal(found.used, expected.used)
    np.testing.assert_allclose(found.uncertainty, expected.uncertainty)


def test_a_single_frame_needs_its_noise():
    frame = np.random.default_rng(3).normal(500, 3, (20, 20))
    found = clip_and_stack([frame], noise=3.0)
    np.testing.assert_allclose(found.mean, frame, rtol=1e-14)
    np.testing.assert_array_equal(found.uncertainty, np.full(frame.shape, 3.0))
    assert not found.mask.any()
    with pytest.raises(UsageError, match="one frame has no measurable noise"):
        clip_and_stack([frame])


IMAGE = np.ones((4, 5))
WRONG = [
    ([], {}, "no frames"),
    ([IMAGE, np.ones((5, 4))], {}, "one shape"),
    ([np.ones(4), np.ones(4)], {}, "2-D"),
    (np.ones((3, 0, 5)), {}, "2-D"),
    ([IMAGE, 1j * IMAGE], {}, "real numbers .*complex128"),
    ([IMAGE.astype(str)], {}, "real numbers"),
    ([ccd(IMAGE), ccd(IMAGE, unit="electron")], {}, "one unit .*adu.*electron"),
    ([IMAGE, ccd(IMAGE)], {}, "one unit"),
    ([IMAGE, IMAGE], {"masks": [None]}, "2 frames but 1 masks"),
    ([IMAGE, IMAGE], {"noise": 0.0}, "above zero"),
    ([IMAGE, IMAGE], {"noise": np.ones((3, 3))}, "noise of shape"),
]


@pytest.mark.parametrize(("frames", "options", "message"), WRONG)
def test_wrong_frames(frames, options, message):
    with pytest.raises(UsageError, match=message):
        clip_and_stack(frames, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deviation": "sigma"}, "deviation should be one of noise-model, mad, std "),
        ({"k": -1.0}, r"k should be a number above 0 \(got -1.0\)"),
        ({"k": np.nan}, "k should be a number above 0 "),
        ({"k": None}, "k should be a number above 0 "),
        ({"frame_upper": "3"}, "frame_upper should be a number above 0 "),
        ({"iterations": -1}, r"iterations should be a whole number from 0 \(got -1\)"),
        ({"iterations": None}, "iterations should be a whole number from 0 "),
        ({"frame_iterations": 2.0}, "frame_iterations should be a whole number from 0 "),
        ({"masks": [np.zeros((5, 4), bool), None]}, "mask of shape"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(options, message):
    with pytest.raises(UsageError, match=message):
        clip_and_stack([IMAGE, IMAGE], **{"noise": 1.0, **options})


def test_no_good_pixel_in_common_has_no_measurable_noise():
    with pytest.raises(UsageError, match="too few good pixels"):
        clip_and_stack(np.full((3, 8, 8), np.nan))


def test_uncertainties_that_cannot_be_used_are_refused():
    data, kind = np.zeros((4, 4)), SimpleNamespace(array=np.ones((4, 4)), uncertainty_type="other")
    frame = SimpleNamespace(data=data, mask=None, unit=None, uncertainty=kind)
    with pytest.raises(UsageError, match="uncertainty of type 'other': std, var or ivar"):
        clip_and_stack([frame] * 3)
    frame.uncertainty = np.ones((4, 5))
    with pytest.raises(UsageError, match=r"uncertainty of shape \(4, 5\) on a frame of \(4, 4\)"):
        clip_and_stack([frame] * 3)


def test_infinite_samples_are_bad_and_sort_last():
    samples = np.array([[1.0, np.inf, np.nan], [-np.inf, 2.0, np.inf], [3.0, 1.0, np.nan]])
    ordered, count = sort_stack(samples)
    np.testing.assert_array_equal(count, [2, 2, 0])
    np.testing.assert_array_equal(ordered[:2, :2], [[1, 1], [3, 2]])
    assert np.isnan(ordered[2]).all()
    assert np.isnan(ordered[:, 2]).all()


def test_a_pixel_without_samples_has_no_figures():
    found = stack_block(*sort_stack(np.full((4, 1), np.nan)), deviation="mad")
    for figure in (found.mean, found.lowest, found.highest):
        assert np.isnan(figure).all()
    assert (found.used[0], found.variance[0]) == (0, 0)
