"""MEGARA from raws to a master dark: two amplifiers, a master bias, observing blocks."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.errors import InputError
from soxsdark.flags import Flag
from soxsdark.scene import PixelClass, Scene
from soxsdark.simulator import read_truth, simulate
from soxsdark.verdicts import QaFlag

ROWS, COLUMNS = 384, 320
HALVES = slice(0, ROWS // 2), slice(ROWS // 2, ROWS)
BORDER = slice(ROWS // 2 - 48, ROWS // 2), slice(ROWS // 2, ROWS // 2 + 48)
COMMON = {"arm": "MEGARA", "shape": (ROWS, COLUMNS), "seed": 5, "hot_fraction": 0.01}
DARKS, BIASES = 7, 9
KINDS = ~int(PixelClass.LISTED)


def blocks(folder: Path, frames, biases=(), master_bias: str | None = None) -> Path:
    """Observing blocks as numina has them."""
    parts = [("MegaraDarkImage", frames), ("MegaraBiasImage", biases)]
    path = folder / "night.yaml"
    text = ""
    for number, (mode, paths) in enumerate(parts):
        if paths:
            text += f"---\nid: {number}\ninstrument: MEGARA\nmode: {mode}\nimages:\n"
            text += "".join(f"  - {one}\n" for one in paths)
            if master_bias and not number:
                text += f"requirements:\n  master_bias: {master_bias}\n"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Darks and biases of one detector, and what is made of them."""
    folder = tmp_path_factory.mktemp("megara")
    dark = simulate(folder / "d", Scene(**COMMON, frames=DARKS))
    bias = simulate(folder / "b", Scene(**COMMON, frames=BIASES, exptime=0.0))
    night = blocks(folder, dark.frames, bias.frames, "night_MBIAS.fits")
    master = mbias(night, output=folder / "data", instrument=str(dark.profile))
    result = mdark(night, output=folder / "o", instrument=str(dark.profile))
    return SimpleNamespace(
        folder=folder, dark=dark, bias=bias, master=master, result=result,
        truth=read_truth(dark.truth), bias_truth=read_truth(bias.truth),
    )  # fmt: skip


def residuals(result, truth, bias_truth) -> list[np.ndarray]:
    """Master minus truth, the levels' drift included in the truth, of each half."""
    flux = fits.getdata(result.master).astype(np.float64) - truth.expected
    levels = truth.levels.mean(axis=0) - bias_truth.levels.mean(axis=0)
    return [flux[half] - level for half, level in zip(HALVES, levels, strict=True)]


def ordinary(truth, bias_truth) -> list[np.ndarray]:
    good = ((truth.classes & KINDS) == 0) & (truth.hits == 0) & (bias_truth.hits == 0)
    return [good[half] for half in HALVES]


def test_errors_are_right_in_each_half(night):
    errs = fits.getdata(night.result.master, "ERRS")
    sets = zip(
        residuals(night.result, night.truth, night.bias_truth),
        ordinary(night.truth, night.bias_truth),
        HALVES,
        (3.4, 3.74),
        (1.73, 1.6),
        strict=True,
    )
    for off, good, half, ron, gain in sets:
        pulls = (off / errs[half])[good]
        # a spread of a spread: 1 / sqrt(2 * 60000) = 0.003
        assert pulls.std() == pytest.approx(1, abs=0.012)
        assert pulls.mean() == pytest.approx(0, abs=0.02)
        one = ron**2 + gain**2 / 12
        mean = np.sqrt((one + 1.8) / DARKS + one / BIASES)
        assert np.median(errs[half]) == pytest.approx(mean, rel=0.01)


def test_shot_noise_is_in_the_errors_of_hot_pixels(night):
    errs = fits.getdata(night.result.master, "ERRS")
    qual = fits.getdata(night.result.master, "QUAL")
    offs = residuals(night.result, night.truth, night.bias_truth)
    for off, half in zip(offs, HALVES, strict=True):
        expected, hits = night.truth.expected[half], night.truth.hits[half]
        hot = (night.truth.classes[half] & KINDS) == PixelClass.HOT
        some = hot & (hits == 0) & (expected > 100) & (qual[half] & Flag.SATURATED == 0)
        pulls = (off / errs[half])[some]
        assert some.sum() > 100
        assert pulls.std() == pytest.approx(1, abs=0.15)
        bright = some & (expected > 1000)
        assert errs[half][bright] == pytest.approx(np.sqrt(expected[bright] / DARKS), rel=0.1)


