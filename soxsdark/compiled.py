"""Which path does the arithmetic: the compiled kernel, or NumPy where it is not there.

Both give the same bits. NumPy is the reference; it takes over where the kernel was not built,
or where ``SOXSDARK_KERNEL=numpy`` asks for it.
"""

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SWITCH = "SOXSDARK_KERNEL"


def kernel() -> ModuleType | None:
    """The compiled kernel, or None where NumPy does the work."""
    if os.environ.get(SWITCH) == "numpy":
        return None
    try:
        return import_module("soxsdark._kernel")
    except ImportError:
        return None


def contiguous_rows(pixels: "np.ndarray") -> "np.ndarray":
    """An array as the kernel takes it: a copy, unless it is of contiguous rows."""
    if 0 < pixels.ndim < 3 and pixels.strides[-1] == pixels.itemsize:
        return pixels
    return pixels.copy()


def path_in_use() -> str:
    """One phrase for the log and for ``--version``."""
    if kernel() is not None:
        return "compiled kernel"
    if os.environ.get(SWITCH) == "numpy":
        return f"NumPy only, {SWITCH}=numpy: slower"
    advice = "install a C compiler and the headers of Python, then soxsdark again"
    return f"NumPy only, slower: no compiled kernel ({advice})"
