"""Sets reduced by a Dask cluster: a real scheduler, and two worker processes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from soxsdark import cluster
from soxsdark.cli import main
from soxsdark.find_sets import find_sets
from soxsdark.reduce_sets import Job, State, reduce_sets
from soxsdark.settings import Settings
from tests.archive import make_archive
from tests.interpreter import SOURCE
from tests.night.unattended import ended, environment, start, there, wait_for

pytest.importorskip("distributed", reason="no distributed: pip install 'soxsdark[cluster]'")
FRAMES = {"frames": 3, "shape": (384, 384)}


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A set in each of ten nights; read only."""
    return make_archive(tmp_path_factory.mktemp("archive"), 10, **FRAMES)


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """Start a part of a cluster; all end with the tests."""
    folder, running = tmp_path_factory.mktemp("dask"), []

    def run(*arguments) -> subprocess.Popen:
        log = (folder / f"{len(running)}.log").open("w")
        argv = [sys.executable, "-m", "dask", *map(str, arguments)]
        settings = {"PYTHONPATH": str(SOURCE), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
        process = subprocess.Popen(argv, cwd=folder, env=os.environ | settings, stderr=log)
        running.append((process, log))
        return process

    yield run, folder
    for process, log in running:
        process.kill()
        process.wait()
        log.close()


@pytest.fixture(scope="module")
def scheduler(dask) -> str:
    run, folder = dask
    file = folder / "scheduler.json"
    run("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", file)  # fmt: skip
    wait_for(lambda: file.exists() and file.read_text().endswith("}"))
    return json.loads(file.read_text())["address"]


@pytest.fixture
def workers(dask, scheduler):
    """Two worker processes."""
    run, folder = dask
    options = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    pair = [run("worker", scheduler, *options, "--local-directory", folder) for _ in range(2)]
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        yield pair
        for process in pair:
            process.kill()
            process.wait()
        wait_for(lambda: not client.nthreads())


def test_one_worker_is_killed_in_mid_run(archive, tmp_path, scheduler, workers):
    products = tmp_path / "p"
    process = start(archive, "-o", products, "--scheduler", scheduler)
    wait_for(lambda: there(products / "*/.soxsdark-*/*"))
    workers[0].kill()
    code, out, err = ended(process)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("10 sets: 10 done")
    assert not list(products.rglob(".soxsdark-*"))
    record = json.loads(next(products.glob("2026-01-12/*DARK*.json")).read_text())
    assert record["settings"]["threads"] == {"value": 1, "origin": "--scheduler"}
    assert ended(start(archive, "-o", products, "-q")) == (0, "", "")


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_called_off(archive, tmp_path, scheduler, workers, sent, code):
    products = tmp_path / "p"
    process = start(archive, "-o", products, "--scheduler", scheduler)
    wait_for(lambda: there(products / "*/.soxsdark-*/*"))
    process.send_signal(sent)
    found, _, err = ended(process)
    assert found == code
    assert "Traceback" not in err
    # when it has ended, nobody works for it any more
    assert not list(products.rglob(".soxsdark-*"))
    assert len(list(products.glob("*/*_MDARK.fits"))) < 10
    # the workers are there for the next
    assert ended(start(archive, "-o", products, "-q", "--scheduler", scheduler)) == (0, "", "")
    assert len(list(products.glob("*/*_MDARK.fits"))) == 10


def fatal(job: Job, version: str, off: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_set_that_kills_its_workers_is_given_up(archive, tmp_path, scheduler, workers):
    # one death is allowed: the second worker's is the last
    job = Job(find_sets(archive).sets[0], tmp_path, Settings(), "new")
    with pytest.MonkeyPatch.context() as patch, cluster.ClusterWorkers.running(scheduler) as team:
        patch.setattr(cluster, "_work", fatal)
        (result,) = reduce_sets([job], workers=team)
    assert (result.state, result.exit_code) == (State.FAILED, 70)
    assert "KilledWorker" in result.reasons[0]


def test_workers_of_another_version(archive, tmp_path):
    job = Job(find_sets(archive).sets[0], tmp_path, Settings(), "new")
    result = cluster._work(job, "0.0.1", "off")
    assert (result.state, result.exit_code) == (State.FAILED, 3)
    assert re.fullmatch(r"a worker has soxsdark \S+, expected 0\.0\.1 .*", result.reasons[0])


def program(*arguments, connect: float = 1.0) -> list[str]:
    """`soxsdark night` with less patience."""
    code = (
        "import sys; from soxsdark import cluster; from soxsdark.cli import main; "
        f"cluster.CONNECT = {connect}; raise SystemExit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", code, "night", *map(str, arguments)]


@pytest.mark.slow
def test_a_scheduler_that_dies_in_mid_run(archive, tmp_path, dask):
    run, _ = dask
    file = tmp_path / "scheduler.json"
    process = run("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                  "--scheduler-file", file)  # fmt: skip
    wait_for(lambda: file.exists() and file.read_text().endswith("}"))
    address = json.loads(file.read_text())["address"]
    products = tmp_path / "p"
    night = subprocess.Popen(
        program(archive, "-o", products, "-q", "--scheduler", address, connect=6.0),
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    # it has no workers; the database is made once the client is there
    wait_for((products / "soxsdark.db").exists)
    process.kill()
    said = f"soxsdark: {address}: the Dask scheduler is gone; the next run does what is missing\n"
    assert ended(night) == (4, "", said)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("foo://here:1", "unknown address scheme 'foo'"),
        ("tcp://127.0.0.1:port", "'port'"),
        ("tls://127.0.0.1:9", "tls needs certificates"),
        (None, "no Dask scheduler answers ("),
    ],
)
def test_what_is_no_scheduler_is_said_at_once(archive, tmp_path, address, said):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = address or f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        argv = program(archive, "-o", tmp_path, "--scheduler", address)
        begun = time.monotonic()
        done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (4, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"soxsdark: {address}: no Dask scheduler answers (")
    assert done.stderr.endswith("); start one, or correct the address\n")
    assert said in done.stderr
    assert time.monotonic() - begun < 20


def test_no_scheduler(archive, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    argv = ["night", str(archive), "-o", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert main(argv) == 4
        assert "tcp://127.0.0.1:9: no Dask scheduler answers" in capsys.readouterr().err
        assert main([*argv, "--workers", "2"]) == 2
        monkeypatch.setitem(sys.modules, "distributed", None)
        assert main(argv) == 2
        assert "pip install 'soxsdark[cluster]'" in capsys.readouterr().err
    finally:
        signal.signal(signal.SIGTERM, handler)
