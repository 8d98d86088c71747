"""soxsdark settings schema: it accepts what the program accepts, and nothing else."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from soxsdark.settings import Settings, default_settings_text
from soxsdark.settings_schema import settings_schema, settings_schema_text
from soxsdark.settings_text import SCHEMA_NAME
from soxsdark.yaml_nodes import compose, plain
from tests.interpreter import SOURCE
from tests.settings.files import SOXSPIPE, dumped, section
from tests.settings.generated import QUIET, VALID_SETTINGS


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
    assert (SOURCE / SCHEMA_NAME).read_text() == settings_schema_text()


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
