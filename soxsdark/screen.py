"""What a person sees: tables on stdout, a progress bar on stderr."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from soxsdark.text import printable, shown, table

if TYPE_CHECKING:
    from tqdm import tqdm

    from soxsdark.find_sets import DarkSet
    from soxsdark.night import NightReport
    from soxsdark.recipe import Result
    from soxsdark.reduce_sets import SetResult
    from soxsdark.subtract import SubtractResult

PATIENCE = 2.0
"""Seconds after which a run counts as long and a progress bar appears."""


def frames_table(result: "Result") -> str:
    """The table of the frames."""
    reduced = result.reduced
    rows = [
        (
            dark.name,
            f"{dark.about.exposure_time:g}",
            f"{level:.2f}",
            f"{found.ron:.2f}",
            found.clipped,
        )
        for dark, found, level in zip(
            reduced.inputs.darks, reduced.survey.frames, reduced.survey.frame_levels, strict=True
        )
    ]
    headers = ("file", "exposure [s]", "level [e-]", "RON [e-]", "clipped pixels")
    align = ("left", "right", "right", "right", "right")
    return table(rows, headers, align)


def results_table(result: "Result") -> str:
    """The table of the results."""
    rows = [
        (
            m.name,
            shown(m.value, m.unit),
            "" if m.error is None else f"{m.error:.2g}",
            m.unit or "-",
        )
        for m in result.reduced.judged.metrics
    ]
    rows.append(("QA FLAG", str(result.qa_flag), "", "-"))
    return table(rows, ("name", "value", "error", "unit"), ("left", "right", "right", "left"))


def remarks(result: "Result") -> Sequence[str]:
    """Remarks and warnings, one line each."""
    inputs = result.reduced.inputs
    lines = [f"remark: {r}" for r in (*inputs.remarks, *result.reduced.judged.remarks)]
    lines += [f"warning: {w}" for w in inputs.warnings]
    lines += [f"warning: {m.concern}" for m in result.reduced.judged.concerns]
    return [printable(line) for line in lines]


def subtracted(results: Sequence["SubtractResult"]) -> list[str]:
    """One line of result a frame, then each warning once."""
    lines = []
    for result in results:
        found, record = result.metrics, result.record
        lines.append(
            f"{result.product}: {record['frame']['exposure-time']:g} s, "
            f"dark of {record['dark']['exposure-time']:g} s x {found['DSUB FACTOR']:.5g}, "
            f"median {shown(found['DSUB MEDIAN'], 'electron')} e-, "
            f"scatter {shown(found['DSUB SCATTER'], 'electron')} e-, "
            f"{found['BADPIX NUM']} pixels flagged"
        )
    warnings = dict.fromkeys(f"warning: {w}" for r in results for w in r.record["warnings"])
    return [printable(line) for line in (*lines, *warnings)]


def found_sets_table(sets: Sequence["DarkSet"]) -> str:
    """The table of the sets below a folder."""
    rows = [
        (one.folder, one.name, len(one.frames), "too small" if one.is_too_small else "-")
        for one in sets
    ]
    return table(rows, ("night", "set", "frames", "state"), ("left", "left", "right", "left"))


def sets_table(results: Sequence["SetResult"]) -> str:
    """The table of the sets of a night."""
    rows = [(r.night, r.name, r.frames, r.state, r.verdict or "-", r.why) for r in results]
    headers = ("night", "set", "frames", "state", "verdict", "because")
    return table(rows, headers, ("left", "left", "right", "left", "left", "left"))


def night_summary(report: "NightReport") -> str:
    """One line on the run as a whole."""
    states = Counter(str(result.state) for result in report.results)
    said = [f"{count} {state}" for state, count in states.items()]
    if report.superseded:
        said.append(f"{len(report.superseded)} superseded: {', '.join(report.superseded)}")
    count = len(report.results)
    sets = f"{count} set{'' if count == 1 else 's'}: {', '.join(said)}"
    return printable(f"{sets}; {report.others} files that are no raw darks")


def night_problems(report: "NightReport") -> list[str]:
    """One line a problem: the set, what is wrong with it, and its log."""
    lines = [*report.problems, *filter(None, [report.empty])]
    lines += [f"warning: {line}" for line in report.warnings]
    for result in report.results:
        name = f"{result.name} {result.verdict}".rstrip()
        see = f"; see {result.log}" if result.log else ""
        if result.exit_code:
            lines += [f"{name}: {why}{see}" for why in result.reasons or ("QA flag",)]
        lines += [f"{name}: {jump}{see}" for jump in result.jumps]
    return lines


class Progress:
    """A bar on stderr, for runs that take more than a moment on a terminal."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of `stage` are behind us."""
        if not sys.stderr.isatty() or time.monotonic() - self._begun < PATIENCE:
            return
        if stage != self._stage:
            from tqdm import tqdm

            self.close()
            self._bar = tqdm(total=total, desc=stage, file=sys.stderr, leave=False)
            self._stage = stage
        if self._bar is not None:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
