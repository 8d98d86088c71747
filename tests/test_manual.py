"""The manual page and completion: made from the commands, and quick."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest
from click.shell_completion import ShellComplete

from soxsdark.cli import cli
from tests.interpreter import python

DOCS = Path(__file__).resolve().parent.parent / "docs"
MAIN = "import sys; from soxsdark.cli import main; code = main(sys.argv[1:]);"
LAST_WORD = {"bash": "2", "zsh": "2", "fish": "--master"}


def test_the_manual_page_is_that_of_the_commands(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    page = run_path(str(DOCS / "man_page.py"))["page"]()
    assert page == (DOCS / "soxsdark.1").read_text("utf-8"), "run make reference"


@pytest.mark.parametrize("shell", LAST_WORD)
def test_completion_script(shell):
    done = python("-c", f"{MAIN} sys.exit(code)", "completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_SOXSDARK_COMPLETE={shell}_complete" in done.stdout


@pytest.mark.parametrize("shell", LAST_WORD)
def test_completion_is_light(shell, monkeypatch):
    monkeypatch.setenv("_SOXSDARK_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "soxsdark mdark --master")
    monkeypatch.setenv("COMP_CWORD", LAST_WORD[shell])
    heavy = "print({'numpy', 'astropy', 'pydantic'} & set(sys.modules), file=sys.stderr)"
    done = python("-c", f"{MAIN} {heavy}; sys.exit(code)")
    assert (done.returncode, done.stderr.strip()) == (0, "set()")
    assert "--master-bias" in done.stdout
    assert "--output" not in done.stdout


OFFERED = {
    "mdark --set stacked-clipping-s": ["stacked-clipping-sigma=4"],
    "mdark --set frame-clipping-deviation=": [
        "frame-clipping-deviation=mad", "frame-clipping-deviation=std",
    ],
    "night raw --set hot-pixel-r": ["hot-pixel-rate=null"],
    "tune a.sof --sweep background": ["background-box=64"],
    "tune a.sof --sweep threads": [],
    "mdark --instrument me": ["me", "megara"],
    "instruments x": ["x", "xsh"],
    "trend raw-": ["raw-ron"],
}  # fmt: skip


@pytest.mark.parametrize("line", OFFERED)
def test_values_that_are_offered(line):
    """A word that is offered as it is stands for files."""
    before, _, incomplete = line.rpartition(" ")
    completing = ShellComplete(cli, {}, "soxsdark", "_SOXSDARK_COMPLETE")
    items = completing.get_completions(before.split(), incomplete)
    assert [item.value for item in items] == OFFERED[line]


ASKED = {
    "bash": "COMP_WORDS=(soxsdark mdark --set hot-pixel-s) COMP_CWORD=3; "
    "_soxsdark_completion soxsdark; echo ${COMPREPLY[0]}",
    "zsh": "echo $_comps[soxsdark]",
    "fish": "complete -C 'soxsdark mdark --set hot-pixel-s'; complete -C 'soxsdark sett'",
}
ANSWERED = {
    "bash": "hot-pixel-sigma=5\n",
    "zsh": "_soxsdark_completion\n",
    "fish": "hot-pixel-sigma=5\ta number greater than 0\n"
    "settings\tWrite, show and check settings files.\n",
}


@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_that_nobody_has_set_up_completes(shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    program = tmp_path / "soxsdark"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m soxsdark "$@"\n')
    program.chmod(0o755)
    script = tmp_path / "script"
    script.write_text(python("-c", f"{MAIN} sys.exit(code)", "completion", shell).stdout)
    done = subprocess.run(
        [shell, "-c", f"source {script}; {ASKED[shell]}"], text=True, capture_output=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path),
             "PYTHONPATH": str(DOCS.parent)},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (ANSWERED[shell], "")
