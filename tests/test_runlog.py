"""The log of a run: one line an event, every warning in it, and what it says of a mixed set."""

import errno
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark import mbias, mdark, recipe, runlog
from soxsdark.cli import main
from soxsdark.errors import InputError, ProductError
from soxsdark.logging_settings import LoggingSettings
from soxsdark.simulator import Scene, simulate
from tests.products import names
from tests.records import content, left_by, stopping

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) [ -~]+")
OTHER = "0123456789abcdef" * 2


def lines(log: Path) -> list[str]:
    return log.read_bytes().decode("utf-8").split("\n")[:-1]


def test_every_line_is_an_event_in_utc(night, tmp_path):
    log = mdark(night.sof, output=tmp_path, command=["soxsdark", "mdark", "a\n\x1b[1mb"]).log
    assert all(LINE.fullmatch(line) for line in lines(log))
    assert lines(log)[1].endswith("INFO command: soxsdark mdark 'a | \\x1b[1mb'")
    record = content(tmp_path / "darks.json")
    for product in record["products"]:
        said = f"product {product['name']}: {product['size']} bytes, SHA-256 {product['sha256']}"
        assert any(line.endswith(said) for line in lines(log))
    assert lines(log)[-1].endswith("done, QA flag GOOD")


def test_an_error_of_several_lines_is_one(night, edit, tmp_path):
    edit(night.frames[0], EXPTIME=10.0, ESO_DET_SEQ1_DIT=10.0)
    with pytest.raises(InputError, match="not of one setup") as error:
        mdark(night.sof, output=tmp_path)
    found = lines(tmp_path / "darks_FAILED.log")
    assert all(LINE.fullmatch(line) for line in found)
    assert found[-1].split(" ERROR ")[1] == " | ".join(str(error.value).splitlines())


@pytest.mark.parametrize(
    ("error", "said"), [(KeyboardInterrupt(), "interrupted"), (SystemExit(143), "terminated")]
)
def test_a_run_that_is_stopped_says_so(night, tmp_path, error, said):
    record = left_by(error, night.sof, tmp_path, progress=stopping(error))
    found = lines(record.with_suffix(".log"))
    assert found[-1].endswith(f" ERROR {said}")
    assert all(LINE.fullmatch(line) for line in found)


def test_a_traceback_is_in_the_log_and_nowhere_else(night, tmp_path, monkeypatch, capfd):
    def broken(*_arguments):
        raise ZeroDivisionError("on purpose\n\x1b[31mred")

    monkeypatch.setattr("soxsdark.reduction.judge", broken)
    assert main(["mdark", str(night.sof), "-o", str(tmp_path)]) == 70
    text = (tmp_path / "darks_FAILED.log").read_text()
    assert text.count("Traceback") == 1
    assert "ERROR on purpose | \\x1b[31mred\n" in text
    assert "\x1b" not in text
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err + (tmp_path / "darks_FAILED.json").read_text()


def test_every_warning_is_in_it(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(192, 192), hot_fraction=0.03, header_gain=4.6))
    result = mdark(made.sof, output=tmp_path / "o")
    assert result.record["warnings"]
    text = result.log.read_text()
    assert all(f"WARNING {warning}\n" in text for warning in result.record["warnings"])


def test_what_libraries_warn_of_is_in_it_and_nowhere_else(night, tmp_path, monkeypatch, capfd):
    reduce_set = recipe.reduce_set

    def warning(*arguments):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("a card is\nodd", UserWarning, stacklevel=1)
        return reduce_set(*arguments)

    monkeypatch.setattr(recipe, "reduce_set", warning)
    before = warnings.showwarning
    result = mdark(night.sof, output=tmp_path)
    assert warnings.showwarning is before
    told = [line for line in lines(result.log) if "WARNING" in line]
    assert len(told) == 1
    assert "UserWarning: a card is | odd (" in told[0]
    assert capfd.readouterr() == ("", "")


