"""The master-dark recipe: from raw frames to published products."""

import json
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from soxsdark.compiled import path_in_use
from soxsdark.errors import ProductError, SoxsdarkError, UsageError
from soxsdark.headers import ProductFacts, product_header
from soxsdark.inputs import Inputs, find_files, open_inputs
from soxsdark.product import Product, write_products
from soxsdark.publish import Workspace
from soxsdark.quality import QaFlag
from soxsdark.record import failure_record, product_entry, write_record
from soxsdark.reduction import Progress, Reduced, plan_of, reduce_set, told_of_memory
from soxsdark.report_record import run_record
from soxsdark.runlog import run_log
from soxsdark.settings import Settings
from soxsdark.sof import FileSet
from soxsdark.version import __version__


@dataclass(frozen=True)
class Names:
    """File names of one run's products."""

    master: str
    mask: str
    record: str
    log: str
    failure: tuple[str, str]
    """Log and record of a run that failed."""

    @classmethod
    def of(cls, name: str) -> "Names":
        """Names after the SOF or folder."""
        return cls(
            master=f"{name}_MDARK.fits",
            mask=f"{name}_BPM.fits",
            record=f"{name}.json",
            log=f"{name}.log",
            failure=(f"{name}_FAILED.log", f"{name}_FAILED.json"),
        )

    @property
    def products(self) -> tuple[str, ...]:
        """All that a run that succeeds publishes, the record last."""
        return self.master, self.mask, self.log, self.record


@dataclass(frozen=True)
class MdarkResult:
    """What a run has made."""

    master_dark: Path
    mask: Path
    record_file: Path
    log: Path
    metrics: dict[str, float | int | None]
    qa_flag: QaFlag
    record: dict = field(repr=False)
    reduced: Reduced = field(repr=False)

    @property
    def products(self) -> tuple[Path, ...]:
        """Paths of all products."""
        return self.master_dark, self.mask, self.record_file, self.log


class _Clock:
    """Seconds spent in each stage."""

    def __init__(self) -> None:
        self._last = perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = perf_counter()
        self.seconds[stage] = round(now - self._last, 4)
        self._last = now


