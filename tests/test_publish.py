"""Publishing: whole sets or nothing, whoever else is at work and whatever breaks."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from soxsdark import held_folder, publish
from soxsdark.errors import ExitCode, ProductError
from soxsdark.held_folder import PREFIX, sweep_orphans
from soxsdark.publish import Workspace, writing

NAMES = ("d_BPM.fits", "d_MDARK.fits", "d.json")


def fill(workspace: Workspace, text: str = "new") -> None:
    for name in NAMES:
        workspace.path(name).write_text(text)


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


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


def test_another_run_s_file_is_never_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def intrude(source: Path, target: Path) -> None:
        if target.name == "d.json":
            (tmp_path / "d_BPM.fits").unlink()
            (tmp_path / "d_BPM.fits").write_text("another run's")
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "link", intrude)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        with pytest.raises(KeyboardInterrupt):
            workspace.publish(NAMES, overwrite=False, last="d.json")
    assert contents(tmp_path) == {"d_BPM.fits": "another run's"}


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


@pytest.mark.parametrize("links", [True, False])
def test_of_two_publishers_one_wins(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    for round_ in range(20):
        target = tmp_path / str(round_)
        start = threading.Barrier(4)
        winners, losers = [], []

        def run(text: str, target: Path, start: threading.Barrier, won: list, lost: list) -> None:
            with Workspace(target) as workspace:
                fill(workspace, text)
                start.wait()
                try:
                    workspace.publish(NAMES, overwrite=False, last="d.json")
                    won.append(text)
                except ProductError:
                    lost.append(text)

        threads = [
            threading.Thread(target=run, args=(text, target, start, winners, losers))
            for text in "abcd"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(winners), len(losers)) == (1, 3)
        assert contents(target) == dict.fromkeys(NAMES, winners[0])


def test_the_folder_goes_when_the_run_fails(tmp_path: Path) -> None:
    def run() -> None:
        with Workspace(tmp_path) as workspace:
            fill(workspace)
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        run()
    assert contents(tmp_path) == {}


def test_a_killed_run_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    code = (
        "import sys; from soxsdark.publish import Workspace\n"
        "w = Workspace(sys.argv[1]); w.__enter__(); w.path('half.fits').write_text('x')\n"
        "(w.path('sub')).mkdir(); (w.path('sub') / 'f').write_text('x')\n"
        "print(w.path('x').parent.name, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(publish.__file__).parents[1],
    )
    with process:
        name = process.stdout.readline().strip()
        assert sweep_orphans(tmp_path) == []
        assert (tmp_path / name / "half.fits").exists()
        process.kill()
    assert (tmp_path / name).is_dir()
    with Workspace(tmp_path):
        assert not (tmp_path / name).exists()
    assert contents(tmp_path) == {}


def test_what_is_not_a_run_s_folder_is_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    target = tmp_path / "out"
    target.mkdir()
    (target / f"{PREFIX}abcdefgh").symlink_to(outside)
    (target / f"{PREFIX}my-own-notes").mkdir()
    (target / f"{PREFIX}ijklmnop").write_text("a file")
    orphan = target / f"{PREFIX}qrstuvwx"
    orphan.mkdir()
    (orphan / "link").symlink_to(outside)
    assert sweep_orphans(target) == [orphan.name]
    assert (outside / "precious").exists()
    assert not (outside / publish.LOCK).exists()
    assert len(list(target.iterdir())) == 3


def test_a_sweeper_between_making_and_locking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = held_folder.tempfile.mkdtemp
    swept = []

    def make_and_lose(**options: object) -> str:
        folder = make(**options)
        if not swept:
            swept.extend(sweep_orphans(tmp_path))
        return folder

    monkeypatch.setattr(held_folder.tempfile, "mkdtemp", make_and_lose)
    with Workspace(tmp_path) as workspace:
        assert len(swept) == 1
        assert workspace.path("x").parent.is_dir()
        assert sweep_orphans(tmp_path) == []


def test_a_sweeper_between_opening_and_locking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = held_folder.take_lock
    swept = []

    def lose_and_take(lock: int) -> bool:
        if not swept:
            swept.extend(sweep_orphans(tmp_path))
        return take(lock)

    monkeypatch.setattr(held_folder, "take_lock", lose_and_take)
    with Workspace(tmp_path) as workspace:
        assert len(swept) == 1
        assert workspace.path("x").parent.name not in swept
        assert sweep_orphans(tmp_path) == []


def test_many_workspaces_and_sweepers_at_once(tmp_path: Path) -> None:
    failures = []

    def run() -> None:
        try:
            for _ in range(50):
                with Workspace(tmp_path) as workspace:
                    workspace.path("x").write_text("mine")
                    sweep_orphans(tmp_path)
                    assert workspace.path("x").read_text() == "mine"
        except (OSError, AssertionError, ProductError) as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert contents(tmp_path) == {}


def test_without_locks_a_run_goes_on_and_sweeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    (tmp_path / f"{PREFIX}abcdefgh").mkdir()
    monkeypatch.setattr(held_folder.fcntl, "flock", no_locks)
    with Workspace(tmp_path) as workspace:
        fill(workspace)
        workspace.publish(NAMES, overwrite=False)
    assert sorted(os.listdir(tmp_path)) == [f"{PREFIX}abcdefgh", *sorted(NAMES)]


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
