"""The text of a SOF, and what inputs stand for."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.errors import InputError
from soxsdark.sof import (
    Entry,
    is_fits_name,
    parse_sof,
    read_inputs,
    read_sof,
    tag_arm,
    write_sof,
)


def touch(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return [folder / name for name in names]


def sof(folder: Path, text: str | bytes, name: str = "night.sof") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("line", "path", "tag"),
    [
        ("a.fits DARK_NIR", "a.fits", "DARK_NIR"),
        ("a.fits", "a.fits", None),
        (" \t a.FIT \t  DARK  ", "a.FIT", "DARK"),
        ("a.fits\u00a0DARK", "a.fits", "DARK"),
        ("raw/Dark 007 (1).fit DARK", "raw/Dark 007 (1).fit", "DARK"),
        ("my DARK.Fts", "my DARK.Fts", None),
        ("a.fits.gz BP_MAP_RP_NIR", "a.fits.gz", "BP_MAP_RP_NIR"),
        ("a.fits.fz", "a.fits.fz", None),
        ("a.fits b.fits DARK", "a.fits b.fits", "DARK"),
        ("a.fits DARK # from Tuesday", "a.fits", "DARK"),
        ("a.fits # DARK", "a.fits", None),
        ("dark #2.fits DARK", "dark #2.fits", "DARK"),
    ],
)
def test_line_is_path_then_optional_tag(line, path, tag):
    assert parse_sof(line) == (Entry(Path(path), tag, 1),)


def test_blank_lines_comments_crlf_and_bom_keep_line_numbers(tmp_path):
    path = sof(tmp_path, b"\xef\xbb\xbfa.fits DARK\r\n\r\n# note\r\n  # more\r\nb.fits DARK\r\n")
    assert read_sof(path) == (Entry(Path("a.fits"), "DARK", 1), Entry(Path("b.fits"), "DARK", 5))


@pytest.mark.parametrize("name", ["a.fits", "a.FIT", "a.fts", "a.fits.gz", "x/a.Fit.FZ"])
def test_fits_names(name):
    assert is_fits_name(name)


@pytest.mark.parametrize("name", ["a.txt", ".fits", "a.gz", "fits", "a.fits.bz2", "a.fits/b"])
def test_other_names_are_not_fits(name):
    assert not is_fits_name(name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.fits FLAT_NIR", "SOF line 2: unknown tag 'FLAT_NIR', expected one of DARK, DARK_<ARM>"),
        ("a.fits dark_nir", "line 2: unknown tag 'dark_nir'"),
        ("a.fits MASTER_DARK_NIR", "unknown tag 'MASTER_DARK_NIR'"),
        ("notes.txt DARK", "line 2: 'notes.txt DARK' is no path of a FITS file"),
        ("DARK", "line 2: 'DARK' is no path of a FITS file"),
    ],
)
def test_wrong_line_is_named(line, message):
    with pytest.raises(InputError, match=message):
        parse_sof("ok.fits\n" + line)


@pytest.mark.parametrize(("tag", "arm"), [("DARK_NIR", "NIR"), ("DARK", None), (None, None)])
def test_arm_of_a_tag(tag, arm):
    assert tag_arm(tag) == arm


def test_a_relative_path_is_looked_up_beside_the_sof_first(tmp_path, monkeypatch):
    beside, here = tmp_path / "beside", tmp_path / "here"
    touch(beside, "both.fits")
    touch(here, "both.fits", "only.fits")
    monkeypatch.chdir(here)
    found = read_inputs(sof(beside, "both.fits DARK\nonly.fits\n"))
    assert [entry.path for entry in found.frames] == [beside / "both.fits", Path("only.fits")]


def test_sof_gives_name_frames_and_map(tmp_path):
    frame, other, bad = touch(tmp_path, "a.fits", "b.fits", "map.fits")
    path = sof(tmp_path, "a.fits DARK_NIR\nmap.fits BP_MAP_NIR\nb.fits\n")
    found = read_inputs(str(path))
    assert found.name == "night"
    assert found.frames == (Entry(frame, "DARK_NIR", 1), Entry(other, None, 3))
    assert found.bad_pixel_map == Entry(bad, "BP_MAP_NIR", 2)
    assert found.source == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "night.sof: names no raw frame"),
        ("# nothing\n", "names no raw frame"),
        ("m.fits BP_MAP_NIR\n", "names no raw frame"),
        ("a.fits\ngone.fits DARK\n", "night.sof line 2: gone.fits: no such file beside the SOF"),
        ("/gone/a.fits\n", "line 1: /gone/a.fits: no such file; correct"),
        ("a.fits\nb.fits\n./a.fits DARK\n", "lines 1 and 3: the same file twice"),
        ("a.fits\nlink.fits\n", "lines 1 and 2: the same file twice"),
        ("a.fits\nm.fits BP_MAP_A\nb.fits BP_MAP_B\n", r"2 bad-pixel maps \(lines 2 and 3\)"),
        ("folder.fits\n", "line 1: .*folder.fits: is a folder, expected a regular file"),
        ("x" * 5000 + ".fits\n", "line 1: .*no such file"),
        (b"a.fits\0\n", "not a set of files"),
        (b"SIMPLE  =                    T", "not a set of files"),
        (b"\xff\xfe\xfa.fits\n", "line 1: .*no such file"),
    ],
)
def test_wrong_sof_is_refused(tmp_path, text, message):
    touch(tmp_path, "a.fits", "b.fits", "m.fits")
    (tmp_path / "link.fits").symlink_to("a.fits")
    (tmp_path / "folder.fits").mkdir()
    with pytest.raises(InputError, match=message) as caught:
        read_inputs(sof(tmp_path, text))
    assert str(caught.value).encode("utf-8")


def test_folder_gives_its_fits_files_sorted(tmp_path):
    folder = tmp_path / "tonight"
    touch(folder, "b.FIT", "a.fits.fz", ".hidden.fits", "notes.txt", "sub/c.fits")
    (folder / "d.fits").mkdir()
    found = read_inputs(folder)
    assert found.name == "tonight"
    assert [entry.path.name for entry in found.frames] == ["a.fits.fz", "b.FIT"]
    assert found.source == folder


def test_current_folder_has_its_name(tmp_path, monkeypatch):
    touch(tmp_path / "tonight", "a.fits")
    monkeypatch.chdir(tmp_path / "tonight")
    assert read_inputs(".").name == "tonight"


def test_folder_without_fits_is_refused(tmp_path):
    touch(tmp_path, "notes.txt")
    with pytest.raises(InputError, match="no FITS file in this folder"):
        read_inputs(tmp_path)


def test_fits_paths_keep_their_order_and_take_the_name_of_their_folder(tmp_path):
    paths = touch(tmp_path / "one", "b.fits", "a.fits")
    found = read_inputs(paths)
    assert found.name == "one"
    assert [entry.path for entry in found.frames] == paths
    assert read_inputs(paths[:1]) == read_inputs(paths[0])
    assert len(read_inputs(paths[0]).frames) == 1
    assert read_inputs([*paths, *touch(tmp_path / "two", "c.fits")]).name == "darks"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.fits", "a.fits"], "a.fits and .*a.fits: the same file twice"),
        (["a.fits", "gone.fits"], "gone.fits: no such file"),
        (["a.fits", "."], "not a FITS name; give one SOF"),
        (["gone.sof"], "gone.sof: no such file"),
        (["nul\0.sof"], "not a possible file name"),
        (["pipe.fits"], "pipe.fits: is a pipe, socket or device"),
        (["pipe.sof"], "pipe.sof: is a pipe, socket or device"),
    ],
)
def test_wrong_paths_are_refused(tmp_path, names, message):
    touch(tmp_path, "a.fits")
    os.mkfifo(tmp_path / "pipe.fits")
    os.mkfifo(tmp_path / "pipe.sof")
    with pytest.raises(InputError, match=message):
        read_inputs([tmp_path / name for name in names])


def test_no_input_is_refused():
    with pytest.raises(InputError, match="no input given"):
        read_inputs([])


@pytest.mark.parametrize(
    "name", ["a\nb.fits", " a.fits", "#a.fits", "a.txt", "a.fits DARK", "a.fits #b.fits"]
)
def test_what_cannot_stand_in_a_sof_is_not_written(tmp_path, name):
    with pytest.raises(InputError):
        write_sof(tmp_path / "x.sof", [Entry(Path(name))])
    assert not (tmp_path / "x.sof").exists()


NAMES = st.text("abZ019 ._-()#äλ'\"", min_size=1, max_size=20).map(lambda text: f"d/x{text}y.fits")
TAGS = st.sampled_from([None, "DARK", "DARK_NIR", "BP_MAP_VIS"])


@given(st.lists(st.builds(Entry, NAMES.map(Path), TAGS), max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory, entries):
    path = tmp_path_factory.getbasetemp() / "again.sof"
    write_sof(path, entries)
    lines = range(1, len(entries) + 1)
    expected = tuple(
        Entry(one.path, one.tag, line) for one, line in zip(entries, lines, strict=True)
    )
    assert read_sof(path) == expected


@given(st.one_of(st.binary(), st.text().map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_garbage_is_refused_and_never_a_crash(tmp_path_factory, content):
    path = sof(tmp_path_factory.getbasetemp(), content, "garbage.sof")
    with pytest.raises(InputError):
        read_inputs(path)


@given(st.text("af.its DARK#\t\r\n/_\\\0\ud800é\x1c\u2028"))
def test_garbage_lines_are_entries_or_refused(text):
    try:
        entries = parse_sof(text)
    except InputError:
        return
    assert all(is_fits_name(entry.path) for entry in entries)
