"""A run repeated from its record: the same pixels, or a word on what is not the same."""

import copy
import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soxsdark import mdark
from soxsdark.commands.common import Termination
from soxsdark.commands.record import record as command
from soxsdark.errors import InputError, ProductError, SoxsdarkError
from soxsdark.record_check import states
from soxsdark.record_file import read_record
from soxsdark.record_rerun import rerun
from soxsdark.record_text import record_text
from tests.records import content

REPEATED = ("mdark", "plain mdark", "two amplifiers", "mbias", "subtract")
IMAGES = {"MDARK": "FLUX, QUAL, ERRS, NCOM", "BPM": "QUAL, NOISE, NREJ", "DSUB": "FLUX, QUAL, ERRS"}


def asked(*arguments) -> tuple[int, str, str]:
    argv = ["rerun", *map(str, arguments)]
    done = CliRunner().invoke(command, argv, standalone_mode=False, obj=Termination())
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.stdout, done.stderr


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def changed(runs, folder: Path, **fields) -> Path:
    """A record with other values in it."""
    record = content(runs.records["mdark"]) | {k.replace("_", "-"): v for k, v in fields.items()}
    path = folder / "r.json"
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize("kind", REPEATED)
def test_the_same_pixels(runs, tmp_path, kind):
    path = runs.records[kind]
    result = rerun(path, output=tmp_path / "o")
    assert result.identical
    assert result.differences == ()
    names = [product["name"] for product in content(path)["products"]]
    assert [product.name for product in result.products] == names
    for name in names:
        with fits.open(path.parent / name) as old, fits.open(tmp_path / "o" / name) as new:
            assert [h.header["DATASUM"] for h in old] == [h.header["DATASUM"] for h in new]
            for one, other in zip(old, new, strict=True):
                np.testing.assert_array_equal(one.data, other.data)
    assert all(path.is_file() and path.parent == tmp_path / "o" for path in result.files)
    assert files(tmp_path) == sorted(["o", *(f"o/{path.name}" for path in result.files)])


@pytest.mark.parametrize("kind", REPEATED)
def test_its_record_says_the_same(runs, tmp_path, kind):
    rerun(runs.records[kind], output=tmp_path)
    old, new = content(runs.records[kind]), content(tmp_path / runs.records[kind].name)
    assert new["run-id"] != old["run-id"]
    its_own = {"run-id", "started", "ended", "command", "source", "settings-file", "seconds"}
    for key in old.keys() - its_own - {"products"}:
        assert new[key] == old[key], key
    for one, other in zip(old["products"], new["products"], strict=True):
        assert {**one, "sha256": ""} == {**other, "sha256": ""}


def test_what_it_prints(runs, tmp_path):
    code, out, err = asked(runs.records["mdark"], "-o", tmp_path / "o")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"darks_MDARK.fits: bit-identical ({IMAGES['MDARK']})",
        f"darks_BPM.fits: bit-identical ({IMAGES['BPM']})",
        *(str(tmp_path / "o" / f"darks{end}")
          for end in ("_MDARK.fits", "_BPM.fits", ".json", ".log")),
    ]  # fmt: skip
    with pytest.raises(ProductError, match="exist already"):
        asked(runs.records["mdark"], "-o", tmp_path / "o")
    assert asked(runs.records["mdark"], "-o", tmp_path / "o", "-x", "-q") == (0, "", "")


def test_a_frame_without_its_dark_is_repeated(runs, tmp_path):
    code, out, _ = asked(runs.records["subtract"], "-o", tmp_path)
    assert code == 0
    assert out.startswith(f"VIS_dark_001_DSUB.fits: bit-identical ({IMAGES['DSUB']})\n")


def test_packed_frames(runs, tmp_path):
    paths = []
    for path in runs.darks.frames:
        paths.append(tmp_path / f"{path.name}.gz")
        paths[-1].write_bytes(gzip.compress(path.read_bytes()))
    result = mdark(paths, output=tmp_path / "o")
    assert rerun(result.record_file, output=tmp_path / "again").identical


def test_pixels_that_differ_are_named(runs, tmp_path):
    products = content(runs.records["mdark"])["products"]
    products[1]["datasums"]["NOISE"] = "1"
    path = changed(runs, tmp_path, products=products)
    code, out, err = asked(path, "-o", tmp_path / "o")
    assert code == 4
    assert "darks_BPM.fits: NOISE differ; the same: QUAL, NREJ\n" in out
    assert err == f"soxsdark: {tmp_path}/o/darks_BPM.fits: pixels differ from those of {path}\n"


def test_sums_that_agree_by_chance(runs, tmp_path):
    products = content(runs.records["mdark"])["products"]
    products[0]["datamd5"] = "0" * 32
    result = rerun(changed(runs, tmp_path, products=products), output=tmp_path / "o")
    assert [product.identical for product in result.products] == [False, True]
    assert result.products[0].differing == ("FLUX", "QUAL", "ERRS", "NCOM")


def test_what_else_is_not_as_it_was_is_named(runs, tmp_path):
    record = content(runs.records["mdark"])
    libraries = record["libraries"] | {"numpy": "1.0"}
    kept = {key: value for key, value in record["settings"].items() if key != "threads"}
    path = changed(
        runs, tmp_path, version="0.0.1", libraries=libraries, qa_flag="BAD", settings=kept
    )
    result = rerun(path, output=tmp_path / "o")
    assert result.identical
    assert result.differences == (
        f"program version: was 0.0.1, is {record['version']}",
        "QA flag: was BAD, is GOOD",
        f"numpy: was 1.0, is {record['libraries']['numpy']}",
        "setting threads: not in the record, the default is used",
    )
    assert "not as it was: program version: was 0.0.1, is " in asked(path, "-o", tmp_path / "p")[1]


