"""Master biases: made, checked, and subtracted once from the mean of the darks."""

import hashlib
import json
import math
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.cli import main
from soxsdark.errors import InputError, ProductError
from soxsdark.flags import Flag
from soxsdark.simulator import PixelClass, Scene, read_truth, simulate

SHAPE = (256, 256)
RON, DARK = 3.8, 3.6
CLEAN = {"hot_fraction": 0.0, "noisy_fraction": 0.0, "telegraph_fraction": 0.0}
COLUMNS = np.where(np.arange(SHAPE[1]) % 2, 10, -10) * np.ones(SHAPE, int)
"""A fixed pattern of 5 sigma of one sample, ADU."""


def put(pattern: np.ndarray, files) -> None:
    for path in files.frames:
        with fits.open(path, mode="update", memmap=False) as hdus:
            hdus[0].data = (hdus[0].data + pattern).astype(hdus[0].data.dtype)
            hdus[0].add_checksum()


def made(folder: Path, darks: int, biases: int, pattern: np.ndarray, seed: int = 11):
    """Darks of 1800 s with their truth, and biases; the same fixed pattern in both."""
    vis = {"arm": "VIS", "shape": SHAPE}
    exposed = {"frames": darks, "seed": seed, "exptime": 1800.0, "dark": DARK / 1800}
    dark = simulate(folder / "d", Scene(**vis, **exposed))
    bias = simulate(folder / "b", Scene(**vis, frames=biases, seed=seed + 1, exptime=0.0, **CLEAN))
    put(pattern, dark)
    put(pattern, bias)
    return dark, bias


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Five darks and ten biases with a strong pattern, their truths, and what is made of them."""
    folder = tmp_path_factory.mktemp("pair")
    dark, bias = made(folder, 5, 10, COLUMNS)
    master = mbias(bias.sof, output=folder / "o")
    result = mdark(dark.sof, output=folder / "o", master_bias=master.master)
    return SimpleNamespace(
        folder=folder, dark=dark, bias=bias, master=master, result=result,
        truth=read_truth(dark.truth), bias_truth=read_truth(bias.truth),
    )  # fmt: skip


def image(path: Path, name: str | int = 0) -> np.ndarray:
    return fits.getdata(path, name)


def residual(result, dark, bias) -> np.ndarray:
    """Master minus truth, the levels' error included in the truth."""
    level = dark.levels_e.mean() - bias.levels_e.mean()
    return image(result.master) - dark.expected - level


def ordinary(dark, bias) -> np.ndarray:
    return (dark.classes == 0) & (dark.hits == 0) & (bias.hits == 0)


def changed(master: Path, path: Path, change, **cards) -> Path:
    """A copy of a master bias whose HDUs have been changed."""
    with fits.open(master, memmap=False) as hdus:
        for key, value in cards.items():
            hdus[0].header[key.replace("_", " ")] = value
        hdus = change(hdus) or hdus
        hdus.writeto(path)
    return path


def put_card(header: fits.Header, card: str, value) -> None:
    header[f"HIERARCH {card}" if " " in card else card] = value


def refused(pair, folder: Path, match: str, **options) -> None:
    with pytest.raises(InputError, match=match) as error:
        mdark(pair.dark.sof, output=folder / "o", **options)
    assert len(str(error.value).splitlines()) == 1
    assert (folder / "o" / "darks_FAILED.json").exists()


# The master bias


def test_products_of_a_bias(pair):
    names = sorted(p.name for p in pair.master.products)
    assert names == ["biases_MBIAS.fits", "biases_MBIAS.json", "biases_MBIAS.log"]
    with fits.open(pair.master.master, checksum=True) as hdus:
        assert [h.name for h in hdus] == ["FLUX", "QUAL", "ERRS", "NCOM"]
        header = hdus[0].header
    assert header["ESO PRO CATG"] == "MASTER_BIAS_VIS"
    assert header["ESO PRO REC1 ID"] == "mbias"
    assert header["ESO PRO REC1 RAW1 CATG"] == "BIAS_VIS"
    assert header["ESO PRO PEDESTAL"] is True
    assert header["EXPTIME"] == 0
    record = json.loads(pair.master.record_file.read_text())
    assert (record["recipe"], record["qa-flag"], len(record["products"])) == ("mbias", "GOOD", 1)


