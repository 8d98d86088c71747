"""The grid of blocks: every pixel once, planes kept, no seam between blocks of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.grid import Grid, filled
from tests.reference import blocks_of, spread_grid

STEADY = settings(derandomize=True, deadline=None, max_examples=60, database=None)
SIDE = st.integers(1, 150)


@STEADY
@given(SIDE, SIDE, st.integers(1, 80))
def test_blocks_cover_every_pixel_once(rows, columns, box):
    grid = Grid.of((rows, columns), box)
    seen = np.zeros((rows, columns), dtype=int)
    label = np.full((rows, columns), -1)
    for i, j, down, across in blocks_of(grid):
        seen[down, across] += 1
        label[down, across] = i * grid.shape[1] + j
    assert (seen == 1).all()
    down, across = grid.block_of(np.arange(label.size))
    np.testing.assert_array_equal(down * grid.shape[1] + across, label.ravel())
    for edges in (grid.rows, grid.columns):
        sizes = np.diff(edges)
        assert sizes.min() >= 1
        assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(
    ("length", "box", "blocks"), [(64, 64, 1), (95, 64, 1), (97, 64, 2), (2048, 64, 32), (3, 64, 1)]
)
def test_number_of_blocks_is_the_nearest_one(length, box, blocks):
    assert Grid.of((length, 1), box).shape == (blocks, 1)


@STEADY
@given(st.integers(2, 150), st.integers(2, 150), st.integers(1, 40))
def test_a_plane_is_reproduced_to_the_edges(rows, columns, box):
    grid = Grid.of((rows, columns), box)
    y, x = ((e[:-1] + e[1:]) / 2 for e in (grid.rows, grid.columns))
    slopes = [0.7 if n > 1 else 0.0 for n in grid.shape]
    coarse = 5 + slopes[0] * y[:, None] - 2 * slopes[1] * x
    down, across = np.indices((rows, columns)) + 0.5
    expected = 5 + slopes[0] * down - 2 * slopes[1] * across
    np.testing.assert_allclose(grid.spread(coarse, 0, rows), expected, rtol=0, atol=1e-9)


@STEADY
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), st.integers(0, 2**31))
def test_spread_equals_the_slow_reference(rows, columns, box, seed):
    grid = Grid.of((rows, columns), box)
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=grid.shape)
    image = grid.spread(coarse, 0, rows)
    assert image.shape == (rows, columns)
    for row, column in zip(
        rng.integers(rows, size=20), rng.integers(columns, size=20), strict=True
    ):
        assert image[row, column] == pytest.approx(spread_grid(grid, coarse, row, column), abs=1e-9)


def test_spread_does_not_depend_on_the_blocks_of_rows():
    grid = Grid.of((200, 90), 32)
    coarse = np.random.default_rng(1).normal(size=grid.shape)
    whole = grid.spread(coarse, 0, 200)
    for step in (1, 7, 64, 199):
        parts = [grid.spread(coarse, top, min(top + step, 200)) for top in range(0, 200, step)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_spread_is_of_the_type_of_its_numbers():
    grid = Grid.of((100, 70), 16)
    coarse = np.random.default_rng(2).normal(1000, 50, grid.shape)
    single = grid.spread(coarse.astype(np.float32), 0, 100)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, grid.spread(coarse, 0, 100), rtol=1e-6)
    parts = [grid.spread(coarse.astype(np.float32), top, top + 10) for top in range(0, 100, 10)]
    np.testing.assert_array_equal(np.concatenate(parts), single)


def test_no_box_is_one_block():
    assert Grid.of((300, 200), 0).shape == (1, 1)


KINDS = [">i2", "<i2", "u2", "i4", ">f4", "f4", "f8"]


@STEADY
@given(SIDE, SIDE, st.integers(0, 80), st.sampled_from(KINDS), st.data())
def test_cut_gives_the_good_pixels_of_each_block(rows, columns, box, kind, data):
    grid = Grid.of((rows, columns), box)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    image = rng.integers(-300 if kind != "u2" else 0, 300, (rows, columns)).astype(kind)
    bad = rng.random(image.shape) < 0.3 if data.draw(st.booleans()) else None
    good = np.ones(image.shape, bool) if bad is None else ~bad
    if "f" in kind:
        image[rng.random(image.shape) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        good &= np.isfinite(image)
    before, blocks = image.copy(), list(blocks_of(grid))
    for i, band in enumerate(grid.bands()):
        lines, count = grid.cut(image[band], None if bad is None else bad[band])
        assert lines.dtype == np.dtype(kind).newbyteorder("=")
        lines.sort(axis=1)
        for j, line in enumerate(lines):
            _, _, down, across = blocks[i * grid.shape[1] + j]
            block = image[down, across]
            expected = np.sort(block[good[down, across]])
            np.testing.assert_array_equal(line[: count[j]], expected)
            last = np.nan if "f" in kind else np.iinfo(kind).max
            np.testing.assert_array_equal(line[count[j] :], last)
    np.testing.assert_array_equal(image, before)


def test_filled_takes_the_median_of_the_known_blocks():
    coarse = np.array([[1.0, np.nan], [3.0, 8.0]])
    np.testing.assert_array_equal(filled(coarse, 0.0), [[1, 3], [3, 8]])
    np.testing.assert_array_equal(filled(np.full((1, 2), np.nan), 7.0), [[7, 7]])
