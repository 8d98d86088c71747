"""The recipes, master dark and master bias: from raw frames to published products."""

import logging
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soxsdark.clock import Clock
from soxsdark.errors import UsageError
from soxsdark.file_set import Entry, FileSet
from soxsdark.headers import product_header
from soxsdark.inputs import find_files, open_inputs
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.logged_run import logged_run
from soxsdark.names import Names
from soxsdark.product import Mask, Master, Product, write_products
from soxsdark.product_facts import facts_of
from soxsdark.publish import Workspace, remove_files, spare_inputs
from soxsdark.record import RunIdentity, file_entry, plain, product_entry, write_record
from soxsdark.reduction import Progress, Reduced, plan_of, reduce_set, told_of_memory
from soxsdark.report import picture_files
from soxsdark.report_record import run_record
from soxsdark.run_story import log_inputs, log_results
from soxsdark.settings import Settings
from soxsdark.verdicts import QaFlag


@dataclass(frozen=True)
class Result:
    """What a run has made."""

    master: Path
    mask: Path | None
    """None of a master bias."""
    record_file: Path
    log: Path
    page: Path | None
    """None where no report was asked for."""
    metrics: dict[str, float | int | None]
    qa_flag: QaFlag
    record: dict[str, Any] = field(repr=False)
    reduced: Reduced = field(repr=False)

    @property
    def master_dark(self) -> Path:
        """Path of the master, of either kind."""
        return self.master

    @property
    def products(self) -> tuple[Path, ...]:
        """Paths of all products."""
        paths = (self.master, self.mask, self.record_file, self.log, self.page)
        return tuple(path for path in paths if path)


