"""What is wrong is named: a frame, the gain, the read noise."""

import shutil

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.simulator import Scene, simulate
from soxsdark.sky import light_leak
from tests.quality.sets import CLEAN, SIDE, concerns, made

# One frame


def test_a_light_leak_names_its_frame(tmp_path):
    result = made(tmp_path, frames=5, light_leak=60.0, seed=3)
    assert result.qa_flag == "PARTIAL"
    said = concerns(result)["FRAME STRUCT"]
    assert "in NIR_dark_003.fits, at most 3.7" in said
    assert "0.5 x RAW RON" in said
    structure = [frame["structure"] for frame in result.record["frames"]]
    leak = light_leak(Scene(light_leak=60.0, **SIDE)).reshape(4, 64, 4, 64)
    # four fifths of it are beyond the mean of five frames
    expected = 0.8 * np.std(np.median(leak, axis=(1, 3)), ddof=1)
    assert max(structure) == structure[2] == pytest.approx(expected, rel=0.1)
    assert result.record["metrics"]["FRAME STRUCT"]["frame"] == "NIR_dark_003.fits"


def test_a_frame_with_five_times_the_cosmic_rays_is_named(tmp_path):
    scene = {"shape": (256, 256), "seed": 3, "cosmic_ray_rate": 4e-6}
    files = simulate(tmp_path / "a", Scene(**scene))
    scene["cosmic_ray_rate"] *= 5
    many = simulate(tmp_path / "b", Scene(**scene))
    shutil.copy(many.frames[3], files.frames[3])
    result = mdark(files.sof, output=tmp_path / "o")
    assert set(concerns(result)) == {"REJ FRAMEMAX"}
    assert "in NIR_dark_004.fits, at most 3 is expected" in concerns(result)["REJ FRAMEMAX"]
    assert result.metrics["REJ FRAMEMAX"] == pytest.approx(5, rel=0.2)


# Gain and read noise


@pytest.mark.parametrize(("key", "factor"), [("ESO_DET_OUT1_RON", 1.5), ("ESO_DET_OUT1_RON", 0.6)])
def test_a_wrong_ron_in_the_header_is_named(tmp_path, edit, key, factor):
    files = simulate(tmp_path / "n", Scene(hot_fraction=0.03, seed=6, **SIDE))
    for path in files.frames:
        edit(path, **{key: 7.3 * factor})
    result = mdark(files.sof, output=tmp_path / "o")
    said = concerns(result)
    assert set(said) == {"RAW RON"}
    assert (
        f"the RON of {7.3 * factor:.4g} e- (header ESO DET OUT1 RON) is likely wrong"
        in (said["RAW RON"])
    )
    assert "speaks for the gain" in said["RAW RON"]
    assert "0.75 to 1.25 x NOMINAL RON" in said["RAW RON"]


@pytest.mark.parametrize("factor", [0.6, 1.6])
def test_a_wrong_gain_is_named_and_the_right_one_told(tmp_path, factor):
    result = made(tmp_path, hot_fraction=0.03, header_gain=2.3 * factor, seed=6)
    said = concerns(result)
    assert set(said) == {"RAW RON", "GAIN SLOPE"}
    before, _, after = said["RAW RON"].partition("is likely wrong, ")
    assert f"the gain of {2.3 * factor:.4g} e-/ADU (header ESO DET OUT1 CONAD) " in before
    assert float(after.split()[0]) == pytest.approx(2.3, rel=0.1)


def test_ron_is_not_judged_where_the_gain_is_not_known(tmp_path, edit):
    files = simulate(tmp_path / "n", Scene(hot_fraction=0.03, **SIDE))
    for path in files.frames:
        edit(path, ESO_DET_OUT1_CONAD=None, ESO_DET_OUT1_GAIN=None, INSTRUME="OTHER")
    result = mdark(files.sof, output=tmp_path / "o")
    assert result.record["gain"]["source"] == "assumed"
    assert result.reduced.judged["RAW RON"].warning is None


def test_averaged_reads_have_the_noise_of_one_over_root_ndit(tmp_path):
    result = made(tmp_path, ndit=9, seed=6)
    assert concerns(result) == {}
    assert result.reduced.judged["RAW RON"].warning == pytest.approx(
        (0.75 * 7.3 / 3, 1.25 * 7.3 / 3)
    )


def test_frames_of_two_kinds_by_turns_are_told(tmp_path):
    files = simulate(tmp_path / "n", Scene(frames=10, dtype="float32", **CLEAN, **SIDE))
    pattern = np.random.default_rng(3).normal(0, 3, (256, 256))
    for number, path in enumerate(files.frames):
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data += ((-1) ** number * pattern / 2.3).astype("f4")
            hdus[0].add_checksum()
    result = mdark(files.sof, output=tmp_path / "o")
    said = concerns(result)["MASTER RON"]
    assert "0.9 to 1.1 x MASTER RON PRED" in said
    assert "not independent" in said
    # 7.3 e- of read noise and 3 of dark over root 10, and the pattern in full
    assert result.metrics["MASTER RON"] == pytest.approx(np.sqrt(56.3 / 10 + 9), rel=0.02)
