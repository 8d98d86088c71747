"""What a header says of a dark."""

import pytest
from astropy.io import fits

from soxsdark.amplifiers import Sourced
from soxsdark.errors import InputError
from soxsdark.exposures import to_mjd
from soxsdark.instruments import Profile, load_profile, recognise
from soxsdark.settings import MdarkSettings
from soxsdark.setups import describe
from tests.setups.seen_headers import CCD, NIR, SETTINGS, header_of, seen

VIS = {
    "INSTRUME": "SOXS",
    "ESO DPR TYPE": "DARK",
    "ESO DPR CATG": "CALIB",
    "ESO SEQ ARM": "VIS",
    "EXPTIME": 3600,
    "ESO DET BINX": 2,
    "ESO DET BINY": 1,
    "MJD-OBS": 60000.0,
}


def test_nir_dark_in_full():
    found = seen(NIR, tag="DARK_NIR")
    assert list(found.setup.items()) == [
        ("instrument", "SOXS"),
        ("arm", "NIR"),
        ("exposure time", 300.0),
        ("DIT", 300.0),
        ("NDIT", 2),
        ("binning", None),
        ("window", None),
        ("readout id", 1),
        ("readout name", "NonDest"),
        ("gain", 2.3),
        ("shape", (2048, 2048)),
    ]
    assert (found.arm, found.exposure_time, found.ndit, found.binning) == ("NIR", 300, 2, (1, 1))
    assert found.gain == Sourced(2.3, "header ESO DET OUT1 CONAD")
    assert found.ron == Sourced(7.1, "header ESO DET CHIP RON")  # OUT1 RON 0.0 is unknown
    assert found.saturation == Sourced(None, "unknown")
    assert (found.window, found.trimmed) == ((slice(4, 2044), slice(4, 2044)), True)
    assert (found.pedestal, found.mjd_obs, found.temperature) == (False, 60000.25, 40.1)
    assert (found.image_type, found.date_obs) == ("DARK", "2023-02-25T06:00:00.000")
    assert found.remarks == found.warnings == ()


def test_vis_dark_with_hardly_any_keyword_takes_the_profile():
    found = seen(VIS, (4096, 454))
    assert found.gain == Sourced(1.0, "profile soxs")
    assert found.ron == Sourced(3.8, "profile soxs")
    assert found.saturation == Sourced(65535.0, "profile soxs")
    assert (found.binning, found.ndit, found.pedestal) == ((2, 1), 1, True)
    assert found.window == (slice(0, 4096), slice(25, 429))
    assert (found.temperature, found.date_obs) == (None, None)
    assert found.remarks == found.warnings == ()


def test_generic_dark():
    found = seen(CCD, (510, 765))
    assert found.gain == Sourced(2.55, "header EGAIN")
    assert found.ron == Sourced(None, "unknown")
    assert (found.arm, found.pedestal, found.temperature) == (None, None, -17.4)
    assert found.setup["window"] == (10, 20)
    assert found.setup["readout name"] == "Fast"
    assert (found.window, found.trimmed) == ((slice(0, 510), slice(0, 765)), False)
    assert found.remarks == ("instrument ST-7 not known: generic profile used",)
    assert found.mjd_obs == pytest.approx(58784.91186343, abs=1e-8)  # astropy Time("...").mjd


def test_settings_come_before_header_and_profile_and_zero_is_a_value():
    settings = MdarkSettings(gain=5.0, ron=0.0, saturation=60000, trim=False, instrument="soxs")
    found = seen(NIR, settings=settings)
    assert found.gain == Sourced(5.0, "settings")
    assert found.ron == Sourced(0.0, "settings")
    assert found.saturation == Sourced(60000.0, "settings")
    assert not found.trimmed
    assert found.remarks == ("not trimmed: trim is false, all pixels are used",)
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("cards", "changes", "message"),
    [
        (
            NIR,
            {"ESO DPR TYPE": "LAMP,FLAT"},
            r"a.fits: ESO DPR TYPE is 'LAMP,FLAT', expected a dark",
        ),
        (NIR, {"ESO DPR TYPE": None}, "ESO DPR TYPE is missing, expected a dark"),
        (NIR, {"ESO DPR CATG": "SCIENCE"}, "ESO DPR CATG is 'SCIENCE', expected CALIB"),
        (NIR, {"ESO PRO CATG": "MASTER_DARK_NIR"}, "ESO PRO CATG is 'MASTER_DARK_NIR', .* a raw"),
        (NIR, {"SXSPRE": True}, "SXSPRE is True, expected a raw frame"),
        (
            NIR,
            {"EXPTIME": None},
            "a.fits: EXPTIME is missing, expected a number of seconds above 0",
        ),
        (NIR, {"EXPTIME": "300.0"}, "EXPTIME is '300.0', expected a number"),
        (NIR, {"EXPTIME": -1.0}, "EXPTIME is -1.0, expected a number"),
        (NIR, {"EXPTIME": 0}, "EXPTIME is 0, .*a bias"),
        (NIR, {"EXPTIME": True}, "EXPTIME is True, expected a number"),
        (
            NIR,
            {"ESO SEQ ARM": None},
            r"ESO SEQ ARM is missing, expected one of NIR, VIS; .*DARK_<ARM>",
        ),
        (NIR, {"ESO DET NDIT": 0}, "ESO DET NDIT is 0, expected a whole number"),
        (VIS, {"ESO DET BINX": "1"}, "ESO DET BINX is '1', expected a whole number"),
        (VIS, {"ESO DET BINY": 1.5}, "ESO DET BINY is 1.5, expected a whole number"),
        (CCD, {"IMAGETYP": "LIGHT"}, r"IMAGETYP is 'LIGHT', expected a dark \(DARK\*\)"),
        (CCD, {"IMAGETYP": "Flat Dark"}, "IMAGETYP is 'Flat Dark'"),
        (CCD, {"EXPTIME": None}, "EXPTIME or EXPOSURE is missing"),
    ],
)
def test_frame_that_is_no_usable_dark(cards, changes, message):
    with pytest.raises(InputError, match=message):
        seen(cards, changes=changes)


