"""Publishing: the files of a run are made in a folder of their own and appear all at once.

If anything goes wrong, none appears.
"""

import errno
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType

from soxsdark.errors import LockedError, ProductError
from soxsdark.held_folder import (
    LOCK,
    is_held_folder,
    make_held_folder,
    remove_folder,
    sweep_orphans,
    take_lock,
)

PATIENCE = 60.0
"""Seconds to wait for another run that is publishing, which takes some milliseconds."""

_NO_HARD_LINKS = frozenset(
    (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
)
_NO_FOLDER_SYNC = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EBADF))


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Turn any ``OSError`` of the block into a `ProductError` of one line that names `path`.

    A file in a workspace is named as the product that it is to become.
    """
    try:
        yield
    except OSError as error:
        path = Path(path)
        if is_held_folder(path.parent.name):
            path = path.parent.parent / path.name
        cause = _first_cause(error)
        reason = cause.strerror or " ".join(str(cause).split()) or type(cause).__name__
        full = cause.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "make room, or choose another" if full else "choose a writable"
        raise ProductError(
            f"{path}: cannot be written: {reason}; {advice} folder with -o"
        ) from error


def _first_cause(error: OSError) -> OSError:
    """Return the system's own error; astropy wraps it in one that has lost its number.

    Of a short write astropy says nothing but its guess that the disk is full.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause
        cause = cause.__cause__ or cause.__context__
    if "Not enough space" in str(error):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


