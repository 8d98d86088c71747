"""Refusing what is wrong: every fault by its line, key, value and what was expected."""

import pytest

from soxsdark.errors import ExitCode, SettingsError
from soxsdark.settings import Settings, SettingsFaultsError
from tests.settings.files import section

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
