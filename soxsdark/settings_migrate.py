"""A settings file of older names brought to those of today, everything else in it as it was.

The file is never written anew: the YAML reader tells where each key stands, and only those words
are replaced. So comments, order, blanks and the sections of other programs stay to the byte.
"""

import codecs
import difflib
import os
import shutil
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import yaml

from soxsdark.errors import SettingsError
from soxsdark.publish import Workspace, writing
from soxsdark.settings_check import check_text
from soxsdark.settings_layers import (
    ARMS,
    BOTH_SIDES,
    EACH_SIDE,
    RANGES,
    SECTION,
    SettingsFaultsError,
    canonical,
    range_name,
    show_key,
)
from soxsdark.settings_model import keys
from soxsdark.yaml_nodes import compose, plain, read_text

COUNT = "clipping-iteration-count"


@dataclass
class Migration:
    """Changes of a text: which characters become what, and a line of text on each."""

    path: Path
    old: str
    edits: list[tuple[int, int, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text with all changes made."""
        parts, done = [], 0
        for start, end, words in sorted(self.edits):
            parts += [self.old[done:start], words]
            done = end
        return "".join([*parts, self.old[done:]])

    @property
    def difference(self) -> str:
        """The changes as a unified diff; empty if there are none."""
        old, new = (text.splitlines() for text in (self.old, self.text))
        lines = difflib.unified_diff(old, new, str(self.path), f"{self.path} (new)", lineterm="")
        return "".join(f"{line}\n" for line in lines)

    def rename(self, key: yaml.ScalarNode, name: str) -> None:
        """Give a key another name."""
        if key.value != name:
            self.edits.append((key.start_mark.index, key.end_mark.index, name))
            self._note(key, f"is now {name}")

    def take_out(
        self, section: yaml.MappingNode, key: yaml.ScalarNode, value: yaml.Node, why: str
    ) -> None:
        """Make a comment of a line."""
        if section.flow_style or value.end_mark.line > key.start_mark.line:
            place = f"{self.path}:{key.start_mark.line + 1}: {show_key(key.value)}"
            raise SettingsError(f"{place}: {why}, take it out by hand")
        self.edits.append((key.start_mark.index, key.start_mark.index, "# "))
        self._note(key, f"is now a comment: {why}")

    def _note(self, key: yaml.ScalarNode, what: str) -> None:
        self.notes.append(f"{self.path}:{key.start_mark.line + 1}: {show_key(key.value)} {what}")


def migrated(path: Path) -> Migration:
    """Return what brings a settings file to the names of today.

    Raises
    ------
    SettingsError
        The file has no section of ours, or would not pass `check_text` afterwards; a
        `SettingsFaultsError` has all faults.
    """
    made = Migration(path, read_text(path))
    ours = [
        (key, node)
        for key, node in _entries(compose(made.old, path))
        if key.value.replace("_", "-") == SECTION
    ]
    if not ours:
        raise SettingsError(f"{path}: has no section '{SECTION}'; there is nothing to migrate")
    for key, node in ours:
        made.rename(key, SECTION)
        _section(made, node)
    if found := check_text(made.text, path).faults:
        raise SettingsFaultsError(found)
    return made


def replace_file(path: Path, text: str) -> Path:
    """Replace a file, keep the old one as FILE.bak (or .bak.1, ...) and return where.

    Raises
    ------
    ProductError
        The folder cannot be written.
    """
    path = path.resolve()
    names = chain([f"{path.name}.bak"], (f"{path.name}.bak.{number}" for number in count(1)))
    backup = next(name for name in names if not os.path.lexists(path.with_name(name)))
    with Workspace(path.parent) as work:
        with writing(path):
            old, new = work.path(backup), work.path(path.name)
            shutil.copy2(path, old)
            mark = codecs.BOM_UTF8 if old.read_bytes().startswith(codecs.BOM_UTF8) else b""
            new.write_bytes(mark + text.encode("utf-8"))
            shutil.copymode(path, new)
        work.publish([backup], overwrite=False)
        work.publish([path.name], overwrite=True)
    return path.with_name(backup)


def _entries(node: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    """Return those entries of a mapping whose keys are words; none if it is no mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _section(made: Migration, section: Any) -> None:
    """Bring the keys of our section, or of an arm in it, to today's names."""
    found = [(canonical(key.value), key, value) for key, value in _entries(section)]
    out = _superfluous(found)
    for name, key, value in found:
        if key.value.lower() in ARMS:
            _section(made, value)
        elif key in out:
            made.take_out(section, key, value, out[key])
        elif name in keys():
            made.rename(key, name)
            for word, _ in _entries(value) if name == RANGES else ():
                made.rename(word, range_name(word.value))


def _superfluous(found: list[tuple[str, yaml.ScalarNode, yaml.Node]]) -> dict[yaml.Node, str]:
    """Return the keys that another one replaces, and why.

    Files of the time when the names changed have both the old keys and the new ones.
    """
    out: dict[yaml.Node, str] = {}
    one_form = any(name == BOTH_SIDES and plain(value) is not None for name, _, value in found)
    newer = {key.value.replace("_", "-") for _, key, _ in found} if one_form else set()
    first: dict[str, tuple[yaml.ScalarNode, object]] = {}
    for name, key, value in found:
        if one_form and name in EACH_SIDE:
            out[key] = f"{BOTH_SIDES} is there"
        elif "frame-clipping-iterations" in newer and key.value.replace("_", "-") == COUNT:
            out[key] = "frame-clipping-iterations is there"
        elif name in first and first[name][1] == plain(value) and name in keys():
            out[key] = "it stands there twice"
        else:
            first.setdefault(name, (key, plain(value)))
    return out
