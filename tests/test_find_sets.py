"""Raw darks below a folder, and the sets that they make."""

import gzip
import math
import os
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from soxsdark.errors import InputError
from soxsdark.find_frames import DarkFrame, find_frames
from soxsdark.find_sets import _unique_names, find_sets, group
from soxsdark.frame import Frame
from soxsdark.frame_header import read_header
from soxsdark.instruments import load_profile
from soxsdark.nights import Boundary
from soxsdark.recipe import mdark
from soxsdark.settings import Settings
from soxsdark.setups import describe
from soxsdark.simulator import Scene, simulate
from soxsdark.sof import read_sof, write_sof

NIR = {
    "INSTRUME": "SOXS",
    "ESO DPR TYPE": "DARK",
    "ESO DPR CATG": "CALIB",
    "ESO SEQ ARM": "NIR",
    "EXPTIME": 300.0,
    "ESO DET SEQ1 DIT": 300.0,
    "ESO DET NDIT": 1,
    "ESO DET READ CURID": 1,
    "ESO DET READ CURNAME": "NonDest",
    "ESO DET OUT1 CONAD": 2.3,
    "MJD-OBS": 61051.375,
}
MINUTE = 1 / 1440
PIXELS = np.zeros((8, 8), "i4")


def header_of(**changes) -> fits.Header:
    header = fits.Header()
    for key, value in (NIR | {k.replace("_", " "): v for k, v in changes.items()}).items():
        if value is not None:
            header[f"HIERARCH {key}" if " " in key else key] = value
    return header


def write(path: Path, pixels=PIXELS, **cards) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.PrimaryHDU(pixels, header_of(**cards)).writeto(path)
    return path


def series(folder: Path, count: int, start: float = 61051.375, step: float = 5 * MINUTE, **cards):
    """Darks one after the other."""
    stem = f"{start:.6f}"
    return [
        write(folder / f"{stem}_{n}.fits", **cards | {"MJD-OBS": start + n * step})
        for n in range(count)
    ]


def found(folder: Path, *overrides: str) -> dict[str, int]:
    sets = find_sets(folder, Settings.read(None, overrides)).sets
    return {one.name: len(one.frames) for one in sets}


# Frames


def test_darks_at_any_depth_and_in_any_wrapping(tmp_path):
    plain = write(tmp_path / "a.fits")
    write(tmp_path / "deep" / "er" / "b.FIT", **{"MJD-OBS": 61051.38})
    with gzip.open(tmp_path / "c.fits.gz", "wb") as packed:
        packed.write(write(tmp_path / "deep" / "c.fts", **{"MJD-OBS": 61051.39}).read_bytes())
    noise = np.random.default_rng(1).integers(0, 99, (64, 64), dtype="i4")
    tiles = fits.CompImageHDU(noise, header_of(**{"MJD-OBS": 61051.40}))
    fits.HDUList([fits.PrimaryHDU(), tiles]).writeto(tmp_path / "d.fits.fz")
    shutil.copy(plain, tmp_path / "notes.txt")
    shutil.copy(plain, tmp_path / ".hidden.fits")
    names = {frame.path.name: frame for frame in find_frames(tmp_path, Settings()).darks}
    assert sorted(names) == ["a.fits", "b.FIT", "c.fits.gz", "c.fts", "d.fits.fz"]
    assert names["d.fits.fz"].about.setup["shape"] == (64, 64)
    assert names["a.fits"].about.setup["shape"] == (8, 8)
    # nothing depends on whether the pixels are read as well
    for frame in names.values():
        opened = Frame.open(frame.path)
        about = describe(
            frame.path, opened.header, opened.layout.shape, frame.profile,
            Settings().for_arm("NIR").values,
        )  # fmt: skip
        assert frame.about == about


