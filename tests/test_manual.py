"""The manual page and completion: made from the commands, and quick."""

from pathlib import Path
from runpy import run_path

import pytest

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