def test_no_level_of_the_settings_keeps_warnings_out(tmp_path):
    settings = LoggingSettings(file_level=50)
    with runlog.run_log(tmp_path / "a.log", settings, "a") as logger:
        logger.info("no")
        logger.warning("yes")
    assert [line.split("Z ")[1] for line in lines(tmp_path / "a.log")] == ["WARNING yes"]


class Full(io.StringIO):
    """A file on a disk that is full after some lines."""

    def write(self, text: str) -> int:
        if self.tell() > 300:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_ends_the_run(night, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(runlog._LogFile, "_open", lambda self: Full())
    with pytest.raises(ProductError, match=r"darks\.log: cannot be written: No space left") as e:
        mdark(night.sof, output=tmp_path)
    assert e.value.exit_code == 5
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.glob("*.fits"))


# A mixed set


def warned(log: Path) -> list[str]:
    return [line.split(" WARNING ")[1] for line in lines(log) if " WARNING " in line]


def test_a_mixed_set_is_told_in_the_log(night, tmp_path):
    first = mdark(night.sof, output=tmp_path)
    with fits.open(first.mask, mode="update") as hdus:
        hdus[0].header["ESO PRO RUNID"] = OTHER
    run = content(first.record_file)["run-id"]
    again = mdark(night.sof, output=tmp_path, overwrite=True)
    assert warned(again.log) == [
        f"{tmp_path}: a mixed set, left by a run that was stopped; trust none of it: "
        f"darks.json of run {run}, darks_MDARK.fits of run {run}, darks_BPM.fits of run {OTHER}"
    ]
    assert warned(mdark(night.sof, output=tmp_path, overwrite=True).log) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "darks.json").unlink(), "darks.json missing, "),
        (lambda folder: (folder / "darks.json").write_text("[1"), "darks.json damaged, "),
        (lambda folder: (folder / "darks.json").write_text("{}"), "darks.json of run None, "),
        (lambda folder: (folder / "darks_BPM.fits").write_text(""), "darks_BPM.fits damaged"),
    ],
)
def test_other_remains(night, tmp_path, harm, said):
    mdark(night.sof, output=tmp_path)
    harm(tmp_path)
    [warning] = warned(mdark(night.sof, output=tmp_path, overwrite=True).log)
    assert said in warning


def test_products_of_which_some_are_gone_are_not_mixed(night, tmp_path):
    mdark(night.sof, output=tmp_path)
    (tmp_path / "darks_BPM.fits").unlink()
    assert warned(mdark(night.sof, output=tmp_path, overwrite=True).log) == []


def test_biases_are_looked_at_too(tmp_path):
    made = simulate(tmp_path / "n", Scene(shape=(96, 96), arm="VIS", exptime=0.0))
    result = mbias(made.sof, output=tmp_path / "o")
    result.record_file.unlink()
    [warning] = warned(mbias(made.sof, output=tmp_path / "o", overwrite=True).log)
    assert "biases_MBIAS.json missing, biases_MBIAS.fits of run " in warning


def test_a_run_killed_between_two_products(night, tmp_path):
    mdark(night.sof, output=tmp_path / "o")
    script = (
        "import os, sys\nfrom soxsdark import mdark\nreplace = os.replace\n"
        "def dying(source, target):\n"
        "    replace(source, target)\n"
        "    if str(target).endswith('_MDARK.fits'): os._exit(9)\n"
        "os.replace = dying\n"
        "mdark(sys.argv[1], output=sys.argv[2], overwrite=True)\n"
    )
    argv = [sys.executable, "-c", script, str(night.sof), str(tmp_path / "o")]
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    assert subprocess.run(argv, env=environment, check=False).returncode == 9
    old = content(tmp_path / "o" / "darks.json")["run-id"]
    new = fits.getheader(tmp_path / "o" / "darks_MDARK.fits")["ESO PRO RUNID"]
    assert old != new
    [warning] = warned(mdark(night.sof, output=tmp_path / "o", overwrite=True).log)
    assert f"darks.json of run {old}, darks_MDARK.fits of run {new}" in warning
    assert names(tmp_path / "o") == [
        "darks.json",
        "darks.log",
        "darks_BPM.fits",
        "darks_MDARK.fits",
    ]
