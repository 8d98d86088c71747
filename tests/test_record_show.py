"""A record as a person sees it, and whether the products beside it are still those of the run."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from astropy.io import fits
from click.testing import CliRunner

from soxsdark.commands.record import record as command
from soxsdark.errors import InputError
from soxsdark.record_check import states
from soxsdark.record_file import LARGEST, read_record
from soxsdark.record_text import record_text
from tests.records import content

OTHER = "0123456789abcdef" * 2


def shown(path: Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(command, ["show", str(path)], standalone_mode=False)
    assert done.exception is None
    return done.return_value, done.stdout, done.stderr


@pytest.fixture
def folder(runs, tmp_path) -> Path:
    """A copy of the products, to be changed at will."""
    shutil.copytree(runs.folder / "o", tmp_path / "o")
    return tmp_path / "o"


def test_verdict_first_then_the_rest(runs):
    code, out, err = shown(runs.records["mdark"])
    assert (code, err) == (0, "")
    assert out.startswith("QA FLAG GOOD\n\nrun ")
    titles = (
        "\nsetup\n",
        "\nframes\n",
        "\nquality\n",
        "\nsettings (",
        "\ninputs\n",
        "\nproducts\n",
    )
    places = [out.index(title) for title in titles]
    assert places == sorted(places)
    whole = content(runs.records["mdark"])
    for frame in whole["frames"]:
        assert f"{frame['path']}  {frame['sha256'][:12]}" in out
    assert f"{whole['metrics']['RAW RON']['value']:.3f}" in out
    assert "settings.yaml:4 (vis)" in out
    assert out.count("as recorded") == 2


def test_every_input_is_listed(runs):
    _, out, _ = shown(runs.records["mdark"])
    record = content(runs.records["mdark"])
    others = {
        "bad-pixel map": "bad-pixel-map",
        "master bias": "master-bias",
        "previous master": "previous-master",
        "instrument profile": "instrument-profile-file",
    }
    for what, key in others.items():
        file = record[key]
        row = rf"\n{what} +{re.escape(file['path'])} +{file['sha256'][:12]}\n"
        assert re.search(row, out), what


def test_a_verdict_says_why(folder):
    record = content(folder / "darks.json")
    why = "MDARK MEDIAN is 1, expected at most -8000"
    record["qa-flag"] = "BAD"
    record["metrics"]["MDARK MEDIAN"] |= {"verdict": "BAD", "why": why}
    record["warnings"] = [why, "the lamp was on"]
    (folder / "darks.json").write_text(json.dumps(record))
    _, out, _ = shown(folder / "darks.json")
    assert out.startswith(f"QA FLAG BAD\nwarning: {why}\n\nrun")
    assert out.count(why) == 1
    assert "\nwarning: the lamp was on\n" in out


def test_several_amplifiers_have_their_table(runs):
    _, out, _ = shown(runs.records["two amplifiers"])
    assert re.search(r"\nleft +1\.5 +4 +\d\.\d\d\nright +2 +6 +\d\.\d\d\n", out)
    assert "\namplifiers\n" not in shown(runs.records["mdark"])[1]


def test_other_kinds(runs):
    code, out, _ = shown(runs.records["mbias"])
    assert (code, out.count("as recorded")) == (0, 1)
    code, out, _ = shown(runs.records["subtract"])
    assert (code, out.count("as recorded")) == (0, 1)
    assert out.startswith(f"DONE: {runs.dark.master.absolute()} taken off, times 1\n")


@pytest.mark.parametrize("kind", ["failed", "failed subtract", "interrupted", "terminated", "bug"])
def test_a_failure_shows_its_error(runs, kind):
    error = content(runs.records[kind])["error"]
    code, out, _ = shown(runs.records[kind])
    assert code == 0
    assert out.startswith(f"FAILED, exit code {error['exit-code']}: {error['message']}\n\nrun ")
    assert error["type"] in out
    assert (error["where"] or "\ninputs\n") in out
    assert "\nproducts\n" not in out


def test_a_failure_without_inputs(runs, tmp_path):
    record = content(runs.records["failed"]) | {"inputs": []}
    (tmp_path / "r.json").write_text(json.dumps(record))
    code, out, _ = shown(tmp_path / "r.json")
    assert code == 0
    assert re.search(r"^inputs\n\nfile +tag\n", out, re.MULTILINE)


def replaced_byte(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-4000] ^= 1
    path.write_bytes(whole)


def of_another_run(path: Path) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["ESO PRO RUNID"] = OTHER


def of_no_run(path: Path) -> None:
    fits.PrimaryHDU().writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (replaced_byte, "changed since"),
        (of_another_run, f"of another run, {OTHER}"),
        (of_no_run, "of another run, unknown"),
        (Path.unlink, "missing"),
        (lambda path: path.write_text("no FITS"), "cannot be read (damaged)"),
        (
            lambda path: (path.unlink(), os.mkfifo(path)),
            "cannot be read (is a pipe, socket or device, expected a regular file)",
        ),
    ],
)
def test_products_that_are_not_those_of_the_run(folder, harm, said):
    harm(folder / "darks_BPM.fits")
    code, out, err = shown(folder / "darks.json")
    assert code == 4
    assert err == f"soxsdark: {folder / 'darks_BPM.fits'}: {said}\n"
    assert f"  {said}\n" in out + "\n"
    assert out.count("as recorded") == 1


def test_a_mixed_pair_is_told_although_the_checksum_holds(folder):
    record = content(folder / "darks.json")
    record["run-id"] = OTHER
    (folder / "darks.json").write_text(json.dumps(record))
    code, _, err = shown(folder / "darks.json")
    assert code == 4
    assert err.count("of another run") == 2


def test_nothing_reaches_the_terminal_raw(folder):
    record = content(folder / "darks.json")
    record["remarks"] = ["\x1b[2J\x07 cleared\r"]
    record["frames"][0]["path"] = "/n/\x1b]0;x\x07.fits"
    record["metrics"]["\x1b[31mRON"] = record["metrics"]["RAW RON"]
    record["settings"]["gain"] = {"value": "\x9b31m", "origin": "\x1b[1m"}
    (folder / "darks.json").write_text(json.dumps(record))
    code, out, _ = shown(folder / "darks.json")
    assert code == 0
    assert all(letter.isprintable() or letter == "\n" for letter in out)


def test_a_name_that_is_not_utf8(folder, runs):
    record = content(folder / "darks.json")
    record["frames"][0]["path"] = "/n/d\udce9.fits"
    (folder / "darks.json").write_text(json.dumps(record))
    assert r"/n/d\udce9.fits" in shown(folder / "darks.json")[1]


@pytest.mark.parametrize(
    "name", ["../o/darks_BPM.fits", "/etc/passwd", "..", "", "a\0b", "a" * 256]
)
def test_no_file_is_looked_at_outside_the_folder(folder, name):
    record = content(folder / "darks.json")
    record["products"][0]["name"] = name
    (folder / "darks.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="products: 0: name: expected a file name without folders"):
        read_record(folder / "darks.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100000, "is not JSON"),
        (b'{"a": ' * 900 + b"1" + b"}" * 900, "program is missing"),
        (b"[1]", r"holds a list, expected a record \(a JSON object\)"),
        (b'"\\u001b[31m"', r'holds "\\u001b\[31m", expected'),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b"9" * 5000, "is not JSON"),
        (b"{}", "is no record of soxsdark: program is missing"),
        (b'{"program": "other", "succeeded": false}', "program: Input should be 'soxsdark'"),
        (b" " * (LARGEST + 1), f"larger than {LARGEST} bytes"),
    ],
)
def test_what_is_no_record(tmp_path, text, said):
    (tmp_path / "r.json").write_bytes(text)
    with pytest.raises(InputError, match=said) as error:
        read_record(tmp_path / "r.json")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < len(str(tmp_path)) + 300


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"no\.json: cannot be read \(No such file"):
        read_record(tmp_path / "no.json")
    with pytest.raises(InputError, match=r"cannot be read \(is a folder"):
        read_record(tmp_path)
    with pytest.raises(InputError, match="is not a possible file name|cannot be read"):
        read_record("a\0b")


def test_from_python(runs):
    record = read_record(runs.records["mdark"])
    found = states(runs.folder / "o", record.products, record.run_id)
    assert [state.holds for state in found] == [True, True]
    assert record.frames[0].sha256[:12] in record_text(record, found)


def test_the_schema_is_printed():
    done = CliRunner().invoke(command, ["schema"], standalone_mode=False)
    assert json.loads(done.stdout)["$schema"].startswith("https://json-schema.org/")