READ = ("frame", "bad-pixel-map", "master-bias", "previous-master", "instrument-profile-file")


@pytest.mark.parametrize("what", READ)
def test_an_input_that_changed_or_went(runs, tmp_path, what):
    record = content(runs.records["mdark"])
    entry = record["frames"][2] if what == "frame" else record[what]
    moved = tmp_path / "moved"
    shutil.copy(entry["path"], moved)
    entry["path"] = str(moved)
    path = changed(runs, tmp_path, **record)
    with moved.open("ab") as stream:
        stream.write(b"#")
    with pytest.raises(InputError, match=r"moved: has changed since the run: .* \w{12}\.\.\.; "):
        rerun(path, output=tmp_path / "o")
    moved.unlink()
    with pytest.raises(InputError, match=r"moved: cannot be read \(No such file or directory\)"):
        rerun(path, output=tmp_path / "o")
    moved.mkdir()
    with pytest.raises(InputError, match=r"moved: cannot be read \(is a folder"):
        rerun(path, output=tmp_path / "o")
    assert files(tmp_path) == ["moved", "r.json"]


@pytest.mark.parametrize("kind", ["failed", "failed subtract", "interrupted", "bug"])
def test_a_failure_is_not_repeated(runs, tmp_path, kind):
    with pytest.raises(InputError, match=r"_FAILED\.json: is the record of a run that failed"):
        rerun(runs.records[kind], output=tmp_path)
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "..", ".", "a/b", "", "a\0b"])
def test_nothing_is_written_outside(runs, tmp_path, name):
    path = changed(runs, tmp_path, name=name)
    with pytest.raises(InputError, match="name: expected a file name without folders"):
        rerun(path, output=tmp_path / "o")
    assert files(tmp_path) == ["r.json"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("gain", -1, r"r\.json: gain: found -1, expected a number"),
        ("gian", 1, r"r\.json: gian: unknown key"),
        ("qc-acceptable-ranges", {"raw-ron": [2, 1]}, r"raw-ron: found \[2\.0, 1\.0\]"),
        ("data-extension", "\x1b[1m", r"r\.json: data-extension"),
        ("instrument", "nobody", r"'nobody' is not known, expected one of"),
    ],
)
def test_settings_are_checked_like_any(runs, tmp_path, key, value, said):
    record = content(runs.records["mdark"])
    record["settings"][key] = {"value": value, "origin": "default"}
    record["instrument-profile-file"] = None
    with pytest.raises(InputError, match=said) as error:
        rerun(changed(runs, tmp_path, **record), output=tmp_path / "o")
    assert str(error.value).isprintable()
    assert files(tmp_path) == ["r.json"]


# Records that anybody may have written

WORDS = ["", "..", "/", "/etc/passwd", "/dev/zero", "../x", "a\0b", "\x1b[2J", "\ud800", "\udce9",
         "GOOD", "subtract", "mbias", "NIR", "2024-05-01T00:00:00+00:00", "f" * 64]  # fmt: skip
TEXTS = st.text(max_size=5) | st.sampled_from(WORDS)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, 3, 10**400, 1e308])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def like(value: object) -> st.SearchStrategy:
    """Values of the same kind, which get farther."""
    if isinstance(value, bool) or value is None:
        return st.booleans() | st.none()
    return TEXTS if isinstance(value, str) else NUMBERS


@st.composite
def mangled(draw, whole: dict) -> dict:
    """A record with one or two of its values, however deep, replaced or taken out."""
    record = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 2))):
        above, key = record, draw(st.sampled_from(sorted(record)))
        while isinstance(above[key], dict | list) and above[key] and draw(st.integers(0, 9)):
            above = above[key]
            keys = sorted(above) if isinstance(above, dict) else range(len(above))
            key = draw(st.sampled_from(keys))
        how = draw(st.integers(0, 5))
        if how == 0:
            del above[key]
        elif how == 1 or isinstance(above[key], dict | list):
            above[key] = draw(VALUES)
        else:
            above[key] = draw(like(above[key]))
    return record


KEPT = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("kind", ["mdark", "subtract", "failed"])
def test_a_mangled_record_is_shown_or_refused(runs, tmp_path, kind):
    @KEPT
    @given(mangled(content(runs.records[kind])))
    def check(record):
        (tmp_path / "r.json").write_text(json.dumps(record))
        try:
            found = read_record(tmp_path / "r.json")
        except InputError as error:
            said.append(str(error))
            return
        checked = states(tmp_path, getattr(found, "products", ()), found.run_id)
        assert not any(state.holds for state in checked)
        shown.append(record_text(found, checked))

    said, shown = [], []
    check()
    assert all(line.isprintable() for line in said)
    assert all(c.isprintable() or c in "\n\t" for text in shown for c in text)
    # both were met
    assert min(len(said), len(shown)) > 10


@pytest.mark.parametrize("kind", ["mdark", "subtract"])
def test_a_mangled_record_writes_nothing_outside(runs, tmp_path, kind):
    before = files(runs.folder)

    @settings(KEPT, max_examples=60)
    @given(mangled(content(runs.records[kind])))
    def check(record):
        (tmp_path / "r.json").write_text(json.dumps(record))
        try:
            result = rerun(tmp_path / "r.json", output=tmp_path / "o", overwrite=True)
        except SoxsdarkError:
            ends.append("refused")
        else:
            ends.append("repeated")
            assert all(path.parent == tmp_path / "o" for path in result.files)
        assert {path.name for path in tmp_path.iterdir()} <= {"r.json", "o"}
        assert files(runs.folder) == before

    ends = []
    check()
    assert set(ends) == {"refused", "repeated"}
