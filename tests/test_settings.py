"""The settings: the model, the file it documents, and every way to get them wrong."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from soxsdark.errors import ExitCode, SettingsError
from soxsdark.logging_settings import DATE_FORMAT, FORMAT, LoggingSettings
from soxsdark.settings import (
    MdarkSettings,
    Settings,
    SettingsFaultsError,
    default_settings_text,
)

TOP = Path(__file__).resolve().parents[1]
KEYS = [name.replace("_", "-") for name in MdarkSettings.model_fields]
QUIET = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# The shape of a file of soxspipe: other sections, both spellings, a logging block with handlers.
SOXSPIPE = """\
version: 1
save-intermediate-products: False
instrument: soxs
data-extension: 0

soxs-mbias:
    stacked-clipping-sigma: 99
    unheard-of: [1, 2]

soxs-mdark:
    stacked-clipping-sigma: 3
    stacked-clipping-iterations: 5
    frame-clipping-sigma: 2.5
    frame-clipping-iterations: 1
    qc-acceptable-ranges:
        mdark-median: [-15, 50]
        raw-ron: [0,30]

soxs-mflat:
    nir:
        order-deg: 3

logging settings:
    formatters:
        file_style:
            format: '%(asctime)s %(levelname)s: "%(pathname)s", line %(lineno)d > %(message)s'
            datefmt: '%Y/%m/%d %H:%M:%S'
    handlers:
        console:
            class: logging.StreamHandler
            level: ERROR
            stream: ext://sys.stdout
        file:
            class: logging.handlers.GroupWriteRotatingFileHandler
            level: DEBUG
            formatter: file_style
            filename: /tmp/never-opened.log
    root:
        level: INFO
        handlers: [file,console]
"""


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a settings file and returns its path."""

    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def section(*lines):
    return "soxs-mdark:\n" + "".join(f"    {line}\n" for line in lines)


def values(path=None, arm=None, overrides=()):
    return Settings.read(path, overrides).for_arm(arm).values


# ------------------------------------------------------------------ the documented file


def test_settings_yaml_is_generated():
    assert (TOP / "settings.yaml").read_text() == default_settings_text()


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


# ------------------------------------------------------------------ reading what is right


def test_soxspipe_file_works_as_it_is(write):
    read = Settings.read(write(SOXSPIPE))
    got = read.for_arm("NIR")
    assert got.values == MdarkSettings(
        stacked_clipping_sigma=3,
        stacked_clipping_iterations=5,
        frame_clipping_sigma=2.5,
        clipping_iteration_count=1,
        qc_acceptable_ranges={"mdark-median": (-15, 50), "raw-ron": (0, 30)},
    )
    assert got.origins["clipping-iteration-count"] == "settings.yaml:14"
    assert got.origins["gain"] == "default"
    assert [note.partition("settings.yaml:")[2] for note in read.notes[:2]] == [
        "3: instrument outside the section soxs-mdark is ignored",
        "4: data-extension outside the section soxs-mdark is ignored",
    ]


def test_misspelt_keys_of_soxspipe_are_understood(write):
    got = values(write(section("clipping-lower-simga: 2", "clipping-upper-simga: 4")))
    assert (got.frame_lower_sigma, got.frame_upper_sigma) == (2, 4)


@pytest.mark.parametrize("arm", ["vis", "VIS", "Vis"])
def test_arm_wins_over_section_and_override_over_both(write, arm):
    path = write(
        section("gain: 1", "ron: 2", "hot-pixel-sigma: 6", f"{arm}:", "    gain: 3", "    ron: 4")
    )
    got = Settings.read(path, ["ron=5"])
    vis, nir = got.for_arm("VIS"), got.for_arm("nir")
    assert (vis.values.gain, vis.values.ron, vis.values.hot_pixel_sigma) == (3, 5, 6)
    assert (nir.values.gain, nir.values.ron) == (1, 5)
    assert {key: vis.origins[key] for key in ("gain", "ron", "hot-pixel-sigma", "trim")} == {
        "gain": "settings.yaml:6 (vis)",
        "ron": "--set",
        "hot-pixel-sigma": "settings.yaml:4",
        "trim": "default",
    }


