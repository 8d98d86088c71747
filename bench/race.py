"""Programs run in turn, A B A B, so that a slow minute of the machine meets them all."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import CommandError, measure
from bench.peer import Job, Peer, clear
from bench.sets import DarkSet, MadeSet

Say = Callable[[str], None]
LOG = "log.txt"


@dataclass(frozen=True)
class Entry:
    """One line of a table: a program on a set."""

    title: str
    peer: Peer
    dark_set: DarkSet


@dataclass(frozen=True)
class Race:
    """One table."""

    key: str
    title: str
    entries: tuple[Entry, ...]


@dataclass
class Line:
    """What one entry took: one sample a run, or the reason why there are none."""

    title: str
    samples: list[dict[str, float]] = field(default_factory=list)
    left_out: str | None = None


def run_once(job: Job, folder: Path) -> dict[str, float]:
    """Run a job on a clean slate.

    Raises
    ------
    CommandError
        If it fails, or leaves no product.
    """
    clear(job)
    settings = {**os.environ, **job.environment}
    cost = measure(
        job.command,
        cwd=folder,
        log=folder / LOG,
        env={key: value for key, value in settings.items() if value is not None},
        good_codes=job.good_codes,
    )
    if not job.product.exists():
        raise CommandError("made no product")
    return cost


def run_race(
    race: Race, runs: int, made: Callable[[DarkSet], MadeSet], store: Path, say: Say
) -> list[Line]:
    """Run every entry once uncounted, then all of them in turn.

    Parameters
    ----------
    race : Race
        Who runs on what.
    runs : int
        Counted runs of each entry.
    made : callable
        Gives the files of a set.
    store : Path
        Folder under which the programs work.
    say : callable
        Takes a line for the person who waits.

    Returns
    -------
    list of Line
        In the order of the entries.
    """
    lines = [Line(entry.title, left_out=entry.peer.missing()) for entry in race.entries]
    store.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=store, prefix="work-") as work:
        runners = []
        for line, entry in zip(lines, race.entries, strict=True):
            if not line.left_out:
                folder = Path(work) / str(len(runners))
                folder.mkdir()
                runners.append((line, entry.peer.prepare(made(entry.dark_set), folder), folder))
        for number in range(runs + 1):
            say(f"{race.title}: " + (f"run {number} of {runs}" if number else "warming up"))
            for line, job, folder in runners:
                if not line.left_out:
                    _take(line, job, folder, counted=number > 0, say=say)
    return lines


def _take(line: Line, job: Job, folder: Path, *, counted: bool, say: Say) -> None:
    try:
        cost = run_once(job, folder)
    except CommandError as problem:
        line.left_out = str(problem)
        line.samples.clear()
        say(f"{line.title} left out: {problem}; it said: {_last_words(folder / LOG)}")
        return
    if counted:
        line.samples.append(cost)


def _last_words(log: Path) -> str:
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if any(map(str.isalnum, line))]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["nothing"])[-1]
