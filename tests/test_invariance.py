"""What must not change a result: threads, memory, the path that computes it, the order of bytes."""

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.compiled import SWITCH, kernel
from soxsdark.recipe import mdark
from soxsdark.simulator import Scene, simulate


@pytest.fixture(scope="module", params=["NIR", "VIS"])
def night(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return simulate(folder, Scene(arm=request.param, frames=6, shape=(301, 410), seed=3))


@pytest.fixture(scope="module")
def usual(night, tmp_path_factory):
    return run(night, tmp_path_factory.mktemp("usual"))


def run(night, folder, *overrides, **options):
    result = mdark(night.sof, output=folder, overrides=overrides, **options)
    images = {}
    for path in (result.master_dark, result.mask):
        with fits.open(path) as hdus:
            images |= {f"{path.name} {h.name}": np.array(h.data) for h in hdus}
    frames = [{k: v for k, v in f.items() if k != "path"} for f in result.record["frames"]]
    return images, result.metrics, frames, result.record["noise-model"]


def assert_equal(found, expected):
    assert found[0].keys() == expected[0].keys()
    assert len(found[0]) == 7
    for name, image in expected[0].items():
        np.testing.assert_array_equal(found[0][name], image, err_msg=name)
    assert found[1:] == expected[1:]


@pytest.mark.parametrize("threads", [1, 3, 8])
@pytest.mark.parametrize("memory", [1, 100_000])
def test_threads_and_memory_change_nothing(night, usual, tmp_path, threads, memory):
    found = run(night, tmp_path, f"threads={threads}", f"memory-limit={memory}")
    assert_equal(found, usual)


@pytest.mark.parametrize("rows", [1, 7, 64, 301])
def test_blocks_of_rows_change_nothing(night, usual, tmp_path, monkeypatch, rows):
    monkeypatch.setattr("soxsdark.memory.rows_at_most", lambda *_: rows)
    monkeypatch.setattr("soxsdark.flags.BAND", 410 * rows)
    assert_equal(run(night, tmp_path), usual)


@pytest.mark.skipif(kernel() is None, reason="the compiled kernel is switched off")
@pytest.mark.parametrize("deviation", ["noise-model", "mad", "std"])
def test_the_numpy_path_gives_the_same_to_the_last_bit(night, tmp_path, monkeypatch, deviation):
    options = (
        f"stacked-clipping-deviation={deviation}",
        "noise-clipping-lower-sigma=3",
        "frame-clipping-flags=true",
        "frame-clipping-excludes-samples=true",
    )
    compiled = run(night, tmp_path / "c", *options, bad_pixel_map=night.bad_pixel_map)
    monkeypatch.setenv(SWITCH, "numpy")
    assert kernel() is None
    slow = run(night, tmp_path / "n", *options, bad_pixel_map=night.bad_pixel_map)
    assert_equal(slow, compiled)