def test_unknown_arm_has_the_section_itself(write):
    path = write(section("gain: 2", "nir:", "    gain: 3"))
    assert values(path, "CCD1").gain == 2


@pytest.mark.parametrize("text", ["soxs-mdark:\n", "soxs-mdark: {}\n", "soxs_mdark:\n    nir:\n"])
def test_empty_section_is_fine(write, text):
    assert values(write(text), "nir") == MdarkSettings()


def test_file_without_our_section_says_so(write):
    read = Settings.read(write("soxs-mbias:\n    x: 1\n"))
    assert read.for_arm(None).values == MdarkSettings()
    assert "no section 'soxs-mdark'" in read.notes[0]


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("hot-pixel-rate: 1e-7", "hot_pixel_rate", 1e-7),
        ("hot_pixel_rate: .5", "hot_pixel_rate", 0.5),
        ("saturation: 65_535", "saturation", 65535.0),
        ("gain: 2.", "gain", 2.0),
        ("ron: 0", "ron", 0.0),
        ("stacked-clipping-iterations: 3.0", "stacked_clipping_iterations", 3),
        ("stacked-clipping-iterations: 0", "stacked_clipping_iterations", 0),
        ("clipping-iteration-count: 0", "clipping_iteration_count", 0),
        ("background-box: 0", "background_box", 0),
        ("maximum-nan-fraction: 0", "maximum_nan_fraction", 0.0),
        ("data-extension: 0", "data_extension", 0),
        ("data-extension: SCI", "data_extension", "SCI"),
        ("data-extension: '1'", "data_extension", "1"),
        ("data-extension: 12:00", "data_extension", "12:00"),
        ("data-extension: 2024-01-01", "data_extension", "2024-01-01"),
        ("data-extension: 010", "data_extension", "010"),
        ("data-extension: null", "data_extension", None),
        ("trim: no", "trim", False),
        ("noise-clipping-lower-sigma: ~", "noise_clipping_lower_sigma", None),
        ("qc-acceptable-ranges:", "qc_acceptable_ranges", {}),
        (
            "qc-acceptable-ranges: {Raw RON: [null, 3]}",
            "qc_acceptable_ranges",
            {"raw-ron": (None, 3)},
        ),
    ],
)
def test_value_means_what_it_says(write, line, name, value):
    got = getattr(values(write(section(line))), name)
    assert got == value
    assert type(got) is type(value)


def test_byte_order_mark_and_windows_lines(write):
    assert values(write(b"\xef\xbb\xbfsoxs-mdark:\r\n    gain: 2\r\n")).gain == 2


def test_later_layer_replaces_the_other_form(write):
    pair = section(
        "clipping-lower-sigma: 2", "clipping-upper-sigma: 4", "nir:", "    frame-clipping-sigma: 6"
    )
    path = write(pair)
    vis, nir = values(path, "vis"), values(path, "nir")
    assert (vis.frame_clipping_sigma, vis.frame_lower_sigma, vis.frame_upper_sigma) == (None, 2, 4)
    assert (nir.clipping_lower_sigma, nir.frame_lower_sigma, nir.frame_upper_sigma) == (None, 6, 6)
    one = values(path, "nir", ["clipping-lower-sigma=1", "clipping-upper-sigma=9"])
    assert (one.frame_lower_sigma, one.frame_upper_sigma) == (1, 9)
    side = Settings.read(
        write(section("clipping-lower-sigma: 2", "clipping-upper-sigma: 4")),
        ["clipping-upper-sigma=5"],
    )
    assert side.for_arm(None).values.frame_upper_sigma == 5
    assert side.for_arm(None).origins["clipping-lower-sigma"] == "settings.yaml:2"


