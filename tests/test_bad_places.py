"""Bad places: output folders, names, disks, and raws that must not be touched."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hostile import Case, check_refused, said, snapshot
from tests.interpreter import environment
from tests.products import PRODUCTS, names

LONG = "x" * 300


def pipe(place: Path) -> Path:
    os.mkfifo(place / "pipe")
    return place / "pipe"


def file(place: Path) -> Path:
    (place / "file").write_text("mine")
    return place / "file"


def loop(place: Path) -> Path:
    (place / "loop").symlink_to("loop")
    return place / "loop"


def dangling(place: Path) -> Path:
    (place / "dangling").symlink_to("/nowhere/at/all")
    return place / "dangling"


PLACES = {
    "file": (file, "it is not a folder"),
    "below a file": (lambda p: file(p) / "o", "Not a directory"),
    "pipe": (pipe, "it is not a folder"),
    "link to itself": (loop, "it is not a folder"),
    "link to nothing": (dangling, "it is not a folder"),
    "name of 300 letters": (lambda p: p / LONG, "File name too long"),
    "path beyond all length": (lambda p: p / ("d/" * 3000), "File name too long"),
    "no filesystem": (lambda p: Path("/proc/soxsdark"), "No such file or directory"),
    "device": (lambda p: Path("/dev/null"), "it is not a folder"),
}


@pytest.mark.parametrize(("make", "text"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("command", ["mdark", "subtract"])
def test_an_output_folder_that_cannot_be(night, tmp_path, capsys, make, text, command):
    place = tmp_path / "place"
    place.mkdir()
    output = make(place)
    before = snapshot(place)
    given = [night.sof] if command == "mdark" else [night.frames[0], "--dark", night.frames[1]]
    case = Case("", None, f"cannot be written: {text}; choose .* -o", 5, given)
    check_refused(case, night.sof.parent, output, capsys, command)
    assert snapshot(place) == before


NAMES = ["with blanks", "'quotes\" and `ticks`", "new\nline", "ünïcödé ☄", "-x", "\x1b[31mred",
         "$(touch evil)", "%s{0}", "y" * 240, os.fsdecode(b"not \xff utf-8")]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_folder_and_set(night, tmp_path, monkeypatch, capsys, name):
    """All of it works, and nothing of the name reaches the terminal raw."""
    monkeypatch.chdir(tmp_path)
    raw, stem = tmp_path / f"r{name}", name.lstrip("-")[:200]
    night.sof.parent.rename(raw)
    (raw / "darks.sof").rename(raw / f"{stem}.sof")
    page = ["--report"] if name in NAMES[1:3] else []
    arguments = ["mdark", "-o", f"o{name}", *page, "--", raw / f"{stem}.sof"]
    code, out, err = said(arguments, capsys)
    assert (code, err) == (0, "")
    assert all(c.isprintable() or c == "\n" for c in out)
    assert len(names(tmp_path / f"o{name}")) == 4 + len(page)
    log = (tmp_path / f"o{name}" / f"{stem}.log").read_text()
    assert all(c.isprintable() or c == "\n" for c in log)
    code, out, err = said(["record", "show", tmp_path / f"o{name}" / f"{stem}.json"], capsys)
    assert (code, err) == (0, "")
    assert all(c.isprintable() or c == "\n" for c in out)
    assert not (tmp_path / "evil").exists()


def test_a_set_whose_products_would_have_too_long_names(night, tmp_path, capsys):
    sof = night.sof.rename(night.sof.with_name("x" * 250 + ".sof"))
    case = Case("", None, "cannot be written: File name too long", 5, (sof,))
    check_refused(case, night.sof.parent, tmp_path / "o", capsys)
    assert names(tmp_path / "o") == []


@pytest.mark.parametrize("taken", PRODUCTS)
def test_a_folder_under_the_name_of_a_product(night, tmp_path, capsys, taken):
    (tmp_path / "o" / taken).mkdir(parents=True)
    case = Case("", None, f"{taken}: is a folder; move it away", 5, (night.sof, "-x"))
    check_refused(replace(case, extra=(taken,)), night.sof.parent, tmp_path / "o", capsys)


@pytest.mark.parametrize("overwrite", [(), ("-x",)])
def test_links_under_the_names_of_products_are_not_followed(night, tmp_path, capsys, overwrite):
    (tmp_path / "o").mkdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in PRODUCTS:
        (tmp_path / "o" / name).symlink_to(precious)
    code, _, err = said(["mdark", night.sof, "-o", tmp_path / "o", "-q", *overwrite], capsys)
    assert code == (0 if overwrite else 5), err
    assert precious.read_text() == "mine"
    assert all((tmp_path / "o" / name).is_symlink() != bool(overwrite) for name in PRODUCTS)


def test_a_link_to_a_folder_is_an_output_folder(night, tmp_path, capsys):
    (tmp_path / "real").mkdir()
    (tmp_path / "o").symlink_to("real")
    assert said(["mdark", night.sof, "-o", tmp_path / "o", "-q"], capsys) == (0, "", "")
    assert names(tmp_path / "real") == PRODUCTS


def test_products_beside_their_raws(night, capsys):
    """Output = input: nothing is harmed, and a second run of the folder knows its own products."""
    folder = night.sof.parent
    before = snapshot(folder)
    assert said(["mdark", night.sof, "-o", folder, "-q"], capsys) == (0, "", "")
    after = snapshot(folder)
    assert {path: after[path] for path in before} == before
    night.truth.unlink()
    night.bad_pixel_map.unlink()
    assert said(["mdark", folder, "-o", folder, "-q"], capsys) == (0, "", "")
    assert {path: snapshot(folder)[path] for path in map(str, night.frames)} == {
        path: before[path] for path in map(str, night.frames)
    }


# Disks


def unshared(script: str, *arguments) -> subprocess.CompletedProcess:
    """Run a script of the shell as root of a namespace, where disks can be mounted."""
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-euc", script, "sh", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, check=False, env=environment(),
    )  # fmt: skip


@pytest.fixture(scope="module")
def mounts(tmp_path_factory) -> None:
    place = tmp_path_factory.mktemp("mount")
    if shutil.which("unshare") is None or unshared('mount -t tmpfs none "$1"', place).returncode:
        pytest.skip("the system does not let a test mount a disk")


RUN = f'{sys.executable} -m soxsdark mdark "$1/darks.sof" -o "$2/o" -q && code=0 || code=$?; '


@pytest.mark.parametrize("kib", [4, 16, 40, 80, 160, 240, 300])
def test_a_disk_that_is_full(mounts, night, tmp_path, kib):
    """Whichever file it hits: one line, and no file under the name of a product."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f'mount -t tmpfs -o size={kib}k none "$2"; {RUN} find "$2" -type f; exit $code'
    before = snapshot(night.sof.parent)
    done = unshared(script, night.sof.parent, disk)
    assert done.returncode == 5, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    line = r"soxsdark: \S+: cannot be written: No space left on device; make room, .* with -o\n"
    assert re.fullmatch(line, done.stderr)
    assert {Path(p).name for p in done.stdout.split()} <= {"darks_FAILED.json", "darks_FAILED.log"}
    assert snapshot(night.sof.parent) == before


def test_a_folder_that_cannot_be_written(mounts, night, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = unshared(f'mount -t tmpfs -o ro none "$2"; {RUN} exit $code', night.sof.parent, disk)
    assert done.returncode == 5
    assert done.stderr == (
        f"soxsdark: {disk}/o: cannot be written: Read-only file system; choose a writable folder "
        "with -o\n"
    )


def test_raws_on_a_disk_that_cannot_be_written(mounts, night, tmp_path):
    script = (
        f'mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; ! touch "$1/x" 2>/dev/null; {RUN}'
        f'{sys.executable} -m soxsdark mdark "$1/darks.sof" -o "$1" -q && b=0 || b=$?; '
        "echo $code $b"
    )
    done = unshared(script, night.sof.parent, tmp_path)
    assert done.stdout == "0 5\n", done
    assert done.stderr.endswith("Read-only file system; choose a writable folder with -o\n")
    assert names(tmp_path / "o") == PRODUCTS
