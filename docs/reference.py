"""Write the generated parts of the handbook anew: python docs/reference.py.

A page says where such a part stands: ``<!-- generated: NAME -->`` to ``<!-- end -->``.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path

import click

DOCS = Path(__file__).parent
PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ANYTHING = re.compile(
    "null or true or false or whole number or number or text|"
    "true or false or whole number or number or text( or null)?"
)
WIDTH = 96
"""Columns of the help texts."""


def table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; `head` has the titles with ``|`` in between."""
    titles = head.split("|")
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def code(text: object) -> str:
    """Return text as code within a line."""
    return f"`{text}`"


def settings() -> str:
    """Return every key of the settings."""
    from soxsdark.settings import Settings
    from soxsdark.settings_table import keys_table, rows

    return keys_table(rows(Settings.read().for_arm(None)))


def _commands(command: click.Command, above: click.Context | None, name: str) -> Iterator[str]:
    options = command.context_settings | {"terminal_width": WIDTH, "max_content_width": WIDTH}
    with click.Context(command, above, name, **options) as here:
        level = "##" if above is None else "###" if above.parent is None else "####"
        yield f"{level} {here.command_path}\n\n```text\n{command.get_help(here)}\n```\n"
        if isinstance(command, click.Group):
            for inner in command.list_commands(here):
                yield from _commands(command.get_command(here, inner), here, inner)


def commands() -> str:
    """Return the help of every command."""
    from soxsdark.cli import cli

    return "\n" + "\n".join(_commands(cli, None, "soxsdark"))


def sentences(kind: type[IntEnum]) -> dict[str, str]:
    """The text under each member of an enumeration, which Python does not keep."""
    body = ast.parse(inspect.getsource(kind)).body[0].body
    said = {}
    for line, text in zip(body, body[1:], strict=False):
        if isinstance(line, ast.Assign) and isinstance(text, ast.Expr):
            said[line.targets[0].id] = text.value.value
    return said


def exit_codes() -> str:
    """Return every exit code."""
    from soxsdark.errors import ExitCode

    said = sentences(ExitCode)
    rows = ((str(int(c)), code(c.name), said[c.name]) for c in sorted(ExitCode))
    return table("code|name|meaning", rows)


def flags() -> str:
    """Return every flag."""
    from soxsdark.flags import Flag

    said = sentences(Flag)
    rows = ((str(int(f)), str(int(f).bit_length() - 1), code(f.name), said[f.name]) for f in Flag)
    return table("value|bit|name|meaning", rows)


def headers() -> str:
    """Return the keys that are written into the primary header of a master."""
    from astropy.io.fits import Header

    from soxsdark.headers import ProductFacts, product_header

    facts = ProductFacts(
        version="0",
        run_id="0" * 32,
        products={"MASTER_DARK": "darks_MDARK.fits"},
        raws=[("dark.fits", "DARK_NIR")],
        exposure_time=300.0,
        total_exposure=300.0,
        instrument="SOXS",
        arm="NIR",
        calibrations=[("bias.fits", "MASTER_BIAS_NIR", "0" * 32)],
        parameters=[("gain", None)],
        first_date_obs="2026-01-11T00:00:00",
        first_mjd=61051.0,
        last_mjd=61051.1,
        ndit=2,
        qa_flag="GOOD",
        pedestal=False,
        baseline="none",
    )
    cards = product_header(Header(), facts, "MASTER_DARK").cards
    rows = (
        (code(re.sub(r"(RAW|CAL|PARAM)1", r"\1n", card.keyword)), card.comment) for card in cards
    )
    return table("key|meaning", rows)


def _type_of(field: dict) -> str:
    """Say in Markdown what a field of the JSON Schema may hold."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        names = dict.fromkeys(_type_of(one) for one in field["anyOf"])
        return ANYTHING.sub("value", " or ".join(names))
    if "const" in field or "enum" in field:
        return ", ".join(code(json.dumps(v)) for v in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        return f"list of {_type_of(field['items'])}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"name: {_type_of(field['additionalProperties'])}"
    names = {"integer": "whole number", "string": "text", "boolean": "true or false"}
    return names.get(field["type"], field["type"])


def record() -> str:
    """Return every field of every part of a record."""
    from soxsdark.record_model import schema_text

    schema = json.loads(schema_text())
    parts = schema["$defs"]
    records = [one["$ref"].rpartition("/")[2] for one in schema["anyOf"]]
    text = []
    for name in [*records, *(name for name in parts if name not in records)]:
        rows = (
            (code(key), _type_of(field), field.get("unit", ""), field["description"])
            for key, field in parts[name]["properties"].items()
        )
        said = parts[name]["description"]
        text.append(f"\n### {name}\n\n{said}\n\n{table('field|type|unit|meaning', rows)}")
    return "".join(text)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "exit-codes": exit_codes,
    "flags": flags,
    "headers": headers,
    "record": record,
}


def renewed(page: str) -> str:
    """Return a page with its generated parts as the program has them today."""
    return PART.sub(lambda found: found[1] + PARTS[found[2]]() + found[3], page)


if __name__ == "__main__":
    for path in DOCS.glob("*.md"):
        old = path.read_text(encoding="utf-8")
        if (new := renewed(old)) != old:
            path.write_text(new, encoding="utf-8")
