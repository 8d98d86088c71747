"""Observing blocks of numina, the framework of MEGARA's pipeline: YAML in place of a SOF.

A file holds one block a document: what was observed (``mode``), its images, and the calibrations
it requires.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from soxsdark.errors import InputError, SettingsError
from soxsdark.file_set import (
    FITS_SUFFIXES,
    Entry,
    FileSet,
    find,
    is_fits_name,
    refuse_repeats,
    require_regular,
    shortened,
    show,
    status_of,
)
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.yaml_nodes import MAX_BYTES, compose_all, entries, plain, read_text

SUFFIXES = (".yaml", ".yml")
INSTRUMENT = "MEGARA"
MODES = {DARK: "MegaraDarkImage", BIAS: "MegaraBiasImage"}
DATA_FOLDER = "data"
IMAGES = ("images", "frames")
REQUIREMENTS = {"master_bias": "MASTER_BIAS", "master_bpm": "BP_MAP"}
"""What a block may require, and the tag that a SOF would give it."""
NOT_USED = ("children", "parent", "results", "labels", "configuration", "pipeline", "profile")
KEYS = ("id", "instrument", "mode", "enabled", *IMAGES, "requirements", *NOT_USED)


@dataclass(frozen=True)
class Block:
    """One block: its mode, and what else it says, not yet looked at."""

    id: str
    mode: str
    line: int
    enabled: bool
    """False: numina passes it over."""
    values: dict[str, tuple[int, yaml.Node]]
    """Line and value of each key."""


def is_block_name(path: Path) -> bool:
    """Tell whether a name ends like that of a file of observing blocks (.yaml, .yml, any case)."""
    return path.suffix.lower() in SUFFIXES


def read_block(path: Path, kind: Kind) -> FileSet:
    """Find the files of the one block that is of a kind.

    A path is looked up in the folder ``data`` beside the file, which is where numina has them,
    then beside the file itself.

    Parameters
    ----------
    path : Path
        The YAML file.
    kind : Kind
        Darks or biases; blocks of other modes, and those that are not enabled, are passed over.

    Raises
    ------
    InputError
        The file cannot be read, has none or several such blocks, or its block is wrong.
    """
    status = status_of(path)
    require_regular(path, status)
    if status.st_size > MAX_BYTES:
        raise InputError(f"{show(path)}: larger than 1 MB, which no observing block is")
    try:
        text = read_text(path)
    except SettingsError as error:
        raise InputError(show(error)) from error
    name = show(path)
    block = _chosen(parse_blocks(text, name), kind, name)
    listed, required = parse_files(block, kind, name)
    frames = tuple(_found(entry, path) for entry in listed)
    required = {key: _found(entry, path) for key, entry in required.items()}
    refuse_repeats((*frames, *required.values()), path)
    return FileSet(
        name=path.stem.lstrip(".") or kind.tag.lower(),
        frames=frames,
        bad_pixel_map=required.get("master_bpm"),
        source=path,
        master_bias=required.get("master_bias"),
    )


def parse_blocks(text: str, name: str) -> tuple[Block, ...]:
    """Turn the text of a file into blocks; `name` is the file's, for messages.

    Raises
    ------
    InputError
        Not YAML, or a document that is no block.
    """
    try:
        nodes = compose_all(text, name)
    except SettingsError as error:
        raise InputError(show(error)) from error
    return tuple(_block(node, name) for node in nodes if not _is_null(node))


def parse_files(block: Block, kind: Kind, name: str) -> tuple[tuple[Entry, ...], dict[str, Entry]]:
    """Return what a block lists: its images, and its calibrations by their key, as written.

    Raises
    ------
    InputError
        A key that is not known or a value that cannot be used.
    """
    for key, (line, _) in block.values.items():
        if key not in KEYS:
            raise _wrong(name, line, f"key {key!r} is not known", f"one of {', '.join(KEYS)}")
    given = [key for key in IMAGES if key in block.values]
    if len(given) != 1:
        found = "both are given" if given else "is missing"
        raise _wrong(name, block.line, f"{' or '.join(IMAGES)} {found}", "a list of FITS files")
    line, node = block.values[given[0]]
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise _wrong(name, line, f"{given[0]} is no list or empty", "a list of FITS files")
    return tuple(_entry(one, kind.tag, name) for one in node.value), _requirements(block, name)


def _requirements(block: Block, name: str) -> dict[str, Entry]:
    line, node = block.values.get("requirements", (0, None))
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(name, line, "requirements is no mapping", "master_bias: FILE")
    required = {}
    for key, (line, value) in _once(node, name).items():
        if key not in REQUIREMENTS:
            known = " or ".join(REQUIREMENTS)
            raise _wrong(name, line, f"requirement {key!r} is not known", known)
        if not _is_null(value):
            required[key] = _entry(value, REQUIREMENTS[key], name)
    return required


def _block(node: yaml.Node, name: str) -> Block:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(name, line, "no observing block", "id, instrument, mode and images")
    values = _once(node, name)
    instrument, mode = (_text(values, key, name, line) for key in ("instrument", "mode"))
    if instrument != INSTRUMENT:
        where = values["instrument"][0]
        raise _wrong(name, where, f"instrument is {shortened(instrument)}", INSTRUMENT)
    enabled = plain(values["enabled"][1]) if "enabled" in values else True
    if not isinstance(enabled, bool):
        raise _wrong(name, values["enabled"][0], "enabled is no logical", "true or false")
    number = _text(values, "id", name, line) if "id" in values else "1"
    return Block(number, mode, line, enabled, values)


def _once(node: yaml.MappingNode, name: str) -> dict[str, tuple[int, yaml.Node]]:
    values: dict[str, tuple[int, yaml.Node]] = {}
    for key, line, value in entries(node):
        if key in values:
            raise InputError(
                f"{name} line {line}: key {key!r} stands on line {values[key][0]} too; remove one"
            )
        values[key] = line, value
    return values


def _text(values: dict[str, Any], key: str, name: str, line: int) -> str:
    where, node = values.get(key, (line, None))
    if not isinstance(node, yaml.ScalarNode) or _is_null(node):
        raise _wrong(name, where, f"{key} is {'missing' if node is None else 'no text'}", "a text")
    return node.value


def _entry(node: yaml.Node, tag: str, name: str) -> Entry:
    line = node.start_mark.line + 1
    value = node.value if isinstance(node, yaml.ScalarNode) else "a list or mapping"
    if not isinstance(node, yaml.ScalarNode) or not is_fits_name(value):
        ends = f"a name that ends in {' '.join(FITS_SUFFIXES)} (also .gz or .fz)"
        raise _wrong(name, line, f"{shortened(value)} is no path of a FITS file", ends)
    return Entry(Path(value), tag, line)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and plain(node) is None


def _chosen(blocks: Sequence[Block], kind: Kind, name: str) -> Block:
    mode, enabled = MODES[kind], [block for block in blocks if block.enabled]
    found = [block for block in enabled if block.mode == mode]
    if len(found) == 1:
        return found[0]
    if not found:
        modes = ", ".join(f"{shortened(b.mode)} (id {shortened(b.id)})" for b in enabled[:6])
        raise InputError(
            f"{name}: no enabled block of mode {mode}, which {kind.recipe} takes; "
            f"found {modes or 'no block at all'}"
        )
    ids = ", ".join(f"{shortened(block.id)} (line {block.line})" for block in found)
    raise InputError(
        f"{name}: {len(found)} blocks of mode {mode}, ids {ids}; expected one: write "
        "'enabled: false' into the others"
    )


def _found(entry: Entry, source: Path) -> Entry:
    folders = source.parent / DATA_FOLDER, source.parent
    looked = f"beside the YAML file or in its folder {DATA_FOLDER}"
    return find(entry, folders, f"{show(source)} line {entry.line}: ", looked)


def _wrong(name: str, line: int, found: str, expected: str) -> InputError:
    return InputError(f"{name} line {line}: {found}, expected {expected}")
