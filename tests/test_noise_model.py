"""The noise of one sample, measured on simulated frames whose noise is known."""

import math

import numpy as np
import pytest

from soxsdark.differences import pair_noise
from soxsdark.grid import Grid
from soxsdark.noise_model import NoiseModel, build_noise_model, shot_noise
from soxsdark.slope import BrightPixels, _bin_variance, bright_places, measure_slope
from soxsdark.stack_input import block_medians, measure_noise
from tests.reference import blocks_of


def noise_of_pair(first, second, grid, quantum=0.0, bad=None, background=None, **options):
    """`pair_noise` of arrays that are electrons above the level."""
    background = np.zeros(grid.shape) if background is None else background
    return pair_noise(
        np.float32(first), np.float32(second), background, grid, quantum, bad, **options
    )


def rounded_sigma(mean: float, sigma: float) -> float:
    """Standard deviation of a Gaussian rounded to whole numbers, from its probabilities."""
    values = np.arange(math.floor(mean - 12 * sigma - 2), math.ceil(mean + 12 * sigma + 3))
    below = np.array([0.5 * math.erfc((mean - v - 0.5) / sigma / 2**0.5) for v in values])
    share = np.diff(below, prepend=0.0)
    centre = share @ values
    return math.sqrt(share @ (values - centre) ** 2)


def digital(sigma, gain, frames=5, shape=(512, 512), mean=1000.3, seed=0) -> np.ndarray:
    """Electrons above the level of integer frames; `sigma` and `mean` in ADU."""
    adu = np.rint(np.random.default_rng(seed).normal(mean, sigma, (frames, *shape)))
    return ((adu - adu.mean(axis=(1, 2), keepdims=True)) * gain).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.4, 0.55, 0.7, 1.0, 2.0, 4.4, 11.0, 30.0])
@pytest.mark.parametrize("gain", [2.3, 0.7])
def test_sigma_of_integer_data(sigma, gain):
    model = measure_noise(digital(sigma, gain), quantum=gain)
    # 0.1 % is the error of a median over blocks of 1e6 differences; below 0.5 ADU the clip
    # falls between few values and its correction is good to a percent
    tolerance = 0.005 if sigma > 0.5 else 0.01
    assert model.sigma == pytest.approx(gain * rounded_sigma(1000.3, sigma), rel=tolerance)


@pytest.mark.parametrize("gain", [0.53, 1.1, 1.9, 2.12, 3.3])
@pytest.mark.parametrize("sigma", [9.0, 22.0])
def test_values_between_two_bins_are_not_all_pushed_outwards(sigma, gain):
    # bins of an even number of quanta have values on their edges: rounding decides where they go
    frames = digital(sigma, gain, frames=3)
    truth = np.diff(frames.astype(float), axis=0).std() / math.sqrt(2)
    # half a million differences: 0.1 %, a median over blocks 0.13 %
    assert measure_noise(frames, quantum=gain).sigma == pytest.approx(truth, rel=0.005)


@pytest.mark.parametrize("sigma", [0.01, 3.0, 1e4])
def test_sigma_of_continuous_data(sigma):
    frames = np.random.default_rng(1).normal(0, sigma, (5, 512, 512))
    assert measure_noise(frames).sigma == pytest.approx(sigma, rel=0.005)


def test_outliers_do_not_move_sigma():
    frames = digital(5.0, 1.0)
    rng = np.random.default_rng(2)
    frames[rng.random(frames.shape) < 0.01] += 3000
    # 2 % of the differences: those within 4 sigma of the clip are none
    assert measure_noise(frames, 1.0).sigma == pytest.approx(rounded_sigma(0.3, 5.0), rel=0.01)


def test_bad_pixels_take_no_part():
    frames = digital(3.0, 1.0, frames=2, shape=(128, 128)).astype(float)
    grid = Grid.of((128, 128), 64)
    bad = np.zeros((128, 128), bool)
    bad[:, ::2] = True
    noisy = frames + np.where(bad, np.random.default_rng(3).normal(0, 300, frames.shape), 0)
    expected = np.where(bad, np.nan, frames)
    clean = noise_of_pair(*expected, grid, 1.0)
    masked = noise_of_pair(*noisy, grid, 1.0, bad)
    assert masked.sigma == clean.sigma
    np.testing.assert_array_equal(masked.blocks, clean.blocks)


