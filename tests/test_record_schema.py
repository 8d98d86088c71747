"""The schema of records: what it says of every field, and that real runs keep to it."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import soxsdark
from soxsdark.errors import InputError
from soxsdark.record_file import read_record
from soxsdark.record_model import FailedRun, MasterRun, SubtractRun, schema_text
from soxsdark.settings_model import keys
from tests.records import content

KINDS = {
    "mdark": MasterRun,
    "plain mdark": MasterRun,
    "two amplifiers": MasterRun,
    "mbias": MasterRun,
    "subtract": SubtractRun,
    "failed": FailedRun,
    "failed subtract": FailedRun,
    "interrupted": FailedRun,
    "terminated": FailedRun,
    "bug": FailedRun,
}
SCHEMA = Path(soxsdark.__file__).parent / "record.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = content(SCHEMA)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_shipped_schema_is_that_of_the_model():
    assert SCHEMA.read_text("utf-8") == schema_text()


def test_every_field_has_a_sentence_and_every_number_a_unit(validator):
    parts = validator.schema["$defs"]
    assert len(parts) == 19
    for name, part in parts.items():
        assert part["additionalProperties"] is False, name
        assert set(part["required"]) == set(part["properties"]), name
        for key, field in part["properties"].items():
            assert field["description"].endswith("."), (name, key)
            kinds = {choice.get("type") for choice in field.get("anyOf", [field])}
            if kinds & {"number", "integer"} and "const" not in field:
                assert field["unit"], (name, key)


@pytest.mark.parametrize("kind", KINDS)
def test_real_records_keep_to_it(validator, runs, kind):
    record = content(runs.records[kind])
    assert [error.message for error in validator.iter_errors(record)] == []
    assert type(read_record(runs.records[kind])) is KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_all_begin_alike(runs, kind):
    head = list(content(runs.records[kind]))[:13]
    assert head == [
        "program", "version", "run-id", "succeeded", "recipe", "name", "source", "command",
        "started", "ended", "python", "kernel", "libraries",
    ]  # fmt: skip


def test_a_field_that_is_missing_or_new(validator, runs, tmp_path):
    whole = content(runs.records["mdark"])
    for key in whole:
        lacking = copy.deepcopy(whole)
        del lacking[key]
        assert not validator.is_valid(lacking), key
    whole["of-tomorrow"] = 1
    whole["frames"][0]["of-tomorrow"] = 1
    assert not validator.is_valid(whole)
    (tmp_path / "r.json").write_text(json.dumps(whole))
    assert read_record(tmp_path / "r.json").qa_flag == "GOOD"


def test_what_a_repetition_needs_is_in_it(runs):
    record = content(runs.records["mdark"])
    folder = runs.folder
    assert record["name"] == "darks"
    assert record["source"] == str(runs.darks.sof)
    assert record["settings-file"] == str(folder / "settings.yaml")
    assert record["instrument-profile"] == "mine"
    assert record["instrument-profile-file"]["path"] == str(folder / "mine.yaml")
    assert [f["path"] for f in record["frames"]] == [str(p) for p in runs.darks.frames]
    assert {f["tag"] for f in record["frames"]} == {"DARK_VIS"}
    assert record["bad-pixel-map"]["path"] == str(runs.darks.bad_pixel_map)
    assert record["master-bias"]["path"] == str(runs.bias.master)
    assert set(record["settings"]) == set(keys())
    assert record["settings"]["hot-pixel-sigma"] == {"value": 6.0, "origin": "settings.yaml:2"}
    assert record["settings"]["clipping-iteration-count"]["origin"] == "settings.yaml:4 (vis)"
    assert record["settings"]["qc-acceptable-ranges"]["value"]["hotpix-num"] == [0.0, None]
    assert record["settings"]["instrument"]["origin"] == "--set"


@pytest.mark.parametrize(
    ("kind", "code", "name", "message"),
    [
        ("failed", 4, "InputError", "1 dark frame, at least 3"),
        ("interrupted", 130, "KeyboardInterrupt", "interrupted"),
        ("terminated", 143, "SystemExit", "terminated"),
        ("bug", 70, "ZeroDivisionError", "two\nlines"),
    ],
)
def test_the_error_is_in_the_record_of_a_failure(runs, kind, code, name, message):
    error = content(runs.records[kind])["error"]
    assert (error["exit-code"], error["type"]) == (code, name)
    assert message in error["message"]
    assert (error["where"] or "").startswith("records.py:" if kind == "bug" else "")
    assert (error["where"] is None) == (kind != "bug")


def test_all_that_was_given_is_in_the_record_of_a_failure(runs, tmp_path):
    with pytest.raises(InputError):
        soxsdark.mdark(runs.darks.frames[0], output=tmp_path, master_bias=tmp_path / "none.fits")
    [path] = tmp_path.glob("*_FAILED.json")
    given = content(path)["inputs"]
    assert [entry["path"] for entry in given] == [
        str(runs.darks.frames[0]), str(tmp_path / "none.fits"),
    ]  # fmt: skip