def test_bias_is_the_pattern_and_its_level(pair):
    truth = pair.bias_truth
    good = truth.hits == 0
    off = image(pair.master.master) - COLUMNS - truth.levels_e.mean()
    pull = (off / image(pair.master.master, "ERRS"))[good]
    # a pattern has no shot noise: with it the spread would be 0.75; 65000 pulls tell it to 0.3 %
    assert pull.std() == pytest.approx(1, abs=0.012)
    assert abs(pull.mean()) < 0.05
    assert pair.master.metrics["RAW RON"] == pytest.approx(RON, rel=0.01)
    assert pair.master.metrics["MBIAS MEDIAN"] == pytest.approx(1000, abs=12)
    assert not {"GAIN SLOPE", "DARK CURRENT", "MDARK MEDIAN"} & pair.master.metrics.keys()


def test_hot_pixel_rate_means_nothing_in_a_bias(pair, tmp_path):
    again = mbias(pair.bias.sof, output=tmp_path, overrides=["hot-pixel-rate=0.1"])
    assert again.metrics["HOTPIX NUM"] == pair.master.metrics["HOTPIX NUM"] == 0


def test_dark_type_without_exposure_is_a_bias(pair, tmp_path, edit):
    shutil.copytree(pair.bias.sof.parent, tmp_path / "b")
    frames = sorted((tmp_path / "b").glob("VIS*.fits"))
    for path in frames:
        edit(path, ESO_DPR_TYPE="DARK")
    assert mbias(frames, output=tmp_path / "o").metrics["NFRAMES"] == 10
    edit(frames[2], EXPTIME=10.0)
    with pytest.raises(InputError, match=r"bias_003\.fits: ESO DPR TYPE is 'DARK', expected a bia"):
        mbias(frames, output=tmp_path / "p")


def test_wrong_kind_is_refused(pair, tmp_path):
    with pytest.raises(InputError, match=r"VIS_dark_001\.fits: tagged DARK_VIS, mbias takes bias"):
        mbias(pair.dark.sof, output=tmp_path)
    with pytest.raises(InputError, match=r"bias_001\.fits: tagged BIAS_VIS, mdark takes dark"):
        mdark(pair.bias.sof, output=tmp_path)
    with pytest.raises(InputError, match=r"VIS_dark_001\.fits: ESO DPR TYPE is 'DARK'"):
        mbias(list(pair.dark.frames), output=tmp_path)


def test_bias_of_a_bias_is_refused(pair, tmp_path):
    sof = tmp_path / "b.sof"
    frames = "".join(f"{path} BIAS_VIS\n" for path in pair.bias.frames)
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_VIS\n")
    with pytest.raises(InputError, match="mbias subtracts no master bias"):
        mbias(sof, output=tmp_path)


# Subtracted


def test_errors_are_right(pair):
    good = ordinary(pair.truth, pair.bias_truth)
    pull = residual(pair.result, pair.truth, pair.bias_truth) / image(pair.result.master, "ERRS")
    assert np.count_nonzero(good) > 60000
    # the spread of 65000 pulls is known to 0.3 %
    assert pull[good].std() == pytest.approx(1, abs=0.03)
    expected = math.sqrt((RON**2 + DARK + 1 / 12) / 5 + (RON**2 + 1 / 12) / 10)
    assert np.median(image(pair.result.master, "ERRS")) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("darks", "biases"), [(5, 5), (25, 5), (9, 3)])
def test_pulls_of_other_numbers(tmp_path, darks, biases):
    pattern = np.random.default_rng(4).normal(0, 3, SHAPE).round().astype(int)
    dark, bias = made(tmp_path, darks, biases, pattern, seed=31)
    master = mbias(bias.sof, output=tmp_path / "o").master
    result = mdark(dark.sof, output=tmp_path / "o", master_bias=master)
    truths = read_truth(dark.truth), read_truth(bias.truth)
    errors = image(result.master, "ERRS")
    pull = (residual(result, *truths) / errors)[ordinary(*truths)]
    assert pull.std() == pytest.approx(1, abs=0.03)
    # the error of the bias is common to all darks: more of them do not lessen it
    assert np.median(errors) > 0.99 * math.sqrt((RON**2 + 1 / 12) / biases)