@pytest.mark.parametrize(
    "cards",
    [{"ESO_DPR_TYPE": "BIAS"}, {"ESO_DPR_TYPE": "FLAT,LAMP"}, {"EXPTIME": 0.0},
     {"ESO_PRO_CATG": "MASTER_DARK_NIR"}, {"ESO_DPR_TYPE": None}, {"SXSPRE": True},
     {"INSTRUME": "ELSE", "ESO_DPR_TYPE": None}, {"INSTRUME": "ELSE", "ESO_DPR_TYPE": "OBJECT"}],
)  # fmt: skip
def test_other_frames_are_counted(tmp_path, cards):
    write(tmp_path / "dark.fits")
    write(tmp_path / "other.fits", **cards)
    frames = find_frames(tmp_path, Settings())
    assert [frame.path.name for frame in frames.darks] == ["dark.fits"]
    assert (frames.others, frames.problems) == (1, ())


def test_products_of_our_own_are_others(tmp_path):
    made = simulate(tmp_path / "raw", Scene(shape=(96, 128), frames=3))
    mdark(made.sof, output=tmp_path / "raw" / "products")
    frames = find_frames(tmp_path, Settings())
    # master, mask, input map, truth
    assert (len(frames.darks), frames.others, frames.problems) == (3, 4, ())


def test_what_cannot_be_read_is_told_and_does_not_stop(tmp_path):
    good = write(tmp_path / "good.fits", np.zeros((64, 64), "i4"))
    (tmp_path / "empty.fits").touch()
    (tmp_path / "noise.fits").write_bytes(b"no FITS at all" * 300)
    (tmp_path / "short.fits").write_bytes(good.read_bytes()[:9000])
    (tmp_path / "torn.fits.gz").write_bytes(gzip.compress(good.read_bytes())[:60])
    (tmp_path / "dangling.fits").symlink_to(tmp_path / "gone.fits")
    write(tmp_path / "timeless.fits", EXPTIME=None)
    write(tmp_path / "armless.fits", ESO_SEQ_ARM=None)
    write(tmp_path / "cube.fits", np.zeros((2, 8, 8), "i4"))
    os.mkfifo(tmp_path / "pipe.fits")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket.fits"))
    frames = find_frames(tmp_path, Settings())
    assert [frame.path for frame in frames.darks] == [good]
    reasons = {problem.path.name: problem.reason for problem in frames.problems}
    expected = {
        "empty.fits": "empty file",
        "noise.fits": "cannot be read as FITS",
        "short.fits": "cut short: it needs",
        "torn.fits.gz": "cut short or damaged|cannot be read as FITS",
        "dangling.fits": "cannot be read",
        "timeless.fits": "EXPTIME is missing",
        "armless.fits": "ESO SEQ ARM is missing",
        "cube.fits": "no 2-D image in it",
        "pipe.fits": "expected a regular file",
        "socket.fits": "expected a regular file",
    }
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert re.search(f"{name}: .*(?:{reason})", reasons[name]), reasons[name]


def test_links_are_followed_once(tmp_path):
    first = write(tmp_path / "raw" / "a.fits")
    (tmp_path / "raw" / "round").symlink_to(tmp_path / "raw")
    (tmp_path / "raw" / "b.fits").symlink_to(first)
    os.link(first, tmp_path / "raw" / "c.fits")
    write(tmp_path / "other disk" / "d.fits")
    (tmp_path / "raw" / "mounted").symlink_to(tmp_path / "other disk")
    frames = find_frames(tmp_path / "raw", Settings())
    assert [frame.path.name for frame in frames.darks] == ["a.fits", "d.fits"]
    assert frames.others == 0


def test_only_headers_are_read(tmp_path):
    noise = np.random.default_rng(1).integers(0, 2**30, (512, 512), dtype="i4")
    path = write(tmp_path / "big.fits", noise)
    (tmp_path / "big.fits.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    for name, least in (("big.fits", 3000), ("big.fits.gz", 500_000)):
        with open(tmp_path / name, "r+b") as file:
            file.seek(-least, os.SEEK_END)
            file.write(b"\xff" * least)
    # the damage behind the headers does not come to light
    assert len(find_frames(tmp_path, Settings()).darks) == 2
    assert read_header(tmp_path / "big.fits.gz")[1] == (512, 512)


@pytest.mark.parametrize("what", ["gone", "a file"])
def test_a_folder_is_needed(tmp_path, what):
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=f"{what}: (no such folder|is no folder); expected the"):
        find_frames(tmp_path / what, Settings())


