"""The products: what other programs read, what the headers say, what a bad-pixel map may be."""

import hashlib
import os
import shutil
import subprocess
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from soxsdark.errors import InputError, ProductError
from soxsdark.headers import ProductFacts, kept_header, make_card, product_header
from soxsdark.product import (
    Mask,
    Master,
    Product,
    read_input_mask,
    read_mask,
    write_products,
)
from soxsdark.verdicts import Metric

NOW = datetime(2024, 5, 2, 12, 0, 1, tzinfo=UTC)
SHAPE = (30, 40)
LONG_NAME = "SOXS_" + "x" * 60 + ".fits"
FACTS = ProductFacts(
    version="0.1",
    run_id="20240502T120000-abcd",
    products={"MASTER_DARK": "darks_MDARK.fits", "BP_MAP": "darks_BPM.fits"},
    raws=(("a.fits", "DARK_NIR"), (LONG_NAME, "DARK_NIR"), ("c.fits", None)),
    calibrations=(("bpm.fits", "BP_MAP_NIR", "0" * 32), ("é.fits", "BP_MAP_NIR", None)),
    parameters=(("stacked-clipping-sigma", 4.0), ("gain", None), ("trim", True), ("r", (1, 2.5))),
    metrics=(
        Metric("MDARK MEDIAN", np.float64(1.25), "electron", "x"),
        Metric("HOTPIX NUM", np.int64(7), "count", "hot pixels"),
        Metric("FPN", float("nan"), "electron", "no value"),
        Metric("RAW RON", 7.3, "electron", "y", error=0.00123),
        Metric("DARK CURRENT ERR", 1.23456789012e-05, "electron/s", "y" * 80),
    ),
    exposure_time=300.0,
    total_exposure=900.0,
    arm="NIR",
    first_date_obs="2024-05-01T01:00:00.000",
    first_mjd=60431.0416666667,
    last_mjd=60431.0555555556,
    window=(slice(4, 34), slice(6, 46)),
    trimmed=True,
    qa_flag="GOOD",
)


