"""Records of real runs of every kind, for the tests of what reads them."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from astropy.io import fits

from soxsdark import mbias, mdark
from soxsdark.errors import InputError
from soxsdark.simulator import Scene, simulate
from soxsdark.subtract import subtract_files

VIS = {"arm": "VIS", "shape": (96, 96)}
SETTINGS = """\
soxs-mdark:
    hot-pixel-sigma: 6
    vis:
        frame-clipping-iterations: 2
        clipping-lower-sigma: 2.5
        clipping-upper-sigma: 3.5
        qc-acceptable-ranges: {raw-ron: [0, 30], hotpix-num: [0, null]}
"""

TAPS = """\
name: taps
keywords: {exposure-time: [EXPTIME], image-type: [IMAGETYP]}
dark-types: [DARK]
setup: [exposure time, shape, gain]
arms:
    "*":
        shape: [64, 128]
        amplifiers:
            - {name: left, rows: [0, 64], columns: [0, 64], gain: 1.5, ron: 4}
            - {name: right, rows: [0, 64], columns: [64, 128], gain: 2, ron: 6}
"""


def content(path: Path) -> dict:
    """The JSON in a file, nothing but what the standard knows."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)


def stopping(error: BaseException):
    """A progress that ends the run at its first step."""

    def progress(*_step) -> None:
        raise error

    return progress


def left_by(error: BaseException, sof: Path, folder: Path, **options) -> Path:
    """Run a set that ends in `error`; return the record that it leaves."""
    try:
        mdark(sof, output=folder, **options)
    except type(error):
        return folder / f"{sof.stem}_FAILED.json"
    raise AssertionError("the run did not end")


def left_by_subtract(frame: Path, dark: Path, folder: Path) -> Path:
    """Take a dark off a frame and off one that is missing; return the record that it leaves."""
    try:
        subtract_files([frame, folder / "none.fits"], dark, output=folder)
    except InputError:
        return folder / f"{frame.stem}_DSUB_FAILED.json"
    raise AssertionError("the run did not end")


def taps(folder: Path) -> list[Path]:
    """Frames of a detector of two amplifiers, and its profile ``taps.yaml``."""
    folder.mkdir()
    (folder / "taps.yaml").write_text(TAPS)
    rng, paths = np.random.default_rng(5), []
    for number in range(4):
        hdu = fits.PrimaryHDU(rng.normal(500, 3, (64, 128)).round().astype(np.int16))
        hdu.header["IMAGETYP"], hdu.header["EXPTIME"] = "DARK", 60.0
        paths.append(folder / f"{number}.fits")
        hdu.writeto(paths[-1])
    return paths


def make_runs(folder: Path) -> SimpleNamespace:
    """Run everything there is once, on small frames, with every option that a record must keep."""
    darks = simulate(folder / "d", Scene(**VIS, exptime=600.0, seed=3))
    biases = simulate(folder / "b", Scene(**VIS, exptime=0.0, seed=4, hot_fraction=0.0))
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    profile = folder / "mine.yaml"
    packaged = Path(__file__).parent.parent / "soxsdark" / "instruments" / "soxs.yaml"
    profile.write_text(packaged.read_text().replace("name: soxs", "name: mine"))
    bias = mbias(biases.sof, output=folder / "o", command=["soxsdark", "mbias"])
    plain = mdark(list(darks.frames), output=folder / "p")
    dark = mdark(
        darks.sof, settings, output=folder / "o", instrument=profile,
        bad_pixel_map=darks.bad_pixel_map, master_bias=bias.master, previous=plain.master,
        command=["soxsdark", "mdark"],
    )  # fmt: skip
    parted = mdark(taps(folder / "a"), output=folder / "q", instrument=folder / "a" / "taps.yaml")
    [subtracted] = subtract_files(
        [darks.frames[0]], dark.master, output=folder / "o", master_bias=bias.master, scale="always"
    )
    few = folder / "d" / "few.sof"
    few.write_text("".join(darks.sof.read_text().splitlines(keepends=True)[:1]))
    ends = {"i": KeyboardInterrupt(), "t": SystemExit(143), "z": ZeroDivisionError("two\nlines")}
    ended = {
        name: left_by(error, darks.sof, folder / name, progress=stopping(error))
        for name, error in ends.items()
    }
    records = {
        "mdark": dark.record_file,
        "plain mdark": plain.record_file,
        "two amplifiers": parted.record_file,
        "mbias": bias.record_file,
        "subtract": subtracted.record_file,
        "failed": left_by(InputError(), few, folder / "f", settings=settings),
        "failed subtract": left_by_subtract(darks.frames[0], dark.master, folder / "s"),
        "interrupted": ended["i"],
        "terminated": ended["t"],
        "bug": ended["z"],
    }
    return SimpleNamespace(folder=folder, darks=darks, bias=bias, dark=dark, records=records)
