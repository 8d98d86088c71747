"""Exposures of a detector of four taps, and their masters, whole and tap by tap."""

import pytest

from soxsdark import mdark
from tests.amplifiers.taps import exposures, profile, save


@pytest.fixture(scope="session")
def raws():
    return exposures()


@pytest.fixture(scope="session")
def whole(raws, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    paths = save(folder / "raw", raws)
    return mdark(paths, output=folder, instrument=str(profile(folder)))
