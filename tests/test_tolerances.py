"""What the temperatures and exposure times of a set may differ by."""

from types import SimpleNamespace

import pytest

from soxsdark.errors import ExitCode, InputError
from soxsdark.recipe import mdark
from soxsdark.temperature import temperature_metrics
from soxsdark.verdicts import QaFlag


def frames(*temperatures, set_point=None):
    return [
        SimpleNamespace(
            name=f"{n}.fits",
            about=SimpleNamespace(temperature=t, set_point=set_point, mjd_obs=100.0 - n),
        )
        for n, t in enumerate(temperatures)
    ]


def test_spread_beyond_the_limit_is_partial_and_says_who():
    mean, rms = temperature_metrics(frames(-17.0, -18.0, -16.5), 1.0)
    assert (mean.verdict, rms.verdict) == (QaFlag.GOOD, QaFlag.PARTIAL)
    assert mean.value == pytest.approx(-17.1666667)
    assert rms.why == (
        "the detector temperature spreads over 1.5 from 2.fits to 0.fits, at most 1 "
        "(maximum-temperature-spread) is expected: -18 in 1.fits, -16.5 in 2.fits"
    )


@pytest.mark.parametrize(
    ("temperatures", "limit"),
    [
        ((40.0, 40.5), 0.5),
        ((3.9, 4.4), 0.5),  # 4.4 - 3.9 is a little more than 0.5
        ((40.0, 50.0), None),
        ((40.0, None, 40.2), 0.5),
        ((40.0,), 0.0),
    ],
)
def test_spread_within_the_limit_or_not_judged(temperatures, limit):
    assert {m.verdict for m in temperature_metrics(frames(*temperatures), limit)} == {QaFlag.GOOD}


def test_no_temperature_no_metric():
    assert temperature_metrics(frames(None, None), 0.5) == []


def test_distance_from_the_set_point_is_partial():
    mean, rms = temperature_metrics(frames(-17.0, -17.4, set_point=-20.0), 0.5)
    assert (mean.verdict, rms.verdict) == (QaFlag.PARTIAL, QaFlag.GOOD)
    assert mean.why == (
        "the detector temperature, -17.2 in the mean, is 2.8 from its set-point of -20, at most "
        "0.5 (maximum-temperature-spread) is expected"
    )
    near = temperature_metrics(frames(-17.0, -17.4, set_point=-17.0), 0.5)
    assert {m.verdict for m in near} == {QaFlag.GOOD}


def test_run_whose_detector_warmed_up(night, tmp_path, edit):
    for n, path in enumerate(night.frames):
        edit(path, **{"ESO_INS_TEMP217_VAL": 40.0 + n})
    result = mdark(night.sof, output=tmp_path / "a")
    assert result.qa_flag is QaFlag.PARTIAL
    assert result.qa_flag.exit_code == ExitCode.DONE_PARTIAL
    (why,) = (m.why for m in result.reduced.judged.concerns)
    assert "spreads over 4 from NIR_dark_001.fits to NIR_dark_005.fits" in why
    wide = mdark(night.sof, output=tmp_path / "b", overrides=["maximum-temperature-spread=4"])
    assert wide.qa_flag is QaFlag.GOOD


def test_run_within_the_exposure_time_tolerance(night, tmp_path, edit):
    edit(night.frames[0], EXPTIME=300.02, ESO_DET_SEQ1_DIT=300.02)
    with pytest.raises(InputError, match="exposure time 300.02 s, DIT 300.02 s"):
        mdark(night.sof, output=tmp_path / "a")
    result = mdark(night.sof, output=tmp_path / "b", overrides=["exposure-time-tolerance=0.05"])
    assert result.record["settings"]["exposure-time-tolerance"]["value"] == 0.05
