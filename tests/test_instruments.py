"""Instrument profiles: those that come with the program, and a user's own."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import soxsdark.instruments as instruments
from soxsdark.cli import main
from soxsdark.errors import SettingsError
from soxsdark.instruments import (
    Detector,
    Profile,
    Quantity,
    SetupKey,
    load_profile,
    profile_names,
    recognise,
    science_sections,
)
from soxsdark.instruments.listing import profile_text

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
    assert profile_names() == ["generic", "megara", "soxs", "xsh"]
    assert [load_profile(name).name for name in profile_names()] == profile_names()


def test_xsh_has_the_published_numbers():
    profile = load_profile("xsh")
    uvb, vis, nir = (profile.detector(arm) for arm in ("UVB", "VIS", "NIR"))
    assert (uvb.rotation, uvb.columns, uvb.rows) == (180, (48, 2096), (0, 3000))
    assert (vis.rotation, vis.columns, vis.rows) == (0, (10, 2058), (0, 4000))
    assert (nir.rotation, nir.columns, nir.rows) == (90, (20, 1076), (4, 2044))
    assert [d.gain for d in (uvb, vis, nir)] == [1.61, 1.4, 2.12]
    assert [d.ron for d in (uvb, vis, nir)] == [2.6, 5.3, 8.0]
    assert [d.saturation for d in (uvb, vis, nir)] == [65000, 65535, 42000]
    assert [d.pedestal for d in (uvb, vis, nir)] == [True, True, False]
    assert nir.temperature == "ESO INS TEMP82 VAL"
    keys = {
        "gain": "ESO DET OUT1 CONAD", "ron": "ESO DET OUT1 RON", "arm": "ESO SEQ ARM",
        "binning-x": "ESO DET WIN1 BINX", "binning-y": "ESO DET WIN1 BINY",
        "readout-name": "ESO DET READ SPEED",
    }  # fmt: skip
    assert {quantity: profile.keys(quantity)[0] for quantity in keys} == keys
    assert profile.keys("readout-name")[1] == "ESO DET NCORRS NAME"


def test_generic_knows_no_detector_but_the_temperature():
    profile = load_profile("generic")
    known = Detector(**{"temperature": "CCD-TEMP", "set-point": "SET-TEMP"})
    assert profile.detector(None) == profile.detector("UVB") == known
    assert not profile.needs_arm


@pytest.mark.parametrize(
    ("instrume", "name"),
    [
        ("SOXS", "soxs"),
        (" soxs  ", "soxs"),
        ("XSHOOTER", "xsh"),
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


@pytest.mark.parametrize(
    ("written", "value"), [("6.5e4", 65000.0), ("65_000", 65000.0), ("1e-7", 1e-7)]
)
def test_numbers_are_written_as_in_settings(tmp_path, written, value):
    arm = f"arms: {{'*': {{saturation: {written}}}}}\n"
    others = yaml.safe_dump({key: value for key, value in SOXS.items() if key != "arms"})
    profile = load_profile(save(tmp_path, others + arm))
    assert profile.detector(None).saturation == value


def test_unknown_name_gets_the_nearest():
    with pytest.raises(
        SettingsError, match=r"'soxx' is not known, .*generic, megara, soxs.*mean soxs\?"
    ):
        load_profile("soxx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (changed(colour="red"), r"mine.yaml: colour: unknown field \(found 'red'\); .* shows"),
        (with_nir(gian=2.3), r"mine.yaml: arms.NIR.gian: unknown field"),
        (with_nir(gain=-1), r"mine.yaml: arms.NIR.gain: .*greater than 0 \(found -1\)"),
        (with_nir(gain="2.3"), r"arms.NIR.gain: .*\(found '2.3'\)"),
        (with_nir(gain=True), r"arms.NIR.gain: .*\(found True\)"),
        (with_nir(ron=float("inf")), r"arms.NIR.ron: .*finite"),
        (with_nir(rows=[5, 5]), r"arms.NIR: rows are \[5, 5\], expected start < stop <= 2048"),
        (with_nir(columns=[0, 3000]), r"columns are \[0, 3000\], expected .* <= 2048"),
        (with_nir(columns=None), "rows and columns go together"),
        (with_nir(rotation=45), r"arms.NIR.rotation: .*\(found 45\)"),
        (with_nir(rotation=90, shape=[2048, 2000]), r"rows are \[4, 2044\], .* <= 2000, the shape"),
        (with_nir(shape=None), "need the shape of the full frame"),
        (changed(setup=["arm", "shape"]), "setup lacks exposure time"),
        (changed(keywords={"exposure": ["E"]}), "keywords.exposure: "),
        (changed(keywords={"gain": ["GAIN"]}), "keywords lack exposure-time"),
        (
            {"name": "x"},
            "mine.yaml: keywords: is missing; 'soxsdark instruments generic' shows .*; 2 more",
        ),
        ("name: x\nname: y\n", "mine.yaml:2: key 'name' stands on line 1 too"),
        ("arms:\n  A: {}\n  B: {gain: 1,\n      gain: 2}\n", ":4: key 'gain' stands on line 3"),
        ("a: [{b: 1, b: 1}]\n", ":1: key 'b' stands on line 1 too"),
        ("a: &x 1\nb: *x\n", "mine.yaml:1: anchors and aliases are not allowed"),
        ("? [a]\n: 1\n", "mine.yaml: name: is missing"),
        ("a: !!python/object:os.system x\n", r"mine.yaml:1: tags \(!\) are not allowed"),
        ("- 1\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("a: [", "mine.yaml:1: not valid YAML"),
        ("[" * 5000, "nested deeper than 50 levels"),
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
    (section,), trimmed, remark = science_sections(shape, detector, binning, True)
    window = section.raw
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
    (section,), trimmed, said = science_sections(shape, detector, binning, trim)
    window = section.raw
    assert window == (slice(0, shape[0]), slice(0, shape[1]))
    assert not trimmed
    if remark is None:
        assert said is None
    else:
        assert re.search(remark, said)


def test_unbinned_frame_that_claims_binning_is_trimmed_with_a_remark():
    (section,), trimmed, remark = science_sections((4096, 908), VIS, (2, 2), True)
    window = section.raw
    assert (window, trimmed) == ((slice(0, 4096), slice(50, 858)), True)
    assert remark == "full unbinned frame although binning is 2x2"


# Printed profiles

TEXT = st.text(min_size=1, max_size=120).filter(str.strip)
NUMBER = st.floats(min_value=0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**9)


@st.composite
def detectors(draw) -> dict:
    shape = draw(st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
    rotation = draw(st.sampled_from([0, 90, 180, 270]))
    found = {"shape": list(shape), "rotation": rotation}
    for name, length in zip(
        ("rows", "columns"), shape[::-1] if rotation % 180 else shape, strict=True
    ):
        start = draw(st.integers(0, length - 1))
        found[name] = [start, draw(st.integers(start + 1, length))]
    numbers = {name: draw(st.none() | NUMBER) for name in ("gain", "ron", "saturation")}
    keys = {name: draw(st.none() | TEXT) for name in ("temperature", "set-point")}
    return found | numbers | keys | {"pedestal": draw(st.sampled_from([None, True, False]))}


def lists(values) -> st.SearchStrategy[list]:
    return st.lists(values, min_size=1, max_size=3)


@st.composite
def profiles(draw) -> Profile:
    keywords = draw(st.dictionaries(st.sampled_from(get_args(Quantity)), lists(TEXT), max_size=4))
    setup = draw(st.sets(st.sampled_from(get_args(SetupKey))))
    return Profile.model_validate(
        {
            "name": draw(TEXT),
            "recognise": draw(st.lists(TEXT, max_size=2)),
            "keywords": keywords | {"exposure-time": draw(lists(TEXT))},
            "dark-types": draw(lists(TEXT)),
            "dark-categories": draw(st.lists(TEXT, max_size=2)),
            "image-type-required": draw(st.booleans()),
            "setup": sorted(setup | {"exposure time", "shape"}),
            "arms": draw(st.dictionaries(TEXT, detectors(), max_size=3)),
        }
    )


BREAKS = [f"A{mark} B" for mark in "\n\t\x85\u2028\ufeff\x7f\x00É:#"]
NUMBERS = ("1e5", "-.5E-3", "12:00", "010", "0x1F", "1_000", ".inf", "yes", "~", "2026-01-01")
SAME_TWICE = Detector(shape=(9, 9), rows=(1, 2), columns=(1, 2))


@given(profiles())
@example(load_profile("soxs").model_copy(update={"dark_types": tuple(BREAKS)}))
@example(load_profile("soxs").model_copy(update={"keywords": {"exposure-time": NUMBERS}}))
@example(load_profile("soxs").model_copy(update={"arms": dict.fromkeys("AB", SAME_TWICE)}))
def test_a_printed_profile_loads_as_the_same_profile(tmp_path_factory, profile):
    path = tmp_path_factory.getbasetemp() / "printed.yaml"
    path.write_bytes(profile_text(profile).encode("utf-8"))
    assert load_profile(path) == profile


@pytest.mark.parametrize("name", profile_names())
def test_command_prints_a_profile_that_loads(tmp_path, capsys, name):
    assert main(["instruments", name]) == 0
    path = save(tmp_path, capsys.readouterr().out)
    assert load_profile(path) == load_profile(name)
    assert main(["instruments", str(path)]) == 0
    assert capsys.readouterr().out == path.read_text("utf-8")


def test_command_lists_the_profiles(capsys):
    assert main(["instruments"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["name", "arms", "INSTRUME"]
    assert ["soxs", "NIR,", "VIS", "SOXS"] in lines
    assert ["xsh", "UVB,", "VIS,", "NIR", "XSHOOTER"] in lines
    assert ["generic", "any", "any", "other"] in lines


def test_command_refuses_a_profile_that_is_wrong(tmp_path, capsys):
    assert main(["instruments", "sox"]) == 3
    assert "did you mean soxs?" in capsys.readouterr().err
    assert main(["instruments", str(save(tmp_path, changed(colour="red")))]) == 3
    assert "mine.yaml: colour: " in capsys.readouterr().err


# The documentation

DOCS = (Path(__file__).parent.parent / "docs" / "instruments.md").read_text("utf-8")


def test_example_of_the_documentation_is_a_profile(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", DOCS, flags=re.DOTALL)
    profile = load_profile(save(tmp_path, example))
    sections, trimmed, _ = science_sections((1040, 2152), profile.detector(None), (1, 1), True)
    halves = slice(8, 520), slice(520, 1032)
    assert trimmed
    assert [s.raw[0] for s in sections] == [halves[0], halves[0], halves[1], halves[1]]
    assert [s.raw[1] for s in sections] == [slice(50, 1074), slice(1078, 2102)] * 2
    assert all(s.overscan[0] == s.raw[0] for s in sections)
    assert profile.exposure_time_unit == "ms"


def test_documentation_has_every_field_and_quantity():
    fields = [
        str(field.alias) for model in (Profile, Detector) for field in model.model_fields.values()
    ]
    tables = "\n".join(line.split("|")[1] for line in DOCS.splitlines() if line.startswith("| `"))
    for name in (*fields, *get_args(Quantity), *profile_names()):
        assert f"`{name}`" in tables, name
    setup = DOCS[DOCS.index("`setup` may list") :].replace("\n", " ")
    assert all(key in setup for key in get_args(SetupKey))
