"""Three simulated sets of two nights, and `soxsdark night` upon a copy of them."""

import shutil
from functools import partial
from pathlib import Path

import pytest

from soxsdark.simulator import simulate
from tests.night.sets import SETS


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
def run(tmp_path, raw, command):
    """Run `soxsdark night` in this process; give exit code, stdout and stderr."""
    return partial(command, "night", raw, "-o", tmp_path / "p", "--no-report")
