"""What goes wrong: one set alone, told each time, with the exit code of the gravest."""

import errno
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark import night, reduce_sets
from soxsdark.errors import ExitCode
from soxsdark.night import GRAVEST, NightReport
from soxsdark.reduce_sets import SetResult, State
from tests.night.sets import NIR, VIS, damage, rows, states


def test_a_corrupt_frame_stops_its_set_alone(run, raw, tmp_path):
    damage(raw / "nir" / "NIR_dark_002.fits")
    code, out, err = run("--quiet")
    assert (code, out) == (4, "")
    found = re.fullmatch(rf"soxsdark: {NIR}: (\S+): HDU 0: DATASUM .*; see (\S+)\n", err)
    assert found[1] == str(raw / "nir" / "NIR_dark_002.fits")
    assert "DATASUM" in Path(found[2]).read_text()
    assert states(tmp_path / "p") == {NIR: "failed", VIS: "done"}
    shutil.copy(found[1], tmp_path / "bad.fits")
    damage(Path(found[1]))
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out)[NIR] == ["done", "GOOD"]
    assert "failed before" in out
    assert not list((tmp_path / "p").rglob("*FAILED*"))


def test_a_file_that_is_no_fits_is_told_and_does_not_stop(run, raw):
    (raw / "nir" / "junk.fits").write_text("junk")
    code, out, err = run("-q")
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S+junk\.fits: cannot be read as FITS .*\n", err)


def test_broken_files_of_other_nights_are_not_told_again(run, raw):
    junk = raw / "junk.fits"
    junk.write_text("junk")
    os.utime(junk, (0, datetime(2026, 1, 9, 12, tzinfo=UTC).timestamp()))
    assert run("-q", "--night", "2026-01-10") == (0, "", "")
    os.utime(junk, (0, datetime(2026, 1, 11, 9, tzinfo=UTC).timestamp()))
    assert run("-q", "--night", "2026-01-10")[0] == 4


def test_odd_names_do_not_reach_the_terminal(run, monkeypatch):
    def fails(*_arguments):
        raise OSError(errno.EIO, "Input/output error", "/raw/\x1b[31m.fits")

    monkeypatch.setattr(night, "why_due", fails)
    for options in (("--dry-run",), ()):
        code, out, err = run(*options)
        assert (code, err) == (0, "")
        assert r"/raw/\x1b[31m.fits cannot be read" in out
        assert "\x1b" not in out


def test_too_few_frames_are_told(run, raw, tmp_path):
    (raw / "nir" / "NIR_dark_003.fits").unlink()
    code, out, err = run()
    assert (code, rows(out)[NIR]) == (4, ["too small", "-"])
    assert re.search(rf"{NIR}: 2 dark frames, at least 3 \(minimum-frame-count\)", err)
    assert states(tmp_path / "p") == {NIR: "too small", VIS: "done"}


def test_a_bug_stops_its_set_alone(run, tmp_path, monkeypatch):
    real = reduce_sets.mdark

    def broken(sof, *arguments, **options):
        if NIR in str(sof):
            monkeypatch.setattr("soxsdark.reduction.judge", lambda *_: 1 / 0)
        try:
            return real(sof, *arguments, **options)
        finally:
            monkeypatch.undo()
            monkeypatch.setattr(reduce_sets, "mdark", broken)

    monkeypatch.setattr(reduce_sets, "mdark", broken)
    code, _, err = run("-q")
    assert code == 70
    assert re.search(
        rf"{NIR}: a bug in soxsdark \(ZeroDivisionError at [^;]*; see \S+_FAILED\.log", err
    )
    assert "Traceback" in (tmp_path / "p" / "2026-01-10" / f"{NIR}_FAILED.log").read_text()
    assert states(tmp_path / "p") == {NIR: "failed", VIS: "done"}


def test_a_set_that_is_not_good_is_told_each_time(run, raw):
    for path in raw.rglob("NIR_dark*"):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["ESO INS TEMP217 VAL"] = 40 + 3.0 * int(path.stem[-1])
            hdus[0].add_checksum()
    first = run("-q")
    assert first[:2] == (11, "")
    said = rf"soxsdark: {NIR} PARTIAL: DETECTOR TEMP RMS: .*; see \S+{NIR}\.log\n"
    assert re.fullmatch(said, first[2])
    assert run("-q") == first


@pytest.mark.parametrize(
    ("codes", "code"),
    [((), 0), ((0, 0), 0), ((0, 11, 10), 10), ((11,), 11), ((10, 4), 4), ((4, 5), 5),
     ((5, 70, 4), 70), ((3, 4), 3)],
)  # fmt: skip
def test_the_gravest_code_counts(codes, code):
    results = tuple(SetResult("x", "n", 3, State.DONE, exit_code=c) for c in codes)
    assert NightReport(results).exit_code == code
    if code in (0, 10, 11):
        assert NightReport(results, problems=("x",)).exit_code == 4


def test_a_folder_that_cannot_be_read(tmp_path, run, raw):
    shutil.rmtree(raw)
    code, out, err = run()
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S+raw: no such folder; .*\n", err)


@pytest.mark.parametrize(
    "options",
    [["--night", "yesterday"], ["--night", "2026-13-01"], ["--watch", "0"],
     ["--watch", "1", "--dry-run"], ["--watch", "1", "--redo"]],
)  # fmt: skip
def test_wrong_usage(run, options):
    assert run(*options)[0] == 2


def test_wrong_settings(run, tmp_path):
    code, _, err = run("--set", "hot-pixel-sigma=-1")
    assert code == 3
    assert "hot-pixel-sigma" in err
    assert not (tmp_path / "p").exists()


def test_every_failure_has_its_exit_code():
    ways = {ExitCode.DONE, ExitCode.WRONG_USAGE, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(GRAVEST) == set(ExitCode) - ways
