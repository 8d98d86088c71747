"""Settings on the command line: options, files, and `soxsdark settings init`."""

import re

import pytest

from soxsdark.settings import default_settings_text
from tests.products import FAILED, names


def test_set_and_settings_file(command, night, tmp_path):
    (tmp_path / "s.yaml").write_text("soxs-mdark:\n  hot-pixel-sigma: 8\n  background-box: 0\n")
    arguments = ("mdark", night.sof, "-s", tmp_path / "s.yaml", "--set", "hot-pixel-sigma=9")
    assert command(*arguments, "-o", tmp_path, "-q")[0] == 0
    log = (tmp_path / "darks.log").read_text()
    assert "setting hot-pixel-sigma = 9.0 (--set)" in log
    assert re.search(r"setting background-box = 0 \(\S*s\.yaml:3\)", log)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hot-pixel-sigam=5", "hot-pixel-sigma"),
        ("hot-pixel-sigma=-1", "found -1, expected a number greater than 0"),
        ("hot-pixel-sigma=high", '"high"'),
        ("stacked-clipping-iterations=2.5", "2.5"),
        ("hot-pixel-sigma", "KEY=VALUE"),
    ],
)
def test_wrong_override(command, night, tmp_path, value, said):
    code, out, err = command("mdark", night.sof, "--set", value, "-o", tmp_path / "o")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert said in err
    assert not (tmp_path / "o").exists()


def test_wrong_settings_file(command, night, tmp_path):
    (tmp_path / "s.yaml").write_text("soxs-mdark:\n  hot-pixel-sigma: -5\n  colour: red\n")
    code, _, err = command("mdark", night.sof, "-s", tmp_path / "s.yaml", "-o", tmp_path / "o")
    assert code == 3
    first, second = err.splitlines()
    assert "s.yaml:2: hot-pixel-sigma: found -5, expected a number greater than 0" in first
    assert 's.yaml:3: colour: unknown key, found "red", expected a key of soxs-mdark' in second


def test_missing_settings_file(command, night, tmp_path):
    code, _, err = command("mdark", night.sof, "-s", tmp_path / "s.yaml", "-o", tmp_path / "o")
    assert code == 3
    assert "s.yaml" in err


def test_unknown_instrument(command, night, tmp_path):
    code, _, err = command("mdark", night.sof, "--instrument", "sox", "-o", tmp_path / "o")
    assert code == 3
    assert "sox" in err
    assert "soxs" in err
    assert names(tmp_path / "o") == FAILED


def test_settings_init(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = command("settings", "init")
    assert (code, out) == (0, "settings.yaml\nsoxsdark-settings.schema.json\n")
    assert (tmp_path / "settings.yaml").read_text("utf-8") == default_settings_text()
    assert names(tmp_path) == ["settings.yaml", "soxsdark-settings.schema.json"]


def test_settings_init_never_overwrites_by_itself(command, tmp_path):
    file = tmp_path / "deep" / "mine.yaml"
    assert command("settings", "init", file)[0] == 0
    file.write_text("mine")
    code, _, err = command("settings", "init", file)
    assert code == 5
    assert "mine.yaml" in err
    assert file.read_text() == "mine"
    assert command("settings", "init", file, "-x")[0] == 0
    assert file.read_text("utf-8") == default_settings_text()


def test_written_settings_can_be_used(command, night, tmp_path):
    command("settings", "init", tmp_path / "s.yaml")
    assert command("mdark", night.sof, "-s", tmp_path / "s.yaml", "-o", tmp_path, "-q")[0] == 0
