"""Observing blocks in place of a SOF."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.errors import InputError
from soxsdark.file_set import Entry
from soxsdark.kinds import BIAS, DARK
from soxsdark.observing_block import MODES, parse_blocks, parse_files, read_block
from soxsdark.sof import read_inputs

DARKS = """
id: dark-21
instrument: MEGARA
mode: MegaraDarkImage
images:
  - a.fits
  - b.fits
"""
BIASES = """
id: 0_bias
mode: MegaraBiasImage
instrument: MEGARA
frames: [c.fits, d.fits]
"""
ARC = "id: 3\ninstrument: MEGARA\nmode: MegaraArcCalibration\nimages: [arc.fits]\n"


@pytest.fixture
def night(tmp_path):
    """A folder with the files that the blocks name; a function that writes a block file."""
    for name in ("a.fits", "b.fits", "c.fits", "d.fits", "bias.fits", "bpm.fits"):
        (tmp_path / name).write_bytes(b"")

    def write(text: str | bytes, name: str = "night.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_block_is_read_as_a_sof_would_be(night):
    required = "requirements:\n  master_bias: bias.fits\n  master_bpm: bpm.fits\n"
    path = night(DARKS + required)
    found = read_inputs(path)
    here = path.parent
    assert found.name == "night"
    assert found.source == path
    assert found.frames == (Entry(here / "a.fits", "DARK", 6), Entry(here / "b.fits", "DARK", 7))
    assert found.master_bias == Entry(here / "bias.fits", "MASTER_BIAS", 9)
    assert found.bad_pixel_map == Entry(here / "bpm.fits", "BP_MAP", 10)


@pytest.mark.parametrize("name", ["night.yml", "night.YAML"])
def test_suffixes(night, name):
    assert len(read_inputs(night(DARKS, name)).frames) == 2


def test_frames_is_another_word_for_images_and_the_id_may_be_missing(night):
    found = read_block(night(DARKS.replace("images", "frames").replace("id: dark-21", "")), DARK)
    assert [one.path.name for one in found.frames] == ["a.fits", "b.fits"]


@pytest.mark.parametrize("empty", ["requirements:\n", "requirements: {}\n"])
def test_requirements_may_be_empty(night, empty):
    assert read_block(night(DARKS + empty), DARK).master_bias is None


def test_data_folder_goes_before_the_folder_of_the_file(night):
    path = night(DARKS)
    (path.parent / "data").mkdir()
    (path.parent / "data" / "b.fits").write_bytes(b"")
    found = read_block(path, DARK).frames
    assert [one.path.relative_to(path.parent) for one in found] == [
        Path("a.fits"), Path("data/b.fits"),
    ]  # fmt: skip


def test_absolute_paths(night, tmp_path):
    path = night(DARKS.replace("a.fits", str(tmp_path / "c.fits")))
    assert read_block(path, DARK).frames[0].path == tmp_path / "c.fits"


def test_each_recipe_takes_the_block_of_its_mode(night):
    path = night(f"---{DARKS}---{BIASES}---\n{ARC}...\n")
    for kind, names in ((DARK, ["a.fits", "b.fits"]), (BIAS, ["c.fits", "d.fits"])):
        found = read_inputs(path, kind)
        assert [one.path.name for one in found.frames] == names
        assert {one.tag for one in found.frames} == {kind.tag}


def test_several_blocks_of_one_mode_are_refused_and_may_be_switched_off(night):
    second = DARKS.replace("dark-21", "dark-22").replace("a.fits", "c.fits")
    message = "2 blocks of mode MegaraDarkImage, ids 'dark-21' .line 2.*'dark-22' .line 9."
    with pytest.raises(InputError, match=message):
        read_block(night(f"{DARKS}---{second}"), DARK)
    found = read_block(night(f"{DARKS}enabled: false\n---{second}"), DARK)
    assert found.frames[0].path.name == "c.fits"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ARC, "no enabled block of mode MegaraDarkImage.*found 'MegaraArcCalibration' .id '3'."),
        (BIASES, "MegaraDarkImage, which mdark takes; found 'MegaraBiasImage' .id '0_bias'."),
        ("", "found no block at all"),
        ("---\n---\n", "found no block at all"),
        (DARKS + "enabled: false\n", "found no block at all"),
        (DARKS + "enabled: perhaps\n", "line 8: enabled is no logical, expected true or false"),
        (DARKS.replace("MEGARA", "EMIR"), "line 3: instrument is 'EMIR', expected MEGARA"),
        (DARKS.replace("instrument: MEGARA", ""), "line 2: instrument is missing"),
        (DARKS.replace("mode: MegaraDarkImage", "mode: [1]"), "line 4: mode is no text"),
        (DARKS + "frames: [c.fits]\n", "line 2: images or frames both are given"),
        ("mode: MegaraDarkImage\ninstrument: MEGARA\n", "line 1: images or frames is missing"),
        (DARKS + "image: [c.fits]\n", "line 8: key 'image' is not known, expected one of id, ins"),
        (DARKS + "id: 5\n", "line 8: key 'id' stands on line 2 too"),
        (DARKS.replace("- b.fits", "- b.txt"), "line 7: 'b.txt' is no path of a FITS file"),
        (DARKS.replace("- b.fits", "- [b.fits]"), "line 7: 'a list or mapping' is no path"),
        (DARKS.replace("- b.fits", "-"), "line 7: '' is no path"),
        (DARKS.replace("b.fits", "gone.fits"), "line 7: gone.fits: no such file beside the YAML"),
        (DARKS.replace("b.fits", "/gone/b.fits"), "line 7: /gone/b.fits: no such file; correct"),
        (DARKS.replace("b.fits", "./a.fits"), "lines 6 and 7: the same file twice"),
        (DARKS.replace("images:\n  - a.fits\n  - b.fits", "images: [a.fits, a.fits]"), "same file"),
        (DARKS + "requirements: {master_bias: a.fits}\n", "lines 6 and 8: the same file twice"),
        (DARKS.replace("b.fits", "folder.fits"), "line 7: .*folder.fits: is a folder"),
        (DARKS.split("images")[0] + "images: a.fits\n", "line 5: images is no list or empty"),
        (DARKS.split("images")[0] + "images: []\n", "line 5: images is no list or empty"),
        (DARKS + "requirements: [a.fits]\n", "line 8: requirements is no mapping"),
        (DARKS + "requirements: {masterbias: c.fits}\n", "requirement 'masterbias' is not known"),
        (DARKS + "requirements: {master_bias: 3}\n", "line 8: '3' is no path of a FITS file"),
        (DARKS + "requirements: {[1]: c.fits}\n", r"requirement '\[1\]' is not known"),
        ("- a.fits\n", "line 1: no observing block, expected id, instrument, mode and images"),
        (DARKS + "labels: &x [1]\n", "anchors and aliases are not allowed"),
        (DARKS + "labels: !!python/name:os.system 1\n", "tags .!. are not allowed"),
        (DARKS + "labels: {\n", "not valid YAML"),
        (b"\xff\xfe\xfa", "not a text file"),
        (b"id: 1\0", "is not text"),
        (b"#" * 1_000_001, "larger than 1 MB, which no observing block is"),
    ],
)
def test_wrong_file_is_refused(night, tmp_path, text, message):
    (tmp_path / "folder.fits").mkdir()
    with pytest.raises(InputError, match=message) as caught:
        read_inputs(night(text))
    assert str(caught.value).startswith(f"{tmp_path}/night.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"), [("gone.yaml", "no such file"), ("pipe.yaml", "is a pipe")]
)
def test_what_is_no_file_is_refused(tmp_path, name, message):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / name)


NAMES = st.text("abZ019 ._-()#äλ'\":{}[],&*!|>%@`-?", max_size=20).map(lambda text: f"x{text}.fits")


@given(st.lists(NAMES, min_size=1, max_size=5), NAMES, st.sampled_from(list(MODES)))
def test_what_yaml_writes_is_read(names, bias, kind):
    content = {
        "id": 7,
        "instrument": "MEGARA",
        "mode": MODES[kind],
        "images": names,
        "requirements": {"master_bias": bias, "master_bpm": None},
    }
    text = yaml.safe_dump_all([content, content], allow_unicode=True, sort_keys=False, width=10**6)
    blocks = parse_blocks(text, "x.yaml")
    assert [(block.id, block.mode) for block in blocks] == [("7", MODES[kind])] * 2
    listed, required = parse_files(blocks[1], kind, "x.yaml")
    assert [str(one.path) for one in listed] == names
    assert {key: str(one.path) for key, one in required.items()} == {"master_bias": bias}
    lines = text.splitlines()
    assert all(lines[one.line - 1].startswith("- ") for one in listed)


@given(st.one_of(st.binary(), st.text().map(lambda t: t.encode("utf-8", "surrogatepass"))))
def test_garbage_is_refused_and_never_a_crash(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_inputs(path)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(["id", "instrument", "mode", "images", "frames", "requirements", "enabled"])
HALF_RIGHT = st.fixed_dictionaries(
    {"instrument": st.just("MEGARA"), "mode": st.just("MegaraDarkImage")}
).flatmap(lambda right: st.dictionaries(KEYS, VALUES).map(lambda wrong: right | wrong))


@given(st.lists(HALF_RIGHT, max_size=2))
def test_half_right_blocks_are_files_or_refused(blocks):
    text = yaml.safe_dump_all(blocks, allow_unicode=True)
    try:
        listed = [parse_files(block, DARK, "x.yaml")[0] for block in parse_blocks(text, "x.yaml")]
    except InputError as error:
        message = str(error)
    else:
        assert all(listed)
        return
    assert message.startswith("x.yaml")
