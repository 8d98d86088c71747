"""Whether a set is of one setup."""

from dataclasses import replace

import pytest

from soxsdark.errors import InputError
from soxsdark.instruments import load_profile
from soxsdark.one_setup import check_one_setup, setup_remarks
from soxsdark.setups import describe
from tests.setups.seen_headers import CCD, NIR, SETTINGS, header_of, seen


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
