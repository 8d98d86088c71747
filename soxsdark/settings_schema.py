"""The JSON Schema of a settings file, for editors; what concerns several keys it cannot say."""

import json
from typing import Any

from soxsdark.metric_names import METRICS
from soxsdark.settings_layers import ALIASES, ARMS, RANGES, SECTION
from soxsdark.settings_model import schemas
from soxsdark.settings_text import allowed

DRAFT = "https://json-schema.org/draft/2020-12/schema"
OURS = ("unit", "stage", "allowed", "example", "title")
"""Left out: the description tells it."""


def settings_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of the whole file, sections of other programs allowed.

    Older names and other spellings of a key are accepted by pattern, so that editors offer only
    the one of today.
    """
    arms = {_any_case(arm): {"$ref": "#/$defs/arm"} for arm in ARMS}
    return {
        "$schema": DRAFT,
        "title": "Settings of soxsdark",
        "type": "object",
        "properties": {SECTION: {"$ref": "#/$defs/section"}},
        "patternProperties": {_any_hyphen(SECTION): {"$ref": "#/$defs/section"}},
        "$defs": {
            **{key: _of_key(key) for key in schemas()},
            "arm": _mapping("What differs in one arm.", {}),
            "section": _mapping("The settings of the master dark.", arms),
        },
    }


def settings_schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(settings_schema(), indent=2) + "\n"


def _mapping(description: str, arms: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a section: its keys, and of the base section the arms."""
    properties = {key: {"$ref": f"#/$defs/{key}"} for key in schemas()}
    patterns = {_any_hyphen(key): properties[key] for key in schemas() if "-" in key}
    patterns |= {f"^{old.replace('-', '[-_]')}$": properties[key] for old, key in ALIASES.items()}
    if arms:
        properties |= {arm: {"$ref": "#/$defs/arm"} for arm in ARMS}
    return {
        "description": description,
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": patterns | arms,
        "additionalProperties": False,
    }


def _of_key(key: str) -> dict[str, Any]:
    schema = {name: value for name, value in schemas()[key].items() if name not in OURS}
    known = schemas()[key]
    unit = f" Unit: {known['unit']}." if known["unit"] else ""
    schema["description"] = f"{known['description']}{unit} Allowed: {allowed(known)}."
    if key == RANGES:
        schema["type"] = ["object", "null"]
        # only to be offered: what they may hold stands in the pattern for all names
        schema["properties"] = dict.fromkeys(METRICS, {})
    return schema


def _any_hyphen(name: str) -> str:
    """Match a name with underscores for hyphens, not as it is: that stands in the properties."""
    return f"^(?!{name}$){name.replace('-', '[-_]')}$"


def _any_case(name: str) -> str:
    """Match a name (lower case) with capitals in it."""
    letters = "".join(f"[{letter}{letter.upper()}]" for letter in name)
    return f"^(?!{name}$){letters}$"
