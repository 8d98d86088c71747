"""Buffers and edges that the compiled kernel refuses."""

import numpy as np
import pytest

from soxsdark.compiled import kernel
from tests.kernel.paths import compiled


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


@compiled
@pytest.mark.parametrize("code", ["i", "l", "q"])
def test_integers_are_known_by_their_length(code):
    # NumPy's int32 is C's long on Windows, where the others have it for their int64
    pixels, counts = np.array([7, 9, 7], np.int16), np.zeros(3, code)
    if counts.itemsize == 8:
        kernel().histogram(pixels, 7, counts)
        assert counts.tolist() == [2, 0, 1]
    else:
        with pytest.raises(ValueError, match="items of q is expected"):
            kernel().histogram(pixels, 7, counts)
