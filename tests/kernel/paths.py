"""Both paths, the compiled kernel and NumPy, and their results side by side."""

import os
from contextlib import contextmanager

import pytest

from soxsdark.compiled import SWITCH, kernel

compiled = pytest.mark.skipif(kernel() is None, reason="the compiled kernel is switched off")
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
