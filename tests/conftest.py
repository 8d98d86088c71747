"""Fixtures that many tests share: a small simulated set, the command line, real frames."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

from soxsdark.cli import main
from soxsdark.simulator import Scene, SimulatedSet, simulate
from tests import hostile
from tests.records import make_runs

# how long an example takes says how busy the machine is
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SMALL = {"shape": (96, 128), "seed": 7, "hot_fraction": 0.01}


def _moved(files: SimulatedSet, folder: Path) -> SimulatedSet:
    return SimulatedSet(
        sof=folder / files.sof.name,
        frames=tuple(folder / path.name for path in files.frames),
        bad_pixel_map=folder / files.bad_pixel_map.name,
        truth=folder / files.truth.name,
    )


@pytest.fixture(scope="session")
def small_set(tmp_path_factory) -> SimulatedSet:
    """Five small NIR darks; read only."""
    return simulate(tmp_path_factory.mktemp("small") / "night", Scene(**SMALL))


@pytest.fixture
def night(small_set, tmp_path) -> SimulatedSet:
    """A copy of the small set, in ``night/``, to be changed at will."""
    shutil.copytree(small_set.sof.parent, tmp_path / "night")
    return _moved(small_set, tmp_path / "night")


@pytest.fixture
def edit() -> Callable[..., None]:
    """`tests.hostile.edit`."""
    return hostile.edit


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command line in this process; give exit code, stdout and stderr."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments) -> tuple[int, str, str]:
        argv = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["soxsdark", *argv])
        code = main(argv)
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the raw frames that ``make real-data`` fetches."""
    default = Path(__file__).resolve().parent.parent / "real-data"
    folder = Path(os.environ.get("SOXSDARK_REAL_DATA", default)) / "msfc_ccd" / "_data"
    if not folder.is_dir():
        pytest.skip(f"no raw frames in {folder}: make real-data, or set SOXSDARK_REAL_DATA")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real frames, which are no part of the project."""
    root = Path(__file__).resolve().parent.parent
    shared = Path(os.environ.get("SOXSDARK_SHARED", root.parent / "shared"))
    folder = shared / "data"
    if not (folder / "st7").is_dir():
        pytest.skip(f"no real frames in {folder}: set SOXSDARK_SHARED to their folder")
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> SimpleNamespace:
    """Records of real runs of every kind, with their products; read only."""
    return make_runs(tmp_path_factory.mktemp("runs"))