def test_ranges_of_an_arm_are_added_to_those_of_the_section(write):
    path = write(
        section(
            "qc-acceptable-ranges: {raw-ron: [0, 30], fpn: [0, 3]}",
            "nir:",
            "    qc-acceptable-ranges: {raw_ron: [5, 9]}",
            "vis:",
            "    qc-acceptable-ranges:",
        )
    )
    both = Settings.read(path).for_arm("nir")
    assert both.values.qc_acceptable_ranges == {"raw-ron": (5, 9), "fpn": (0, 3)}
    assert both.origins["qc-acceptable-ranges"] == "settings.yaml:2, settings.yaml:4 (nir)"
    assert values(path, "vis").qc_acceptable_ranges == {"raw-ron": (0, 30), "fpn": (0, 3)}


def test_overrides_need_no_file():
    got = values(None, None, ["gain=2.5", "frame_clipping_iterations=0", "hot-pixel-rate=null"])
    assert (got.gain, got.clipping_iteration_count, got.hot_pixel_rate) == (2.5, 0, None)


# ------------------------------------------------------------------ refusing what is wrong

WRONG = [
    (
        ["stacked-clipping-sgima: 3"],
        ":2: stacked-clipping-sgima: unknown key, found 3, .*mean 'stacked-clipping-sigma'\\?$",
    ),
    (["GAIN: 3"], r":2: GAIN: unknown key.* did you mean 'gain'\?"),
    (["zzzz: 1"], "zzzz: unknown key.*'soxsdark settings init' lists them"),
    (["'nir: gain': 1"], "nir: gain: unknown key"),
    (["gain: 1", "gain: 2"], r":3: gain: given twice, found 2 after 1 at .*:2; give it once"),
    (["hot-pixel-sigma: 1", "hot_pixel_sigma: 2"], ":3: hot_pixel_sigma .*given twice"),
    (
        ["frame-clipping-iterations: 1", "clipping-iteration-count: 2"],
        ":3: .*the same key as frame-clipping-iterations",
    ),
    (["vis:", "VIS:"], ":3: VIS: given twice"),
    (["ccd1:", "    gain: 2"], ":2: ccd1: unknown key.*; arms are vis, nir, uvb$"),
    (["nir:", "    nir:", "        gain: 2"], ":3: nir: nir: unknown key, found {"),
    (["nir: 5"], ":2: nir: found 5, expected lines of 'key: value'"),
    (
        ["stacked-clipping-sigma: -1"],
        ":2: stacked-clipping-sigma: found -1, expected a number greater than 0$",
    ),
    (["stacked-clipping-sigma: 0"], "found 0, expected a number greater than 0$"),
    (["clipping-iteration-count: -1"], "found -1, expected a whole number from 0 to 1000"),
    (["noise-clipping-iterations: 0"], "found 0, expected a whole number from 1 to 1000"),
    (["minimum-frame-count: 1"], "found 1, expected a whole number from 2"),
    (["stacked-clipping-iterations: 3.5"], "found 3.5, expected a whole number"),
    (["stacked-clipping-iterations: '3'"], 'found "3", expected a whole number'),
    (["stacked-clipping-iterations: true"], "found true, expected a whole number"),
    (["hot-pixel-sigma: yes"], "found true, expected a number greater than 0"),
    (["hot-pixel-sigma: 12:00"], 'found "12:00", expected a number'),
    (["hot-pixel-sigma: .inf"], "found Infinity, expected a number"),
    (["hot-pixel-sigma: .nan"], "found NaN, expected a number"),
    (["hot-pixel-sigma: 1e999"], "found Infinity, expected a number"),
    (["hot-pixel-sigma: " + "9" * 350], r"found 9+\.\.\., expected a number"),
    (["hot-pixel-sigma: null"], "found null, expected a number greater than 0$"),
    (["hot-pixel-sigma:"], "found null, expected a number"),
    (["hot-pixel-sigma: [5]"], r"found \[5\], expected a number"),
    (["hot-pixel-rate: 0"], "found 0, expected a number greater than 0 or null"),
    (["trim: 1"], "found 1, expected true or false"),
    (["trim: 'yes'"], 'found "yes", expected true or false'),
    (["maximum-nan-fraction: 1.5"], "found 1.5, expected a number from 0 to 1"),
    (["background-box: 4"], r"found 4, expected 0 \(off\) or a whole number from 8"),
    (["data-extension: -1"], "found -1, expected a whole number from 0 to 10000, text or null"),
    (["data-extension: true"], "found true, expected a whole number"),
    (["instrument: ''"], 'found "", expected text or null'),
    (['instrument: "a\\e[31m"'], "instrument: found .*, expected text or null"),
    (
        ["stacked-clipping-deviation: MAD"],
        'found "MAD", expected noise-model, mad or std; did you mean .mad.',
    ),
    (["frame-clipping-deviation: noise-model"], "expected mad or std"),
    (
        ["clipping-lower-sigma: 2"],
        ":2: clipping-lower-sigma: found 2, expected .* together: give both",
    ),
    (
        ["nir:", "    clipping-upper-sigma: 2"],
        ":3: nir: clipping-upper-sigma: found 2, expected .* give both",
    ),
    (["frame-clipping-sigma: null"], ":2: frame-clipping-sigma: found null, expected either"),
    (
        ["frame-clipping-sigma: 3", "clipping-lower-sigma: 2", "clipping-upper-sigma: 2"],
        ":3: clipping-lower-sigma: found 2 beside frame-clipping-sigma 3 .*:2.*either",
    ),
    (
        ["qc-acceptable-ranges: [1, 2]"],
        r":2: qc-acceptable-ranges: found \[1, 2\], expected \[low, high\]",
    ),
    (
        ["qc-acceptable-ranges:", "    fpn: [3, 1]"],
        r":3: qc-acceptable-ranges: fpn: found \[3, 1\], expected \[low",
    ),
    (["qc-acceptable-ranges:", "    fpn: [1]"], r":3: .* fpn: found \[1\], expected"),
    (["qc-acceptable-ranges:", "    fpn: [a, 2]"], r":3: .* fpn: found \[\"a\", 2\], expected"),
    (["qc-acceptable-ranges:", "    fpn: [1, 2]", "    FPN: [1, 3]"], ":4: .*FPN: given twice"),
    (["gain: &a 3", "ron: *a"], ":2: anchors and aliases are not allowed"),
    (["gain: !!python/object/apply:os.system [ls]"], r":2: tags \(!\) are not allowed"),
    (["gain: !!float 3"], r":2: tags \(!\) are not allowed"),
    (["? [a, b]", ": 3"], ":2: ['a', 'b']: unknown key, found 3".replace("[", r"\[")),
]


