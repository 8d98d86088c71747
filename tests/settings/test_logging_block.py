"""The logging block of soxspipe: what is used of it, and what is let alone."""

import logging

import pytest

from soxsdark.logging_settings import DATE_FORMAT, FORMAT, LoggingSettings
from soxsdark.settings import Settings
from tests.settings.files import SOXSPIPE


def test_only_levels_and_formats_of_the_logging_block_are_used(write):
    read = Settings.read(write(SOXSPIPE))
    assert read.logging == LoggingSettings(
        level=logging.ERROR,
        file_level=logging.INFO,
        format='%(asctime)s %(levelname)s: "%(pathname)s", line %(lineno)d > %(message)s',
        datefmt="%Y/%m/%d %H:%M:%S",
    )
    assert read.notes[-1].endswith(
        ":23: of the logging settings only levels, formats and date formats are used; ignored: "
        "handlers.console.class, handlers.console.stream, handlers.file.class, "
        "handlers.file.filename"
    )


@pytest.mark.parametrize(
    "text",
    [
        "%(nothing)s",
        "%(message)d",
        "%(message)99999999999s",
        "%(message)*d",
        "%s",
        "50 % %(message)s",
        '"\\e[31m%(message)s"',
        "[a]",
        "''",
    ],
)
def test_format_that_logging_cannot_use_falls_back(write, text):
    quoted = text if text[0] in '"[' or text == "''" else f"'{text}'"
    block = f"""logging settings:
    formatters: {{f: {{format: {quoted}, datefmt: '%9999999Y'}}}}
    handlers: {{file: {{formatter: f}}}}
"""
    read = Settings.read(write(block))
    assert (read.logging.format, read.logging.datefmt) == (FORMAT, DATE_FORMAT)
    for note, what in zip(read.notes[:2], ("format", "datefmt"), strict=True):
        assert f":1: {what} of the logging settings cannot be used; " in note


@pytest.mark.parametrize(
    "block",
    [
        "5",
        "[1]",
        "{(): ext://os.system, root: {level: LOUD}}",
        "{root: {level: true}, handlers: [1]}",
    ],
)
def test_odd_logging_block_is_ignored_with_a_note(write, block):
    read = Settings.read(write(f"logging settings: {block}\n"))
    assert read.logging == LoggingSettings()
    assert "ignored" in read.notes[0]
