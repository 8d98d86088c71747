"""What may be taken from a ``logging settings`` block: levels, formats and date formats.

Such a block, as soxspipe has it, can name classes to call, streams and files to open. None of
that is followed: the values are only looked at, and what is left aside is listed.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

FORMAT = "%(asctime)s %(levelname)s %(message)s"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
MAX_LENGTH = 1000

_ATTRIBUTES = (
    "asctime|created|filename|funcName|levelname|levelno|lineno|message|module|msecs|name|"
    "pathname|process|processName|relativeCreated|thread|threadName"
)
# Widths of three digits at most: a longer one would ask for gigabytes of blanks.
_FORMAT = re.compile(rf"(?:[^%]|%%|%\((?:{_ATTRIBUTES})\)[-#0+ ]*\d{{0,3}}(?:\.\d{{1,3}})?[sdf])+")
_DATE_FORMAT = re.compile(r"(?:[^%]|%[%aAbBcdDFGHIjmMpRSTuUVwWxXyYzZ])+")
_TAKEN = re.compile(
    r"version|disable_existing_loggers|root\.level|root\.handlers"
    r"|handlers\.(?:console|file)\.(?:level|formatter)|formatters\.[^.]*\.(?:format|datefmt)"
)


@dataclass(frozen=True)
class LoggingSettings:
    """How the log is written."""

    level: int = logging.INFO
    """Least level of what is shown on the screen when asked for."""
    file_level: int = logging.INFO
    """Least level of what goes into the log file."""
    format: str = FORMAT
    """Format of a line, ``%`` style."""
    datefmt: str = DATE_FORMAT
    """Format of the time in it, for ``time.strftime``."""


def read_logging(block: object, place: str) -> tuple[LoggingSettings, list[str]]:
    """Take levels and formats out of a block.

    Parameters
    ----------
    block : object
        Plain value of the key ``logging settings``.
    place : str
        Where it stands, for the notes.

    Returns
    -------
    LoggingSettings, list of str
        The settings, defaults where the block says nothing usable; notes on what was ignored.
    """
    if not isinstance(block, dict):
        empty = block is None
        return LoggingSettings(), [] if empty else [f"{place}: logging settings ignored: no keys"]
    notes = _ignored(block, place)
    root = _level(_at(block, "root", "level"), logging.NOTSET, place, notes)
    levels = [
        max(root, _level(_at(block, "handlers", handler, "level"), default, place, notes))
        for handler in ("console", "file")
        for default in (root or logging.INFO,)
    ]
    style = _at(block, "formatters", _at(block, "handlers", "file", "formatter"))
    line = _usable(_at(style, "format"), FORMAT, _good_format, f"{place}: format", notes)
    date = _usable(_at(style, "datefmt"), DATE_FORMAT, _good_date, f"{place}: datefmt", notes)
    return LoggingSettings(levels[0], levels[1], line, date), notes


def _ignored(block: Mapping[str, object], place: str) -> list[str]:
    """Return a note that lists what is not followed, if anything."""
    names = [name for name in _paths(block) if not _TAKEN.fullmatch(name)]
    if not names:
        return []
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if names[12:] else "")
    listed = "".join(letter if letter.isprintable() else "?" for letter in listed[:1000])
    return [
        f"{place}: of the logging settings only levels, formats and date formats are used; "
        f"ignored: {listed}"
    ]


def _paths(block: Mapping[str, object], above: str = "") -> Iterator[str]:
    for key, value in block.items():
        if isinstance(value, dict) and value:
            yield from _paths(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def _at(block: object, *keys: object) -> object:
    """Return the value at a path of keys, None where there is none."""
    for key in keys:
        block = block.get(key) if isinstance(block, dict) and isinstance(key, str) else None
    return block


def _level(value: object, default: int, place: str, notes: list[str]) -> int:
    if value is None:
        return default
    if isinstance(value, str):
        number = logging.getLevelNamesMapping().get(value.strip().upper())
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is None or not logging.NOTSET <= number <= logging.CRITICAL:
        notes.append(f"{place}: a logging level that does not exist was ignored")
        return default
    return number


def _usable(
    value: object, default: str, good: Callable[[str], bool], what: str, notes: list[str]
) -> str:
    if value is None:
        return default
    if isinstance(value, str) and len(value) <= MAX_LENGTH and value.isprintable() and good(value):
        return value
    notes.append(f"{what} of the logging settings cannot be used; {default!r} is used instead")
    return default


def _good_format(text: str) -> bool:
    """Tell whether logging can write a record with this format."""
    if not _FORMAT.fullmatch(text):
        return False
    record = logging.LogRecord("name", logging.INFO, "path", 1, "message", None, None, "function")
    try:
        logging.Formatter(text).format(record)
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _good_date(text: str) -> bool:
    return bool(_DATE_FORMAT.fullmatch(text))