def test_frame_by_frame_with_ccdproc_has_wrong_errors(pair):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astropy.nddata import CCDData, StdDevUncertainty
        from ccdproc import subtract_bias
    bias = CCDData.read(
        pair.master.master, hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE"
    )
    noise = np.full(SHAPE, math.sqrt(RON**2 + DARK + 1 / 12))
    frames = [
        subtract_bias(
            CCDData(image(p).astype(float), unit="electron", uncertainty=StdDevUncertainty(noise)),
            bias,
        )
        for p in pair.dark.frames
    ]
    mean = np.mean([f.data for f in frames], axis=0)
    error = np.sqrt(np.sum([f.uncertainty.array**2 for f in frames], axis=0)) / len(frames)
    good = ordinary(pair.truth, pair.bias_truth)
    level = pair.truth.levels_e.mean() - pair.bias_truth.levels_e.mean()
    theirs = ((mean - pair.truth.expected - level) / error)[good].std()
    # sqrt((18/5 + 14.5/10) / (18/5 + 14.5/50))
    assert theirs == pytest.approx(1.13, abs=0.02)
    # what is subtracted is the same; 4-sigma clipping alone makes a difference
    ours = image(pair.result.master)
    assert np.median(np.abs(ours - mean)[good]) < 1e-3


def test_pattern_of_the_bias_makes_no_hot_pixels_and_hides_none(pair, tmp_path):
    without = mdark(pair.dark.sof, output=tmp_path)
    hot = (pair.truth.classes & PixelClass.HOT != 0) & (pair.truth.classes & PixelClass.LISTED == 0)
    good = ordinary(pair.truth, pair.bias_truth)
    found, lost = (image(r.master, "QUAL") & Flag.HOT != 0 for r in (pair.result, without))
    # the faintest has 18 e-, eight errors of 2.25 e-
    assert found[hot].mean() > 0.97
    assert lost[hot].mean() < 0.5
    assert np.count_nonzero(found[good]) == 0
    assert np.count_nonzero(image(pair.result.master, "QUAL")[good] & Flag.COLD) == 0


def test_columns_far_above_are_no_signal(tmp_path):
    pattern = np.zeros(SHAPE, int)
    pattern[:, ::37] = 60
    dark, bias = made(tmp_path, 5, 5, pattern)
    master = mbias(bias.sof, output=tmp_path / "o").master
    result = mdark(dark.sof, output=tmp_path / "o", master_bias=master)
    without = mdark(dark.sof, output=tmp_path / "p")
    assert any("GAIN SLOPE" in m.why for m in without.reduced.judged.concerns)
    assert result.reduced.judged.concerns == ()
    errors = image(result.master, "ERRS")
    good = ordinary(read_truth(dark.truth), read_truth(bias.truth))
    inside, outside = (np.median(errors[good & where]) for where in (pattern > 0, pattern == 0))
    assert inside == pytest.approx(outside, rel=0.01)
    # shot noise of 60 e- would have given sqrt((18 + 60) / 18) times
    assert np.median(image(without.master, "ERRS")[good & (pattern > 0)]) > 1.5 * outside / 1.4


def test_dark_current(pair):
    metrics = pair.result.metrics
    assert metrics["DARK CURRENT"] == pytest.approx(metrics["MDARK MEDIAN"] / 1800, abs=1e-8)
    drift = pair.result.metrics["LEVEL DRIFT"] / math.sqrt(5)
    error = math.hypot(drift, pair.master.metrics["LEVEL DRIFT"] / math.sqrt(10)) / 1800
    assert metrics["DARK CURRENT ERR"] == pytest.approx(error, abs=1e-8)
    assert metrics["DARK CURRENT"] == pytest.approx(DARK / 1800, abs=3 * error)
    # the typical dark is known, and taken out of the read noise
    assert metrics["RAW RON"] == pytest.approx(RON, rel=0.015)


def test_no_dark_current_with_a_pedestal_or_where_it_does_not_scale(pair, night, tmp_path):
    with_pedestal = mdark(pair.dark.sof, output=tmp_path / "v")
    nir = mdark(night.sof, output=tmp_path / "n")
    for result in (with_pedestal, nir):
        assert not [name for name in result.metrics if name.startswith("DARK CURRENT")]
    headers = [fits.getheader(r.master) for r in (with_pedestal, nir, pair.result)]
    assert [h["ESO PRO PEDESTAL"] for h in headers] == [True, False, False]


