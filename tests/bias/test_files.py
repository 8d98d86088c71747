"""Files that serve as a bias, and those that do not."""

import shutil

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.errors import ProductError
from soxsdark.flags import Flag
from soxsdark.simulator import Scene, simulate
from tests.bias.pairs import CLEAN, changed, image, put, refused


def put_card(header: fits.Header, card: str, value) -> None:
    header[f"HIERARCH {card}" if " " in card else card] = value


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
    refused(pair, tmp_path, r"gone\.fits: no such file", master_bias=tmp_path / "gone.fits")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda h: h[0].header.update({"BUNIT": "Jy"}),
            r"BUNIT is .Jy., .*; correct the header",
        ),
        (lambda h: h["ERRS"].header.update({"UTYPE": "x"}), r"UTYPE of ERRS is 'x', expected Std"),
        (lambda h: plain(h[0].data[1:], h[0].header), r"master bias of 255x256 pixels, 256x256"),
        (lambda h: plain(h[0].data * np.nan, h[0].header), r"has no good pixel.*; make it again"),
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
