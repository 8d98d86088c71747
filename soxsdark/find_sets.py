"""The sets of darks below a folder: what was taken together, with one setup, is one set."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

from soxsdark.file_set import Entry
from soxsdark.find_frames import DarkFrame, FoundFrames, Memory, find_frames
from soxsdark.instruments import own_profile
from soxsdark.kinds import DARK
from soxsdark.nights import UNDATED, Boundary, moment_of
from soxsdark.one_setup import by_setup
from soxsdark.record import sha256_of
from soxsdark.settings import Settings

LONGEST_WORD = 24

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ARM = re.compile(r"[A-Z0-9]+")


@dataclass(frozen=True)
class DarkSet:
    """Raw darks of one setup that were taken together.

    Attributes
    ----------
    name : str
        Of its SOF and products; of letters, digits, and ``._-`` alone. It begins with the start of
        the first exposure, so that a frame that is added later does not change it.
    night : date or None
        Of the first exposure; None if that has no date.
    boundary : Boundary
        Of the nights at its site.
    frames : tuple of Entry
        Absolute paths and tags, in the order in which they were taken.
    profile : str
        Name of the instrument profile.
    profile_sha256 : str or None
        Of the file of a user's own profile.
    arm : str or None
    setup : dict
        Of the first frame.
    start : float or None
        Of the first exposure, MJD; None if that has no date.
    minimum : int
        Fewer frames than this cannot be reduced.
    """

    name: str
    night: date | None
    boundary: Boundary
    frames: tuple[Entry, ...]
    profile: str
    profile_sha256: str | None
    arm: str | None
    setup: dict[str, object] = field(hash=False)
    start: float | None = None
    minimum: int = 1

    @property
    def folder(self) -> str:
        """Name of the folder of its night."""
        return UNDATED if self.night is None else self.night.isoformat()

    @property
    def is_too_small(self) -> bool:
        """Whether it has too few frames."""
        return len(self.frames) < self.minimum


@dataclass(frozen=True)
class FoundSets:
    """The sets below a folder, sorted by name, and what else there is."""

    sets: tuple[DarkSet, ...]
    frames: FoundFrames


def find_sets(
    folder: Path | str,
    settings: Settings | None = None,
    memory: Memory | None = None,
    settle: float = 0.0,
) -> FoundSets:
    """Find the sets of darks below a folder. Every dark is in exactly one set.

    The frames of a set agree in their setup (see `soxsdark.one_setup`), in template start and
    observation block, follow each other without a gap longer than `set-gap`, and are of one night,
    unless they have a template start: a template is not parted at noon.

    Parameters
    ----------
    folder : path
    settings : Settings, optional
        The program's defaults when not given.
    memory, settle
        See `find_frames`.

    Raises
    ------
    InputError, SettingsError
        As `find_frames`.
    """
    settings = settings or Settings()
    found = find_frames(folder, settings, memory, settle)
    groups = list(group(found.darks, settings))
    names = _unique_names([frames[0] for frames in groups])
    own = own_profile(settings.for_arm(None).values.instrument)
    sha256 = sha256_of(own) if own else None
    sets = (_dark_set(name, g, settings, sha256) for name, g in zip(names, groups, strict=True))
    return FoundSets(tuple(sorted(sets, key=attrgetter("name"))), found)


def group(frames: Iterable[DarkFrame], settings: Settings) -> Iterator[list[DarkFrame]]:
    """Sort frames into sets, each in the order in which they were taken."""
    together: dict[tuple[Any, ...], list[DarkFrame]] = {}
    for frame in frames:
        key = frame.profile.name, frame.about.arm, frame.template, frame.is_dated
        together.setdefault(key, []).append(frame)
    for members in together.values():
        values = settings.for_arm(members[0].about.arm).values
        abouts = [frame.about for frame in members]
        for numbers in by_setup(abouts, values.exposure_time_tolerance):
            one_setup = sorted((members[n] for n in numbers), key=_order)
            yield from _parted(one_setup, values.set_gap / 24)


def _order(frame: DarkFrame) -> tuple[float, str]:
    return frame.start, str(frame.path)


def _parted(frames: Sequence[DarkFrame], gap: float) -> Iterator[list[DarkFrame]]:
    """Part frames of one setup, in order of time, at gaps (days) and between nights."""
    if not frames[0].is_dated:
        yield list(frames)
        return
    part: list[DarkFrame] = []
    end = 0.0
    for frame in frames:
        about = frame.about
        if part and (frame.start - end > gap or _is_another_night(part[-1], frame)):
            yield part
            part = []
        part.append(frame)
        end = frame.start + about.exposure_time * about.ndit / 86400
    yield part


def _is_another_night(one: DarkFrame, other: DarkFrame) -> bool:
    return other.template[0] is None and _night(one) != _night(other)


def _night(frame: DarkFrame) -> date | None:
    return frame.boundary.night_of(frame.start) if frame.is_dated else None


def _dark_set(
    name: str, frames: Sequence[DarkFrame], settings: Settings, profile_sha256: str | None
) -> DarkSet:
    first, arm = frames[0], frames[0].about.arm
    tag = f"{DARK.tag}_{arm}" if arm and _ARM.fullmatch(arm) else DARK.tag
    return DarkSet(
        name=name,
        night=_night(first),
        boundary=first.boundary,
        frames=tuple(Entry(frame.path, tag) for frame in frames),
        profile=first.profile.name,
        profile_sha256=profile_sha256,
        arm=arm,
        setup=first.about.setup,
        start=first.start if first.is_dated else None,
        minimum=settings.for_arm(arm).values.minimum_frame_count,
    )


def _name(frame: DarkFrame) -> str:
    """Start, arm or else instrument, binning, and exposure time."""
    about = frame.about
    start = f"{moment_of(frame.start):%Y%m%dT%H%M%S}" if frame.is_dated else UNDATED
    whose = _word(about.arm or about.setup.get("instrument"))
    binning = "{}X{}".format(*about.binning)
    seconds = _word(float(f"{about.exposure_time:.6g}"))
    return "_".join(part for part in (start, whose, binning, DARK.tag, f"{seconds}S") if part)


def _word(value: object) -> str:
    """What a header says, fit for a file name."""
    text = "" if value is None else str(value).upper()
    return _UNSAFE.sub("-", text).strip("._-")[:LONGEST_WORD].rstrip("._-")


def _unique_names(first: Sequence[DarkFrame]) -> list[str]:
    """Name sets by their first frames; sets of one name are told apart by checksums."""
    names = [_name(frame) for frame in first]
    count = Counter(names)
    return [
        f"{name}-{_checksum(frame)}" if count[name] > 1 else name
        for name, frame in zip(names, first, strict=True)
    ]


def _checksum(first: DarkFrame) -> str:
    """Of what parts sets."""
    about = first.about
    parts = first.profile.name, first.template, about.mjd_obs, about.arm, *about.setup.values()
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8]