def test_header_record_and_log_name_the_bias(pair):
    path = pair.master.master
    header, bias = fits.getheader(pair.result.master), fits.getheader(path)
    found = {k: header[f"ESO PRO REC1 CAL1 {k}"] for k in ("NAME", "CATG", "DATAMD5")}
    assert found == {"NAME": path.name, "CATG": "MASTER_BIAS_VIS", "DATAMD5": bias["DATAMD5"]}
    entry = json.loads(pair.result.record_file.read_text())["master-bias"]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (entry["path"], entry["unit"]) == (str(path), "electron (BUNIT)")
    assert entry["sha256"] in pair.result.log.read_text()


def test_bias_of_the_sof(pair, tmp_path):
    sof = tmp_path / "darks.sof"
    frames = "".join(f"{path} DARK_VIS\n" for path in pair.dark.frames)
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_VIS\n")
    result = mdark(sof, output=tmp_path / "o", overrides=["require-master-bias=true"])
    np.testing.assert_array_equal(image(result.master), image(pair.result.master))
    sof.write_text(frames + f"{pair.master.master} MASTER_BIAS_UVB\n")
    shutil.rmtree(tmp_path / "o")
    path = changed(
        pair.master.master, tmp_path / "b.fits", lambda h: h[0].header.remove("ESO SEQ ARM")
    )
    sof.write_text(frames + f"{path} MASTER_BIAS_UVB\n")
    with pytest.raises(InputError, match=r"another setup than the frames: arm UVB \(expected VIS"):
        mdark(sof, output=tmp_path / "o")
    sof.write_text(frames + f"{path} MASTER_BIAS\n{path.parent}/c.fits MASTER_BIAS\n")
    shutil.copy(path, tmp_path / "c.fits")
    with pytest.raises(InputError, match=r"2 master biases \(lines 6 and 7\)"):
        mdark(sof, output=tmp_path / "o")


def test_required_bias(pair, tmp_path):
    refused(pair, tmp_path, "no master bias given", overrides=["require-master-bias=true"])


# Files


def test_mask_of_the_bias_becomes_input_flags(pair, tmp_path):
    def spoil(hdus):
        hdus["QUAL"].data[3, 5] = 1
        hdus[0].data[7, 9] = np.nan
        hdus["ERRS"].data[11, 13] = np.inf

    path = changed(pair.master.master, tmp_path / "b.fits", spoil)
    before = image(pair.master.master, "QUAL") != 0
    result = mdark(pair.dark.sof, output=tmp_path / "o", master_bias=path)
    flagged = image(result.master, "QUAL") & Flag.INPUT != 0
    np.testing.assert_array_equal(np.argwhere(flagged & ~before), [[3, 5], [7, 9], [11, 13]])
    for name in ("FLUX", "ERRS"):
        assert np.isfinite(image(result.master, name)).all()
    # it is subtracted all the same
    flux = [image(r.master)[3, 5] for r in (result, pair.result)]
    assert flux[0] == pytest.approx(flux[1], abs=0.01)


def plain(pixels: np.ndarray, header: fits.Header, *extensions) -> fits.HDUList:
    return fits.HDUList([fits.PrimaryHDU(pixels, header), *extensions])


def test_bias_in_adu_without_uncertainty(tmp_path):
    scene = {"arm": "VIS", "shape": (96, 128), "gain": 2.0, "ron": 6.0}
    files = simulate(tmp_path / "d", Scene(**scene))
    cards = fits.Header({"BUNIT": "ADU", "IMAGETYP": "Master bias"})
    plain(np.full((96, 128), 990.0), cards).writeto(tmp_path / "b.fits")
    result = mdark(files.sof, output=tmp_path / "o", master_bias=tmp_path / "b.fits")
    without = mdark(files.sof, output=tmp_path / "p")
    np.testing.assert_allclose(image(result.master), image(without.master) - 1980, atol=2e-4)
    errors = [image(r.master, "ERRS") for r in (result, without)]
    np.testing.assert_allclose(*errors, rtol=1e-6)
    said = " / ".join(result.record["remarks"])
    assert "b.fits has no uncertainty (ERRS or UNCERT): 0 assumed" in said
    lacking = "instrument, arm, binning, readout id, readout name, gain"
    assert f"b.fits does not say its {lacking}: not compared" in said
    assert "b.fits does not say how well its level is known" in said


