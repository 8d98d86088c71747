"""Nights of darks, unattended."""

import glob
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark import hashes, night, reduce_sets, set_state
from soxsdark.cli import main
from soxsdark.errors import ExitCode
from soxsdark.find_sets import find_sets
from soxsdark.lock import held
from soxsdark.night import GRAVEST, LOCK, NightReport, NightRun
from soxsdark.nights import Boundary
from soxsdark.reduce_sets import Job, SetResult, State, reduce_one
from soxsdark.settings import Settings
from soxsdark.simulator import Scene, simulate
from soxsdark.sof import read_inputs

SOURCE = Path(__file__).resolve().parent.parent
SMALL = {"shape": (96, 128), "frames": 3}
SETS = {
    "nir": Scene(**SMALL, date_obs="2026-01-11T09:00:00", seed=1),
    "vis": Scene(**SMALL, arm="VIS", date_obs="2026-01-11T02:00:00", exptime=600.0, seed=2),
    "xsh": Scene(**SMALL, arm="UVB", date_obs="2026-01-12T03:00:00", exptime=60.0, seed=3),
}
NIR = "20260111T090000_NIR_1X1_DARK_300.0S"
VIS = "20260111T020000_VIS_1X1_DARK_600.0S"
UVB = "20260112T030000_UVB_1X1_DARK_60.0S"
ENDS = (".json", ".log", ".sof", "_BPM.fits", "_MDARK.fits")


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> Path:
    """Three sets of two nights; read only."""
    folder = tmp_path_factory.mktemp("archive")
    for name, scene in SETS.items():
        simulate(folder / name, scene)
    return folder


@pytest.fixture
def raw(archive, tmp_path) -> Path:
    """A copy of the archive, to be changed at will."""
    return Path(shutil.copytree(archive, tmp_path / "raw"))


@pytest.fixture
def run(tmp_path, raw, capsys, monkeypatch):
    """Run `soxsdark night` in this process; give exit code, stdout and stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def go(*options) -> tuple[int, str, str]:
        argv = ["night", str(raw), "-o", str(tmp_path / "p"), "--no-report", *map(str, options)]
        monkeypatch.setattr(sys, "argv", ["soxsdark", *argv])
        code = main(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield go
    signal.signal(signal.SIGTERM, handler)


def add(folder: Path, start: str, seed: int = 9, **options) -> Path:
    """Add one frame to an archive."""
    made = simulate(folder.parent.parent / f"made {start}", Scene(
        **SMALL | {"frames": 1, "seed": seed, "date_obs": start} | options))  # fmt: skip
    target = folder / f"{start[-8:].replace(':', '')}.fits"
    shutil.copy(made.frames[0], target)
    return target


def same_block(path: Path, like: Path) -> None:
    """Put a frame into the observation block of another."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["HIERARCH ESO OBS ID"] = fits.getheader(like)["ESO OBS ID"]
        hdus[0].add_checksum()


def states(products: Path, name: str = "2026-01-10") -> dict[str, str]:
    sets = json.loads((products / name / "night.json").read_text())["sets"]
    return {one["name"]: one["state"] for one in sets}


def rows(out: str) -> dict[str, list[str]]:
    """The table: state and verdict of each set."""
    return {c[1]: c[3:5] for c in (re.split(r" {2,}", line) for line in out.splitlines()[2:-2])}


def snapshot(folder: Path) -> dict[str, tuple]:
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != LOCK
    }


def damage(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-5000, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 255]))


# First run, and again


