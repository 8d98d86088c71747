"""The text log of one run: one line an event, in UTC, in the format that the settings want."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from soxsdark.logging_settings import LoggingSettings
from soxsdark.publish import writing
from soxsdark.text import printable


class _OneLine(logging.Formatter):
    """UTC, and one line an event; only a traceback takes more."""

    converter = staticmethod(time.gmtime)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = printable(" | ".join(record.message.splitlines()))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return printable(super().formatException(ei))


class _LogFile(logging.FileHandler):
    """A log that cannot be written ends the run, like any product."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        with writing(self.baseFilename):
            raise


def _teller(logger: logging.Logger) -> Callable[..., None]:
    """Write what libraries warn of into the log, and nowhere else."""

    def tell(
        message: object, category: type[Warning], filename: str, line: int, *_: object
    ) -> None:
        logger.warning("%s: %s (%s, line %d)", category.__name__, message, filename, line)

    return tell


@contextmanager
def run_log(path: Path, settings: LoggingSettings, run_id: str) -> Iterator[logging.Logger]:
    """Open the log of one run and give its logger, which belongs to no other run.

    What libraries warn of meanwhile goes to the log too, and not to the screen.

    Parameters
    ----------
    path : Path
        The file, made anew.
    settings : LoggingSettings
    run_id : str
        Keeps runs in one process apart.

    Raises
    ------
    ProductError
        The file cannot be made or, from the logger, written.
    """
    logger = logging.Logger(f"soxsdark.{run_id}")
    logger.propagate = False
    with writing(path):
        handler = _LogFile(path, mode="w", encoding="utf-8")
    handler.setFormatter(_OneLine(settings.format, settings.datefmt))
    # whatever the settings say, no warning is lost
    logger.setLevel(min(settings.file_level, logging.WARNING))
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _teller(logger)
            yield logger
    finally:
        logger.removeHandler(handler)
        # what could not be written was said at the time
        with suppress(OSError):
            handler.close()