def test_exposure_time_that_is_not_fits():
    cards = ("INSTRUME= 'X'", "IMAGETYP= 'DARK'", "EXPTIME =                  NaN / s")
    header = fits.Header.fromstring("".join(card.ljust(80) for card in (*cards, "END")))
    with pytest.raises(InputError, match="EXPTIME is 'not valid FITS', expected a number"):
        describe("a.fits", header, (4, 4), load_profile("generic"), SETTINGS)


def test_not_a_number_in_a_mapping_is_refused():
    with pytest.raises(InputError, match="EXPTIME is nan, expected a number"):
        describe("a.fits", {**CCD, "EXPTIME": float("nan")}, (4, 4), recognise(""), SETTINGS)


def test_optional_card_that_is_not_fits_or_undefined_is_missing():
    cards = ("IMAGETYP= 'DARK'", "EXPTIME = 5", "CCD-TEMP= NaN", "EGAIN   =", "GAIN    = 1.5")
    header = fits.Header.fromstring("".join(card.ljust(80) for card in (*cards, "END")))
    found = describe("a.fits", header, (4, 4), load_profile("generic"), SETTINGS)
    assert found.temperature is None
    assert found.gain == Sourced(1.5, "header GAIN")


def test_arm_of_the_tag():
    assert seen(NIR, tag="DARK_NIR", changes={"ESO SEQ ARM": None}).arm == "NIR"
    assert seen(NIR, tag="DARK").arm == "NIR"
    assert seen(CCD, tag="DARK_UVB").arm == "UVB"
    with pytest.raises(InputError, match="ESO SEQ ARM is 'VIS', expected NIR, as the tag DARK_NIR"):
        seen(VIS, tag="DARK_NIR")


def test_arm_that_the_profile_lacks_is_a_remark():
    found = seen(NIR, changes={"ESO SEQ ARM": "UVB"})
    assert found.remarks == ("arm UVB is not in profile soxs: detector not known",)
    assert (found.trimmed, found.pedestal) == (False, None)


@pytest.mark.parametrize(
    ("tag", "remark"),
    [
        (None, "taken as a dark because the user says so"),
        ("DARK", "taken as a dark because tag DARK says so"),
    ],
)
def test_generic_frame_without_type_is_taken_with_a_remark(tag, remark):
    found = seen(CCD, tag=tag, changes={"IMAGETYP": "   "})
    assert found.image_type == ""
    assert any(remark in text for text in found.remarks)


def test_capitals_of_a_profile_count_no_more_than_those_of_a_header():
    own = Profile.model_validate(
        {
            "name": "own",
            "keywords": {
                "exposure-time": ["EXPTIME"], "image-type": ["IMAGETYP"], "arm": ["FILTER"],
                "image-category": ["OBSCLASS"],
            },
            "dark-types": ["Dark*"], "dark-categories": ["Calib"],
            "setup": ["exposure time", "shape"], "arms": {"red": {"gain": 3.5}},
        }
    )  # fmt: skip
    cards = {**CCD, "EGAIN": None, "FILTER": "Red", "OBSCLASS": "calib"}
    found = describe("a.fits", header_of(cards), (4, 4), own, SETTINGS)
    assert (found.arm, found.gain) == ("RED", Sourced(3.5, "profile own"))
    assert found.warnings == ()