def test_everything_below_a_folder(run, raw, tmp_path):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["done", "GOOD"])
    assert out.splitlines()[-1] == "3 sets: 3 done; 6 files that are no raw darks"
    products = tmp_path / "p"
    names = {path.name for path in (products / "2026-01-10").iterdir()}
    assert names >= {f"{name}{end}" for name in (NIR, VIS) for end in ENDS}
    assert names >= {"night.json", "index.html"}
    assert f"{UVB}_MDARK.fits" in os.listdir(products / "2026-01-11")
    assert states(products) == {NIR: "done", VIS: "done"}
    files = read_inputs(products / "2026-01-10" / f"{NIR}.sof")
    assert [e.path for e in files.frames] == sorted((raw / "nir").glob("NIR_dark*.fits"))
    record = json.loads((products / "2026-01-10" / f"{NIR}.json").read_text())
    assert record["command"][:2] == ["soxsdark", "night"]
    assert not list(products.rglob(".soxsdark-*"))


def test_a_rerun_does_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(hashes, "TOO_NEW", 0)
    run()
    before = snapshot(tmp_path / "p")
    monkeypatch.setattr(reduce_sets, "mdark", None)
    monkeypatch.setattr(hashes, "sha256_of", lambda path: pytest.fail(f"{path} read again"))
    for product in (tmp_path / "p").rglob("*.fits"):
        # of what was just written the sums are known by the record alone
        assert product.exists()
    monkeypatch.setattr(hashes, "sha256_of", set_state_sha256(tmp_path / "raw"))
    code, out, err = run()
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["unchanged", "GOOD"])
    after = snapshot(tmp_path / "p")
    assert {k: v for k, v in after.items() if "hashes" not in k} == {
        k: v for k, v in before.items() if "hashes" not in k
    }
    # by now the sums of the products are known as well
    monkeypatch.setattr(hashes, "sha256_of", lambda path: pytest.fail(f"{path} read again"))
    assert run("-q") == (0, "", "")
    assert snapshot(tmp_path / "p") == after


def set_state_sha256(raw: Path):
    """Refuses to read raws again."""
    from soxsdark.record import sha256_of

    def of(path):
        assert raw not in Path(path).parents, f"{path} read again"
        return sha256_of(path)

    return of


def test_quiet_is_silent_when_all_is_good(run):
    assert run("--quiet") == (0, "", "")


def test_a_dry_run_writes_nothing(run, tmp_path):
    code, out, err = run("--dry-run")
    assert (code, err) == (0, "")
    assert rows(out) == dict.fromkeys((NIR, VIS, UVB), ["to do", "-"])
    assert not (tmp_path / "p").exists()
    run()
    before = snapshot(tmp_path / "p")
    assert {state for state, _ in rows(run("--dry-run")[1]).values()} == {"unchanged"}
    assert snapshot(tmp_path / "p") == before


