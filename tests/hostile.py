"""What the tests of bad inputs share: how a set is harmed, and what a refusal must leave behind."""

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.cli import main

Harm = Callable[[Path], object]
"""Changes a folder of five raw darks and their SOF ``darks.sof``."""
FRAME = "NIR_dark_002.fits"
"""The frame that is harmed."""
FAILED = {".json", ".log"}


@dataclass(frozen=True)
class Case:
    """One row: what is fed, and what the program must say."""

    name: str
    harm: Harm
    said: str
    """Regular expression of the line on stderr, behind ``soxsdark: ``; {f} is the frame."""
    code: int = 4
    arguments: Sequence[str] = ("darks.sof",)
    """Of mdark; the folder is the current one."""
    lines: int = 1
    """On stderr; 0: not counted."""
    extra: Sequence[str] = field(default=())
    """Names that are in the output folder before the run, and stay."""


def edit(path: Path, pixels: Callable[[np.ndarray], np.ndarray] | None = None, **cards) -> None:
    """Change pixels and cards of a FITS file, and write it without sums."""
    with fits.open(path, memmap=False) as hdus:
        data, header = hdus[0].data, hdus[0].header.copy()
    for key in ("CHECKSUM", "DATASUM", "BZERO", "BSCALE"):
        header.remove(key, ignore_missing=True)
    for key, value in cards.items():
        name = key.replace("_", " ")
        if value is None:
            header.remove(name)
        else:
            header[f"HIERARCH {name}" if " " in name else name] = value
    data = data if pixels is None else pixels(data)
    fits.PrimaryHDU(data, header).writeto(path, overwrite=True)


def pixels(change: Callable[[np.ndarray], np.ndarray]) -> Harm:
    """Change the pixels of the frame."""
    return lambda folder: edit(folder / FRAME, change)


def cards(**values) -> Harm:
    """Change cards of the frame; None removes one, "_" is a blank in a key."""
    return lambda folder: edit(folder / FRAME, **values)


def card(image: str, key: str = "ORIGFILE") -> Harm:
    """Put a card as it is typed into the frame, in place of a key."""

    def change(folder: Path) -> None:
        edit(folder / FRAME)
        content = (folder / FRAME).read_bytes()
        place = next(
            i for i in range(0, len(content), 80) if content[i : i + 80].startswith(key.encode())
        )
        new = image.encode("latin-1").ljust(80)
        (folder / FRAME).write_bytes(content[:place] + new + content[place + len(new) :])

    return change


def content(change: Callable[[bytes], bytes]) -> Harm:
    """Change the bytes of the frame."""
    return lambda folder: (folder / FRAME).write_bytes(change((folder / FRAME).read_bytes()))


def sof(text: str | bytes) -> Harm:
    """Write the SOF anew."""
    data = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / "darks.sof").write_bytes(data)


def every(*harms: Harm) -> Harm:
    """One after the other."""
    return lambda folder: [harm(folder) for harm in harms]


def unharmed(folder: Path) -> None:
    """Leave all as it is."""


def snapshot(folder: Path) -> dict[str, tuple]:
    """Content and time of everything below a folder; links and pipes as such."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        regular = path.is_file() and not path.is_symlink()
        data = path.read_bytes() if regular else os.readlink(path) if path.is_symlink() else None
        found[str(path)] = data, status.st_mtime_ns, status.st_mode
    return found


def said(arguments: Sequence[object], capsys) -> tuple[int, str, str]:
    """Run the command line in this process; exit code, stdout and stderr."""
    handler, argv = signal.getsignal(signal.SIGTERM), sys.argv
    sys.argv = ["soxsdark", *map(str, arguments)]
    try:
        code = main(sys.argv[1:])
    finally:
        signal.signal(signal.SIGTERM, handler)
        sys.argv = argv
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@contextmanager
def no_longer_than(seconds: int) -> Iterator[None]:
    """Whatever waits for longer fails."""

    def late(*_) -> None:
        raise AssertionError(f"hangs: not done within {seconds} s")

    handler = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


def check_refused(case: Case, raw: Path, output: Path, capsys, command: str = "mdark") -> str:
    """Run a case: exit code, its one line, what is left, and inputs as they were."""
    before = snapshot(raw)
    with no_longer_than(20):
        code, out, err = said([command, *case.arguments, "-o", output], capsys)
    assert (code, out) == (case.code, ""), err
    if case.lines:
        assert len(err.splitlines()) == case.lines, err
    pattern = case.said.replace("{f}", re.escape(FRAME))
    assert re.fullmatch(rf"soxsdark: .*{pattern}.*", err.splitlines()[0]), err
    assert all(c.isprintable() or c == "\n" for c in err)
    assert "Traceback" not in err
    assert snapshot(raw) == before
    check_left(output, case, err)
    return err


def check_left(output: Path, case: Case, err: str) -> None:
    """Nothing but the log and the record of a failure, which say what the person was told."""
    if not os.path.isdir(output):
        return
    left = {path.name for path in output.iterdir()} - set(case.extra)
    if not left:
        return
    assert {Path(name).suffix for name in left} == FAILED
    assert len(left) == 2
    assert len({Path(name).stem for name in left}) == 1
    assert all(Path(name).stem.endswith("_FAILED") for name in left)
    (record,) = (name for name in left if name.endswith(".json"))
    error = json.loads((output / record).read_text())["error"]
    assert error["exit-code"] == case.code
    assert error["message"].splitlines()[0] in err.replace("\\\\", "\\") or "\\" in err
