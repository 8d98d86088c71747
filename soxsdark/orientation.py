"""How an image of the detector is turned between the raw file and the products.

Frames are read and stacked as they lie in the raw file. What leaves the program (master dark,
mask), and what comes in from other reductions (bad-pixel map), is turned: by ``np.rot90`` with
k = rotation / 90, before it is trimmed.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

Images = TypeVar("Images")
Window = tuple[slice, slice]


def to_product(image: np.ndarray, rotation: int) -> np.ndarray:
    """Turn a raw image into product orientation; a view, `rotation` in degrees."""
    return np.rot90(image, k=rotation // 90)


def to_raw(image: np.ndarray, rotation: int) -> np.ndarray:
    """Turn an image in product orientation back into that of the raw file; a view."""
    return np.rot90(image, k=-rotation // 90)


def all_to_product(images: Images, rotation: int) -> Images:
    """Turn every image of a dataclass that has nothing but images, as `to_product` does."""
    turned = {name: to_product(image, rotation) for name, image in vars(images).items()}
    return type(images)(**turned)


def turned_lengths(lengths: Sequence[Any], rotation: int) -> tuple[Any, Any]:
    """Return what stands for (rows, columns) after a turn; the same back and forth."""
    rows, columns = lengths
    return (columns, rows) if rotation % 180 else (rows, columns)


def raw_window(window: Window, shape: tuple[int, int], rotation: int) -> Window:
    """Return the rows and columns of a raw image of `shape` that a window in the turned one shows.

    ``to_product(raw[raw_window(window, raw.shape, r)], r)`` is ``to_product(raw, r)[window]``.
    """
    rows, columns = window
    for done in reversed(range(0, rotation, 90)):
        length = turned_lengths(shape, done)[1]
        rows, columns = columns, slice(length - rows.stop, length - rows.start)
    return rows, columns
