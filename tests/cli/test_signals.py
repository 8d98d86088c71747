"""Signals end a run cleanly."""

import signal
import subprocess
import sys
import time

import pytest

from soxsdark.simulator import Scene, simulate
from tests.interpreter import environment
from tests.products import FAILED, names


@pytest.fixture(scope="module")
def long_set(tmp_path_factory):
    scene = Scene(shape=(1024, 1024), frames=8, noisy_fraction=0.0, telegraph_fraction=0.0)
    return simulate(tmp_path_factory.mktemp("long"), scene)


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_signals(long_set, tmp_path, sent, code, said):
    argv = [sys.executable, "-m", "soxsdark", "mdark", str(long_set.sof), "-o", str(tmp_path)]
    # a background job of a shell without job control has SIGINT ignored; a person's has not
    process = subprocess.Popen(
        argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 30
    # its first line shows that the run is under way; an empty log, that it is about to be
    while not any(p.stat().st_size for p in tmp_path.glob(".soxsdark-*/darks.log")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    # after ^C click ends the line of the terminal first; Python may tell of a dropped exception
    assert out == ""
    assert err.endswith(f"soxsdark: {said}\n")
    assert names(tmp_path) == FAILED
    assert f'"exit-code": {code}' in (tmp_path / "darks_FAILED.json").read_text()


@pytest.mark.parametrize(
    ("stop", "code", "said"),
    [(KeyboardInterrupt(), 130, "interrupted"), (SystemExit(143), 143, "terminated")],
)
def test_a_signal_while_a_class_is_made(command, monkeypatch, stop, code, said):
    """As in any import; Python before 3.12 makes a RuntimeError of it."""

    class Part:
        def __set_name__(self, owner, name):
            raise stop

    monkeypatch.setattr(
        "soxsdark.settings_schema.settings_schema_text", lambda: type("Made", (), {"part": Part()})
    )
    found = command("settings", "schema")
    assert (found[0], found[1]) == (code, "")
    assert found[2].endswith(f"soxsdark: {said}\n")
