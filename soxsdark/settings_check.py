"""Everything that is wrong with a settings file, and what is doubtful in it."""

from dataclasses import dataclass
from pathlib import Path

from soxsdark.errors import SettingsError
from soxsdark.settings import Settings
from soxsdark.settings_advice import advice
from soxsdark.settings_layers import ARMS, line_of
from soxsdark.yaml_nodes import read_text


@dataclass(frozen=True)
class Findings:
    """What a check found: one line for each thing, with file and line, in file order."""

    faults: tuple[str, ...] = ()
    """The program refuses these."""
    warnings: tuple[str, ...] = ()
    """The program takes these, and does hardly what was meant."""


def check_settings(path: Path) -> Findings:
    """Check a settings file as `mdark` would, and look for what makes no sense."""
    try:
        text = read_text(path)
    except SettingsError as error:
        return Findings(error.lines)
    return check_text(text, path)


def check_text(text: str, path: Path) -> Findings:
    """Check the text of a settings file, `path` in the messages."""
    try:
        settings = Settings.of_text(text, path)
    except SettingsError as error:
        return Findings(error.lines)
    faults = sorted([*settings.faults(), *_instrument_faults(settings)], key=line_of)
    if faults:
        return Findings(tuple(faults))
    return Findings((), tuple(sorted([*settings.notes, *advice(settings)], key=line_of)))


def _instrument_faults(settings: Settings) -> list[str]:
    """Return what is wrong with the instrument profiles that are named."""
    given = [settings.given(arm).get("instrument") for arm in (None, *ARMS)]
    named = {item.place: item for item in given if item and isinstance(item.value, str)}
    if not named:
        return []
    from soxsdark.instruments import load_profile

    faults = []
    for place, item in named.items():
        try:
            load_profile(str(item.value))
        except SettingsError as error:
            faults.append(f"{place}: {item.label}: {str(error).removeprefix('instrument: ')}")
    return faults
