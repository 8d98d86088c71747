"""The science pixels of a raw image, amplifier by amplifier, by its shape and binning."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from soxsdark.amplifiers import Section, lengths, science_shape, whole
from soxsdark.orientation import Window, raw_window, turned_lengths

if TYPE_CHECKING:
    from soxsdark.instruments.detector import Detector

Sections = tuple[Section, ...]


def science_sections(
    shape: tuple[int, int], detector: "Detector", binning: tuple[int, int], trim: bool
) -> tuple[Sections, bool, str | None]:
    """Choose the pixels of a raw image to use.

    Parameters
    ----------
    shape : (rows, columns)
        Of the raw image.
    detector : Detector
        Of the arm.
    binning : (x, y)
        Of the raw image.
    trim : bool
        False: use all pixels.

    Returns
    -------
    sections : tuple of Section
        One an amplifier.
    trimmed : bool
    remark : str or None
        Why the frame is not trimmed although the detector's science pixels are known.
    """
    untrimmed = (Section(whole(shape), whole(shape)),)
    if not detector.areas or detector.shape is None:
        return untrimmed, False, None
    by = binning[::-1]
    for factor in (by, (1, 1)):
        full = detector.shape[0] // factor[0], detector.shape[1] // factor[1]
        sections = _sections(detector, full, factor)
        if tuple(shape) == full:
            if not trim:
                return untrimmed, False, "not trimmed: trim is false, all pixels are used"
            odd = f"full unbinned frame although binning is {size_text(binning)}"
            return sections, True, None if factor == by else odd
        if tuple(shape) == science_shape(sections):
            own = (replace(s, raw=s.place, overscan=None, reference=()) for s in sections)
            return tuple(own), False, None
    remark = (
        f"not trimmed: shape {size_text(shape)} (rows x columns) is neither that of a full frame, "
        f"{size_text(detector.shape)}, nor of its science pixels, at binning {size_text(binning)}"
    )
    return untrimmed, False, remark


def _sections(detector: "Detector", full: tuple[int, int], factor: tuple[int, int]) -> Sections:
    """Whole science pixels of a binned raw frame; `full` and `factor` are (rows, columns) of it."""

    def raw(rows: tuple[int, int], columns: tuple[int, int]) -> Window:
        down, across = (
            slice(-(-start // n), stop // n)
            for (start, stop), n in zip(
                (rows, columns), turned_lengths(factor, detector.rotation), strict=True
            )
        )
        return raw_window((down, across), full, detector.rotation)

    found = [raw(*area.science) for area in detector.areas if area.science]
    return tuple(
        Section(
            raw=window,
            place=_place(window, found),
            name=getattr(area, "name", ""),
            overscan=None if area.overscan is None else raw(*area.overscan),
            reference=_reference(window, full, factor, detector.reference_pixels),
        )
        for area, window in zip(detector.areas, found, strict=True)
    )


def _place(window: Window, every: Sequence[Window]) -> Window:
    """Where a section comes to lie when all are pushed together."""
    place = []
    for axis in (0, 1):
        before = {
            (w[axis].start, w[axis].stop) for w in every if w[axis].stop <= window[axis].start
        }
        start = sum(stop - start for start, stop in before)
        place.append(slice(start, start + window[axis].stop - window[axis].start))
    return place[0], place[1]


def _reference(
    window: Window, full: tuple[int, int], factor: tuple[int, int], width: int | None
) -> tuple[Window, ...]:
    """The part of the frame of reference pixels that goes with a section: what touches it."""
    if not width:
        return ()
    edges = [
        (
            part.start if part.start > width // n else 0,
            part.stop if part.stop < m - width // n else m,
        )
        for part, m, n in zip(window, full, factor, strict=True)
    ]
    (top, bottom), (left, right) = edges
    rows, columns = window
    strips = (
        (slice(top, rows.start), slice(left, right)),
        (slice(rows.stop, bottom), slice(left, right)),
        (rows, slice(left, columns.start)),
        (rows, slice(columns.stop, right)),
    )
    return tuple(strip for strip in strips if min(lengths(strip)) > 0)


def size_text(lengths: Sequence[Any]) -> str:
    """Return 2048x2048 for (2048, 2048)."""
    return "x".join(str(length) for length in lengths)
