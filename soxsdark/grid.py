"""A coarse grid of blocks over a detector, and smooth maps from one number a block."""

from dataclasses import dataclass

import numpy as np


def _edges(length: int, box: int) -> np.ndarray:
    """Edges of round(length / box) blocks that differ by one pixel at the most."""
    count = max(1, round(length / box))
    return np.linspace(0, length, count + 1).round().astype(int)


@dataclass(frozen=True)
class Grid:
    """Blocks of about ``box`` by ``box`` pixels that cover ``shape`` (rows, columns)."""

    rows: np.ndarray
    columns: np.ndarray

    @classmethod
    def of(cls, shape: tuple[int, int], box: int) -> "Grid":
        """Divide `shape` into blocks as near to `box` pixels as goes without a rest."""
        return cls(_edges(shape[0], box), _edges(shape[1], box))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of blocks (down, across)."""
        return len(self.rows) - 1, len(self.columns) - 1

    def labels(self) -> np.ndarray:
        """Index of the block of every pixel, int32 of the detector's shape."""
        down = np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(self.rows))
        across = np.repeat(np.arange(self.shape[1], dtype=np.int32), np.diff(self.columns))
        return down[:, None] * np.int32(self.shape[1]) + across

    def blocks(self):
        """Yield (index down, index across, slice of rows, slice of columns) of every block."""
        for i in range(self.shape[0]):
            for j in range(self.shape[1]):
                rows = slice(self.rows[i], self.rows[i + 1])
                yield i, j, rows, slice(self.columns[j], self.columns[j + 1])

    def spread(self, coarse: np.ndarray, first: int, last: int) -> np.ndarray:
        """Bilinear map of one number a block, for the pixel rows first to last (half-open).

        Beyond the outer block centres the slope of the outermost cell goes on, so that a
        glow that rises towards an edge is followed to the edge.

        Parameters
        ----------
        coarse : ndarray, shape of the grid
            Finite everywhere; see `filled`.
        """
        down = _interpolate_axis(self.rows, np.arange(first, last) + 0.5, coarse)
        return _interpolate_axis(self.columns, np.arange(self.columns[-1]) + 0.5, down.T).T


def _interpolate_axis(edges: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation of `values` along axis 0 from block centres to positions `at`."""
    centres = (edges[:-1] + edges[1:]) / 2
    if len(centres) == 1:
        return np.repeat(values, len(at), axis=0)
    cell = np.clip(np.searchsorted(centres, at) - 1, 0, len(centres) - 2)
    weight = (at - centres[cell]) / (centres[cell + 1] - centres[cell])
    weight = weight.reshape((-1,) + (1,) * (values.ndim - 1))
    return values[cell] * (1 - weight) + values[cell + 1] * weight


def filled(coarse: np.ndarray, default: float) -> np.ndarray:
    """`coarse` with NaN (blocks without a good pixel) replaced by the median of the others."""
    known = np.isfinite(coarse)
    return np.where(known, coarse, np.median(coarse[known]) if known.any() else default)
