"""Anything at all: no file raises another error, and what is allowed round-trips."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soxsdark.errors import SettingsError
from soxsdark.settings import MdarkSettings, Settings
from tests.settings.files import values
from tests.settings.generated import FRAGMENTS, QUIET, VALID_SETTINGS


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
