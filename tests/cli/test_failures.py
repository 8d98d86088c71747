"""What goes wrong: one line, the exit code, and what is left."""

import re
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from soxsdark.simulator import Scene, simulate
from tests.interpreter import environment
from tests.products import FAILED, PRODUCTS, names


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


@pytest.mark.parametrize("closed", ["2>&-", "0<&- >&- 2>&-"])
def test_closed_streams_cost_nothing(night, tmp_path, closed):
    arguments = [sys.executable, "-m", "soxsdark", "mdark", night.sof, "-o", tmp_path / "o"]
    script = ["sh", "-c", f'exec "$@" {closed}', "sh", *map(str, arguments)]
    done = subprocess.run(script, capture_output=True, env=environment(), timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert names(tmp_path / "o") == PRODUCTS


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
