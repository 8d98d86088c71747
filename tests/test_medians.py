"""Medians, plain and clipped, against NumPy and against the definition in a plain loop."""

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soxsdark import medians
from soxsdark.medians import _Sums, clipped_centres, median, run_medians

STEADY = settings(derandomize=True, deadline=None, max_examples=150, database=None)


def clip_values(values) -> tuple[float, float]:
    """Slow reference for the clipped median and deviation of one block."""
    ordered = sorted(float(v) for v in values if math.isfinite(v))
    if not ordered:
        return math.nan, math.nan
    quarter = len(ordered) // 4
    sigma = (ordered[-1 - quarter] - ordered[quarter]) / 1.349 or float(np.std(ordered))
    kept = ordered
    for _ in range(10):
        centre = float(np.median(kept))
        new = [v for v in ordered if centre - 3 * sigma <= v < centre + 3 * sigma]
        if not new:
            break
        spread = float(np.std(new)) / math.sqrt(0.97334)
        if len(new) == len(kept) and math.isclose(spread, sigma, rel_tol=1e-6, abs_tol=1e-8):
            break
        kept, sigma = new, spread
    return float(np.median(kept)), sigma


def sorted_rows(rows) -> tuple[np.ndarray, np.ndarray]:
    """Rows of unequal length as one sorted array, NaN last, and their counts."""
    lines = np.full((len(rows), max(map(len, rows)) or 1), np.nan, dtype=np.float32)
    for line, row in zip(lines, rows, strict=True):
        line[: len(row)] = row
    return np.sort(lines, axis=1), np.array([len(r) for r in rows])


def clip_one(values) -> tuple[float, float]:
    centre, sigma = clipped_centres(*sorted_rows([values]))
    return centre[0], sigma[0]


def test_clipped_centre_of_a_gaussian_with_outliers():
    rng = np.random.default_rng(0)
    values = rng.normal(50, 2, 100_000)
    values[:2000] += 500
    centre, sigma = clip_one(values)
    # five standard errors: 1.25 * 2 / sqrt(98000), and 2 / sqrt(2 * 98000)
    assert centre == pytest.approx(50, abs=0.04)
    assert sigma == pytest.approx(2, abs=0.025)


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [3.0] * 50, [3.0] * 99 + [1000.0]])
def test_clipped_centre_of_equal_values(values):
    assert clip_one(values) == (3, 0)


def test_clipped_centre_of_nothing():
    assert np.isnan(clip_one([])).all()


