"""What cannot be published is one line that says why."""

import errno
import os
from pathlib import Path

import pytest

from soxsdark import held_folder, publish
from soxsdark.errors import ProductError
from soxsdark.publish import Workspace, writing
from tests.publish.filled import contents


def test_the_directory_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(ProductError, match="file: cannot be written: it is not a folder"),
        Workspace(tmp_path / "file"),
    ):
        pass
    with (
        pytest.raises(ProductError, match="file/in: cannot be written: Not a directory"),
        Workspace(tmp_path / "file" / "in"),
    ):
        pass


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_the_directory_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(held_folder.tempfile, "mkdtemp", refuse)
    with (
        pytest.raises(ProductError, match=rf"cannot be written: {os.strerror(code)}; .* -o$"),
        Workspace(tmp_path),
    ):
        pass


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", publish.LOCK])
def test_only_plain_names(tmp_path: Path, name: str) -> None:
    with Workspace(tmp_path) as workspace, pytest.raises(ValueError, match="plain file name"):
        workspace.path(name)


def test_a_file_that_was_never_made(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        workspace.path("a").write_text("x")
        with pytest.raises(ProductError, match="b: cannot be written: No such file"):
            workspace.publish(["a", "b"], overwrite=False)
    assert contents(tmp_path) == {}


def test_the_error_is_one_line() -> None:
    with (
        pytest.raises(ProductError, match="^f: cannot be written: two lines; ") as caught,
        writing("f"),
    ):
        raise OSError("two\n lines")
    assert "\n" not in str(caught.value)


def test_the_error_names_the_product_and_the_first_cause(tmp_path: Path) -> None:
    def write() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise OSError("could not write") from None

    def run() -> None:
        with Workspace(tmp_path) as workspace, writing(workspace.path("m.fits")):
            write()

    with pytest.raises(ProductError, match=rf"^{tmp_path}/m\.fits: .*: No space left.*make room"):
        run()
