"""Bad sets-of-files, settings, calibrations and places, one row a case."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from tests.hostile import FRAME, Case, check_refused, sof
from tests.hostile import unharmed as nothing

ROWS = "".join(f"NIR_dark_00{i}.fits DARK_NIR\n" for i in range(1, 6))


def without_sof(make):
    """Take the SOF away, and let `make` put something else under its name."""

    def change(folder: Path) -> None:
        (folder / "darks.sof").unlink()
        make(folder / "darks.sof")

    return change


def settings(text: str | bytes):
    data = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / "s.yaml").write_bytes(data)


def in_section(line: str):
    return settings(f"soxs-mdark:\n    {line}\n")


def bomb() -> str:
    return "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )


def of_settings(*rows: tuple) -> list[Case]:
    given = ("darks.sof", "-s", "s.yaml")
    return [Case(name, harm, rf"s\.yaml.*{text}", 3, given, 1) for name, harm, text in rows]


def of_options(code: int, *rows: tuple) -> list[Case]:
    return [Case(" ".join(given)[:60], nothing, text, code, given, 1) for given, text in rows]


SETS = [
    Case("missing", lambda f: (f / "darks.sof").unlink(), "darks.sof: no such file"),
    Case("empty", sof(""), "darks.sof: names no raw frame"),
    Case("comments alone", sof("# nothing\n\n# more\n"), "darks.sof: names no raw frame"),
    Case("empty folder", without_sof(Path.mkdir), "darks.sof: no FITS file in this folder"),
    Case("pipe", without_sof(os.mkfifo), "darks.sof: is a pipe, socket or device"),
    Case("device", without_sof(lambda p: p.symlink_to("/dev/zero")), "darks.sof: is a pipe"),
    Case("link to itself", without_sof(lambda p: p.symlink_to(p.name)), "darks.sof: .*links"),
    Case("binary", sof(bytes(range(256)) * 9), "darks.sof: not a set of files .*binary"),
    Case("FITS", lambda f: shutil.copy(f / FRAME, f / "darks.sof"), "darks.sof: not a set of f"),
    Case("10 MB", sof("#" * 10_000_000), "darks.sof: not a set of files .*too large"),
    Case("unknown tag", sof(ROWS + f"{FRAME} DRAK_NIR\n"), "line 6: unknown tag 'DRAK_NIR'"),
    Case("no path", sof(ROWS + "what is this\n"), "line 6: 'what is this' is no path"),
    Case("same line twice", sof(ROWS + f"{FRAME} DARK_NIR\n"), "lines 2 and 6: the same file"),
    Case("same file by another path", sof(ROWS + f"../night/{FRAME}\n"), "lines 2 and 6: the s"),
    Case("bias tag", sof(ROWS.replace("5.fits DARK", "5.fits BIAS")), "tagged BIAS_NIR, mdark"),
    Case("tag of another arm", sof(ROWS.replace("DARK_NIR", "DARK_VIS")), "VIS"),
    Case("escape codes", sof("\x1b[31mred.fits DARK\n"), "no such file"),
    Case("path beyond all length", sof("x" * 9999 + ".fits\n"), "line 1: .*(no such|long)"),
    Case("two maps", sof(ROWS + f"bpm.fits BP_MAP_NIR\n{FRAME} BP_MAP\n"), "the same file twice"),
    Case("two frames", sof(ROWS[: len(ROWS) // 5 * 2]), "2 dark frames, at least 3"),
    Case("raw as map", sof(ROWS.replace("2.fits DARK", "2.fits BP_MAP")), "{f}: .*a raw frame"),
    Case(
        "raw as bias", sof(ROWS.replace("2.fits DARK", "2.fits MASTER_BIAS")), "{f}: ESO DPR TYPE"
    ),
]

SETTINGS = of_settings(
    ("missing", nothing, "no such file"),
    ("empty", settings(""), "is empty"),
    ("list", settings("- a\n- b\n"), "expected a section"),
    ("not YAML", settings("soxs-mdark: [\n"), "not valid YAML"),
    ("tabs", settings("soxs-mdark:\n\tgain: 1\n"), "indent with blanks, not tabs"),
    ("key twice", settings("soxs-mdark:\n    gain: 1\n    gain: 2\n"), ":3: gain: given twice"),
    ("bomb", settings(bomb()), "anchors and aliases are not allowed"),
    ("python object", in_section("gain: !!python/object/apply:os.system [ls]"), "tags .!. are"),
    ("python tuple", in_section("gain: !!python/tuple [1]"), "tags .!. are not allowed"),
    ("10 MB", settings("a: b\n" * 2_000_000), "larger than 1 MB"),
    ("deep", settings("[" * 100_000), "nested deeper than"),
    ("unknown key", in_section("gian: 2"), ":2: gian: unknown key, .* did you mean 'gain'"),
    ("wrong type", in_section("gain: much"), ":2: gain: found .much., expected a number"),
    ("negative", in_section("hot-pixel-sigma: -5"), ":2: hot-pixel-sigma: found -5, expected"),
    ("NaN", in_section("hot-pixel-sigma: .nan"), ":2: hot-pixel-sigma: found NaN, expected"),
    ("truth", in_section("hot-pixel-sigma: true"), ":2: hot-pixel-sigma: found true, expected"),
    ("folder", lambda f: (f / "s.yaml").mkdir(), "is a folder"),
    ("pipe", lambda f: os.mkfifo(f / "s.yaml"), "is a pipe, socket or device"),
    ("device", lambda f: (f / "s.yaml").symlink_to("/dev/zero"), "is a pipe, socket or device"),
    ("binary", lambda f: shutil.copy(f / FRAME, f / "s.yaml"), "(not valid YAML|not a text)"),
)

OPTIONS = [
    *of_options(
        3,
        (("darks.sof", "--set", "gain"), "--set: found .gain., expected KEY=VALUE"),
        (("darks.sof", "--set", "=1"), "expected KEY=VALUE"),
        (("darks.sof", "--set", "gian=1"), "gian: unknown key"),
        (("darks.sof", "--set", "gain=[1"), "not valid YAML"),
        (("darks.sof", "--set", "gain=!!python/name:os.system x"), "tags"),
        (("darks.sof", "--set", "gain=1", "--set", "gain=2"), "gain: given twice"),
        (("darks.sof", "--set", "gain=\x1b[31m"), "gain"),
        (("darks.sof", "--instrument", "sox"), "'sox'.*'?soxs"),
        (("darks.sof", "--instrument", "none.yaml"), "none.yaml: .*No such file"),
        (("darks.sof", "--instrument", "darks.sof"), "darks.sof"),
        (("darks.sof", "--set", "instrument=none.yaml"), "none.yaml: .*No such file"),
    ),
    *of_options(
        4,
        (("none.sof",), "none.sof: no such file"),
        ((FRAME,), "1 dark frame, at least 3"),
        ((FRAME, FRAME, FRAME), "the same file twice"),
        ((FRAME, "darks.sof"), "darks.sof: not a FITS name"),
        (("\x1b[31m.sof",), r"\\x1b\[31m.sof: no such file"),
        (("", ""), ""),
        (("x" * 5000,), "cannot be read .File name too long"),
        (("darks.sof", "--bad-pixel-map", "none.fits"), "none.fits: no such file, expected a bad"),
        (("darks.sof", "--bad-pixel-map", "darks.sof"), "darks.sof: cannot be read as a bad"),
        (("darks.sof", "--bad-pixel-map", "."), "is a folder"),
        (("darks.sof", "--bad-pixel-map", FRAME), "{f}: .*a raw frame"),
        (("darks.sof", "--bad-pixel-map", "pipe.fits"), "pipe.fits: .*is a pipe, socket or device"),
        (("darks.sof", "--bad-pixel-map", "all.fits"), "all.fits: marks every pixel as bad"),
        (("darks.sof", "--bad-pixel-map", "small.fits"), "small.fits: bad-pixel map of 5x5 pixels"),
        (("darks.sof", "--bad-pixel-map", "worn.fits"), "worn.fits: HDU 0: DATASUM does not fit"),
        (("darks.sof", "--master-bias", "worn.fits"), "worn.fits: HDU 0: DATASUM does not fit"),
        (("darks.sof", "--master-bias", "none.fits"), "none.fits: no such file, expected a master"),
        (("darks.sof", "--master-bias", FRAME), "{f}: ESO DPR TYPE is 'DARK'"),
        (("darks.sof", "--master-bias", "pipe.fits"), "pipe.fits: .*is a pipe, socket or device"),
        (("darks.sof", "--master-bias", "small.fits"), "small.fits: master bias of 5x5 pixels"),
    ),
]


@pytest.mark.parametrize("case", [*SETS, *SETTINGS, *OPTIONS], ids=lambda case: case.name)
def test_a_bad_set(night, tmp_path, monkeypatch, capsys, case):
    folder = night.sof.parent
    monkeypatch.chdir(folder)
    os.mkfifo(folder / "pipe.fits")
    fits.writeto(folder / "all.fits", np.ones((96, 128), np.int16))
    fits.writeto(folder / "small.fits", np.zeros((5, 5), np.int16))
    fits.writeto(folder / "worn.fits", np.zeros((96, 128), np.int16), checksum=True)
    with open(folder / "worn.fits", "r+b") as file:
        file.seek(-5000, os.SEEK_END)
        file.write(b"1")
    case.harm(folder)
    check_refused(case, folder, tmp_path / "o", capsys)