def block_of(rng, size: int, kind: str) -> np.ndarray:
    """Values of one block, as float32 images have them."""
    values = rng.normal(20, 3, size)
    if kind == "quantised":
        values = np.round(values / 2) * 2
    elif kind == "outliers":
        values[rng.random(size) < 0.1] += rng.choice([-1e3, 400, 1e5, 3e30])
    elif kind == "two levels":
        values[: size // 3] += 30
    elif kind == "bias":
        values = 6e4 + values / 10
    elif kind == "few values":
        values = rng.choice([0.0, -0.0, 1.0, 7.0], size, p=[0.4, 0.3, 0.29, 0.01])
    return values.astype(np.float32)


KINDS = ["gaussian", "quantised", "outliers", "two levels", "bias", "few values"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_clipped_as_the_slow_reference_clips_one_by_one(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    sizes = [0, 1, 2, 3, 4, 5, 16, 17, *rng.integers(6, 1500, 40)]
    rows = [block_of(rng, size, kind) for size in sizes]
    centre, sigma = clipped_centres(*sorted_rows(rows))
    expected = np.array([clip_values(r) for r in rows])
    # what stays of a difference is the rounding of the squares
    np.testing.assert_allclose(centre, expected[:, 0], rtol=1e-12, equal_nan=True)
    np.testing.assert_allclose(sigma, expected[:, 1], rtol=1e-7, atol=1e-6, equal_nan=True)


@STEADY
@given(
    st.lists(
        st.lists(st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0]), max_size=30),
        min_size=1,
        max_size=6,
    )
)
def test_a_row_does_not_depend_on_the_others(rows):
    centre, sigma = clipped_centres(*sorted_rows(rows))
    for i, row in enumerate(rows):
        alone = clip_one(row)
        np.testing.assert_allclose([centre[i], sigma[i]], alone, rtol=1e-9, atol=1e-9)


@STEADY
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_sums_below_a_bound_are_those_of_a_plain_loop(size, seed):
    rng = np.random.default_rng(seed)
    ordered, _ = sorted_rows([rng.integers(0, 9, n) for n in (size, rng.integers(size + 1))])
    bounds = np.array([[0.0, 4.0, 8.5], [-np.inf, 5.0, np.inf]])
    with patch.object(medians, "SLAB", 3):
        number, total, squares = _Sums.of(ordered, np.array([[1.0], [2.0]])).below(bounds)
    for i, about in enumerate([1, 2]):
        for j, bound in enumerate(bounds[i]):
            below = [int(v) - about for v in ordered[i] if v < bound]
            expected = len(below), sum(below), sum(v * v for v in below)
            assert (number[i, j], total[i, j], squares[i, j]) == expected


def test_a_long_row_is_summed_in_slabs():
    values = np.random.default_rng(8).normal(1000, 5, 70_003).astype(np.float32)
    with patch.object(medians, "SLAB", 7):
        found = tuple(float(a[0]) for a in medians._clipped_centres(*sorted_rows([values])))
    assert found == clip_one(values), "sums are taken in one order, however many at a time"
    assert found == pytest.approx(clip_values(values), rel=1e-9)


@STEADY
@given(st.integers(0, 2**31), st.sampled_from([np.int16, np.uint16, np.float32, np.float64]))
def test_run_medians_are_those_of_numpy(seed, kind):
    rng = np.random.default_rng(seed)
    ordered = np.sort(rng.integers(0, 40, (5, 30)).astype(kind), axis=1)
    low, high = np.sort(rng.integers(0, 31, (2, 5)), axis=0)
    found = run_medians(ordered, low, high)
    for row, a, b, value in zip(ordered, low, high, found, strict=True):
        expected = np.median(row[a:b]) if b > a else np.nan
        np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(run_medians(ordered, 0, 30), np.median(ordered, axis=1))
    assert np.isnan(run_medians(ordered, 30, 30)).all()
    assert np.isnan(run_medians(ordered, 0, 0)).all()


def test_run_medians_of_the_largest_integers_do_not_wrap():
    ordered = np.full((1, 4), 32767, dtype=np.int16)
    np.testing.assert_array_equal(run_medians(ordered, 0, 4), [32767])


VALUES = st.floats(-1000, 1000, width=32) | st.sampled_from([0.0, -0.0, 1.0, math.inf, -math.inf])


def same_median(values) -> None:
    # infinities of both signs in the middle have no mean; NumPy says so
    with np.errstate(invalid="ignore"):
        expected = np.median(values)
        found = median(values)
    np.testing.assert_array_equal(found, expected)


@STEADY
@given(arrays(np.float32, st.integers(1, 60), elements=VALUES))
def test_median_of_few_values_is_numpys(values):
    same_median(values)


@STEADY
@given(
    st.integers(250, 4000),
    st.sampled_from([1, 2, 3, 50, 10**6]),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_median_of_many_values_is_numpys(size, different, kind, ordered, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=different).astype(kind)[rng.integers(different, size=size)]
    values[rng.random(size) < 0.1] = rng.choice([0.0, -0.0, 1e30, -np.inf])
    if ordered:
        values.sort()
    with patch.object(medians, "SAMPLE", 200):
        same_median(values)


@STEADY
@given(arrays(np.float32, st.integers(600, 900), elements=VALUES, fill=VALUES))
def test_median_with_ties_is_numpys(values):
    with patch.object(medians, "SAMPLE", 200):
        same_median(values)
        same_median(values.reshape(1, -1))


@pytest.mark.parametrize("size", [400_000, 400_001])
def test_median_of_a_frame_is_found_without_numpys(size, monkeypatch):
    values = np.random.default_rng(size).normal(5, 3, size).astype(np.float32)
    # a frame whose columns differ as its amplifiers do
    values[::4] += 20
    expected = np.median(values)

    def refuse(*_):
        raise AssertionError("the slow way")

    monkeypatch.setattr(np, "median", refuse)
    assert median(values) == expected


def test_a_sample_unlike_the_rest_is_noticed():
    values = np.random.default_rng(1).normal(size=9001)
    with patch.object(medians, "SAMPLE", 200):
        step = (values.size // medians.SAMPLE) | 1
        for offset in (-50, 50):
            biased = values.copy()
            biased[::step] += offset
            assert median(biased) == np.median(biased)


@pytest.mark.parametrize("size", [10, 3000])
def test_median_of_a_missing_value_is_none(size):
    values = np.random.default_rng(2).normal(size=size).astype(np.float32)
    values[5] = np.nan
    with patch.object(medians, "SAMPLE", 200):
        assert math.isnan(median(values))


def test_median_leaves_its_argument_alone():
    values = np.random.default_rng(3).normal(size=(90, 100))
    before = values.copy()
    with patch.object(medians, "SAMPLE", 200):
        assert median(values) == np.median(before)
    np.testing.assert_array_equal(values, before)
