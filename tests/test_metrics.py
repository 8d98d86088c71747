"""Figures of merit of plain arrays, against what the arrays were made of."""

import math
from itertools import pairwise

import numpy as np
import pytest

from soxsdark.metrics import (
    UNKNOWN,
    Figure,
    beyond,
    column_structure,
    error_of_differences,
    fixed_pattern,
    frame_structure,
    joined,
    noise_of_mean,
    rejection_ratio,
)
from soxsdark.sampling import PIXELS, Lines, LineSample


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


# Sampling


@pytest.mark.parametrize("shape", [(2040, 2040), (10, 2000), (4096, 808), (8, 8), (64, 5000)])
@pytest.mark.parametrize("pixels", [1 << 10, 1 << 18])
@pytest.mark.parametrize("height", [1, 7, 64, 5000])
def test_lines_taken_in_parts_are_those_taken_at_once(shape, pixels, height):
    lines, numbers = Lines.of(shape, pixels), np.arange(shape[0])
    whole = numbers[lines.within(slice(0, shape[0]))[0]]
    assert len(whole) == lines.number(shape[0]) > 0
    gathered = np.full(len(whole), -1)
    for start in range(0, shape[0], height):
        rows = slice(start, min(start + height, shape[0]))
        inside, places = lines.within(rows)
        gathered[places] = numbers[rows][inside]
    np.testing.assert_array_equal(gathered, whole)


def test_even_and_odd_lines_are_sampled_alike():
    lines = np.arange(2000)[Lines.of((2000, 2000), 1 << 18).within(slice(0, 2000))[0]]
    assert abs(np.count_nonzero(lines % 2) - len(lines) / 2) <= 1


