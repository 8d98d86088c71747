"""A coarse grid of blocks over a detector, and smooth maps from one number a block."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np


def _edges(length: int, box: int) -> np.ndarray:
    """Edges of round(length / box) blocks that differ by one pixel at the most."""
    count = max(1, round(length / box)) if box else 1
    return np.linspace(0, length, count + 1).round().astype(int)


@dataclass(frozen=True)
class Grid:
    """Blocks of about ``box`` by ``box`` pixels that cover ``shape`` (rows, columns)."""

    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], box: int) -> "Grid":
        """Divide `shape` into blocks as near to `box` pixels as goes without a rest (0: one)."""
        return cls(_edges(shape[0], box), _edges(shape[1], box))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks (down, across)."""
        return len(self.rows) - 1, len(self.columns) - 1

    def block_of(self, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices (down, across) of the blocks of pixels, given their places in reading order."""
        row, column = np.divmod(pixel, self.columns[-1])
        down = np.repeat(np.arange(self.shape[0]), np.diff(self.rows))
        across = np.repeat(np.arange(self.shape[1]), np.diff(self.columns))
        return down[row], across[column]

    def bands(self) -> list[slice]:
        """The pixel rows of each row of blocks."""
        return [slice(*pair) for pair in pairwise(self.rows.tolist())]

    def cut(self, band: np.ndarray, bad: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The pixels of one row of blocks, a line for each block, for work on all of them at once.

        Parameters
        ----------
        band : ndarray, (rows, columns of the detector)
            The pixel rows of these blocks: ``image[rows]`` with `rows` of `bands`.
        bad : ndarray of bool, shape of `band`, optional
            True = bad. Pixels that are not finite are bad too.

        Returns
        -------
        lines : ndarray, (blocks, pixels of the widest block), native byte order
            In place of bad pixels, and of those that narrower blocks lack, NaN or (integers)
            the highest value: it comes last in a sorted line.
        count : ndarray of int, (blocks,)
            Good pixels of each line.
        """
        floating = band.dtype.kind == "f"
        if floating:
            bad = ~np.isfinite(band) if bad is None else bad | ~np.isfinite(band)
        last = np.nan if floating else np.iinfo(band.dtype).max
        widths = np.diff(self.columns)
        lines = np.empty((len(widths), len(band), widths.max()), band.dtype.newbyteorder("="))
        count = len(band) * widths
        for j, (start, stop) in enumerate(pairwise(self.columns)):
            columns, own = slice(start, stop), lines[j, :, : widths[j]]
            own[:] = band[:, columns]
            lines[j, :, widths[j] :] = last
            if bad is not None:
                np.copyto(own, last, where=bad[:, columns])
                count[j] -= np.count_nonzero(bad[:, columns])
        return lines.reshape(len(widths), -1), count

    def spread(self, coarse: np.ndarray, first: int, last: int) -> np.ndarray:
        """Bilinear map of one number a block, for some of the pixel rows.

        Beyond the outer block centres the slope of the outermost cell goes on, so that a
        glow that rises towards an edge is followed to the edge.

        Parameters
        ----------
        coarse : ndarray of float, shape of the grid
            Finite everywhere; see `filled`. The map is of its type: float32 is faster.
        first, last : int
            Pixel rows, half-open.
        """
        cell, weight = _cells(self.rows, first, last)
        left, share = _cells(self.columns, 0, self.columns[-1])
        weight, share = weight.astype(coarse.dtype), share.astype(coarse.dtype)
        near = coarse[cell[0] : cell[-1] + 2]
        lines = near[:, left] + share * _steps(near.T).T[:, left]
        result = np.empty((last - first, lines.shape[1]), dtype=coarse.dtype)
        for line, step, i in zip(lines, _steps(lines), range(cell[0], cell[-1] + 1), strict=False):
            part = slice(*np.searchsorted(cell, [i, i + 1]))
            np.multiply(weight[part, None], step, out=result[part])
            result[part] += line
        return result


def _cells(edges: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """For pixels first to last: the block centre before each, and the way to the next (0 to 1)."""
    centres = (edges[:-1] + edges[1:]) / 2
    if len(centres) == 1:
        return np.zeros(last - first, dtype=int), np.zeros(last - first)
    at = np.arange(first, last) + 0.5
    cell = np.clip(np.searchsorted(centres, at) - 1, 0, len(centres) - 2)
    return cell, (at - centres[cell]) / np.diff(centres)[cell]


def _steps(values: np.ndarray) -> np.ndarray:
    """Differences along axis 0; none of a single line is zero."""
    return np.diff(values, axis=0) if len(values) > 1 else np.zeros_like(values)


def filled(coarse: np.ndarray, default: float) -> np.ndarray:
    """`coarse` with NaN (blocks without a good pixel) replaced by the median of the others."""
    known = np.isfinite(coarse)
    return np.where(known, coarse, np.median(coarse[known]) if known.any() else default)