def test_redo(run, tmp_path):
    run()
    before = (tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_bytes()
    code, out, _ = run("--redo")
    assert code == 0
    assert rows(out)[NIR] == ["done", "GOOD"]
    assert (tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_bytes() != before


def test_orphans_of_a_killed_run_are_swept_though_nothing_is_due(run, tmp_path):
    run()
    for folder in (tmp_path / "p", tmp_path / "p" / "2026-01-10"):
        orphan = folder / ".soxsdark-abcdefgh"
        orphan.mkdir()
        (orphan / "night.json").write_text("half")
    assert run("-q") == (0, "", "")
    assert not list((tmp_path / "p").rglob(".soxsdark-*"))


# What makes a set due


def test_settings_that_count(run, tmp_path):
    run()
    assert "unchanged" in run("--set", "threads=1", "--set", "memory-limit=200")[1]
    code, out, _ = run("--set", "hot-pixel-sigma=6")
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "hot-pixel-sigma changed" in out
    (tmp_path / "s.yaml").write_text(
        "soxs-mdark:\n  hot-pixel-sigma: 6\n  vis:\n    cold-pixel-sigma: 7\n"
    )
    code, out, _ = run("-s", tmp_path / "s.yaml")
    assert {name: state for name, (state, _) in rows(out).items()} == {
        NIR: "unchanged", VIS: "done", UVB: "unchanged",
    }  # fmt: skip


def test_program_version_and_profile_count(run, tmp_path, monkeypatch):
    profile = tmp_path / "mine.yaml"
    main(["instruments", "soxs"])
    text = (SOURCE / "soxsdark" / "instruments" / "soxs.yaml").read_text()
    profile.write_text(text)
    shutil.rmtree(tmp_path / "raw" / "xsh")
    run("--instrument", profile)
    assert rows(run("--instrument", profile)[1])[NIR][0] == "unchanged"
    profile.write_text(text.replace("ron: 7.3", "ron: 7.4"))
    code, out, _ = run("--instrument", profile)
    assert "instrument profile changed" in out
    monkeypatch.setattr(set_state, "__version__", "0.0.1")
    assert "other version of the program" in run("--instrument", profile)[1]


@pytest.mark.parametrize("what", ["_MDARK.fits", "_BPM.fits"])
def test_damaged_products_are_made_anew(run, tmp_path, what):
    run()
    file = tmp_path / "p" / "2026-01-10" / f"{NIR}{what}"
    whole = fits.getdata(file)
    damage(file)
    code, out, _ = run()
    assert (code, rows(out)[NIR], rows(out)[VIS]) == (0, ["done", "GOOD"], ["unchanged", "GOOD"])
    assert f"{NIR}{what} damaged or missing" in out
    assert (fits.getdata(file) == whole).all()
    file.unlink()
    assert rows(run()[1])[NIR][0] == "done"


@pytest.mark.parametrize("text", ["", "[]", '{"sets": [{"name": "../x", "state": 1}]}'])
def test_an_odd_record_of_a_night_does_not_matter(run, tmp_path, text):
    run()
    record = tmp_path / "p" / "2026-01-10" / "night.json"
    whole = record.read_text()
    record.write_text(text)
    assert run("-q") == (0, "", "")
    assert record.read_text() == whole


@pytest.mark.parametrize("text", ["", "{", "[]", '{"succeeded": true}', "null", "[" * 100000])
def test_a_record_that_cannot_be_trusted(run, tmp_path, text):
    run()
    record = tmp_path / "p" / "2026-01-10" / f"{NIR}.json"
    record.write_text(text)
    code, out, _ = run()
    assert (code, rows(out)[NIR][0]) == (0, "done")
    assert "record damaged" in out
    assert json.loads(record.read_text())["succeeded"]


def test_content_counts_not_names(run, raw):
    run()
    (raw / "nir").rename(raw / "moved")
    for path in (raw / "moved").glob("NIR_dark*"):
        path.rename(path.with_name(f"x{path.name}"))
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["unchanged", "GOOD"])


def test_a_frame_that_was_replaced_is_noticed(run, raw, monkeypatch):
    monkeypatch.setattr(hashes, "TOO_NEW", 0)
    run()
    run()
    frame = raw / "nir" / "NIR_dark_002.fits"
    status = frame.stat()
    with fits.open(frame, mode="update") as hdus:
        hdus[0].data[0, 0] += 1
        hdus[0].add_checksum()
    # same name, size and time of change: its inode tells
    os.utime(frame, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert frame.stat().st_size == status.st_size
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "frames changed" in out


def test_sums_of_new_files_are_not_kept(run, tmp_path):
    run()
    kept = tmp_path / "p" / "2026-01-10" / hashes.NAME
    # the frames were written a moment ago: they could change again within the same tick
    assert json.loads(kept.read_text()) == {}


# Late frames


def test_a_late_frame_joins_its_set(run, raw, tmp_path):
    run()
    late = add(raw / "nir", "2026-01-11T09:20:00")
    same_block(late, raw / "nir" / "NIR_dark_001.fits")
    code, out, _ = run()
    assert (code, rows(out)[NIR]) == (0, ["done", "GOOD"])
    assert "4 frames, 3 before" in out
    record = json.loads((tmp_path / "p" / "2026-01-10" / f"{NIR}.json").read_text())
    assert [Path(f["path"]) for f in record["frames"]][-1] == late
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}


def test_an_earlier_frame_supersedes_its_set(run, raw, tmp_path):
    run()
    early = add(raw / "nir", "2026-01-11T08:50:00")
    same_block(early, raw / "nir" / "NIR_dark_001.fits")
    code, out, _ = run()
    new = NIR.replace("T0900", "T0850")
    assert (code, rows(out)[new]) == (0, ["done", "GOOD"])
    assert f"1 superseded: {NIR}" in out
    folder = tmp_path / "p" / "2026-01-10"
    assert sorted(os.listdir(folder / "superseded")) == [f"{NIR}{end}" for end in ENDS]
    assert not list(folder.glob(f"{NIR}*"))
    assert states(tmp_path / "p") == {new: "done", VIS: "done"}
    assert NIR not in (folder / "index.html").read_text()
    # and that was it
    assert "superseded" not in run()[1]


def test_nothing_is_superseded_before_its_successor_is_there(run, raw, tmp_path):
    run()
    early = add(raw / "nir", "2026-01-11T08:50:00")
    same_block(early, raw / "nir" / "NIR_dark_001.fits")
    damage(early)
    code, _, err = run("-q")
    assert code == 4
    assert "DATASUM" in err
    new = NIR.replace("T0900", "T0850")
    assert states(tmp_path / "p") == {new: "failed", NIR: "done", VIS: "done"}
    damage(early)  # a second time puts it right
    assert run("-q") == (0, "", "")
    assert states(tmp_path / "p") == {new: "done", VIS: "done"}
    assert not list((tmp_path / "p" / "2026-01-10").glob("*FAILED*"))


def test_products_outlive_their_raws(run, raw, tmp_path):
    run()
    shutil.rmtree(raw / "nir")
    assert rows(run()[1]).keys() == {VIS, UVB}
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}
    assert (tmp_path / "p" / "2026-01-10" / f"{NIR}_MDARK.fits").exists()


