"""The machine and the programs, in one line."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from soxsdark.parallel import processors

GIB = 2**30
CPU_INFO = Path("/proc/cpuinfo")


def _cpu_model() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def describe(versions: list[str]) -> str:
    """Describe the machine of today and what ran on it.

    Parameters
    ----------
    versions : list of str
        Names and versions of the programs.
    """
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    python = [f"Python {platform.python_version()}", f"numpy {metadata.version('numpy')}"]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {_cpu_model()}, {processors()} processors to use, "
        f"{memory:.0f} GiB, {platform.system()}. {', '.join(dict.fromkeys(python + versions))}."
    )
