"""The settings of a run: where they come from, what holds for an arm, what is wrong with them.

A value comes from the defaults, the section ``soxs-mdark`` of a YAML file, the section of the arm
inside it, or ``--set``; the later wins, and the origin of each value is kept.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from soxsdark.errors import SettingsError
from soxsdark.logging_settings import LoggingSettings, read_logging
from soxsdark.settings_layers import (
    ARMS,
    BOTH_SIDES,
    EACH_SIDE,
    RANGES,
    SECTION,
    Given,
    Layer,
    SettingsFaultsError,
    line_of,
    merge,
    nearest,
    override_layer,
    section_layers,
    show,
    show_key,
)
from soxsdark.settings_model import MdarkSettings, keys, schemas
from soxsdark.settings_text import allowed, settings_text
from soxsdark.yaml_nodes import compose, entries, plain, read_text

__all__ = [
    "EffectiveSettings",
    "LoggingSettings",
    "MdarkSettings",
    "Settings",
    "SettingsFaultsError",
    "default_settings_text",
]


@dataclass(frozen=True)
class EffectiveSettings:
    """The settings that hold for one arm."""

    values: MdarkSettings
    origins: Mapping[str, str]
    """Where the value of each key (with hyphens) comes from: ``default``, ``settings.yaml:12``,
    ``settings.yaml:40 (nir)`` or ``--set``."""


@dataclass(frozen=True)
class Settings:
    """Settings as read from a file and from overrides, checked for every arm."""

    path: Path | None = None
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    notes: list[str] = field(default_factory=list)
    """Lines for the log."""
    base: Layer = field(default_factory=Layer)
    arms: Mapping[str, Layer] = field(default_factory=dict)
    overrides: Layer = field(default_factory=Layer)

    @classmethod
    def read(
        cls,
        path: str | Path | None = None,
        overrides: Sequence[str] = (),
        instrument: Path | str | None = None,
    ) -> "Settings":
        """Read a settings file and overrides, and check both.

        Parameters
        ----------
        path : str, pathlib.Path or None
            A YAML file; None for the defaults.
        overrides : sequence of str
            ``KEY=VALUE`` each; they win over the file, whatever the arm.
        instrument : str or path, optional
            Override of the key of that name, as it is: a path may hold any character.

        Raises
        ------
        SettingsError
            The first fault in one line, with file, line, key, value and what is allowed; a
            `SettingsFaultsError` has them all in ``faults``.
        """
        settings = cls.unchecked(path, overrides)
        if instrument is not None:
            given = Given(str(instrument), "instrument", "--set", "--set")
            settings.overrides.add(given, keys())
        if faults := settings.faults():
            raise SettingsFaultsError(faults)
        return settings

    @classmethod
    def recorded(cls, values: Mapping[str, tuple[object, str]], place: str) -> "Settings":
        """Take settings from the record of a run: value and origin of each key, whatever the arm.

        Raises
        ------
        SettingsError
            As `read`; `place` is where messages say that they stand.
        """
        layer = Layer()
        for key, (value, origin) in values.items():
            parts = dict.fromkeys(value, place) if isinstance(value, dict) else {}
            layer.add(Given(value, key, place, origin, parts), keys())
        layer.check_forms()
        settings = cls(base=layer)
        if faults := settings.faults():
            raise SettingsFaultsError(faults)
        return settings

    @classmethod
    def unchecked(cls, path: str | Path | None = None, overrides: Sequence[str] = ()) -> "Settings":
        """Read as `read` does, but raise only for what is no settings file at all."""
        settings = cls() if path is None else cls.of_text(read_text(Path(path)), Path(path))
        return replace(settings, overrides=override_layer(overrides, keys()))

    @classmethod
    def of_text(cls, text: str, path: Path) -> "Settings":
        """Read the text of the file `path`, not checking values yet."""
        root = compose(text, path)
        value = None if root is None else plain(root)
        line = 1 if root is None else root.start_mark.line + 1
        if value is None:
            raise SettingsError(f"{path}:{line}: is empty, expected a section '{SECTION}:'")
        if not isinstance(root, yaml.MappingNode):
            raise SettingsError(
                f"{path}:{line}: found {show(value)}, expected a section '{SECTION}:'"
            )
        sections: list[Any] = []
        twice: list[str] = []
        notes: list[str] = []
        log = LoggingSettings()
        for key, line, node in entries(root):
            name = key.replace("_", "-")
            if name == SECTION and sections:
                twice.append(f"{path}:{line}: section '{key}' is given twice; give it once")
            elif name == SECTION:
                sections.append(node)
            elif key == "logging settings":
                log, more = read_logging(plain(node), f"{path}:{line}")
                notes += more
            elif name in keys():
                notes.append(f"{path}:{line}: {name} outside the section {SECTION} is ignored")
        if not sections:
            notes.append(f"{path}:1: has no section '{SECTION}', the defaults are used")
            return cls(path, log, notes, Layer(faults=_misplaced(root, path)))
        base, arms = section_layers(sections[0], path, keys())
        base.faults += twice
        return cls(path, log, notes, base, arms)

    def with_values(self, values: Mapping[str, object], origin: str) -> "Settings":
        """Return these settings with values of a program's own, which win over all others."""
        own = {key: Given(value, key, origin, origin) for key, value in values.items()}
        layer = replace(self.overrides, given={**self.overrides.given, **own})
        return replace(self, overrides=layer)

    def for_arm(self, arm: str | None) -> EffectiveSettings:
        """Return the settings that hold for an arm (any case; None for no arm)."""
        given = self.given(arm)
        values = MdarkSettings(**{key: item.value for key, item in given.items()})
        origins = {key: given[key].origin if key in given else "default" for key in keys()}
        if values.frame_clipping_sigma is None:
            origins[BOTH_SIDES] = origins[EACH_SIDE[0]]
        return EffectiveSettings(values, origins)

    def given(self, arm: str | None) -> dict[str, Given]:
        """Return what somebody gave for an arm, by key: no defaults."""
        return merge([self.base, self.arms.get((arm or "").lower(), Layer()), self.overrides])

    def faults(self) -> list[str]:
        """Return what is wrong, for whichever arm: one line for each fault, in file order."""
        layers = (self.base, *self.arms.values(), self.overrides)
        faults = [fault for layer in layers for fault in layer.faults]
        together = []
        for arm in (None, *ARMS):
            alone, more = _faults_of(self.given(arm))
            faults += alone
            together += more
        # half a pair may be but the consequence of a fault in the other half
        if not any(key in fault for fault in faults for key in (*EACH_SIDE, BOTH_SIDES)):
            faults += together
        return sorted(dict.fromkeys(faults), key=line_of)


