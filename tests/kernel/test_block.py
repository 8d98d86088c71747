"""Blocks of the compiled kernel have the bits of the NumPy reference."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from soxsdark.block import BlockOptions, BlockResult, process_block, process_block_numpy
from soxsdark.stacking import StackDeviation
from tests.kernel.paths import compiled

DEVIATIONS = StackDeviation.__args__


def assert_same(found, expected, at=None, where=""):
    if is_dataclass(found):
        for field in fields(found):
            # the other average is there for candidates alone
            some = np.flatnonzero(expected.candidate) if field.name == "wide" else at
            name = f"{where}.{field.name}"
            assert_same(getattr(found, field.name), getattr(expected, field.name), some, name)
    else:
        at = slice(None) if at is None else at
        assert found.dtype == expected.dtype, where
        np.testing.assert_array_equal(found[at], expected[at], err_msg=where)


def check_block(samples, options, sigma=None, background=None):
    pixels, native = samples.shape[1], samples.dtype.newbyteorder("=")
    sigma = (np.full(pixels, 3.0) if sigma is None else sigma).astype(native)
    background = (np.zeros(pixels) if background is None else background).astype(native)
    expected = BlockResult.empty(pixels, native)
    process_block_numpy(samples.astype(native), sigma, background, options, expected)
    found = process_block(samples, sigma, background, options)
    assert found.main.mean.dtype == native
    assert_same(found, expected)
    return found


def options_of(deviation="noise-model", k=4.0, iterations=3, lower=None, slope=1.0):
    return BlockOptions(deviation, k, iterations, 4.0, lower, slope)


@compiled
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 7, 10, 11, 16, 25, 33, 64, 65, 100, 128, 200])
@pytest.mark.parametrize("deviation", DEVIATIONS)
@pytest.mark.parametrize("lower", [None, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_frames(number, deviation, lower, dtype):
    rng = np.random.default_rng(number)
    samples = (rng.standard_normal((number, 333)) * 3).astype(dtype)
    if number % 2:
        samples = np.rint(samples)
    samples[rng.random(samples.shape) < 0.02] += rng.uniform(5, 1e5)
    samples[:, ::37] *= 20
    samples[:, 5::50] += 300
    samples[rng.random(samples.shape) < 0.1] = np.nan
    samples[:, 3], samples[:, 4], samples[:, 9] = np.nan, np.inf, 7
    k = 4.0 if deviation == "noise-model" else 2.5
    sigma, background = rng.uniform(2, 4, 333), rng.normal(0, 1, 333)
    found = check_block(samples, options_of(deviation, k, lower=lower), sigma, background)
    assert found.candidate.any() or number < 3
    assert not found.candidate.all()


values = st.one_of(
    st.integers(-5, 5).map(float),
    st.floats(-50, 50, width=32),
    st.sampled_from(
        np.float32([np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 0.0, -0.0, 65535.0]).tolist()
    ),
)


@compiled
@settings(max_examples=300, deadline=None)
@given(
    samples=arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 30), st.integers(1, 70)),
        elements=st.one_of(values, values.filter(np.isfinite)),
        fill=st.floats(-10, 10, width=32),
    ),
    deviation=st.sampled_from(DEVIATIONS),
    k=st.sampled_from([0.5, 1.0, 2.5, 4.0]),
    iterations=st.integers(0, 5),
    sigma=st.sampled_from([0.0, 1e-3, 1.0, 3.0, 1e30]),
    lower=st.sampled_from([None, 2.0]),
    slope=st.sampled_from([0.0, 0.25, 1.0]),
    kind=st.sampled_from(["<f4", ">f4", "<f8", ">f8"]),
)
def test_anything(samples, deviation, k, iterations, sigma, lower, slope, kind):
    pixels = samples.shape[1]
    options = options_of(deviation, k, iterations, lower, slope)
    ordered = samples.astype(kind)
    with np.errstate(all="ignore"):
        check_block(ordered, options, np.full(pixels, sigma), np.linspace(-2, 2, pixels))


@compiled
def test_results_may_lie_in_used_memory():
    rng = np.random.default_rng(6)
    samples = rng.normal(0, 3, (7, 500)).astype(np.float32)
    samples[:, ::7] *= 9
    samples[2:, 3], samples[:, 4] = np.nan, np.nan
    expected = check_block(samples, options_of())
    memory = BlockResult.empty(800, np.float32)
    ones, zeros = np.ones(800), np.zeros(800)
    process_block(rng.normal(0, 99, (7, 800)).astype("f4"), ones, zeros, options_of(), memory)
    found = process_block(samples, np.full(500, 3.0), np.zeros(500), options_of(), memory)
    assert np.shares_memory(found.main.mean, memory.main.mean)
    assert_same(found, expected)


@compiled
@pytest.mark.parametrize(("deviation", "theirs"), [("mad", "mad_std"), ("std", "std")])
@pytest.mark.parametrize("number", [3, 5, 11, 25])
def test_survivors_are_those_of_astropy(number, deviation, theirs):
    rng = np.random.default_rng(number)
    samples = rng.normal(100, 3, (number, 3000))
    samples[rng.random(samples.shape) < 0.05] += 40
    options = options_of(deviation, 2.0, 4)
    found = process_block(samples, np.ones(3000), np.zeros(3000), options).main
    clipped = sigma_clip(
        samples, axis=0, sigma=2, maxiters=4, cenfunc="median", stdfunc=theirs, masked=False
    )
    # by design, where fewer than two would be left all are kept
    some = np.isfinite(clipped).sum(axis=0) >= 2
    np.testing.assert_array_equal(found.used[some], np.isfinite(clipped).sum(axis=0)[some])
    np.testing.assert_array_equal(found.lowest[some], np.nanmin(clipped[:, some], axis=0))
    np.testing.assert_allclose(found.mean[some], np.nanmean(clipped[:, some], axis=0), rtol=1e-13)


@compiled
@pytest.mark.parametrize("pixels", [1, 2, 63, 64, 65, 127, 128, 129, 1000])
def test_odd_edges(pixels):
    rng = np.random.default_rng(pixels)
    check_block(rng.normal(0, 3, (6, pixels)).astype(np.float32), options_of())


@compiled
def test_pixels_do_not_depend_on_their_block():
    rng = np.random.default_rng(9)
    samples = rng.normal(0, 3, (5, 1000)).astype(np.float32)
    samples[:, ::9] *= 10
    whole = check_block(samples, options_of())
    for first, last in ((0, 1), (1, 70), (70, 700), (700, 1000)):
        part = process_block(
            samples[:, first:last], np.full(last - first, 3.0), np.zeros(last - first), options_of()
        )
        np.testing.assert_array_equal(part.main.mean, whole.main.mean[first:last])
        np.testing.assert_array_equal(part.wide.mean, whole.wide.mean[first:last])
