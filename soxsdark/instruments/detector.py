"""The detector of one arm, as a profile declares it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from soxsdark.orientation import turned_lengths
from soxsdark.settings_types import ordered

Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]
Capitals = Annotated[
    str, StringConstraints(strict=True, strip_whitespace=True, min_length=1, to_upper=True)
]
"""What is compared with a header's word, whose capitals do not count."""
Flag = Annotated[bool, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Longitude = Annotated[float, Field(strict=True, ge=-180, le=360, allow_inf_nan=False)]
Index = Annotated[int, Field(strict=True, ge=0)]
Length = Annotated[int, Field(strict=True, gt=0)]
Order = Annotated[int, Field(strict=True, ge=0, le=20)]
Range = tuple[Index, Index]
Rotation = Literal[0, 90, 180, 270]
End = Annotated[float, Field(strict=True, allow_inf_nan=False)] | None


WarningRange = Annotated[tuple[End, End] | tuple[End, End, Text], AfterValidator(ordered)]
WarningRanges = dict[Text, WarningRange | None]


class Declared(BaseModel):
    """What a profile file may say; keys have ``-`` where names have ``_``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        defer_build=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )


class _Area(Declared):
    """Science pixels and overscan of an amplifier, or of a detector that has but one.

    Attributes
    ----------
    rows, columns : (start, stop) or None
        Science pixels of the unbinned and turned frame, zero-based and half-open.
    overscan_rows, overscan_columns : (start, stop) or None
        Overscan, likewise; it has the rows or the columns of the science pixels.
    gain : float or None
        e-/ADU.
    ron : float or None
        Read-out noise, e-.
    """

    rows: Range | None = None
    columns: Range | None = None
    overscan_rows: Range | None = None
    overscan_columns: Range | None = None
    gain: Positive | None = None
    ron: Positive | None = None

    @property
    def science(self) -> tuple[Range, Range] | None:
        """Rows and columns of the science pixels; None if they are not known."""
        return None if self.rows is None or self.columns is None else (self.rows, self.columns)

    @property
    def overscan(self) -> tuple[Range, Range] | None:
        """Rows and columns of the overscan; None if there is none."""
        rows, columns = self.overscan_rows, self.overscan_columns
        return None if rows is None or columns is None else (rows, columns)

    @model_validator(mode="after")
    def _overscan_fits(self) -> Self:
        pairs = {
            "rows and columns": (self.rows, self.columns),
            "overscan-rows and overscan-columns": (self.overscan_rows, self.overscan_columns),
        }
        for names, pair in pairs.items():
            if pair.count(None) == 1:
                raise ValueError(f"{names} go together: give both or neither")
        if self.overscan_rows is None:
            return self
        if self.rows is None:
            raise ValueError("overscan-rows and overscan-columns need rows and columns")
        if (self.overscan_rows == self.rows) == (self.overscan_columns == self.columns):
            raise ValueError(
                "the overscan has either the rows or the columns of the science pixels"
            )
        return self

    def check_within(self, turned: Sequence[int]) -> None:
        """Raise ValueError unless all is inside a frame of that many (rows, columns)."""
        for name, length in zip(("rows", "columns"), turned, strict=True):
            for prefix in ("", "overscan_"):
                span = getattr(self, prefix + name)
                if span is not None and not span[0] < span[1] <= length:
                    raise ValueError(
                        f"{prefix.replace('_', '-')}{name} are {list(span)}, "
                        f"expected start < stop <= {length}, the shape"
                    )


class DeclaredAmplifier(_Area):
    """One of several amplifiers of a detector; see `Detector` for what it shares with that.

    Attributes
    ----------
    name : str
    keywords : dict
        Header keywords of its own gain, inverse gain and read-out noise, before the profile's.
    """

    name: Text
    rows: Range
    columns: Range
    keywords: dict[Literal["gain", "inverse-gain", "ron"], tuple[Text, ...]] = Field(
        default_factory=dict
    )


class Detector(_Area):
    """The detector of one arm; None is unknown.

    Attributes
    ----------
    shape : (rows, columns) or None
        Of a full, unbinned raw frame, as it lies in the file.
    rotation : {0, 90, 180, 270}
        Degrees by which frames are turned, ``np.rot90(data, k=rotation / 90)``, for the products.
    rows, columns, overscan_rows, overscan_columns : (start, stop) or None
        Science pixels and overscan, of the unbinned and turned frame, zero-based and half-open.
    gain, ron : float or None
        e-/ADU, and e-.
    amplifiers : tuple of DeclaredAmplifier
        Where there are several: in place of rows, columns and overscan. Their science pixels,
        pushed together, make one image without gaps.
    overscan_order : int
        Of the polynomial along the overscan.
    reference_pixels : int or None
        Width of the frame of reference pixels around the detector.
    saturation : float or None
        ADU of the raw; None is not tested.
    pedestal : bool or None
        True: raws hold a bias pedestal; False: the readout removes it.
    dark_scaling : str
        ``never``: dark levels do not grow with the exposure time; else ``allowed``.
    temperature, set_point : str or None
        Header keywords of the detector's temperature, and of the one it should have.
    operating_temperature : (low, high) or None
        Where a cold detector of this kind is used at all, in kelvin whatever the header's unit.
    qc_warning_ranges : dict
        Above those of the profile, name by name; None takes a range away.
    """

    shape: tuple[Length, Length] | None = None
    rotation: Rotation = 0
    amplifiers: tuple[DeclaredAmplifier, ...] = ()
    overscan_order: Order = 3
    reference_pixels: Length | None = None
    saturation: Positive | None = None
    pedestal: Flag | None = None
    dark_scaling: Literal["allowed", "never"] = "allowed"
    temperature: Text | None = None
    set_point: Text | None = None
    operating_temperature: tuple[Positive, Positive] | None = None
    qc_warning_ranges: WarningRanges = Field(default_factory=dict)

    @property
    def areas(self) -> tuple[_Area, ...]:
        """What is read by one amplifier each; none if the science pixels are not known."""
        return self.amplifiers or ((self,) if self.rows else ())

    @model_validator(mode="after")
    def _areas_fit(self) -> Self:
        if self.amplifiers and self.rows is not None:
            raise ValueError("amplifiers have rows and columns of their own: leave these out")
        if not self.areas:
            return self
        if self.shape is None:
            raise ValueError("rows and columns need the shape of the full frame")
        for area in self.areas:
            area.check_within(turned_lengths(self.shape, self.rotation))
        names = [amplifier.name for amplifier in self.amplifiers]
        if len(set(names)) < len(names):
            raise ValueError("two amplifiers have the same name")
        if self.reference_pixels and any(area.overscan_rows for area in self.areas):
            raise ValueError("a detector has an overscan or reference pixels, not both")
        _check_mosaic(self.areas)
        return self


def _check_mosaic(areas: Sequence[_Area]) -> None:
    """Raise ValueError unless every range of rows meets every range of columns just once."""
    down, across = ({getattr(area, name) for area in areas} for name in ("rows", "columns"))
    for spans in (down, across):
        for one, other in pairwise(sorted(spans)):
            if other[0] < one[1]:
                raise ValueError(f"amplifiers overlap: {list(one)} and {list(other)}")
    pairs = {(area.rows, area.columns) for area in areas}
    if len(pairs) < len(areas) or len(pairs) < len(down) * len(across):
        raise ValueError("amplifiers leave a gap, or two have the same pixels")
