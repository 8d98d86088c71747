"""A master dark taken off frames: against ccdproc, against simulated truth, on real frames."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark import mdark, simulate, subtract_dark
from soxsdark.cli import main
from soxsdark.errors import InputError, ProductError, UsageError
from soxsdark.flags import Flag
from soxsdark.headers import ProductFacts, product_header
from soxsdark.master_file import read_master_dark
from soxsdark.product import Master, Product, write_products
from soxsdark.simulator import Scene, read_truth
from soxsdark.subtract import subtract_files

SHAPE = (150, 140)
VIS_GAIN, PEDESTAL, RON = 1.0, 1000.0, 3.8
CALM = {"bad_pixel_fraction": 0.0, "cosmic_ray_rate": 0.0, "telegraph_fraction": 0.0}
VIS = {"arm": "VIS", "shape": SHAPE, "seed": 11, "hot_fraction": 0.01, "drift": 0.0, **CALM}
HDUS = {"hdu_uncertainty": "ERRS", "hdu_mask": "QUAL", "key_uncertainty_type": "UTYPE"}


def write_bias(path: Path, raw: Path, flux: np.ndarray, sigma, **cards) -> Path:
    """Write a master bias as ccdproc does, of the setup of a raw frame."""
    header = fits.getheader(raw)
    for key in ("BZERO", "BSCALE", "EXPTIME", "CHECKSUM", "DATASUM", "ESO DPR TYPE", "IMAGETYP"):
        header.remove(key, ignore_missing=True)
    header.update({"BUNIT": "electron", **cards})
    errors = np.broadcast_to(sigma, flux.shape).astype("f4")
    images = [fits.PrimaryHDU(flux.astype("f4"), header), fits.ImageHDU(errors, name="UNCERT")]
    fits.HDUList(images).writeto(path)
    return path


@pytest.fixture(scope="module")
def vis(tmp_path_factory) -> dict:
    """Darks of 3600 s, and frames of 900 s and 3600 s with noise of their own, of one detector."""
    folder = tmp_path_factory.mktemp("vis")
    darks = simulate(folder / "darks", Scene(**VIS, frames=9))
    short = simulate(folder / "short", Scene(**VIS, frames=11, exptime=900.0))
    equal = simulate(folder / "equal", Scene(**VIS, frames=11))
    noise = np.random.default_rng(5).normal(0, 1.2, SHAPE)
    raw = darks.frames[0]
    bias = write_bias(folder / "bias.fits", raw, PEDESTAL * VIS_GAIN + noise, 1.2)
    return {
        "bias": bias,
        "short": short,
        "equal": equal,
        "darks": darks,
        "with": mdark(darks.sof, output=folder / "with").master_dark,
        "free": mdark(darks.sof, output=folder / "free", master_bias=bias).master_dark,
    }


@pytest.fixture(scope="module")
def nir(tmp_path_factory) -> dict:
    """A NIR dark of 300 s, with frames of 300 s and 100 s."""
    folder = tmp_path_factory.mktemp("nir")
    scene = {"shape": SHAPE, "seed": 4, **CALM}
    darks = simulate(folder / "darks", Scene(**scene, frames=5))
    return {
        "master": mdark(darks.sof, output=folder).master_dark,
        "frame": simulate(folder / "equal", Scene(**scene, frames=6)).frames[5],
        "short": simulate(folder / "short", Scene(**scene, frames=6, exptime=100.0)).frames[5],
    }


def changed(path: Path, folder: Path, pixels=None, **cards) -> Path:
    """A copy of a FITS file with other cards in its primary header; None removes one."""
    copy = folder / path.name
    with fits.open(path, memmap=False) as hdus:
        hdus = fits.HDUList([hdu.copy() for hdu in hdus])
    for hdu in hdus:
        for key in ("CHECKSUM", "DATASUM"):
            hdu.header.remove(key, ignore_missing=True)
    if pixels is not None:
        hdus[0].data = pixels(hdus[0].data)
    for key, value in cards.items():
        name = key.replace("__", " ")
        if value is None:
            del hdus[0].header[name]
        else:
            hdus[0].header[f"HIERARCH {name}" if " " in name else name] = value
    hdus.writeto(copy)
    return copy


def spread(values: np.ndarray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


# Against ccdproc


@pytest.mark.parametrize("kind", ["short", "equal"])
def test_equals_ccdproc(vis, kind):
    import ccdproc

    frame = vis[kind].frames[10]
    found = subtract_dark(frame, vis["free"], master_bias=vis["bias"])
    raw = fits.getdata(frame).astype(float) * VIS_GAIN
    exposure = fits.getheader(frame)["EXPTIME"]
    science = CCDData(raw - fits.getdata(vis["bias"]), unit="electron", meta={"EXPTIME": exposure})
    master = CCDData.read(vis["free"], **HDUS)
    expected = ccdproc.subtract_dark(
        science, master, exposure_time="EXPTIME", exposure_unit=units.s, scale=True
    )
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.unit == units.electron


def test_errors_are_those_of_ccdproc_where_the_frame_brings_its_own(nir):
    import ccdproc

    raw = fits.getdata(nir["frame"]).astype(float)
    bad = np.zeros(SHAPE, bool)
    bad[3, 4] = True
    frame = CCDData(
        raw, unit="adu", uncertainty=StdDevUncertainty(np.full(SHAPE, 3.0)), mask=bad,
        meta=fits.getheader(nir["frame"]),
    )  # fmt: skip
    found = subtract_dark(frame, nir["master"])
    gain = 2.3 * units.electron / units.adu
    master = CCDData.read(nir["master"], **HDUS)
    time = {"dark_exposure": 300 * units.s, "data_exposure": 300 * units.s}
    expected = ccdproc.subtract_dark(ccdproc.gain_correct(frame, gain), master, **time)
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.uncertainty.array, expected.uncertainty.array, rtol=1e-6)
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert found.flags[3, 4] & Flag.INPUT


# Against the truth


@pytest.mark.parametrize("kind", ["short", "equal"])
def test_truth_is_left_with_right_errors(vis, kind):
    truth = read_truth(vis[kind].truth)
    found = subtract_dark(vis[kind].frames[10], vis["free"], master_bias=vis["bias"])
    good = truth.classes == 0
    # 20000 pixels of 4-5 e-; half the pixels without signal count their noise as signal in ERRS
    assert np.mean(found.data[good]) == pytest.approx(0, abs=0.15)
    pulls = (found.data / found.uncertainty.array)[good]
    assert 0.91 < np.std(pulls) < 1.01
    hot = (truth.classes == 1) & (truth.expected > 50)
    assert np.count_nonzero(hot) > 30
    pulls = (found.data / found.uncertainty.array)[hot]
    assert np.abs(np.median(pulls)) < 0.6
    assert 0.7 < spread(pulls) < 1.4


def test_bias_given_for_a_dark_with_pedestal_is_taken_off_both(vis):
    frame = vis["short"].frames[10]
    free = subtract_dark(frame, vis["free"], master_bias=vis["bias"])
    both = subtract_dark(frame, vis["with"], master_bias=vis["bias"])
    np.testing.assert_allclose(both.data, free.data, rtol=0, atol=1e-3)
    # the read noises are measured with and without the shot noise of the dark
    good = ~(free.mask | both.mask)
    ratio = (both.uncertainty.array / free.uncertainty.array)[good]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)


def test_the_same_bias_is_not_counted_twice(vis, tmp_path):
    """Bias errors of 30 e-: of the same bias (1 - 1/4)² remain, of another 1 + (1/4)²."""
    raw = vis["darks"].frames[0]
    noise = np.random.default_rng(8).normal(0, 30, (2, *SHAPE))
    paths = [
        write_bias(tmp_path / f"{i}.fits", raw, PEDESTAL + part, 30.0, DATAMD5=str(i))
        for i, part in enumerate(noise)
    ]
    dark = mdark(vis["darks"].sof, output=tmp_path, master_bias=paths[0]).master_dark
    good = read_truth(vis["short"].truth).classes == 0
    for path, expected in zip(paths, (30 * 0.75, 30 * np.hypot(1, 0.25)), strict=True):
        found = subtract_dark(vis["short"].frames[10], dark, master_bias=path)
        own = np.hypot(expected, RON)
        assert np.median(found.uncertainty.array[good]) == pytest.approx(own, rel=0.08)
        assert np.std(found.data[good]) == pytest.approx(own, rel=0.03)


def test_equal_times_need_no_bias(vis):
    truth = read_truth(vis["equal"].truth)
    found = subtract_dark(vis["equal"].frames[10], vis["with"])
    good = truth.classes == 0
    assert np.mean(found.data[good]) == pytest.approx(0, abs=0.15)
    pulls = (found.data / found.uncertainty.array)[good]
    assert 0.91 < np.std(pulls) < 1.01
    assert found.meta["ESO PRO PEDESTAL"] is False


def test_flags_of_frame_and_dark_are_joined(nir, tmp_path):
    def spoil(pixels):
        pixels = pixels.astype("f4")
        pixels[5, 6] = np.nan
        return pixels

    flags = fits.getdata(nir["master"], "QUAL")
    assert flags[5, 6] == 0
    found = subtract_dark(changed(nir["frame"], tmp_path, spoil), nir["master"])
    expected = flags.astype(int)
    expected[5, 6] = Flag.EMPTY
    np.testing.assert_array_equal(found.flags, expected)
    np.testing.assert_array_equal(found.mask, expected != 0)


def test_saturated_pixels_are_flagged(vis, tmp_path):
    def fill(pixels):
        pixels[7, 8] = 65535
        return pixels

    frame = changed(vis["equal"].frames[10], tmp_path, fill)
    assert subtract_dark(frame, vis["with"]).flags[7, 8] & Flag.SATURATED


def test_frames_are_trimmed_as_the_dark(tmp_path):
    scene = {"arm": "NIR", "seed": 2, "cosmic_ray_rate": 0.0}
    darks = simulate(tmp_path / "n", Scene(**scene, frames=3))
    master = mdark(darks.sof, output=tmp_path).master_dark
    [result] = subtract_files([darks.frames[1]], master, output=tmp_path)
    flux, header = fits.getdata(result.product, header=True)
    assert flux.shape == (2040, 2040)
    raw = fits.getdata(darks.frames[1])[4:2044, 4:2044] * 2.3
    np.testing.assert_allclose(flux, raw - fits.getdata(master), rtol=0, atol=0.02)
    assert (header["LTV1"], header["LTV2"]) == (-4, -4)
    assert result.record["window"] == [[4, 2044], [4, 2044]]


def test_turned_frames_fall_on_their_dark(tmp_path):
    scene = {**VIS, "arm": "UVB", "hot_rate_min": 1.0}
    darks = simulate(tmp_path / "u", Scene(**scene, frames=5))
    master = mdark(darks.sof, output=tmp_path).master_dark
    found = subtract_dark(darks.frames[4], master)
    hot = fits.getdata(master, "QUAL") == Flag.HOT
    above = fits.getdata(master)[hot] - np.median(fits.getdata(master))
    assert hot.sum() > 100
    assert np.median(above) > 1000
    assert np.abs(np.median(found.data[hot])) < 0.05 * np.median(above)
    expected = np.rot90(fits.getdata(darks.frames[4]) * 1.61, 2) - fits.getdata(master)
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=0.02)


# Units


def adu_dark(path: Path, master: Path, gain: float, **cards) -> Path:
    """The master dark as ccdproc would have written it in ADU."""
    with fits.open(master) as hdus:
        header = fits.Header()
        for key in ("INSTRUME", "EXPTIME", "ESO SEQ ARM", "ESO DET OUT1 CONAD", "EGAIN"):
            if key in hdus[0].header:
                header[f"HIERARCH {key}" if " " in key else key] = hdus[0].header[key]
        header.update({"BUNIT": "adu", **cards})
        ccd = CCDData(
            hdus[0].data / gain, unit="adu", meta=header, mask=hdus["QUAL"].data != 0,
            uncertainty=StdDevUncertainty(hdus["ERRS"].data / gain),
        )  # fmt: skip
    ccd.write(path)
    return path


def test_dark_in_adu_is_converted(nir, tmp_path):
    dark = adu_dark(tmp_path / "adu.fits", nir["master"], 2.3)
    found, expected = (subtract_dark(nir["frame"], d) for d in (dark, nir["master"]))
    np.testing.assert_allclose(found.data, expected.data, rtol=0, atol=1e-3)
    np.testing.assert_array_equal(found.mask, expected.mask)
    # without ESO QC RAW RON the header's read noise of 7.3 e- counts, not the measured 7.4
    np.testing.assert_allclose(found.uncertainty.array, expected.uncertainty.array, rtol=0.03)


def test_frame_in_electrons_is_not_converted(nir):
    raw = fits.getdata(nir["frame"]) * 2.3
    frame = CCDData(raw, unit="electron", meta=fits.getheader(nir["frame"]))
    expected = subtract_dark(nir["frame"], nir["master"])
    np.testing.assert_allclose(subtract_dark(frame, nir["master"]).data, expected.data, atol=1e-4)


def test_gain_of_the_dark_s_settings_holds_for_the_frame(nir, tmp_path):
    darks = sorted((nir["master"].parent / "darks").glob("NIR*.fits"))
    master = mdark(darks, output=tmp_path, overrides=["gain=4.6"]).master_dark
    found = subtract_dark(nir["frame"], master)
    expected = fits.getdata(nir["frame"]) * 4.6 - fits.getdata(master)
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=1e-3)


def test_unknown_gain_is_no_bridge_between_units(tmp_path):
    dark = tmp_path / "d.fits"
    header = fits.Header({"BUNIT": "electron", "EXPTIME": 10.0})
    fits.PrimaryHDU(np.zeros((9, 9), "f4"), header).writeto(dark)
    frame = CCDData(np.zeros((9, 9)), unit="adu", meta={"EXPTIME": 10.0, "FILENAME": "a.fits"})
    with pytest.raises(InputError, match=r"a\.fits: in ADU, d\.fits is in electrons, and the gain"):
        subtract_dark(frame, dark)


@pytest.mark.parametrize(("unit", "said"), [(None, "is missing"), ("Jy", "is 'Jy'")])
def test_dark_of_unknown_unit(nir, tmp_path, unit, said):
    dark = changed(nir["master"], tmp_path, BUNIT=unit)
    with pytest.raises(InputError, match=f"BUNIT {said}, expected electron or adu"):
        subtract_dark(nir["frame"], dark)


def test_frame_of_unknown_unit(nir, tmp_path):
    frame = changed(nir["frame"], tmp_path, BUNIT="Jy")
    with pytest.raises(InputError, match=r"BUNIT\) is 'Jy', expected adu or electron"):
        subtract_dark(frame, nir["master"])


# What is refused


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"ESO__DET__OUT1__CONAD": 1.1}, r"gain 1\.1 \(the dark: 2\.3\)"),
        ({"ESO__DET__BINX": 2, "ESO__DET__BINY": 2}, r"binning 2x2 \(the dark: 1x1\)"),
        ({"ESO__DET__READ__CURNAME": "Double"}, r"readout name Double \(the dark: NonDest\)"),
        ({"ESO__DET__READ__CURID": 3}, r"readout id 3 \(the dark: 1\)"),
        ({"ESO__SEQ__ARM": "VIS"}, r"arm VIS \(the dark: NIR\)"),
        ({"INSTRUME": "ESPRESSO"}, r"instrument ESPRESSO \(the dark: SOXS\)"),
    ],
)
def test_another_setup_is_refused(nir, tmp_path, cards, said):
    frame = changed(nir["frame"], tmp_path, **cards)
    with pytest.raises(InputError, match=f"another setup than darks_MDARK.fits: .*{said}") as error:
        subtract_dark(frame, nir["master"])
    assert str(frame) in str(error.value)


def test_another_window_is_refused(nir):
    frame = CCDData(np.ones((20, 30)), unit="adu", meta=fits.getheader(nir["frame"]))
    with pytest.raises(InputError, match="20x30 science pixels .*has 150x140"):
        subtract_dark(frame, nir["master"])


def test_dark_that_never_scales(nir):
    with pytest.raises(
        InputError, match="100 s, darks_MDARK.fits has 300 s, .*dark-scaling: never"
    ):
        subtract_dark(nir["short"], nir["master"])
    with pytest.raises(InputError, match=r"in profile soxs, arm NIR\); take a dark of 100 s"):
        subtract_dark(nir["short"], nir["master"], scale="always")


def test_dark_with_pedestal_is_not_scaled(vis):
    said = r"900 s, .* has 3600 s and still contains the bias pedestal .*--master-bias"
    for scale in ("auto", "always"):
        with pytest.raises(InputError, match=said):
            subtract_dark(vis["short"].frames[10], vis["with"], scale=scale)


def test_dark_that_does_not_say_is_not_scaled(vis, tmp_path):
    dark = changed(vis["with"], tmp_path, ESO__PRO__PEDESTAL=None)
    with pytest.raises(InputError, match="does not say that it is free of the bias pedestal"):
        subtract_dark(vis["short"].frames[10], dark)


def test_scale_never(vis):
    options = {"master_bias": vis["bias"], "scale": "never"}
    with pytest.raises(InputError, match="scaling is switched off; take a dark of 900 s"):
        subtract_dark(vis["short"].frames[10], vis["free"], **options)
    assert subtract_dark(vis["equal"].frames[10], vis["free"], **options).shape == SHAPE


def test_tolerance_of_the_exposure_times(vis, tmp_path):
    tolerant = ["exposure-time-tolerance=10"]
    options = {"output": tmp_path, "overrides": tolerant, "master_bias": vis["bias"]}
    dark = mdark(vis["darks"].sof, **options).master_dark
    frame = changed(vis["equal"].frames[10], tmp_path, EXPTIME=3609.0)
    for scale, factor in (("auto", 1.0), ("never", 1.0), ("always", 3609 / 3600)):
        found = subtract_dark(frame, dark, scale=scale, master_bias=vis["bias"])
        assert found.meta["ESO QC DSUB FACTOR"] == pytest.approx(factor, rel=1e-12)


def test_bias_is_needed_where_the_dark_has_none(vis):
    said = r"still contains the bias pedestal, .* does not \(bias\.fits was subtracted from it\)"
    with pytest.raises(InputError, match=said):
        subtract_dark(vis["equal"].frames[10], vis["free"])


def test_bias_is_refused_where_the_readout_removes_it(nir, vis):
    with pytest.raises(InputError, match="the readout removes the pedestal .*leave --master-bias"):
        subtract_dark(nir["frame"], nir["master"], master_bias=vis["bias"])


def test_reduced_frames_and_other_products_are_refused(nir):
    with pytest.raises(InputError, match=r"MASTER_DARK_NIR.*a raw frame is expected"):
        subtract_dark(nir["master"], nir["master"])
    mask = nir["master"].with_name("darks_BPM.fits")
    with pytest.raises(InputError, match="ESO PRO CATG is 'BP_MAP_NIR', expected a master dark"):
        subtract_dark(nir["frame"], mask)


def test_damaged_and_missing_darks(nir, tmp_path):
    content = bytearray(nir["master"].read_bytes())
    content[len(content) // 3] ^= 1
    (tmp_path / "d.fits").write_bytes(content)
    with pytest.raises(InputError, match=r"d\.fits: HDU 0: DATASUM does not fit"):
        subtract_dark(nir["frame"], tmp_path / "d.fits")
    (tmp_path / "short.fits").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"short\.fits"):
        subtract_dark(nir["frame"], tmp_path / "short.fits")
    with pytest.raises(InputError, match=r"none\.fits"):
        subtract_dark(nir["frame"], tmp_path / "none.fits")


def test_wrong_usage(nir):
    with pytest.raises(UsageError, match="scale is 'maybe', expected one of auto, always, never"):
        subtract_dark(nir["frame"], nir["master"], scale="maybe")
    with pytest.raises(UsageError, match="no frame given"):
        subtract_files([], nir["master"])


# What masters say


def test_master_says_whether_it_holds_the_pedestal(vis, nir):
    paths = (vis["with"], vis["free"], nir["master"])
    found = [fits.getheader(path)["ESO PRO PEDESTAL"] for path in paths]
    assert found == [True, False, False]


def test_unknown_pedestal_is_not_written():
    facts = ProductFacts("1", "r", {}, [], exposure_time=1.0, total_exposure=1.0)
    assert "ESO PRO PEDESTAL" not in product_header(fits.Header(), facts, "MASTER_DARK")


def test_read_master_dark(tmp_path):
    images = {"flux": np.array([[1.5, np.nan]]), "errs": np.array([[0.5, 1.0]])}
    master = Master(**images, qual=np.array([[256, 0]]), ncom=np.array([[3, 0]]))
    write_products([Product(tmp_path / "m.fits", master, fits.Header())])
    found = read_master_dark(tmp_path / "m.fits")
    assert (found.unit, found.has_errors) == ("electron", True)
    np.testing.assert_array_equal(found.flux, images["flux"])
    np.testing.assert_array_equal(found.errs, images["errs"])
    np.testing.assert_array_equal(found.qual, [[256, Flag.EMPTY]])
    assert found.sha256 == hashlib.sha256((tmp_path / "m.fits").read_bytes()).hexdigest()


# Products


def test_products(nir, tmp_path):
    [result] = subtract_files([nir["frame"]], nir["master"], output=tmp_path / "o", command=["x"])
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "NIR_dark_006_DSUB.fits", "NIR_dark_006_DSUB.json",
    ]  # fmt: skip
    found, expected = (
        CCDData.read(result.product, **HDUS),
        subtract_dark(nir["frame"], nir["master"]),
    )
    assert found.unit == units.electron
    np.testing.assert_array_equal(found.data, expected.data.astype("f4"))
    np.testing.assert_array_equal(found.uncertainty.array, expected.uncertainty.array.astype("f4"))
    np.testing.assert_array_equal(found.mask != 0, expected.mask)
    record = json.loads(result.record_file.read_text())
    assert record["dark"]["sha256"] == hashlib.sha256(nir["master"].read_bytes()).hexdigest()
    assert record["frame"]["sha256"] == hashlib.sha256(nir["frame"].read_bytes()).hexdigest()
    content = result.product.read_bytes()
    assert record["products"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    assert (record["command"], record["factor"]) == (["x"], 1.0)


def test_header(nir, tmp_path):
    [result] = subtract_files([nir["frame"]], nir["master"], output=tmp_path)
    with fits.open(result.product, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["FLUX", "QUAL", "ERRS"]
        header = hdus[0].header
    dark = fits.getheader(nir["master"])
    assert header["ESO PRO CATG"] == "DARK_SUBTRACTED_NIR"
    assert header["ESO PRO REC1 ID"] == "subtract"
    assert header["ESO PRO REC1 RAW1 NAME"] == nir["frame"].name
    assert header["ESO PRO REC1 CAL1 NAME"] == "darks_MDARK.fits"
    assert header["ESO PRO REC1 CAL1 CATG"] == "MASTER_DARK_NIR"
    assert header["ESO PRO REC1 CAL1 DATAMD5"] == dark["DATAMD5"]
    assert header["ESO PRO REC1 PARAM3 VALUE"] == result.record["dark"]["sha256"]
    assert header["ESO PRO RUNID"] == result.record["run-id"]
    assert header["ESO SEQ ARM"] == "NIR"
    assert header["EXPTIME"] == 300
    for key in ("BZERO", "BSCALE", "ESO DPR TYPE", "ARCFILE", "ORIGFILE"):
        assert key not in header


def test_nothing_is_overwritten_or_half_done(nir, tmp_path):
    out = tmp_path / "o"
    subtract_files([nir["frame"]], nir["master"], output=out)
    before = (out / "NIR_dark_006_DSUB.fits").read_bytes()
    with pytest.raises(ProductError, match="NIR_dark_006_DSUB.fits.*exist already"):
        subtract_files([nir["frame"]], nir["master"], output=out)
    assert (out / "NIR_dark_006_DSUB.fits").read_bytes() == before
    subtract_files([nir["frame"]], nir["master"], output=out, overwrite=True)
    damaged = bytearray(nir["frame"].read_bytes())
    damaged[-5000] ^= 1
    (tmp_path / "b.fits").write_bytes(damaged)
    with pytest.raises(InputError, match=r"b\.fits: HDU 0: DATASUM"):
        subtract_files([nir["frame"], tmp_path / "b.fits"], nir["master"], output=tmp_path / "p")
    assert list((tmp_path / "p").iterdir()) == []


def test_names_must_differ(nir, tmp_path):
    (tmp_path / "NIR_dark_006.fit").write_bytes(nir["frame"].read_bytes())
    with pytest.raises(InputError, match="would have the name of that of"):
        subtract_files([nir["frame"], tmp_path / "NIR_dark_006.fit"], nir["master"])


def test_inputs_are_spared(nir, tmp_path):
    dark = tmp_path / "NIR_dark_006_DSUB.fits"
    dark.write_bytes(nir["master"].read_bytes())
    with pytest.raises(ProductError, match="is an input of this run"):
        subtract_files([nir["frame"]], dark, output=tmp_path, overwrite=True)
    assert dark.read_bytes() == nir["master"].read_bytes()


# The command


def test_command(nir, tmp_path, capsys):
    arguments = ["subtract", str(nir["frame"]), "--dark", str(nir["master"]), "-o", str(tmp_path)]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    [line] = out.splitlines()
    assert err == ""
    assert line.startswith(f"{tmp_path}/NIR_dark_006_DSUB.fits: 300 s, dark of 300 s x 1, median ")
    assert main(arguments) == 5
    assert main([*arguments, "-x", "-q"]) == 0
    arguments[1] = str(nir["short"])
    capsys.readouterr()
    assert main([*arguments, "-x"]) == 4
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main([*arguments, "--scale", "maybe"]) == 2


def test_start_is_light():
    script = (
        "import sys; from soxsdark.cli import main; main(['subtract', '--help']);"
        "print({'numpy', 'astropy'} & set(sys.modules), file=sys.stderr); import soxsdark.subtract;"
        "print({'ccdproc', 'astropy.nddata', 'scipy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.split() == ["set()", "set()"]
    assert "Example:" in done.stdout


# Real frames


def real_bias(path: Path, raw: Path, flux: np.ndarray, sigma) -> Path:
    known = ("INSTRUME", "XBINNING", "YBINNING", "XORGSUBF", "YORGSUBF", "EGAIN")
    header = fits.getheader(raw)
    cards = {key: header[key] for key in known} | {"BUNIT": "electron"}
    errors = fits.ImageHDU(np.broadcast_to(sigma, flux.shape).astype("f4"), name="ERRS")
    image = fits.PrimaryHDU(flux.astype("f4"), fits.Header(cards))
    fits.HDUList([image, errors]).writeto(path)
    return path


def hot_pulls(found: CCDData, hot: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Residuals of hot pixels over their errors; a frame's own level is no matter of pixels."""
    return ((found.data - np.median(found.data[good])) / found.uncertainty.array)[hot]