def test_a_second_look_reads_only_what_changed(tmp_path):
    first, second = write(tmp_path / "a.fits"), write(tmp_path / "b.fits")
    memory = {}
    assert len(find_frames(tmp_path, Settings(), memory).darks) == 2
    seen = memory[first][1]
    second.unlink()
    write(second, ESO_DPR_TYPE="BIAS")
    frames = find_frames(tmp_path, Settings(), memory)
    assert (len(frames.darks), frames.others) == (1, 1)
    assert memory[first][1] is seen


def test_files_that_are_being_written_are_left_for_later(tmp_path):
    old, new = write(tmp_path / "old.fits"), write(tmp_path / "new.fits")
    write(tmp_path / "clock ahead.fits")
    now = new.stat().st_mtime
    os.utime(old, (now - 100, now - 100))
    os.utime(tmp_path / "clock ahead.fits", (now + 1e6, now + 1e6))
    frames = find_frames(tmp_path, Settings(), settle=60)
    assert [frame.path.name for frame in frames.darks] == ["clock ahead.fits", "old.fits"]
    assert len(find_frames(tmp_path, Settings()).darks) == 3


# Sets


def test_names():
    first = describe(Path("/a.fits"), header_of(), (8, 8), load_profile("soxs"), SETTINGS.values)
    assert names_of(first) == ["20260111T090000_NIR_1X1_DARK_300.0S"]


SETTINGS = Settings().for_arm(None)


def names_of(*abouts, template=(None, None)) -> list[str]:
    profile = load_profile("soxs")
    frames = [DarkFrame(about, profile, template, Boundary.at(None)) for about in abouts]
    return _unique_names(frames)


@pytest.mark.parametrize(
    ("cards", "name"),
    [
        ({"EXPTIME": 10}, "20260111T090000_NIR_1X1_DARK_10.0S"),
        ({"EXPTIME": 0.05}, "20260111T090000_NIR_1X1_DARK_0.05S"),
        ({"EXPTIME": 1e-6}, "20260111T090000_NIR_1X1_DARK_1E-06S"),
        ({"ESO_DET_BINX": 2, "ESO_SEQ_ARM": "VIS"}, "20260111T090000_VIS_2X1_DARK_300.0S"),
        ({"MJD-OBS": None}, "undated_NIR_1X1_DARK_300.0S"),
        ({"MJD-OBS": 1e12}, "undated_NIR_1X1_DARK_300.0S"),
        # a millisecond early by rounding
        ({"MJD-OBS": 61051.37499999}, "20260111T090000_NIR_1X1_DARK_300.0S"),
        ({"INSTRUME": "ST-7", "ESO_SEQ_ARM": None}, "20260111T090000_ST-7_1X1_DARK_300.0S"),
        ({"INSTRUME": None, "ESO_SEQ_ARM": None}, "20260111T090000_1X1_DARK_300.0S"),
        ({"ESO_SEQ_ARM": "../../etc/x y"}, "20260111T090000_ETC-X-Y_1X1_DARK_300.0S"),
        ({"ESO_SEQ_ARM": "<script>"}, "20260111T090000_SCRIPT_1X1_DARK_300.0S"),
    ],
)
def test_name_of_a_set(tmp_path, cards, name):
    write(tmp_path / "a.fits", **cards)
    assert found(tmp_path) == {name: 1}