@pytest.mark.parametrize(("lines", "message"), WRONG, ids=[" ".join(row[0])[:40] for row in WRONG])
def test_fault_in_our_section(write, lines, message):
    path = write(section(*lines))
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert text.isprintable()
    assert caught.value.exit_code == ExitCode.WRONG_SETTINGS == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("# only a comment\n", "is empty"),
        ("- a\n- b\n", r"found \[\"a\", \"b\"\], expected a section 'soxs-mdark:'"),
        ("SIMPLE  =                    T\n", "found .*, expected a section"),
        ("soxs-mdark: 3\n", ":1: soxs-mdark: found 3, expected lines"),
        ("soxs-mdark:\nsoxs_mdark:\n", ":2: section 'soxs_mdark' is given twice"),
        ("soxs-mdark:\n\tgain: 1\n", ":2: not valid YAML: .*indent with blanks, not tabs"),
        ("soxs-mdark:\n    gain: [1\n", "not valid YAML"),
        ("a: 1\n---\nb: 1\n", ":2: not valid YAML: expected a single document"),
        ("a: &x [1]\nb: [*x, *x]\n", ":1: anchors and aliases"),
        ("[" * 2000, ":1: nested deeper than 50 levels"),
        ('a: "\\U99999999"\n', "not valid YAML"),
        ("%YAML " + "9" * 5000 + ".1\n--- a\n", "not valid YAML"),
        (b"a: 1\nb: \xe9\n", ":2: not a text file: byte 0xe9 is not UTF-8"),
        (b"a: 1\nb\0: 2\n", ":2: not valid YAML: character 0x0 is not text"),
        (b"a: b\n" * 200_001, "larger than 1 MB"),
    ],
)
def test_file_that_is_no_settings_file(write, content, message):
    with pytest.raises(SettingsError, match=message) as caught:
        Settings.read(write(content))
    assert str(caught.value).isprintable()


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(SettingsError, match="none.yaml: no such file; .*settings init"):
        Settings.read(tmp_path / "none.yaml")
    with pytest.raises(SettingsError, match="cannot be read: is a folder, expected"):
        Settings.read(str(tmp_path))


