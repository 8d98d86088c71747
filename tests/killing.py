"""Runs that are killed at a chosen moment; a process of its own, for it forks.

``python -m tests.killing RAW FOLDER KIND COUNT SEED`` kills COUNT runs below FOLDER, looks after
each one at what it has left, lets the next run follow, and prints how they ended.
"""

import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from astropy.io import fits

from soxsdark.cli import main
from soxsdark.record_check import states
from soxsdark.record_file import load_json, read_record

STEPS = ("fsync", "link", "mkdir", "open", "rename", "replace", "rmdir", "unlink", "write")
"""Functions of `os` that change what is on the disk."""
ORPHAN = ".soxsdark-*"


def forked(run: Callable[[], int], prepare: Callable[[], None] = lambda: None) -> int:
    """Run in a child that writes nothing on the screen; its pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        for descriptor in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        prepare()
        code = run()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Exit code of a child; negative: the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Steps:
    """Counts the steps on the disk of a child, which may kill itself before one of them."""

    def __init__(self, last: int = 0) -> None:
        self.passed, self.last = 0, last

    def watch(self) -> None:
        """Begin to count, in the child."""
        for name in STEPS:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function: Callable) -> Callable:
        def call(*arguments, **options):
            self.passed += 1
            if self.passed == self.last:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call


def check_whole(folder: Path) -> None:
    """Whatever stands under the name of a product is whole."""
    for path in folder.rglob("*.fits"):
        if not path.parent.name.startswith(".soxsdark-"):
            with fits.open(path, checksum=True, memmap=False) as hdus:
                assert all(hdu.verify_checksum() == hdu.verify_datasum() == 1 for hdu in hdus)
                assert len(hdus) >= 3, path
    for path in folder.rglob("*.json"):
        if not path.parent.name.startswith(".soxsdark-"):
            load_json(path)
    for path in folder.rglob("*.log"):
        if not path.parent.name.startswith(".soxsdark-"):
            assert path.read_text().endswith(" done, QA flag GOOD\n"), path


def of_one_run(folder: Path, name: str = "darks") -> bool:
    """Whether all products are there, as their record says."""
    record = folder / f"{name}.json"
    if not record.exists():
        return False
    found = read_record(record)
    return all(state.holds for state in states(folder, found.products, found.run_id))


class Kind:
    """A kind of run; ``fresh`` into an empty folder, ``again`` over the products of another run."""

    def __init__(self, raw: Path, folder: Path, kind: str) -> None:
        self.folder, self.again = folder, kind == "again"
        self.is_night = kind == "night"
        if self.is_night:
            self.argv = ["night", str(raw), "-o", str(folder), "-q", "--no-report"]
        else:
            self.argv = ["mdark", str(raw / "darks.sof"), "-o", str(folder), "-q", "-x"]

    def run(self) -> int:
        return main(self.argv)

    def begin(self) -> None:
        """Make the folder as it is before the run."""
        if not self.again:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check_left(self) -> str:
        """What a killed run has left: nothing, all, or a part that shows itself as one."""
        check_whole(self.folder)
        if self.is_night:
            for record in self.folder.glob("*/*_DARK_*.json"):
                assert of_one_run(record.parent, record.stem), record
            return "a part"
        whole = of_one_run(self.folder)
        if whole:
            return "all"
        if not list(self.folder.glob("*.fits")):
            return "nothing"
        record = self.folder / "darks.json"
        if record.exists():
            assert ended(forked(lambda: main(["record", "show", str(record)]))) == 4
        return "a mixed set" if record.exists() else "a set without its record"

    def check_next(self, left: str) -> None:
        """The next run succeeds, tells what it found, and leaves nothing of the killed one."""
        assert ended(forked(self.run)) == 0
        assert not list(self.folder.rglob(ORPHAN))
        check_whole(self.folder)
        if not self.is_night:
            assert of_one_run(self.folder)
            told = "a mixed set" in (self.folder / "darks.log").read_text()
            assert told == left.startswith(("a mixed", "a set"))


def kill(kind: Kind, count: int, seed: int, seconds: float, steps: int) -> Counter:
    """Kill as many runs, one half after a random time, the other before a step on the disk."""
    rng, ends = random.Random(seed), Counter()
    every = rng.sample(range(1, steps + 1), min(steps, count // 2))
    moments = [*every, *(rng.uniform(0, seconds) for _ in range(count - len(every)))]
    for moment in moments:
        kind.begin()
        by_step = isinstance(moment, int)
        pid = forked(kind.run, Steps(moment).watch if by_step else lambda: None)
        if not by_step:
            time.sleep(moment)
            os.kill(pid, signal.SIGKILL)
        if ended(pid) != -signal.SIGKILL:
            ends["was done before"] += 1
        kind.folder.mkdir(exist_ok=True)
        left = kind.check_left()
        kind.check_next(left)
        ends[left] += 1
    return ends


def measured(kind: Kind) -> tuple[float, int]:
    """Seconds that a whole run takes, and its steps on the disk."""
    kind.begin()
    started, steps = time.monotonic(), Steps()
    back, told = os.pipe()

    def run() -> int:
        code = kind.run()
        os.write(told, str(steps.passed).encode())
        return code

    assert ended(forked(run, steps.watch)) == 0
    return time.monotonic() - started, int(os.read(back, 20))


if __name__ == "__main__":
    raw, folder, name, count, seed = sys.argv[1:]
    chosen = Kind(Path(raw), Path(folder), name)
    seconds, steps = measured(chosen)
    ends = kill(chosen, int(count), int(seed), seconds, steps)
    sys.stdout.write(f"{dict(ends)} of {count}, {seconds:.2f} s and {steps} steps each\n")