def test_a_block_without_good_pixels_is_nan_and_filled_in_the_model():
    frames = np.random.default_rng(4).normal(0, 3, (3, 128, 192))
    frames[:, :64, :64] = np.nan
    grid = Grid.of((128, 192), 64)
    found = noise_of_pair(frames[0], frames[1], grid)
    assert np.isnan(found.blocks[0, 0])
    assert np.isfinite(found.blocks).sum() == 5
    model = measure_noise(frames)
    assert np.isfinite(model.ratio).all()
    assert np.isfinite(model.background).all()


def test_no_usable_pixel_at_all():
    grid = Grid.of((64, 64), 64)
    nothing = np.full((64, 64), np.nan)
    found = noise_of_pair(nothing, nothing, grid)
    assert np.isnan(found.sigma)
    assert np.isnan(found.blocks).all()


def test_the_middle_may_fall_between_two_values():
    # differences symmetric about one half: their median is no value of the lattice
    half = np.rint(np.random.default_rng(5).normal(0.5, 1.0, 64 * 64))
    difference = np.concatenate([half, 1 - half]).reshape(64, 128)
    assert np.median(difference) == 0.5
    grid = Grid.of(difference.shape, 64)
    sigma = noise_of_pair(difference, np.zeros_like(difference), grid, quantum=1.0).sigma
    # 4096 differences a block: 1.1 % each
    assert sigma == pytest.approx(difference.std() / math.sqrt(2), rel=0.03)


def test_a_glow_is_followed_over_the_detector():
    rng = np.random.default_rng(6)
    shape = (512, 512)
    y, x = np.indices(shape)
    glow = 200 * np.exp(-np.hypot(y, x) / 200)
    frames = rng.poisson(glow, (6, *shape)) - glow.mean() + rng.normal(0, 3, (6, *shape))
    model = measure_noise(frames)
    truth = np.sqrt(9 + glow)
    found = model.sigma_rows(0, 512)
    # two blocks inside; outside, the median over neighbours flattens the glow's top and foot
    assert np.abs(found / truth - 1)[128:384, 128:384].max() < 0.05
    assert np.abs(found / truth - 1).max() < 0.25
    np.testing.assert_allclose(
        model.background_rows(100, 400)[:, 64:-64],
        (glow - glow.mean())[100:400, 64:-64],
        atol=0.03 * 200,
    )


def hot_frames(gain=1.0, ndit=1, frames=5, shape=(384, 384), seed=7, top=2e4):
    """Electrons by the gain that is believed: 8 % of the pixels hot, Poisson; noise 5 e-."""
    rng = np.random.default_rng(seed)
    hot = np.where(rng.random(shape) < 0.08, 10 ** rng.uniform(2, math.log10(top), shape), 0)
    charge = rng.poisson(hot * ndit, (frames, *shape)) / ndit
    return gain * (charge + rng.normal(0, 5, charge.shape))


@pytest.mark.parametrize("believed", [0.5, 1.0, 2.0])
def test_slope_is_the_ratio_of_the_believed_gain_to_the_right_one(believed):
    model = measure_noise(hot_frames(gain=believed))
    assert model.measured_slope == pytest.approx(believed, rel=0.05)
    assert model.measured_slope == pytest.approx(believed, abs=5 * model.measured_slope_error)
    assert 0 < model.measured_slope_error < 0.02 * believed
    assert model.slope == model.measured_slope, "used where the gain is unknown"


def model_of(frames, **options) -> NoiseModel:
    grid = Grid.of(frames.shape[1:], 64)
    background = np.mean([block_medians(f, grid) for f in frames], axis=0)
    pairs = [
        noise_of_pair(a, b, grid, background=background)
        for a, b in zip(frames[:-1], frames[1:], strict=True)
    ]
    places = bright_places(*frames[:2], background, grid, pairs[0].sigma, frames=len(frames))
    values = frames.reshape(len(frames), -1)[:, places]
    bright = BrightPixels(values, background[grid.block_of(places)])
    return build_noise_model(pairs, background, grid, bright, **options)


