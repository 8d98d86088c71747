"""The handbook is true: its generated parts are today's, its examples run and print what it says.

What is fenced as ``console`` (commands behind ``$``, further lines behind ``>``) or ``python`` is
run, page by page, each in an empty folder; ``...`` stands for any text of the output. In the
README blocks are indented.
"""

import doctest
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from soxsdark.cli import COMMANDS
from soxsdark.flags import Flag
from soxsdark.instruments import profile_names

TOP = Path(__file__).parent.parent
DOCS = TOP / "docs"
README = (TOP / "README.md").read_text("utf-8")
REFERENCE = runpy.run_path(str(DOCS / "reference.py"))
FENCE = re.compile(r"^```(console|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)
MARK = "@@end"


@dataclass
class Step:
    """One command of a page, and what it is said to print (None: nothing is said)."""

    command: str
    printed: str | None


def console(text: str) -> Iterator[Step]:
    """The commands of a block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *lines = part.rstrip("\n").split("\n")
        while lines and lines[0].startswith("> "):
            command += "\n" + lines.pop(0)[2:]
        yield Step(command, "\n".join(lines) if lines else None)


def steps(page: str) -> list[Step]:
    """Everything on a page that is to be run."""
    found: list[Step] = []
    after_python = False
    for kind, text in FENCE.findall(page):
        if kind == "console":
            found.extend(console(text))
        elif kind == "python":
            found.append(Step(f"python - <<'PAGE'\n{text}PAGE", None))
        elif after_python:
            found[-1].printed = text.rstrip("\n")
        after_python = kind == "python"
    return found


def fenced(readme: str) -> str:
    """The README with fences around the indented blocks that can be run."""

    def fence(block: re.Match) -> str:
        text = "\n".join(line[4:] for line in block[0].strip("\n").split("\n")) + "\n"
        if text.startswith("$ "):
            return f"```console\n{text}```\n"
        return f"```python\n{text}```\n" if text.startswith("from ") else block[0]

    return INDENTED.sub(fence, readme)


def run(found: list[Step], folder: Path) -> list[tuple[int, str]]:
    """Run all steps in one shell; return exit code and output of each."""
    tools = folder / ".bin"
    tools.mkdir()
    for name, module in (("soxsdark", "-m soxsdark"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (tools / name).chmod(0o755)
    script = "".join(
        f"{step.command}\n__code=$?; printf '\\n%s %d\\n' {MARK} $__code; (exit $__code)\n"
        for step in found
    )
    environment = {
        **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(TOP),
        "COLUMNS": "100", "HOME": str(folder), "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    done = subprocess.run(
        ["bash"], input=script, cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    parts = re.split(rf"\n{MARK} (\d+)\n", done.stdout)
    return [(int(code), out) for out, code in zip(parts[::2], parts[1::2], strict=False)]


def check(page: str, folder: Path) -> None:
    """Run a page and compare."""
    found = steps(page)
    outcomes = run(found, folder)
    assert len(outcomes) == len(found), outcomes[-1:]
    same = doctest.OutputChecker().check_output
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for number, (step, (code, out)) in enumerate(zip(found, outcomes, strict=True)):
        asked = found[number + 1].command if number + 1 < len(found) else ""
        assert code == 0 or asked == "echo $?", f"$ {step.command}\nended with {code}:\n{out}"
        if step.printed is not None:
            said = f"$ {step.command}\nshould print\n{step.printed}\nand prints\n{out}"
            assert same(step.printed + "\n", out + "\n", flags), said


PAGES = sorted(p.name for p in DOCS.glob("*.md") if "```console" in p.read_text("utf-8"))
LONG = ("tutorial_night.md", "tutorial_tuning.md")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in PAGES]
)
def test_page_does_what_it_says(name, tmp_path):
    check((DOCS / name).read_text("utf-8"), tmp_path)


@pytest.mark.slow
def test_readme_does_what_it_says(tmp_path):
    page = fenced(README)
    assert len(steps(page)) >= 3
    check(page, tmp_path)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_generated_parts_are_todays(page):
    text = page.read_text("utf-8")
    assert text == REFERENCE["renewed"](text), "run make reference"


def test_every_generated_part_is_on_a_page():
    pages = "".join(p.read_text("utf-8") for p in DOCS.glob("*.md"))
    assert set(REFERENCE["PARTS"]) == set(re.findall(r"<!-- generated: ([a-z-]+) -->", pages))


def test_a_page_that_lies_is_found(tmp_path):
    """The checks above can fail."""
    for number, lie in enumerate(("$ echo yes\nno", "$ false", "$ exit 0")):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(AssertionError):
            check(f"```console\n{lie}\n```\n", tmp_path / str(number))


def test_links_of_the_readme_lead_somewhere():
    """Those of the handbook are followed by Sphinx."""
    links = re.findall(r"\]\(([^)#]+)(?:#([^)]*))?\)", README)
    assert links
    for target, anchor in links:
        heads = re.findall(r"^#+ (.*)$", (TOP / target).read_text("utf-8"), re.MULTILINE)
        slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]
        assert not anchor or anchor in slugs, f"{target}#{anchor}"


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the README's tables below a heading."""
    part = README.partition(f"\n## {heading}\n")[2]
    rows = re.findall(r"^\| (.*?) \|", part.partition("\n## ")[0], re.MULTILINE)
    return [row for row in rows if row not in ("value", "command")]


def test_readme_has_every_flag():
    assert first_cells("Flags") == [str(int(flag)) for flag in Flag]


def test_readme_has_every_command():
    told = {re.match(r"`soxsdark (\w+)", cell)[1] for cell in first_cells("Other commands")}
    assert told | {"mdark", "completion"} == set(COMMANDS)


def test_readme_and_handbook_have_every_profile():
    (cell,) = re.findall(r"^\| `--instrument NAME` \| (.*) \|", README, re.MULTILINE)
    assert set(re.findall(r"`([a-z0-9]+)`", cell)) == set(profile_names())
    page = (DOCS / "instruments.md").read_text("utf-8").partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == profile_names()


def table_of(name: str) -> list[list[float]]:
    """The numbers in a table of the evidence, row by row."""
    text = (DOCS / "evidence.md").read_text("utf-8").partition(f"<!-- evidence: {name} -->")[2]
    rows = re.findall(r"^\| (\d.*)\|$", text.partition("<!-- end")[0], re.MULTILINE)
    return [[float(number) for number in re.findall(r"\d[\d.e-]*", row)] for row in rows]


def test_evidence_on_clipping_is_todays():
    found = runpy.run_path(str(DOCS / "evidence.py"))
    ways, pixels = (found["MAD"], found["LOOSE"], found["DEFAULT"]), 40_000
    rows = {int(row[0]): row[1:] for row in table_of("clipping")}
    assert tuple(rows) == found["IN_TABLE"]
    for depth in (5, 25):
        for number, way in enumerate(ways):
            lost, noise, hits = rows[depth][3 * number : 3 * number + 3]
            samples = depth * pixels
            now, now_noise = found["losses"](depth, way, pixels)
            # losses of one stack come together: three times the variance of single ones
            assert abs(100 * now - lost) < 5 * 100 * (3 * lost / 100 / samples) ** 0.5 + 0.05 * lost
            assert abs(now_noise - noise) < 5 * 1.15 / (2 * pixels) ** 0.5
            assert abs(100 * found["caught"](depth, way, 10.0, pixels) - hits) < 1


@pytest.mark.slow
def test_evidence_on_the_noise_map_is_todays():
    found = runpy.run_path(str(DOCS / "evidence.py"))
    for depth, share, false in table_of("noise-map"):
        now, now_false = found["noise_map_curve"](int(depth), (9,), sigmas=(4.0,), side=512)
        # some 2600 noisy and 260 000 good pixels
        assert abs(100 * now[0] - share) < 5 * 100 * (share / 100 * 0.09 / 2600) ** 0.5 + 0.1
        assert abs(now_false[0] - false) < 5 * (false / 260_000) ** 0.5