def test_a_template_that_turns_out_to_begin_before_noon(run, raw, tmp_path):
    def frame(minute: int) -> None:
        path = add(raw / "nir", f"2026-01-11T16:{minute}:00", seed=minute)
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["HIERARCH ESO TPL START"] = "2026-01-11T16:30:00"
            hdus[0].add_checksum()
        same_block(path, raw / "nir" / "NIR_dark_001.fits")

    for minute in (50, 55, 59):
        frame(minute)
    run("-q")
    before = "20260111T165000_NIR_1X1_DARK_300.0S"
    assert before in states(tmp_path / "p", "2026-01-11")
    frame(40)
    assert f"1 superseded: {before}" in run()[1]
    assert before not in states(tmp_path / "p", "2026-01-11")
    assert "20260111T164000_NIR_1X1_DARK_300.0S" in states(tmp_path / "p")


@pytest.mark.parametrize("hour", [3, 4])
def test_nights_that_begin_at_another_hour(run, tmp_path, hour):
    run("-q", "--set", f"night-start={7 - hour}")
    run("-q", "--set", f"night-start={hour}")
    # the first exposure is at three o'clock
    there = [p.parent.name for p in (tmp_path / "p").glob(f"2026*/{UVB}_MDARK.fits")]
    assert there == ["2026-01-11" if hour > 3 else "2026-01-12"]
    assert len(list((tmp_path / "p").glob(f"*/superseded/{UVB}_MDARK.fits"))) == 1


# What goes wrong


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


# Which night


@pytest.mark.parametrize(
    ("night_name", "sets"), [("2026-01-10", {NIR, VIS}), ("2026-01-11", {UVB})]
)
def test_one_night(run, tmp_path, night_name, sets):
    code, out, _ = run("--night", night_name)
    assert (code, rows(out).keys()) == (0, sets)
    assert [p.name for p in (tmp_path / "p").iterdir() if p.is_dir()] == [night_name]


