"""Another Python with this package, as it is in the sources."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent


def environment(**more: str) -> dict[str, str]:
    paths = [str(SOURCE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def python(*arguments, **more) -> subprocess.CompletedProcess:
    argv = [sys.executable, *map(str, arguments)]
    options = {"capture_output": True, "text": True, "env": environment(), "check": False}
    return subprocess.run(argv, timeout=60, **options | more)
