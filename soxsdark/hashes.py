"""SHA-256 of files, kept between runs: a file that has not changed is not read again."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from time import time_ns
from typing import Any

from soxsdark.find_frames import Signature, signature
from soxsdark.publish import publish_changed
from soxsdark.record import sha256_of

NAME = ".soxsdark.hashes.json"
TOO_NEW = 2_000_000_000
"""Nanoseconds within which a file may change twice without a trace in its times."""


class Hashes:
    """The checksums of the files of one night, kept in its folder.

    One counts as long as size, times (of content and of inode) and inode number of its file are
    the same, and only if the file was no longer new when it was read.

    Parameters
    ----------
    folder : path
        Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _read(folder / NAME)
        self._kept: dict[str, tuple[Signature, str]] = {}
        self._expected: dict[str, tuple[Signature, int]] = {}

    def of(self, path: Path) -> str:
        """Return the SHA-256 of a file.

        Raises
        ------
        OSError
            It cannot be read.
        """
        begun, now = time_ns(), signature(os.stat(path))
        known = self._known.get(str(path))
        if known is not None and known[0] == now:
            self._kept[str(path)] = known
            return known[1]
        sha256 = sha256_of(path)
        self._keep(path, now, begun, sha256)
        return sha256

    def expect(self, paths: Iterable[Path]) -> None:
        """Take note of files as they are before a run reads them, whose record tells their sums.

        Raises
        ------
        OSError
            One of them is not there.
        """
        for path in paths:
            self._expected[str(path)] = signature(os.stat(path)), time_ns()

    def learn(self, path: Path, sha256: str) -> None:
        """Take over a checksum from the record of a run, if its file was expected and is there."""
        if str(path) in self._expected:
            # it may have been moved away since it was read: then there is nothing to keep
            with suppress(OSError):
                self._keep(path, *self._expected.pop(str(path)), sha256)

    def save(self) -> None:
        """Keep the checksums that were asked for or learnt."""
        text = json.dumps({path: [*key, sha] for path, (key, sha) in sorted(self._kept.items())})
        publish_changed(self._folder, {NAME: f"{text}\n".encode()})

    def _keep(self, path: Path, before: Signature, begun: int, sha256: str) -> None:
        newest = max(before[1], before[2])
        if newest + TOO_NEW < begun and signature(os.stat(path)) == before:
            self._kept[str(path)] = before, sha256


def _read(path: Path) -> Mapping[str, tuple[Signature, str]]:
    """Read what an earlier run has kept; anything odd is as good as nothing."""
    try:
        kept: Any = json.loads(path.read_bytes())
        return {
            file: ((int(a), int(b), int(c), int(d)), str(sha))
            for file, (a, b, c, d, sha) in kept.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
