"""What a set is: the same bytes for the same seed, written whole or not at all."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from soxsdark.errors import ProductError
from soxsdark.simulator import Scene, simulate
from tests.simulate.scenes import make


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


# Determinism


def test_same_seed_gives_same_bytes_and_another_seed_other_pixels(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        simulate(tmp_path / name, Scene(shape=(64, 64), seed=seed))
    first, second, other = (digests(tmp_path / name) for name in "abc")
    assert len(first) == 8
    assert first == second
    assert all(first[name] != other[name] for name in first if name != "darks.sof")


def test_frame_does_not_depend_on_how_many_follow(tmp_path):
    few, _, _ = make(tmp_path / "few", shape=(64, 64), frames=2)
    many, _, _ = make(tmp_path / "many", shape=(64, 64), frames=4)
    np.testing.assert_array_equal(few, many[:2])


def test_module_imports_without_numpy():
    check = "import sys, soxsdark.simulator; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


# Writing


def test_progress_counts_frames(tmp_path):
    seen = []
    simulate(tmp_path, Scene(shape=(16, 16), frames=3), progress=lambda *a: seen.append(a))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("name", ["darks.sof", "NIR_dark_002.fits", "bpm.fits", "truth.fits"])
def test_existing_file_is_not_touched(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ProductError, match=f"{name}: exists already"):
        simulate(tmp_path, Scene(shape=(16, 16)))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_overwriting_gives_the_new_set_alone(tmp_path):
    simulate(tmp_path / "a", Scene(shape=(16, 16), frames=3))
    simulate(tmp_path / "a", Scene(shape=(16, 16), frames=4, seed=2), overwrite=True)
    simulate(tmp_path / "b", Scene(shape=(16, 16), frames=4, seed=2))
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    with pytest.raises(ProductError, match=r"NIR_dark_003\.fits: a frame of a longer set"):
        simulate(tmp_path / "a", Scene(shape=(16, 16), frames=2), overwrite=True)


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProductError, match=r"file/deep: cannot be written .*; use another folder"):
        simulate(tmp_path / "file" / "deep", Scene(shape=(16, 16)))
