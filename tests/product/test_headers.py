"""Headers of products: what is kept of the raw, what is written."""

from dataclasses import replace

import pytest
from astropy.io import fits

from soxsdark.headers import kept_header, make_card, product_header
from tests.product.made import FACTS, LONG_NAME, NOW, header, parse, raw_header


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
