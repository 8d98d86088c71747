"""Real darks of two CCD cameras; the frames are no part of the project."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from soxsdark.flags import Flag

COPY = "DarkBefore-007D120s (1).fit"
GAIN = 2.55
FULL = 65535


def st7(shared_data: Path, seconds: int) -> list[Path]:
    found = sorted((shared_data / "st7").glob(f"*D{seconds}s*.fit"))
    return [path for path in found if path.name != COPY]


@pytest.fixture(scope="module")
def masters(shared_data, tmp_path_factory) -> dict:
    """The st7 masters by exposure time in s."""
    folder = tmp_path_factory.mktemp("st7")
    return {
        seconds: mdark(
            st7(shared_data, seconds), output=folder / str(seconds), instrument="generic"
        )
        for seconds in (120, 300, 900)
    }


def test_duplicate_is_refused_and_both_are_named(shared_data, tmp_path):
    frames = [*st7(shared_data, 120), shared_data / "st7" / COPY]
    with pytest.raises(InputError, match="the same pixels") as error:
        mdark(frames, output=tmp_path / "o", instrument="generic")
    assert error.value.exit_code == 4
    assert COPY in str(error.value)
    assert "DarkBefore-007D120s.fit" in str(error.value)
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "st7_FAILED.json", "st7_FAILED.log",
    ]  # fmt: skip


def test_light_frame_is_refused(shared_data, tmp_path):
    frames = [*st7(shared_data, 120), shared_data / "st7" / "Vega.fit"]
    with pytest.raises(InputError, match=r"Vega\.fit: IMAGETYP is 'LIGHT', expected a dark"):
        mdark(frames, output=tmp_path / "o", instrument="generic")


def test_bias_frames_are_refused(shared_data, tmp_path):
    frames = sorted((shared_data / "stl1001").glob("bias*.FIT"))[:3]
    with pytest.raises(InputError, match=r"00000001\.BIAS\.FIT: IMAGETYP is 'Bias Frame'"):
        mdark(frames, output=tmp_path / "o", instrument="generic")


def test_two_exposure_times_are_refused(shared_data, tmp_path):
    frames = st7(shared_data, 300) + st7(shared_data, 900)
    with pytest.raises(InputError, match="exposure time"):
        mdark(frames, output=tmp_path / "o", instrument="generic")


@pytest.mark.parametrize(("seconds", "number"), [(120, 11), (300, 5), (900, 5)])
def test_st7(masters, seconds, number):
    result = masters[seconds]
    record = json.loads(result.record_file.read_text())
    assert result.metrics["NFRAMES"] == number
    assert record["setup"]["exposure time"] == seconds
    assert record["gain"]["value"] == pytest.approx(GAIN)
    # levels of 883-897 ADU and a temporal scatter of 21-22 ADU, measured elsewhere
    assert all(880 < frame["level-adu"] < 900 for frame in record["frames"])
    assert 20.5 * GAIN < result.metrics["RAW RON"] < 23 * GAIN
    # sigma-clipping around a right sigma takes 0.01-0.08 % of the samples of real CCDs
    assert 1e-4 / 2 < result.metrics["CLIPPED FRAC"] < 1e-3
    assert -17.6 < result.metrics["DETECTOR TEMP"] < -16.6
    assert result.metrics["NOISYPIX FRAC"] < 1e-3
    # the noise between odd and even frames is that between consecutive ones
    assert result.metrics["MASTER RON"] == pytest.approx(result.metrics["MASTER RON PRED"], rel=0.1)


@pytest.mark.parametrize("seconds", [120, 300])
def test_st7_is_good(masters, seconds):
    assert [m.concern for m in masters[seconds].reduced.judged.concerns] == []
    assert masters[seconds].qa_flag == "GOOD"


def test_st7_light_in_the_first_long_exposure_is_named(masters, shared_data):
    concerns = {m.name: m for m in masters[900].reduced.judged.concerns}
    assert masters[900].qa_flag == "PARTIAL"
    assert set(concerns) == {"FRAME STRUCT", "REJ FRAMEMAX", "NOISE FRAMEMAX"}
    paths = st7(shared_data, 900)
    assert {m.frame for m in concerns.values()} == {paths[0].name}
    first, *others = (fits.getdata(path).astype(float) for path in paths)
    rest = np.mean(others, axis=0)

    def slope(frame: np.ndarray) -> float:
        return float(np.median((frame - rest)[:64]) - np.median((frame - rest)[-64:]))

    # 50 ADU brighter at one end than at the other; none of the others is by half of that
    assert slope(first) > 50
    assert max(abs(slope(other)) for other in others) < 25


@pytest.mark.parametrize("seconds", [120, 300, 900])
def test_st7_noise_is_that_between_frames(masters, shared_data, seconds):
    frames = [fits.getdata(path).astype(float) for path in st7(shared_data, seconds)]
    half = (np.mean(frames[0::2], axis=0) - np.mean(frames[1::2], axis=0)) / 2
    number = len(frames)
    scale = np.sqrt(4 / (1 / len(frames[0::2]) + 1 / len(frames[1::2])) / number)
    # in blocks, because the bias moves a little across the frame
    blocks = half.reshape(10, 51, 15, 51).swapaxes(1, 2).reshape(150, -1)
    spread = np.median(np.subtract(*np.percentile(blocks, [75, 25], axis=1))) / 1.349
    errors = np.median(fits.getdata(masters[seconds].master_dark, "ERRS"))
    # percentiles of 390000 integers' means: 0.2 % by their number
    assert errors == pytest.approx(spread * scale * GAIN, rel=0.01)


def excess(result) -> np.ndarray:
    return result.reduced.master.flux - np.median(result.reduced.master.flux)


def test_st7_hot_pixels_grow_linearly(masters):
    dark = {seconds: excess(result) for seconds, result in masters.items()}
    errors = fits.getdata(masters[900].master_dark, "ERRS")
    flags = fits.getdata(masters[900].mask)
    below = fits.getdata(masters[900].master_dark) < 0.8 * FULL * GAIN
    sure = (flags == Flag.HOT) & below & (dark[900] > 20 * errors)
    assert np.count_nonzero(sure) > 5000
    early = (dark[300] - dark[120])[sure] / 180
    late = (dark[900] - dark[300])[sure] / 600
    assert np.median(early / late) == pytest.approx(1, abs=0.02)


def test_stl1001(shared_data, tmp_path):
    frames = sorted((shared_data / "stl1001").glob("dark_10series*.FIT"))
    result = mdark(frames, output=tmp_path / "o", instrument="generic")
    assert result.metrics["NFRAMES"] == 10
    assert result.record["setup"]["exposure time"] == 30
    assert result.record["gain"]["value"] == pytest.approx(2.06)
    assert all(1019 < frame["level-adu"] < 1022 for frame in result.record["frames"])
    # a temporal scatter of 7.5 ADU, measured elsewhere; part of it is dark current
    assert 7.2 * 2.06 < result.metrics["RAW RON"] < 8.1 * 2.06
    assert 0.01 < result.metrics["HOTPIX FRAC"] < 0.03
    assert result.metrics["CLIPPED FRAC"] < 1e-3
    assert ([m.concern for m in result.reduced.judged.concerns], result.qa_flag) == ([], "GOOD")
