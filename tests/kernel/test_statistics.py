"""Differences and clipped centres of the compiled kernel have the bits of NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.differences import Bins, clipped_sigma, count_differences
from soxsdark.electrons import Samples, to_electrons
from soxsdark.grid import Grid
from soxsdark.medians import clipped_centres
from tests.kernel.paths import TYPES, compiled, numpy_only


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