def mdark(
    inputs,
    settings: Settings | Path | str | None = None,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    instrument: str | None = None,
    bad_pixel_map: Path | str | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> MdarkResult:
    """Reduce a set of raw darks to a master dark, a mask, a record and a log.

    Parameters
    ----------
    inputs : path, sequence of paths, or ccdproc ImageFileCollection
        A SOF, a folder, or FITS files.
    settings : Settings or path, optional
        Settings file; the program's defaults when not given.
    output : path
        Folder of the products; made if need be.
    overwrite : bool
        Replace products that exist.
    overrides : sequence of str
        ``KEY=VALUE`` settings.
    instrument : str, optional
        Instrument profile, by name or path; as the setting of that name.
    bad_pixel_map : path, optional
        FITS image, non-zero = bad.
    command : sequence of str
        For the record: what the user typed.
    progress : callable, optional
        Called with (stage, steps done, steps in all).

    Raises
    ------
    SettingsError, InputError, ProductError
        With the line for the user; a failed run leaves its log and ``<name>_FAILED.json``.
    """
    started = datetime.now(UTC)
    if instrument is not None:
        # as JSON, which YAML reads: a path may hold any character
        overrides = [*overrides, f"instrument={json.dumps(str(instrument))}"]
    if not isinstance(settings, Settings):
        settings = Settings.read(settings, overrides)
    elif overrides:
        raise UsageError("overrides and instrument go with a settings file, not with Settings")
    files = find_files(inputs)
    names = Names.of(files.name)
    run_id = uuid.uuid4().hex
    with Workspace(output) as work:
        _spare_inputs(Path(output), names, files, settings.path)
        work.check_free(names.products, overwrite)
        with run_log(work.path(names.log), settings.logging, run_id) as logger:
            run = _Run(files, settings, bad_pixel_map, names, run_id, tuple(command), started)
            try:
                return run.reduce(work, Path(output), logger, overwrite, progress)
            except BaseException as error:
                run.leave_failure(work, logger, error)
                raise


def _spare_inputs(output: Path, names: Names, files: FileSet, *others) -> None:
    """Refuse a run that would write over its own inputs, whatever was said of overwriting.

    The bad-pixel map alone may be the mask of an earlier run of this set.
    """
    known = {e.path.resolve() for e in files.frames}
    known |= {Path(p).resolve() for p in (files.source, *others) if p is not None}
    for name in (*names.products, *names.failure):
        if (output / name).resolve() in known:
            raise ProductError(
                f"{output / name}: is an input of this run and would be written over; "
                "choose another folder with -o"
            )


@dataclass(frozen=True)
class _Run:
    """One run: what it was asked for."""

    files: FileSet
    settings: Settings
    bad_pixel_map: Path | str | None
    names: Names
    run_id: str
    command: tuple[str, ...]
    started: datetime

    def reduce(self, work, output: Path, logger, overwrite: bool, progress) -> MdarkResult:
        clock = _Clock()
        logger.info("soxsdark %s, run %s", __version__, self.run_id)
        inputs = open_inputs(self.files, self.settings, self.bad_pixel_map)
        inputs = told_of_memory(inputs)
        self._log_inputs(logger, inputs)
        clock.lap("headers")
        reduced = reduce_set(inputs, progress, clock)
        facts = self._facts(reduced)
        raw = inputs.darks[0].frame.header
        master = product_header(raw, facts, "MASTER_DARK")
        mask = product_header(raw, facts, "BP_MAP")
        written = write_products(
            (
                Product(work.path(self.names.master), reduced.master, master),
                Product(work.path(self.names.mask), reduced.mask, mask),
            ),
            plan_of(inputs).threads,
        )
        clock.lap("products")
        self._log_results(logger, reduced)
        record = run_record(
            reduced,
            run_id=self.run_id,
            command=self.command,
            started=self.started,
            settings_file=self.settings.path,
            products=[product_entry(file) for file in written],
            timings=clock.seconds,
        )
        write_record(work.path(self.names.record), record)
        logger.info("done, QA flag %s", reduced.judged.flag)
        for handler in logger.handlers:
            handler.flush()
        work.publish(self.names.products, overwrite=overwrite, last=self.names.record)
        for name in self.names.failure:
            (output / name).unlink(missing_ok=True)
        return MdarkResult(
            master_dark=output / self.names.master,
            mask=output / self.names.mask,
            record_file=output / self.names.record,
            log=output / self.names.log,
            metrics={m.name: m.value for m in reduced.judged.metrics},
            qa_flag=reduced.judged.flag,
            record=record,
            reduced=reduced,
        )

    def _facts(self, reduced: Reduced) -> ProductFacts:
        inputs = reduced.inputs
        darks, about = inputs.darks, inputs.darks[0].about
        arm = about.arm
        tag = f"DARK_{arm}" if arm else "DARK"
        bpm = inputs.bad_pixel_map
        known = [d.about.mjd_obs for d in darks if d.about.mjd_obs is not None]
        first = min(darks, key=lambda d: d.about.mjd_obs or 0.0).about
        values = inputs.settings.values.model_dump(by_alias=True, exclude={"qc_acceptable_ranges"})
        return ProductFacts(
            version=__version__,
            run_id=self.run_id,
            products={"MASTER_DARK": self.names.master, "BP_MAP": self.names.mask},
            raws=[(d.name, d.tag or tag) for d in darks],
            calibrations=[(bpm.path.name, bpm.tag, None)] if bpm else (),
            exposure_time=about.exposure_time,
            total_exposure=sum(d.about.exposure_time * d.about.ndit for d in darks),
            instrument=str(about.setup.get("instrument") or "") or None,
            arm=arm,
            parameters=list(values.items()),
            metrics=reduced.judged.metrics,
            first_date_obs=first.date_obs,
            first_mjd=min(known) if known else None,
            last_mjd=max(known) if known else None,
            ndit=about.ndit,
            window=about.window,
            trimmed=about.trimmed,
            qa_flag=str(reduced.judged.flag),
        )

    def _log_inputs(self, logger: logging.Logger, inputs: Inputs) -> None:
        held = plan_of(inputs)
        counts = held.frame_threads, held.threads, held.rows
        logger.info("%s; %d and %d threads, blocks of %d rows", path_in_use(), *counts)
        about = inputs.darks[0].about
        setup = ", ".join(f"{k} {v}" for k, v in about.setup.items() if v is not None)
        logger.info("%d frames, profile %s: %s", len(inputs.darks), inputs.profile.name, setup)
        for what in ("gain", "ron", "saturation"):
            given = getattr(about, what)
            logger.info("%s: %s (%s)", what, given.value, given.source)
        for key, origin in inputs.settings.origins.items():
            if origin != "default":
                value = getattr(inputs.settings.values, key.replace("-", "_"))
                logger.info("setting %s = %s (%s)", key, value, origin)
        for remark in inputs.remarks:
            logger.info("remark: %s", remark)
        for warning in inputs.warnings:
            logger.warning("%s", warning)

    def _log_results(self, logger: logging.Logger, reduced: Reduced) -> None:
        frames = zip(reduced.inputs.darks, reduced.survey.frames, strict=True)
        for number, (dark, found) in enumerate(frames):
            logger.info(
                "frame %s: level %.3f ADU, RON %.3f e-, %d pixels clipped, %d samples rejected",
                dark.name, found.level.level, found.ron, found.level.clipped,
                reduced.frame_rejected[number],
            )  # fmt: skip
        model = reduced.survey.noise
        logger.info("noise model: sigma-zero %.4f e-, slope used %.4f", model.sigma, model.slope)
        for metric in reduced.judged.metrics:
            logger.info("QC %s = %s %s", metric.name, metric.value, metric.unit)
        for metric in reduced.judged.concerns:
            logger.warning("%s", metric.why)

    def leave_failure(self, work: Workspace, logger: logging.Logger, error: BaseException) -> None:
        """Leave the log and a record of the failure, as far as the folder can be written."""
        expected = isinstance(error, SoxsdarkError | KeyboardInterrupt | SystemExit)
        line = str(error) or type(error).__name__
        logger.error("%s", line, exc_info=None if expected else error)
        for handler in logger.handlers:
            handler.flush()
        record = failure_record(
            error,
            version=__version__,
            run_id=self.run_id,
            command=self.command,
            started=self.started,
            ended=datetime.now(UTC),
            inputs=[{"path": e.path.absolute(), "tag": e.tag} for e in self.files.frames],
        )
        failed_log, failed = self.names.failure
        try:
            write_record(work.path(failed), record)
            work.path(self.names.log).rename(work.path(failed_log))
            work.publish(self.names.failure, overwrite=True, last=failed)
        except (ProductError, OSError) as problem:
            logger.error("the record of the failure cannot be written: %s", problem)
