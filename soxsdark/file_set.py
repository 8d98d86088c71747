"""The files of one run, and what every file of a set must be.

Nothing here opens a file.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soxsdark.errors import InputError

FITS_SUFFIXES = (".fits", ".fit", ".fts")

_FITS_NAME = re.compile(r".\.(?:fits|fit|fts)(?:\.gz|\.fz)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One file of a set.

    Attributes
    ----------
    path : Path
        As written in a SOF or observing block; found and checked in a `FileSet`.
    tag : str or None
        What the list says the file is for; None is a frame.
    line : int or None
        Line of the list, from 1; None when the file does not come from one.
    """

    path: Path
    tag: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class FileSet:
    """The files of one run.

    Attributes
    ----------
    name : str
        What product names begin with: the stem of the list or the name of the folder.
    frames : tuple of Entry
        The raw frames, in the order given; sorted by name for a folder.
    bad_pixel_map, master_bias : Entry or None
    source : Path or None
        The SOF, the observing blocks or the folder; None for FITS files.
    """

    name: str
    frames: tuple[Entry, ...]
    bad_pixel_map: Entry | None = None
    source: Path | None = None
    master_bias: Entry | None = None


def is_fits_name(path: Path | str) -> bool:
    """Tell whether a name ends like a FITS file's (.fits .fit .fts, also .gz or .fz, any case)."""
    return _FITS_NAME.search(os.path.basename(path)) is not None


def find(entry: Entry, folders: Sequence[Path], where: str, looked: str) -> Entry:
    """Look a path up in folders, in this order; return its entry with the path that is there.

    Parameters
    ----------
    entry : Entry
    folders : sequence of Path
    where, looked : str
        For messages: what begins the line, and where a relative path was looked up.

    Raises
    ------
    InputError
        No such file, or not a regular one.
    """
    for folder in folders:
        path = folder / entry.path
        if _exists(path):
            require_regular(path, status_of(path, where), where)
            return replace(entry, path=path)
    looked = "" if entry.path.is_absolute() else f" {looked}"
    raise InputError(f"{where}{show(entry.path)}: no such file{looked}; correct the path")


def refuse_repeats(entries: Iterable[Entry], source: Path | None) -> None:
    """Raise `InputError` if two paths lead to the same file; `source` is the list they are in."""
    seen: dict[tuple[int, int], Entry] = {}
    for entry in entries:
        status = status_of(entry.path)
        first = seen.setdefault((status.st_dev, status.st_ino), entry)
        if first is entry:
            continue
        if entry.line is not None:
            where = f"{show(source or 'SOF')} lines {first.line} and {entry.line}"
        else:
            where = f"{show(first.path)} and {show(entry.path)}"
        raise InputError(f"{where}: the same file twice ({show(entry.path)}); remove one")


def _exists(path: Path) -> bool:
    try:
        os.stat(path)
    except (OSError, ValueError):  # ValueError: a name that the system cannot have
        return False
    return True


def status_of(path: Path, where: str = "") -> os.stat_result:
    """Return what the system says of a path; else `InputError`, a line that begins with `where`."""
    try:
        return os.stat(path)
    except FileNotFoundError as error:
        raise InputError(
            f"{where}{show(path)}: no such file or folder; correct the path"
        ) from error
    except OSError as error:
        raise InputError(f"{where}{show(path)}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{where}{show(path)}: not a possible file name") from error


def require_regular(path: Path, status: os.stat_result, where: str = "") -> None:
    """Raise `InputError` for a folder, pipe, socket or device."""
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
        raise InputError(f"{where}{show(path)}: is {kind}, expected a regular file")


def show(path: object) -> str:
    """Return a path as printable text, whatever bytes its name is made of."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def shortened(text: str) -> str:
    """Return a text in quotes, cut to what a message can hold."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
