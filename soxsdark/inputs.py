"""What the user gave, as frames of one setup and a bad-pixel map."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from soxsdark.amplifiers import cut
from soxsdark.calibration import MasterBias, open_master_bias
from soxsdark.description import Description
from soxsdark.errors import InputError
from soxsdark.file_set import FileSet
from soxsdark.frame import Frame, is_product
from soxsdark.instruments import Profile, own_profile, profile_of, size_text
from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.one_setup import check_one_setup, setup_remarks
from soxsdark.orientation import to_raw, turned_lengths
from soxsdark.previous import Previous, open_previous
from soxsdark.product import read_input_mask
from soxsdark.record import sha256_of
from soxsdark.settings import EffectiveSettings, MdarkSettings, Settings
from soxsdark.setups import describe
from soxsdark.sof import read_inputs
from soxsdark.survey import RawDark

MANY_BAD = 0.2
"""Share of bad pixels in the input map from which on it is told."""


@dataclass(frozen=True)
class BadPixelMap:
    """The input bad-pixel map, turned as the raw frames are and cut to the science pixels."""

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
    kind: Kind = DARK
    master_bias: MasterBias | None = None
    profile_file: Path | None = None
    """A user's own instrument profile."""
    previous: Previous | None = None
    """The master dark that the new one is compared with."""

    @property
    def bad(self) -> np.ndarray | None:
        """Bad pixels of the map and of the master bias together, True = bad."""
        given = [c.bad for c in (self.bad_pixel_map, self.master_bias) if c]
        return reduce(np.logical_or, given) if given else None

    @property
    def pedestal(self) -> bool | None:
        """Whether the product will hold the bias pedestal; None: unknown."""
        if self.kind is BIAS:
            return True
        return False if self.master_bias else self.darks[0].about.pedestal

    @property
    def remarks(self) -> tuple[str, ...]:
        """Each remark once, in the order of the frames."""
        every = [r for d in self.darks for r in (*d.frame.remarks, *d.about.remarks)]
        return tuple(dict.fromkeys((*self.of_set, *every)))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each warning once, in the order of the frames."""
        every = [w for d in self.darks for w in d.about.warnings]
        for given in (self.bad_pixel_map, self.master_bias):
            if given and (share := given.bad.mean()) > MANY_BAD:
                every.append(f"{given.path.name} marks {100 * share:.0f} % of the pixels as bad")
        return tuple(dict.fromkeys(every))


def find_files(inputs: Any, kind: Kind = DARK) -> FileSet:
    """The files of a SOF, observing blocks, a folder, FITS paths, ImageFileCollection or FileSet.

    `kind` says which of several observing blocks.
    """
    if isinstance(inputs, FileSet):
        return inputs
    if hasattr(inputs, "files_filtered"):
        paths = list(inputs.files_filtered(include_path=True))
        found = read_inputs(paths)
        location = getattr(inputs, "location", None)
        name = Path(location).resolve().name if location else found.name
        source = Path(location) if location else found.source
        return replace(found, name=name or found.name, source=source)
    return read_inputs(inputs, kind)


def open_inputs(
    files: FileSet,
    settings: Settings,
    bad_pixel_map: Path | str | None = None,
    master_bias: Path | str | None = None,
    kind: Kind = DARK,
    previous: Path | str | None = None,
) -> Inputs:
    """Open the frames by their headers and check that they are of one kind and setup.

    Parameters
    ----------
    files : FileSet
    settings : Settings
    bad_pixel_map, master_bias : path, optional
        Instead of those in the SOF.
    kind : Kind
        Of the raw frames.
    previous : path, optional
        Master dark to compare the new one with.

    Raises
    ------
    InputError
        A file cannot be used, is of another kind, there are too few, the setups differ, or a
        master bias that is required is missing.
    SettingsError
        The instrument profile does not exist or is wrong.
    """
    asked = settings.for_arm(None).values
    opened, skipped = _raws(files, asked.data_extension)
    if not opened:
        raise InputError(f"{files.source or files.name}: no {kind.name} frames in it; add some")
    profile = profile_of(opened[0][0].header, asked.instrument)
    darks, effective = _described(opened, profile, settings, kind)
    abouts = [dark.about for dark in darks]
    check_one_setup(abouts, effective.values.exposure_time_tolerance)
    _check_enough(files, darks, effective.values.minimum_frame_count, kind)
    mask = _given_map(files, bad_pixel_map, darks[0])
    bias = _open_bias(files, master_bias, darks[0], profile, kind)
    if bias is None and kind is DARK and effective.values.require_master_bias:
        raise InputError(
            f"{files.source or files.name}: no master bias given, and require-master-bias is true; "
            "give one with --master-bias, or in the SOF with tag MASTER_BIAS_<ARM>"
        )
    remarks = (*settings.notes, *skipped, *setup_remarks(abouts), *(bias.remarks if bias else ()))
    own_file = own_profile(asked.instrument)
    inputs = Inputs(files.name, darks, profile, effective, mask, remarks, kind, bias, own_file)
    if previous is None:
        return inputs
    before = open_previous(previous, inputs)
    return replace(inputs, previous=before, of_set=(*remarks, *before.remarks))


def _described(
    opened: Sequence[tuple[Frame, str | None]], profile: Profile, settings: Settings, kind: Kind
) -> tuple[tuple[RawDark, ...], EffectiveSettings]:
    """Describe the frames with the settings of their arm, which the first of them tells."""

    def with_settings(values: MdarkSettings) -> tuple[RawDark, ...]:
        return tuple(RawDark(frame, about(frame, tag, values), tag) for frame, tag in opened)

    def about(frame: Frame, tag: str | None, values: MdarkSettings) -> Description:
        shape = frame.layout.shape
        return describe(frame.path, frame.header, shape, profile, values, tag, kind.name)

    for frame, tag in opened:
        _check_tag(frame.path, tag, kind)
    asked = settings.for_arm(None)
    darks = with_settings(asked.values)
    effective = settings.for_arm(darks[0].about.arm)
    return darks if effective.values == asked.values else with_settings(effective.values), effective


def _check_enough(files: FileSet, darks: Sequence[RawDark], minimum: int, kind: Kind) -> None:
    if len(darks) < minimum:
        raise InputError(
            f"{files.source or files.name}: {len(darks)} {kind.name} frame"
            f"{'' if len(darks) == 1 else 's'}, at least {minimum} (minimum-frame-count) are "
            "needed; add frames"
        )


def _given_map(files: FileSet, given: Path | str | None, dark: RawDark) -> BadPixelMap | None:
    own = files.bad_pixel_map
    if given:
        return _open_map(Path(given), f"BP_MAP_{dark.about.arm or ''}".rstrip("_"), dark)
    return _open_map(own.path, own.tag or "", dark) if own else None


def _check_tag(path: Path, tag: str | None, kind: Kind) -> None:
    if tag and tag.partition("_")[0] != kind.tag:
        raise InputError(
            f"{path}: tagged {tag}, {kind.recipe} takes {kind.name} frames ({kind.tag}): leave it "
            "out, or use the other command"
        )


def _open_bias(
    files: FileSet, given: Path | str | None, raw: RawDark, profile: Profile, kind: Kind
) -> MasterBias | None:
    own = files.master_bias
    path, tag = (Path(given), None) if given else (own.path, own.tag) if own else (None, None)
    if path is None:
        return None
    if kind is BIAS:
        raise InputError(f"{path}: {kind.recipe} subtracts no master bias; leave it out")
    shape = raw.frame.layout.shape
    return open_master_bias(path, tag, raw.about, raw.frame.header, shape, profile)


def _raws(files: FileSet, extension: int | str | None) -> tuple[list[Any], list[str]]:
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
    of, arm = tag.partition("BP_MAP_")[2], dark.about.arm
    bad = read_input_mask(path, arm)
    if of and arm and of.upper() != arm.upper():
        raise InputError(f"{path}: tagged {tag}, the frames are of arm {arm}; give one of theirs")
    rotation, whole = dark.about.rotation, dark.frame.layout.shape
    turned = to_raw(bad, rotation)
    if turned.shape not in (dark.shape, whole):
        sizes = (size_text(turned_lengths(shape, rotation)) for shape in (dark.shape, whole))
        raise InputError(
            f"{path}: bad-pixel map of {size_text(bad.shape)} pixels, {next(sizes)} (or the "
            f"{'turned ' if rotation else ''}raw frame's {next(sizes)}) are expected; give "
            "one of theirs"
        )
    if turned.shape != dark.shape:
        turned = cut(turned, dark.about.sections)
    return BadPixelMap(path, tag, np.ascontiguousarray(turned), sha256_of(path))
