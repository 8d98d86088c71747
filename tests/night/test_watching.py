"""`soxsdark night --watch`: until it is stopped, and what it tries again."""

import os
import shutil
import signal
import time

import pytest

from soxsdark import reduce_sets
from soxsdark.night import LOCK, NightRun
from soxsdark.settings import Settings
from tests.night.sets import NIR, UVB, VIS, damage, states
from tests.night.unattended import ended, start, wait_for


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