def test_st7_hot_pixels_of_300_s_go_with_the_dark_of_900_s(shared_data, tmp_path):
    """There are no biases: darks of 120 s and 900 s, drawn to 0 s, give one.

    The frames of 300 s have no part in it.
    """
    frames = {
        seconds: [
            path
            for path in sorted((shared_data / "st7").glob(f"*D{seconds}s*.fit"))
            if "(1)" not in path.name
        ]
        for seconds in (120, 300, 900)
    }
    masters = {s: mdark(frames[s], output=tmp_path / str(s)).master_dark for s in (120, 900)}
    flux = {s: fits.getdata(m).astype(float) for s, m in masters.items()}
    errs = {s: fits.getdata(m, "ERRS") for s, m in masters.items()}
    flags = {s: fits.getdata(m, "QUAL") for s, m in masters.items()}
    zero = (900 * flux[120] - 120 * flux[900]) / 780
    sigma = np.hypot(900 * errs[120], 120 * errs[900]) / 780
    bias = real_bias(tmp_path / "bias.fits", frames[300][0], zero, sigma)
    with pytest.raises(InputError, match="300 s, .*has 900 s and does not say .*--master-bias"):
        subtract_dark(frames[300][0], masters[900])
    good = (flags[900] | flags[120]) == 0
    below = flux[900] < 0.8 * 65535 * 2.55
    hot = (flags[900] == Flag.HOT) & (flags[120] & ~Flag.HOT == 0) & below
    assert hot.sum() > 10000
    assert np.median((flux[900] - zero)[hot] / 3) > 150
    for frame in frames[300]:
        found = subtract_dark(frame, masters[900], master_bias=bias)
        assert found.meta["ESO QC DSUB FACTOR"] == pytest.approx(1 / 3)
        assert spread(hot_pulls(found, good, good)) == pytest.approx(1, abs=0.05)
        pulls = hot_pulls(found, hot, good)
        assert np.abs(np.median(pulls)) < 0.2
        assert spread(pulls) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("of_the_dark", [True, False])