@pytest.mark.parametrize(
    "cards",
    [{"EXPTIME": 10.0}, {"ESO_SEQ_ARM": "VIS"}, {"ESO_DET_READ_CURID": 2}, {"ESO_DET_NDIT": 2},
     {"ESO_DET_OUT1_CONAD": 2.2}, {"ESO_DET_BINX": 2}, {"ESO_DET_WIN1_STRX": 9},
     {"INSTRUME": "XSHOOTER"}, {"INSTRUME": "ELSE"}, {"ESO_DET_READ_CURNAME": None},
     {"ESO_TPL_START": "2026-01-11T08:59:00"}, {"ESO_OBS_ID": 42}],
)  # fmt: skip
def test_what_parts_sets(tmp_path, cards):
    series(tmp_path / "a", 3)
    series(tmp_path / "b", 4, start=61051.376, **cards)
    assert sorted(found(tmp_path).values()) == [3, 4]


def test_shape_parts_sets(tmp_path):
    series(tmp_path / "a", 3)
    for n in range(3):
        write(tmp_path / f"{n}.fits", np.zeros((8, 9), "i4"), **{"MJD-OBS": 61051.376})
    assert sorted(found(tmp_path).values()) == [3, 3]


def test_sets_of_one_name_are_told_apart_by_a_checksum(tmp_path):
    series(tmp_path / "a", 3)
    alone = found(tmp_path)
    series(tmp_path / "b", 3, ESO_DET_READ_CURNAME="Fast")
    both = found(tmp_path)
    assert alone == {"20260111T090000_NIR_1X1_DARK_300.0S": 3}
    assert len(both) == 2
    assert all(re.fullmatch(r"20260111T090000_NIR_1X1_DARK_300\.0S-[0-9a-f]{8}", n) for n in both)
    # whatever comes later
    series(tmp_path / "c", 1, start=61051.4)
    assert found(tmp_path).keys() == both.keys()


@pytest.mark.parametrize(("hours", "gap", "sets"), [(1.9, 2, 1), (2.1, 2, 2), (2.1, 3, 1)])
def test_a_gap_in_time_parts_sets(tmp_path, hours, gap, sets):
    series(tmp_path, 3)
    # from the end of the third exposure, 10 + 5 minutes after the start of the first
    series(tmp_path, 3, start=61051.375 + 15 * MINUTE + hours / 24)
    assert len(found(tmp_path, f"set-gap={gap}")) == sets


def test_long_exposures_are_no_gaps(tmp_path):
    series(tmp_path, 4, start=61050.75, step=3.1 / 24, EXPTIME=3 * 3600.0)
    assert list(found(tmp_path).values()) == [4]


def test_frames_averaged_over_many_integrations_are_no_gaps(tmp_path):
    series(tmp_path, 3, start=61050.75, step=3.1 / 24, ESO_DET_NDIT=36)
    assert list(found(tmp_path).values()) == [3]


def test_noon_parts_sets_but_no_template(tmp_path):
    noon = 61051 + (12 + 70.73 / 15) / 24
    series(tmp_path / "a", 6, start=noon - 12.5 * MINUTE)
    assert list(found(tmp_path).values()) == [3, 3]
    shutil.rmtree(tmp_path / "a")
    series(tmp_path, 6, start=noon - 12.5 * MINUTE, ESO_TPL_START="2026-01-11T16:30:00")
    (whole,) = find_sets(tmp_path).sets
    assert (len(whole.frames), str(whole.night)) == (6, "2026-01-10")


def test_exposure_times_may_differ_within_the_tolerance(tmp_path):
    for n, seconds in enumerate((300.0, 300.05, 300.1, 300.3)):
        cards = {"EXPTIME": seconds, "ESO DET SEQ1 DIT": seconds}
        write(tmp_path / f"{n}.fits", **cards, **{"MJD-OBS": 61051.375 + n * 5 * MINUTE})
    assert list(found(tmp_path).values()) == [1, 1, 1, 1]
    assert list(found(tmp_path, "exposure-time-tolerance=0.1").values()) == [3, 1]


def test_a_later_frame_joins_and_the_name_stays(tmp_path):
    series(tmp_path, 3)
    before = found(tmp_path)
    series(tmp_path, 1, start=61051.375 + 20 * MINUTE)
    assert found(tmp_path) == dict.fromkeys(before, 4)


