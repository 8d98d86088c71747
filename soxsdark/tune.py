"""Tuning: what other settings would make of the same frames, tried one after another."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from soxsdark.explain import Explanation, explain
from soxsdark.inputs import Inputs, find_files, open_inputs
from soxsdark.publish import Workspace, publish_files
from soxsdark.reduction import Progress, Reduced, reduce_set
from soxsdark.settings import Settings
from soxsdark.settings_model import stages
from soxsdark.stage import Stage
from soxsdark.survey import Survey
from soxsdark.tune_file import ID, Line, TuneFile, cell, number, open_tune_file
from soxsdark.tune_measures import Reference, measure
from soxsdark.tune_sweep import STAGES, Combination, Sweep, combinations
from soxsdark.tune_workbench import Workbench
from soxsdark.tuned import CURRENT, ROW, SECONDS, SHARE, Pair, Tuned, check_row
from soxsdark.version import __version__

CSV, PAGE = "tune.csv", "tune.html"
NO_MATTER = {k.replace("-", "_") for k, stage in stages().items() if stage > Stage.FLAGS}
"""Settings that change no pixel."""


@dataclass(frozen=True)
class Plan:
    """What is to be tried."""

    sweeps: tuple[Sweep, ...]
    random: int | None = None
    """How many combinations are drawn; None: all."""
    seed: int = 0
    compare: tuple[int, int] | None = None
    """Rows whose masks are compared; None: the current settings and the last."""
    pixel: tuple[int, int] | None = None
    """To be explained with the current settings: x and y from 1."""


def tune(
    inputs: Any,
    sweeps: Sequence[str],
    settings: Path | str | None = None,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    overrides: Sequence[str] = (),
    random: int | None = None,
    seed: int = 0,
    compare: tuple[int, int] | None = None,
    pixel: tuple[int, int] | None = None,
    bad_pixel_map: Path | str | None = None,
    master_bias: Path | str | None = None,
    progress: Progress | None = None,
) -> Tuned:
    """Reduce a set of darks with many settings; write ``tune.csv`` and ``tune.html``.

    Frames are read once. Lines are written as combinations are done, and a call that finds the
    lines of an earlier one, on the same frames and settings, goes on where that stopped.

    Parameters
    ----------
    inputs, settings, overrides, bad_pixel_map, master_bias
        As in `soxsdark.mdark`.
    sweeps : sequence of str
        ``KEY=START:STOP:STEP``, both ends included, or ``KEY=v1,v2,...``.
    output : path
        Folder of the two files; made if need be.
    overwrite : bool
        Replace files of other frames, settings or sweeps.
    random, seed : int
        Draw so many of the combinations; None: try all.
    compare : (int, int), optional
        Rows whose masks the page compares; 0 is the current settings. None: these and the last.
    pixel : (int, int), optional
        Column and row of a pixel, from 1, that is explained with the current settings.
    progress : callable, optional
        Called with (stage, steps done, steps in all).

    Raises
    ------
    UsageError, SettingsError, InputError, ProductError, LockedError
        With the line for the user.
    """
    plan = Plan(tuple(map(Sweep.parse, sweeps)), random, seed, compare, pixel)
    current, files = Settings.read(settings, overrides), find_files(inputs)
    calibrations: dict[str, Any] = {"bad_pixel_map": bad_pixel_map, "master_bias": master_bias}
    opened = open_inputs(files, current, **calibrations)
    arm = opened.darks[0].about.arm
    wanted = combinations(
        plan.sweeps, settings, overrides, arm=arm, number=plan.random, seed=plan.seed
    )
    for row in compare or ():
        check_row(row, len(wanted))
    keep_stack = any(STAGES[sweep.key] is Stage.FLAGS for sweep in plan.sweeps)
    bench = Workbench.of(files, opened, calibrations, keep_stack=keep_stack)
    return _Tuning(bench, current, plan, wanted, Path(output), progress).run(overwrite)


def explain_pixel(
    inputs: Any,
    x: int,
    y: int,
    settings: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    bad_pixel_map: Path | str | None = None,
    master_bias: Path | str | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Reduce a set of darks and retrace what happened to one pixel; writes nothing.

    Parameters
    ----------
    inputs, settings, overrides, bad_pixel_map, master_bias, progress
        As in `soxsdark.mdark`.
    x, y : int
        Column and row in the products, from 1, as FITS counts.
    """
    calibrations: dict[str, Any] = {"bad_pixel_map": bad_pixel_map, "master_bias": master_bias}
    opened = open_inputs(find_files(inputs), Settings.read(settings, overrides), **calibrations)
    return explain(reduce_set(opened, progress), x, y)


