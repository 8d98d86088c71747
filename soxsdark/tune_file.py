"""tune.csv: one line a combination, written as they are done, continued by the next call."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from soxsdark.errors import LockedError, ProductError
from soxsdark.held_folder import take_lock
from soxsdark.publish import writing

ID = "id"
"""Column by which a line is known again: a digest of the frames and all settings."""

Line = dict[str, str]


class TuneFile:
    """The open file and the lines that it has; held against other runs."""

    def __init__(self, path: Path, handle: io.FileIO, columns: Sequence[str]) -> None:
        self.path, self.columns = path, list(columns)
        self._handle = handle
        self.lines: list[Line] = []

    def append(self, line: Mapping[str, object]) -> Line:
        """Add one line, on disk when this returns."""
        cells = {name: cell(line[name]) for name in self.columns}
        self._write(list(cells.values()))
        self.lines.append(cells)
        return cells

    def begin(self) -> None:
        """Start anew, with the header alone."""
        with writing(self.path):
            os.ftruncate(self._handle.fileno(), 0)
        self._write(self.columns)

    def take(self, ids: set[str]) -> None:
        """Go on where another run stopped; a torn last line is dropped.

        Raises
        ------
        ProductError
            The file is of other frames, settings or sweeps.
        """
        with writing(self.path):
            self._handle.seek(0)
            content = self._handle.read()
        whole = content[: content.rfind(b"\n") + 1]
        rows = list(csv.reader(io.StringIO(whole.decode("utf-8", errors="replace"))))
        found = [dict(zip(self.columns, row, strict=False)) for row in rows[1:]]
        ours = [row == self.columns for row in rows[:1]]
        ours += [len(line) == len(self.columns) and line[ID] in ids for line in found]
        if not all(ours) or (content and not rows and not self._torn_header(content)):
            raise ProductError(
                f"{self.path}: is of other frames, settings or sweeps; overwrite with -x, or "
                "choose another folder with -o"
            )
        if not rows:
            self.begin()
            return
        with writing(self.path):
            os.ftruncate(self._handle.fileno(), len(whole))
        self.lines = found

    def _torn_header(self, content: bytes) -> bool:
        return ",".join(self.columns).encode().startswith(content)

    def _write(self, cells: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        with writing(self.path):
            # one call, so that only the end of the last line can be missing
            self._handle.write(text.getvalue().encode())
            os.fsync(self._handle.fileno())


@contextmanager
def open_tune_file(path: Path, columns: Sequence[str]) -> Iterator[TuneFile]:
    """Open the file, made where it is missing, and hold it.

    Raises
    ------
    LockedError
        Another run holds it.
    ProductError
        It cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "a+b", buffering=0, opener=_no_link)  # noqa: SIM115
    with handle:
        if not take_lock(handle.fileno()):
            raise LockedError(f"{path}: another run is writing it; wait for its end")
        yield TuneFile(path, handle, columns)


def _no_link(path: str, flags: int) -> int:
    """Open what stands in the folder itself, and no pipe waits for a reader."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


def cell(value: object) -> str:
    """A value as the file has it: numbers that read back the same, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def number(text: str) -> float | None:
    """A cell as a number; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None
