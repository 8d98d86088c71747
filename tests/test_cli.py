"""The command line: what it prints, where, and with which exit code it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from astropy.io import fits

from soxsdark import screen
from soxsdark.cli import cli, main
from soxsdark.compiled import SWITCH, path_in_use
from soxsdark.settings import default_settings_text
from soxsdark.simulator import Scene, simulate
from soxsdark.version import __version__

SOURCE = Path(__file__).resolve().parent.parent


def every_command(command: click.Command = cli, *words: str) -> Iterator[list[str]]:
    yield list(words)
    if isinstance(command, click.Group):
        with click.Context(command) as here:
            for name in command.list_commands(here):
                yield from every_command(command.get_command(here, name), *words, name)


COMMANDS = list(every_command())


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


def environment(**more: str) -> dict[str, str]:
    paths = [str(SOURCE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def python(*arguments, **more) -> subprocess.CompletedProcess:
    argv = [sys.executable, *map(str, arguments)]
    options = {"capture_output": True, "text": True, "env": environment(), "check": False}
    return subprocess.run(argv, timeout=60, **options | more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


PRODUCTS = ["darks.json", "darks.log", "darks_BPM.fits", "darks_MDARK.fits"]
FAILED = ["darks_FAILED.json", "darks_FAILED.log"]

# Help


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


@pytest.mark.parametrize("slow", [False, True])
def test_the_log_tells_the_path_once(command, night, tmp_path, monkeypatch, slow):
    if slow:
        monkeypatch.setenv(SWITCH, "numpy")
    assert command("mdark", night.sof, "-o", tmp_path)[0] == 0
    assert (tmp_path / "darks.log").read_text().count(path_in_use()) == 1


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


@pytest.mark.parametrize("folder", [False, True])
def test_every_header_is_read_once(command, night, tmp_path, monkeypatch, folder):
    read = Counter()

    def counted(function):
        def count(file, *arguments, **options):
            # the name of an open file may be its descriptor
            read[os.stat(file if isinstance(file, str | Path) else file.name).st_ino] += 1
            return function(file, *arguments, **options)

        return count

    for name in ("open", "getheader", "getdata"):
        monkeypatch.setattr(fits, name, counted(getattr(fits, name)))
    mask = tmp_path / "map.fits"
    night.bad_pixel_map.rename(mask)
    inputs = night.sof.parent if folder else night.sof
    code, _, err = command("mdark", inputs, "-o", tmp_path / "o", "--bad-pixel-map", mask)
    assert (code, err) == (0, "")
    assert [read[path.stat().st_ino] for path in (mask, *night.frames)] == [1] * 6


# Runs


def test_run_as_a_module(night, tmp_path):
    done = python("-m", "soxsdark", "mdark", night.sof, "-o", "o", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert names(tmp_path / "o") == PRODUCTS
    assert done.stdout.splitlines()[-4:] == [
        "o/darks_MDARK.fits", "o/darks_BPM.fits", "o/darks.json", "o/darks.log",
    ]  # fmt: skip


def test_output_is_the_current_folder_by_default(command, night, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert command("mdark", night.sof)[0] == 0
    assert names(tmp_path / "here") == PRODUCTS


def test_tables(command, night, tmp_path):
    code, out, err = command("mdark", night.sof, "-o", tmp_path)
    assert (code, err) == (0, "")
    frames, results, paths = out.strip().split("\n\n")
    head, rule, *rows = frames.splitlines()
    assert re.split(r" {2,}", head.strip()) == [
        "file", "exposure [s]", "level [e-]", "RON [e-]", "clipped pixels",
    ]  # fmt: skip
    assert set(rule) == {"-", " "}
    cells = [row.split() for row in rows]
    assert [c[0] for c in cells] == [path.name for path in night.frames]
    assert {c[1] for c in cells} == {"300"}
    # a read noise of 7.3, 3 e- of dark: 7.5
    assert all(7.2 < float(c[3]) < 7.9 for c in cells)
    lines = results.splitlines()
    assert lines[0].split() == ["name", "value", "error", "unit"]
    assert re.search(r"^QA FLAG +GOOD +-$", results, re.MULTILINE)
    assert re.search(r"^RAW RON +7\.\d+ +0\.0\d+ +electron$", results, re.MULTILINE)
    assert paths.splitlines() == [
        str(tmp_path / f"darks{end}") for end in ("_MDARK.fits", "_BPM.fits", ".json", ".log")
    ]
    assert "\x1b" not in out


def test_quiet_prints_nothing(command, night, tmp_path):
    assert command("mdark", night.sof, "-o", tmp_path / "o", "-q") == (0, "", "")
    assert names(tmp_path / "o") == PRODUCTS


def test_verbose_prints_remarks_and_times(command, night, tmp_path):
    _, plain, _ = command("mdark", night.sof, "-o", tmp_path / "a")
    code, out, _ = command("mdark", night.sof, "-o", tmp_path / "b", "-V")
    assert code == 0
    assert "remark: not trimmed: shape 96x128" in out
    assert re.search(r"^combine: \d+\.\d\d s$", out, re.MULTILINE)
    assert "remark:" not in plain
    assert "combine:" not in plain


def test_quiet_and_verbose_exclude_each_other(command, night, tmp_path):
    code, _, err = command("mdark", night.sof, "-q", "-V", "-o", tmp_path / "o")
    assert code == 2
    assert "-q and -V" in err
    assert not (tmp_path / "o").exists()


def test_existing_product_needs_overwrite(command, night, tmp_path):
    out = tmp_path / "o"
    assert command("mdark", night.sof, "-o", out, "-q")[0] == 0
    before = (out / "darks.json").read_bytes()
    code, shown, err = command("mdark", night.sof, "-o", out)
    assert (code, shown) == (5, "")
    assert len(err.splitlines()) == 1
    assert "darks_MDARK.fits" in err
    assert "-x" in err
    assert (out / "darks.json").read_bytes() == before
    assert command("mdark", night.sof, "-o", out, "-q", "-x") == (0, "", "")
    assert (out / "darks.json").read_bytes() != before
    assert names(out) == PRODUCTS


def test_record_knows_the_command(command, night, tmp_path):
    command("mdark", night.sof, "-o", tmp_path / "o", "-q")
    text = (tmp_path / "o" / "darks.json").read_text()
    assert f'"{night.sof}"' in text
    assert '"-q"' in text


def test_folder_and_files(command, night, tmp_path):
    assert command("mdark", *night.frames, "-o", tmp_path / "o", "-q")[0] == 0
    assert "night_MDARK.fits" in names(tmp_path / "o")
    night.truth.unlink()
    night.bad_pixel_map.unlink()
    assert command("mdark", night.sof.parent, "-o", tmp_path / "p", "-q")[0] == 0
    assert "night_MDARK.fits" in names(tmp_path / "p")


# Settings


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


# What goes wrong


@pytest.mark.parametrize(
    "arguments", [["mdark", "--colour"], ["mdark"], ["darks"], ["mdark", "a.sof", "-o"]]
)
def test_wrong_usage(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert not err.startswith("Traceback")


def test_no_arguments_show_help(command):
    code, out, err = command()
    assert code in (0, 2)
    assert "Usage: soxsdark" in out + err


def test_missing_sof(command, tmp_path):
    code, out, err = command("mdark", tmp_path / "none.sof", "-o", tmp_path / "o")
    assert (code, out) == (4, "")
    assert re.fullmatch(r"soxsdark: \S*none\.sof: no such file.*\n", err)


def test_wrong_frame(command, night, tmp_path, edit):
    edit(night.frames[1], lambda p: np.full(p.shape, np.nan, "f4"))
    for quiet in ((), ("-q",)):
        code, out, err = command("mdark", night.sof, "-o", tmp_path / "o", *quiet)
        assert (code, out) == (4, "")
        assert re.fullmatch(r"soxsdark: \S*NIR_dark_002\.fits: 100 % .*NaN.*\n", err)
    assert names(tmp_path / "o") == FAILED


def test_mixed_setups_show_a_table(command, night, tmp_path, edit):
    edit(night.frames[1], EXPTIME=10.0)
    code, _, err = command("mdark", night.sof, "-o", tmp_path / "o")
    assert code == 4
    assert "exposure time" in err.splitlines()[0]
    assert re.search(r"exposure time +10\.0 +1 +\S*NIR_dark_002", err)


def test_partial_quality(command, tmp_path):
    scene = Scene(shape=(192, 192), hot_fraction=0.03, header_gain=4.6)
    files = simulate(tmp_path / "n", scene)
    code, out, err = command("mdark", files.sof, "-o", tmp_path / "a")
    assert (code, err) == (11, "")
    assert re.search(r"^warning: GAIN SLOPE is [12]\.\d+ .*gain of 4\.6", out, re.MULTILINE)
    assert re.search(r"^QA FLAG +PARTIAL", out, re.MULTILINE)
    code, out, err = command("mdark", files.sof, "-o", tmp_path / "b", "-q")
    assert (code, out) == (11, "")
    # a gain twice too high doubles both
    lines = err.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"soxsdark: \S*darks_MDARK\.fits: RAW RON is .*gain of 4\.6.*", lines[0])
    assert re.fullmatch(r"soxsdark: \S*darks_MDARK\.fits: GAIN SLOPE is .*", lines[1])
    assert fits.getheader(tmp_path / "b" / "darks_MDARK.fits")["ESO QC GAIN SLOPE"] > 1.5


def test_bug_is_one_line_and_a_traceback_in_the_log(command, night, tmp_path, monkeypatch):
    def broken(*arguments):
        raise ZeroDivisionError("on purpose\nin two lines")

    monkeypatch.setattr("soxsdark.reduction.judge", broken)
    code, out, err = command("mdark", night.sof, "-o", tmp_path)
    assert (code, out) == (70, "")
    log = re.escape(str(tmp_path / "darks_FAILED.log"))
    assert re.fullmatch(rf"soxsdark: a bug in soxsdark \(Zero[^)]* at .*\); see {log}\n", err)
    assert "Traceback" in (tmp_path / "darks_FAILED.log").read_text()
    assert not (tmp_path / "darks.json").exists()


def test_bug_of_a_command_without_a_log_names_none(command, monkeypatch):
    monkeypatch.setattr("soxsdark.settings_schema.settings_schema_text", lambda: 1 / 0)
    code, out, err = command("settings", "schema")
    assert (code, out) == (70, "")
    assert re.fullmatch(r"soxsdark: a bug in soxsdark \(Zero[^)]* at .*: division by zero\)\n", err)


def test_orphans_of_a_killed_run_are_swept(command, night, tmp_path):
    orphan = tmp_path / "o" / ".soxsdark-abcdefgh"
    orphan.mkdir(parents=True)
    (orphan / "darks_MDARK.fits").write_text("half")
    assert command("mdark", night.sof, "-o", tmp_path / "o", "-q")[0] == 0
    assert names(tmp_path / "o") == PRODUCTS


# Signals


@pytest.fixture(scope="module")
def long_set(tmp_path_factory):
    scene = Scene(shape=(1024, 1024), frames=8, noisy_fraction=0.0, telegraph_fraction=0.0)
    return simulate(tmp_path_factory.mktemp("long"), scene)


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_signals(long_set, tmp_path, sent, code, said):
    argv = [sys.executable, "-m", "soxsdark", "mdark", str(long_set.sof), "-o", str(tmp_path)]
    # a background job of a shell without job control has SIGINT ignored; a person's has not
    process = subprocess.Popen(
        argv, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 30
    # its first line shows that the run is under way; an empty log, that it is about to be
    while not any(p.stat().st_size for p in tmp_path.glob(".soxsdark-*/darks.log")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    # after ^C click ends the line of the terminal first; Python may tell of a dropped exception
    assert out == ""
    assert err.endswith(f"soxsdark: {said}\n")
    assert names(tmp_path) == FAILED
    assert f'"exit-code": {code}' in (tmp_path / "darks_FAILED.json").read_text()


# The simulator


def test_simulate_then_reduce(command, tmp_path):
    arguments = ("simulate", tmp_path / "n", "--shape", "64x80", "--frames", 4, "--seed", 9)
    code, out, err = command(*arguments, "--exptime", 100, "--arm", "VIS", "--list-bad-pixel-map")
    assert (code, err) == (0, "")
    assert out.split() == [str(tmp_path / "n" / n) for n in ("darks.sof", "bpm.fits", "truth.fits")]
    header = fits.getheader(tmp_path / "n" / "VIS_dark_004.fits")
    assert (header["EXPTIME"], header["NAXIS1"], header["NAXIS2"]) == (100.0, 80, 64)
    assert command("mdark", tmp_path / "n" / "darks.sof", "-o", tmp_path, "-q") == (0, "", "")
    code, _, err = command(*arguments)
    assert code == 5
    assert "exists already" in err


def test_simulate_has_an_option_for_everything(command):
    _, out, _ = command("simulate", "--help")
    for option in ("arm", "frames", "exptime", "seed", "shape", "glow", "light-leak", "dtype"):
        assert f"--{option} " in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--shape", "64"], "64"), (["--frames", "0"], "frames"), (["--arm", "XIR"], "XIR")],
)
def test_wrong_scene(command, tmp_path, arguments, said):
    code, out, err = command("simulate", tmp_path / "n", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "n").exists()


# The bar


def test_bar_shows_on_a_terminal_and_for_long_runs_only(capsys, monkeypatch):
    def shown(terminal: bool, patience: float) -> str:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
        monkeypatch.setattr(screen, "PATIENCE", patience)
        progress = screen.Progress()
        for step in range(1, 4):
            progress("frames", step, 3)
        progress.close()
        captured = capsys.readouterr()
        assert captured.out == ""
        return captured.err

    assert "frames" in shown(True, -1)
    assert shown(True, 1000) == ""
    assert shown(False, -1) == ""