def raw_header() -> fits.Header:
    cards = [
        ("BITPIX", 16, ""),
        ("BZERO", 32768, ""),
        ("BSCALE", 1, ""),
        ("BLANK", -1, ""),
        ("ZIMAGE", True, ""),
        ("ZCMPTYPE", "RICE_1", ""),
        ("ZD", 12.5, "zenith distance"),
        ("DATAMAX", 65535, ""),
        ("DATASEC", "[7:46,5:34]", ""),
        ("BUNIT", "adu", ""),
        ("CHECKSUM", "abc", ""),
        ("ARCFILE", "SOXS.2024.fits", ""),
        ("ORIGFILE", "dark.fits", ""),
        ("INSTRUME", "SOXS", ""),
        ("ORIGIN", "ESO", ""),
        ("DATE", "2000-01-01T00:00:00", ""),
        ("DATE-OBS", "2000-01-01T00:00:00", ""),
        ("EXPTIME", 1.0, ""),
        ("CTYPE1", "PIXEL", ""),
        ("CTYPE2", "PIXEL", ""),
        ("CRPIX1", 10.0, ""),
        ("CRPIX2", 20.0, ""),
        ("CRVAL1", 1.0, ""),
        ("CRVAL2", 1.0, ""),
        ("CDELT1", 1.0, ""),
        ("CDELT2", 1.0, ""),
        ("HIERARCH ESO DPR TYPE", "DARK", ""),
        ("HIERARCH ESO DPR TECH", "ECHELLE,SLIT", ""),
        ("HIERARCH ESO SEQ ARM", "NIR", ""),
        ("HIERARCH ESO DET BINX", 1, ""),
        ("HIERARCH ESO DET READ CURID", 2, ""),
        ("HIERARCH ESO DET READ CURNAME", "NonDest", ""),
        ("HIERARCH ESO DET OUT1 CONAD", 2.3, "[e-/ADU] " + "long " * 6),
        ("HIERARCH ESO DET OUT1 PRSCX", 6, ""),
        ("HIERARCH ESO INS TEMP217 VAL", 41.5, "[K]"),
        ("HIERARCH ESO TPL ID", "SOXS_gen_cal_Dark", ""),
        ("HIERARCH ESO OBS START", None, ""),
        ("HIERARCH ESO PRO CATG", "OLD", ""),
        ("COMMENT", "  FITS (Flexible Image Transport System) format is defined", ""),
        ("COMMENT", "shutter closed", ""),
        ("HISTORY", "warmed up at noon", ""),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header([fits.Card(*card) for card in cards])


def write_one(path: Path, content: Master | Mask, header: fits.Header) -> None:
    write_products([Product(path, content, header)])


def header(category: str = "MASTER_DARK", **changes: object) -> fits.Header:
    return product_header(raw_header(), replace(FACTS, **changes), category, now=NOW)


def master() -> Master:
    rng = np.random.default_rng(1)
    qual = np.zeros(SHAPE, np.uint16)
    qual[3, 4], qual[5, 6] = 256, 16384 + 8192
    return Master(rng.normal(5, 1, SHAPE), rng.random(SHAPE) + 1, qual, np.full(SHAPE, 5))


def mask() -> Mask:
    return Mask(master().qual, master().errs, np.ones(SHAPE, bool).astype(int))


def parse(*lines: str) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fits.Header.fromstring("".join(line.ljust(80) for line in lines))


# headers


def test_what_is_kept_of_the_raw() -> None:
    kept = header()
    for key, value in {
        "INSTRUME": "SOXS",
        "ORIGIN": "ESO",
        "ZD": 12.5,
        "ESO SEQ ARM": "NIR",
        "ESO DET BINX": 1,
        "ESO DET READ CURID": 2,
        "ESO DET READ CURNAME": "NonDest",
        "ESO DET OUT1 CONAD": 2.3,
        "ESO INS TEMP217 VAL": 41.5,
        "ESO TPL ID": "SOXS_gen_cal_Dark",
    }.items():
        assert kept[key] == value
    assert list(kept["COMMENT"]) == ["shutter closed"]
    assert list(kept["HISTORY"]) == ["warmed up at noon"]


@pytest.mark.parametrize(
    "key",
    ["BZERO", "BSCALE", "BLANK", "ZIMAGE", "ZCMPTYPE", "DATAMAX", "DATASEC", "BUNIT", "BITPIX"]
    + ["CHECKSUM", "ARCFILE", "ORIGFILE", "ESO DPR TYPE", "ESO DPR TECH", "ESO DET OUT1 PRSCX"]
    + ["ESO OBS START"],
)
def test_what_is_not_kept(key: str) -> None:
    assert key in raw_header()
    assert key not in header()


def test_sections_stay_when_nothing_is_trimmed() -> None:
    kept = header(trimmed=False)
    assert kept["DATASEC"] == "[7:46,5:34]"
    assert kept["CRPIX1"] == 10.0
    assert "LTV1" not in kept


def test_reference_pixels_move_with_the_window() -> None:
    kept = header()
    assert (kept["CRPIX1"], kept["CRPIX2"]) == (4.0, 16.0)
    assert (kept["LTV1"], kept["LTV2"]) == (-6.0, -4.0)


def test_what_is_written() -> None:
    written = header()
    for key, value in {
        "DATE": "2024-05-02T12:00:01",
        "DATE-OBS": "2024-05-01T01:00:00.000",
        "DATE-END": "2024-05-01T01:20:00.000",
        "MJD-OBS": 60431.0416666667,
        "MJD-END": 60431.0555555556,
        "EXPTIME": 300.0,
        "TEXPTIME": 900.0,
        "PIPEFILE": "darks_MDARK.fits",
        "ESO PRO CATG": "MASTER_DARK_NIR",
        "ESO PRO TYPE": "REDUCED",
        "ESO PRO TECH": "ECHELLE,SLIT",
        "ESO PRO SCIENCE": False,
        "ESO PRO DATANCOM": 3,
        "ESO PRO DID": "PRO-1.16",
        "ESO PRO RUNID": "20240502T120000-abcd",
        "ESO PRO QA FLAG": "GOOD",
        "ESO PRO REC1 ID": "mdark",
        "ESO PRO REC1 PIPE ID": "soxsdark/0.1",
        "ESO PRO REC1 DRS ID": "soxsdark-0.1",
        "ESO PRO REC1 RAW1 NAME": "a.fits",
        "ESO PRO REC1 RAW1 CATG": "DARK_NIR",
        "ESO PRO REC1 RAW2 NAME": LONG_NAME,
        "ESO PRO REC1 CAL1 NAME": "bpm.fits",
        "ESO PRO REC1 CAL1 CATG": "BP_MAP_NIR",
        "ESO PRO REC1 CAL1 DATAMD5": "0" * 32,
        "ESO PRO REC1 CAL2 NAME": "?.fits",
        "ESO PRO REC1 PARAM1 NAME": "stacked-clipping-sigma",
        "ESO PRO REC1 PARAM1 VALUE": "4.0",
        "ESO PRO REC1 PARAM2 VALUE": "null",
        "ESO PRO REC1 PARAM3 VALUE": "true",
        "ESO PRO REC1 PARAM4 VALUE": "[1, 2.5]",
        "ESO QC MDARK MEDIAN": 1.25,
        "ESO QC HOTPIX NUM": 7,
        "ESO QC DARK CURRENT ERR": 1.23456789012e-05,
    }.items():
        assert written[key] == value, key
    assert "ESO PRO REC1 RAW3 CATG" not in written
    assert "ESO PRO REC1 CAL2 DATAMD5" not in written
    assert "ESO QC FPN" not in written
    assert written.comments["ESO QC MDARK MEDIAN"] == "[electron] x"
    assert written.comments["ESO QC RAW RON"] == "[electron] +-0.0012 y"
    assert written.comments["ESO QC DARK CURRENT ERR"].startswith("[electron/s]")


def test_without_an_arm_and_without_dates() -> None:
    raw = parse("EXPTIME =                 30.0", "IMAGETYP= 'DARK    '")
    facts = replace(FACTS, arm=None, first_date_obs=None, first_mjd=None, last_mjd=None)
    written = product_header(raw, facts, "BP_MAP", now=NOW)
    assert written["ESO PRO CATG"] == "BP_MAP"
    assert written["ESO PRO TECH"] == "IMAGE"
    assert written["PIPEFILE"] == "darks_BPM.fits"
    assert not {"DATE-OBS", "MJD-OBS", "MJD-END", "ESO SEQ ARM", "INSTRUME"} & set(written)


def test_one_form_of_the_date_gives_the_other() -> None:
    assert header(first_mjd=None)["MJD-OBS"] == pytest.approx(60431 + 1 / 24, abs=1e-7)
    assert header(first_date_obs=None)["DATE-OBS"] == "2024-05-01T01:00:00.000"
    assert "MJD-OBS" not in header(first_mjd=None, first_date_obs="2024-05-01")
    assert "MJD-OBS" not in header(first_mjd=None, first_date_obs="last night")


def test_broken_cards_are_left_out_with_a_remark() -> None:
    raw = parse(
        "GOOD    =                    1",
        "BAD     = 12abc",
        "OPEN    = 'no end",
        "NANVALUE= NaN",
        "DUP     =                    1 / first",
        "DUP     =                    2 / second",
        "NOEQUAL 'x'",
        "HIERARCH ESO BROKEN = 'no end",
        "\xc9\xc8      =                    1",
        "ACCENT  =                    3 / caf\xe9",
        "DP1     = 'AXIS.1: 2'",
        "LAST    =                    9",
    )
    kept, remarks = kept_header(raw, trimmed=True)
    assert {key: kept[key] for key in ("GOOD", "DUP", "ACCENT", "LAST")} == {
        "GOOD": 1,
        "DUP": 1,
        "ACCENT": 3,
        "LAST": 9,
    }
    assert kept.comments["ACCENT"] == "caf?"
    assert not {"BAD", "OPEN", "NANVALUE", "ESO BROKEN"} & set(kept)
    assert "key DUP stands twice in the first header, first one kept" in remarks
    for number in (2, 3, 4, 8, 9):
        assert f"card {number} of the first header cannot be read, left out" in remarks


def test_a_broken_technique_is_an_image() -> None:
    raw = parse("HIERARCH ESO DPR TECH = 'no end", "EXPTIME = 12abc")
    written = product_header(raw, FACTS, "MASTER_DARK", now=NOW)
    assert written["ESO PRO TECH"] == "IMAGE"
    assert written["EXPTIME"] == 300.0


@pytest.mark.parametrize("length", range(1, 90, 4))
@pytest.mark.parametrize("keyword", ["PIPEFILE", "ESO PRO REC1 RAW12 NAME", "ESO QC A"])
def test_cards_of_any_length(keyword: str, length: int) -> None:
    value = ("it's " * 20)[:length].strip()
    card = make_card(keyword, value, "[electron] " + "word " * 30)
    back = fits.Header.fromstring(card.image)
    assert back[keyword] == value
    comment = back.comments[keyword]
    assert comment == "" or comment.startswith("[electron]")
    assert len(card.image) % 80 == 0


def test_a_unit_is_whole_or_absent() -> None:
    keyword = "ESO QC " + "X" * 40
    assert make_card(keyword, 1.5, "[electron] some words").comment == "[electron] some"
    assert make_card(keyword, 1.2345678901234, "[electron] some words").comment == ""


# products


def test_master_as_ccddata(tmp_path: Path) -> None:
    path, images = tmp_path / "m.fits", master()
    write_one(path, images, header())
    ccd = CCDData.read(path, hdu_uncertainty="ERRS", hdu_mask="QUAL", key_uncertainty_type="UTYPE")
    assert ccd.unit == "electron"
    assert isinstance(ccd.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(ccd.data, images.flux.astype(np.float32))
    np.testing.assert_array_equal(ccd.uncertainty.array, images.errs.astype(np.float32))
    np.testing.assert_array_equal(ccd.mask, images.qual != 0)


def test_layout_and_checksums(tmp_path: Path) -> None:
    written = write_products(
        [
            Product(tmp_path / "m.fits", master(), header()),
            Product(tmp_path / "b.fits", mask(), header("BP_MAP")),
        ]
    )
    for file in written:
        content = (tmp_path / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    for name, layout in (
        ("m.fits", [("FLUX", -32), ("QUAL", 16), ("ERRS", -32), ("NCOM", 16)]),
        ("b.fits", [("QUAL", 16), ("NOISE", -32), ("NREJ", 16)]),
    ):
        with fits.open(tmp_path / name, checksum=True) as hdus:
            assert [(hdu.name, hdu.header["BITPIX"]) for hdu in hdus] == layout
            for hdu in hdus:
                assert hdu.verify_checksum() == 1
                assert hdu.verify_datasum() == 1
                floats = hdu.header["BITPIX"] < 0
                assert hdu.header.get("BUNIT") == ("electron" if floats else None)


def test_datamd5_is_that_of_the_data_units(tmp_path: Path) -> None:
    path = tmp_path / "m.fits"
    write_one(path, master(), header())
    content, digest = path.read_bytes(), hashlib.md5()
    with fits.open(path) as hdus:
        for hdu in hdus:
            info = hdu.fileinfo()
            digest.update(content[info["datLoc"] : info["datLoc"] + info["datSpan"]])
        assert hdus[0].header["DATAMD5"] == digest.hexdigest()


@pytest.mark.parametrize("raw", [raw_header(), parse("EXPTIME =                 30.0")])
def test_fitsverify_finds_nothing(tmp_path: Path, raw: fits.Header) -> None:
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    write_one(tmp_path / "m.fits", master(), product_header(raw, FACTS, "MASTER_DARK"))
    write_one(tmp_path / "b.fits", mask(), product_header(raw, FACTS, "BP_MAP"))
    for name in ("m.fits", "b.fits"):
        answer = subprocess.run(
            [program, tmp_path / name], capture_output=True, text=True, check=False
        )
        assert "found 0 warning(s) and 0 error(s)" in answer.stdout, answer.stdout
        assert answer.returncode == 0


def test_headers_are_left_as_they_were(tmp_path: Path) -> None:
    mine = header()
    before = mine.tostring()
    write_one(tmp_path / "m.fits", master(), mine)
    assert mine.tostring() == before


def test_big_counts_need_int32(tmp_path: Path) -> None:
    images = replace(master(), ncom=np.full(SHAPE, 40000))
    write_one(tmp_path / "m.fits", images, header())
    counts = fits.getdata(tmp_path / "m.fits", "NCOM")
    assert counts.dtype.itemsize == 4
    assert np.all(counts == 40000)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"differ in shape: .*'ERRS': \(2, 2\)"):
        write_one(tmp_path / "m.fits", replace(master(), errs=np.ones((2, 2))), header())
    with pytest.raises(ValueError, match="up to 4294967296 do not fit"):
        write_one(tmp_path / "b.fits", replace(mask(), flags=np.full(SHAPE, 2**32)), header())
    with pytest.raises(ProductError, match=r"no/m\.fits: cannot be written"):
        write_one(tmp_path / "no" / "m.fits", master(), header())


def test_file_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_one(tmp_path / "b.fits", mask(), header())
    finally:
        os.umask(before)
    assert (tmp_path / "b.fits").stat().st_mode & 0o777 == 0o640


# bad-pixel maps

BAD = np.zeros(SHAPE, bool)
BAD[3, 4] = BAD[29, 39] = True


def test_read_our_own(tmp_path: Path) -> None:
    write_one(tmp_path / "b.fits", mask(), header("BP_MAP"))
    bad = read_mask(tmp_path / "b.fits")
    assert bad.dtype == bool
    np.testing.assert_array_equal(bad, mask().flags != 0)
    write_one(tmp_path / "m.fits", master(), header())
    np.testing.assert_array_equal(read_mask(tmp_path / "m.fits"), master().qual != 0)


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["b.fits", "b.fits.gz"])
@pytest.mark.parametrize("extension", [False, True])
def test_read_anyone_s(tmp_path: Path, kind: str, name: str, extension: bool) -> None:
    pixels = BAD.astype(kind) * 3
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(pixels)] if extension else [fits.PrimaryHDU(pixels)]
    fits.HDUList(hdus).writeto(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name), BAD)


