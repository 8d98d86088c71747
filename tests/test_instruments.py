"""Instrument profiles: those that come with the program, and a user's own."""

import re
from pathlib import Path

import pytest
import yaml

import soxsdark.instruments as instruments
from soxsdark.errors import SettingsError
from soxsdark.instruments import Detector, load_profile, profile_names, recognise, science_window

SOXS = yaml.safe_load((Path(instruments.__file__).parent / "soxs.yaml").read_text("utf-8"))


def changed(**keys) -> dict:
    return {**SOXS, **{key.replace("_", "-"): value for key, value in keys.items()}}


def with_nir(**keys) -> dict:
    return changed(arms={"NIR": {**SOXS["arms"]["NIR"], **keys}})


def save(folder: Path, content: dict | str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")
    return path


def test_soxs_has_the_published_numbers():
    profile = load_profile("soxs")
    nir, vis = profile.detector("NIR"), profile.detector("VIS")
    assert (nir.shape, nir.rows, nir.columns) == ((2048, 2048), (4, 2044), (4, 2044))
    assert (nir.gain, nir.ron, nir.saturation, nir.pedestal) == (2.3, 7.3, None, False)
    assert (vis.rows, vis.columns) == ((0, 4096), (50, 858))
    assert (vis.gain, vis.ron, vis.saturation, vis.pedestal) == (1.0, 3.8, 65535, True)
    assert nir.temperature == "ESO INS TEMP217 VAL"
    assert vis.temperature == "ESO INS TEMP104 VAL"
    assert profile.needs_arm


def test_every_packaged_profile_loads_under_its_name():
    assert profile_names() == ["generic", "soxs"]
    assert [load_profile(name).name for name in profile_names()] == profile_names()


def test_generic_knows_no_detector_but_the_temperature():
    profile = load_profile("generic")
    assert profile.detector(None) == profile.detector("UVB") == Detector(temperature="CCD-TEMP")
    assert not profile.needs_arm


@pytest.mark.parametrize(
    ("instrume", "name"),
    [
        ("SOXS", "soxs"),
        (" soxs  ", "soxs"),
        ("SOXS2", "generic"),
        ("", "generic"),
        (None, "generic"),
    ],
)
def test_recognise(instrume, name):
    assert recognise(instrume).name == name


def test_own_profile_by_its_path(tmp_path):
    path = save(tmp_path, changed(name="mine"))
    assert load_profile(path).name == load_profile(str(path)).name == "mine"


def test_unknown_name_gets_the_nearest():
    with pytest.raises(SettingsError, match=r"'soxx' is not known, .*generic, soxs.*mean soxs\?"):
        load_profile("soxx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(colour="red"), r"mine.yaml: colour: Extra inputs .*'red'"),
        (with_nir(gian=2.3), r"mine.yaml: arms.NIR.gian: Extra inputs"),
        (with_nir(gain=-1), r"mine.yaml: arms.NIR.gain: .*greater than 0 \(found -1\)"),
        (with_nir(gain="2.3"), r"arms.NIR.gain: .*\(found '2.3'\)"),
        (with_nir(gain=True), r"arms.NIR.gain: .*\(found True\)"),
        (with_nir(ron=float("inf")), r"arms.NIR.ron: .*finite"),
        (with_nir(rows=[5, 5]), r"arms.NIR: rows are \[5, 5\], expected start < stop <= 2048"),
        (with_nir(columns=[0, 3000]), r"columns are \[0, 3000\], expected .* <= 2048"),
        (with_nir(columns=None), "rows and columns go together"),
        (with_nir(shape=None), "need the shape of the full frame"),
        (changed(setup=["arm", "shape"]), "setup lacks exposure time"),
        (changed(keywords={"exposure": ["E"]}), "keywords.exposure: "),
        (changed(keywords={"gain": ["GAIN"]}), "keywords lack exposure-time"),
        ({"name": "x"}, "mine.yaml: keywords: Field required; 2 more"),
        ("name: x\nname: y\n", "mine.yaml line 2: key 'name' stands twice"),
        ("a: &x 1\nb: *x\n", "mine.yaml line 2: aliases are not allowed"),
        ("? [a]\n: 1\n", "mine.yaml line 1: found unhashable key"),
        ("a: !!python/object:os.system x\n", "mine.yaml line 1: could not determine a constructor"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("a: [", "mine.yaml line 1: "),
        ("[" * 5000, "too deeply nested"),
        ("#" * 1_000_001, "larger than 1000000 bytes"),
    ],
)
def test_wrong_profile_names_file_and_key(tmp_path, content, message):
    with pytest.raises(SettingsError, match=message) as caught:
        load_profile(save(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_profile_that_cannot_be_read(tmp_path):
    with pytest.raises(
        SettingsError, match=r"gone.yaml: instrument profile cannot be read \(No such"
    ):
        load_profile(tmp_path / "gone.yaml")
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not text in UTF-8"):
        load_profile(path)


NIR, VIS = (load_profile("soxs").detector(arm) for arm in ("NIR", "VIS"))


@pytest.mark.parametrize(
    ("detector", "shape", "binning", "rows", "columns"),
    [
        (NIR, (2048, 2048), (1, 1), (4, 2044), (4, 2044)),
        (VIS, (4096, 908), (1, 1), (0, 4096), (50, 858)),
        (VIS, (2048, 454), (2, 2), (0, 2048), (25, 429)),
        (VIS, (2048, 908), (1, 2), (0, 2048), (50, 858)),
        (VIS, (4096, 302), (3, 1), (0, 4096), (17, 286)),  # 50/3 up, 858/3 = 286
        (NIR, (682, 682), (3, 3), (2, 681), (2, 681)),  # 4/3 up, 2044/3 down
    ],
)
def test_full_frames_are_trimmed(detector, shape, binning, rows, columns):
    window, trimmed, remark = science_window(shape, detector, binning, True)
    assert window == (slice(*rows), slice(*columns))
    assert trimmed
    assert remark is None


@pytest.mark.parametrize(
    ("detector", "shape", "binning", "trim", "remark"),
    [
        (NIR, (2040, 2040), (1, 1), True, None),
        (VIS, (2048, 404), (2, 2), True, None),
        (Detector(), (2048, 2048), (1, 1), True, None),
        (NIR, (100, 200), (1, 1), True, "shape 100x200 .* 2048x2048"),
        (NIR, (2048, 2048), (1, 1), False, "trim is false"),
        (Detector(), (2048, 2048), (1, 1), False, None),
    ],
)
def test_other_frames_are_whole(detector, shape, binning, trim, remark):
    window, trimmed, said = science_window(shape, detector, binning, trim)
    assert window == (slice(0, shape[0]), slice(0, shape[1]))
    assert not trimmed
    if remark is None:
        assert said is None
    else:
        assert re.search(remark, said)


def test_unbinned_frame_that_claims_binning_is_trimmed_with_a_remark():
    window, trimmed, remark = science_window((4096, 908), VIS, (2, 2), True)
    assert (window, trimmed) == ((slice(0, 4096), slice(50, 858)), True)
    assert remark == "full unbinned frame although binning is 2x2"