@pytest.mark.parametrize(
    ("kind", "stored"),
    [("StdDevUncertainty", 2.0), ("VarianceUncertainty", 4.0), ("InverseVariance", 0.25)],
)
def test_kinds_of_uncertainty(night, tmp_path, kind, stored):
    errors = fits.ImageHDU(np.full((96, 128), stored), name="ERRS")
    errors.header["UTYPE"] = kind
    cards = fits.Header({"BUNIT": "electron"})
    plain(np.zeros((96, 128)), cards, errors).writeto(tmp_path / "b.fits")
    result = mdark(night.sof, output=tmp_path / "o", master_bias=tmp_path / "b.fits")
    without = mdark(night.sof, output=tmp_path / "p")
    used = image(without.master, "NCOM") > 0
    expected = np.hypot(image(without.master, "ERRS"), 2.0)
    np.testing.assert_allclose(image(result.master, "ERRS")[used], expected[used], rtol=1e-6)


def test_first_integer_extension_is_the_mask(night, tmp_path):
    mask = np.zeros((96, 128), "u1")
    mask[4, 2] = 1
    cards = fits.Header({"BUNIT": "electron"})
    hdus = plain(np.zeros((96, 128)), cards, fits.ImageHDU(mask, name="FLAWS"))
    hdus.writeto(tmp_path / "b.fits")
    result = mdark(night.sof, output=tmp_path / "o", master_bias=tmp_path / "b.fits")
    flagged = image(result.master, "QUAL") & Flag.INPUT != 0
    np.testing.assert_array_equal(np.argwhere(flagged), [[4, 2]])


def test_raw_shape_is_trimmed(tmp_path):
    scene = Scene(arm="VIS", frames=3, seed=3, cosmic_ray_rate=0.0)
    files = simulate(tmp_path / "d", scene)
    whole = np.full((4096, 908), 900.0)
    whole[:, 50:858] += np.arange(808) % 7
    cards = fits.Header({"BUNIT": "electron"})
    found = []
    for name, pixels in (("whole", whole), ("science", whole[:, 50:858])):
        plain(pixels, cards).writeto(tmp_path / f"{name}.fits")
        result = mdark(files.sof, output=tmp_path / name, master_bias=tmp_path / f"{name}.fits")
        found.append(image(result.master))
    assert found[0].shape == (4096, 808)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("card", "value", "said"),
    [
        ("ESO DET READ CURID", 2, r"readout id 2 \(expected 1\)"),
        ("ESO DET BINX", 2, r"binning 2x1 \(expected 1x1\)"),
        ("ESO DET OUT1 CONAD", 1.5, r"gain 1\.5 \(expected 1\)"),
        ("ESO SEQ ARM", "UVB", r"arm UVB \(expected VIS\)"),
        ("INSTRUME", "XSHOOTER", r"instrument XSHOOTER \(expected SOXS\)"),
    ],
)
def test_another_setup_is_refused(pair, tmp_path, card, value, said):
    path = changed(
        pair.master.master, tmp_path / "b.fits", lambda h: put_card(h[0].header, card, value)
    )
    refused(pair, tmp_path, rf"b\.fits: .* another setup than the frames: {said}", master_bias=path)


def test_exposure_time_is_not_compared(pair, tmp_path):
    path = changed(pair.master.master, tmp_path / "b.fits", lambda h: None, EXPTIME=0.1)
    result = mdark(pair.dark.sof, output=tmp_path / "o", master_bias=path)
    np.testing.assert_array_equal(image(result.master), image(pair.result.master))


def test_what_is_no_master_bias_is_refused(pair, tmp_path):
    refused(
        pair, tmp_path, r"darks_MDARK\.fits: ESO PRO CATG is 'MASTER_DARK_VIS', expected a master",
        master_bias=pair.result.master,
    )  # fmt: skip
    refused(
        pair, tmp_path, r"VIS_dark_002\.fits: ESO DPR TYPE is 'DARK', expected a master bias",
        master_bias=pair.dark.frames[1],
    )  # fmt: skip
    (tmp_path / "t.fits").write_text("no FITS")
    refused(
        pair, tmp_path, r"t\.fits: cannot be read as a master bias",
        master_bias=tmp_path / "t.fits",
    )  # fmt: skip
    refused(pair, tmp_path, r"gone\.fits: cannot be", master_bias=tmp_path / "gone.fits")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h[0].header.update({"BUNIT": "Jy"}), r"BUNIT is 'Jy', expected electron or ADU"),
        (lambda h: h["ERRS"].header.update({"UTYPE": "x"}), r"UTYPE of ERRS is 'x', expected Std"),
        (lambda h: plain(h[0].data[1:], h[0].header), r"master bias of 255x256 pixels, 256x256"),
        (lambda h: plain(h[0].data * np.nan, h[0].header), r"has no good pixel"),
        (lambda h: plain(None, h[0].header), r"holds no 2-D image"),
    ],
)
def test_unusable_files_are_refused(pair, tmp_path, change, said):
    def only_hdus(hdus):
        found = change(hdus)
        return found if isinstance(found, fits.HDUList) else None

    path = changed(pair.master.master, tmp_path / "b.fits", only_hdus)
    refused(pair, tmp_path, rf"b\.fits: {said}", master_bias=path)


