"""Hostile files: what they claim, what they are called, where they lead, and what is fuzzed."""

import ast
import gzip
import os
import random
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import soxsdark
from soxsdark import fits_file, mdark
from soxsdark.errors import InputError, ProductError
from soxsdark.fits_file import BLOCK, LARGEST_HEADER, MOST_HDUS
from soxsdark.frame import Frame
from soxsdark.frame_header import read_header
from soxsdark.master_file import read_master_dark
from soxsdark.product import read_mask
from soxsdark.publish import Workspace
from soxsdark.settings_table import FORMATS, Row
from soxsdark.simulator import Scene, simulate
from tests.fuzz_targets import TARGETS, run
from tests.hostile import edit, no_longer_than, said, snapshot
from tests.products import PRODUCTS, names

CORPUS = Path(__file__).with_name("corpus")
READERS = {"frame": Frame.open, "header": read_header, "map": read_mask, "dark": read_master_dark}
SCRIPT = "<script>alert(1)</script>"


# What a file claims


def cards(*lines: str) -> bytes:
    text = b"".join(line.encode().ljust(80) for line in lines)
    return text + b" " * (-len(text) % BLOCK)


START = "SIMPLE  =                    T", "BITPIX  =                   16"
EMPTY = cards(*START, "NAXIS   =                    0", "EXTEND  =                    T", "END")
EXTENSION = cards(
    "XTENSION= 'IMAGE   '", START[1], "NAXIS   =                    0",
    "PCOUNT  =                    0", "GCOUNT  =                    1", "END",
)  # fmt: skip
BOMBS = {
    "header without an end": (
        cards(*START) + b" " * 2 * LARGEST_HEADER,
        f"header of more than {LARGEST_HEADER} bytes",
    ),
    "header of many cards": (
        cards(*START, *(f"KEY{i:05d}= {i}" for i in range(LARGEST_HEADER // 80)), "END"),
        "header of more than",
    ),
    "second header without an end": (
        EMPTY + cards("XTENSION= 'IMAGE   '") + b" " * LARGEST_HEADER,
        "header of more than",
    ),
    "countless HDUs": (EMPTY + EXTENSION * (MOST_HDUS + 9), f"more than {MOST_HDUS} HDUs"),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("content", "text"), BOMBS.values(), ids=BOMBS)
def test_headers_that_do_not_end(tmp_path, reader, content, text):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    with no_longer_than(5), pytest.raises(InputError, match=rf"a\.fits: .*{text}"):
        reader(path)


def packed_image(path: Path, **changes: int) -> bytes:
    image = fits.CompImageHDU(np.zeros((64, 64), "i2"), tile_shape=(64, 64))
    image.writeto(path)
    content = path.read_bytes()
    for key, value in changes.items():
        content = content.replace(f"{key:8}= {64:20d}".encode(), f"{key:8}= {value:20d}".encode())
    return content


@pytest.mark.parametrize("reader", ["frame", "map", "dark"])
@pytest.mark.parametrize("keys", [("ZNAXIS1", "ZNAXIS2"), ("ZNAXIS1", "ZNAXIS2", "ZTILE1")])
def test_a_small_file_that_claims_an_enormous_image(tmp_path, reader, keys):
    path = tmp_path / "a.fits"
    path.write_bytes(packed_image(path, **dict.fromkeys(keys, 200_000)))
    assert path.stat().st_size < 20_000
    with no_longer_than(5), pytest.raises(InputError, match="HDU 1 claims more than 2 GiB"):
        READERS[reader](path)


@pytest.mark.parametrize("reader", ["frame", "map", "dark"])
def test_a_file_that_unpacks_without_end(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(fits_file, "LARGEST", 8 << 20)
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(cards(*START) + bytes(9 << 20)))
    with pytest.raises(InputError, match=r"a\.fits\.gz: .*more than 0 GiB are packed in it"):
        READERS[reader](path)


def test_packed_calibrations_are_read(night, tmp_path):
    night.bad_pixel_map.rename(tmp_path / "map.fits")
    (tmp_path / "map.fits.gz").write_bytes(gzip.compress((tmp_path / "map.fits").read_bytes()))
    plain, packed = (read_mask(tmp_path / name) for name in ("map.fits", "map.fits.gz"))
    np.testing.assert_array_equal(plain, packed)


# What it is called, and what its header says


def test_pages_escape_whatever_a_header_or_a_name_says(night, tmp_path, capsys):
    raw = night.sof.parent
    for number, path in enumerate(sorted(raw.glob("NIR*.fits"))):
        edit(path, ESO_DET_READ_CURNAME=SCRIPT, ESO_DET_NAME=SCRIPT, OBJECT=SCRIPT)
        path.rename(raw / f"<img src=x onerror=alert({number})>.fits")
    night.bad_pixel_map.unlink()
    night.truth.unlink()
    night.sof.unlink()
    for command, *options in (("mdark", "--report"), ("night",)):
        code, _, err = said([command, raw, "-o", tmp_path / command, "-q", *options], capsys)
        assert code == 0, err
    pages = list(tmp_path.glob("*/**/*.html"))
    assert len(pages) >= 3
    for page in pages:
        assert "<script>alert" not in page.read_text()
        assert "<img src=x" not in page.read_text()
    assert any("&lt;img src=x" in page.read_text() for page in pages)


def test_a_header_names_no_file(night, tmp_path, capsys):
    """Neither path nor name of a product comes from a header."""
    raw = night.sof.parent
    hostile = "../../evil"
    for path in raw.glob("NIR*.fits"):
        edit(path, ESO_DET_READ_CURNAME=hostile, ORIGFILE=hostile, ARCFILE=hostile,
             PIPEFILE=hostile, ESO_TPL_ID=hostile, OBJECT=hostile)  # fmt: skip
    night.bad_pixel_map.unlink()
    night.sof.write_text("".join(f"{path.name}\n" for path in sorted(raw.glob("NIR*.fits"))))
    before = snapshot(raw)
    assert said(["mdark", night.sof, "-o", tmp_path / "a" / "b" / "o", "-q"], capsys)[0] == 0
    assert said(["night", raw, "-o", tmp_path / "a" / "b" / "n", "-q"], capsys)[0] == 0
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]
    assert set(PRODUCTS) <= set(names(tmp_path / "a" / "b" / "o"))
    assert snapshot(raw) == before


@pytest.mark.parametrize("arm", ["../../etc", "A B", "<b>", "'; ls", "=1+1", "X" * 60])
def test_an_arm_that_is_no_word(night, tmp_path, capsys, arm):
    """It reaches neither a name nor the screen as it is."""
    raw = night.sof.parent
    for path in raw.glob("NIR*.fits"):
        edit(path, ESO_SEQ_ARM=arm)
    night.bad_pixel_map.unlink()
    night.truth.unlink()
    page = [] if arm == "<b>" else ["--no-report"]
    code, out, err = said(["night", raw, "-o", tmp_path / "o", *page], capsys)
    assert code in (0, 11), err
    files = [path.relative_to(tmp_path / "o") for path in (tmp_path / "o").rglob("*.fits")]
    assert len(files) == 2
    assert all(re.fullmatch(r"[\w-]+/[A-Z0-9_.-]+\.fits", str(path)) for path in files)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_tables_hold_no_formula(begin):
    row = Row("gain", f"{begin}cmd|' /C calc'!A0", "e-", f"{begin}HYPERLINK(1)", None, "", "")
    text = FORMATS["csv"]([row])
    assert f"'{begin}cmd" in text
    assert f"'{begin}HYPER" in text


# Where it leads


@pytest.mark.parametrize("name", ["tune.csv", "tune.html"])
@pytest.mark.parametrize("overwrite", [(), ("-x",)])
def test_a_sweep_follows_no_link(night, tmp_path, capsys, name, overwrite):
    (tmp_path / "o").mkdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "o" / name).symlink_to(precious)
    given = "--sweep", "stacked-clipping-sigma=3,4"
    code, _, err = said(["tune", night.sof, *given, "-o", tmp_path / "o", *overwrite], capsys)
    assert precious.read_text() == "mine", (code, err)
    assert "Traceback" not in err
    assert code in (0, 5)


@pytest.mark.parametrize("name", ["NIR_dark_001.fits", "darks.sof", "truth.fits", "bpm.fits"])
def test_a_simulation_follows_no_link(tmp_path, name):
    (tmp_path / "o").mkdir()
    scene, target = Scene(shape=(32, 32), frames=3), tmp_path / "elsewhere"
    (tmp_path / "o" / name).symlink_to(target)
    with pytest.raises(ProductError, match="exists already"):
        simulate(tmp_path / "o", scene)
    simulate(tmp_path / "o", scene, overwrite=True)
    assert not target.exists()


@pytest.mark.parametrize("kind", ["plots", "superseded"])
def test_a_link_under_the_name_of_a_folder_is_not_followed(night, tmp_path, kind):
    """A night moves nothing through a link; pictures go where a person says, link or not."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / kind).symlink_to(outside)
    mdark(night.sof, output=tmp_path / "o")
    assert list(outside.iterdir()) == []


def test_temporary_names_cannot_be_foreseen(tmp_path):
    """Eight random letters, made as new, and open to nobody else."""
    found = set()
    for _ in range(20):
        with Workspace(tmp_path) as work:
            folder = work.path("x").parent
            assert re.fullmatch(r"\.soxsdark-[a-z0-9_]{8}", folder.name)
            assert folder.stat().st_mode & 0o077 == 0
            found.add(folder.name)
    assert len(found) == 20


def test_what_is_unpacked_has_no_name(night, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(night.frames[0].read_bytes()))
    frame = Frame.open(packed)
    assert frame.inflated is not None
    assert os.listdir(tmp_path / "t") == []


# What the program never does


NEVER = {"eval", "exec", "compile", "__import__", "pickle", "marshal", "shelve", "subprocess",
         "os.system", "os.popen", "tempfile.mktemp", "yaml.unsafe_load", "yaml.full_load",
         "print"}  # fmt: skip


def test_no_code_is_made_of_data():
    found = []
    for path in Path(soxsdark.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) else []
            found += [(path.name, name) for name in {called, *modules} & NEVER]
    assert found == []


# Fuzzing: the corpus, and what is made of it by chance


def corpus() -> list[tuple[str, str]]:
    return [(p.parent.name, p.name) for p in sorted(CORPUS.glob("*/*"))]


def test_every_target_has_a_corpus():
    assert {name for name, _ in corpus()} == set(TARGETS)


@pytest.mark.parametrize(("target", "name"), corpus())
@pytest.mark.filterwarnings("ignore")
def test_the_corpus_is_read_or_refused(target, name):
    with no_longer_than(10):
        run(target, (CORPUS / target / name).read_bytes())


def harmed(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Cut, flip, repeat or cross over some bytes."""
    content = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(content) + 1), rng.choice((1, 8, 80, 400))
        match rng.randrange(5):
            case 0:
                del content[at : at + length]
            case 1:
                content[at : at + length] = rng.randbytes(length)
            case 2:
                content[at:at] = content[at : at + length]
            case 3:
                place = rng.randrange(len(other) + 1)
                content[at : at + length] = other[place : place + length]
            case 4 if content:
                content[at % len(content)] ^= 1 << rng.randrange(8)
    return bytes(content)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.filterwarnings("ignore")
def test_harmed_content_is_read_or_refused(target):
    rng = random.Random(8)
    whole = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    for _ in range(40):
        data = harmed(rng, rng.choice(whole), rng.choice(whole))
        with no_longer_than(10):
            run(target, data)
