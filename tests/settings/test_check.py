"""soxsdark settings check: all faults with their lines, whatever the file."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.errors import SettingsError
from soxsdark.settings import Settings, default_settings_text
from soxsdark.settings_check import check_settings
from tests.settings.files import dumped, section
from tests.settings.generated import FRAGMENTS, QUIET, VALID_SETTINGS


def test_check_of_the_default_file(command, write):
    path = write(default_settings_text())
    assert command("settings", "check", path) == (0, f"{path}: no faults\n", "")


def test_check_names_all_faults_with_their_lines(command, write):
    path = write(
        section(
            "stacked-clipping-sgima: 3",
            "hot-pixel-sigma: -1",
            "instrument: sox",
            "qc-acceptable-ranges: {fpn: [3, 1], FPN: [1, 2]}",
            "nir:",
            "    gain: yes",
            "NIR: {}",
            "trim: 1",
            "trim: 2",
            "stacked-clipping-deviation: noise_model",
        )
    )
    code, out, err = command("settings", "check", path)
    assert (code, err) == (3, "")
    lines = [line.removeprefix(f"{path}:") for line in out.splitlines()]
    assert [line.split(":")[0] for line in lines] == [
        "2",
        "3",
        "4",
        "5",
        "5",
        "7",
        "8",
        "9",
        "10",
        "11",
    ]
    assert lines[0] == (
        "2: stacked-clipping-sgima: unknown key, found 3, expected a key of soxs-mdark; "
        "did you mean 'stacked-clipping-sigma'?"
    )
    assert "did you mean soxs?" in lines[2]
    assert lines[-1].endswith("did you mean 'noise-model'?")


def test_fault_of_several_keys_is_told_beside_others(write):
    path = write(section("stacked-clipping-sgima: 1", "frame-clipping-sigma: null"))
    first, second = check_settings(path).faults
    assert "sgima" in first
    assert "either frame-clipping-sigma or both" in second


def test_half_a_pair_is_not_told_beside_the_mistyped_half(write):
    path = write(section("clipping-lower-sigma: 2", "clipping-uper-sigma: 2"))
    (fault,) = check_settings(path).faults
    assert "did you mean 'clipping-upper-sigma'" in fault


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soxs-mdrak:\n    gain: 2\n", ":1: soxs-mdrak: unknown section.* 'soxs-mdark'"),
        ("a: 1\nnir:\n    soxs_mdark:\n        gain: 2\n", ":2: nir: found the section soxs-mdark"),
    ],
)
def test_section_that_would_be_overlooked(write, text, message):
    (fault,) = check_settings(write(text)).faults
    assert re.search(message, fault)
    with pytest.raises(SettingsError):
        Settings.read(write(text))


def findings_are_sound(path):
    found = check_settings(path)
    for line in (*found.faults, *found.warnings):
        assert re.match(re.escape(str(path)) + r":\d+: ", line), line
        assert len(line.splitlines()) == 1


@QUIET
@given(text=st.text(max_size=200))
def test_any_text_has_findings_with_lines(write, text):
    findings_are_sound(write(text.encode("utf-8", "replace").decode()))


@settings(QUIET, max_examples=400)
@given(parts=st.lists(FRAGMENTS, max_size=25), inside=st.booleans())
def test_any_near_yaml_has_findings_with_lines(write, parts, inside):
    text = "soxs-mdark:\n    " * inside + "".join(parts)
    findings_are_sound(write(text.encode("utf-8", "replace").decode()))


@QUIET
@given(base=VALID_SETTINGS, arm=VALID_SETTINGS)
def test_valid_settings_have_no_faults_but_may_have_warnings(write, base, arm):
    path = write(dumped(base, arm))
    assert all("instrument" in line for line in check_settings(path).faults)
    findings_are_sound(path)
