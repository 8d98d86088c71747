"""soxsdark settings show, check, schema, migrate: what a person gets from a settings file."""

import csv
import io
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soxsdark import mdark
from soxsdark.cli import main
from soxsdark.commands import settings as commands
from soxsdark.errors import ProductError, SettingsError
from soxsdark.metric_names import METRICS
from soxsdark.settings import MdarkSettings, Settings, default_settings_text
from soxsdark.settings_advice import least_frames_for_std
from soxsdark.settings_check import check_settings
from soxsdark.settings_layers import ARMS
from soxsdark.settings_migrate import migrated, replace_file
from soxsdark.settings_schema import settings_schema, settings_schema_text
from soxsdark.settings_table import FORMATS, rows
from soxsdark.settings_text import SCHEMA_NAME
from soxsdark.simulator import Scene, simulate
from soxsdark.stacking import sort_stack, surviving_run
from soxsdark.yaml_nodes import compose, plain

from .test_settings import FRAGMENTS, SOXSPIPE, VALID_SETTINGS, section

TOP = Path(__file__).resolve().parents[1]
QUIET = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "settings.yaml"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.fixture
def command(capsys):
    def run(*arguments) -> tuple[int, str, str]:
        code = main([*map(str, arguments)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


# ------------------------------------------------------------------ show


def test_show_tells_value_unit_origin_and_meaning(command, write):
    path = write(section("hot-pixel-sigma: 6", "nir:", "    gain: 2.5"))
    code, out, _ = command("settings", "show", "-s", path, "--arm", "NIR", "--set", "ron=3")
    assert code == 0
    lines = [re.split(r"  +", line, maxsplit=2) for line in out.splitlines() if line[0] != " "]
    shown = {key: (value, origin) for key, value, origin in lines}
    assert list(shown) == [name.replace("_", "-") for name in MdarkSettings.model_fields]
    assert shown["gain"] == ("2.5 electron/ADU", "settings.yaml:4 (nir)")
    assert shown["hot-pixel-sigma"] == ("6 sigma", "settings.yaml:2")
    assert shown["ron"] == ("3 electron", "--set")
    assert shown["trim"] == ("true", "default")
    told = " ".join(out.split())
    for field in MdarkSettings.model_fields.values():
        assert field.description in told
    assert max(map(len, out.splitlines())) <= 100


def test_diff_shows_what_differs(command, write):
    path = write(section("hot-pixel-sigma: 5", "gain: 2", "threads: null"))
    _, out, _ = command("settings", "show", "-s", path, "--diff", "--format", "csv")
    assert [row["key"] for row in csv.DictReader(io.StringIO(out))] == ["gain"]
    assert command("settings", "show", "--diff")[1] == "every setting is at its default\n"
    assert command("settings", "show", "--diff", "--format", "csv")[1].count("\n") == 1


def test_formats_hold_the_same(command):
    path = ["--set", "instrument='=a|b'", "--set", "qc-acceptable-ranges={fpn: [null, 2]}"]
    shown = {style: command("settings", "show", *path, "--format", style)[1] for style in FORMATS}
    table = json.loads(shown["json"])
    assert yaml.safe_load(shown["yaml"]) == table
    cells = list(csv.DictReader(io.StringIO(shown["csv"])))
    assert [row["meaning"] for row in cells] == [row["meaning"] for row in table]
    assert cells[0]["value"] == "'=a|b"
    ranges = next(row for row in table if row["key"] == "qc-acceptable-ranges")
    assert ranges["value"] == {"fpn": [None, 2]}
    lines = shown["markdown"].splitlines()
    assert len(lines) == len(table) + 2
    assert r"`=a\|b`" in lines[2]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}


def test_show_takes_from_a_frame_what_the_settings_leave_to_it(command, tmp_path):
    made = simulate(tmp_path, Scene(arm="VIS", frames=1, shape=(64, 64)))
    frame = made.sof.with_name("VIS_dark_001.fits")
    path = tmp_path / "s.yaml"
    path.write_text(section("vis:", "    ron: 9"))
    _, out, _ = command("settings", "show", "-s", path, "--frame", frame, "--format", "json")
    found = {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert found["gain"] == (1, "header ESO DET OUT1 CONAD")
    assert found["ron"] == (9, "s.yaml:3 (vis)")
    assert found["saturation"] == (65535, "profile soxs")
    assert command("settings", "show", "--frame", frame, "--arm", "nir")[0] == 2


def test_show_tells_each_amplifier(command, tmp_path):
    amplifiers = [
        {"name": name, "rows": rows, "columns": [0, 8], "gain": gain, "ron": 4.0}
        for name, rows, gain in (("a", [0, 8], 1.5), ("b", [8, 16], 2.0))
    ]
    camera = yaml.safe_load((TOP / "soxsdark/instruments/generic.yaml").read_text())
    camera |= {"name": "two", "arms": {"*": {"shape": [16, 8], "amplifiers": amplifiers}}}
    profile, frame = tmp_path / "two.yaml", tmp_path / "dark.fits"
    profile.write_text(yaml.safe_dump(camera))
    header = fits.Header([("EXPTIME", 10.0), ("IMAGETYP", "DARK")])
    fits.writeto(frame, np.zeros((16, 8), np.int16), header)
    given = ("--set", f"instrument={profile}", "--frame", frame)
    _, out, _ = command("settings", "show", *given, "--format", "json")
    found = {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert found["gain"] == ([1.5, 2], "profile two")
    assert found["ron"] == (4, "profile two")


def test_choices_of_the_command_are_those_of_the_program():
    assert tuple(FORMATS) == commands.FORMATS
    assert sorted(commands.ARMS) == sorted(ARMS)


def test_unknown_arm_is_named(command):
    code, _, err = command("settings", "show", "--arm", "nri")
    assert code == 2
    assert "nri" in err
    assert "nir" in err


# ------------------------------------------------------------------ check


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


ADVICE = [
    (["stacked-clipping-deviation: std", "stacked-clipping-sigma: 3"], ":2: .*7 frames.* 10 or"),
    (["stacked-clipping-deviation: std", "stacked-clipping-sigma: 1e300"], ":2: .*at 1e.300 sig"),
    (["clipping-lower-sigma: 1", "clipping-upper-sigma: 1e300"], ":2: .*1 below and 1e.300 above"),
    (["minimum-frame-count: 2"], ":2: .*found 2: stacks of two frames are never clipped"),
    (["stacked-clipping-iterations: 0", "stacked-clipping-sigma: 5"], ":3: .*no effect"),
    (["clipping-iteration-count: 0", "frame-clipping-sigma: 5"], ":3: .*no effect"),
    (["stacked-clipping-sigma: 1"], ":2: .*found 1: 32 % of the good samples"),
    (["frame-clipping-sigma: 1"], ":2: .*found 1: 32 % of the good pixels"),
    (["hot-pixel-sigma: 2"], ":2: .*chance alone makes 2.3 % of the good pixels hot"),
    (["noise-clipping-lower-sigma: 1"], ":2: .*16 % of the good pixels dead"),
    (["nir:", "    cold-pixel-sigma: 0.1"], ":3: nir: .*46 % of the good pixels cold"),
    # (phi(2) - phi(5)) / (Phi(5) - Phi(-2)) = 0.0540/0.9772
    (["clipping-lower-sigma: 2", "clipping-upper-sigma: 5"], r":2: .*by \+0.06 sigma"),
    (["qc-acceptable-ranges: {raw-rno: [1, 2]}"], "raw-rno: names no metric; .* 'raw-ron'"),
    (["qc-acceptable-ranges: {raw-ron: [-2, -1]}"], "at least 0: it is never inside"),
    (["qc-acceptable-ranges: {raw-ron-2: [-2, -1]}"], "at least 0: it is never inside"),
    (["qc-acceptable-ranges: {HOTPIX_FRAC: [2, 3]}"], "from 0 to 1: it is never inside"),
    (["qc-acceptable-ranges: {hotpix-frac: [0, 5]}"], "it is always inside"),
    (["qc-acceptable-ranges: {detector-temp: [0, 20]}"], ":2: .*VIS works at 120 to 190 K"),
]


@pytest.mark.parametrize(("lines", "message"), ADVICE, ids=[row[0][0] for row in ADVICE])
def test_doubtful_settings_are_told_and_taken(command, write, lines, message):
    code, out, _ = command("settings", "check", write(section(*lines)))
    assert code == 0
    told = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert any(re.search(message, line) for line in told), out
    assert re.search(r": no faults, \d+ warnings?$", out)


@pytest.mark.parametrize(
    "lines",
    [
        ["stacked-clipping-deviation: std", "stacked-clipping-sigma: 3", "minimum-frame-count: 11"],
        ["stacked-clipping-deviation: mad"],
        ["clipping-lower-sigma: 3", "clipping-upper-sigma: 4"],
        ["qc-acceptable-ranges: {hotpix-frac: [null, 0.02], raw-ron: [1, null]}"],
        ["qc-acceptable-ranges: {mdark-median: [-15, 50], raw-ron-12: [1, 9]}", "gain: 2"],
        ["vis:", "    qc-acceptable-ranges: {detector-temp: [-130, -110]}"],
        ["vis:", "    qc-acceptable-ranges: {detector-temp: [150, 155]}"],
        ["instrument: xsh", "nir:", "    qc-acceptable-ranges: {detector-temp: [75, 90]}"],
    ],
)
def test_sensible_settings_are_not_spoken_against(write, lines):
    assert check_settings(write(section(*lines))).warnings == ()


@pytest.mark.parametrize("k", [2.2, 2.5, 3.0, 3.2, 4.0])
def test_std_rejects_from_the_number_of_frames_on_that_is_told(k):
    """The worst cases: one sample far off, m more at their best place on its side."""
    for number in range(3, least_frames_for_std(k) + 1):
        rejected = 0
        for m in range(number // 2):
            samples = np.zeros((number, 1))
            samples[0], samples[1 : 1 + m] = 1.0, 1 / (number - m)
            first, last, _ = surviving_run(
                *sort_stack(samples), deviation="std", sigma=None, k=k, iterations=1
            )
            rejected += number - int(last[0] - first[0])
        assert (rejected > 0) == (number == least_frames_for_std(k)), number


@pytest.mark.parametrize("number", [3, 4, 5, 8, 9])
def test_no_stack_lies_farther_off_than_the_limit(number):
    """Random stacks and steps uphill from the best of them never get beyond the limit."""
    rng = np.random.default_rng(number)

    def reach(x):
        return (x[:, 0] - np.median(x, axis=1)) / x.std(axis=1)

    stacks = rng.standard_normal((4000, number))
    for _ in range(60):
        best = stacks[np.argsort(reach(stacks))[-100:]]
        steps = rng.standard_normal((40, 100, number)) * rng.choice([0.3, 0.03, 0.003], (40, 1, 1))
        stacks = np.concatenate([best, (best + steps).reshape(-1, number)])
    odd = number % 2
    limit = np.sqrt(number * (number + 4 - odd) / (number + 2 - odd))
    assert 0.98 * limit < reach(stacks).max() <= limit * (1 + 1e-12)


def test_every_metric_of_a_run_is_known(tmp_path):
    made = simulate(tmp_path, Scene(arm="NIR", frames=3, shape=(128, 128)))
    for name in mdark(made.sof, output=tmp_path).metrics:
        assert name.lower().replace(" ", "-") in METRICS


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


def dumped(base, arm):
    text = json.dumps({"soxs-mdark": {**base, "nir": arm}})
    return yaml.safe_dump(json.loads(text), sort_keys=False)


# ------------------------------------------------------------------ schema


@pytest.fixture(scope="module")
def validator():
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def value_of(text):
    return plain(compose(text, "text"))


def test_schema_is_printed_and_written(command, tmp_path):
    assert command("settings", "schema")[1] == settings_schema_text()
    file = tmp_path / "schema.json"
    assert command("settings", "schema", "-o", file) == (0, f"{file}\n", "")
    assert json.loads(file.read_text()) == settings_schema()
    assert command("settings", "schema", "-o", file)[0] == 5
    assert (TOP / SCHEMA_NAME).read_text() == settings_schema_text()


def test_init_writes_the_schema_that_its_file_names(command, tmp_path):
    file = tmp_path / "one.yaml"
    assert command("settings", "init", file)[0] == 0
    first = file.read_text().splitlines()[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads((tmp_path / named).read_text()) == settings_schema()
    assert command("settings", "init", tmp_path / "two.yaml")[0] == 0
    (tmp_path / named).write_text("{}")
    code, _, err = command("settings", "init", tmp_path / "three.yaml")
    assert code == 5
    assert named in err
    assert not (tmp_path / "three.yaml").exists()


@pytest.mark.parametrize(
    "text",
    [
        default_settings_text(),
        SOXSPIPE,
        "soxs_mdark:\n",
        section("stacked_clipping-sigma: 3", "clipping-lower-simga: 2", "NIR:", "    gain: 2"),
        section("frame-clipping-iterations: 3.0", "qc_acceptable_ranges: null", "Vis: null"),
    ],
)
def test_schema_accepts_what_the_program_accepts(validator, text):
    assert list(validator.iter_errors(value_of(text))) == []


@QUIET
@given(base=VALID_SETTINGS, arm=VALID_SETTINGS)
def test_schema_accepts_all_valid_values(validator, base, arm):
    assert list(validator.iter_errors(value_of(dumped(base, arm)))) == []


@pytest.mark.parametrize(
    "line",
    [
        "gian: 3",
        "hot-pixel-sigma: -1",
        "hot_pixel_sigma: 0",
        "clipping-lower-simga: x",
        "background-box: 4",
        "trim: 1",
        "instrument: ' '",
        "stacked-clipping-deviation: MAD",
        "stacked-clipping-iterations: 2.5",
        "minimum-frame-count: true",
        "qc-acceptable-ranges: {fpn: [1]}",
        "qc-acceptable-ranges: {other: [a, 2]}",
        "nir: {gain: -1}",
        "NIR: {gian: 1}",
        "nir: {vis: {gain: 1}}",
        "nir: 3",
    ],
)
def test_schema_refuses_what_the_program_refuses(validator, line):
    text = section(line)
    assert len(list(validator.iter_errors(value_of(text)))) == 1
    assert len(Settings.of_text(text, Path("s.yaml")).faults()) == 1


# ------------------------------------------------------------------ migrate

OLD = """\
# by hand, 2021
version: 1
save-intermediate-products: False

soxs_mdark:
    # below the median
    clipping-lower-simga:  3   # as always
    clipping_upper_simga: 4.50
    clipping-iteration-count: 5

    stacked_clipping_sigma: 1e1
    qc_acceptable_ranges:
        mdark_median: [-15,50]
    nir:
          # warm
          frame_clipping_sigma: 2
          frame-clipping-iterations: 1

soxs-mflat:
    order_deg: [5,4] \x20
"""
NEW = """\
# by hand, 2021
version: 1
save-intermediate-products: False

soxs-mdark:
    # below the median
    clipping-lower-sigma:  3   # as always
    clipping-upper-sigma: 4.50
    clipping-iteration-count: 5

    stacked-clipping-sigma: 1e1
    qc-acceptable-ranges:
        mdark-median: [-15,50]
    nir:
          # warm
          frame-clipping-sigma: 2
          clipping-iteration-count: 1

soxs-mflat:
    order_deg: [5,4] \x20
"""


def test_migrate_changes_the_names_and_nothing_else(command, write):
    path = write(OLD)
    path.chmod(0o640)
    before = Settings.read(path)
    code, out, _ = command("settings", "migrate", path)
    assert code == 0
    assert path.read_text() == NEW
    assert path.with_name("settings.yaml.bak").read_text() == OLD
    assert path.stat().st_mode & 0o777 == 0o640
    assert f"{path}:7: clipping-lower-simga is now clipping-lower-sigma" in out
    for arm in (None, *ARMS):
        assert Settings.read(path).for_arm(arm).values == before.for_arm(arm).values
    assert command("settings", "check", path)[0] == 0
    assert command("settings", "migrate", path)[1] == f"{path}: nothing to change\n"
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}.bak"]


def test_dry_run_prints_a_diff_and_writes_nothing(command, write):
    path = write(OLD)
    code, out, _ = command("settings", "migrate", path, "--dry-run")
    assert code == 0
    assert out.startswith(f"--- {path}\n+++ {path} (new)\n@@ ")
    assert "\n-    clipping_upper_simga: 4.50\n" in out
    assert "\n+    clipping-upper-sigma: 4.50\n" in out
    assert path.read_text() == OLD
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_backup_is_never_overwritten(write):
    path = write(OLD)
    for number in range(3):
        path.write_text(f"{OLD}# {number}\n")
        replace_file(path, migrated(path).text)
    for number, end in enumerate(("", ".1", ".2")):
        assert path.with_name(f"settings.yaml.bak{end}").read_text() == f"{OLD}# {number}\n"


def test_file_with_both_generations_of_keys(write):
    path = write(
        section(
            "frame-clipping-sigma: 3 ",
            "frame-clipping-iterations: 1",
            "clipping-lower-sigma: 2  # low",
            "clipping-upper-sigma: 2",
            "clipping-iteration-count: 5",
            "gain: 2",
            "gain: 2",
        )
    )
    assert migrated(path).text == section(
        "frame-clipping-sigma: 3 ",
        "clipping-iteration-count: 1",
        "# clipping-lower-sigma: 2  # low",
        "# clipping-upper-sigma: 2",
        "# clipping-iteration-count: 5",
        "gain: 2",
        "# gain: 2",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (section("stacked_clipping_sigma: 3", "colour: red"), ":3: colour: unknown key"),
        (section("stacked_clipping_sigma: -3"), ":2: stacked-clipping-sigma: found -3"),
        (
            "soxs-mdark: {frame-clipping-sigma: 3, clipping_lower_sigma: 2}\n",
            ":1: clipping_lower_sigma: frame-clipping-sigma is there, take it out by hand",
        ),
        ("soxs-mdark: [\n", "not valid YAML"),
        ("soxs-mflat:\n    clipping_upper_sigma: 2\n", "has no section 'soxs-mdark'"),
    ],
)
def test_what_cannot_be_brought_in_order_is_left_alone(command, write, text, message):
    path = write(text)
    code, out, err = command("settings", "migrate", path)
    assert (code, out) == (3, "")
    assert message in err
    assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_byte_order_mark_line_ends_and_links_stay(tmp_path):
    file, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"\xef\xbb\xbfsoxs_mdark:\r\n    gain: 2\r\n")
    link.symlink_to(file)
    backup = replace_file(link, migrated(link).text)
    assert link.is_symlink()
    assert file.read_bytes() == b"\xef\xbb\xbfsoxs-mdark:\r\n    gain: 2\r\n"
    assert backup == tmp_path / "real.yaml.bak"


def test_folder_that_cannot_be_written(write):
    path = write(OLD)
    new = migrated(path).text
    path.with_name("settings.yaml.bak").mkdir()
    path.with_name("settings.yaml.bak.1").symlink_to("nowhere")
    assert replace_file(path, new).name == "settings.yaml.bak.2"
    with pytest.raises(ProductError, match="none.yaml: cannot be written: No such file"):
        replace_file(path.parent / "none.yaml", new)


OLD_KEYS = st.sampled_from(
    ["frame_clipping_sigma", "frame-clipping-iterations", "clipping-iteration-count"]
    + ["clipping-lower-simga", "clipping_upper_sigma", "clipping-lower-sigma", "gain", "colour"]
)
LINES = st.lists(st.tuples(OLD_KEYS, st.sampled_from(["3", "1 # one", "2.", "[1,", "null"])))


@QUIET
@given(base=LINES, arm=LINES)
def test_a_migration_passes_the_check_or_changes_nothing(write, base, arm):
    text = "soxs_mdark: # ours\n" + "".join(f"    {key}:  {value}\n" for key, value in base)
    text += "    nir:\n" * bool(arm) + "".join(f"      {key}: {value}\n" for key, value in arm)
    path = write(text)
    try:
        made = migrated(path)
    except SettingsError:
        return
    path.write_text(made.text)
    assert check_settings(path).faults == ()
    assert migrated(path).edits == []
    assert len(made.text.splitlines()) == len(text.splitlines())


# ------------------------------------------------------------------ the page


def test_page_has_every_key():
    page = (TOP / "docs" / "settings.md").read_text()
    for row in rows(Settings.read().for_arm(None)):
        assert f"| `{row.key}` |" in page


def test_examples_of_the_page_are_true(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (TOP / "docs" / "settings.md").read_text()
    monkeypatch.setenv("COLUMNS", "100")
    text = section("stacked-clipping-sigma: 4", "nir:", "    hot-pixel-rate: 0.5")
    Path("settings.yaml").write_text(text)
    said = re.search(r"\$ soxsdark (settings show .*)\n((?:    .*\n)+)", page)
    shown = command(*said[1].split())[1]
    assert shown == re.sub("(?m)^    ", "", said[2])
    Path("settings.yaml").write_text(section("stacked-clipping-sgima: 3", "nir:", "    gain: -1"))
    said = re.search(r"\$ soxsdark (settings check .*)\n((?:    .*\n)+)", page)
    assert command(*said[1].split())[1] == re.sub("(?m)^    ", "", said[2])


def test_limits_that_the_page_names():
    assert [least_frames_for_std(k) - 1 for k in (3, 4)] == [7, 14]
    beyond = [(n - 1) / np.sqrt(n) > 3 for n in (10, 11)]
    assert beyond == [False, True]
    least = [least_frames_for_std(k) for k in range(1, 60)]
    assert least == sorted(least)
