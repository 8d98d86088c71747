"""The raw darks below a folder, found by their headers."""

import math
import os
import time
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxsdark.description import Description
from soxsdark.errors import InputError, OtherFrameError
from soxsdark.file_set import is_fits_name
from soxsdark.frame import Frame
from soxsdark.frame_header import read_header
from soxsdark.instruments import FrameHeader, Profile, header_value, load_profile, recognise
from soxsdark.nights import Boundary, is_datable
from soxsdark.settings import MdarkSettings, Settings
from soxsdark.setups import describe

Signature = tuple[int, int, int, int]
"""What changes when a file does: size, times of its content and of its inode (ns), inode."""


@dataclass(frozen=True)
class DarkFrame:
    """A raw dark, by its header.

    Attributes
    ----------
    about : Description
    profile : Profile
        Of its instrument.
    template : tuple
        Start of its template and its observation block; None where the header is silent.
    boundary : Boundary
        Of the nights at its site.
    """

    about: Description
    profile: Profile
    template: tuple[object, object]
    boundary: Boundary

    @property
    def path(self) -> Path:
        """Absolute path of the file."""
        return self.about.path

    @property
    def is_dated(self) -> bool:
        """Whether it is known when it was taken."""
        return is_datable(self.about.mjd_obs)

    @property
    def start(self) -> float:
        """Of the exposure, MJD; 0 if it is not known."""
        return self.about.mjd_obs if is_datable(self.about.mjd_obs) else 0.0


@dataclass(frozen=True)
class Problem:
    """A file that may be a dark, and why it cannot be used."""

    path: Path
    reason: str
    mtime: float = math.inf
    """When the file was last written, seconds since the epoch; infinite if that is not known."""

    @classmethod
    def unreadable(cls, path: Path | str, error: OSError) -> "Problem":
        """A file or folder that the system will not give."""
        return cls(Path(path), f"{path}: cannot be read ({error.strerror})")


@dataclass(frozen=True)
class FoundFrames:
    """What there is below a folder."""

    darks: tuple[DarkFrame, ...]
    problems: tuple[Problem, ...]
    others: int
    """FITS files that are no raw darks."""


Seen = DarkFrame | Problem | None
"""What one file is; None: a sound file that is no raw dark."""
Memory = MutableMapping[Path, tuple[Signature, Seen]]
"""Files that were looked at, so that they need not be again while they stay as they are."""


def signature(status: os.stat_result) -> Signature:
    """Return what changes when a file does."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def find_frames(
    folder: Path | str, settings: Settings, memory: Memory | None = None, settle: float = 0.0
) -> FoundFrames:
    """Find the raw darks below a folder, at any depth; nothing but headers is read.

    Names that begin with a dot are passed over. Links are followed, each file and folder once.

    Parameters
    ----------
    folder : path
    settings : Settings
        Its instrument, data-extension, gain and night-start count.
    memory : Memory, optional
        Kept from an earlier call with the same settings, and brought up to date.
    settle : float
        Seconds for which a file must not have been written, or it is left for later.

    Raises
    ------
    InputError
        `folder` is none, or cannot be read.
    SettingsError
        The instrument profile that the settings name is wrong.
    """
    memory = {} if memory is None else memory
    look, now = _Look(settings), time.time()
    darks: list[DarkFrame] = []
    problems: list[Problem] = []
    seen: set[Any] = set()
    others = 0
    for path in _fits_files(Path(os.path.abspath(folder)), problems):
        try:
            status = os.stat(path)
        except OSError as error:
            problems.append(Problem.unreadable(path, error))
            continue
        identity = status.st_dev, status.st_ino
        if identity in seen or 0 <= now - status.st_mtime < settle:
            continue
        seen.add(identity)
        known = memory.get(path)
        if known is None or known[0] != signature(status):
            known = memory[path] = signature(status), look(path, status)
        match known[1]:
            case DarkFrame() as dark:
                darks.append(dark)
            case Problem() as problem:
                problems.append(problem)
            case None:
                others += 1
    return FoundFrames(tuple(darks), tuple(problems), others)


class _Look:
    """Tells what a file is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chosen = settings.for_arm(None).values
        self._of_arm: dict[str | None, MdarkSettings] = {None: self._chosen}
        self._profiles: dict[str, Profile] = {}
        self._given = load_profile(self._chosen.instrument) if self._chosen.instrument else None

    def __call__(self, path: Path, status: os.stat_result) -> Seen:
        try:
            return self._describe(path)
        except OtherFrameError:
            return None
        except InputError as error:
            return Problem(path, str(error), status.st_mtime)

    def _describe(self, path: Path) -> DarkFrame | None:
        header, shape = read_header(path, self._chosen.data_extension)
        profile = self._given or self._profile(str(header_value(header, "INSTRUME") or ""))
        frame = path, header, shape or (1, 1), profile
        about = describe(*frame, self._chosen)
        if not about.image_type:
            return None
        if shape is None:
            Frame.open(path, self._chosen.data_extension)  # tells what is wrong
        values = self._values(about.arm)
        if values != self._chosen:
            about = describe(*frame, values)
        cards = FrameHeader(path, header, profile)
        template = cards.value("template-start"), cards.value("observation-block")
        boundary = Boundary.at(profile.longitude, values.night_start)
        return DarkFrame(about, profile, template, boundary)

    def _values(self, arm: str | None) -> MdarkSettings:
        if arm not in self._of_arm:
            self._of_arm[arm] = self._settings.for_arm(arm).values
        return self._of_arm[arm]

    def _profile(self, instrume: str) -> Profile:
        if instrume not in self._profiles:
            self._profiles[instrume] = recognise(instrume)
        return self._profiles[instrume]


def _fits_files(folder: Path, problems: list[Problem]) -> Iterator[Path]:
    """All FITS files below a folder, sorted; a folder below it that cannot be read is a problem."""
    if not folder.is_dir():
        found = "is no folder" if os.path.lexists(folder) else "no such folder"
        raise InputError(f"{folder}: {found}; expected the folder of the raw frames")

    def unreadable(error: OSError) -> None:
        if error.filename == str(folder):
            raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
        problems.append(Problem.unreadable(error.filename, error))

    visited = set()
    for place, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        try:
            status = os.stat(place)
        except OSError as error:  # gone by now
            unreadable(error)
            continue
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if is_fits_name(name) and not name.startswith("."):
                yield Path(place, name)