def test_read_compressed(tmp_path: Path) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(BAD.astype("i2"))])
    hdus.writeto(tmp_path / "b.fits.fz")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits.fz"), BAD)


@pytest.mark.parametrize("name", ["b.fits", "b.fits.gz"])
def test_read_as_input_of_an_arm(tmp_path: Path, name: str) -> None:
    def write(**cards: str) -> None:
        head = fits.Header([(key.replace("_", " "), value) for key, value in cards.items()])
        fits.PrimaryHDU(BAD.astype("i2"), head).writeto(tmp_path / name, overwrite=True)

    warnings.simplefilter("ignore", fits.verify.VerifyWarning)
    for cards in ({}, {"ESO_SEQ_ARM": "nir"}, {"ESO_PRO_CATG": "BP_MAP_NIR", "IMAGETYP": "DARK"}):
        write(**cards)
        np.testing.assert_array_equal(read_input_mask(tmp_path / name, "NIR"), BAD)
    write(ESO_SEQ_ARM="VIS")
    with pytest.raises(InputError, match="bad-pixel map of arm VIS, the frames are of NIR"):
        read_input_mask(tmp_path / name, "NIR")
    write(ESO_PRO_CATG="MASTER_DARK_NIR")
    with pytest.raises(InputError, match="ESO PRO CATG is 'MASTER_DARK_NIR', expected a bad-pixel"):
        read_input_mask(tmp_path / name, "NIR")
    write(IMAGETYP="DARK")
    with pytest.raises(InputError, match="IMAGETYP is 'DARK', a raw frame: expected a bad-pixel"):
        read_input_mask(tmp_path / name, None)


