"""What must not happen, whatever is fed: inputs lost, wrong figures called good, raw tracebacks."""

import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark.cli import main
from soxsdark.errors import ExitCode, InputError, ProductError, UsageError
from soxsdark.frame import Frame
from soxsdark.level import distinct
from soxsdark.recipe import mdark
from soxsdark.simulator import Scene, simulate
from soxsdark.stack_input import measure_noise
from soxsdark.utilities import clip_and_stack, create_noise_map


@pytest.mark.parametrize("name", ["raw_BPM.fits", "raw_MDARK.fits"])
def test_raw_frames_are_not_written_over(tmp_path, name):
    made = simulate(tmp_path / "n", Scene(shape=(96, 128)))
    raw = tmp_path / "raw"
    raw.mkdir()
    for path in made.frames[1:]:
        shutil.copy(path, raw)
    shutil.copy(made.frames[0], raw / name)
    before = (raw / name).read_bytes()
    with pytest.raises(ProductError, match="is an input of this run"):
        mdark(raw, output=raw, overwrite=True)
    assert (raw / name).read_bytes() == before


def test_the_sof_is_not_written_over(tmp_path):
    made = simulate(tmp_path, Scene(shape=(96, 128)))
    sof = tmp_path / "clash.json"
    made.sof.rename(sof)
    with pytest.raises(ProductError, match=r"clash\.json: is an input"):
        mdark(sof, output=tmp_path, overwrite=True)
    assert sof.read_text().startswith("NIR_dark_001.fits")


def test_own_mask_may_be_improved_in_place(tmp_path):
    made = simulate(tmp_path, Scene(shape=(96, 128)))
    first = mdark(made.sof, output=tmp_path)
    again = mdark(made.sof, output=tmp_path, overwrite=True, bad_pixel_map=first.mask)
    assert again.metrics["BADPIX NUM"] >= first.metrics["BADPIX NUM"]


def test_an_unexpected_pedestal_is_no_dark_signal(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(256, 256), pedestal=1000.0))
    result = mdark(made.sof, output=tmp_path / "o")
    # 7.3 e-, and the shot noise of the 3 e- of dark that cannot be told apart
    assert result.metrics["RAW RON"] == pytest.approx(np.hypot(7.3, np.sqrt(3)), rel=0.02)
    assert str(result.qa_flag) == "PARTIAL"
    assert "pedestal" in result.reduced.judged["RAW RON"].why


@pytest.mark.parametrize("exptime", [600.0, 3600.0])
def test_slope_of_visual_frames_is_that_of_the_gain(tmp_path, exptime):
    # telegraph pixels, cosmic rays and noisy pixels are as many as faint hot ones here
    made = simulate(tmp_path / "n", Scene(arm="VIS", shape=(1024, 800), exptime=exptime, seed=4))
    slope = mdark(made.sof, output=tmp_path / "o").metrics["GAIN SLOPE"]
    assert slope == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("shape", [(5, 3), (2, 2), (1, 64)])
def test_frames_too_small_to_measure_are_refused(tmp_path, shape):
    made = simulate(tmp_path / "n", Scene(shape=(64, 64)))
    for path in made.frames:
        with fits.open(path, mode="update") as hdus:
            hdus[0].data = hdus[0].data[: shape[0], : shape[1]]
            hdus[0].add_checksum()
    if np.prod(shape) >= 64:
        assert np.isfinite(fits.getdata(mdark(made.sof, output=tmp_path / "o").master_dark)).all()
        return
    with pytest.raises(InputError, match="noise between frames cannot be measured"):
        mdark(made.sof, output=tmp_path / "o")


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (5, 3)])
def test_stacks_too_small_to_measure_want_their_noise(shape):
    frames = np.random.default_rng(1).normal(0, 5, (5, *shape))
    with pytest.raises(UsageError, match="give noise="):
        clip_and_stack(frames)
    with pytest.raises(UsageError, match="give noise="):
        create_noise_map(frames)
    stacked = clip_and_stack(frames, noise=5.0)
    np.testing.assert_allclose(stacked.uncertainty, 5 / np.sqrt(stacked.used))


