"""Files opened for reading, and nothing else: a pipe is refused, not waited for."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple


class Identity(NamedTuple):
    """What tells a file from every other, and from itself after it was written."""

    device: int
    inode: int
    size: int
    """Bytes."""
    written: int
    """Nanoseconds since the epoch."""


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file to read its bytes.

    Raises
    ------
    OSError
        It cannot be read, or is a folder, pipe, socket or device: opening a pipe would wait for
        whoever writes, and a device may have no end.
    """
    return os.fdopen(descriptor_of(path), "rb")


def descriptor_of(path: Path | str) -> int:
    """Return the descriptor of a regular file, as `open_regular`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise _irregular("a pipe, socket or device", path) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _irregular("a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device", path)
    return descriptor


def _irregular(kind: str, path: Path | str) -> OSError:
    return OSError(errno.EINVAL, f"is {kind}, expected a regular file", str(path))


def identity_of(status: os.stat_result) -> Identity:
    """Return what `os.stat` says of a file, as far as it counts."""
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
