"""A master dark taken off frames: read, matched, subtracted by ccdproc, published."""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from soxsdark.master_file import ELECTRON, read_master_dark
from soxsdark.product import Product, write_products
from soxsdark.publish import Workspace, spare_inputs
from soxsdark.record import LIBRARIES, RunIdentity, product_entry, write_record
from soxsdark.setups import describe
from soxsdark.subtract_report import RECIPE, subtracted_header, subtracted_record
from soxsdark.subtraction import Job, Tools, prepare, subtract

if TYPE_CHECKING:
    from astropy.nddata import CCDData

PRODUCT_END = "_DSUB.fits"
_SUFFIX = re.compile(r"\.(fits|fit|fts)(\.gz|\.fz)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class SubtractResult:
    """What was made of one frame."""

    product: Path
    record_file: Path
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
    progress: Callable[[str, int, int], None] | None = None,
) -> list[SubtractResult]:
    """Subtract a master dark from raw frames, and publish ``NAME_DSUB.fits`` and a record of each.

    Nothing appears unless every frame is done.

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
        With the line for the user.
    """
    started = datetime.now(UTC)
    output = Path(output)
    names = _names(frames)
    every = [name for pair in names for name in pair]
    spare_inputs(output, every, [*frames, dark, master_bias])
    run_id = uuid.uuid4().hex
    results = []
    with Workspace(output) as work:
        work.check_free(every, overwrite)
        jobs, tools = _prepare(frames, dark, scale, master_bias, instrument)
        for number, (job, pair) in enumerate(zip(jobs, names, strict=True)):
            stem, libraries = pair[0].removesuffix(PRODUCT_END), (*LIBRARIES, "ccdproc")
            run = RunIdentity(RECIPE, stem, None, run_id, tuple(command), started, libraries)
            results.append(_write(work, pair, job, tools, run))
            if progress is not None:
                progress("frames", number + 1, len(jobs))
        work.publish(every, overwrite=overwrite)
    return results


def _write(
    work: Workspace, names: tuple[str, str], job: Job, tools: Tools, run: RunIdentity
) -> SubtractResult:
    """Subtract, and write product and record, of the names given, into the workspace."""
    name, record_name = names
    result = subtract(job, tools)
    header = subtracted_header(job, tools, result, run.run_id, name)
    written = write_products([Product(work.path(name), result.images, header)])
    products = [product_entry(file) for file in written]
    record = subtracted_record(job, tools, result, run, products)
    write_record(work.path(record_name), record)
    metrics = {m.name: m.value for m in result.metrics}
    place = work.directory
    return SubtractResult(place / name, place / record_name, metrics, record)


def _names(frames: Sequence[Path | str]) -> list[tuple[str, str]]:
    """Names of product and record of each frame, which must differ."""
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
    return [(f"{stem}{PRODUCT_END}", f"{stem}_DSUB.json") for stem in stems]


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
