"""Samples to medians, medians to ratios, ratios to Markdown."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.race import Line

COSTS = ("wall", "cpu", "peak")
HEAD = ("wall [s]", "CPU [s]", "peak [MiB]", "wall ×", "CPU ×", "peak ×")
BEGIN = "<!-- bench: begin -->"
END = "<!-- bench: end -->"
NOTE = (
    "Whole processes, warm cache, run in turn; median of {runs}. × is against the first line of "
    "a table. CPU is user and system time, children included; the peak is that of the largest "
    "single process."
)


class PageError(Exception):
    """A page without the two marks between which the tables go."""


def medians(line: Line) -> dict[str, float]:
    """Give the median of each cost over the runs of a line."""
    return {cost: median(sample[cost] for sample in line.samples) for cost in COSTS}


def ratios(costs: dict[str, float], reference: dict[str, float]) -> dict[str, float]:
    """Give each cost in units of the reference's."""
    return {cost: costs[cost] / reference[cost] for cost in COSTS}


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def table(title: str, lines: Sequence[Line]) -> str:
    """Write one race as a Markdown table, and below it who was left out and why."""
    ran = [(line.title, medians(line)) for line in lines if line.samples]
    text = [_row((title, *HEAD)), _row(("---", *["---:"] * len(HEAD)))]
    for name, costs in ran:
        against = ratios(costs, ran[0][1])
        values = [f"{costs['wall']:.2f}", f"{costs['cpu']:.2f}", f"{costs['peak']:.0f}"]
        text.append(_row((name, *values, *(f"{against[cost]:.2f}" for cost in COSTS))))
    left_out = [f"{line.title} ({line.left_out})" for line in lines if line.left_out]
    if left_out:
        text += ["", f"Left out: {'; '.join(left_out)}."]
    return "\n".join(text)


def page(machine: str, runs: int, tables: Sequence[str]) -> str:
    """Join the description of the machine, the note and the tables."""
    return "\n\n".join([machine, NOTE.format(runs=runs), *tables])


def frame_of(file: Path) -> tuple[str, str]:
    """Give what stands before and after the tables of a page.

    Raises
    ------
    PageError
        If it lacks the two marks.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise PageError(f"{file}: no lines {BEGIN} and {END}, between which the tables go")
    return before, after


def refresh(file: Path, text: str) -> None:
    """Put the text between the two marks of a page."""
    before, after = frame_of(file)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
