"""Sets of files: the text of a SOF in and out, and what the user's inputs stand for.

Nothing here opens a FITS file. A line of a SOF is a path, then optionally a tag; the tag says what
the file is for, and no tag means a frame.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from soxsdark.errors import InputError
from soxsdark.file_set import (
    FITS_SUFFIXES,
    Entry,
    FileSet,
    find,
    is_fits_name,
    refuse_repeats,
    require_regular,
    shortened,
    show,
    status_of,
)
from soxsdark.kinds import DARK, Kind
from soxsdark.observing_block import is_block_name, read_block
from soxsdark.regular_file import open_regular

ALLOWED_TAGS = "DARK, DARK_<ARM>, BIAS, BIAS_<ARM>, BP_MAP_<ARM>, MASTER_BIAS_<ARM>"
FALLBACK_NAME = "darks"
LARGEST_SOF = 4_000_000

_TAG = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_FRAME_TAG = re.compile(r"(?:DARK|BIAS)(?:_[A-Z0-9]+)?\Z")
_MAP_TAG = re.compile(r"BP_MAP(?:_[A-Z0-9_]+)?\Z")
_BIAS_TAG = re.compile(r"MASTER_BIAS(?:_[A-Z0-9_]+)?\Z")
_LINE_END = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r"\s#")


def read_inputs(inputs: Path | str | Sequence[Path | str], kind: Kind = DARK) -> FileSet:
    """Find the files that the user means.

    Parameters
    ----------
    inputs : path, or sequence of paths
        A SOF, observing blocks (``.yaml``), a folder, or one or several FITS files.
    kind : Kind
        Of the frames wanted: which of several observing blocks is read.

    Returns
    -------
    FileSet
        Every path in it is an existing regular file, and none is there twice.

    Raises
    ------
    InputError
        Something is missing, twice there, not a regular file, or a SOF is wrong.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if not given:
        raise InputError("no input given: expected a SOF, a folder or FITS files")
    paths = [Path(path) for path in given]
    if len(paths) > 1 or is_fits_name(paths[0]):
        return _several(paths)
    mode = status_of(paths[0]).st_mode
    if stat.S_ISDIR(mode):
        return _folder(paths[0])
    return read_block(paths[0], kind) if is_block_name(paths[0]) else _set_of_files(paths[0])


def read_sof(path: Path | str) -> tuple[Entry, ...]:
    """Read the lines of a SOF, as written: the files are not looked up.

    Raises
    ------
    InputError
        The SOF is missing, not text, or one of its lines is wrong.
    """
    path = Path(path)
    require_regular(path, status_of(path))
    try:
        with open_regular(path) as stream:
            content = stream.read(LARGEST_SOF + 1)
    except OSError as error:
        raise InputError(f"{show(path)}: cannot be read ({error.strerror})") from error
    if b"\0" in content or len(content) > LARGEST_SOF or content.startswith(b"SIMPLE  ="):
        raise InputError(
            f"{show(path)}: not a set of files (SOF): binary or too large, expected text with one "
            f"path a line; the name of a FITS file ends in {' '.join(FITS_SUFFIXES)}"
        )
    return parse_sof(content.decode("utf-8", "surrogateescape"), path)


def parse_sof(text: str, source: Path | str = "SOF") -> tuple[Entry, ...]:
    """Turn the text of a SOF into entries; `source` is its name, for messages.

    Raises
    ------
    InputError
        A line holds no FITS path or an unknown tag.
    """
    lines = enumerate(_LINE_END.split(text.removeprefix("\ufeff")), start=1)
    entries = (_parse_line(line, f"{show(source)} line {number}", number) for number, line in lines)
    return tuple(entry for entry in entries if entry is not None)


def write_sof(path: Path | str, entries: Iterable[Entry]) -> None:
    """Write a SOF that `read_sof` reads back with the same paths and tags.

    Raises
    ------
    InputError
        A path or tag cannot stand in a SOF (a line break in a path, say).
    OSError
        The file cannot be written.
    """
    Path(path).write_bytes(sof_content(entries))


def sof_content(entries: Iterable[Entry]) -> bytes:
    """Return what `write_sof` writes.

    Raises
    ------
    InputError
        As `write_sof`.
    """
    text = "".join(_format_line(entry) + "\n" for entry in entries)
    return text.encode("utf-8", "surrogateescape")


def tag_arm(tag: str | None) -> str | None:
    """Return the arm that a frame's tag names: NIR for DARK_NIR, None for DARK or no tag."""
    return tag.partition("_")[2] or None if tag else None