def test_uncertainty_of_a_masked_pixel_does_not_count():
    rng = np.random.default_rng(2)
    mask = np.zeros((16, 16), dtype=bool)
    mask[3, 4] = True
    sigma = np.where(mask, np.nan, 5.0)
    frames = [
        CCDData(
            rng.normal(0, 5, (16, 16)), unit="adu", mask=mask, uncertainty=StdDevUncertainty(sigma)
        )
        for _ in range(5)
    ]
    stacked = clip_and_stack(frames)
    assert stacked.mask[3, 4]
    np.testing.assert_allclose(stacked.uncertainty[~mask], 5 / np.sqrt(stacked.used[~mask]))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("ESO DPR TYPE", "DARK", "a raw frame"), ("ESO PRO CATG", "MASTER_DARK_NIR", "expected a bad"),
     ("ESO SEQ ARM", "VIS", "bad-pixel map of arm VIS")],
)  # fmt: skip
def test_what_is_no_map_of_this_arm_is_refused(tmp_path, key, value, message):
    made = simulate(tmp_path / "n", Scene(shape=(96, 128)))
    with fits.open(made.bad_pixel_map, mode="update") as hdus:
        if key == "ESO DPR TYPE":
            del hdus[0].header["ESO PRO CATG"]
        hdus[0].header[f"HIERARCH {key}"] = value
    with pytest.raises(InputError, match=message):
        mdark(made.sof, output=tmp_path / "o", bad_pixel_map=made.bad_pixel_map)


def test_a_map_of_many_bad_pixels_is_told(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(96, 128)))
    bad = np.zeros((96, 128), dtype=np.int16)
    bad[:40] = 1
    fits.writeto(tmp_path / "m.fits", bad)
    result = mdark(made.sof, output=tmp_path / "o", bad_pixel_map=tmp_path / "m.fits")
    assert "m.fits marks 42 % of the pixels as bad" in result.record["warnings"]


def test_enormous_frames_are_not_begun(tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "n"), "--shape", "99999999x99999999"]) == 2
    assert ExitCode.WRONG_USAGE == 2
    assert "expected at most" in capsys.readouterr().err


def test_thresholds_far_out_flag_nothing_and_agree(tmp_path, monkeypatch):
    made = simulate(tmp_path / "n", Scene(shape=(256, 256), noisy_fraction=0.01))
    options = {"overrides": ["noise-clipping-upper-sigma=40"], "overwrite": True}
    found = mdark(made.sof, output=tmp_path / "o", **options).metrics
    # what is left are pixels of which no two samples agree
    assert found["NOISYPIX NUM"] < 100
    monkeypatch.setenv("SOXSDARK_KERNEL", "numpy")
    assert mdark(made.sof, output=tmp_path / "o", **options).metrics == found


@pytest.mark.parametrize("frame", [0, 1, 2, 3])
def test_sigma_stands_where_a_third_of_a_frame_differs(frame):
    rng = np.random.default_rng(7)
    frames = rng.normal(0, 5, (5, 512, 512))
    frames[frame, rng.random((512, 512)) < 0.3] += rng.exponential(2000, 1)
    assert measure_noise(frames).sigma == pytest.approx(5, rel=0.02)


@pytest.mark.parametrize("offset", [60, 400])
def test_even_and_odd_columns_may_differ(offset):
    rng = np.random.default_rng(8)
    frames = rng.normal(0, 5, (5, 512, 512))
    frames[:, :, 1::2] += offset
    hot = rng.random((512, 512)) < 0.005
    frames[:, hot] += 3000
    model = measure_noise(frames)
    assert model.sigma == pytest.approx(5, rel=0.02)
    # all blocks take the same side
    assert np.ptp(model.background) < 10


def test_unsigned_integers_of_64_bits_are_counted():
    pixels = np.array([[2**63, 2**63 + 5], [2**63 + 5, 2**64 - 1]], dtype=np.uint64)
    values, counts = distinct(pixels[:1])
    assert list(values - np.uint64(2**63)) == [0, 5]
    assert list(counts) == [1, 1]


@pytest.mark.parametrize("kind", ["u2", "i4", "f4", "f8", "scaled"])
def test_the_plan_counts_what_floats_take(tmp_path, kind):
    pixels = np.random.default_rng(1).normal(500, 9, (64, 64))
    hdu = fits.PrimaryHDU(pixels.astype("i4" if kind == "scaled" else kind))
    if kind == "scaled":
        hdu.header["BSCALE"] = 0.1
    hdu.writeto(tmp_path / "a.fits")
    frame = Frame.open(tmp_path / "a.fits")
    extra = (frame.working_bytes - frame.stored_bytes) / pixels.size
    assert extra == {"u2": 1, "i4": 1, "f4": 24, "f8": 48, "scaled": 56}[kind]
