"""The documented settings file, written from the schema of the settings model."""

import textwrap
from collections.abc import Mapping
from typing import Any

SCHEMA_NAME = "soxsdark-settings.schema.json"
"""File beside the settings, by which editors complete and check them."""
HEADER = f"""\
# yaml-language-server: $schema={SCHEMA_NAME}
# Settings of soxsdark, as they are without any settings file: every key stands at its default.
#
# Take out what you do not change. Give the file to the program with -s; single keys can also be
# given on the command line, as --set KEY=VALUE. Top-level keys and sections other than the one
# below are ignored, so it may be part of a settings file of soxspipe.

soxs-mdark:
"""
FOOTER = """
    # One arm can have its own values: any of the keys above, under vis, nir or uvb.
    # nir:
    #     stacked-clipping-sigma: 5
    # vis:
    #     saturation: 65535
"""
INDENT = "    "
WIDTH = 96

Schema = Mapping[str, Any]


def allowed(schema: Schema) -> str:
    """Return in words what the JSON schema of one key allows."""
    if "allowed" in schema:
        return str(schema["allowed"])
    return _listed([_one(kind) for kind in schema.get("anyOf", [schema])])


def settings_text(keys: Mapping[str, Schema]) -> str:
    """Return the settings file: each key with its sentences, unit, bounds and default."""
    return HEADER + "\n".join(_entry(key, schema) for key, schema in keys.items()) + FOOTER


def choices(schema: Schema) -> list[str]:
    """Return values of one key as they are typed, the default first; all of them if few."""
    default = schema.get("default", {})
    others = schema.get("enum", [True, False] if schema.get("type") == "boolean" else [])
    return [_scalar(default), *(_scalar(other) for other in others if other != default)]


def _one(schema: Schema) -> str:
    if "enum" in schema:
        return _listed([str(choice) for choice in schema["enum"]])
    kinds = {"number": "a number", "integer": "a whole number", "string": "text"}
    kind = str(schema.get("type"))
    return {"boolean": "true or false", "null": "null"}.get(kind) or kinds[kind] + _bounds(schema)


def _listed(choices: list[str]) -> str:
    return ", ".join(choices[:-1]) + " or " * bool(choices[1:]) + choices[-1]


def _bounds(schema: Schema) -> str:
    if "exclusiveMinimum" in schema:
        most = f" and at most {schema['maximum']:g}" if "maximum" in schema else ""
        return f" greater than {schema['exclusiveMinimum']:g}{most}"
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']:g} to {schema['maximum']:g}"
    return f" of at least {schema['minimum']:g}" if "minimum" in schema else ""


def _entry(key: str, schema: Schema) -> str:
    """Return the comment and the line of one key; a key with an example shows that instead."""
    unit = f"Unit: {schema['unit']}. " if schema["unit"] else ""
    lines = [
        f"{INDENT}# {line}"
        for text in (schema["description"], f"{unit}Allowed: {allowed(schema)}.")
        for line in textwrap.wrap(text, WIDTH - len(INDENT) - 2, break_on_hyphens=False)
    ]
    default = schema.get("default", {})
    example = schema.get("example")
    if example is None or default is not None:
        lines.append(f"{INDENT}{key}: {_scalar(default)}")
    if example is not None:
        lines += [f"{INDENT}# {line}" for line in _example(key, example)]
    return "\n".join(lines) + "\n"


def _example(key: str, example: object) -> list[str]:
    if isinstance(example, dict):
        return [f"{key}:", *(f"{INDENT}{name}: {value}" for name, value in example.items())]
    return [f"{key}: {_scalar(example)}"]


def _scalar(value: object) -> str:
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