def test_other_generic_keywords():
    changes = {"EXPTIME": None, "EXPOSURE": 7.0, "IMAGETYP": None, "OBSTYPE": "dark"}
    found = seen(CCD, changes=changes)
    assert (found.exposure_time, found.image_type) == (7.0, "dark")


@pytest.mark.parametrize("instrument", [None, "", "X"])
def test_generic_profile_is_remarked_unless_asked_for(instrument):
    found = seen(CCD, changes={"INSTRUME": instrument})
    known = "instrument X not known" if instrument else "no instrument in the header"
    assert found.remarks == (f"{known}: generic profile used",)
    asked = MdarkSettings(instrument="generic")
    assert seen(CCD, settings=asked).remarks == ()


@pytest.mark.parametrize("bad", [0.0, -2.0, "High", True])
def test_gain_that_is_none(bad):
    found = seen(CCD, changes={"EGAIN": bad})
    assert found.gain == Sourced(1.0, "assumed")
    assert found.warnings == ("gain unknown: 1 e-/ADU assumed; set gain in the settings",)
    assert seen(CCD, changes={"EGAIN": bad, "GAIN": 3.0}).gain == Sourced(3.0, "header GAIN")


def test_eso_gain_is_the_inverse():
    found = seen(NIR, changes={"ESO DET OUT1 CONAD": None, "ESO DET OUT1 GAIN": 0.5})
    assert found.gain == Sourced(2.0, "header ESO DET OUT1 GAIN")
    found = seen(CCD, changes={"EGAIN": None, "ESO DET OUT1 GAIN": 0.25})
    assert found.gain == Sourced(4.0, "header ESO DET OUT1 GAIN")
    assert seen(CCD, changes={"ESO DET OUT1 CONAD": 1.5}).gain.value == 1.5


@pytest.mark.parametrize(
    ("conad", "gain", "remarks", "warnings"),
    [
        (2.3, 1 / 2.3, 0, 0),
        (2.3, 1.04 / 2.3, 0, 0),
        (2.3, 1.06 / 2.3, 1, 0),
        (2.3, 2.3, 1, 0),
        (2.7, 1 / 2.7, 0, 0),  # 17 % above the profile's
        (2.8, 1 / 2.8, 0, 1),  # 22 %
        (1.8, 1 / 1.8, 0, 1),  # -22 %
    ],
)
def test_gains_that_disagree(conad, gain, remarks, warnings):
    found = seen(NIR, changes={"ESO DET OUT1 CONAD": conad, "ESO DET OUT1 GAIN": gain})
    assert found.gain.value == conad
    assert (len(found.remarks), len(found.warnings)) == (remarks, warnings)
    assert all("expected 1: ESO DET OUT1 CONAD taken" in text for text in found.remarks)
    assert all("more than 20% from the profile's 2.3" in text for text in found.warnings)


def test_exposure_time_that_is_not_that_of_one_dit():
    found = seen(NIR, changes={"EXPTIME": 600.0})
    assert found.exposure_time == 600.0
    assert found.warnings == ("EXPTIME 600 s differs from ESO DET SEQ1 DIT 300 s: EXPTIME taken",)


@pytest.mark.parametrize(
    ("date", "mjd"),
    [
        ("1858-11-17T00:00:00", 0.0),
        ("2000-01-01T12:00:00", 51544.5),  # J2000.0
        ("2000-01-01T12:00:00Z", 51544.5),
        ("2000-01-01T14:00:00+02:00", 51544.5),
        ("28/10/19", None),
        ("soon", None),
    ],
)
def test_date_to_mjd(date, mjd):
    assert to_mjd(date) == mjd


@pytest.mark.parametrize(
    ("date", "apart"),
    [
        ("2023-02-25T06:00:00", ""),  # 60000.25
        ("2023-02-25", ""),  # without its time
        ("2023-02-23T18:00:00", "1.5 days apart"),
        ("2024-02-25T06:00:00", "365 days apart"),
    ],
)
def test_dates_that_disagree(date, apart):
    found = seen(NIR, changes={"MJD-OBS": 60000.25, "DATE-OBS": date})
    said = f"MJD-OBS 60000.25000 and DATE-OBS {date} are {apart}: MJD-OBS taken"
    assert found.warnings == ((said,) if apart else ())
    assert found.mjd_obs == 60000.25


def test_unknown_start_is_a_remark():
    found = seen(CCD, changes={"DATE-OBS": "28/10/19"})
    assert found.mjd_obs is None
    assert "start of the exposure unknown: no MJD-OBS, DATE-OBS is '28/10/19'" in found.remarks
    found = seen(NIR, changes={"MJD-OBS": None, "DATE-OBS": None})
    assert found.remarks == ("start of the exposure unknown: no MJD-OBS, no DATE-OBS",)
