"""The documented file: it is generated, complete, and gives the defaults."""

import pytest
from pydantic import ValidationError

from soxsdark.settings import MdarkSettings, Settings, default_settings_text
from tests.interpreter import SOURCE
from tests.settings.files import values


def test_settings_yaml_is_generated():
    assert (SOURCE / "settings.yaml").read_text() == default_settings_text()


def test_documented_file_gives_the_defaults(write):
    path = write(default_settings_text())
    for arm in (None, "VIS", "NIR", "UVB"):
        assert values(path, arm) == MdarkSettings()
    assert Settings.read(path).notes == []


def test_every_key_is_documented():
    text = default_settings_text()
    for key, schema in MdarkSettings.model_json_schema()["properties"].items():
        line = f"    {key}:" if f"\n    {key}:" in text else f"    # {key}: 3\n"
        assert text.count("\n" + line) >= 1, key
        comment = text[: text.index("\n" + line)].rpartition("\n\n")[2].replace("    # ", " ")
        assert " ".join(schema["description"].split()) in " ".join(comment.split()), key
        assert "Allowed: " in comment
        assert schema["unit"] is None or f"Unit: {schema['unit']}." in comment


def test_commented_examples_of_the_file_can_be_used(write):
    text = default_settings_text().replace("    # nir:\n    #     st", "    nir:\n        st")
    text = text.replace("    # clipping-", "    clipping-").replace(
        "    frame-clipping-sigma: 3\n", ""
    )
    text = text.replace("    qc-acceptable-ranges: {}\n    # qc-", "    qc-")
    text = text.replace("    #     raw-ron", "        raw-ron")
    got = values(write(text), "NIR")
    assert got.stacked_clipping_sigma == 5
    assert (got.frame_clipping_sigma, got.frame_lower_sigma, got.frame_upper_sigma) == (None, 3, 3)
    assert got.qc_acceptable_ranges == {"raw-ron": (0, 30)}


def test_default_values():
    """What the documentation promises."""
    expected = {
        "frame-clipping-sigma": 3,
        "clipping-iteration-count": 3,
        "frame-clipping-deviation": "mad",
        "frame-clipping-excludes-samples": False,
        "frame-clipping-flags": False,
        "stacked-clipping-sigma": 4,
        "stacked-clipping-iterations": 3,
        "stacked-clipping-deviation": "noise-model",
        "noise-clipping-lower-sigma": None,
        "noise-clipping-upper-sigma": 4,
        "noise-clipping-iterations": 3,
        "background-box": 64,
        "hot-pixel-sigma": 5,
        "cold-pixel-sigma": 5,
        "hot-pixel-rate": None,
        "minimum-frame-count": 3,
    }
    got = MdarkSettings().model_dump(by_alias=True)
    assert {key: got[key] for key in expected} == expected
    assert isinstance(MdarkSettings().stacked_clipping_sigma, float)


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        MdarkSettings().gain = 2.0
