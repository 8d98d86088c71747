"""A run with its log; one that fails leaves the log, and a record of the failure."""

import logging
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from soxsdark.errors import ProductError, shortages
from soxsdark.logging_settings import LoggingSettings
from soxsdark.publish import Workspace
from soxsdark.record import RunIdentity, failure_record, is_expected, message_of, write_record
from soxsdark.runlog import run_log
from soxsdark.version import __version__


@contextmanager
def logged_run(
    work: Workspace,
    run: RunIdentity,
    log: str,
    failure: tuple[str, str],
    *,
    settings: LoggingSettings,
    settings_file: Path | None = None,
    inputs: Iterable[Mapping[str, object]] = (),
) -> Iterator[logging.Logger]:
    """Give the logger of a run, which the block does and publishes, its log included.

    Parameters
    ----------
    work : Workspace
        Where the log is made.
    run : RunIdentity
    log : str
        File name of the log.
    failure : (str, str)
        File names of log and record of the run, should it fail.
    settings : LoggingSettings
    settings_file, inputs
        For the record of the failure; see `failure_record`.

    Raises
    ------
    ProductError
        The log cannot be written.
    ShortageError
        The block wanted more memory or threads than there were.
    """
    with run_log(work.path(log), settings, run.run_id) as logger:
        try:
            logger.info("soxsdark %s, run %s", __version__, run.run_id)
            logger.info("command: %s", shlex.join(run.command) or "from Python")
            with shortages():
                yield logger
        except BaseException as error:
            record = failure_record(error, run, settings_file=settings_file, inputs=inputs)
            _leave(work, logger, error, record, log, failure)
            raise


def _leave(
    work: Workspace,
    logger: logging.Logger,
    error: BaseException,
    record: Mapping[str, object],
    log: str,
    failure: tuple[str, str],
) -> None:
    """Leave the log and a record of the failure, as far as the folder can be written."""
    # the log itself may be what cannot be written
    with suppress(ProductError):
        logger.error("%s", message_of(error), exc_info=None if is_expected(error) else error)
    failed_log, failed = failure
    try:
        write_record(work.path(failed), record)
        work.path(log).rename(work.path(failed_log))
        work.publish(failure, overwrite=True, last=failed)
        error.add_note(f"see {work.directory / failed_log}")
    except (ProductError, OSError) as problem:
        with suppress(ProductError):
            logger.error("the record of the failure cannot be written: %s", problem)
