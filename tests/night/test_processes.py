"""Nights in processes of their own: from cron, side by side, killed, for a week."""

import os
import pickle
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from soxsdark.find_sets import find_sets
from soxsdark.lock import held
from soxsdark.night import LOCK
from soxsdark.nights import Boundary
from soxsdark.reduce_sets import Job, State, reduce_one
from soxsdark.settings import Settings
from soxsdark.simulator import Scene, simulate
from tests.interpreter import SOURCE
from tests.night.sets import NIR, SMALL, VIS, rows, states
from tests.night.unattended import ended, start, there, wait_for


def test_jobs_and_results_can_be_sent(raw, tmp_path):
    one = next(s for s in find_sets(raw).sets if s.name == NIR)
    job = Job(one, tmp_path / "p", Settings.read(None, ["hot-pixel-sigma=6"]), "new")
    job = pickle.loads(pickle.dumps(job))
    sent = pickle.dumps(reduce_one(job))
    assert len(sent) < 10_000
    result = pickle.loads(sent)
    assert (result.state, result.verdict, result.exit_code) == (State.DONE, "GOOD", 0)
    assert result.metrics["NFRAMES"] == 3


def test_an_empty_environment(raw, tmp_path):
    for path in [raw, *raw.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    options = ("-o", tmp_path / "p", "--quiet")
    assert ended(start(raw, *options, cwd="/", umask=0o077)) == (0, "", "")
    assert states(tmp_path / "p") == {NIR: "done", VIS: "done"}
    assert ended(start(raw, *options, cwd="/", umask=0o077)) == (0, "", "")
    for path in [raw, *raw.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


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


@pytest.mark.slow
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
