"""The text log of one run: one line an event, in UTC, as the settings want it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soxsdark.logging_settings import LoggingSettings
from soxsdark.publish import writing
from soxsdark.text import printable


class _OneLine(logging.Formatter):
    """UTC, and one line an event; only a traceback takes more."""

    converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = printable(" | ".join(record.message.splitlines()))
        return super().formatMessage(record)


@contextmanager
def run_log(path: Path, settings: LoggingSettings, run_id: str) -> Iterator[logging.Logger]:
    """Open the log of one run and give its logger, which belongs to no other run.

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
        The file cannot be made.
    """
    logger = logging.Logger(f"soxsdark.{run_id}")
    logger.propagate = False
    with writing(path):
        handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(_OneLine(settings.format, settings.datefmt))
    logger.setLevel(settings.file_level)
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        handler.close()
