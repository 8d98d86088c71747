"""Publishing: whole sets or nothing, whatever breaks."""

import errno
import os
from pathlib import Path

import pytest

from soxsdark.errors import ExitCode, ProductError
from soxsdark.held_folder import PREFIX
from soxsdark.publish import Workspace
from tests.publish.filled import NAMES, contents, fill, no_links


def test_products_appear_and_the_folder_goes(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er"
    with Workspace(target) as workspace:
        fill(workspace)
        assert workspace.path("d.json").parent.name.startswith(PREFIX)
        workspace.publish(NAMES, overwrite=False, last="d.json")
    assert contents(target) == dict.fromkeys(NAMES, "new")


def test_a_relative_directory_survives_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Workspace("out") as workspace:
        fill(workspace)
        monkeypatch.chdir("/")
        workspace.publish(NAMES, overwrite=False)
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "new")


def test_the_record_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = []
    link = os.link
    monkeypatch.setattr(
        os, "link", lambda source, target, **_: (linked.append(target.name), link(source, target))
    )
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        workspace.publish(NAMES, overwrite=False, last="d.json")
    assert linked == ["d_BPM.fits", "d_MDARK.fits", "d.json"]


def test_everything_is_on_disk_before_the_first_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    fsync, link = os.fsync, os.link

    def note_fsync(handle: int) -> None:
        events.append(os.fstat(handle).st_ino)
        fsync(handle)

    def note_link(source: Path, target: Path) -> None:
        events.append("link")
        link(source, target)

    with Workspace(tmp_path) as workspace:
        fill(workspace)
        files = {workspace.path(name).stat().st_ino for name in NAMES}
        folder = workspace.path("x").parent.stat().st_ino
        monkeypatch.setattr(os, "fsync", note_fsync)
        monkeypatch.setattr(os, "link", note_link)
        workspace.publish(NAMES, overwrite=False, last="d.json")
    assert set(events[:3]) == files
    assert events[3:] == [folder, "link", "link", "link", tmp_path.stat().st_ino]


@pytest.mark.parametrize("links", [True, False])
def test_file_modes_follow_the_umask(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    before = os.umask(0o027)
    try:
        with Workspace(tmp_path) as workspace:
            fill(workspace)
            workspace.publish(NAMES, overwrite=False)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


@pytest.mark.parametrize("links", [True, False])
def test_an_existing_product_is_not_touched(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "d_MDARK.fits").write_text("old")
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        with pytest.raises(ProductError, match=r"d_MDARK\.fits: exists already; .* -x") as caught:
            workspace.publish(NAMES, overwrite=False, last="d.json")
    assert caught.value.exit_code == ExitCode.PRODUCT_PROBLEM
    assert contents(tmp_path) == {"d_MDARK.fits": "old"}


@pytest.mark.parametrize("links", [True, False])
def test_a_name_taken_at_the_last_moment(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "d_MDARK.fits").write_text("old")
    monkeypatch.setattr(Workspace, "check_free", lambda *_: None)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        with pytest.raises(ProductError, match="exists already"):
            workspace.publish(NAMES, overwrite=False)
    assert contents(tmp_path) == {"d_MDARK.fits": "old"}


def test_overwrite_replaces(tmp_path: Path) -> None:
    (tmp_path / "d_MDARK.fits").write_text("old")
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        workspace.publish(NAMES, overwrite=True, last="d.json")
    assert contents(tmp_path) == dict.fromkeys(NAMES, "new")


def test_overwrite_does_not_follow_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    target = tmp_path / "out"
    target.mkdir()
    (target / "d.json").symlink_to(elsewhere)
    with Workspace(target) as workspace:
        fill(workspace)
        workspace.publish(NAMES, overwrite=True)
    assert elsewhere.read_text() == "precious"
    assert (target / "d.json").read_text() == "new"


def test_check_free(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_text("old")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    with Workspace(tmp_path) as workspace:
        workspace.check_free(["b.fits"], overwrite=False)
        workspace.check_free(["a.fits", "gone"], overwrite=True)
        with pytest.raises(
            ProductError, match=r"a\.fits, .*gone: exist already; overwrite with -x"
        ):
            workspace.check_free(["a.fits", "b.fits", "gone"], overwrite=False)
        with pytest.raises(ProductError, match="folder: is a folder"):
            workspace.check_free(["folder"], overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError(errno.EIO, "Input/output error")])
def test_a_publication_cut_short_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool, blow: BaseException
) -> None:
    old = {"d_BPM.fits": "old", "d.json": "old"} if overwrite else {}
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    call = "replace" if overwrite else "link"
    real = getattr(os, call)

    def cut_short(source: Path, target: Path, **options: object) -> None:
        if Path(target) == tmp_path / "d.json" and not source.name.startswith("."):
            raise blow
        real(source, target, **options)

    monkeypatch.setattr(os, call, cut_short)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        expected = KeyboardInterrupt if blow is KeyboardInterrupt else ProductError
        with pytest.raises(expected):
            workspace.publish(NAMES, overwrite=overwrite, last="d.json")
        assert contents_of_files(tmp_path) == old
    assert contents(tmp_path) == old


def contents_of_files(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir() if path.is_file()}


def test_without_hard_links_a_failed_claim_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(os, "replace", full)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        with pytest.raises(ProductError, match=r"d\.json: cannot be written: No space left.*room"):
            workspace.publish(NAMES, overwrite=False)
    assert contents(tmp_path) == {}
