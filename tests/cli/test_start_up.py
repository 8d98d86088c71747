"""What is imported at the start, and what holds without POSIX."""

import re

import pytest

from tests.cli.commands import COMMANDS
from tests.interpreter import python


@pytest.mark.parametrize("words", COMMANDS)
def test_help_is_light(words):
    script = (
        "import sys; from soxsdark.cli import main; code = main(sys.argv[1:]);"
        "print({'numpy', 'astropy'} & set(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = python("-c", script, *words, "--help")
    assert done.returncode == 0
    assert done.stderr.strip() == "set()"


def test_package_is_light_but_offers_its_names():
    script = (
        "import sys, soxsdark; print('numpy' in sys.modules);"
        "from soxsdark import mdark, clip_and_stack, create_noise_map;"
        "print(all(map(callable, (mdark, clip_and_stack, create_noise_map))))"
        "; from soxsdark import simulate, read_truth; print(callable(simulate))"
    )
    assert python("-c", script).stdout.split() == ["False", "True", "True"]


def test_mdark_imports_no_more_than_it_needs(night, tmp_path):
    script = (
        "import sys; from soxsdark.cli import main; code = main(sys.argv[1:]);"
        "heavy = 'astropy.nddata astropy.stats ccdproc dask fundamentals scipy'.split();"
        "heavy += 'matplotlib jinja2 PIL'.split();"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = python("-c", script, "mdark", night.sof, "-o", tmp_path / "o", "-q")
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_mdark_leaves_alone_what_only_others_need(night, tmp_path):
    script = (
        "import sys; from soxsdark.cli import main; code = main(sys.argv[1:]);"
        "spare = 'soxsdark.simulator tabulate tqdm'.split();"
        "print([m for m in spare if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = python("-c", script, "mdark", night.sof, "-o", tmp_path / "o", "-q")
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


WITHOUT_LOCKS = "import sys; sys.modules['fcntl'] = None;"


def test_without_posix_there_are_the_functions_for_arrays():
    script = (
        f"{WITHOUT_LOCKS} from soxsdark import clip_and_stack;"
        "print(clip_and_stack([[[1.0]]] * 3, noise=1.0).mean)"
    )
    done = python("-c", script)
    assert (done.stdout, done.stderr) == ("[[1.]]\n", "")


@pytest.mark.parametrize("words", [["mdark", "darks.sof"], ["night", "."]])
def test_without_posix_the_commands_say_so(words, tmp_path):
    script = f"{WITHOUT_LOCKS} from soxsdark.cli import main; sys.exit(main(sys.argv[1:]))"
    done = python("-c", script, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"soxsdark: files are written on POSIX systems only .*\n", done.stderr)
    assert python("-c", script, *words, "--help", cwd=tmp_path).returncode == 0