def test_slope_of_a_known_gain_is_one_and_the_measured_one_is_told():
    model = model_of(hot_frames(gain=2.0), gain_known=True)
    assert model.slope == 1
    assert model.measured_slope == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("ndit", [1, 4, 10])
def test_slope_with_ndit(ndit):
    model = model_of(hot_frames(ndit=ndit), ndit=ndit)
    assert model.measured_slope == pytest.approx(1, abs=0.05)
    assert model.ndit == ndit


def test_slope_is_not_measured_where_few_pixels_are_bright():
    frames = np.random.default_rng(8).normal(0, 5, (4, 128, 128))
    frames[:, 0, :40] += 1000
    model = measure_noise(frames)
    assert math.isnan(model.measured_slope)
    assert math.isnan(model.measured_slope_error)
    none = BrightPixels(np.zeros((4, 0)), np.zeros(0))
    assert measure_slope(none, 1.0) == pytest.approx((math.nan, math.nan), nan_ok=True)


def test_without_a_measured_slope_signals_are_not_taken_for_electrons():
    # what the docstring of measure_noise promises
    frames = np.random.default_rng(9).normal(0, 5, (3, 64, 64))
    assert measure_noise(frames).slope == 0


def test_bright_pixels_stand_ten_sigma_above_their_background():
    frames = np.random.default_rng(10).normal(0, 2, (2, 128, 128))
    frames[:, :64] += 1000  # a bright half, in the background of its blocks
    frames[:, 10, 10:20] += 500
    frames[:, 90, 10:20] += 500
    frames[1, 90, 5] = np.nan
    frames[0, 90, 6] = np.inf
    grid = Grid.of((128, 128), 64)
    background = np.mean([block_medians(f, grid) for f in frames], axis=0)
    found = bright_places(*frames, background, grid, 2.0)
    expected = np.concatenate([10 * 128 + np.arange(10, 20), 90 * 128 + np.arange(10, 20)])
    np.testing.assert_array_equal(found, expected)
    bad = np.zeros((128, 128), bool)
    bad[10] = True
    np.testing.assert_array_equal(bright_places(*frames, background, grid, 2.0, bad), expected[10:])


def test_of_very_many_bright_pixels_some_are_taken(monkeypatch):
    monkeypatch.setattr("soxsdark.slope.MOST", 1000)
    frames = np.zeros((2, 128, 128)) + 1e4 * (np.arange(128) % 2)
    found = bright_places(*frames, np.zeros((2, 2)), Grid.of((128, 128), 64), 1.0, frames=5)
    assert 100 <= found.size <= 200
    assert np.ptp(found) > 120 * 128, "all over the frame"


def bright_of(values) -> BrightPixels:
    return BrightPixels(values, np.full(values.shape[1], 50.0))


def test_measure_slope_of_given_pixels():
    rng = np.random.default_rng(11)
    signal = np.repeat([300.0, 3000.0, 30000.0], 4000)
    values = 50 + rng.normal(signal, np.sqrt(16 + 1.5 * signal), (2, 12000))
    slope, error = measure_slope(bright_of(values), 4.0)
    # 12000 differences: 1.25 sqrt(2 / 12000) of 1.5
    assert error == pytest.approx(1.2533 * math.sqrt(2 / 12000) * 1.5, rel=0.1)
    assert slope == pytest.approx(1.5, abs=5 * math.sqrt(2 / 4000) * 1.5)


def test_unsteady_and_saturated_samples_tell_nothing_of_the_slope():
    rng = np.random.default_rng(12)
    signal = np.full(3000, 1000.0)
    values = 50 + rng.normal(signal, np.sqrt(16 + signal), (4, 3000))
    clean = measure_slope(bright_of(values), 4.0)
    spoilt = np.hstack([values, values])
    spoilt[2, 3000:] = rng.choice([50.0, 200.0], 3000)  # dark in one frame
    assert measure_slope(bright_of(spoilt), 4.0) == clean
    some = values.copy()
    some[1, :1000] = np.nan
    slope, error = measure_slope(bright_of(some), 4.0)
    assert slope == pytest.approx(1, abs=5 * error)
    # of 3 x 3000 differences 2 x 1000 are gone
    assert error == pytest.approx(clean[1] * math.sqrt(9 / 7), rel=0.05)


