"""Acceptable ranges: of the settings and of profiles, and what they make of a set."""

import json

import pytest
import yaml
from astropy.io import fits

from soxsdark import mdark
from soxsdark.instruments import load_profile
from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, simulate
from tests.quality.sets import SIDE, concerns, made


@pytest.mark.parametrize("name", ["raw-ron", "RAW RON", "raw_ron", "Raw-Ron"])
def test_outside_an_acceptable_range_is_bad(night, tmp_path, name):
    (tmp_path / "s.yaml").write_text(
        f"soxs-mdark:\n    nir:\n        qc-acceptable-ranges:\n            {name}: [0, 5]\n"
    )
    result = mdark(night.sof, tmp_path / "s.yaml", output=tmp_path / "o")
    assert (result.qa_flag, result.qa_flag.exit_code) == ("BAD", 10)
    (said,) = concerns(result).values()
    assert said.startswith("RAW RON is 7.")
    assert "electron, 0 to 5 is acceptable (qc-acceptable-ranges, s.yaml:3 (nir))" in said
    # nothing is wrong with gain or read noise: nobody is sent to look there
    assert said.endswith(
        "agrees with the RON of 7.3 e- (header ESO DET OUT1 RON): look at the range"
    )
    with fits.open(result.master) as hdus:
        assert hdus[0].header["ESO PRO QA FLAG"] == "BAD"
    record = json.loads(result.record_file.read_text())
    assert record["qa-flag"] == "BAD"
    assert record["metrics"]["RAW RON"]["verdict"] == "BAD"
    assert record["metrics"]["RAW RON"]["acceptable-range"] == [0, 5]
    assert said in record["warnings"]
    assert said in (tmp_path / "o" / "darks.log").read_text()


def test_ranges_of_another_arm_do_not_count(night, tmp_path):
    (tmp_path / "s.yaml").write_text(
        "soxs-mdark:\n    vis:\n        qc-acceptable-ranges: {raw-ron: [0, 5]}\n"
    )
    assert mdark(night.sof, tmp_path / "s.yaml", output=tmp_path / "o").qa_flag == "GOOD"


@pytest.mark.parametrize("ends", ["[0, 30]", "[null, 30]", "[5, null]", "[null, null]"])
def test_inside_a_range_is_good(night, tmp_path, ends):
    settings = [f"qc-acceptable-ranges={{raw-ron: {ends}}}"]
    assert mdark(night.sof, output=tmp_path / "o", overrides=settings).qa_flag == "GOOD"


@pytest.mark.parametrize("name", ["cpath-temp", "dark-current", "rawron"])
def test_a_range_without_a_value_is_partial(night, tmp_path, name):
    settings = [f"qc-acceptable-ranges={{{name}: [0, 1]}}"]
    result = mdark(night.sof, output=tmp_path / "o", overrides=settings)
    assert result.qa_flag == "PARTIAL"
    shown = name.upper().replace("-", " ")
    assert concerns(result)[shown].startswith(f"{shown} has no value, 0 to 1 is acceptable")
    assert f"ESO QC {shown}" not in fits.getheader(result.master)


def test_levels_are_judged_only_without_pedestal(tmp_path):
    settings = ["qc-acceptable-ranges={mdark-median: [-15, 50], mdark-mean: [-15, 50]}"]
    held = made(tmp_path / "a", arm="VIS", settings=settings)
    assert held.metrics["MDARK MEDIAN"] > 900
    assert held.qa_flag == "GOOD"
    remarks = [r for r in held.record["remarks"] if "not judged" in r]
    assert len(remarks) == 2
    assert "give a master bias" in remarks[0]
    assert remarks[0] in (tmp_path / "a" / "out" / "darks.log").read_text()
    free = made(tmp_path / "b", settings=settings, pedestal=-10.0)
    assert free.qa_flag == "BAD"
    assert set(concerns(free)) == {"MDARK MEDIAN", "MDARK MEAN"}
    biases = simulate(tmp_path / "bias", Scene(arm="VIS", exptime=0.0, seed=9, **SIDE))
    bias = mbias(biases.sof, output=tmp_path / "bias").master
    biased = mdark(
        tmp_path / "a" / "raw" / "darks.sof",
        output=tmp_path / "c",
        master_bias=bias,
        overrides=settings,
    )
    assert biased.qa_flag == "GOOD"
    assert biased.reduced.judged["MDARK MEDIAN"].acceptable == (-15, 50)


def test_both_ranges_at_once_are_one_concern(night, tmp_path, edit):
    for path in night.frames:
        edit(path, ESO_DET_OUT1_RON=3.0)
    settings = ["qc-acceptable-ranges={raw-ron: [0, 5]}"]
    result = mdark(night.sof, output=tmp_path / "o", overrides=settings)
    assert result.qa_flag == "BAD"
    assert len(result.reduced.judged.concerns) == 1


@pytest.mark.parametrize(
    ("arm", "ranges", "flag"),
    [
        (None, {"hotpix-frac": [None, 1e-4]}, "PARTIAL"),
        (None, {"hotpix-frac": [1e-4, None]}, "GOOD"),
        (None, {}, "GOOD"),
        ({"hotpix-frac": [0.2, 0.3]}, {"hotpix-frac": [None, 0.5]}, "PARTIAL"),
        ({"hotpix-frac": None}, {"hotpix-frac": [0.2, 0.3]}, "GOOD"),
        (None, {"fpn": [5, None, "raw-ron"]}, "PARTIAL"),
        (None, {"fpn": [5, None, "nothing"]}, "GOOD"),
    ],
)
def test_ranges_of_a_profile_of_one_s_own(night, tmp_path, arm, ranges, flag):
    from soxsdark.instruments.listing import profile_text

    content = yaml.safe_load(profile_text(load_profile("soxs")))
    content |= {"qc-warning-ranges": ranges}
    if arm:
        content["arms"]["NIR"]["qc-warning-ranges"] = arm
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    result = mdark(night.sof, output=tmp_path / "o", instrument=str(tmp_path / "mine.yaml"))
    assert result.qa_flag == flag


def test_a_profile_without_ranges_has_those_of_the_generic_one(tmp_path):
    (tmp_path / "mine.yaml").write_text(MINIMAL)
    found = load_profile(tmp_path / "mine.yaml").warning_ranges(None)
    assert found == load_profile("generic").warning_ranges(None)
    assert found["raw-ron"] == (0.75, 1.25, "nominal-ron")


MINIMAL = """
name: mine
keywords: {exposure-time: [EXPTIME]}
dark-types: [DARK]
setup: [exposure time, shape]
"""
