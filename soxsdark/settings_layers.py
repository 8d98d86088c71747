"""Settings as they were given, in layers: where each value stands, and what is wrong with it."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from soxsdark.errors import SettingsError
from soxsdark.yaml_nodes import compose, entries, plain

SECTION = "soxs-mdark"
ARMS = ("vis", "nir", "uvb")
RANGES = "qc-acceptable-ranges"
BOTH_SIDES = "frame-clipping-sigma"
EACH_SIDE = ("clipping-lower-sigma", "clipping-upper-sigma")
ALIASES = {
    "frame-clipping-iterations": "clipping-iteration-count",
    # Released versions of soxspipe spelt these two so.
    "clipping-lower-simga": "clipping-lower-sigma",
    "clipping-upper-simga": "clipping-upper-sigma",
}


class SettingsFaultsError(SettingsError):
    """Settings with one or more faults: ``faults`` has a line of text for each, in file order."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        more = len(self.faults) - 1
        super().__init__(self.faults[0] + (f"; and {more} more" if more else ""))

    @property
    def lines(self) -> tuple[str, ...]:
        """All faults."""
        return self.faults


@dataclass(frozen=True)
class Given:
    """One value as somebody gave it."""

    value: object
    """Plain python value, not yet checked."""
    key: str
    """The key as it was written."""
    place: str
    """Where messages say it stands: ``path:line`` or ``--set``."""
    origin: str
    """Where records say it comes from: ``name:line``, ``name:line (arm)`` or ``--set``."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Of quality ranges, the place of each."""
    faults: Sequence[str] = ()
    """What was wrong in reading the value."""
    arm: str = ""
    """The arm section it stands in."""

    @property
    def label(self) -> str:
        """The key for messages, behind its arm."""
        return f"{self.arm}: {show_key(self.key)}" if self.arm else show_key(self.key)


@dataclass
class Layer:
    """What one source gives: values by canonical key, and the faults met while reading them."""

    given: dict[str, Given] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, item: Given, known: Iterable[str]) -> None:
        """Add one value under its canonical key, or the fault that it is."""
        key = canonical(item.key)
        self.faults += item.faults
        if key not in known:
            self.faults.append(f"{item.place}: {_unknown(item, known)}")
        elif key in self.given:
            first = self.given[key]
            same = "" if first.key == item.key else f" (the same key as {show_key(first.key)})"
            self.faults.append(
                f"{item.place}: {item.label}{same}: given twice, found "
                f"{show(item.value)} after {show(first.value)} at {first.place}; give it once"
            )
        else:
            self.given[key] = item

    def check_forms(self) -> None:
        """Add a fault when both forms of the frame-level limits are given."""
        one_form = self.given.get(BOTH_SIDES)
        sides = [self.given[key] for key in EACH_SIDE if key in self.given]
        sides = [item for item in sides if item.value is not None]
        if one_form and one_form.value is not None and sides:
            self.faults.append(
                f"{sides[0].place}: {sides[0].label}: found {show(sides[0].value)} beside "
                f"{BOTH_SIDES} {show(one_form.value)} ({one_form.place}); expected either "
                f"{BOTH_SIDES} or both {' and '.join(EACH_SIDE)}"
            )


def canonical(key: str) -> str:
    """Return the one name of a key: hyphens for underscores, today's name for an older one."""
    hyphens = key.replace("_", "-")
    return ALIASES.get(hyphens, hyphens)


def line_of(fault: str) -> int:
    """Return the line number in the place of a fault, to sort by; without one it comes last."""
    digits = fault.split(": ")[0].rpartition(":")[2]
    return int(digits) if digits.isdecimal() else 10**9


def range_name(written: str) -> str:
    """Return the one name of a metric: lower case, with hyphens."""
    return written.lower().replace("_", "-").replace(" ", "-")


def show(value: object) -> str:
    """Return a value as YAML would write it, on one line of at most 60 characters."""
    return show_key(json.dumps(value, ensure_ascii=False))


def show_key(key: str) -> str:
    """Return a key fit for a message: printable, at most 60 characters."""
    text = key if len(key) <= 60 else key[:57] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def section_layers(
    section: yaml.Node, path: Path, known: Sequence[str]
) -> tuple[Layer, dict[str, Layer]]:
    """Read our section of a file.

    Parameters
    ----------
    section : yaml.Node
        Value of the key ``soxs-mdark``.
    path : pathlib.Path
        The file, for messages and origins.
    known : sequence of str
        The keys there are.

    Returns
    -------
    Layer, dict of str to Layer
        What stands in the section itself, and under each arm (lower case).
    """
    base, arms = Layer(), {}
    for key, line, node in _mapping(section, path, SECTION, base):
        arm = key.lower()
        if arm not in ARMS:
            base.add(_given(node, key, path, line), known)
        elif arm in arms:
            base.faults.append(f"{path}:{line}: {show_key(key)}: given twice; give it once")
        else:
            arms[arm] = Layer()
            for inner, inner_line, value in _mapping(node, path, key, base):
                arms[arm].add(_given(value, inner, path, inner_line, arm), known)
            arms[arm].check_forms()
    base.check_forms()
    return base, arms