def test_frames_are_in_order_of_time_and_complete_in_the_sof(tmp_path):
    late, early = (write(tmp_path / f"{n}.fits", **{"MJD-OBS": m}) for n, m in
                   (("a", 61051.38), ("b", 61051.375)))  # fmt: skip
    (one,) = find_sets(os.path.relpath(tmp_path)).sets
    assert [entry.path for entry in one.frames] == [early, late]
    write_sof(tmp_path / "x.sof", one.frames)
    lines = (tmp_path / "x.sof").read_text().splitlines()
    # as soxspipe reads it: path, blank, tag
    assert [line.split() for line in lines] == [[str(p), "DARK_NIR"] for p in (early, late)]
    assert [entry.tag for entry in read_sof(tmp_path / "x.sof")] == ["DARK_NIR"] * 2


def test_own_profile_and_settings_of_the_arm(tmp_path):
    series(tmp_path, 4)
    profile = tmp_path / "mine.yaml"
    profile.write_text(
        "name: mine\nkeywords: {exposure-time: [EXPTIME], image-type: [ESO DPR TYPE]}\n"
        "dark-types: [DARK]\nsetup: [exposure time, shape]\nlongitude: 150\n"
    )
    (one,) = find_sets(tmp_path, Settings.read(None, (), profile)).sets
    assert one.name == "undated_1X1_DARK_300.0S"
    (tmp_path / "s.yaml").write_text(
        "soxs-mdark:\n  nir:\n    minimum-frame-count: 5\n    night-start: 8.9\n"
    )
    (one,) = find_sets(tmp_path, Settings.read(tmp_path / "s.yaml")).sets
    assert one.is_too_small
    assert str(one.night) == "2026-01-11"


# Properties

TEXTS = st.sampled_from([None, "NIR", "VIS", "nir", "..", "/etc/passwd", "ä ö", "", "x" * 60, "\\"])
CARDS = st.fixed_dictionaries(
    {
        "ESO SEQ ARM": TEXTS,
        "INSTRUME": TEXTS,
        "EXPTIME": st.sampled_from([1, 300.0, 300.04, 1e-6, 1e6]),
        "MJD-OBS": st.none() | st.floats(61051, 61053) | st.sampled_from([-1e300, 61051.375]),
        "ESO TPL START": st.sampled_from([None, "2026-01-11T08:59:00"]),
        "ESO OBS ID": st.sampled_from([None, 7]),
        "ESO DET READ CURNAME": st.sampled_from([None, "Fast", 3]),
        "ESO DET NDIT": st.sampled_from([None, 1, 4]),
    }
)


@given(st.lists(CARDS, max_size=12), st.sampled_from([0, 0.1]), st.sampled_from([1e-6, 2.0]))
def test_every_dark_is_in_exactly_one_set(cards, tolerance, gap):
    settings = Settings.read(None, [f"exposure-time-tolerance={tolerance}", f"set-gap={gap}"])
    values, profile = settings.for_arm(None).values, load_profile("generic")
    frames = []
    for number, given_cards in enumerate(cards):
        header = NIR | given_cards
        present = {key: value for key, value in header.items() if value is not None}
        about = describe(Path(f"/raw/{number}.fits"), present, (8, 8), profile, values)
        template = header["ESO TPL START"], header["ESO OBS ID"]
        frames.append(DarkFrame(about, profile, template, Boundary.at(-70.0)))
    groups = list(group(frames, settings))
    assert sorted(f.path for g in groups for f in g) == sorted(f.path for f in frames)
    names = _unique_names([g[0] for g in groups])
    assert len({name.casefold() for name in names}) == len(groups)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in names)
    for members in groups:
        assert len({f.template for f in members}) == 1
        assert len({f.is_dated for f in members}) == 1
        times = [f.about.exposure_time for f in members]
        assert max(times) - min(times) <= tolerance * 1.001
        if members[0].is_dated:
            starts = [f.about.mjd_obs for f in members]
            assert starts == sorted(starts)
            assert all(math.isfinite(s) for s in starts)