def test_all_faults_are_gathered_in_file_order(write):
    path = write(section("nir:", "    gain: -1", "trim: 3", "gian: 2"))
    with pytest.raises(
        SettingsFaultsError, match=r":3: nir: gain: found -1, .*; and 2 more$"
    ) as caught:
        Settings.read(path)
    starts = [fault.removeprefix(f"{path}:")[:7] for fault in caught.value.faults]
    assert starts == ["3: nir:", "4: trim", "5: gian"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["gain"], '--set: found "gain", expected KEY=VALUE'),
        (["=3"], "expected KEY=VALUE"),
        (["gain=-2"], "--set: gain: found -2, expected a number from 1e-06 to 1e.06 or null"),
        (["gain=1", "gain=2"], "--set: gain: given twice"),
        (["gian=1"], "--set: gian: unknown key, .* did you mean 'gain'"),
        (["gain=[1"], "--set gain.*: not valid YAML"),
        (["gain=!!python/name:os.system x"], "--set gain.*: tags"),
        (["nir=3"], "--set: nir: unknown key"),
        (["trim="], "--set: trim: found null, expected true or false"),
        (["clipping-lower-sigma=2"], "--set: clipping-lower-sigma: .*give both"),
        (["qc-acceptable-ranges={a: [2, 1]}"], r"--set: qc-acceptable-ranges: a: found \[2, 1\]"),
    ],
)
def test_override_is_checked_the_same_way(overrides, message):
    with pytest.raises(SettingsError, match=message):
        Settings.read(None, overrides)


# ------------------------------------------------------------------ the logging block


def test_only_levels_and_formats_of_the_logging_block_are_used(write):
    read = Settings.read(write(SOXSPIPE))
    assert read.logging == LoggingSettings(
        level=logging.ERROR,
        file_level=logging.INFO,
        format='%(asctime)s %(levelname)s: "%(pathname)s", line %(lineno)d > %(message)s',
        datefmt="%Y/%m/%d %H:%M:%S",
    )
    assert read.notes[-1].endswith(
        ":23: of the logging settings only levels, formats and date formats are used; ignored: "
        "handlers.console.class, handlers.console.stream, handlers.file.class, "
        "handlers.file.filename"
    )


@pytest.mark.parametrize(
    "text",
    [
        "%(nothing)s",
        "%(message)d",
        "%(message)99999999999s",
        "%(message)*d",
        "%s",
        "50 % %(message)s",
        '"\\e[31m%(message)s"',
        "[a]",
        "''",
    ],
)
def test_format_that_logging_cannot_use_falls_back(write, text):
    quoted = text if text[0] in '"[' or text == "''" else f"'{text}'"
    block = f"""logging settings:
    formatters: {{f: {{format: {quoted}, datefmt: '%9999999Y'}}}}
    handlers: {{file: {{formatter: f}}}}
"""
    read = Settings.read(write(block))
    assert (read.logging.format, read.logging.datefmt) == (FORMAT, DATE_FORMAT)
    assert [note.split(":")[-1].split(" of")[0] for note in read.notes[:2]] == [
        " format",
        " datefmt",
    ] or (" format of the logging settings cannot be used" in read.notes[0])


@pytest.mark.parametrize(
    "block",
    [
        "5",
        "[1]",
        "{(): ext://os.system, root: {level: LOUD}}",
        "{root: {level: true}, handlers: [1]}",
    ],
)
def test_odd_logging_block_is_ignored_with_a_note(write, block):
    read = Settings.read(write(f"logging settings: {block}\n"))
    assert read.logging == LoggingSettings()
    assert "ignored" in read.notes[0]


# ------------------------------------------------------------------ anything at all

