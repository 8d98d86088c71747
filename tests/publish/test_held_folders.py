"""Folders of runs: gone with their run, swept when it was killed, never before."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from soxsdark import held_folder, publish
from soxsdark.errors import ProductError
from soxsdark.held_folder import PREFIX, sweep_orphans
from soxsdark.publish import Workspace
from tests.publish.filled import NAMES, contents, fill


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