def mdark(
    inputs: Any,
    settings: Settings | Path | str | None = None,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    instrument: str | None = None,
    bad_pixel_map: Path | str | None = None,
    master_bias: Path | str | None = None,
    previous: Path | str | None = None,
    report: bool = False,
    plots: Path | str | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> Result:
    """Reduce a set of raw darks to a master dark, a mask, a record and a log.

    Parameters
    ----------
    inputs : path, sequence of paths, ccdproc ImageFileCollection, or FileSet
        A SOF, observing blocks, a folder, or FITS files.
    settings : Settings or path, optional
        Settings file; the program's defaults when not given.
    output : path
        Folder of the products; made if need be.
    overwrite : bool
        Replace products that exist; their page goes with them unless `report` makes it anew.
    overrides : sequence of str
        ``KEY=VALUE`` settings.
    instrument : str, optional
        Instrument profile, by name or path; as the setting of that name.
    bad_pixel_map : path, optional
        FITS image, non-zero = bad.
    master_bias : path, optional
        FITS image of the same setup, in electron or ADU: subtracted once, from the mean.
    previous : path, optional
        Master dark of the same setup, to compare the new one with.
    report : bool
        Make a page of pictures and tables too, ``<name>.html``.
    plots : path, optional
        Folder of the pictures alone, PNG; none are made by default.
    command : sequence of str
        For the record: what the user typed.
    progress : callable, optional
        Called with (stage, steps done, steps in all).

    Raises
    ------
    SettingsError, InputError, ProductError
        With the line for the user; a failed run leaves its log and ``<name>_FAILED.json``.
    """
    calibrations = {
        "bad_pixel_map": bad_pixel_map, "master_bias": master_bias, "previous": previous,
    }  # fmt: skip
    return _make(
        DARK, inputs, settings, overrides, instrument, output, overwrite,
        calibrations=calibrations, report=report, plots=plots, command=tuple(command),
        progress=progress,
    )  # fmt: skip


def mbias(
    inputs: Any,
    settings: Settings | Path | str | None = None,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    instrument: str | None = None,
    bad_pixel_map: Path | str | None = None,
    report: bool = False,
    plots: Path | str | None = None,
    command: Sequence[str] = (),
    progress: Progress | None = None,
) -> Result:
    """Reduce a set of raw biases to a master bias, a record and a log.

    They are stacked, clipped and flagged as darks are (see `mdark` for the parameters). A raw
    frame is a bias by its image type, or if its exposure time is 0.

    Raises
    ------
    SettingsError, InputError, ProductError
        As `mdark`.
    """
    return _make(
        BIAS, inputs, settings, overrides, instrument, output, overwrite,
        calibrations={"bad_pixel_map": bad_pixel_map}, report=report, plots=plots,
        command=tuple(command), progress=progress,
    )  # fmt: skip


def _make(
    kind: Kind,
    inputs: Any,
    settings: Settings | Path | str | None,
    overrides: Sequence[str],
    instrument: str | None,
    output: Path | str,
    overwrite: bool,
    *,
    calibrations: dict[str, Any],
    report: bool,
    plots: Path | str | None,
    command: tuple[str, ...],
    progress: Progress | None,
) -> Result:
    started = datetime.now(UTC)
    if not isinstance(settings, Settings):
        settings = Settings.read(settings, overrides, instrument)
    elif overrides or instrument is not None:
        raise UsageError("overrides and instrument go with a settings file, not with Settings")
    files = find_files(inputs, kind)
    names = Names.of(files.name, kind, report)
    identity = RunIdentity(
        kind.recipe, files.name, files.source, uuid.uuid4().hex, command, started
    )
    shown = nullcontext() if plots is None else Workspace(plots)
    with Workspace(output) as work, shown as gallery:
        outdated = names.outdated(overwrite)
        others = settings.path, calibrations.get("master_bias")
        _spare_inputs(Path(output), (*names.products, *outdated), files, *others)
        work.check_free(names.products, overwrite)
        work.check_free(outdated, overwrite=True)
        if gallery is not None:
            gallery.check_free(picture_files(names.run), overwrite)
        run = _Run(kind, files, settings, calibrations, names, gallery, identity)
        with logged_run(
            work, identity, names.log, names.failure,
            settings=settings.logging, settings_file=settings.path, inputs=run.entries(),
        ) as logger:  # fmt: skip
            return run.reduce(work, Path(output), logger, overwrite, progress)


def _spare_inputs(
    output: Path, names: Sequence[str], files: FileSet, *others: Path | str | None
) -> None:
    """Refuse a run that would write over its own inputs, whatever was said of overwriting.

    Bad-pixel map and previous master alone may be those of an earlier run of this set.
    """
    own = files.master_bias.path if files.master_bias else None
    inputs = (*(entry.path for entry in files.frames), own, files.source, *others)
    spare_inputs(output, names, inputs)


@dataclass(frozen=True)
class _Run:
    """One run: what it was asked for."""

    kind: Kind
    files: FileSet
    settings: Settings
    calibrations: dict[str, Path | str | None]
    """Those that the SOF does not name."""
    names: Names
    gallery: Workspace | None
    """Where pictures are made, if they are asked for."""
    identity: RunIdentity

    def reduce(
        self,
        work: Workspace,
        output: Path,
        logger: logging.Logger,
        overwrite: bool,
        progress: Progress | None,
    ) -> Result:
        clock = Clock()
        self._warn_of_mixed(output, logger)
        inputs = open_inputs(self.files, self.settings, kind=self.kind, **self.calibrations)
        inputs = told_of_memory(inputs)
        log_inputs(logger, inputs)
        clock.lap("headers")
        reduced = reduce_set(inputs, progress, clock)
        products = self._products(work, reduced)
        written = write_products(products, plan_of(inputs).threads)
        clock.lap("products")
        log_results(logger, reduced)
        record = run_record(
            reduced,
            self.identity,
            settings_file=self.settings.path,
            products=[product_entry(file) for file in written],
            timings=clock.seconds,
        )
        pictures = self._report(work, reduced, products[0].header, record, clock)
        write_record(work.path(self.names.record), record)
        for file in written:
            logger.info("product %s: %d bytes, SHA-256 %s", file.name, file.size, file.sha256)
        logger.info("done, QA flag %s", reduced.judged.flag)
        if self.gallery is not None:
            self.gallery.publish(pictures, overwrite=overwrite)
        work.publish(self.names.products, overwrite=overwrite, last=self.names.record)
        remove_files(output, self.names.outdated(overwrite))
        return Result(
            master=output / self.names.master,
            mask=output / self.names.mask if self.names.mask else None,
            record_file=output / self.names.record,
            log=output / self.names.log,
            page=output / self.names.page if self.names.page else None,
            metrics={m.name: m.value for m in reduced.judged.metrics},
            qa_flag=reduced.judged.flag,
            record=record,
            reduced=reduced,
        )

    def _warn_of_mixed(self, output: Path, logger: logging.Logger) -> None:
        """Look at what is about to be replaced, if there is anything."""
        fits = [name for name in (self.names.master, self.names.mask) if name]
        if any((output / name).exists() for name in fits):
            from soxsdark.record_check import mixed

            if said := mixed(output, self.names.record, fits):
                logger.warning("%s", said)

    def _report(
        self, work: Workspace, reduced: Reduced, header: Any, record: dict[str, Any], clock: Clock
    ) -> list[str]:
        """Make page and pictures, as far as they are asked for, and name the page in the record."""
        if self.names.page is None and self.gallery is None:
            return []
        from soxsdark.report.images import of_reduction
        from soxsdark.report.output import write_report

        images = of_reduction(reduced, header, with_noise=self.names.mask is not None)
        page = work.path(self.names.page) if self.names.page else None
        content: Any = plain(record)
        pictures = write_report(content, self.names.run, images, page=page, plots=self.gallery)
        if page is not None:
            record["products"].append(file_entry(page))
        clock.lap("report")
        return pictures

    def _products(self, work: Workspace, reduced: Reduced) -> list[Product]:
        raw = reduced.inputs.darks[0].frame.header
        facts = facts_of(reduced, self.names, self.identity)
        contents: dict[str, Master | Mask] = {
            self.kind.category: reduced.master,
            "BP_MAP": reduced.mask,
        }
        return [
            Product(work.path(name), contents[category], product_header(raw, facts, category))
            for category, name in facts.products.items()
        ]

    def entries(self) -> list[dict[str, Any]]:
        """All files that were given, checked or not."""
        given = (Entry(Path(path)) for path in self.calibrations.values() if path)
        named = (self.files.bad_pixel_map, self.files.master_bias)
        entries = (*self.files.frames, *filter(None, named), *given)
        return [{"path": e.path.absolute(), "tag": e.tag} for e in entries]
