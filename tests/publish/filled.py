"""A set of products, filled in and read back."""

import errno
from pathlib import Path

from soxsdark.publish import Workspace

NAMES = ("d_BPM.fits", "d_MDARK.fits", "d.json")


def fill(workspace: Workspace, text: str = "new") -> None:
    for name in NAMES:
        workspace.path(name).write_text(text)


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")