class Workspace:
    """A private folder for the files of one run, and the way out of it.

    Use it as a context manager. Entering makes `directory` where it is missing, sweeps the folders
    of dead runs and makes a new one; leaving removes that one, whatever has happened.

    Parameters
    ----------
    directory
        Where the products are to appear.

    Raises
    ------
    ProductError
        `directory` is a file, or cannot be made or written.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._target = Path(os.path.abspath(directory))
        self._folder: Path | None = None
        self._lock: int | None = None

    def __enter__(self) -> "Workspace":
        with writing(self.directory):
            if os.path.lexists(self._target) and not self._target.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "it is not a folder")
            self._target.mkdir(parents=True, exist_ok=True)
            sweep_orphans(self._target)
            self._folder, self._lock = make_held_folder(self._target)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        folder, lock = self._folder, self._lock
        self._folder = self._lock = None
        if folder is not None:
            remove_folder(folder)
        if lock is not None:
            os.close(lock)

    def path(self, name: str) -> Path:
        """Return where the file `name` is to be made; it must be a plain file name."""
        if self._folder is None:
            raise RuntimeError("the workspace is not open")
        if name in ("", ".", "..", LOCK) or os.path.basename(name) != name:
            raise ValueError(f"{name!r} is not a plain file name")
        return self._folder / name

    def check_free(self, names: Iterable[str], overwrite: bool) -> None:
        """Make sure that `names` can be published.

        Raises
        ------
        ProductError
            One of them exists and `overwrite` is false, or one of them is a folder.
        """
        names = list(names)
        for name in names:
            with writing(self.directory / name):
                target = self._target / name
                is_folder = target.is_dir() and not target.is_symlink()
            if is_folder:
                raise ProductError(f"{self.directory / name}: is a folder; move it away")
        taken = [self.directory / name for name in names if os.path.lexists(self._target / name)]
        if taken and not overwrite:
            raise _exists(*taken)

    def publish(self, names: Iterable[str], *, overwrite: bool, last: str | None = None) -> None:
        """Let the files `names` appear in the directory, each one whole, `last` after all others.

        Everything is on the disk before the first name appears. Without `overwrite` a name that
        exists is never touched. When anything goes wrong, what this call has published is taken
        back, and what it has replaced is put back.

        Parameters
        ----------
        names
            Files made at `path`; `last` may be among them.
        overwrite
            Replace files that exist.
        last
            The file that completes the set (the record of the run).

        Raises
        ------
        ProductError
            A name exists already, or cannot be written.
        """
        order = sorted(set(names) - {last}) + ([] if last is None else [last])
        folder = self.path(order[0]).parent
        for name in order:
            with writing(self.directory / name):
                _sync(self.path(name))
        with writing(self.directory):
            _sync(folder)
        with self._turn(), ExitStack() as undo:
            for name in order:
                self._place(name, overwrite, undo)
            with writing(self.directory):
                _sync(self._target)
            undo.pop_all()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Publish while nobody else does here, so that two sets of files never mingle.

        The folder itself is locked, which leaves nothing behind; NFS knows no such lock, and what
        would mingle there is told by the run ids.
        """
        with writing(self.directory):
            folder = os.open(self._target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            patience = time.monotonic() + PATIENCE
            while not take_lock(folder):
                if time.monotonic() > patience:
                    raise LockedError(
                        f"{self.directory}: another run has been publishing here for "
                        f"{PATIENCE:g} s; try again later"
                    )
                time.sleep(0.01)
            yield
        finally:
            os.close(folder)

    def _place(self, name: str, overwrite: bool, undo: ExitStack) -> None:
        source, target = self.path(name), self._target / name
        self.check_free([name], overwrite)
        with writing(self.directory / name):
            if overwrite:
                previous = _keep_previous(source, target)
                undo.callback(_take_back, target, os.stat(source), previous)
                os.replace(source, target)
                return
            undo.callback(_take_back, target, os.stat(source), None)
            if not _link(source, target):
                raise _exists(self.directory / name)


def spare_inputs(output: Path, names: Iterable[str], inputs: Iterable[Path | str | None]) -> None:
    """Raise `ProductError` if a file to be written in `output` is one of the inputs of the run."""
    known = {os.path.realpath(path) for path in inputs if path is not None}
    for name in names:
        if os.path.realpath(output / name) in known:
            raise ProductError(
                f"{output / name}: is an input of this run and would be written over; "
                "choose another folder with -o"
            )


def remove_files(directory: Path | str, names: Iterable[str]) -> None:
    """Remove files of earlier runs from a directory, as far as they are there.

    Raises
    ------
    ProductError
        One cannot be removed.
    """
    for name in names:
        target = Path(directory) / name
        with writing(target), suppress(FileNotFoundError):
            target.unlink()


def publish_files(directory: Path | str, contents: Mapping[str, bytes], *, overwrite: bool) -> None:
    """Write small files, by their names, in a directory, made if need be: all of them or none.

    Raises
    ------
    ProductError
        A file exists and `overwrite` is false, or cannot be written.
    """
    with Workspace(directory) as work:
        work.check_free(contents, overwrite)
        for name, content in contents.items():
            with writing(work.path(name)):
                work.path(name).write_bytes(content)
        work.publish(contents, overwrite=overwrite)


def publish_changed(
    directory: Path | str, contents: Mapping[str, bytes], *, overwrite: bool = True
) -> list[str]:
    """Write small files in a directory, whole or not at all; those that are as they are stay.

    Parameters
    ----------
    directory : path
        Made if need be.
    contents : mapping
        Of each file name.
    overwrite : bool
        Replace files that are otherwise.

    Returns
    -------
    list of str
        Names of the files that were written.

    Raises
    ------
    ProductError
        A file cannot be written, or may not be replaced.
    """
    directory = Path(directory)
    changed = [n for n, content in contents.items() if _content(directory / n) != content]
    if changed:
        publish_files(directory, {name: contents[name] for name in changed}, overwrite=overwrite)
    return changed


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _link(source: Path, target: Path) -> bool:
    """Give `source` the second name `target`, and say whether that name was free.

    Without hard links the name is claimed by an empty file, made exclusively, which the whole
    file then replaces: no reader ever sees a part of it.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        # NFS may answer so when it repeats a request that had succeeded.
        return _is_same_file(target, os.stat(source))
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        return _claim_and_replace(source, target)
    return True


def _claim_and_replace(source: Path, target: Path) -> bool:
    try:
        claim = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    mine = os.fstat(claim)
    os.close(claim)
    try:
        os.replace(source, target)
    except OSError:
        _take_back(target, mine, None)
        raise
    return True


def _keep_previous(source: Path, target: Path) -> Path | None:
    """Give the file that is about to be replaced a second name in the workspace, if that can be."""
    previous = source.with_name(f".previous-{source.name}")
    try:
        os.link(target, previous, follow_symlinks=False)
    except OSError:
        return None
    return previous


def _take_back(target: Path, published: os.stat_result, previous: Path | None) -> None:
    """Undo one publication, if `target` still is the file that was published."""
    with suppress(OSError):
        if _is_same_file(target, published):
            if previous is None:
                os.unlink(target)
            else:
                os.replace(previous, target)


def _is_same_file(path: Path, known: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(path), known)
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if not (path.is_dir() and error.errno in _NO_FOLDER_SYNC):
            raise
    finally:
        os.close(handle)


def _exists(*paths: Path) -> ProductError:
    names = ", ".join(map(str, paths))
    some = "exists" if len(paths) == 1 else "exist"
    return ProductError(f"{names}: {some} already; overwrite with -x, or write elsewhere")
