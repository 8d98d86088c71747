"""Where amplifiers lie: what numpy makes of it, and profiles that make no sense."""

import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.amplifiers import cut, join_rows, science_shape
from soxsdark.errors import SettingsError
from soxsdark.instruments import Detector, load_profile, science_sections
from tests.amplifiers.taps import TAPS, profile


def test_record_names_the_amplifiers(whole):
    record = json.loads(whole.record_file.read_text())
    assert [amplifier["name"] for amplifier in record["amplifiers"]] == list("abcd")
    for amplifier, tap in zip(record["amplifiers"], TAPS, strict=True):
        assert amplifier["gain"] == {"value": tap.gain, "source": "profile taps"}
        assert amplifier["rows"] == [tap.place[0].start, tap.place[0].stop]
        assert amplifier["columns"] == [tap.place[1].start, tap.place[1].stop]
    for frame in record["frames"]:
        assert len(frame["levels"]) == len(frame["rons"]) == 4


@st.composite
def mosaics(draw):
    spans = []
    for _ in range(2):
        edges, at = [], 0
        for _ in range(draw(st.integers(1, 3))):
            start = at + draw(st.integers(0, 4))
            at = start + draw(st.integers(1, 6))
            edges.append((start, at))
        spans.append((edges, at + draw(st.integers(0, 3))))
    (down, height), (across, width) = spans
    return down, across, (height, width)


@given(mosaics(), st.sampled_from([0, 90, 180, 270]))
def test_sections_are_the_mosaic_that_numpy_makes(mosaic, rotation):
    down, across, turned = mosaic
    image = np.arange(turned[0] * turned[1]).reshape(turned)
    raw = np.rot90(image, k=-rotation // 90)
    amplifiers = [{"name": f"{r}{c}", "rows": r, "columns": c} for r in down for c in across]
    detector = Detector.model_validate(
        {"shape": raw.shape, "rotation": rotation, "amplifiers": amplifiers}
    )
    sections, _, _ = science_sections(raw.shape, detector, (1, 1), True)
    expected = np.block([[image[slice(*r), slice(*c)] for c in across] for r in down])
    science = cut(raw, sections)
    assert np.array_equal(np.rot90(science, k=rotation // 90), expected)
    assert science.shape == science_shape(sections)
    parts = [(s.place, lambda a, b, s=s: science[s.place][a:b]) for s in sections]
    rows = join_rows(parts, 0, len(science))
    assert np.array_equal(rows, science)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [0, 10], "columns": [0, 10]}, "leave these out"),
        ({"shape": None}, "need the shape"),
        ({"shape": [100, 100]}, "expected start < stop <= 100, the shape"),
        ({"reference-pixels": 4}, "overscan or reference pixels, not both"),
    ],
)
def test_profiles_that_make_no_sense(tmp_path, change, message):
    with pytest.raises(SettingsError, match=message):
        load_profile(profile(tmp_path, **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("b", {"name": "a"}), "two amplifiers have the same name"),
        (("b", {"rows": [0, 100], "overscan-rows": [0, 100]}), "overlap"),
        (("b", {"columns": [10, 138]}), "gap, or two have the same pixels"),
        (("b", {"overscan-rows": [3, 9]}), "either the rows or the columns"),
        (("b", {"overscan-rows": None}), "go together"),
    ],
)
def test_amplifiers_that_make_no_sense(tmp_path, change, message):
    amplifiers = yaml.safe_load(profile(tmp_path).read_text())["arms"]["*"]["amplifiers"]
    name, values = change
    for amplifier in amplifiers:
        if amplifier["name"] == name:
            amplifier.update(values)
    with pytest.raises(SettingsError, match=message):
        load_profile(profile(tmp_path, amplifiers=amplifiers))