def test_defects_are_found_in_both_halves(night):
    qual = fits.getdata(night.result.master, "QUAL")
    kinds = night.truth.classes & KINDS
    for half in HALVES:
        hot = kinds[half] == PixelClass.HOT
        good = (kinds[half] == 0) & (night.truth.hits[half] == 0)
        assert np.mean(qual[half][hot] & Flag.HOT != 0) > 0.99
        assert np.mean(qual[half][good] != 0) < 1e-3
        noisy = kinds[half] == PixelClass.NOISY
        assert np.mean(qual[half][noisy] & Flag.NOISY != 0) > 0.9


@pytest.mark.parametrize("how", ["median", "polynomial"])
def test_no_step_at_the_border(night, tmp_path, how):
    options = {
        "instrument": str(night.dark.profile),
        "overrides": (f"subtract-overscan={how}",),
        "output": tmp_path,
    }
    bias = mbias(night.bias.sof, **options)
    result = mdark(night.dark.sof, master_bias=bias.master, **options)
    flux = fits.getdata(result.master) - night.truth.expected
    good = np.zeros(flux.shape, bool)
    for half, mine in zip(HALVES, ordinary(night.truth, night.bias_truth), strict=True):
        good[half] = mine
    below, above = (flux[rows][good[rows]].mean() for rows in BORDER)
    # 2 e- of each mean over 15000 pixels; 0.1 e- of the overscan's own levels
    assert below == pytest.approx(above, abs=0.3)
    assert below == pytest.approx(0, abs=0.3)
    # the pedestals are 350 ADU apart
    raw = fits.getdata(night.dark.frames[0]).astype(float)
    assert np.median(raw[-50:]) - np.median(raw[:50]) > 300


