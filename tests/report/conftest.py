"""A run with its page, and a copy of its products."""

import shutil
from pathlib import Path

import pytest

from soxsdark import mdark


@pytest.fixture(scope="session")
def made(small_set, tmp_path_factory):
    """A reduced set with page and pictures; read only."""
    folder = tmp_path_factory.mktemp("made")
    return mdark(small_set.sof, output=folder, report=True, plots=folder / "pictures")


@pytest.fixture
def products(made, tmp_path) -> Path:
    """The record of a copy of that set, to be changed at will."""
    shutil.copytree(made.page.parent, tmp_path / "made")
    return tmp_path / "made" / "darks.json"
