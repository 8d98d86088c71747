"""Frames and sets that are refused, and the like that are taken."""

import gzip
import re
import shutil

import numpy as np
import pytest

from soxsdark import mdark
from soxsdark.errors import InputError
from tests.products import names
from tests.recipe.running import refused, run, science


def nan_share(share: float):
    def change(pixels: np.ndarray) -> np.ndarray:
        pixels = pixels.astype("f4")
        pixels.ravel()[: round(share * pixels.size)] = np.nan
        return pixels

    return change


@pytest.mark.parametrize(("share", "said"), [(1, "100 %"), (0.5, "50 %"), (0.11, "11 %")])
def test_frame_of_nan(night, tmp_path, edit, share, said):
    edit(night.frames[2], nan_share(share))
    refused(night.sof, tmp_path / "o", rf"NIR_dark_003\.fits: {said} .*NaN .*maximum-nan-fraction")


def test_some_nan_is_no_reason(night, tmp_path, edit):
    edit(night.frames[2], nan_share(0.05))
    result = run(night, tmp_path / "o")
    used = science(result.master_dark, "NCOM").ravel()
    hit = round(0.05 * used.size)
    assert used[:hit].max() == 4
    assert used[hit:].max() == 5
    assert result.record["frames"][2]["nan-fraction"] == pytest.approx(0.05, abs=1e-4)
    assert np.isfinite(science(result.master_dark)).all()


def test_nan_limit_can_be_set(night, tmp_path, edit):
    edit(night.frames[2], nan_share(0.3))
    run(night, tmp_path / "o", overrides=["maximum-nan-fraction=0.4"])
    refused(night.sof, tmp_path / "p", "at most 20 %", overrides=["maximum-nan-fraction=0.2"])


@pytest.mark.parametrize("value", [0, 17, -3])
def test_constant_frame(night, tmp_path, edit, value):
    edit(night.frames[0], lambda p: np.full_like(p, value))
    refused(night.sof, tmp_path / "o", rf"NIR_dark_001\.fits: no scatter .*{value} ADU")


@pytest.mark.parametrize(("shift", "side"), [(3000, "bright"), (-3000, "dark")])
def test_level_far_off(night, tmp_path, edit, shift, side):
    edit(night.frames[4], lambda p: p + shift)
    refused(
        night.sof,
        tmp_path / "o",
        rf"NIR_dark_005\.fits: too {side}: .*level .*sigma.*maximum-level-deviation",
    )


def test_drift_is_no_reason(night, tmp_path, edit):
    # ten e- of drift, more than a noise of one sample, and the master does not see it
    plain = run(night, tmp_path / "p")
    edit(night.frames[4], lambda p: p + 5)
    moved = run(night, tmp_path / "m")
    difference = science(moved.master_dark) - science(plain.master_dark)
    np.testing.assert_allclose(difference, 5 * 2.3 / 5, atol=1e-3)


def test_duplicate_under_another_name(night, tmp_path):
    night.sof.unlink()
    shutil.copy(night.frames[1], night.frames[1].with_name("again.fits"))
    frames = [*night.frames, night.frames[1].with_name("again.fits")]
    refused(frames, tmp_path / "o", r"again\.fits: the same .*NIR_dark_002\.fits", "night")


def test_duplicate_packed(night, tmp_path):
    packed = night.frames[1].with_name("packed.fits.gz")
    packed.write_bytes(gzip.compress(night.frames[1].read_bytes()))
    message = refused([*night.frames, packed], tmp_path / "o", "the same pixels", "night")
    assert "packed.fits.gz" in message
    assert "NIR_dark_002.fits" in message


def test_duplicate_with_another_header(night, tmp_path, edit):
    copy = night.frames[0].with_name("later.fits")
    shutil.copy(night.frames[0], copy)
    edit(copy, MJD_OBS=60800.0, **{"DATE-OBS": "2025-05-05T00:00:00"})
    refused([*night.frames, copy], tmp_path / "o", r"later\.fits: the same pixels", "night")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_frames(night, tmp_path, count):
    refused(
        list(night.frames[:count]),
        tmp_path / "o",
        rf"{count} dark frames?, at least 3 \(minimum-frame-count\)",
        "night",
    )


def test_minimum_can_be_set(night, tmp_path):
    result = mdark(
        list(night.frames[:2]), output=tmp_path / "o", overrides=["minimum-frame-count=2"]
    )
    assert result.metrics["NFRAMES"] == 2
    assert science(result.mask, "NREJ").max() == 0  # two samples cannot tell which of them is off


def test_mixed_setups(night, tmp_path, edit):
    edit(night.frames[3], EXPTIME=600.0, ESO_DET_SEQ1_DIT=600.0, ESO_DET_READ_CURNAME="Fowler")
    with pytest.raises(InputError) as error:
        run(night, tmp_path / "o")
    first, *table = str(error.value).splitlines()
    assert "exposure time" in first
    assert "readout name" in first
    text = "\n".join(table)
    assert re.search(r"exposure time +300\.0 +4 +\S*NIR_dark_001", text)
    assert re.search(r"exposure time +600\.0 +1 +\S*NIR_dark_004", text)
    assert re.search(r"readout name +Fowler +1 +\S*NIR_dark_004", text)
    assert names(tmp_path / "o") == ["darks_FAILED.json", "darks_FAILED.log"]


def test_mixed_shapes(night, tmp_path, edit):
    edit(night.frames[3], lambda p: p[:-1])
    with pytest.raises(InputError, match="shape"):
        run(night, tmp_path / "o")


def test_light_frame(night, tmp_path, edit):
    edit(night.frames[0], ESO_DPR_TYPE="OBJECT")
    refused(night.sof, tmp_path / "o", r"NIR_dark_001\.fits: ESO DPR TYPE is 'OBJECT'.*a dark")


def test_bias_frame(night, tmp_path, edit):
    edit(night.frames[0], ESO_DPR_TYPE="BIAS", EXPTIME=0.0)
    refused(night.sof, tmp_path / "o", r"NIR_dark_001\.fits: ESO DPR TYPE is 'BIAS'.*a dark")


def test_frame_without_exposure(night, tmp_path, edit):
    edit(night.frames[0], EXPTIME=0.0)
    refused(night.sof, tmp_path / "o", r"NIR_dark_001\.fits: EXPTIME is 0.*above 0")


def test_product_among_the_frames(night, tmp_path):
    master = run(night, tmp_path / "o").master_dark
    refused([*night.frames, master], tmp_path / "p", r"darks_MDARK\.fits: .*reduced")


def test_cut_short_frame(night, tmp_path):
    path = night.frames[1]
    path.write_bytes(path.read_bytes()[:-5760])
    refused(night.sof, tmp_path / "o", r"NIR_dark_002\.fits: cut short")


def test_damaged_frame(night, tmp_path):
    content = bytearray(night.frames[1].read_bytes())
    content[-5000] ^= 4
    night.frames[1].write_bytes(content)
    refused(night.sof, tmp_path / "o", r"NIR_dark_002\.fits: HDU 0: DATASUM")


def test_missing_frame(night, tmp_path):
    night.frames[1].unlink()
    with pytest.raises(InputError, match=r"darks\.sof line 2: .*NIR_dark_002\.fits"):
        run(night, tmp_path / "o")
