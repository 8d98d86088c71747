"""The errors a person can cause or meet, each with the exit code it ends the program with."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the program tells the shell."""

    DONE = 0
    """Products written, QA flag GOOD."""
    WRONG_USAGE = 2
    """The command line cannot be understood."""
    WRONG_SETTINGS = 3
    """The settings file, a profile or a ``--set`` is wrong."""
    WRONG_INPUTS = 4
    """The set of files, or a frame in it, is wrong."""
    PRODUCT_PROBLEM = 5
    """A product exists already, or cannot be written."""
    DONE_BAD = 10
    """Products written, QA flag BAD."""
    DONE_PARTIAL = 11
    """Products written, QA flag PARTIAL."""
    BUG = 70
    """The program is at fault; the line names the log with the traceback, if there is one."""
    SHORTAGE = 71
    """The system gives no more memory or threads."""
    LOCKED = 75
    """Another run holds the lock; try later."""
    INTERRUPTED = 130
    """Stopped from the keyboard (SIGINT)."""
    TERMINATED = 143
    """Stopped by SIGTERM."""


class SoxsdarkError(Exception):
    """An expected failure: its text is the one line that a person reads."""

    exit_code = ExitCode.BUG

    @property
    def lines(self) -> tuple[str, ...]:
        """What a person reads: one line, or one for each of several faults."""
        return (str(self),)


class UsageError(SoxsdarkError):
    """A command or function was called in a way that makes no sense."""

    exit_code = ExitCode.WRONG_USAGE


class SettingsError(SoxsdarkError):
    """A settings file, an instrument profile or an override is wrong."""

    exit_code = ExitCode.WRONG_SETTINGS


class InputError(SoxsdarkError):
    """A set of files, a frame or a calibration cannot be used."""

    exit_code = ExitCode.WRONG_INPUTS


class OtherFrameError(InputError):
    """A sound frame is of another kind than wanted: a product, a flat, a bias among the darks."""


class ProductError(SoxsdarkError):
    """A product exists already or cannot be written."""

    exit_code = ExitCode.PRODUCT_PROBLEM


class LockedError(SoxsdarkError):
    """Another run holds the lock of the products."""

    exit_code = ExitCode.LOCKED


class ShortageError(SoxsdarkError, MemoryError):
    """The system gives this process no more memory, or no further thread."""

    exit_code = ExitCode.SHORTAGE


@contextmanager
def shortages() -> Iterator[None]:
    """Turn a want of memory or threads, wherever it is met, into a `ShortageError`."""
    try:
        yield
    except ShortageError:
        raise
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        said = " ".join(str(error).split())
        raise ShortageError(
            f"the system gives no more memory{f' ({said})' if said else ''}: allow this process "
            "more (ulimit -v), close other programs, or lower memory-limit"
        ) from error


def bug_line(error: BaseException) -> str:
    """Say in one line what went wrong where, of an error that nobody expected."""
    line = " ".join(str(error).split())
    return f"a bug in soxsdark ({type(error).__name__} at {place_of(error)}: {line})"


def place_of(error: BaseException) -> str | None:
    """Return file and line at which an error was raised; None if it never was."""
    stack = traceback.extract_tb(error.__traceback__)
    return f"{Path(stack[-1].filename).name}:{stack[-1].lineno}" if stack else None
