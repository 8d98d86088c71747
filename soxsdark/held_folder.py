"""A folder that belongs to one run: locked as long as the run lives, then anyone's to sweep.

The folder is ``DIR/.soxsdark-XXXXXXXX/``. ``flock`` is taken on a file in it, not on the folder
itself, because NFS grants exclusive locks only on files that are open for writing.
"""

import errno
import os
import re
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from soxsdark.errors import UsageError

try:
    import fcntl
except ImportError as error:
    raise UsageError(
        "files are written on POSIX systems only (Linux, macOS): on Windows use WSL, or the "
        "functions for arrays from Python (clip_and_stack, create_noise_map)"
    ) from error

PREFIX = ".soxsdark-"
LOCK = ".lock"

_FOLDER = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF))


def is_held_folder(name: str) -> bool:
    """Whether a file name is that of such a folder."""
    return _FOLDER.fullmatch(name) is not None


def sweep_orphans(directory: Path | str) -> list[str]:
    """Remove the folders that dead runs have left in `directory`, and return their names.

    A folder is a dead run's when its lock can be had. Symbolic links are never followed, and
    what cannot be opened (another person's folder, say) is left alone.
    """
    swept = []
    for entry in os.scandir(directory):
        if _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            with suppress(OSError):
                if _sweep(Path(entry.path)):
                    swept.append(entry.name)
    return sorted(swept)


def _sweep(folder: Path) -> bool:
    # The owner is identified again after the lock is had: between scandir and here the folder
    # may have gone and another run's may have taken its name.
    lock = _open_lock(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _is_lock_of(folder, lock) and remove_folder(folder)
    finally:
        os.close(lock)


def make_held_folder(directory: Path) -> tuple[Path, int]:
    """Make a folder and lock it; a sweeper may come between the two, then make another."""
    for _ in range(100):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=directory))
        try:
            lock = _open_lock(folder)
        except FileNotFoundError:
            continue
        if take_lock(lock) and _is_lock_of(folder, lock):
            return folder, lock
        os.close(lock)
    raise OSError(errno.EAGAIN, "no folder could be locked")


def take_lock(lock: int) -> bool:
    """Lock, and say whether nobody else had it.

    Where the filesystem knows no locks, nobody can sweep either, and the folder is safe.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _open_lock(folder: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return os.open(LOCK, flags, 0o600, dir_fd=inside)
    finally:
        os.close(inside)


def _is_lock_of(folder: Path, lock: int) -> bool:
    try:
        return os.path.samestat(os.lstat(folder / LOCK), os.fstat(lock))
    except FileNotFoundError:
        return False


def remove_folder(folder: Path) -> bool:
    """Remove a folder whose lock is held: the lock file goes last, so that no one else starts."""
    with suppress(OSError):
        inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for name in set(os.listdir(inside)) - {LOCK}:
                if stat.S_ISDIR(os.lstat(name, dir_fd=inside).st_mode):
                    shutil.rmtree(name, dir_fd=inside)
                else:
                    os.unlink(name, dir_fd=inside)
            os.unlink(LOCK, dir_fd=inside)
        finally:
            os.close(inside)
        os.rmdir(folder)
        return True
    return False