@pytest.mark.parametrize(
    ("now", "sets"),
    [
        ("2026-01-11T17:30:00", {NIR, VIS}),
        ("2026-01-12T16:30:00", {NIR, VIS}),
        # X-shooter and SOXS: noon on Paranal comes 80 seconds before that on La Silla
        ("2026-01-12T16:42:00", {NIR, VIS, UVB}),
        ("2026-01-12T17:30:00", {UVB}),
    ],
)
def test_the_last_night_that_has_ended(run, monkeypatch, now, sets):
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    monkeypatch.setattr(night, "utc_now", lambda: moment)
    code, out, _ = run("--night", "last")
    assert (code, rows(out).keys()) == (0, sets)


def test_a_night_without_darks(run, tmp_path, monkeypatch):
    code, out, err = run("--night", "2026-02-01", "-q")
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S+raw: no raw darks of the night 2026-02-01 .*\n", err)
    assert run("--night", "2026-02-01", "-q", "--allow-empty") == (0, "", "")
    monkeypatch.setattr(night, "utc_now", lambda: datetime(2026, 2, 2, 20, tzinfo=UTC))
    assert "of the night 2026-02-01" in run("--night", "last")[2]


def test_frames_without_date(run, raw, tmp_path):
    for path in (raw / "nir").glob("NIR_dark*"):
        with fits.open(path, mode="update") as hdus:
            del hdus[0].header["MJD-OBS"], hdus[0].header["DATE-OBS"]
            hdus[0].add_checksum()
    code, _, err = run("--night", "2026-01-10", "-q")
    assert code == 4
    assert re.search(r"NIR_dark_001\.fits: no date in the header.*3 such darks", err)
    assert run("-q") == (0, "", "")
    assert (tmp_path / "p" / "undated" / "undated_NIR_1X1_DARK_300.0S_MDARK.fits").exists()


# Pages


def test_pages_link_what_is_there_and_escape_the_rest(run, raw, tmp_path):
    for number in (1, 2, 3):
        path = raw / "nir" / f"NIR_dark_{number:03d}.fits"
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["ESO DET READ CURNAME"] = "<script>alert(1)</script>"
            hdus[0].add_checksum()
    shutil.copy(raw / "vis" / "VIS_dark_001.fits", raw / '"><img src=x>.fits')
    damage(raw / '"><img src=x>.fits')
    run()
    folder = tmp_path / "p" / "2026-01-10"
    (folder / f"{NIR}.html").write_text("a report")
    (folder / "night.json").unlink()
    run()
    page = (folder / "index.html").read_text()
    assert "<script" not in page
    assert "<img" not in page
    links = re.findall(r'href="([^"]*)"', page)
    assert f"{NIR}.html" in links
    for link in links:
        assert (folder / link).exists(), link
    index = (tmp_path / "p" / "index.html").read_text()
    assert 'href="2026-01-10/index.html"' in index
    assert 'href="2026-01-11/index.html"' in index


# Parallel later


def test_jobs_and_results_can_be_sent(raw, tmp_path):
    one = next(s for s in find_sets(raw).sets if s.name == NIR)
    job = Job(one, tmp_path / "p", Settings.read(None, ["hot-pixel-sigma=6"]), "new")
    job = pickle.loads(pickle.dumps(job))
    sent = pickle.dumps(reduce_one(job))
    assert len(sent) < 10_000
    result = pickle.loads(sent)
    assert (result.state, result.verdict, result.exit_code) == (State.DONE, "GOOD", 0)
    assert result.metrics["NFRAMES"] == 3


# Processes


def environment() -> dict[str, str]:
    """As cron has it, or less: no HOME, no TERM."""
    return {"LANG": "C", "PYTHONPATH": str(SOURCE)}


def start(*arguments, **options) -> subprocess.Popen:
    argv = [sys.executable, "-m", "soxsdark", "night", "--no-report", *map(str, arguments)]
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        **{"env": environment(), "preexec_fn": lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler)} | options,
    )  # fmt: skip


