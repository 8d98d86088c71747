"""The compiled kernel gives the bits of the NumPy reference, whatever it is fed."""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from soxsdark.block import BlockOptions, BlockResult, process_block, process_block_numpy
from soxsdark.compiled import SWITCH, kernel, path_in_use
from soxsdark.differences import Bins, clipped_sigma, count_differences
from soxsdark.electrons import Samples, to_electrons
from soxsdark.fits_bytes import ones_complement_sum
from soxsdark.grid import Grid
from soxsdark.level import distinct
from soxsdark.medians import clipped_centres
from soxsdark.stacking import StackDeviation

compiled = pytest.mark.skipif(kernel() is None, reason="the compiled kernel is switched off")
DEVIATIONS = StackDeviation.__args__
TYPES = ("i2", "u2", "i4", "f4", "f8", ">i2", ">u2", ">i4", ">f4", ">f8", "i8", "u1")


@contextmanager
def numpy_only():
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = "numpy"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = before


def test_the_kernel_is_in_use_where_it_could_be_built():
    compiler = any(shutil.which(name) for name in ("cc", "gcc", "clang"))
    if not compiler or os.environ.get(SWITCH) == "numpy":
        pytest.skip("no compiler here, or switched off on purpose")
    assert kernel() is not None, "there is a compiler, and yet the slow path: install again"


def test_the_path_in_use_is_told():
    with numpy_only():
        assert kernel() is None
        assert "slower" in path_in_use()
    if kernel() is not None:
        assert path_in_use() == "compiled kernel"


def test_a_missing_kernel_leaves_the_numpy_path(tmp_path):
    code = (
        "import sys; sys.modules['soxsdark._kernel'] = None; "
        "from soxsdark.compiled import kernel, path_in_use; print(kernel(), path_in_use())"
    )
    environment = {k: v for k, v in os.environ.items() if k != SWITCH}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("None NumPy only")
    assert "compiler" in said


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
    st.sampled_from([np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-45, 0.0, -0.0, 65535.0]),
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


@compiled
@pytest.mark.parametrize("kind", TYPES)
def test_electrons(kind):
    rng = np.random.default_rng(1)
    low, high = (-1e6, 1e6) if kind.endswith(("f4", "f8")) else (0, 200)
    pixels = rng.uniform(low, high, (37, 41)).astype(kind)
    if pixels.dtype.kind == "f":
        pixels[:4, 0] = [np.nan, np.inf, -np.inf, 1e38]
    found = to_electrons(pixels, 100.123, 2.3)
    with numpy_only():
        expected = to_electrons(pixels, 100.123, 2.3)
    np.testing.assert_array_equal(found, expected)
    with np.errstate(over="ignore"):
        slow = [[np.float32((float(v) - 100.123) * 2.3) for v in row] for row in pixels]
    np.testing.assert_array_equal(found, np.array(slow))
    # rows of a window are no contiguous memory
    np.testing.assert_array_equal(to_electrons(pixels[:, 3:30], 100.123, 2.3), expected[:, 3:30])


@compiled
@pytest.mark.parametrize("kind", ["i2", "u2", "i4", ">i2", ">u2", ">i4", "i8", "u1"])
@pytest.mark.parametrize("masked", [False, True])
def test_histogram(kind, masked):
    rng = np.random.default_rng(2)
    limits = np.iinfo(kind)
    pixels = rng.integers(max(limits.min, -3000), min(limits.max, 3000), (50, 70)).astype(kind)
    bad = rng.random(pixels.shape) < 0.2 if masked else None
    found = distinct(pixels, bad)
    with numpy_only():
        expected = distinct(pixels, bad)
    np.testing.assert_array_equal(found, expected)
    slow = np.unique(pixels if bad is None else pixels[~bad], return_counts=True)
    np.testing.assert_array_equal(found, slow)


@compiled
@pytest.mark.parametrize("length", [0, 3, 4, 8, 9, 4095, 600_007])
def test_sums(length):
    data = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
    found = ones_complement_sum(data, 7)
    with numpy_only():
        assert ones_complement_sum(data, 7) == found
    words = data.tobytes().ljust(-(-length // 4) * 4, b"\0")
    slow = sum(int.from_bytes(words[i : i + 4], "big") for i in range(0, len(words), 4)) + 7
    assert (found - slow) % 0xFFFFFFFF == 0


def edges_of(rng, length):
    inner = rng.integers(0, length + 1, rng.integers(0, length))
    return np.sort(np.concatenate([[0, length], inner]))


@compiled
@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), masked=st.booleans(), quantum=st.sampled_from([0.0, 1.0, 2.3]))
def test_differences(seed, masked, quantum):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 40, 2))
    frames = rng.normal(0, rng.uniform(0.1, 30), (2, *shape))
    if quantum:
        frames = np.rint(frames / quantum) * quantum
    frames[rng.random(frames.shape) < 0.05] = rng.choice([np.nan, np.inf, -np.inf, 1e9, 100])
    frames = frames.astype(np.float32)
    bad = rng.random(shape) < 0.2 if masked else None
    grid = Grid(*(edges_of(rng, length) for length in shape))
    background = rng.normal(0, 2, grid.shape).astype(np.float32)
    bins = Bins.of(rng.normal(0, 5, 200).astype(np.float32), quantum)
    found = count_differences(*frames, bad, grid, background, bins)
    with numpy_only():
        expected = count_differences(*frames, bad, grid, background, bins)
    np.testing.assert_array_equal(found, expected)


