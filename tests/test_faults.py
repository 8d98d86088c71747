"""Faults: runs killed, stopped, side by side; disks, files, clocks and memory that fail."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from soxsdark import mdark
from soxsdark.errors import InputError, ShortageError
from soxsdark.record_file import read_record
from soxsdark.simulator import Scene, simulate
from tests.hostile import said, snapshot
from tests.interpreter import SOURCE, environment
from tests.killing import check_whole, of_one_run
from tests.products import FAILED, PRODUCTS, names


@pytest.fixture
def raw(night) -> Path:
    """A folder of five darks and their SOF, and no other image."""
    night.bad_pixel_map.unlink()
    night.truth.unlink()
    return night.sof.parent


def started(*arguments, **options) -> subprocess.Popen:
    argv = [sys.executable, "-W", "error", "-m", "soxsdark", *map(str, arguments)]
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), **options,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


# Killed


def killed(raw: Path, folder: Path, kind: str, count: int, seed: int) -> str:
    """Kill runs in a process of its own, where every check is made; what it says of them."""
    before = snapshot(raw)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.killing",
         *map(str, (raw, folder, kind, count, seed))],
        cwd=SOURCE, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert snapshot(raw) == before
    return done.stdout


@pytest.mark.parametrize(("kind", "count"), [("fresh", 4), ("again", 4), ("night", 4)])
def test_killed_at_any_moment(raw, tmp_path, kind, count):
    assert f"of {count}," in killed(raw, tmp_path / "o", kind, count, 5)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "count"), [("fresh", 100), ("again", 100), ("night", 60)])
def test_killed_at_many_moments(raw, tmp_path, kind, count):
    assert f"of {count}," in killed(raw, tmp_path / "o", kind, count, 6)


# Stopped


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 1.0])
def test_stopped_at_any_moment(raw, tmp_path, sent, share):
    """Before the program has its own handlers the signal ends it as it ends any other."""
    process = started(
        "mdark", raw / "darks.sof", "-o", tmp_path / "o", "-q",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    time.sleep(0.6 * share)
    process.send_signal(sent)
    code, out, err = ended(process)
    stopped = 128 + sent
    # Python that is not up itself ends with 1
    early = re.search("Failed to import the site module|Could not import runpy", err)
    assert code == 1 if early else code in (0, stopped, -sent), (out, err)
    assert out == ""
    if code == stopped:
        assert re.search(r"soxsdark: (interrupted|terminated)\n\Z", err)
    if not (tmp_path / "o").exists():
        return
    left = names(tmp_path / "o")
    assert left in ([], FAILED, PRODUCTS) if code != 0 else left == PRODUCTS
    if left == PRODUCTS:
        assert of_one_run(tmp_path / "o")


# Side by side


@pytest.mark.parametrize("overwrite", [(), ("-x",)])
def test_eight_runs_of_one_set_at_once(raw, tmp_path, overwrite):
    """One wins, or the last one does; never a file of one beside a file of another."""
    runs = [
        started("mdark", raw / "darks.sof", "-o", tmp_path / "o", "-q", *overwrite)
        for _ in range(8)
    ]
    results = [ended(run) for run in runs]
    codes = sorted(code for code, *_ in results)
    assert codes == ([0] * 8 if overwrite else [0] + [5] * 7), results
    assert all(err.count("\n") == (code != 0) for code, _, err in results)
    assert set(names(tmp_path / "o")) - set(FAILED) == set(PRODUCTS)
    assert of_one_run(tmp_path / "o")


def test_eight_runs_of_eight_sets_at_once(raw, tmp_path):
    for number in range(8):
        shutil.copy(raw / "darks.sof", raw / f"set{number}.sof")
    runs = [
        started("mdark", raw / f"set{number}.sof", "-o", tmp_path / "o", "-q")
        for number in range(8)
    ]
    assert [ended(run) for run in runs] == [(0, "", "")] * 8
    assert len(names(tmp_path / "o")) == 32
    assert all(of_one_run(tmp_path / "o", f"set{number}") for number in range(8))


def test_two_nights_at_once(raw, tmp_path):
    nights = [started("night", raw, "-o", tmp_path / "o", "-q", "--no-report") for _ in range(2)]
    results = sorted(ended(one) for one in nights)
    assert [code for code, *_ in results] in ([0, 75], [0, 0])
    if results[1][0] == 75:
        assert "another run is at work here" in results[1][2]
    check_whole(tmp_path / "o")
    assert not list(tmp_path.rglob(".soxsdark-*"))


# Files and disks


def after(number: int, change):
    """A progress that does something once so many frames have been read."""

    def progress(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("frames", number):
            change()

    return progress


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"#")


def same_size(path: Path) -> None:
    """Another file of the same size takes the name."""
    other = path.with_name("other")
    whole = bytearray(path.read_bytes())
    whole[-5000] ^= 1
    other.write_bytes(whole)
    other.rename(path)


def in_place(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(20_000)
        file.write(b"\0" * 40_000)


CHANGES = {
    "shortened": (lambda path: os.truncate(path, 9000), "was written or replaced"),
    "emptied": (lambda path: os.truncate(path, 0), "was written or replaced"),
    "longer": (longer, "was written or replaced"),
    "replaced": (same_size, "was written or replaced"),
    "rewritten": (in_place, "was written or replaced"),
    "gone": (Path.unlink, "no such file"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is a pipe, socket or device"),
}


@pytest.mark.parametrize(("change", "text"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("number", [1, 5])
def test_a_frame_that_changes_during_the_run(raw, tmp_path, change, text, number):
    """Its second reading would be of other pixels than those that were checked."""
    frame = raw / "NIR_dark_005.fits"
    progress = after(number, lambda: change(frame))
    with pytest.raises(InputError, match=rf"NIR_dark_005\.fits: .*{text}"):
        mdark(raw / "darks.sof", output=tmp_path / "o", progress=progress,
              overrides=["threads=1"])  # fmt: skip
    assert names(tmp_path / "o") == FAILED


@pytest.mark.parametrize("after", [0, 3, 12])
def test_a_disk_that_cannot_be_read(raw, tmp_path, monkeypatch, capsys, after):
    reads, preadv = [], os.preadv

    def failing(*arguments):
        reads.append(1)
        if len(reads) > after:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", failing)
    code, out, err = said(["mdark", raw / "darks.sof", "-o", tmp_path / "o"], capsys)
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S+NIR_dark_00\d\.fits: .*Input/output error.*\n", err)
    assert names(tmp_path / "o") == FAILED


@pytest.mark.parametrize("function", ["fsync", "link"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_while_products_appear(
    raw, tmp_path, monkeypatch, capsys, function, code
):
    calls, real = [], getattr(os, function)

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise OSError(code, os.strerror(code))
        return real(*arguments, **options)

    monkeypatch.setattr(os, function, failing)
    found, out, err = said(["mdark", raw / "darks.sof", "-o", tmp_path / "o"], capsys)
    assert (found, out) == (5, "")
    assert re.fullmatch(rf"soxsdark: \S+: cannot be written: {os.strerror(code)}; .*\n", err)
    assert names(tmp_path / "o") == FAILED


@pytest.mark.parametrize("size", [0, 100, 3000, 60_000, 150_000])
def test_files_that_may_not_grow(raw, tmp_path, size):
    process = started(
        "mdark", raw / "darks.sof", "-o", tmp_path / "o", "-q",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    code, out, err = ended(process)
    assert (code, out) == (5, ""), err
    assert re.fullmatch(r"soxsdark: \S+: cannot be written: File too large; .*\n", err)
    assert set(names(tmp_path / "o")) <= set(FAILED)


def test_settings_that_may_not_grow(tmp_path):
    process = started(
        "settings", "init", tmp_path / "s.yaml",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )  # fmt: skip
    code, out, err = ended(process)
    assert (code, out) == (5, "")
    said = rf"soxsdark: {tmp_path}/\S+: cannot be written: File too large; .* -o\n"
    assert re.fullmatch(said, err)
    assert names(tmp_path) == []


# Clocks


def test_a_clock_that_jumps_backwards(raw, tmp_path, monkeypatch):
    back = datetime.now(UTC)

    class Jumping(datetime):
        @classmethod
        def now(cls, tz=None):
            nonlocal back
            back -= timedelta(hours=7)
            return back

    for module in ("recipe", "record", "fits_writer", "headers"):
        monkeypatch.setattr(f"soxsdark.{module}.datetime", Jumping, raising=False)
    monkeypatch.setattr(time, "time", lambda: back.timestamp())
    result = mdark(raw / "darks.sof", output=tmp_path / "o")
    assert str(result.qa_flag) == "GOOD"
    record = read_record(result.record_file)
    assert all(seconds >= 0 for seconds in record.seconds.values())
    assert of_one_run(tmp_path / "o")


def test_a_night_whose_files_are_of_the_future(raw, tmp_path, capsys):
    later = time.time() + 1e8
    for path in raw.iterdir():
        os.utime(path, (later, later))
    for _ in range(2):
        assert said(["night", raw, "-o", tmp_path / "o", "-q", "--no-report"], capsys) == (
            0,
            "",
            "",
        )


# Memory


def test_half_the_memory_of_the_promise_is_enough(tmp_path):
    """The promise is twice memory-limit of address space; frames that need most of it."""
    made = simulate(tmp_path / "n", Scene(shape=(1024, 1024), frames=5))
    limit = 384 << 20
    process = started(
        "mdark", made.sof, "-o", tmp_path / "o", "-q", "--set", "memory-limit=384",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 * limit, 2 * limit)),
    )  # fmt: skip
    assert ended(process) == (0, "", "")


# with less, Python fails to import in ways of its own
@pytest.mark.parametrize("mib", [160, 180, 200])
def test_a_want_of_memory_is_one_line(raw, tmp_path, mib):
    made = simulate(tmp_path / "n", Scene(shape=(2048, 2048), frames=3))
    process = started(
        "mdark", made.sof, "-o", tmp_path / "o", "-q",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20)),
    )  # fmt: skip
    code, out, err = ended(process)
    assert (code, out) == (71, ""), err
    assert re.fullmatch(r"soxsdark: the system gives no more memory.*ulimit -v.*\n", err)
    if (tmp_path / "o").exists():
        assert names(tmp_path / "o") in ([], FAILED)
        log = tmp_path / "o" / FAILED[1]
        assert not log.exists() or "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), MemoryError("Unable to allocate"), RuntimeError("can't start new thread")],
)
def test_a_want_of_memory_anywhere(raw, tmp_path, monkeypatch, error):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("soxsdark.reduction.judge", failing)
    with pytest.raises(ShortageError, match="the system gives no more memory"):
        mdark(raw / "darks.sof", output=tmp_path / "o")
    assert '"exit-code": 71' in (tmp_path / "o" / FAILED[0]).read_text()
    assert "Traceback" not in (tmp_path / "o" / FAILED[1]).read_text()