def test_bias_is_never_written_over(pair, tmp_path):
    path = tmp_path / "darks_MDARK.fits"
    shutil.copy(pair.master.master, path)
    with pytest.raises(ProductError, match="is an input of this run"):
        mdark(pair.dark.sof, output=tmp_path, overwrite=True, master_bias=path)


@pytest.mark.parametrize(("arm", "turn"), [("UVB", 2), ("XSH-NIR", 1)])
def test_turned_detectors(tmp_path, arm, turn):
    """The pattern is put into raws; products, the bias among them, are turned."""
    common = {"arm": arm, "shape": (96, 128), "dark": 0.0, "cosmic_ray_rate": 0.0, **CLEAN}
    dark = simulate(tmp_path / "d", Scene(**common, seed=1, exptime=60.0, pedestal=1000.0))
    bias = simulate(tmp_path / "b", Scene(**common, seed=2, exptime=0.0, pedestal=1000.0))
    row, column = np.indices(image(dark.frames[0]).shape)
    pattern = 2 * row + column
    put(pattern, dark)
    put(pattern, bias)
    master = mbias(bias.sof, output=tmp_path / "o").master
    turned = np.rot90(pattern, turn) * fits.getheader(master)["ESO DET OUT1 CONAD"]
    assert np.std(image(master) - turned) < 1.1 * np.median(image(master, "ERRS"))
    result = mdark(dark.sof, output=tmp_path / "o", master_bias=master)
    assert np.std(image(result.master)) < 1.1 * np.median(image(result.master, "ERRS"))


# The command line


def test_commands(pair, tmp_path, capsys):
    out = str(tmp_path / "o")
    assert main(["mbias", str(pair.bias.sof), "-o", out]) == 0
    assert "biases_MBIAS.fits" in capsys.readouterr().out
    bias = f"{out}/biases_MBIAS.fits"
    assert main(["mdark", str(pair.dark.sof), "-o", out, "-q", "--master-bias", bias]) == 0
    assert capsys.readouterr() == ("", "")
    np.testing.assert_array_equal(image(f"{out}/darks_MDARK.fits"), image(pair.result.master))


# Real frames


def test_stl1001(shared_data, tmp_path):
    biases, darks = (
        sorted((shared_data / "stl1001").glob(name)) for name in ("bias*.FIT", "dark_10*.FIT")
    )
    halves = []
    for half in (0, 1):
        out = tmp_path / str(half)
        bias = mbias(biases[half::2], output=out, instrument="generic")
        assert (bias.qa_flag, bias.metrics["NFRAMES"]) == ("GOOD", 5)
        halves.append(
            mdark(darks[half::2], output=out, instrument="generic", master_bias=bias.master)
        )
    raw, zero = (np.median([image(p) for p in files], axis=0) for files in (darks, biases))
    # the level of five bias frames is known to about 1 e-, their median to half an ADU
    for result in halves:
        truth = 2.06 * np.median(raw - zero)
        assert result.metrics["MDARK MEDIAN"] == pytest.approx(truth, abs=3)
        assert result.metrics["DARK CURRENT"] == pytest.approx(truth / 30, abs=0.1)
    flux, errors, flags = (
        [image(r.master, name) for r in halves] for name in ("FLUX", "ERRS", "QUAL")
    )
    good = (flags[0] == 0) & (flags[1] == 0)
    pull = ((flux[0] - flux[1]) / np.hypot(*errors))[good]
    # 1 million pulls of independent halves, the temperature of the camera steady to 0.2 degrees
    assert pull.std() == pytest.approx(1, abs=0.03)