def default_settings_text() -> str:
    """Return the documented settings file, every key at its default."""
    return settings_text(schemas())


def _misplaced(root: yaml.MappingNode, path: Path) -> list[str]:
    """Return the faults of sections that are meant to be ours, of a file without ours."""
    faults = []
    for key, line, node in entries(root):
        inner = [name for name, _, _ in entries(node)] if isinstance(node, yaml.MappingNode) else []
        if SECTION in (name.replace("_", "-") for name in inner):
            faults.append(
                f"{path}:{line}: {show_key(key)}: found the section {SECTION} below it, expected "
                "it at the left margin, with the arms below it"
            )
        elif difflib.get_close_matches(key.lower(), [SECTION], cutoff=0.8):
            found = f"{show_key(key)}: unknown section, found beside no '{SECTION}'"
            faults.append(f"{path}:{line}: {found}; did you mean '{SECTION}'?")
    return faults


def _faults_of(given: Mapping[str, Given]) -> tuple[list[str], list[str]]:
    """Return the faults of single keys, then those of several keys together."""
    try:
        MdarkSettings(**{key: item.value for key, item in given.items()})
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    else:
        return [], []
    wrong = {each["loc"][0] for each in errors if each["loc"]}
    faults = [_fault(each, given) for each in errors]
    if not wrong:
        return [], faults
    # pydantic looks at keys together only when each is right
    return faults, _faults_of({key: given[key] for key in given.keys() - wrong})[1]


def _fault(error: Mapping[str, Any], given: Mapping[str, Given]) -> str:
    """Return a fault that pydantic found as a line of ours."""
    if not error["loc"]:
        item = next(given[key] for key in (*EACH_SIDE, BOTH_SIDES) if key in given)
        found = f"{item.place}: {item.label}: found {show(item.value)}"
        return f"{found}, expected {error['ctx']['error']}"
    key = error["loc"][0]
    item = given[key]
    name, value, place = item.label, item.value, item.place
    if key == RANGES and error["loc"][1:] and isinstance(value, dict):
        part = str(error["loc"][1])
        name, value, place = f"{name}: {show_key(part)}", value[part], item.parts[part]
    choices = schemas()[key].get("enum", ()) if isinstance(value, str) else ()
    hint = nearest(str(value), choices) if choices else ""
    return f"{place}: {name}: found {show(value)}, expected {allowed(schemas()[key])}{hint}"