def ended(process: subprocess.Popen) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def there(pattern: Path) -> list[str]:
    """Files of a pattern; the function of pathlib fails where a folder vanishes meanwhile."""
    return glob.glob(str(pattern), include_hidden=True)


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_empty_environment(raw, tmp_path):
    for path in [raw, *raw.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    options = ("-o", tmp_path / "p", "--quiet")
    assert ended(start(raw, *options, cwd="/", umask=0o077)) == (0, "", "")
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}
    assert ended(start(raw, *options, cwd="/", umask=0o077)) == (0, "", "")
    for path in [raw, *raw.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_every_failure_has_its_exit_code():
    ways = {ExitCode.DONE, ExitCode.WRONG_USAGE, ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(GRAVEST) == set(ExitCode) - ways


def test_two_at_once(run, raw, tmp_path):
    with held(tmp_path / "p" / LOCK):
        code, out, err = run()
    assert (code, out) == (75, "")
    assert re.fullmatch(
        rf"soxsdark: \S+{LOCK}: another run .* \(pid {os.getpid()}, since \S+Z\); .*\n", err
    )
    assert run("-q") == (0, "", "")


def test_killed_in_mid_run(raw, tmp_path):
    for number in range(4):
        scene = Scene(shape=(512, 512), frames=5, seed=20 + number,
                      date_obs=f"2026-01-11T05:{number}0:00")  # fmt: skip
        simulate(raw / f"more {number}", scene)
    products = tmp_path / "p"
    process = start(raw, "-o", products)
    night_folder = products / "2026-01-10"
    wait_for(lambda: there(night_folder / "*.json") and there(night_folder / ".soxsdark-*/*"))
    process.kill()
    assert ended(process)[0] == -9
    code, out, err = ended(start(raw, "-o", products))
    assert (code, err) == (0, "")
    found = rows(out)
    assert {verdict for _, verdict in found.values()} == {"GOOD"}
    # what was done before is not done again
    assert {"unchanged", "done"} == {state for state, _ in found.values()}
    assert not list(products.rglob(".soxsdark-*"))
    assert ended(start(raw, "-o", products, "-q")) == (0, "", "")


def test_a_week_by_the_crontab_line_of_the_manual(tmp_path):
    """As cron runs it, with nothing in the environment, for a night that ended by the clock."""
    now = datetime.now(UTC)
    # the night ends at an hour that is far from now, so that it cannot end during the test
    boundary = Boundary.at(None, float((now.hour + 12) % 24))
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"soxs-mdark:\n  night-start: {boundary.hour}\n")
    last = boundary.last_ended(now)
    for back in range(7):
        start = boundary.start(last - timedelta(days=back)) + timedelta(hours=6)
        scene = Scene(**SMALL, seed=40 + back, date_obs=start.strftime("%Y-%m-%dT%H:%M:%S"))
        simulate(tmp_path / "raw" / str(back), scene)
    program = tmp_path / "soxsdark"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={SOURCE} exec {sys.executable} -m soxsdark "$@"\n')
    program.chmod(0o755)
    manual = (SOURCE / "docs" / "night.md").read_text()
    (line,) = re.findall(r"^ *30 17 \* \* \*  (.*)", manual, re.MULTILINE)
    line = line.replace("/opt/soxsdark/bin/soxsdark", str(program)).replace("/data", str(tmp_path))

    def cron(more: str = "") -> tuple[int, str, str]:
        argv = ["/usr/bin/env", "-i", "/bin/sh", "-c", f"cd / && umask 077 && {line} {more}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    assert cron() == (0, "", "")
    products = tmp_path / "products"
    assert [p.name for p in products.iterdir() if p.is_dir()] == [str(last)]
    for back in range(1, 7):
        assert cron(f"--night {last - timedelta(days=back)}") == (0, "", "")
    assert [p.name for p in sorted(products.iterdir()) if p.is_dir()] == [
        str(last - timedelta(days=back)) for back in range(6, -1, -1)
    ]
    masters = {path: path.stat().st_mtime_ns for path in products.rglob("*_MDARK.fits")}
    assert len(masters) == 7
    assert cron() == (0, "", "")
    assert {path: path.stat().st_mtime_ns for path in masters} == masters


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_watching(archive, tmp_path, sent, code, said):
    raw, products = tmp_path / "raw", tmp_path / "p"
    raw.mkdir()
    process = start(raw, "-o", products, "--watch", "0.2")
    wait_for((products / LOCK).exists)
    for name in ("NIR_dark_001.fits", "NIR_dark_002.fits", "NIR_dark_003.fits"):
        shutil.copy(archive / "nir" / name, raw)
    wait_for((products / "2026-01-10" / f"{NIR}.json").exists)
    (raw / "junk.fits").write_text("junk")
    shutil.copytree(archive / "vis", raw / "vis")
    wait_for((products / "2026-01-10" / f"{VIS}.json").exists)
    time.sleep(1)
    process.send_signal(sent)
    assert process.wait(timeout=30) == code
    _, out, err = ended(process)
    assert err.endswith(f"soxsdark: {said}\n")
    # each thing is told once
    assert out.count(f"{VIS} ") == err.count("junk.fits: ") == 1
    assert states(products) == {NIR: "done", VIS: "done"}
    assert not list(products.rglob(".soxsdark-*"))
    assert not list(products.rglob("*FAILED*"))


def test_watching_does_not_try_again_what_failed(raw, tmp_path, monkeypatch):
    damage(raw / "nir" / "NIR_dark_002.fits")
    run = NightRun(raw, tmp_path / "p", Settings(), allow_empty=True)
    calls = []
    real = reduce_sets.mdark
    monkeypatch.setattr(
        reduce_sets, "mdark", lambda sof, *a, **o: calls.append(sof) or real(sof, *a, **o)
    )  # noqa: E501
    first = run.once()
    assert (len(calls), first.exit_code) == (3, 4)
    again = run.once()
    assert (len(calls), again.exit_code) == (3, 4)
    damage(raw / "nir" / "NIR_dark_002.fits")
    assert run.once().exit_code == 0
    assert len(calls) == 4


def test_watching_waits_for_sets_to_grow(raw, tmp_path):
    (raw / "nir" / "NIR_dark_003.fits").unlink()
    run = NightRun(raw, tmp_path / "p", Settings(), settle=1e-6)
    assert {result.name for result in run.once().results} == {VIS, UVB}
    for path in (raw / "nir").iterdir():
        os.utime(path, (0, time.time() - 2.1 * 3600))
    report = run.once()
    assert {result.name for result in report.results} == {NIR, VIS, UVB}
    assert report.exit_code == 4


# soxsdark sof


def test_sof_command(raw, tmp_path, capsys):
    handler = signal.getsignal(signal.SIGTERM)
    argv = ["sof", str(raw), "-o", str(tmp_path / "sofs")]
    assert main(argv) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.splitlines()[-3:] == [str(tmp_path / "sofs" / f"{n}.sof") for n in
                                           (VIS, NIR, UVB)]  # fmt: skip
    assert len(read_inputs(tmp_path / "sofs" / f"{VIS}.sof").frames) == 3
    # the same again is fine, others are not written over
    assert main(argv) == 0
    (raw / "vis" / "VIS_dark_003.fits").unlink()
    assert main(argv) == 5
    assert f"{VIS}.sof: exists already" in capsys.readouterr().err
    assert main([*argv, "-x"]) == 0
    assert "too small" in capsys.readouterr().out
    shutil.rmtree(raw)
    raw.mkdir()
    assert main(argv) == 4
    signal.signal(signal.SIGTERM, handler)


def test_dates_of_the_options_are_dates():
    from soxsdark.commands.night import _night

    assert _night(None, None, "2026-01-10") == date(2026, 1, 10)