def override_layer(overrides: Iterable[str], known: Sequence[str]) -> Layer:
    """Read ``KEY=VALUE`` texts, values being YAML scalars, lists or mappings on one line."""
    layer = Layer()
    for text in overrides:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not (equals and key):
            raise SettingsError(f"--set: found {show(text)}, expected KEY=VALUE")
        node = compose(value, f"--set {show_key(key)}")
        item = Given(None if node is None else plain(node), key, "--set", "--set")
        if node is not None and canonical(key) == RANGES:
            item = _ranges(item, node, None)
        layer.add(item, known)
    layer.check_forms()
    return layer


def merge(layers: Iterable[Layer]) -> dict[str, Given]:
    """Lay layers over one another: the later wins, and one form of a limit replaces the other.

    Quality ranges are merged name by name.
    """
    merged: dict[str, Given] = {}
    for layer in layers:
        for key in _rivals(layer):
            merged.pop(key, None)
        for key, item in layer.given.items():
            below = merged.get(key)
            merged[key] = _together(below, item) if key == RANGES and below else item
    return merged


def _together(below: Given, above: Given) -> Given:
    """Return the quality ranges of two layers as one; those above win, no ranges change none."""
    if above.value is None:
        return below
    if not (isinstance(below.value, dict) and isinstance(above.value, dict)):
        return above
    return replace(
        above,
        value=below.value | above.value,
        origin=f"{below.origin}, {above.origin}" if above.value else below.origin,
        parts={**below.parts, **above.parts},
    )


def _rivals(layer: Layer) -> tuple[str, ...]:
    """Return the keys whose form this layer replaces by the other form."""
    set_here = {key for key, item in layer.given.items() if item.value is not None}
    if BOTH_SIDES in set_here:
        return EACH_SIDE
    return (BOTH_SIDES,) if set_here.intersection(EACH_SIDE) else ()


def _mapping(
    node: yaml.Node, path: Path, key: str, layer: Layer
) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield the entries of a section; nothing when it is empty, a fault when it is no mapping."""
    if isinstance(node, yaml.MappingNode):
        yield from entries(node)
    elif (value := plain(node)) is not None:
        layer.faults.append(
            f"{path}:{node.start_mark.line + 1}: {key}: found {show(value)}, "
            "expected lines of 'key: value' below it"
        )


def _given(node: yaml.Node, key: str, path: Path, line: int, arm: str = "") -> Given:
    place = f"{path}:{line}"
    origin = f"{path.name}:{line}" + (f" ({arm})" if arm else "")
    item = Given(plain(node), key, place, origin, arm=arm)
    return _ranges(item, node, path) if canonical(key) == RANGES else item


def _ranges(item: Given, node: yaml.Node, path: Path | None) -> Given:
    """Return quality ranges with one spelling of their names, and the place of each."""
    if not isinstance(node, yaml.MappingNode):
        return item
    ranges: dict[str, object] = {}
    parts: dict[str, str] = {}
    faults: list[str] = []
    for written, line, value in entries(node):
        name = range_name(written)
        place = f"{path}:{line}" if path else item.place
        if name in ranges:
            faults.append(
                f"{place}: {item.label}: {show_key(written)}: given twice, found "
                f"{show(plain(value))} after {show(ranges[name])}; give it once"
            )
        else:
            ranges[name], parts[name] = plain(value), place
    return replace(item, value=ranges, parts=parts, faults=faults)


def _unknown(item: Given, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which one may be meant."""
    hint = nearest(item.key, [*known, *ALIASES, *ARMS])
    if not hint and isinstance(item.value, dict):
        hint = f"; arms are {', '.join(ARMS)}"
    hint = hint or "; 'soxsdark settings init' lists them"
    return f"{item.label}: unknown key, found {show(item.value)}, expected a key of {SECTION}{hint}"


def nearest(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the one of `words` nearest to a word; empty if none is."""
    near = difflib.get_close_matches(word.lower().replace("_", "-"), list(words), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
