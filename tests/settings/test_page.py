"""The page of the manual on settings: every key, and examples that are true."""

import re
from pathlib import Path

import numpy as np

from soxsdark.settings import Settings
from soxsdark.settings_advice import least_frames_for_std
from soxsdark.settings_table import rows
from tests.interpreter import SOURCE
from tests.settings.files import section


def test_page_has_every_key():
    page = (SOURCE / "docs" / "settings.md").read_text()
    for row in rows(Settings.read().for_arm(None)):
        assert f"| `{row.key}` |" in page


def test_examples_of_the_page_are_true(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (SOURCE / "docs" / "settings.md").read_text()
    monkeypatch.setenv("COLUMNS", "100")
    text = section("stacked-clipping-sigma: 4", "nir:", "    hot-pixel-rate: 0.5")
    Path("settings.yaml").write_text(text)
    said = re.search(r"\$ soxsdark (settings show .*)\n((?:    .*\n)+)", page)
    shown = command(*said[1].split())[1]
    assert shown == re.sub("(?m)^    ", "", said[2])
    Path("settings.yaml").write_text(section("stacked-clipping-sgima: 3", "nir:", "    gain: -1"))
    said = re.search(r"\$ soxsdark (settings check .*)\n((?:    .*\n)+)", page)
    assert command(*said[1].split())[1] == re.sub("(?m)^    ", "", said[2])


def test_limits_that_the_page_names():
    assert [least_frames_for_std(k) - 1 for k in (3, 4)] == [7, 14]
    beyond = [(n - 1) / np.sqrt(n) > 3 for n in (10, 11)]
    assert beyond == [False, True]
    least = [least_frames_for_std(k) for k in range(1, 60)]
    assert least == sorted(least)
