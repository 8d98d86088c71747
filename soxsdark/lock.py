"""One run at a time in a folder: a kernel lock, which ends with its holder, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from soxsdark.errors import LockedError
from soxsdark.held_folder import take_lock
from soxsdark.publish import writing
from soxsdark.text import printable

LONGEST_NOTE = 200


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, which is made and never removed.

    It holds the pid and the start of the run that has the lock, and nothing when none has, unless
    the last one was killed.

    Raises
    ------
    LockedError
        Another run holds it; the message tells its pid and start.
    ProductError
        The file cannot be made.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o644)
    try:
        if not take_lock(descriptor):
            raise LockedError(
                f"{path}: another run is at work here ({_holder(descriptor)}); try again later"
            )
        with writing(path):
            _note(descriptor, f"pid {os.getpid()}, since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
        try:
            yield
        finally:
            # the lock is what counts
            with suppress(OSError):
                _note(descriptor, "")
    finally:
        os.close(descriptor)


def _note(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("ascii"), 0)


def _holder(descriptor: int) -> str:
    """What the holder says of itself; it may not have come to that yet."""
    text = os.pread(descriptor, LONGEST_NOTE, 0).decode("ascii", "replace")
    return printable(" ".join(text.split())) or "it has just begun"