def test_nan_is_bad(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "b.fits", np.where(BAD, np.nan, 0.0))
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits"), BAD)


def test_read_what_ccddata_wrote(tmp_path: Path) -> None:
    CCDData(BAD.astype("u1"), unit="").write(tmp_path / "a.fits")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.fits"), BAD)
    CCDData(np.full(SHAPE, 5.0), unit="electron", mask=BAD).write(tmp_path / "b.fits")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.fits"), BAD)


def test_maps_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "b.fits"
    with pytest.raises(InputError, match=r"b\.fits: cannot be read .*: .*No such file"):
        read_mask(path)
    path.write_text("not FITS")
    with pytest.raises(InputError, match=r"b\.fits: cannot be read as a bad-pixel map"):
        read_mask(path)
    fits.writeto(path, np.zeros((2, 3, 4)), overwrite=True)
    with pytest.raises(InputError, match=r"b\.fits: holds no 2-D image"):
        read_mask(path)
    fits.writeto(path, np.ones(SHAPE), overwrite=True)
    with pytest.raises(InputError, match=r"b\.fits: marks every pixel as bad"):
        read_mask(path)


@pytest.mark.parametrize("compress", [False, True])
def test_a_truncated_map(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / ("b.fits.gz" if compress else "b.fits")
    fits.writeto(path, np.random.default_rng(1).integers(0, 2, (200, 200)).astype("i2"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="cannot be read as a bad-pixel map"):
        read_mask(path)
