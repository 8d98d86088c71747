"""Switches of the clipping, of the background and of the hot pixels."""

import warnings

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.flags import Flag
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate
from tests.recipe.running import QUIET, levels, run, science


@pytest.fixture
def warm(tmp_path):
    """A quiet set with a pixel that is bright in all frames, and one in a single frame."""
    files = simulate(tmp_path / "warm", Scene(**QUIET))
    for number, path in enumerate(files.frames):
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data[40, 40] = 1000
            hdus[0].data[50, 50] += 18 if number == 2 else 0
            hdus[0].add_checksum()
    return files


def test_frame_clipping_by_itself_changes_nothing(warm, tmp_path):
    first = run(warm, tmp_path / "a")
    second = run(warm, tmp_path / "b", overrides=["frame-clipping-sigma=6"])
    plain, wide = (science(r.master_dark) - np.mean(levels(r)) for r in (first, second))
    # a level that moves by a thousandth of an electron may tip a sample on the very threshold
    assert np.count_nonzero(np.abs(plain - wide) > 0.1) <= 2
    used = (science(r.master_dark, "NCOM") for r in (first, second))
    assert np.count_nonzero(np.not_equal(*used)) <= 2


def test_frame_clipping_excludes_samples(warm, tmp_path):
    result = run(warm, tmp_path / "o", overrides=["frame-clipping-excludes-samples=true"])
    used, qual = science(result.master_dark, "NCOM"), science(result.mask)
    assert used[50, 50] == 4
    assert used[40, 40] == 0
    assert qual[40, 40] & Flag.EMPTY
    flux, errors = science(result.master_dark), science(result.master_dark, "ERRS")
    # no sample: the local background (some e- of level and dark) and the scatter around it
    assert abs(flux[40, 40]) < 20
    assert 2.5 < errors[40, 40] < 5
    clipped = sum(f["clipped-low"] + f["clipped-high"] for f in result.record["frames"])
    assert 5 * used.size - used.sum() >= clipped


def test_frame_clipping_flags(tmp_path):
    files = simulate(tmp_path / "n", Scene(**QUIET))
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            data = hdus[0].data
            data[60, 60] = int(np.median(data)) + 12  # 3.6 sigma of a frame, 8 of the master
            data[70, 70] = int(np.median(data)) - 12
            hdus[0].add_checksum()
    sigmas = ["hot-pixel-sigma=20", "cold-pixel-sigma=20"]
    without = science(run(files, tmp_path / "a", overrides=sigmas).mask)
    flags = science(
        run(files, tmp_path / "b", overrides=[*sigmas, "frame-clipping-flags=true"]).mask
    )
    assert (without[60, 60], without[70, 70]) == (0, 0)
    assert (flags[60, 60], flags[70, 70]) == (Flag.HOT, Flag.COLD)


def test_hot_pixel_rate(night, tmp_path):
    sigma = ["hot-pixel-sigma=1000"]
    none = science(run(night, tmp_path / "a", overrides=sigma).mask) & Flag.HOT
    result = run(night, tmp_path / "b", overrides=[*sigma, "hot-pixel-rate=1"])
    hot = science(result.mask) & Flag.HOT != 0
    truth = read_truth(night.truth)
    rate = (truth.expected - np.median(truth.expected)) / truth.exptime
    # 5 errors of a master of 3.4 e- are 0.06 e-/s
    good = truth.classes & ~PixelClass.LISTED == 0
    sure = truth.classes & PixelClass.HOT != 0
    np.testing.assert_array_equal(hot[sure & (rate > 1.1)], True)
    np.testing.assert_array_equal(hot[sure & (rate < 0.9)], False)
    assert (sure & (rate > 1.1)).sum() > 10
    assert (sure & (rate < 0.9)).sum() > 10
    assert not hot[good].any()
    assert np.count_nonzero(none) < hot.sum() / 2


def test_background_box(tmp_path):
    options = QUIET | {"shape": (768, 768), "glow": 60.0}
    files = simulate(tmp_path / "n", Scene(**options))
    hot = {
        box: np.count_nonzero(
            science(
                run(files, tmp_path / str(box), overrides=[f"background-box={box}"]).mask
            ) & Flag.HOT
        )
        for box in (0, 64)
    }  # fmt: skip
    assert hot[64] <= 1e-4 * 768**2
    assert hot[0] > 100 * max(hot[64], 1)


def test_no_clipping_is_the_plain_mean(night, tmp_path):
    result = run(night, tmp_path / "o", overrides=["stacked-clipping-iterations=0"])
    found = result.record["frames"]
    frames = np.stack([science(p) for p in night.frames]).astype(float) * 2.3
    own = np.array([f["level"] for f in found])
    expected = (frames - own[:, None, None]).mean(axis=0) + own.mean()
    np.testing.assert_allclose(science(result.master_dark), expected, rtol=1e-5, atol=1e-3)
    assert science(result.mask, "NREJ").max() == 0


@pytest.mark.parametrize(("deviation", "astropys"), [("mad", "mad_std"), ("std", "std")])
def test_survivors_are_those_of_astropy(night, tmp_path, deviation, astropys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.stats import sigma_clip
    result = run(
        night,
        tmp_path / "o",
        overrides=[f"stacked-clipping-deviation={deviation}", "stacked-clipping-sigma=1.7"],
    )
    own = np.array([f["level"] for f in result.record["frames"]])
    frames = np.stack([science(p) for p in night.frames]).astype(float) * 2.3
    stack = frames - own[:, None, None]
    expected = sigma_clip(
        stack.astype("f4"), sigma=1.7, maxiters=3, axis=0, cenfunc="median", stdfunc=astropys
    )
    used = science(result.master_dark, "NCOM")
    # single precision decides a handful of samples that lie on a limit
    assert np.mean(used != (~expected.mask).sum(axis=0)) < 1e-3
    assert 0.02 < 1 - used.mean() / 5 < 0.4
