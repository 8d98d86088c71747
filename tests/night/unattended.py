"""`soxsdark night` in a process of its own, as cron starts it."""

import glob
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.interpreter import SOURCE


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
