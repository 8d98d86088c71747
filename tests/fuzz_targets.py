"""What is fuzzed: every reader of what anybody may have written, fed with any bytes.

A target takes the bytes, returns the error that the program would show a person, or None, and
raises `AssertionError` where something was read that should not have been. Any other exception is
a fault of the program.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from astropy.io import fits

from soxsdark.calibration import level_error
from soxsdark.errors import InputError, SettingsError, SoxsdarkError
from soxsdark.frame import Frame
from soxsdark.frame_header import read_header
from soxsdark.instruments import load_profile, recognise
from soxsdark.kinds import DARK
from soxsdark.master_file import read_master_dark
from soxsdark.observing_block import read_block
from soxsdark.product import read_mask
from soxsdark.record_check import run_id_of
from soxsdark.record_file import read_record
from soxsdark.settings import MdarkSettings, Settings
from soxsdark.settings_layers import ARMS
from soxsdark.setups import describe
from soxsdark.sof import parse_sof, read_sof, sof_content
from soxsdark.text import printable

CARD = 80
LONGEST = 2000
"""Letters of a message: a person is to read it."""
_scratch = Path(tempfile.mkdtemp(prefix="soxsdark-fuzz-"))


def sof(path: Path) -> None:
    entries = read_sof(path)
    with suppress(InputError):  # a name that only a longer line can hold
        again = parse_sof(sof_content(entries).decode("utf-8", "surrogateescape"))
        assert [(e.path, e.tag) for e in again] == [(e.path, e.tag) for e in entries]


def settings(path: Path) -> None:
    read = Settings.read(path)
    for arm in (None, *ARMS):
        read.for_arm(arm)


def option(path: Path) -> None:
    # an argument of the command line is decoded so
    Settings.read(None, [os.fsdecode(path.read_bytes().replace(b"\0", b""))]).for_arm("nir")


def profile(path: Path) -> None:
    load_profile(path)


def block(path: Path) -> None:
    read_block(path, DARK)


def record(path: Path) -> None:
    read_record(path)


def header(path: Path) -> None:
    """Cards, one a line; the first that stands there counts, as in a file."""
    lines = path.read_bytes().decode("latin-1").split("\n")
    cards = fits.Header.fromstring("".join(line[:CARD].ljust(CARD) for line in lines))
    try:
        instrume = str(cards.get("INSTRUME") or "")
    except fits.VerifyError:
        instrume = ""
    about = describe(path, cards, (96, 128), recognise(instrume), MdarkSettings())
    assert about.exposure_time > 0
    level_error(cards, path.name)


def frame(path: Path) -> None:
    opened = Frame.open(path)
    pixels = opened.load().pixels
    assert pixels.shape == opened.layout.shape
    assert opened.read_rows(0, 1).shape[1] == pixels.shape[1]


def frame_header(path: Path) -> None:
    read_header(path)


def mask(path: Path) -> None:
    read_mask(path)


def master(path: Path) -> None:
    read_master_dark(path)
    run_id_of(path)


ENDINGS = {
    sof: ".sof", settings: ".yaml", option: ".txt", profile: ".yaml", block: ".yaml",
    record: ".json", header: ".txt", frame: ".fits", frame_header: ".fits", mask: ".fits",
    master: ".fits",
}  # fmt: skip
TARGETS: dict[str, Callable[[Path], None]] = {target.__name__: target for target in ENDINGS}


def run(name: str, data: bytes) -> SoxsdarkError | None:
    """Feed a target; what the person would be told, if anything."""
    target = TARGETS[name]
    path = _scratch / f"{name}{ENDINGS[target]}"
    path.write_bytes(data)
    told = None
    try:
        target(path)
    except (InputError, SettingsError) as error:
        told = error
    if told is not None:
        said = printable(str(told))
        assert 0 < len(said) <= LONGEST, said
        assert len(said.splitlines()) == 1, said
    return told
