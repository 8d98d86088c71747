"""What the user gave, as frames of one setup and a bad-pixel map."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soxsdark.errors import InputError
from soxsdark.frame import Frame, is_product
from soxsdark.instruments import Profile, load_profile, recognise
from soxsdark.product import read_input_mask
from soxsdark.record import sha256_of
from soxsdark.settings import EffectiveSettings, Settings
from soxsdark.setups import check_one_setup, describe, setup_remarks
from soxsdark.sof import FileSet, read_inputs
from soxsdark.survey import RawDark

MANY_BAD = 0.2
"""Share of bad pixels in the input map from which on it is told."""


@dataclass(frozen=True)
class BadPixelMap:
    """The input bad-pixel map, cut to the science pixels."""

    path: Path
    tag: str
    bad: np.ndarray
    """True = bad."""
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """Everything pass 1 needs."""

    name: str
    darks: tuple[RawDark, ...]
    profile: Profile
    settings: EffectiveSettings
    bad_pixel_map: BadPixelMap | None
    of_set: tuple[str, ...] = ()
    """Remarks on the set as a whole."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Each remark once, in the order of the frames."""
        every = [r for d in self.darks for r in (*d.frame.remarks, *d.about.remarks)]
        return tuple(dict.fromkeys((*self.of_set, *every)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each warning once, in the order of the frames."""
        every = [w for d in self.darks for w in d.about.warnings]
        if self.bad_pixel_map and self.bad_pixel_map.bad.mean() > MANY_BAD:
            share = 100 * self.bad_pixel_map.bad.mean()
            every.append(f"{self.bad_pixel_map.path.name} marks {share:.0f} % of the pixels as bad")
        return tuple(dict.fromkeys(every))


def find_files(inputs) -> FileSet:
    """The files of a SOF, a folder, FITS paths, or a ccdproc ImageFileCollection."""
    if hasattr(inputs, "files_filtered"):
        paths = list(inputs.files_filtered(include_path=True))
        found = read_inputs(paths)
        location = getattr(inputs, "location", None)
        name = Path(location).resolve().name if location else found.name
        source = Path(location) if location else found.source
        return FileSet(name or found.name, found.frames, found.bad_pixel_map, source)
    return read_inputs(inputs)


def open_inputs(
    files: FileSet,
    settings: Settings,
    bad_pixel_map: Path | str | None = None,
) -> Inputs:
    """Open the frames by their headers and check that they are darks of one setup.

    Parameters
    ----------
    files : FileSet
    settings : Settings
    bad_pixel_map : path, optional
        Instead of the one in the SOF.

    Raises
    ------
    InputError
        A file cannot be used, is no dark, there are too few, or the setups differ.
    SettingsError
        The instrument profile does not exist or is wrong.
    """
    chosen = settings.for_arm(None).values
    opened, skipped = _raws(files, chosen.data_extension)
    if not opened:
        raise InputError(f"{files.source or files.name}: no dark frames in it")
    instrume = str(opened[0][0].header.get("INSTRUME", ""))
    profile = load_profile(chosen.instrument) if chosen.instrument else recognise(instrume)
    darks = []
    for frame, tag in opened:
        about = describe(frame.path, frame.header, frame.layout.shape, profile, chosen, tag)
        darks.append((frame, about, tag))
    effective = settings.for_arm(darks[0][1].arm)
    if effective.values != chosen:
        darks = [
            (f, describe(f.path, f.header, f.layout.shape, profile, effective.values, tag), tag)
            for f, _, tag in darks
        ]
    abouts = [about for _, about, _ in darks]
    check_one_setup(abouts)
    found = tuple(RawDark(*d) for d in darks)
    minimum = effective.values.minimum_frame_count
    if len(found) < minimum:
        raise InputError(
            f"{files.source or files.name}: {len(found)} dark frame"
            f"{'' if len(found) == 1 else 's'}, at least {minimum} (minimum-frame-count) are "
            "needed; add frames"
        )
    own = files.bad_pixel_map
    given = bad_pixel_map or (own.path if own else None)
    tag = own.tag if own and not bad_pixel_map else f"BP_MAP_{found[0].about.arm or ''}".rstrip("_")
    mask = _open_map(Path(given), tag, found[0]) if given else None
    remarks = (*settings.notes, *skipped, *setup_remarks(abouts))
    return Inputs(files.name, found, profile, effective, mask, remarks)


def _raws(files: FileSet, extension: int | str | None) -> tuple[list, list[str]]:
    """Open the frames, each with its tag; products that lie in a folder are passed over and told.

    Of a product the header may be read twice, of a raw frame never.
    """
    in_folder = files.source is not None and files.source.is_dir()
    opened, products = [], []
    for entry in files.frames:
        try:
            frame = Frame.open(entry.path, extension)
        except InputError:
            if not (in_folder and is_product(entry.path)):
                raise
            products.append(entry.path)
            continue
        if in_folder and "ESO PRO CATG" in frame.header:
            products.append(entry.path)
        else:
            opened.append((frame, entry.tag))
    return opened, [f"{p.name} is a product, not a raw frame: passed over" for p in products]


def _open_map(path: Path, tag: str, dark: RawDark) -> BadPixelMap:
    bad = read_input_mask(path, dark.about.arm)
    of, arm = tag.partition("BP_MAP_")[2], dark.about.arm
    if of and arm and of.upper() != arm.upper():
        raise InputError(f"{path}: tagged {tag}, the frames are of arm {dark.about.arm}")
    if bad.shape != dark.shape:
        if bad.shape != dark.frame.layout.shape:
            raise InputError(
                f"{path}: bad-pixel map of {_size(bad.shape)} pixels, {_size(dark.shape)} (or the "
                f"raw frame's {_size(dark.frame.layout.shape)}) are expected"
            )
        bad = np.ascontiguousarray(bad[dark.about.window])
    return BadPixelMap(path, tag, bad, sha256_of(path))


def _size(shape: Sequence[int]) -> str:
    return f"{shape[0]}x{shape[1]}"
