"""A master bias: read, compared with the raws it is to be subtracted from, and cut as they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from soxsdark.amplifiers import Amplifier, cut, join_rows
from soxsdark.description import Description
from soxsdark.errors import InputError
from soxsdark.flags import Background, find_background
from soxsdark.gains import header_gain
from soxsdark.instruments import FrameHeader, Profile, as_number, size_text
from soxsdark.master_file import (
    ELECTRON,
    UNCERTAINTIES,
    baseline_problem,
    deviation_of,
    unit_of,
)
from soxsdark.noise_model import BLOCK, SIGNIFICANT
from soxsdark.one_setup import same_value, value_text
from soxsdark.orientation import Window, to_raw, turned_lengths
from soxsdark.product import check_sums, header_of, images_of, reading
from soxsdark.record import sha256_of

MASKS = ("QUAL", "MASK", "DQ")
COUNTS = ("NCOM", "MAP")
"""Numbers of samples: no masks, though integers."""


@dataclass(frozen=True)
class MasterBias:
    """A master bias of the science pixels, (rows, columns), electrons."""

    path: Path
    tag: str
    values: np.ndarray
    """float32, finite: where the file has no value, the background around."""
    sigma: np.ndarray
    """Standard deviation of `values`, float32."""
    bad: np.ndarray
    """True = bad in its own mask, or without a value."""
    parts: tuple["BiasPart", ...]
    """Of each amplifier of the frames."""
    level_error: float | None
    """Standard deviation of the level, common to all pixels; None: the file does not say."""
    unit: str
    """Unit of the file, and who says so."""
    uncertainty: str
    """Where `sigma` comes from."""
    sha256: str
    datamd5: str | None
    remarks: tuple[str, ...] = ()

    @property
    def level(self) -> float:
        """Typical value, mean over the amplifiers."""
        return float(np.mean([part.level for part in self.parts]))

    def pattern(self, first: int, last: int) -> np.ndarray:
        """The fixed pattern above the levels, for pixel rows first to last (half-open), float32."""
        return join_rows([(part.place, part.pattern) for part in self.parts], first, last)


@dataclass(frozen=True)
class BiasPart:
    """What one amplifier has of a master bias; images of its own pixels."""

    place: Window
    """Of these pixels in the science image."""
    values: np.ndarray
    sigma: np.ndarray
    """As in `MasterBias`."""
    background: Background
    """Smooth part of `values`."""
    level: float
    """Typical value."""

    def pattern(self, first: int, last: int) -> np.ndarray:
        """The fixed pattern above `level`, for pixel rows first to last (half-open), float32.

        A pixel has its own value where that stands out of the background by more than 5 sigma,
        else the background: so it is never off by more than that, and the noise of the bias is
        not in it.
        """
        smooth, values = self.background.rows(first, last), self.values[first:last]
        sure = np.abs(values - smooth) > SIGNIFICANT * self.sigma[first:last]
        return np.where(sure, values, smooth) - np.float32(self.level)


@dataclass(frozen=True)
class _Content:
    """What the file holds, in its own units."""

    header: fits.Header
    values: np.ndarray
    sigma: np.ndarray | None
    bad: np.ndarray | None
    unit: str


def open_master_bias(
    path: Path,
    tag: str | None,
    about: Description,
    header: fits.Header,
    raw_shape: Sequence[int],
    profile: Profile,
) -> MasterBias:
    """Read a master bias for raws of one setup.

    Parameters
    ----------
    path
        The FITS file.
    tag
        What the SOF says of it, if it does.
    about, header, raw_shape, profile
        Of the first raw frame.

    Raises
    ------
    InputError
        The file cannot be read, is no master bias, or one of another setup, shape or unit.
    """
    content = _read(path)
    mine = FrameHeader(path, content.header, profile)
    _check_category(mine)
    if problem := baseline_problem(content.header, about.subtracted):
        raise InputError(f"{path}: {problem}; make the master bias as the darks are made")
    remarks = _check_setup(mine, FrameHeader(about.path, header, profile), about.arm, tag)
    if about.pedestal is False:
        remarks.append("the readout removes the pedestal, says the profile: a rest is subtracted")
    factors, unit, said = _electrons(path, content.unit, about)
    remarks += said
    if content.sigma is None:
        remarks.append(f"{path.name} has no uncertainty ({' or '.join(UNCERTAINTIES)}): 0 assumed")
    values, sigma, bad = (
        None if image is None else _cut(path, image, about, raw_shape)
        for image in (content.values, content.sigma, content.bad)
    )
    values, sigma, bad, parts = _completed(path, values, sigma, bad, about.amplifiers, factors)
    error, said = level_error(content.header, path.name)
    remarks += said
    return MasterBias(
        path=path,
        tag=tag or f"MASTER_BIAS_{about.arm or ''}".rstrip("_"),
        values=values,
        sigma=sigma,
        bad=bad,
        parts=parts,
        level_error=error,
        unit=unit,
        uncertainty="assumed 0" if content.sigma is None else "the file",
        sha256=sha256_of(path),
        datamd5=str(content.header.get("DATAMD5", "")).strip() or None,
        remarks=tuple(remarks),
    )


def _read(path: Path) -> _Content:
    with reading(path, "a master bias") as hdus:
        check_sums(path, hdus)
        images = images_of(hdus)
        if not images:
            raise InputError(f"{path}: holds no 2-D image, expected a master bias")
        main, *others = images
        header = header_of(hdus)
        sigma = next((hdu for hdu in others if hdu.name in UNCERTAINTIES), None)
        mask = next((hdu for hdu in others if hdu.name in MASKS), None) or next(
            (hdu for hdu in others if hdu.header["BITPIX"] > 0 and hdu.name not in COUNTS), None
        )
        return _Content(
            header=header,
            values=main.data.astype(np.float32),
            sigma=None if sigma is None else deviation_of(path, sigma, np.float32),
            bad=None if mask is None else np.asarray(mask.data) != 0,
            unit=str(header.get("BUNIT", "")).strip(),
        )


def _check_category(mine: FrameHeader) -> None:
    category = str(mine.header.get("ESO PRO CATG", "")).strip()
    if category:
        if not category.upper().startswith("MASTER_BIAS"):
            raise mine.refuse("ESO PRO CATG", category, "a master bias (MASTER_BIAS)")
        return
    first = mine.first("image-type")
    if first and not any(word in str(first[1]).upper() for word in ("BIAS", "ZERO")):
        raise mine.refuse(*first, "a master bias; give another file")


def _check_setup(
    mine: FrameHeader, raw: FrameHeader, arm: str | None, tag: str | None
) -> list[str]:
    """Refuse the bias of another setup; return a remark on what cannot be compared."""
    own, expected = _setup(mine), _setup(raw) | {"arm": arm}
    own["arm"] = own["arm"] or (tag or "").partition("MASTER_BIAS_")[2] or None
    wanted = [k for k in expected if k in mine.profile.setup and expected[k] is not None]
    differing = [k for k in wanted if own[k] is not None and not same_value(own[k], expected[k])]
    if differing:
        said = ", ".join(
            f"{k} {value_text(own[k])} (expected {value_text(expected[k])})" for k in differing
        )
        raise InputError(
            f"{mine.path}: the master bias is of another setup than the frames: {said}; "
            "give one of theirs"
        )
    lacking = [k for k in wanted if own[k] is None]
    if not lacking:
        return []
    return [f"{mine.path.name} does not say its {', '.join(lacking)}: not compared"]


def _setup(frame: FrameHeader) -> dict[str, object]:
    """What the header says of all that a bias depends on; None where it is silent."""
    pairs = {
        "binning": (frame.value("binning-x"), frame.value("binning-y")),
        "window": (frame.value("window-x"), frame.value("window-y")),
    }
    gain = header_gain(frame)
    return {
        "instrument": frame.text("instrument"),
        "arm": frame.text("arm"),
        **{name: None if pair == (None, None) else pair for name, pair in pairs.items()},
        "readout id": frame.value("readout-id"),
        "readout name": frame.value("readout-name"),
        "gain": gain.value if gain else None,
    }


def _electrons(path: Path, unit: str, about: Description) -> tuple[list[float], str, list[str]]:
    """Electrons for each unit of the file by amplifier, the unit with its source, remarks."""
    gains = [amplifier.gain.value for amplifier in about.amplifiers]
    known = unit_of(unit)
    if known:
        return [1.0] * len(gains) if known == ELECTRON else gains, f"{unit} (BUNIT)", []
    if unit:
        raise InputError(f"{path}: BUNIT is {unit!r}, expected electron or ADU; correct the header")
    return gains, "adu (assumed)", [f"{path.name} has no BUNIT: taken to be in ADU"]


def _cut(path: Path, image: np.ndarray, about: Description, raw_shape: Sequence[int]) -> np.ndarray:
    science, turned = about.shape, to_raw(image, about.rotation)
    if turned.shape == science:
        return turned
    if turned.shape != tuple(raw_shape):
        sizes = [turned_lengths(shape, about.rotation) for shape in (science, raw_shape)]
        raise InputError(
            f"{path}: master bias of {size_text(image.shape)} pixels, {size_text(sizes[0])} (or "
            f"the raw frame's {size_text(sizes[1])}) are expected; give one of theirs"
        )
    return cut(turned, about.sections)


def _completed(
    path: Path,
    values: Any,
    sigma: np.ndarray | None,
    bad: np.ndarray | None,
    amplifiers: Sequence[Amplifier],
    factors: Sequence[float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[BiasPart, ...]]:
    """Values and errors in electrons, bad pixels, and the parts of the amplifiers.

    Pixels without a value or an error are bad, and get those of their surroundings.
    """
    values = np.ascontiguousarray(values)
    sigma = np.zeros(values.shape, np.float32) if sigma is None else np.ascontiguousarray(sigma)
    doubtful = ~(np.isfinite(values) & np.isfinite(sigma) & (sigma >= 0))
    bad = doubtful if bad is None else doubtful | bad
    parts = []
    for amplifier, factor in zip(amplifiers, factors, strict=True):
        if bad[amplifier.place].all():
            raise InputError(
                f"{path}: has no good pixel{amplifier.of}, a master bias is expected; make it again"
            )
        own, errors = values[amplifier.place], sigma[amplifier.place]
        own *= np.float32(factor)
        errors *= np.float32(factor)
        background = find_background(own, bad[amplifier.place], BLOCK)
        np.copyto(errors, background.sigma, where=doubtful[amplifier.place])
        known = np.isfinite(own)
        if not known.all():
            np.copyto(own, background.rows(0, len(own)), where=~known)
        level = float(np.median(background.level))
        parts.append(BiasPart(amplifier.place, own, errors, background, level))
    return values, sigma, bad, tuple(parts)


def level_error(header: fits.Header, name: str) -> tuple[float | None, list[str]]:
    """Return the standard deviation of a master's level, e-, by its header, and remarks.

    It is that of the mean of N frames' levels, LEVEL DRIFT / sqrt(N); None if it is not known.
    """
    drift = as_number(header.get("ESO QC LEVEL DRIFT"))
    frames = as_number(header.get("ESO PRO DATANCOM"))
    if drift is None or not frames:
        return None, [f"{name} does not say how well its level is known: taken to be exact"]
    return drift / math.sqrt(frames), []
