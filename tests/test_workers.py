"""Sets reduced side by side in processes."""

import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark import workers
from soxsdark.find_sets import find_sets
from soxsdark.night import NightRun
from soxsdark.reduce_sets import Job, State, reduce_one, reduce_sets
from soxsdark.settings import Settings
from soxsdark.trend_database import DATABASE, rebuild
from soxsdark.workers import LocalWorkers
from tests.archive import make_archive
from tests.night.unattended import ended, start, there, wait_for


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A set in each of six nights; read only."""
    return make_archive(tmp_path_factory.mktemp("archive"), 6, frames=3, shape=(384, 384))


def jobs_of(archive: Path, products: Path) -> list[Job]:
    sets = find_sets(archive).sets
    return [Job(one, products / one.folder, Settings(), "new") for one in sets]


def dies(job: Job):
    """A worker that is killed at the third set, once or each time."""
    marker = job.folder.parent / "died"
    if job.folder.name == "2026-01-12" and not (marker.exists() and marker.read_text() == "once"):
        marker.write_text(job.command[0])
        os.kill(os.getpid(), signal.SIGKILL)
    return reduce_one(job)


@pytest.mark.parametrize("times", ["once", "always"])
def test_a_worker_that_dies_costs_a_retry_or_its_set(archive, tmp_path, monkeypatch, times):
    monkeypatch.setattr(workers, "_work", dies)
    jobs = [replace(job, command=(times,)) for job in jobs_of(archive, tmp_path)]
    with LocalWorkers.running(2) as team:
        results = {result.night: result for result in reduce_sets(jobs, workers=team)}
    lost = {"2026-01-12"} if times == "always" else set()
    assert {night for night, r in results.items() if r.state is State.FAILED} == lost
    assert len(results) == 6
    assert {r.exit_code for night, r in results.items() if night not in lost} == {0}
    for night in lost:
        assert results[night].exit_code == 70
        assert "its worker died, 2 times in a row" in results[night].reasons[0]
    assert not list(tmp_path.rglob(".soxsdark-*"))


def dies_at_its_start() -> None:
    """A worker that is killed before it has got anything to do, the first time."""
    marker = Path(os.environ["MARKER"])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_at_its_start_costs_a_retry(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("MARKER", str(tmp_path / "died"))
    monkeypatch.setattr(workers, "_begin", dies_at_its_start)
    with LocalWorkers.running(1) as team:
        (result,) = reduce_sets(jobs_of(archive, tmp_path)[:1], workers=team)
    assert (tmp_path / "died").exists()
    assert (result.state, result.exit_code, result.reasons) == (State.DONE, 0, ())


def test_threads_and_memory_are_divided(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "processors", lambda: 8)
    (job, *_) = jobs_of(archive, tmp_path)
    team = LocalWorkers(3)
    shared = team._share(job).settings.for_arm("NIR")
    assert (shared.values.threads, shared.values.memory_limit) == (2, 128)
    assert shared.origins["threads"] == "--workers 3"
    one = replace(job, settings=Settings.read(None, ["threads=2", "memory-limit=2"]))
    shared = team._share(one).settings.for_arm("NIR")
    assert (shared.values.threads, shared.values.memory_limit) == (1, 1)


def test_the_same_products_whatever_the_number_of_workers(archive, tmp_path):
    code, out, err = ended(start(archive, "-o", tmp_path / "side", "--workers", "3"))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("6 sets: 6 done")
    report = NightRun(archive, tmp_path / "alone", Settings()).once()
    for result in report.results:
        for end in ("MDARK", "BPM"):
            name = f"{result.night}/{result.name}_{end}.fits"
            sums = {fits.getheader(tmp_path / by / name)["DATAMD5"] for by in ("side", "alone")}
            assert len(sums) == 1, name
    # and a rerun by one process finds nothing to do
    assert ended(start(archive, "-o", tmp_path / "side", "-q")) == (0, "", "")


def children(pid: int) -> set[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return set(map(int, found.stdout.split()))


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize(
    ("sent", "code", "to_all"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, False),
     pytest.param(signal.SIGTERM, 143, True, marks=pytest.mark.slow),
     pytest.param(signal.SIGKILL, -9, False, marks=pytest.mark.slow)],
)  # fmt: skip
def test_no_orphans(archive, tmp_path, sent, code, to_all):
    products = tmp_path / "p"
    process = start(archive, "-o", products, "--redo", "--workers", "2")
    wait_for(lambda: there(products / "*/.soxsdark-*/*"))
    team = children(process.pid)
    assert len(team) >= 2
    (os.killpg if to_all else os.kill)(process.pid, sent)
    found, _, err = ended(process)
    assert found == code
    assert "Traceback" not in err
    wait_for(lambda: not any(map(is_alive, team)))
    if sent != signal.SIGKILL:
        assert not list(products.rglob(".soxsdark-*"))
    assert ended(start(archive, "-o", products, "-q", "--workers", "2")) == (0, "", "")
    assert len(list(products.glob("*/*_MDARK.fits"))) == 6
    assert not list(products.rglob(".soxsdark-*"))
    assert not list(products.rglob("*FAILED*"))


@pytest.mark.slow
def test_sixty_nights_are_reduced_again_after_a_change_of_settings(tmp_path):
    archive = make_archive(tmp_path / "raw", 60, frames=5, shape=(128, 128))
    products = tmp_path / "p"

    def night(*options) -> tuple[int, str, str]:
        return ended(start(archive, "-o", products, "--workers", "2", *options))

    assert night("-q") == (0, "", "")
    masters = {path: path.stat().st_ino for path in products.glob("*/*_MDARK.fits")}
    assert len(masters) == 60
    code, out, err = night("--set", "hot-pixel-sigma=6")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("60 sets: 60 done")
    assert all(path.stat().st_ino != inode for path, inode in masters.items())
    assert night("--set", "hot-pixel-sigma=6")[1].splitlines()[-1].startswith("60 sets: 60 unch")
    before = dump(products)
    rebuild(products)
    assert dump(products) == before
    assert sum(line.startswith('INSERT INTO "sets"') for line in before) == 60


def dump(products: Path) -> list[str]:
    with closing(sqlite3.connect(products / DATABASE)) as connection:
        return sorted(connection.iterdump())