def _parse_line(line: str, where: str, number: int) -> Entry | None:
    text = _without_comment(line.strip())
    if not text:
        return None
    path, tag = _split_tag(text)
    if not is_fits_name(path):
        raise InputError(
            f"{where}: {shortened(text)} is no path of a FITS file: expected a name that ends in "
            f"{' '.join(FITS_SUFFIXES)} (also .gz or .fz), then optionally a tag"
        )
    if tag is not None:
        _check_tag(tag, where)
    return Entry(Path(path), tag, number)


def _without_comment(text: str) -> str:
    """Drop a comment: a line that starts with #, or blank and # after a complete entry."""
    if text.startswith("#"):
        return ""
    mark = _COMMENT.search(text)
    if mark:
        head = text[: mark.start()].rstrip()
        if is_fits_name(_split_tag(head)[0]):
            return head
    return text


def _split_tag(text: str) -> tuple[str, str | None]:
    """Split a line into path and tag; a last word after a FITS name is a tag, right or wrong."""
    if is_fits_name(text):
        return text, None
    head, *rest = text.rsplit(maxsplit=1)
    if rest and (is_fits_name(head) or _TAG.match(rest[0])):
        return head, rest[0]
    return text, None


def _check_tag(tag: str, where: str) -> None:
    if not any(known.match(tag) for known in (_FRAME_TAG, _MAP_TAG, _BIAS_TAG)):
        raise InputError(f"{where}: unknown tag {shortened(tag)}, expected one of {ALLOWED_TAGS}")


def _format_line(entry: Entry) -> str:
    line = str(entry.path) if entry.tag is None else f"{entry.path} {entry.tag}"
    again = parse_sof(line, "SOF to be written")
    if [(one.path, one.tag) for one in again] != [(entry.path, entry.tag)]:
        raise InputError(f"{shortened(line)} cannot stand in a SOF: rename the file")
    return line


def _set_of_files(sof: Path) -> FileSet:
    entries = [_found(entry, sof) for entry in read_sof(sof)]
    refuse_repeats(entries, sof)
    bpm = _only(entries, _MAP_TAG, "bad-pixel maps", sof)
    bias = _only(entries, _BIAS_TAG, "master biases", sof)
    frames = tuple(entry for entry in entries if entry not in (bpm, bias))
    if not frames:
        raise InputError(f"{show(sof)}: names no raw frame; expected one path a line")
    return FileSet(sof.stem.lstrip(".") or FALLBACK_NAME, frames, bpm, sof, bias)


def _found(entry: Entry, sof: Path) -> Entry:
    folders, looked = (sof.parent, Path()), "beside the SOF or in the current folder"
    return find(entry, folders, f"{show(sof)} line {entry.line}: ", looked)


def _only(entries: Iterable[Entry], pattern: re.Pattern[str], what: str, sof: Path) -> Entry | None:
    found = [entry for entry in entries if entry.tag and pattern.match(entry.tag)]
    if len(found) > 1:
        raise InputError(
            f"{show(sof)}: {len(found)} {what} (lines {found[0].line} and {found[1].line}), "
            "expected one at most; keep one"
        )
    return found[0] if found else None


def _folder(folder: Path) -> FileSet:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"{show(folder)}: cannot be read ({error.strerror})") from error
    paths = [folder / name for name in names if is_fits_name(name) and not name.startswith(".")]
    entries = [Entry(path) for path in paths if not path.is_dir()]
    if not entries:
        raise InputError(
            f"{show(folder)}: no FITS file in this folder, expected names that end in "
            f"{' '.join(FITS_SUFFIXES)} (also .gz or .fz)"
        )
    for entry in entries:
        require_regular(entry.path, status_of(entry.path))
    refuse_repeats(entries, folder)
    return FileSet(_folder_name(folder), tuple(entries), None, folder)


def _several(paths: list[Path]) -> FileSet:
    for path in paths:
        if not is_fits_name(path):
            raise InputError(
                f"{show(path)}: not a FITS name; give one SOF, one folder, or FITS files only"
            )
        require_regular(path, status_of(path))
    entries = tuple(Entry(path) for path in paths)
    refuse_repeats(entries, None)
    parents = {os.path.abspath(path.parent) for path in paths}
    name = _folder_name(Path(parents.pop())) if len(parents) == 1 else FALLBACK_NAME
    return FileSet(name, entries)


def _folder_name(folder: Path) -> str:
    return os.path.basename(os.path.abspath(folder)).lstrip(".") or FALLBACK_NAME
