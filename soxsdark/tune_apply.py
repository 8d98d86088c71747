"""The chosen settings, written into a copy of the settings file; all else in it stays as it is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from soxsdark.errors import SettingsError, UsageError
from soxsdark.publish import publish_files
from soxsdark.settings import Settings, default_settings_text
from soxsdark.settings_layers import ARMS, BOTH_SIDES, EACH_SIDE, SECTION, canonical, show
from soxsdark.settings_migrate import Migration
from soxsdark.settings_text import INDENT
from soxsdark.tune_file import ID, Line, number
from soxsdark.tuned import ROW, Tuned
from soxsdark.yaml_nodes import compose, read_text

EDITED = "_tuned"
"""End of the stem of the copy's name."""


def chosen_row(tuned: Tuned, wanted: str) -> int:
    """The row that is meant: a number, or ``min:COLUMN`` or ``max:COLUMN``, the first of equals.

    Raises
    ------
    UsageError
        It is neither, or there is no such row or column.
    """
    if wanted.isdecimal() and int(wanted):
        return int(tuned.line(int(wanted))[ROW])
    best, _, column = wanted.partition(":")
    values = {
        place: value
        for place, line in enumerate(tuned.lines, start=1)
        if (value := number(line.get(column, ""))) is not None
    }
    if best not in ("min", "max") or not values:
        raise UsageError(
            f"--apply: found {show(wanted)}, expected a row from 1 to {len(tuned.lines)}, or "
            f"min:COLUMN or max:COLUMN with a column of numbers: {', '.join(tuned.current)}"
        )
    return (min if best == "min" else max)(values, key=values.__getitem__)


@dataclass
class _Copy:
    """A settings file that is being changed."""

    edits: Migration
    arm: str | None
    remark: str

    def set(self, values: Mapping[str, object]) -> str:
        """Return the text with these values, under the arm if there is one."""
        section = self._section()
        target = self._target(section)
        lines = [(key, _scalar(value)) for key, value in values.items()]
        missing = [(key, text) for key, text in lines if not self._replace(target, key, text)]
        if missing:
            self._insert(section, target, missing)
        return self.edits.text

    def _section(self) -> yaml.MappingNode:
        root = compose(self.edits.old, self.edits.path)
        for name, node in _entries(root):
            if name.replace("_", "-") == SECTION and isinstance(node, yaml.MappingNode):
                return self._block(node)
        raise SettingsError(
            f"{self.edits.path}: has no section '{SECTION}' with keys in it; start from "
            "'soxsdark settings init'"
        )

    def _target(self, section: yaml.MappingNode) -> yaml.MappingNode | None:
        """The mapping that the values go into; None: an arm's, which is not there yet."""
        if self.arm is None:
            return section
        arms = (node for name, node in _entries(section) if name.lower() == self.arm)
        node = next(arms, None)
        return self._block(node) if isinstance(node, yaml.MappingNode) else None

    def _block(self, node: yaml.MappingNode) -> yaml.MappingNode:
        if node.flow_style or not node.value:
            line = node.start_mark.line + 1
            raise SettingsError(
                f"{self.edits.path}:{line}: write one key a line here, without {{}}"
            )
        return node

    def _replace(self, target: Any, key: str, text: str) -> bool:
        """Replace the value of a key, and comment out what it excludes; False: it is not there."""
        found = False
        for name, value in target.value if target else ():
            if canonical(name.value) == key:
                self._remark(name)
                self.edits.edits.append((value.start_mark.index, value.end_mark.index, text))
                found = True
            elif text != "null" and canonical(name.value) in _rivals(key):
                self.edits.take_out(target, name, value, f"{key} takes its place")
        return found

    def _remark(self, name: yaml.Node) -> None:
        mark = name.start_mark
        line = f"# {self.remark}\n{' ' * mark.column}"
        self.edits.edits.append((mark.index, mark.index, line))

    def _insert(self, section: Any, target: Any, lines: Sequence[tuple[str, str]]) -> None:
        """Add keys behind the last one of the target, or an arm behind the last of the section."""
        last = _last_scalar(target or section)
        column = (target or section).value[0][0].start_mark.column
        indent, head = " " * column, ""
        if target is None:
            head = f"{indent}{self.arm}:\n"
            indent += INDENT
        text = "".join(f"{indent}{key}: {value}\n" for key, value in lines)
        old = self.edits.old
        end = old.find("\n", last.end_mark.index)
        at = len(old) if end < 0 else end + 1
        missing = "" if at == 0 or old[at - 1] == "\n" else "\n"
        self.edits.edits.append((at, at, f"{missing}{head}{indent}# {self.remark}\n{text}"))


def apply(tuned: Tuned, row: int, *, output: Path, overwrite: bool) -> Path:
    """Write a copy of the settings file with the values of a row; return where.

    Frames of an arm have their values under that arm, so that the others' stay. Values of
    ``--set`` are written too, since the sweep was made with them. Where no settings file was
    used, the documented defaults are copied.

    Parameters
    ----------
    tuned : Tuned
    row : int
        From 1.
    output : path
        Folder of the copy.
    overwrite : bool
        Replace a copy that is there.

    Raises
    ------
    SettingsError
        The file cannot be changed without being written anew.
    ProductError
        The copy exists already, or cannot be written.
    """
    line, arm = tuned.line(row), (tuned.arm or "").lower()
    source = tuned.settings or Path("settings.yaml")
    text = default_settings_text() if tuned.settings is None else read_text(source)
    values = tuned.combinations[line[ID]].settings.for_arm(tuned.arm).values
    keys = dict.fromkeys((*tuned.overrides, *tuned.keys))
    chosen = {key: getattr(values, key.replace("-", "_")) for key in keys}
    copy = _Copy(Migration(source, text), arm if arm in ARMS else None, _remark(tuned, line))
    new = copy.set(chosen)
    _check(new, source, tuned.arm, chosen)
    name = f"{source.stem}{EDITED}{source.suffix}"
    publish_files(output, {name: new.encode("utf-8")}, overwrite=overwrite)
    return output / name


def _check(text: str, path: Path, arm: str | None, chosen: Mapping[str, object]) -> None:
    made = Settings.of_text(text, path)
    if faults := made.faults():
        raise SettingsError(f"the copy would be wrong: {faults[0]}; change the file by hand")
    values = made.for_arm(arm).values
    for key, value in chosen.items():
        if getattr(values, key.replace("-", "_")) != value:
            raise SettingsError(f"{path}: {key} cannot be set there; change the file by hand")


def _remark(tuned: Tuned, line: Line) -> str:
    return (
        f"row {line[ROW]} of {tuned.csv.name}, a sweep of {', '.join(tuned.keys)} on {tuned.name}"
    )


def _rivals(key: str) -> tuple[str, ...]:
    """Keys that are another form of this one."""
    if key == BOTH_SIDES:
        return EACH_SIDE
    return (BOTH_SIDES,) if key in EACH_SIDE else ()


def _scalar(value: Any) -> str:
    """A value as YAML; JSON is."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
    return json.dumps(int(value) if whole else value, ensure_ascii=False)


def _entries(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [(key.value, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)]


def _last_scalar(node: yaml.Node) -> yaml.Node:
    """The last word of a block: the end of a mapping itself lies behind the comments after it."""
    while (
        isinstance(node, yaml.MappingNode | yaml.SequenceNode)
        and node.value
        and not node.flow_style
    ):
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return node
