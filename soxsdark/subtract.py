"""A master dark taken off frames: read, matched, subtracted by ccdproc, published."""

import logging
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soxsdark.calibration import open_master_bias
from soxsdark.dark_match import (
    SCALES,
    Scale,
    check_bias,
    check_match,
    check_units,
    dark_factor,
    describe_dark,
)
from soxsdark.errors import InputError, UsageError
from soxsdark.frame_source import open_source
from soxsdark.logged_run import logged_run
from soxsdark.logging_settings import LoggingSettings
from soxsdark.master_file import ELECTRON, read_master_dark
from soxsdark.names import SubtractNames
from soxsdark.product import Product, write_products
from soxsdark.publish import Workspace, remove_files, spare_inputs
from soxsdark.record import LIBRARIES, RunIdentity, product_entry, write_record
from soxsdark.setups import describe
from soxsdark.subtract_report import (
    RECIPE,
    log_subtracted,
    log_tools,
    subtracted_header,
    subtracted_record,
)
from soxsdark.subtraction import Job, Tools, prepare, subtract

if TYPE_CHECKING:
    from astropy.nddata import CCDData

    from soxsdark.reduction import Progress

_SUFFIX = re.compile(r"\.(fits|fit|fts)(\.gz|\.fz)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class SubtractResult:
    """What was made of one frame."""

    product: Path
    record_file: Path
    log: Path
    """Of the whole run: one for all frames."""
    metrics: dict[str, float | int | None]
    record: dict[str, Any] = field(repr=False)


def subtract_dark(
    frame: Any,
    dark: Path | str,
    *,
    scale: Scale = "auto",
    master_bias: Path | str | None = None,
    instrument: str | None = None,
) -> "CCDData":
    """Subtract a master dark from a frame, through `ccdproc.subtract_dark`.

    Parameters
    ----------
    frame : path or astropy.nddata.CCDData
        A raw frame (rows, columns); trimmed and turned by the instrument profile as the dark was.
    dark : path
        Master dark, in electron or adu.
    scale : {"auto", "always", "never"}
        Multiply the dark by the ratio of the exposure times: where they differ by more than
        `exposure-time-tolerance`, wherever they differ, or not at all.
    master_bias : path, optional
        Subtracted from the frame, and from a dark that still contains the pedestal.
    instrument : str, optional
        Instrument profile by name or path; by default that of the dark.

    Returns
    -------
    astropy.nddata.CCDData
        In electron, with standard deviations, a mask (True = bad), the flags behind the mask in
        ``flags``, and the header of the product.

    Raises
    ------
    InputError
        A file cannot be used, or the dark does not fit the frame: another setup, another exposure
        time that scaling cannot bridge, another unit.
    UsageError
        No such way of scaling.
    """
    jobs, tools = _prepare([frame], dark, scale, master_bias, instrument)
    result = subtract(jobs[0], tools)
    header = subtracted_header(jobs[0], tools, result, uuid.uuid4().hex, None)
    from astropy.nddata import CCDData, StdDevUncertainty

    images = result.images
    ccd = CCDData(
        images.flux,
        unit=ELECTRON,
        uncertainty=StdDevUncertainty(images.errs),
        mask=images.qual != 0,
        meta=header,
    )
    ccd.flags = images.qual
    return ccd


def subtract_files(
    frames: Sequence[Path | str],
    dark: Path | str,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    scale: Scale = "auto",
    master_bias: Path | str | None = None,
    instrument: str | None = None,
    command: Sequence[str] = (),
    progress: "Progress | None" = None,
) -> list[SubtractResult]:
    """Subtract a master dark from raw frames, and publish ``NAME_DSUB.fits`` and a record of each.

    Nothing of them appears unless every frame is done. There is one log, ``NAME_DSUB.log`` after
    the first frame.

    Parameters
    ----------
    frames : sequence of path
        Raw FITS files.
    dark, scale, master_bias, instrument
        As in `subtract_dark`.
    output : path
        Folder of the products; made if need be.
    overwrite : bool
        Replace products that exist.
    command : sequence of str
        For the record: what the user typed.
    progress : callable, optional
        Called with ("frames", frames done, frames in all).

    Raises
    ------
    InputError, ProductError, SettingsError, UsageError
        With the line for the user; a failed run leaves its log and ``NAME_DSUB_FAILED.json`` after
        the first frame.
    """
    names = _names(frames)
    run = _identity(names[0].stem, command)
    first, output = names[0], Path(output)
    products = [first.log, *(file for own in names for file in (own.product, own.record))]
    inputs = [Path(path) for path in (*frames, dark, master_bias) if path is not None]
    spare_inputs(output, (*products, *first.failure), inputs)
    with Workspace(output) as work:
        work.check_free(products, overwrite)
        with logged_run(
            work, run, first.log, first.failure, settings=LoggingSettings(),
            inputs=[{"path": path.absolute(), "tag": None} for path in inputs],
        ) as logger:  # fmt: skip
            jobs, tools = _prepare(frames, dark, scale, master_bias, instrument)
            log_tools(logger, tools)
            results = list(_each(work, logger, run, names, jobs, tools, progress))
            logger.info("done")
            work.publish(products, overwrite=overwrite)
            remove_files(output, (file for own in names for file in own.failure))
    return results


def _identity(name: str, command: Sequence[str]) -> RunIdentity:
    libraries, now = (*LIBRARIES, "ccdproc"), datetime.now(UTC)
    return RunIdentity(RECIPE, name, None, uuid.uuid4().hex, tuple(command), now, libraries)


def _each(
    work: Workspace,
    logger: logging.Logger,
    run: RunIdentity,
    names: Sequence[SubtractNames],
    jobs: Sequence[Job],
    tools: Tools,
    progress: "Progress | None",
) -> Iterator[SubtractResult]:
    """Subtract frame by frame, and write each product and record into the workspace."""
    for done, (job, own) in enumerate(zip(jobs, names, strict=True), start=1):
        result = subtract(job, tools)
        header = subtracted_header(job, tools, result, run.run_id, own.product)
        written = write_products([Product(work.path(own.product), result.images, header)])
        products = [product_entry(file) for file in written]
        record = subtracted_record(job, tools, result, replace(run, name=own.stem), products)
        write_record(work.path(own.record), record)
        log_subtracted(logger, record)
        metrics = {metric.name: metric.value for metric in result.metrics}
        product, record_file, log = (
            work.directory / name for name in (own.product, own.record, names[0].log)
        )
        yield SubtractResult(product, record_file, log, metrics, record)
        if progress is not None:
            progress("frames", done, len(jobs))


def _names(frames: Sequence[Path | str]) -> list[SubtractNames]:
    """Names of what is made of each frame, which must differ."""
    if not frames:
        raise UsageError("no frame given: expected one or several FITS files")
    stems: dict[str, Path] = {}
    for frame in map(Path, frames):
        stem = _SUFFIX.sub("", frame.name)
        if stem in stems:
            raise InputError(
                f"{frame}: its product would have the name of that of {stems[stem]}; "
                "subtract them one by one, into two folders"
            )
        stems[stem] = frame
    return [SubtractNames(stem) for stem in stems]


def _prepare(
    frames: Sequence[Any],
    dark_file: Path | str,
    scale: Scale,
    bias_file: Path | str | None,
    instrument: str | None,
) -> tuple[list[Job], Tools]:
    """Open everything and match it by the headers."""
    if scale not in SCALES:
        raise UsageError(f"scale is {scale!r}, expected one of {', '.join(SCALES)}")
    dark = describe_dark(read_master_dark(dark_file), instrument)
    settings, jobs = dark.settings, []
    for frame in frames:
        source = open_source(frame, settings.data_extension)
        about = describe(
            source.path, source.header, source.shape, dark.profile, settings, expected="raw"
        )
        check_match(about, dark)
        check_units(about, source.unit, dark)
        check_bias(about, dark, bias_file is not None)
        jobs.append(Job(source, about, dark_factor(about, dark, scale, bias_file is not None)))
    bias = None
    if bias_file is not None:
        first, about = jobs[0].source, jobs[0].about
        bias = open_master_bias(
            Path(bias_file), None, about, first.header, first.shape, dark.profile
        )
    return jobs, prepare(dark, bias, jobs[0].about, scale)
