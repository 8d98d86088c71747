"""Geometry, headers, lists and truth of a simulated set."""

import math
from datetime import datetime, timedelta

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.simulator import Scene, read_truth, simulate
from tests.simulate.scenes import make, residuals


@pytest.mark.parametrize(
    ("arm", "raw", "science"),
    [
        ("NIR", (2048, 2048), (slice(4, 2044), slice(4, 2044))),
        ("VIS", (4096, 908), (slice(0, 4096), slice(50, 858))),
    ],
)
def test_whole_detector_has_dark_free_borders(tmp_path, arm, raw, science):
    options = {"arm": arm, "frames": 1, "drift": 0.0, "glow": 50.0, "dark": 0.2}
    frames, truth, files = make(tmp_path / "raw", **options)
    assert frames.shape == (1, *raw)
    inside = np.zeros(raw, bool)
    inside[science] = True
    assert frames[0][science].shape == truth.expected.shape
    assert fits.getdata(files.bad_pixel_map).shape == truth.expected.shape
    border = frames[0][~inside] - truth.levels_e[0]
    ron = {"NIR": 7.3, "VIS": 3.8}[arm]
    assert border.mean() == pytest.approx(0, abs=5 * ron / math.sqrt(border.size))
    assert border.std() == pytest.approx(ron, rel=0.02)
    good = (truth.classes == 0) & (truth.hits == 0)
    off = residuals(frames[:, science[0], science[1]], truth)[0][good]
    assert abs(off.mean()) < 5 * truth.noise[good].max() / math.sqrt(off.size)


def test_cut_outs_have_no_overscan(tmp_path):
    cut, _, _ = make(tmp_path / "cut", arm="VIS", shape=(40, 50), frames=1)
    assert cut.shape == (1, 40, 50)
    assert Scene(arm="VIS", overscan=False).raw_shape == (4096, 808)
    assert Scene(arm="UVB").raw_shape == (3000, 2144)
    assert Scene(arm="UVB").science_shape == (3000, 2048)


@pytest.mark.parametrize("arm", ["NIR", "VIS", "UVB"])
def test_headers_are_those_of_the_instrument(tmp_path, arm):
    files = simulate(tmp_path, Scene(arm=arm, shape=(32, 32)))
    headers = [fits.getheader(path) for path in files.frames]
    header = headers[0]
    common = {
        "INSTRUME": "XSHOOTER" if arm == "UVB" else "SOXS",
        "ESO DPR CATG": "CALIB",
        "ESO DPR TYPE": "DARK",
        "ESO DPR TECH": "IMAGE",
        "ESO SEQ ARM": arm,
        "EXPTIME": 300.0 if arm == "NIR" else 3600.0,
        "ESO DET OUT1 CONAD": {"NIR": 2.3, "VIS": 1.0, "UVB": 1.61}[arm],
        "ESO DET OUT1 RON": {"NIR": 7.3, "VIS": 3.8, "UVB": 2.6}[arm],
    }
    own = {
        "NIR": {"ESO DET NDIT": 1, "ESO DET SEQ1 DIT": 300.0},
        "VIS": {"ESO DET BINX": 1, "ESO DET BINY": 1},
        "UVB": {"ESO DET WIN1 BINX": 1, "ESO DET WIN1 BINY": 1},
    }[arm]
    for key, value in (common | own).items():
        assert header[key] == value, key
    assert header["ESO DET OUT1 CONAD"] * header["ESO DET OUT1 GAIN"] == pytest.approx(1, abs=1e-5)
    assert type(header["ESO DET READ CURID"]) is int
    temperature = {"NIR": "TEMP217", "VIS": "TEMP104", "UVB": "TEMP53"}[arm]
    assert 30 < header[f"ESO INS {temperature} VAL"] < 160
    starts = [datetime.fromisoformat(h["DATE-OBS"]) for h in headers]
    for start, h in zip(starts, headers, strict=True):
        assert (start - datetime(1858, 11, 17)) / timedelta(days=1) == pytest.approx(
            h["MJD-OBS"], abs=1e-7
        )
        assert h["ARCFILE"].endswith(h["DATE-OBS"] + ".fits")
        assert h.comments["EXPTIME"].startswith("[s]")
    gaps = np.diff([h["MJD-OBS"] for h in headers]) * 86400
    assert np.all((gaps > header["EXPTIME"] + 1) & (gaps < header["EXPTIME"] + 100))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "float32"])
def test_checksums_are_right(tmp_path, dtype):
    files = simulate(tmp_path, Scene(shape=(32, 32), dtype=dtype))
    for path in (*files.frames, files.bad_pixel_map, files.truth):
        with fits.open(path, checksum=True) as hdus:  # a wrong sum is a warning, so an error
            for hdu in hdus:
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1


@pytest.mark.parametrize("date", ["2025-03-10T13:00:00Z", "2025-03-10T15:00:00+02:00"])
def test_start_may_name_its_zone(tmp_path, date):
    files = simulate(tmp_path, Scene(shape=(8, 8), frames=1, date_obs=date))
    header = fits.getheader(files.frames[0])
    assert header["DATE-OBS"] == "2025-03-10T13:00:00.000"
    assert header["MJD-OBS"] == pytest.approx(60744 + 13 / 24, abs=1e-8)


def test_bad_pixel_map_header(tmp_path):
    files = simulate(tmp_path, Scene(arm="VIS", shape=(32, 32)))
    header = fits.getheader(files.bad_pixel_map)
    assert header["INSTRUME"] == "SOXS"
    assert header["ESO SEQ ARM"] == "VIS"
    assert header["ESO PRO CATG"] == "BP_MAP_VIS"
    assert header["BITPIX"] == 8


@pytest.mark.parametrize("listed", [False, True])
def test_set_of_files_lists_the_frames(tmp_path, listed):
    files = simulate(tmp_path, Scene(shape=(32, 32), frames=3, list_bad_pixel_map=listed))
    lines = files.sof.read_text().splitlines()
    frames = [f"NIR_dark_{n:03d}.fits DARK_NIR" for n in (1, 2, 3)]
    assert lines == frames + ["bpm.fits BP_MAP_NIR"] * listed
    assert all((tmp_path / line.split()[0]).is_file() for line in lines)
    assert [path.name for path in files.frames] == [line.split()[0] for line in frames]


def test_truth_records_the_scene(tmp_path):
    files = simulate(tmp_path, Scene(shape=(32, 40), seed=77, cosmic_ray_rate=3e-7))
    header = fits.getheader(files.truth)
    assert header["EXTNAME"] == "EXPECTED"
    assert header["SIM SEED"] == 77
    assert header["SIM COSMIC_RAY_RATE"] == 3e-7
    assert header["SIM SHAPE"] == "32 40"
    assert header["SIM PEDESTAL"] == -0.4


def test_truth_reader_refuses_other_files(tmp_path):
    files = simulate(tmp_path, Scene(shape=(32, 32), frames=1))
    with pytest.raises(InputError, match=r"NIR_dark_001\.fits: not a readable truth file"):
        read_truth(files.frames[0])
    with pytest.raises(InputError, match=r"none\.fits: not a readable truth file"):
        read_truth(tmp_path / "none.fits")
