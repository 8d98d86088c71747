"""Which settings are tried: sweeps as they are typed, and the combinations that they make."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import Any

from soxsdark.errors import SettingsError, UsageError
from soxsdark.settings import Settings
from soxsdark.settings_layers import canonical, nearest, show
from soxsdark.settings_model import keys, stages
from soxsdark.stage import Stage
from soxsdark.yaml_nodes import compose, plain

MOST = 100_000
"""Values of a sweep, and combinations, beyond which somebody has mistyped."""

STAGES = {key: s for key, s in stages().items() if Stage.FRAMES <= s <= Stage.FLAGS}
"""The keys that can be swept. The others change no pixel, or decide which frames are taken."""


@dataclass(frozen=True)
class Sweep:
    """One key and the values that it takes."""

    key: str
    values: tuple[object, ...]
    """Plain python values, not yet checked."""

    @classmethod
    def parse(cls, text: str) -> "Sweep":
        """Read ``KEY=START:STOP:STEP``, both ends included, or ``KEY=v1,v2,...``.

        Raises
        ------
        UsageError
            It is neither, or no whole number of steps leads from START to STOP.
        SettingsError
            The key is none, or none that can be swept.
        """
        written, equals, values = text.partition("=")
        key = canonical(written.strip())
        if not (equals and key and values.strip()):
            raise UsageError(
                f"--sweep: found {show(text)}, expected KEY=START:STOP:STEP or KEY=VALUE,VALUE,..."
            )
        if key not in STAGES:
            raise SettingsError(f"--sweep: {_no_key(key)}")
        if ":" in values:
            return cls(key, _range(text, values))
        nodes = (compose(value, f"--sweep {key}") for value in values.split(","))
        return cls(key, tuple(None if node is None else plain(node) for node in nodes))


def _no_key(key: str) -> str:
    if key in keys():
        return (
            f"{key} cannot be swept: it changes no pixel, or decides which frames are taken; "
            f"those that can be are {', '.join(STAGES)}"
        )
    return f"{show(key)}: unknown key{nearest(key, STAGES)}"


def _range(text: str, values: str) -> tuple[float, ...]:
    parts = values.split(":")
    try:
        start, stop, step = (Decimal(part.strip()) for part in parts)
        steps = (stop - start) / step
        if not steps.is_finite():
            raise ValueError
        whole = steps == steps.to_integral_value() and 0 <= steps < MOST
    except (ValueError, ArithmeticError):
        raise UsageError(
            f"--sweep: found {show(text)}, expected START:STOP:STEP, three numbers, STEP not 0"
        ) from None
    if not whole:
        raise UsageError(
            f"--sweep: found {show(text)}: {step} leads from {start} to {stop} in "
            f"{float(steps):g} steps, expected a whole number of them, below {MOST}"
        )
    return tuple(float(start + number * step) for number in range(int(steps) + 1))


@dataclass(frozen=True)
class Combination:
    """Settings that are tried."""

    swept: dict[str, object]
    """Each swept key and its value, as the settings have it."""
    settings: Settings


def combinations(
    sweeps: Sequence[Sweep],
    path: Path | str | None,
    overrides: Sequence[str] = (),
    *,
    arm: str | None = None,
    number: int | None = None,
    seed: int = 0,
) -> list[Combination]:
    """All combinations of the swept values, or some of them at random, each once.

    Keys that cost most to change vary slowest.

    Parameters
    ----------
    sweeps : sequence of Sweep
    path, overrides
        The current settings, as for `Settings.read`.
    arm : str or None
        Of the frames.
    number, seed
        How many are drawn, and of which draw; None: all.

    Raises
    ------
    UsageError
        A key is swept twice, or there are too many combinations.
    SettingsError
        A value is not allowed, alone or beside the others.
    """
    names = [sweep.key for sweep in sweeps]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"--sweep: {twice} is given twice; give it once")
    ordered = sorted(sweeps, key=lambda sweep: STAGES[sweep.key])
    total = prod(len(sweep.values) for sweep in ordered)
    places: Sequence[int] = range(total)
    if number is not None and number < total:
        places = sorted(random.Random(seed).sample(places, number))  # nosec B311
    elif total > MOST:
        raise UsageError(f"{total} combinations, at most {MOST} are tried; use --random")
    found: dict[tuple[Any, ...], Combination] = {}
    for place in places:
        chosen = dict(zip([s.key for s in ordered], _nth(ordered, place), strict=True))
        one = _combination(chosen, path, overrides, arm)
        found.setdefault(tuple(one.swept.values()), one)
    return list(found.values())


def _nth(sweeps: Sequence[Sweep], place: int) -> list[object]:
    """The values of one combination; the last key varies fastest."""
    values = []
    for sweep in reversed(sweeps):
        place, at = divmod(place, len(sweep.values))
        values.append(sweep.values[at])
    return values[::-1]


def _combination(
    chosen: Mapping[str, Any], path: Path | str | None, overrides: Sequence[str], arm: str | None
) -> Combination:
    texts = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in chosen.items()]
    own = [text for text in overrides if canonical(text.partition("=")[0].strip()) not in chosen]
    try:
        settings = Settings.read(path, [*own, *texts])
    except SettingsError as error:
        raise SettingsError(f"--sweep {' '.join(texts)}: {error}") from error
    values = settings.for_arm(arm).values
    return Combination({k: getattr(values, k.replace("-", "_")) for k in chosen}, settings)
