"""What a header says of a dark, and whether a set is of one setup."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark.amplifiers import Sourced
from soxsdark.errors import InputError
from soxsdark.exposures import to_mjd
from soxsdark.instruments import load_profile, recognise
from soxsdark.one_setup import check_one_setup, setup_remarks
from soxsdark.settings import MdarkSettings
from soxsdark.setups import describe

SETTINGS = MdarkSettings()
NIR = {
    "INSTRUME": "SOXS    ",
    "ESO DPR TYPE": "DARK",
    "ESO DPR CATG": "CALIB",
    "ESO SEQ ARM": "NIR ",
    "EXPTIME": 300.0,
    "ESO DET SEQ1 DIT": 300.0,
    "ESO DET NDIT": 2,
    "ESO DET READ CURID": 1,
    "ESO DET READ CURNAME": "NonDest ",
    "ESO DET OUT1 CONAD": 2.3,
    "ESO DET OUT1 GAIN": 0.4348,
    "ESO DET OUT1 RON": 0.0,
    "ESO DET CHIP RON": 7.1,
    "ESO INS TEMP217 VAL": 40.1,
    "MJD-OBS": 60000.25,
    "DATE-OBS": "2023-02-25T06:00:00.000",
}
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
CCD = {
    "INSTRUME": "ST-7",
    "EXPTIME": 120.0,
    "IMAGETYP": "Dark Frame          ",
    "EGAIN": 2.55,
    "XBINNING": 1,
    "YBINNING": 1,
    "CCD-TEMP": -17.4,
    "READOUTM": "Fast",
    "XORGSUBF": 10,
    "YORGSUBF": 20,
    "DATE-OBS": "2019-10-28T21:53:05",
}


def header_of(cards: dict, **changes) -> fits.Header:
    """Make a real header; a change to None removes a card, ``__`` in a name is a blank or dash."""
    header = fits.Header()
    for key, value in {**cards, **changes}.items():
        if value is not None:
            header[f"HIERARCH {key}" if " " in key else key] = value
    return header


def seen(cards, shape=(2048, 2048), tag=None, settings=SETTINGS, name="a.fits", changes=None):
    header = header_of(cards, **(changes or {}))
    profile = recognise(header.get("INSTRUME"))
    return describe(Path(name), header, shape, profile, settings, tag)


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


def test_unknown_start_is_a_remark():
    found = seen(CCD, changes={"DATE-OBS": "28/10/19"})
    assert found.mjd_obs is None
    assert "start of the exposure unknown: no MJD-OBS, DATE-OBS is '28/10/19'" in found.remarks
    found = seen(NIR, changes={"MJD-OBS": None, "DATE-OBS": None})
    assert found.remarks == ("start of the exposure unknown: no MJD-OBS, no DATE-OBS",)


def test_one_setup_passes():
    check_one_setup([seen(NIR, name=f"{n}.fits", changes={"MJD-OBS": 6e4 + n}) for n in range(3)])


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("arm, gain, shape", {"ESO SEQ ARM": "VIS", "ESO DET OUT1 CONAD": 1.0}),
        ("exposure time", {"EXPTIME": 300.0000001}),
        ("NDIT", {"ESO DET NDIT": 3}),
        ("NDIT", {"ESO DET NDIT": None}),
        ("binning", {"ESO DET BINX": 2}),
        ("window", {"ESO DET WIN1 STRX": 5}),
        ("readout id", {"ESO DET READ CURID": 2}),
        ("readout name", {"ESO DET READ CURNAME": "Fowler"}),
        ("gain", {"ESO DET OUT1 CONAD": 2.31}),
        ("DIT", {"ESO DET SEQ1 DIT": 300.1}),
    ],
)
def test_each_setup_key_counts(key, changes):
    base = {"ESO DET WIN1 STRX": 1}
    frames = [seen(NIR, name=f"{n}.fits", changes=base) for n in range(3)]
    shape = (4096, 908) if "shape" in key else (2048, 2048)
    frames.append(seen(NIR, shape, name="odd.fits", changes={**base, **changes}))
    verb = "differ" if "," in key else "differs"
    with pytest.raises(InputError) as caught:
        check_one_setup(frames)
    first, *_ = str(caught.value).splitlines()
    assert first == f"the 4 frames are not of one setup: {key} {verb}; expected one value each"


def test_table_has_values_counts_and_a_file_each():
    frames = [seen(NIR, name=f"{n}.fits") for n in range(2)]
    frames.append(
        seen(NIR, (100, 50), name="odd.fits", changes={"EXPTIME": 5.0, "ESO DET SEQ1 DIT": 300.0})
    )
    with pytest.raises(InputError) as caught:
        check_one_setup(frames)
    rows = [line.split() for line in str(caught.value).splitlines()]
    assert ["exposure", "time", "300.0", "2", "0.fits"] in rows
    assert ["exposure", "time", "5.0", "1", "odd.fits"] in rows
    assert ["shape", "2048x2048", "2", "0.fits"] in rows
    assert ["shape", "100x50", "1", "odd.fits"] in rows
    assert " ".join(rows[-1]) == (
        "Split the set into one SOF a setup: exposure time 300.0 s, shape 2048x2048 (2 frames); "
        "exposure time 5.0 s, shape 100x50 (1 frame)."
    )


def timed(*seconds):
    """Frames of these exposure times, one DIT each."""
    return [
        seen(NIR, name=f"{n}.fits", changes={"EXPTIME": t, "ESO DET SEQ1 DIT": t})
        for n, t in enumerate(seconds)
    ]


def test_error_names_the_sets_that_there_are():
    with pytest.raises(InputError, match="exposure time, DIT differ; expected one") as caught:
        check_one_setup(timed(300.0, 10.0, 300.0, 10.0, 10.0))
    assert str(caught.value).splitlines()[-1] == (
        "Split the set into one SOF a setup: exposure time 300.0 s, DIT 300.0 s (2 frames); "
        "exposure time 10.0 s, DIT 10.0 s (3 frames)."
    )
    with pytest.raises(InputError, match=r"time 5.0 s, DIT 5.0 s \(1 frame\); and 2 more\.$"):
        check_one_setup(timed(1.0, 2.0, 3.0, 4.0, 6.0, 5.0, 7.0, 8.0))


@pytest.mark.parametrize(
    ("seconds", "tolerance", "groups"),
    [
        ((300.0, 300.05, 299.95), 0.1, 1),
        ((300.0, 300.1), 0.1, 1),  # 300.1 - 300.0 is a little more than 0.1
        ((300.0, 300.05, 299.9), 0.1, 2),
        ((300.0, 300.2), 0.1, 2),
        ((10.0, 10.4, 10.8), 0.5, 2),  # no chain: the ends lie 0.8 apart
        ((300.0, 300.0), 0.0, 1),
        ((300.0, 300.0 + 1e-9), 0.0, 2),
    ],
)
def test_times_within_the_tolerance_are_one_setup(seconds, tolerance, groups):
    frames = timed(*seconds)
    if groups == 1:
        check_one_setup(frames, tolerance)
        return
    with pytest.raises(InputError, match="exposure time, DIT differ") as caught:
        check_one_setup(frames, tolerance)
    assert str(caught.value).splitlines()[-1].count("frame") == groups


def test_tolerance_is_for_times_alone():
    frames = [seen(NIR, name=f"{n}.fits", changes={"ESO DET NDIT": n}) for n in (2, 3)]
    with pytest.raises(InputError, match="NDIT differs"):
        check_one_setup(frames, 5.0)
    with pytest.raises(InputError, match="NDIT differs"):
        check_one_setup([*timed(300.0, 304.0), *frames], 5.0)


def test_a_missing_optional_key_is_a_remark_and_not_a_setup_of_its_own():
    frames = [seen(NIR, name=f"{n}.fits") for n in range(2)]
    frames.append(seen(NIR, name="odd.fits", changes={"ESO DET READ CURNAME": None}))
    check_one_setup(frames)
    assert setup_remarks(frames) == (
        "readout name is not in the header of 1 of 3 frames (odd.fits): taken to be that of the "
        "others",
    )
    assert setup_remarks(frames[:2]) == ()


def test_a_key_that_the_profile_leaves_out_is_not_compared():
    profile = load_profile("generic").model_copy(update={"setup": ("exposure time", "shape")})
    frames = [
        describe(f"{gain}.fits", header_of({**CCD, "EGAIN": gain}), (4, 4), profile, SETTINGS)
        for gain in (1.0, 2.0)
    ]
    check_one_setup(frames)
    with pytest.raises(InputError, match="shape differs"):
        check_one_setup([frames[0], replace(frames[1], setup={**frames[1].setup, "shape": (5, 4)})])


def real(folder: str) -> Path:
    shared = Path(os.environ.get("SOXSDARK_SHARED", "../shared")) / "data" / folder
    if not shared.is_dir():
        pytest.skip(f"real frames not found: {shared} (set SOXSDARK_SHARED)")
    return shared


def describe_real(paths):
    result = []
    for path in paths:
        header = fits.getheader(path)
        shape = (header["NAXIS2"], header["NAXIS1"])
        result.append(describe(path, header, shape, recognise(header["INSTRUME"]), SETTINGS))
    return result


@pytest.mark.parametrize(
    ("folder", "pattern", "count", "seconds", "gain", "temperature"),
    [
        ("st7", "*D120s*.fit", 12, 120.0, 2.55, -17.4),
        ("st7", "*D300s*.fit", 5, 300.0, 2.55, -17.4),
        ("stl1001", "dark_10series*.FIT", 10, 30.0, 2.06, 0.0),
    ],
)
def test_real_darks_are_of_one_setup(folder, pattern, count, seconds, gain, temperature):
    found = describe_real(sorted(real(folder).glob(pattern)))
    check_one_setup(found)
    assert len(found) == count
    assert {one.exposure_time for one in found} == {seconds}
    assert {one.gain.source for one in found} == {"header EGAIN"}
    for one in found:
        assert one.gain.value == pytest.approx(gain, abs=1e-6)
        assert one.temperature == pytest.approx(temperature, abs=1.0)
        assert one.mjd_obs is not None
        assert one.warnings == ()


def test_real_frames_of_two_exposure_times_are_told_apart():
    with pytest.raises(InputError, match="17 frames are not of one setup: exposure time differs"):
        check_one_setup(describe_real(sorted(real("st7").glob("*D[13]*.fit"))))


@pytest.mark.parametrize(
    ("folder", "pattern", "message"),
    [
        ("st7", "Vega.fit", "IMAGETYP is 'LIGHT', expected a dark"),
        ("stl1001", "bias*01.BIAS.FIT", "IMAGETYP is 'Bias Frame', expected a dark"),
    ],
)
def test_real_light_and_bias_are_refused(folder, pattern, message):
    with pytest.raises(InputError, match=message):
        describe_real(real(folder).glob(pattern))
