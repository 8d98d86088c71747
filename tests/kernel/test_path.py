"""Which of the two paths is in use."""

import os
import shutil
import subprocess
import sys

import pytest

from soxsdark.compiled import SWITCH, kernel, path_in_use
from tests.kernel.paths import numpy_only


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