def flat_model(**options) -> NoiseModel:
    return NoiseModel(4.0, Grid.of((10, 10), 64), np.ones((1, 1)), np.zeros((1, 1)), **options)


@pytest.mark.parametrize(("slope", "ndit"), [(1.0, 1), (2.5, 1), (1.0, 4)])
def test_shot_noise_formula(slope, ndit):
    model = flat_model(slope=slope, ndit=ndit)
    sigma, count = np.full(5, 4.0), np.full(5, 4)
    background = np.array([0.0, 0, 0, 100, -50])
    # significant above 5 * 4 / sqrt(4) = 10
    median = np.array([-300.0, 9.9, 10.1, 110.1, 0.0])
    signal = np.array([0.0, 0.0, 10.1, 10.1, 50.0])
    found = shot_noise(sigma, background, median, count, model.variance_slope)
    np.testing.assert_allclose(found, np.sqrt(16 + slope * signal / ndit))


def test_shot_noise_with_a_floor():
    four = np.full(4, 4.0)
    median, floor = np.array([100.0, 100, 5, 100]), np.array([60.0, -20, 5, 100])
    found = shot_noise(four, np.zeros(4), median, np.full(4, 4), 1.0, floor)
    np.testing.assert_allclose(found, np.sqrt(16 + np.array([60.0, 0, 0, 100])))


def test_the_ratio_scales_sigma_and_rows_do_not_matter():
    grid = Grid.of((128, 64), 64)
    model = NoiseModel(4.0, grid, np.array([[1.0], [2.0]]), np.array([[0.0], [64.0]]))
    whole = model.sigma_rows(0, 128)
    assert whole[31:33].mean() == pytest.approx(4)
    assert whole[95:97].mean() == pytest.approx(8)
    np.testing.assert_array_equal(model.sigma_rows(50, 70), whole[50:70])
    np.testing.assert_allclose(np.diff(model.background_rows(0, 128)[:, 0]), 1)


def test_block_medians():
    frame = np.arange(128 * 64, dtype=float).reshape(128, 64)
    grid = Grid.of(frame.shape, 64)
    bad = np.zeros(frame.shape, bool)
    bad[:32] = True
    frame[40, 3] = np.nan
    found = block_medians(frame, grid, bad)
    upper = frame[32:64][np.isfinite(frame[32:64])]
    # every fifth row and column of a ramp of 64 a row: half a row off
    np.testing.assert_allclose(found, [[np.median(upper)], [np.median(frame[64:])]], atol=40)
    bad[64:] = True
    assert np.isnan(block_medians(frame, grid, bad)[1, 0])


@pytest.mark.parametrize("shape", [(128, 128), (130, 190), (63, 65), (20, 40)])
@pytest.mark.parametrize("kind", ["u2", "i4", "f4"])
@pytest.mark.parametrize("masked", [False, True])
def test_block_medians_of_noise(shape, kind, masked):
    rng = np.random.default_rng(3)
    frame = rng.normal(1000, 9, shape).astype(kind)
    bad = rng.random(shape) < 0.1 if masked else None
    if masked:
        frame[bad] = 60000
    grid = Grid.of(shape, 64)
    found = block_medians(frame, grid, bad)
    for i, j, rows, columns in blocks_of(grid):
        good = slice(None) if bad is None else ~bad[rows, columns]
        # some 130 pixels: 1.25 x 9 / sqrt(130), and a step of 1
        assert found[i, j] == pytest.approx(np.median(frame[rows, columns][good]), abs=5)


def test_variance_of_a_bin_without_scatter_and_with_no_end_of_outliers(monkeypatch):
    assert _bin_variance(np.zeros(9)) == 0
    # of such tails 25 rounds each change a little: their number ends it
    tails = np.random.default_rng(1).standard_t(0.5, 5000)
    found = _bin_variance(tails)
    assert 0 < found < np.var(tails) / 2
    monkeypatch.setattr("soxsdark.slope.RECURSIONS", 1000)
    assert _bin_variance(tails) == pytest.approx(found, rel=0.1)
    assert _bin_variance(tails) != found