@compiled
@pytest.mark.parametrize("kind", TYPES)
def test_differences_of_samples_are_those_of_their_electrons(kind):
    rng = np.random.default_rng(3)
    pixels = rng.normal(100, 5, (2, 60, 90)).astype(kind)
    if pixels.dtype.kind == "f":
        pixels[0, :9, 20] = np.nan
    # rows of a window are no contiguous memory
    samples = [Samples(frame[:, 10:80], 99.9, 2.3) for frame in pixels]
    grid = Grid.of((60, 70), 20)
    background = rng.normal(0, 2, grid.shape).astype(np.float32)
    bins = Bins.of(rng.normal(0, 10, 200).astype(np.float32), 2.3)
    found = count_differences(*samples, None, grid, background, bins)
    electrons = [to_electrons(s.pixels, s.level, s.gain) for s in samples]
    expected = count_differences(*electrons, None, grid, background, bins)
    np.testing.assert_array_equal(found, expected)
    assert found.sum() > 3000
    with numpy_only():
        slow = count_differences(*samples, None, grid, background, bins)
    np.testing.assert_array_equal(slow, expected)


@compiled
@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    half=st.integers(8, 90),
    width=st.floats(0.05, 60),
    entries=st.integers(0, 5000),
)
def test_clipped_sigma(seed, half, width, entries):
    rng = np.random.default_rng(seed)
    counts = np.zeros((rng.integers(1, 30), 2 * half + 1), np.int64)
    for row in counts:
        number = rng.integers(0, entries + 1)
        bins = np.rint(rng.normal(rng.normal(), width * rng.uniform(0.5, 2), number))
        bins[: number // 20] = rng.integers(-half, half + 1, number // 20)
        row += np.bincount(bins.clip(-half, half).astype(int) + half, minlength=row.size)
    found = clipped_sigma(counts, 0.37)
    with numpy_only():
        np.testing.assert_array_equal(found, clipped_sigma(counts, 0.37))


@compiled
@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, -0.0, 1.0, 3e30]) | st.floats(-100, 100, width=32)),
        min_size=1,
        max_size=6,
    ),
    noise=st.sampled_from([0.0, 1e-3, 3.0]),
    seed=st.integers(0, 1000),
)
def test_clipped_centres(rows, noise, seed):
    rng = np.random.default_rng(seed)
    lines = np.full((len(rows), 90), np.nan, dtype=np.float32)
    for line, row in zip(lines, rows, strict=True):
        many = row * rng.integers(1, 4)
        line[: len(many)] = np.add(many, rng.normal(0, noise, len(many)))[:90]
    lines.sort(axis=1)
    count = np.isfinite(lines).sum(axis=1)
    found = clipped_centres(lines, count)
    with numpy_only():
        np.testing.assert_array_equal(found, clipped_centres(lines, count))


@compiled
@pytest.mark.parametrize("size", [4096, 70_003])
def test_clipped_centres_of_many_values(size):
    values = np.random.default_rng(size).normal(1000, 5, (3, size)).astype(np.float32)
    values[:, : size // 20] += 90
    values.sort(axis=1)
    found = clipped_centres(values, np.array([size, size - 9, 0]))
    with numpy_only():
        expected = clipped_centres(values, np.array([size, size - 9, 0]))
    np.testing.assert_array_equal(found, expected)


@compiled
def test_more_values_than_a_row_holds_are_refused():
    centre, sigma, row = np.empty(1), np.empty(1), np.zeros((1, 5), np.float32)
    for count, piece in ((6, 3), (-1, 3), (5, 0)):
        with pytest.raises(ValueError, match="more values"):
            kernel().clip_sorted(
                (1, 5), row, np.array([count]), (piece, 10, 3.0, 0.97, 1.35), centre, sigma
            )


@compiled
@pytest.mark.parametrize("spoil", ["type", "size", "read-only", "negative", "huge"])
def test_wrong_buffers_are_refused(spoil):
    pixels, out = np.zeros(10, np.int16), np.zeros(10, np.float32)
    if spoil == "type":
        out = out.astype(np.float64)
    if spoil == "size":
        out = np.zeros(9, np.float32)
    if spoil == "read-only":
        out.flags.writeable = False
    if spoil in ("negative", "huge"):
        sizes = (-1, 5, 1) if spoil == "negative" else (2**62, 2**62, 1)
        inputs = (out, *[np.zeros(5)] * 4)
        average = tuple([out] * 5)
        with pytest.raises(ValueError, match="negative or too large"):
            kernel().block(*sizes, (0, 4.0, 3, 1.0, 5.0, 5.0, 0.75), inputs, average, average,
                           tuple([out] * 7))  # fmt: skip
        return
    with pytest.raises((ValueError, BufferError)):
        kernel().electrons(pixels, 0.0, 1.0, out)


@compiled
@pytest.mark.parametrize("edges", [[0, 5, 3], [0, 4, 9], [-1, 4, 8], [0, 4, 7]])
def test_edges_that_do_not_cover_the_frame_are_refused(edges):
    frame, numbers = np.zeros((2, 8), np.float32), (1.0, 0.0, 1.0, 8)
    background, counts = np.zeros(2, np.float32), np.zeros((2, 17), np.int64)
    rows = np.array([0, 2])
    with pytest.raises(ValueError, match="do not cover the frame"):
        kernel().count_differences(
            (2, 8, 1, 2),
            (frame, 0.0, 1.0),
            (frame, 0.0, 1.0),
            None,
            (rows, np.array(edges), background),
            numbers,
            counts,
        )