class _Tuning:
    """One call: what it was asked for, and what it goes through."""

    def __init__(
        self,
        bench: Workbench,
        current: Settings,
        plan: Plan,
        wanted: Sequence[Combination],
        output: Path,
        progress: Progress | None,
    ) -> None:
        self.bench: Workbench = bench
        self.current: Settings = current
        self.plan: Plan = plan
        self.wanted: Sequence[Combination] = wanted
        self.output: Path = output
        self.tell: Progress = progress or (lambda what, done, total: None)
        self.keys = tuple(wanted[0].swept)
        self.last: tuple[str, np.ndarray] | None = None
        """Id and flags of what was reduced last."""

    def run(self, overwrite: bool) -> Tuned:
        path = self.output / CSV
        if not path.exists():
            Workspace(self.output).check_free([PAGE], overwrite)
        found = self._current()
        columns = [ROW, *self.keys, SHARE, *self.reference.columns, SECONDS, ID]
        with open_tune_file(path, columns) as file:
            if overwrite:
                file.begin()
            else:
                file.take(set(self.by_id))
            done = len(file.lines)
            self._try_all(file)
            lines = tuple(file.lines)
        tuned = Tuned(
            name=self.bench.inputs.name,
            csv=path,
            page=self.output / PAGE,
            keys=self.keys,
            current={name: cell(found[name]) for name in columns},
            lines=lines,
            combinations=self.by_id,
            arm=self.bench.arm,
            share_seen=self.share,
            new=len(lines) - done,
            settings=self.current.path,
            overrides=tuple(self.current.overrides.given),
            explanation=self.explanation,
        )
        self._write_page(tuned)
        return tuned

    def _current(self) -> dict[str, object]:
        """Reduce with the current settings, to which all others are compared."""
        begun = perf_counter()
        self.tell("current settings", 0, 1)
        reduced = self.bench.reduce(self.current)
        seen = self.bench.seen
        self.share = 1.0 if seen is None else float(seen.mean())
        self.reference = Reference.of(reduced, seen, self.bench.files.source)
        self.explanation = explain(reduced, *self.plan.pixel) if self.plan.pixel else None
        frames = _digest_of_frames(self.bench.inputs, reduced.survey, self.bench.held.blocks)
        basis = [frames, self._values(self.current)]
        self.by_id = {_digest([*basis, self._values(one.settings)]): one for one in self.wanted}
        values = self.bench.inputs.settings.values
        swept = {key: getattr(values, key.replace("-", "_")) for key in self.keys}
        return self._line(CURRENT, swept, reduced, begun, _digest([*basis, basis[1]]))

    def _try_all(self, file: TuneFile) -> None:
        """Reduce with each combination that has no line yet, and write its line."""
        known = {line[ID] for line in file.lines}
        left = [(key, one) for key, one in self.by_id.items() if key not in known]
        for done, (key, one) in enumerate(left):
            self.tell("combinations", done, len(left))
            file.append(self._tried(len(file.lines) + 1, key, one))

    def _tried(self, row: int, key: str, one: Combination) -> dict[str, object]:
        begun = perf_counter()
        reduced = self.bench.reduce(one.settings)
        self.last = key, reduced.master.qual
        return self._line(row, one.swept, reduced, begun, key)

    def _line(
        self, row: int, swept: Mapping[str, Any], reduced: Reduced, begun: float, key: str
    ) -> dict[str, object]:
        measures = measure(reduced, self.reference)
        seconds = round(perf_counter() - begun, 3)
        return {ROW: row, **swept, SHARE: self.share, **measures, SECONDS: seconds, ID: key}

    def _values(self, settings: Settings) -> dict[str, object]:
        """All that the pixels depend on."""
        return settings.for_arm(self.bench.arm).values.model_dump(mode="json", exclude=NO_MATTER)

    def _write_page(self, tuned: Tuned) -> None:
        from soxsdark.tune_page import page_of

        rows = self.plan.compare or (CURRENT, len(tuned.lines))
        lines = tuned.line(rows[0]), tuned.line(rows[1])
        flags = self._flags(lines[0]), self._flags(lines[1])
        if (seen := self.reference.seen) is not None:
            flags = np.where(seen, flags[0], 0), np.where(seen, flags[1], 0)
        # a page takes memory too
        self.bench.let_go()
        first, second = ({key: line[key] for key in tuned.keys} for line in lines)
        page = page_of(tuned, Pair(rows, (first, second), flags), self.reference)
        publish_files(self.output, {PAGE: page}, overwrite=True)

    def _flags(self, line: Line) -> np.ndarray:
        key = line[ID]
        if number(line[ROW]) == CURRENT:
            return self.reference.flags
        if self.last is None or self.last[0] != key:
            return self.bench.reduce(self.by_id[key].settings).master.qual
        return self.last[1]


def _digest_of_frames(inputs: Inputs, survey: Survey, blocks: Sequence[slice]) -> list[Any]:
    """What says that frames, calibrations and the rows that are seen of them are the same."""
    given, about = (inputs.bad_pixel_map, inputs.master_bias), inputs.darks[0].about
    read = [(a.raw, a.place, a.gain.value) for a in about.amplifiers]
    bands = sorted({row for rows in blocks for row in (rows.start, rows.stop)})
    return [
        __version__,
        [frame.sha256 for frame in survey.frames],
        [None if one is None else one.sha256 for one in given],
        repr((read, about.rotation, about.saturation.value, about.pedestal, about.ndit)),
        [bands[0], bands[-1], sum(rows.stop - rows.start for rows in blocks)],
    ]


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