WORDS = [*KEYS, "soxs-mdark", "nir", "logging settings", "root", "level", "formatters", "format"]
MARKS = [
    ": ",
    "\n",
    "\n    ",
    "\n        ",
    "- ",
    ",",
    "|",
    ">",
    "'",
    '"',
    "\\",
    "#",
    "%",
    "? ",
    "@",
]
MARKS += ["[", "]", "{", "}", "&a ", "*a", "!!", "!!python/name:os.system", "<<", "---", "...", "`"]
ODD = [
    "%YAML 1.1",
    "%TAG ! x",
    '"\\x4',
    '"\\U00110000"',
    "\t",
    "\r",
    "\x00",
    "\x85",
    "\ud7ff",
    "\ufeff",
]
SCALARS = ["0", "-1", "1e9", "1e-7", ".nan", "null", "true", "12:00", "mad", "~", "0x", "1_", "+."]
FRAGMENTS = st.sampled_from(WORDS + MARKS + ODD + SCALARS)


def never_another_error(path):
    try:
        Settings.read(path).for_arm("nir")
    except SettingsError as error:
        lines = str(error).splitlines()
    else:
        lines = ["no fault"]
    assert len(lines) == 1


@QUIET
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_garbage_never_raises_anything_else(write, content):
    never_another_error(write(content))


@settings(QUIET, max_examples=400)
@given(parts=st.lists(FRAGMENTS, max_size=25), inside=st.booleans())
def test_near_yaml_never_raises_anything_else(write, parts, inside):
    never_another_error(write("soxs-mdark:\n    " * inside + "".join(parts)))


POSITIVE = st.floats(1e-6, 1e6)
VALID = {
    "gain": st.none() | POSITIVE,
    "ron": st.none() | st.floats(0, 100),
    "saturation": st.none() | POSITIVE,
    "trim": st.booleans(),
    "instrument": st.none() | st.text("abcnoyes-: #'\"", min_size=1).filter(str.strip),
    "data-extension": st.none()
    | st.integers(0, 10000)
    | st.sampled_from(["SCI", "1", "no", "~", "12:00"]),
    "minimum-frame-count": st.integers(2, 1000),
    "maximum-nan-fraction": st.floats(0, 1),
    "clipping-iteration-count": st.integers(0, 1000),
    "stacked-clipping-sigma": POSITIVE,
    "stacked-clipping-deviation": st.sampled_from(["noise-model", "mad", "std"]),
    "background-box": st.just(0) | st.integers(8, 1000),
    "hot-pixel-rate": st.none() | POSITIVE,
    "qc-acceptable-ranges": st.dictionaries(
        st.sampled_from(["raw-ron", "fpn"]),
        st.tuples(st.floats(-9, 0), st.none() | st.floats(1, 9)),
    ),
}
VALID_SETTINGS = st.fixed_dictionaries({}, optional=VALID)


@QUIET
@given(base=VALID_SETTINGS, arm=VALID_SETTINGS, underscores=st.booleans())
def test_valid_values_round_trip(write, base, arm, underscores):
    """What PyYAML writes is read back as the same values, an arm over the section."""
    spell = (lambda key: key.replace("-", "_")) if underscores else str

    def dumpable(layer):
        return {spell(key): as_lists(value) for key, value in layer.items()}

    def as_lists(value):
        return (
            {name: list(pair) for name, pair in value.items()} if isinstance(value, dict) else value
        )

    text = yaml.safe_dump({"soxs-mdark": {**dumpable(base), "nir": dumpable(arm)}}, sort_keys=False)
    ranges = base.get("qc-acceptable-ranges", {}) | arm.get("qc-acceptable-ranges", {})
    expected = MdarkSettings(**(base | arm | {"qc-acceptable-ranges": ranges}))
    assert values(write(text), "nir") == expected
    assert values(write(text), "vis") == MdarkSettings(**base)


def test_reading_settings_imports_no_numerics():
    code = (
        "import sys; from soxsdark.settings import Settings; Settings.read(); "
        "print([name for name in ('numpy', 'astropy') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP, check=True
    )
    assert done.stdout.strip() == "[]"
