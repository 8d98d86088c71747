"""Help and version."""

import os
import re
import subprocess
import sys

import pytest

from soxsdark.compiled import SWITCH, path_in_use
from soxsdark.version import __version__
from tests.cli.commands import COMMANDS
from tests.interpreter import environment


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_has_an_example(command, words, option):
    code, out, err = command(*words, option)
    assert (code, err) == (0, "")
    assert out.startswith("Usage: soxsdark")
    assert re.search(rf"\n +Example:\n +soxsdark {' '.join(words)}", out)


@pytest.mark.parametrize("words", [(), ("settings",), ("record",)])
def test_what_a_command_does_fits_its_line(command, words):
    table = command(*words, "--help")[1].partition("Commands:\n")[2].partition("Example:")[0]
    lines = table.split("\n")[: table.strip().count("\n") + 1]
    assert len(lines) > 2
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


def test_version(command):
    code, out, _ = command("--version")
    assert code == 0
    assert out == f"soxsdark {__version__} ({path_in_use()})\n"


def test_version_tells_the_slow_path(command, monkeypatch):
    monkeypatch.setenv(SWITCH, "numpy")
    assert "NumPy only" in command("--version")[1]


def test_a_terminal_gets_no_colours():
    for words in ([], ["--help"], ["mdark", "nothing.sof"], ["instruments"]):
        leader, follower = os.openpty()
        script = "import sys; from soxsdark.cli import main; sys.exit(main(sys.argv[1:]))"
        argv = [sys.executable, "-c", script, *words]
        ends = {"stdin": follower, "stdout": follower, "stderr": follower}
        subprocess.run(argv, env=environment(TERM="xterm-256color"), check=False, **ends)
        shown = os.read(leader, 1 << 16)
        os.close(leader)
        os.close(follower)
        assert shown
        assert b"\x1b" not in shown
