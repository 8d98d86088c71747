"""What a raw frame adds to the settings: its arm, gain, read-out noise and saturation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from soxsdark.amplifiers import Sourced
from soxsdark.frame import Frame
from soxsdark.instruments import profile_of
from soxsdark.settings import EffectiveSettings, Settings
from soxsdark.setups import describe


@dataclass(frozen=True)
class Measured:
    """A value, a list of one for each amplifier where they differ; and who says so."""

    value: float | list[float | None] | None
    source: str


def of_frame(settings: Settings, path: Path) -> tuple[EffectiveSettings, dict[str, Measured]]:
    """Return the settings that hold for a raw frame, and what its header adds to them.

    Raises
    ------
    InputError
        The file is no raw frame.
    SettingsError
        The instrument profile does not exist or is wrong.
    """
    values = settings.for_arm(None).values
    frame = Frame.open(path, values.data_extension)
    profile = profile_of(frame.header, values.instrument)
    about = describe(path, frame.header, frame.layout.shape, profile, values, expected="raw")
    effective = settings.for_arm(about.arm)
    return effective, {
        "gain": _together([amplifier.gain for amplifier in about.amplifiers]),
        "ron": _together([amplifier.ron for amplifier in about.amplifiers]),
        "saturation": _together([about.saturation]),
    }


def _together(each: Sequence[Sourced[float] | Sourced[float | None]]) -> Measured:
    sources = ", ".join(dict.fromkeys(one.source for one in each))
    values = [one.value for one in each]
    return Measured(values if len(set(values)) > 1 else values[0], sources)
