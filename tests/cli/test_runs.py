"""Runs of `soxsdark mdark`: what is read, printed and recorded."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from astropy.io import fits

from soxsdark.compiled import SWITCH, path_in_use
from tests.interpreter import python
from tests.products import PRODUCTS, names


@pytest.mark.parametrize("slow", [False, True])
def test_the_log_tells_the_path_once(command, night, tmp_path, monkeypatch, slow):
    if slow:
        monkeypatch.setenv(SWITCH, "numpy")
    assert command("mdark", night.sof, "-o", tmp_path)[0] == 0
    assert (tmp_path / "darks.log").read_text().count(path_in_use()) == 1


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