def test_border_is_flagged_no_more_than_the_rest(night):
    bad = fits.getdata(night.result.master, "QUAL") != 0
    near = bad[ROWS // 2 - 2 : ROWS // 2 + 2]
    expected = bad.mean() * near.size
    assert abs(near.sum() - expected) < 4 * np.sqrt(expected)


def test_tilted_pedestal_is_taken_out_by_the_overscan(tmp_path):
    files = simulate(tmp_path / "d", Scene(**COMMON, frames=5, tilt=20.0))
    truth = read_truth(files.truth)
    spread = {}
    for how in ("none", "polynomial"):
        result = mdark(
            files.sof,
            instrument=str(files.profile),
            overrides=(f"subtract-overscan={how}",),
            output=tmp_path / how,
        )
        flux, errs = (fits.getdata(result.master, hdu) for hdu in (0, "ERRS"))
        good = ((truth.classes & KINDS) == 0) & (truth.hits == 0)
        pulls = [((flux - truth.expected) / errs)[half][good[half]] for half in HALVES]
        spread[how] = [pull.std() for pull in pulls]
    assert min(spread["none"]) > 1.5
    assert spread["polynomial"] == pytest.approx([1, 1], abs=0.015)


def test_flag_log_and_record_with_the_rate(night):
    result = night.result
    assert result.qa_flag is QaFlag.GOOD
    record = json.loads(result.record_file.read_text())
    assert record["qa-flag"] == "GOOD"
    metrics = result.metrics
    rate, error = metrics["DARK CURRENT"], metrics["DARK CURRENT ERR"]
    assert 0 < error < 0.001
    assert rate == pytest.approx(0.001, abs=4 * error)
    with fits.open(result.master) as hdus:
        header = hdus[0].header
        assert hdus[0].data.shape == (ROWS, COLUMNS)
    assert header["ESO QC DARK CURRENT"] == pytest.approx(rate)
    assert header["ESO PRO CATG"] == "MASTER_DARK"
    assert header["ESO PRO REC1 RAW1 CATG"] == "DARK"
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_BIAS"
    assert header["ESO PRO REC1 CAL1 NAME"] == "night_MBIAS.fits"
    assert header["EXPTIME"] == 1800
    log = result.log.read_text()
    assert "profile megara" in log
    assert re.search(r"QC DARK CURRENT = 0\.00\d+ \+- \S+ electron/s", log)
    assert "done, QA flag GOOD" in log


# What the reference lets pass


@pytest.fixture
def darks(night, tmp_path) -> list[Path]:
    """Copies of the darks, to be changed at will."""
    for path in night.dark.frames:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return [tmp_path / path.name for path in night.dark.frames]


def refused(night, darks: list[Path], match: str) -> None:
    folder = darks[0].parent
    with pytest.raises(InputError, match=match):
        mdark(blocks(folder, darks), output=folder / "o", instrument=str(night.dark.profile))
    assert sorted(p.name for p in (folder / "o").iterdir()) == [
        "night_FAILED.json", "night_FAILED.log",
    ]  # fmt: skip


def test_mixed_exposure_times_are_refused(night, darks, edit):
    edit(darks[2], EXPTIME=900.0, DARKTIME=900.0)
    refused(night, darks, r"exposure time.*differs(.|\n)*900\.0 s \(1 frame\)")


def test_a_bias_among_the_darks_is_refused(night, darks):
    refused(
        night, [*darks, night.bias.frames[0]],
        r"MEGARA_bias_001.fits: OBSMODE is 'MegaraBiasImage', expected a dark",
    )  # fmt: skip


def test_a_duplicate_is_refused_and_both_are_named(night, darks):
    copy = darks[0].with_name("copy.fits")
    copy.write_bytes(darks[0].read_bytes())
    refused(night, [*darks, copy], r"copy.fits: the same pixels as .*MEGARA_dark_001.fits")


def test_a_frame_of_nan_is_refused(night, darks, edit):
    edit(darks[1], lambda data: np.full(data.shape, np.nan, np.float32))
    refused(night, darks, r"MEGARA_dark_002.fits: 100 % of its pixels are NaN")


def test_some_nan_are_left_out_of_the_mean(night, darks, edit):
    def some(data):
        data = data.astype(np.float32)
        data[10, 60] = np.nan
        return data

    edit(darks[1], some)
    result = mdark(darks, output=darks[0].parent / "o", instrument=str(night.dark.profile))
    assert fits.getdata(result.master, "NCOM")[10, 10] == DARKS - 1
    assert np.isfinite(fits.getdata(result.master)).all()


def test_a_light_frame_is_refused(night, darks, edit):
    edit(darks[3], lambda data: data + np.uint16(500))
    refused(night, darks, r"MEGARA_dark_004.fits: too bright: .*of amplifier [12]")


# The reference's own master bias


def test_plane_of_sample_numbers_is_no_mask(night, tmp_path):
    with fits.open(night.master.master) as hdus:
        header, flux = hdus[0].header, hdus[0].data
    own = fits.Header({key: header[key] for key in ("INSTRUME", "OBSMODE", "GAIN1", "GAIN2")})
    adu = np.concatenate(
        [flux[half] / gain for half, gain in zip(HALVES, (1.73, 1.6), strict=True)]
    )
    fits.HDUList(
        [
            fits.PrimaryHDU(adu, own),
            fits.ImageHDU(np.full_like(adu, 4.6), name="VARIANCE"),
            fits.ImageHDU(np.full(adu.shape, 9, np.int16), name="MAP"),
        ]
    ).writeto(tmp_path / "master_bias.fits")
    profile = str(night.dark.profile)
    result = mdark(
        night.dark.sof, output=tmp_path, instrument=profile,
        master_bias=tmp_path / "master_bias.fits",
    )  # fmt: skip
    assert not np.any(fits.getdata(result.master, "QUAL") & Flag.INPUT)
    assert result.metrics["DARK CURRENT"] == pytest.approx(
        night.result.metrics["DARK CURRENT"], abs=1e-5
    )
    assert any("no uncertainty" in remark for remark in result.record["remarks"])


@pytest.mark.slow
def test_whole_detector_is_recognised(tmp_path):
    dark = simulate(tmp_path / "d", Scene(arm="MEGARA", frames=3))
    bias = simulate(tmp_path / "b", Scene(arm="MEGARA", frames=3, exptime=0.0))
    master = mbias(bias.sof, output=tmp_path)
    result = mdark(dark.sof, output=tmp_path, master_bias=master.master)
    truth, bias_truth = read_truth(dark.truth), read_truth(bias.truth)
    flux, errs = (fits.getdata(result.master, hdu) for hdu in (0, "ERRS"))
    levels = truth.levels.mean(axis=0) - bias_truth.levels.mean(axis=0)
    good = ((truth.classes & KINDS) == 0) & (truth.hits == 0) & (bias_truth.hits == 0)
    assert flux.shape == (4112, 4096)
    for half, level in zip((slice(0, 2056), slice(2056, 4112)), levels, strict=True):
        pulls = ((flux - truth.expected - level) / errs)[half][good[half]]
        assert pulls.std() == pytest.approx(1, abs=0.01)
