"""YAML read as a tree of nodes: plain values, and the line of every key.

Only what settings and profiles need is understood: mappings, lists and scalars. Anchors, aliases
and tags are refused, so a file can neither grow when it is read nor name a Python object.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from yaml.reader import ReaderError

from soxsdark.errors import SettingsError
from soxsdark.regular_file import open_regular

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_DIGITS = 400

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {form for word in ("yes", "on", "true") for form in (word, word.title(), word.upper())}
_FALSE = {form for word in ("no", "off", "false") for form in (word, word.title(), word.upper())}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+)")
REAL = re.compile(
    r"[-+]?([0-9][0-9_]*\.[0-9_]*|\.[0-9]+|(0|[1-9][0-9_]*)(?=[eE]))([eE][-+]?[0-9]+)?"
)
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _Refused(yaml.YAMLError):
    """A construct that is valid YAML and not wanted in a settings file."""

    def __init__(self, problem: str, mark: yaml.Mark) -> None:
        super().__init__(problem)
        self.problem = problem
        self.problem_mark = mark


class _Composer(yaml.SafeLoader):
    """SafeLoader, composing only, that refuses anchors, aliases, tags and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(
                "anchors and aliases are not allowed; write the value out", event.start_mark
            )
        if event.tag is not None:
            raise _Refused("tags (!) are not allowed; write the plain value", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read_text(path: Path) -> str:
    """Return the text of a YAML file; SettingsError when it cannot be text of less than 1 MB."""
    try:
        with open_regular(path) as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; 'soxsdark settings init' writes one") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path}: cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise SettingsError(f"{path}: larger than 1 MB, which no settings file is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}:{line}: not a text file: byte 0x{content[error.start]:02x} is not UTF-8"
        ) from None


def compose(text: str, name: object) -> yaml.Node | None:
    """Return the root node of a YAML text, None when it is empty.

    Parameters
    ----------
    text : str
        One YAML document.
    name : object
        What messages call it, a path in general.

    Raises
    ------
    SettingsError
        When the text is not YAML, or uses what is refused here; names the line.
    """
    with _composer(text, name) as composer:
        return composer.get_single_node()


def compose_all(text: str, name: object) -> list[yaml.Node]:
    """Return the root node of each document of a YAML text; otherwise as `compose`."""
    with _composer(text, name) as composer:
        nodes: list[Any] = []
        while composer.check_node():
            nodes.append(composer.get_node())
        return nodes


@contextmanager
def _composer(text: str, name: object) -> Iterator[_Composer]:
    """Give a composer; whatever it finds wrong becomes a `SettingsError`."""
    line = 1
    try:
        composer = _Composer(text)
        try:
            yield composer
        finally:
            line = composer.line + 1
            composer.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = "; ".join(part for part in (error.context, error.problem) if part)
        if "'\\t'" in problem:
            problem += "; indent with blanks, not tabs"
        raise SettingsError(
            f"{_place(name, mark)}: not valid YAML: {_one_line(problem)}"
        ) from error
    except _Refused as error:
        raise SettingsError(f"{_place(name, error.problem_mark)}: {error.problem}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(
            f"{name}:{line}: not valid YAML: character {error.character:#x} is not text"
        ) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise SettingsError(f"{name}:{line}: not valid YAML: {_one_line(str(error))}") from error


def entries(node: yaml.MappingNode) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield (key, line, value node) of a mapping in file order, duplicates included."""
    for key, value in node.value:
        yield key_text(key), key.start_mark.line + 1, value


def refuse_repeats(node: yaml.Node, name: object) -> None:
    """Raise SettingsError if a key stands twice in a mapping, at any depth of the file `name`."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            refuse_repeats(item, name)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, line, value in entries(node):
            if key in first:
                raise SettingsError(
                    f"{name}:{line}: key {key!r} stands on line {first[key]} too; remove one"
                )
            first[key] = line
            refuse_repeats(value, name)


def key_text(key: yaml.Node) -> str:
    """Return a key as text: one that is a list or mapping as Python would write it."""
    return key.value if isinstance(key, yaml.ScalarNode) else repr(plain(key))


def plain(node: yaml.Node) -> object:
    """Return the value of a node as None, bool, int, float, str, list or dict.

    Of a duplicate key in a mapping the last one stays: whoever cares asks `entries`.
    """
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node.value) if node.style is None else node.value
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return {key_text(key): plain(value) for key, value in node.value}


def _scalar(text: str) -> object:
    """Resolve an unquoted scalar: 1e-7 is a float, times and dates stay strings.

    A number with a leading zero (010: eight to some readers, ten to others) stays a string too.
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if len(text) > MAX_DIGITS:
        return text
    if _WHOLE.fullmatch(text):
        return int(text.replace("_", ""), 16 if "x" in text else 10)
    if REAL.fullmatch(text):
        return float(text.replace("_", ""))
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _place(name: object, mark: yaml.Mark | None) -> str:
    return f"{name}" if mark is None else f"{name}:{mark.line + 1}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
