"""Whether the frames of a set are of one setup, and which setups there are if they are not."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from soxsdark.description import Description
from soxsdark.errors import InputError
from soxsdark.instruments import as_number, size_text

TIMES = {"exposure time", "DIT"}
"""Setup keys that are compared within a tolerance."""
UNITS = dict.fromkeys(TIMES, " s")
MOST_GROUPS = 6
"""Setups that a message lists."""
ROUNDED = 1e-3
"""How far two numbers may be apart, relative: headers round them."""
BINARY = 1e-9
"""By how much a difference may pass a limit, relative: decimals have no exact binary value."""


def within(difference: float, limit: float) -> bool:
    """Tell whether two numbers of headers lie no farther apart than a limit of the settings."""
    return difference <= limit * (1 + BINARY)


def check_one_setup(descriptions: Sequence[Description], tolerance: float = 0.0) -> None:
    """Check that all frames are of one setup.

    Values are compared exactly, times within a tolerance. A keyword that a frame lacks is optional
    and not compared (see `setup_remarks`); NDIT and binning count as 1 then.

    Parameters
    ----------
    descriptions : sequence of Description
        One a frame, of one profile.
    tolerance : float
        Seconds that exposure times, and DITs, may lie apart.

    Raises
    ------
    InputError
        They differ: the first line names the keys, then comes a table of the values, then how the
        set could be split.
    """
    values = _values_by_key(descriptions, tolerance)
    differing = {
        key: found
        for key, found in values.items()
        if len([value for value in found if value is not None]) > 1
    }
    if not differing:
        return
    rows = [
        (key, _display(value), len(members), str(descriptions[members[0]].path))
        for key, found in differing.items()
        for value, members in found.items()
    ]
    from tabulate import tabulate

    table = tabulate(rows, headers=("key", "value", "files", "for example"), disable_numparse=True)
    raise InputError(
        f"the {len(descriptions)} frames are not of one setup: {', '.join(differing)} "
        f"{'differs' if len(differing) == 1 else 'differ'}; expected one value each\n"
        f"{table}\nSplit the set into one SOF a setup: {_groups(differing, len(descriptions))}."
    )


def _groups(differing: Mapping[str, Mapping[Any, Sequence[int]]], frames: int) -> str:
    """Say which setups there are in a set, and of how many frames."""
    said = []
    for setup, members in _by_label(differing, frames).items():
        names = (f"{key} {_display(value)}{UNITS.get(key, '')}" for key, value in setup)
        count = len(members)
        said.append(f"{', '.join(names)} ({count} frame{'s' * (count > 1)})")
    more = [f"and {len(said) - MOST_GROUPS} more"] if len(said) > MOST_GROUPS else []
    return "; ".join([*said[:MOST_GROUPS], *more])


def by_setup(descriptions: Sequence[Description], tolerance: float = 0.0) -> list[list[int]]:
    """Sort frames by setup, compared as in `check_one_setup`.

    A keyword that only some frames have parts them, since it cannot be known whose they are.

    Returns
    -------
    list of list of int
        Numbers of the frames of each setup, in the order of the frames.
    """
    exact = _values_by_key(descriptions)
    exact = {key: found for key, found in exact.items() if key not in TIMES}
    groups = []
    for members in _by_label(exact, len(descriptions)).values():
        values = _values_by_key([descriptions[number] for number in members], tolerance)
        parts = _by_label(values, len(members)).values()
        groups += [[members[number] for number in part] for part in parts]
    return groups


def _by_label(
    values: Mapping[str, Mapping[Any, Sequence[int]]], frames: int
) -> dict[tuple[tuple[str, Any], ...], list[int]]:
    """The numbers of the frames that share the value of every key."""
    labels: list[list[tuple[str, Any]]] = [[] for _ in range(frames)]
    for key, found in values.items():
        for value, members in found.items():
            for number in members:
                labels[number].append((key, value))
    groups: dict[tuple[tuple[str, Any], ...], list[int]] = {}
    for number, label in enumerate(labels):
        groups.setdefault(tuple(label), []).append(number)
    return groups


def setup_remarks(descriptions: Sequence[Description]) -> tuple[str, ...]:
    """Name the setup keys that some frames have and others lack."""
    remarks = []
    for key, found in _values_by_key(descriptions).items():
        lacking = found.get(None, [])
        if lacking and len(found) > 1:
            remarks.append(
                f"{key} is not in the header of {len(lacking)} of {len(descriptions)} frames "
                f"({descriptions[lacking[0]].path}): taken to be that of the others"
            )
    return tuple(remarks)


def _values_by_key(
    descriptions: Sequence[Description], tolerance: float = 0.0
) -> dict[str, dict[Any, list[int]]]:
    """For each setup key its values, and for each value the numbers of the frames that have it."""
    result: dict[str, dict[Any, list[int]]] = {}
    for number, one in enumerate(descriptions):
        for key, value in one.setup.items():
            effective = {"NDIT": one.ndit, "binning": one.binning}.get(key, value)
            result.setdefault(key, {}).setdefault(effective, []).append(number)
    for key in TIMES & result.keys():
        result[key] = _joined(result[key], tolerance)
    return result


def _joined(found: dict[Any, list[int]], tolerance: float) -> dict[Any, list[int]]:
    """Join times that lie no farther apart than the tolerance, under the shortest of them."""
    times = sorted(time for value in found if (time := as_number(value)) is not None)
    shortest: dict[Any, float] = {}
    start = -math.inf
    for time in times:
        start = start if within(time - start, tolerance) else time
        shortest[time] = start
    result: dict[Any, list[int]] = {}
    for value, members in found.items():
        result.setdefault(shortest.get(value, value), []).extend(members)
    return result


def _display(value: object) -> str:
    if value is None:
        return "(not given)"
    return size_text(value) if isinstance(value, tuple) else str(value)


def same_value(one: object, other: object) -> bool:
    """Whether two setup values of different files agree; numbers as far as headers round them."""
    if isinstance(one, float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=ROUNDED)
    if isinstance(one, str) and isinstance(other, str):
        return one.upper() == other.upper()
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return all(map(same_value, one, other))
    return one == other


def value_text(value: object) -> str:
    """A setup value for a message."""
    if isinstance(value, tuple):
        return size_text(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