def test_stl1001_hot_pixels_of_300_s_go_with_the_dark_of_30_s(shared_data, tmp_path, of_the_dark):
    folder, gain = shared_data / "stl1001", 2.06
    biases = sorted(folder.glob("bias*.FIT"))
    stack = np.array([fits.getdata(path) for path in biases]) * gain
    # a median of 10 has 1.18 times the noise of their mean
    sigma = 1.18 * np.median(stack.std(axis=0, ddof=1)) / np.sqrt(10)
    bias = real_bias(tmp_path / "bias.fits", biases[0], np.median(stack, axis=0), sigma)
    darks = sorted(folder.glob("dark_10series*.FIT"))
    options = {"master_bias": bias} if of_the_dark else {}
    master = mdark(darks, output=tmp_path, **options).master_dark
    found = subtract_dark(folder / "dark_series_0c_5m.00000002.DARK.FIT", master, master_bias=bias)
    assert found.meta["ESO QC DSUB FACTOR"] == 10
    flags, flux = fits.getdata(master, "QUAL"), fits.getdata(master).astype(float)
    if not of_the_dark:
        flux = flux - fits.getdata(bias)
    good = flags == 0
    # those near the threshold were chosen for their noise, too, which then is multiplied by 10
    hot = (flags == Flag.HOT) & (10 * flux > 2000) & (10 * flux < 0.7 * 65535 * gain)
    assert hot.sum() > 10000
    assert spread(hot_pulls(found, good, good)) == pytest.approx(1, abs=0.05)
    pulls = hot_pulls(found, hot, good)
    assert np.abs(np.median(pulls)) < 0.2
    assert spread(pulls) == pytest.approx(1, abs=0.2)
