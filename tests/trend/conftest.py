"""Fourteen reduced nights, and the command line upon a copy of them."""

import shutil
from pathlib import Path

import pytest

from soxsdark.night import NightRun
from soxsdark.settings import Settings
from tests.archive import make_archive
from tests.trend.nights import NIGHTS, RANGES, noisier


@pytest.fixture(scope="session")
def reduced(tmp_path_factory) -> tuple[Path, Path]:
    """Raws and products of 14 nights; to be copied."""
    folder = tmp_path_factory.mktemp("trend")
    raw = make_archive(folder / "raw", NIGHTS, noisier, frames=3, shape=(96, 128))
    report = NightRun(raw, folder / "p", Settings.read(None, RANGES)).once()
    assert len(report.results) == NIGHTS
    return raw, folder / "p"


@pytest.fixture
def products(reduced, tmp_path) -> Path:
    """A copy of the products."""
    return Path(shutil.copytree(reduced[1], tmp_path / "p"))


@pytest.fixture
def run(command):
    """Run a command in this process; give exit code, stdout and stderr."""

    def go(*argv) -> tuple[int, str, str]:
        silent = ["--no-report"] if argv[0] == "night" else []
        return command(argv[0], *silent, *argv[1:])

    return go