@pytest.mark.parametrize("edges", [((0, 900), (0, 1300)), ((0, 411, 900), (0, 650, 1300))])
def test_sample_holds_rows_and_columns_of_every_part(edges):
    image = rng().normal(size=(900, 1300)).astype("f4")
    sample = LineSample(image.shape)
    places = [(slice(*r), slice(*c)) for r in pairwise(edges[0]) for c in pairwise(edges[1])]
    for place in places:
        part = image[place]
        for start in range(0, len(part), 128):
            rows = slice(start, min(start + 128, len(part)))
            sample.take(place, rows, part[rows])
    for place in places:
        for found, expected in zip(sample.part(place), sample.same(image, place), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert 0.6 * PIXELS < sum(sample.part(place)[0].size for place in places) < 1.4 * PIXELS


# Noise


@pytest.mark.parametrize("frames", [2, 3, 4, 5, 11])
def test_noise_of_the_mean(frames):
    samples = 3 * rng(frames).normal(size=(frames, 100, 400))
    samples += rng(1).normal(0, 50, (100, 400))  # what all frames share
    samples[0, :3] += 1000  # cosmic rays
    halves = (samples[0::2].mean(axis=0) - samples[1::2].mean(axis=0)) / 2
    good = np.ones(halves.shape, bool)
    good[50:60], halves[50:60] = False, 77
    halves[61, :9] = np.nan
    found = noise_of_mean(halves, good, frames)
    assert found.error == pytest.approx(found.value / math.sqrt(2 * 36_000), rel=0.01)
    assert found.value == pytest.approx(3 / math.sqrt(frames), abs=4 * found.error)


def test_errors_of_noises_are_those_of_many_trials():
    halves = rng().normal(size=(300, 5000))
    found = [noise_of_mean(h, np.ones(5000, bool), 2) for h in halves]
    # 300 trials know a scatter to 4 %; clipping at 3 sigma costs some percent
    assert np.std([f.value for f in found]) == pytest.approx(found[0].error, rel=0.17)


def test_error_of_differences_is_that_of_many_trials():
    frames = 5
    samples = rng().normal(size=(400, frames, 30, 64))
    difference = np.diff(samples, axis=1)
    blocks = np.sqrt(np.mean(difference**2, axis=3) / 2)
    found = np.median(blocks.reshape(400, -1), axis=1)
    expected = error_of_differences(1.0, frames, 30 * 64)
    assert np.std(found) == pytest.approx(expected, rel=0.15)


def test_too_few_pixels_have_no_noise():
    assert np.isnan(noise_of_mean(np.ones(63), np.ones(63, bool), 5)).all()
    assert np.isnan(noise_of_mean(np.ones(200), np.zeros(200, bool), 5)).all()


def test_beyond():
    assert beyond(9.0, 0.6) == pytest.approx((3, 0.1), rel=0.02)
    assert beyond(-1.0, 0.25) == (0, 0.5)
    assert fixed_pattern(Figure(5, 0.05), Figure(4, 0.03)).value == pytest.approx(3)
    error = math.hypot(0.05 * 5, 0.03 * 4) / 3
    assert fixed_pattern(Figure(5, 0.05), Figure(4, 0.03)).error == pytest.approx(error, rel=0.02)


def test_joined_scatters():
    halves = np.array([0.5, 0.5])
    assert joined([Figure(1, 0.0), Figure(7, 0.0)], halves) == pytest.approx((5, 0))
    # the error of the mean of two equal variances is that of one over root 2
    one = beyond(9.0, 0.6)
    assert joined([one, one], halves) == pytest.approx(beyond(9.0, 0.6 / math.sqrt(2)))
    # nothing seen anywhere: what could have been seen is still told
    none = beyond(-1.0, 0.25)
    assert joined([none, none], halves) == pytest.approx((0, math.sqrt(0.25 / math.sqrt(2))))
    assert joined([one, UNKNOWN], halves) is UNKNOWN


# Structure


def lines(structure: float, *, seed: int = 3, shape=(255, 2000)) -> np.ndarray:
    return rng(seed).normal(0, 3, shape) + structure * rng(seed + 1).normal(size=shape[1])


@pytest.mark.parametrize("structure", [0.2, 1.0, 10.0])
def test_structure_of_columns(structure):
    excess = lines(structure)
    good = np.ones(excess.shape, bool)
    good[::7, 30:300], excess[::7, 30:300] = False, 1e6
    excess[:, 5] = 1e4  # one bad column does not decide
    found = column_structure(excess, good)
    assert found.error < max(0.05, 0.03 * structure)
    assert found.value == pytest.approx(structure, abs=4 * found.error)


def significance(figure: Figure) -> float:
    """In standard errors of the variance, which is Gaussian where its root is not."""
    return figure.value**2 / ((figure.value + figure.error) ** 2 - figure.value**2)


def test_no_structure_beyond_noise():
    found = [column_structure(x := lines(0.0, seed=s), np.ones(x.shape, bool)) for s in range(20)]
    # a variance that is as often below 0 as above
    assert 4 <= sum(f.value == 0 for f in found) <= 16
    assert max(significance(f) for f in found) < 4


def test_even_and_odd_lines_at_two_levels_are_no_structure_of_columns():
    excess = lines(0.0)
    excess[::2] += 40
    found = column_structure(excess, np.ones(excess.shape, bool))
    assert significance(found) < 4


def test_columns_without_pixels_are_left_out():
    excess, good = lines(1.0), np.ones((255, 2000), bool)
    good[:, :1000] = False
    assert column_structure(excess, good).value == pytest.approx(1, abs=0.1)
    assert column_structure(excess, np.zeros_like(good)) is UNKNOWN
    assert column_structure(excess[:1], good[:1]) is UNKNOWN


def frames_of(structure, *, frames=5, blocks=1024, noise=0.7, seed=3) -> np.ndarray:
    medians = rng(seed).normal(0, noise, (frames, blocks)) + rng(9).normal(0, 30, blocks)
    medians[2] += structure * np.linspace(-1, 1, blocks) * math.sqrt(3)
    return medians


def test_structure_of_one_frame():
    found = frame_structure(frames_of(5.0), np.full(1024, 0.7), 0.0)
    assert int(np.argmax(found.value)) == 2
    # the mean of five frames holds a fifth of it
    assert found.value[2] == pytest.approx(4, abs=3 * found.error[2])
    assert found.value[2] > found.chance
    np.testing.assert_allclose(np.delete(found.value, 2), 1, atol=0.15)


@pytest.mark.parametrize("quantum", [0.0, 2.3])
def test_noise_is_no_structure_of_a_frame(quantum):
    above = 0
    for seed in range(40):
        medians = frames_of(0.0, seed=seed) + 0.3 * seed
        if quantum:
            medians = np.rint(medians / quantum) * quantum
        found = frame_structure(medians, np.full(1024, 0.7), quantum)
        above += np.count_nonzero(found.value > found.chance)
    assert above == 0


def test_frame_structure_of_little():
    assert np.isnan(frame_structure(np.zeros((1, 9)), np.ones(9), 0.0).value).all()
    some = frames_of(5.0)
    some[1, 3:] = np.nan
    found = frame_structure(some, np.full(1024, 0.7), 0.0)
    assert np.isfinite(found.value).all()
    some[1] = np.nan
    assert np.isnan(frame_structure(some, np.ones(1024), 0.0).value).all()


@pytest.mark.parametrize(
    ("rejected", "frame", "value", "told"),
    [
        ([400, 390, 2000, 410, 405], 2, 2000 / 405, True),
        ([400, 390, 520, 410, 405], 2, 520 / 405, False),
        ([0, 0, 0], 0, 0.0, False),
        ([0, 60, 2, 1, 0], 1, 60.0, False),  # one long track
        ([0, 900, 2, 1, 0], 1, 900.0, True),
    ],
)
def test_frame_that_loses_most(rejected, frame, value, told):
    found = rejection_ratio(np.array(rejected))
    assert (found.frame, found.value) == (frame, pytest.approx(value))
    assert (found.value > found.chance) is told
