"""The keys of the settings: default, type, bounds, unit and sentence of each, declared once."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)

from soxsdark.settings_layers import BOTH_SIDES, EACH_SIDE
from soxsdark.settings_types import (
    NUMBER,
    WHOLE,
    Box,
    Extension,
    Fraction,
    Gain,
    Iterations,
    NotNegative,
    Positive,
    Ranges,
    Text,
)
from soxsdark.stage import Stage


def _key(default: Any, unit: str | None, stage: Stage, description: str, **extra: Any) -> Any:
    """Declare one key: default, unit, what it changes first, and the sentences that document it."""
    schema = {"unit": unit, "stage": int(stage)} | extra
    if isinstance(default, dict):
        return Field(default_factory=dict, description=description, json_schema_extra=schema)
    return Field(default, description=description, json_schema_extra=schema)


class MdarkSettings(BaseModel):
    """Every setting of the master dark; python names have ``_`` where keys have ``-``."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        validate_default=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    instrument: Text | None = _key(
        None,
        None,
        Stage.ACCEPT,
        "Name of the instrument profile, or the path of one of your own. null: recognised from "
        "INSTRUME in the header.",
    )
    data_extension: Extension | Text | None = _key(
        None,
        None,
        Stage.ACCEPT,
        "HDU that holds the pixels, by number (0 is the primary) or EXTNAME. null: the first HDU "
        "with a two-dimensional image, because in a tile-compressed file HDU 0 is empty.",
    )
    trim: StrictBool = _key(
        True,
        None,
        Stage.ACCEPT,
        "Cut full frames to the science pixels of the detector; false keeps pre- and overscan.",
    )
    gain: Gain | None = _key(
        None,
        "electron/ADU",
        Stage.FRAMES,
        "Gain, above the header's and the profile's. null: from the header, else the profile.",
    )
    ron: NotNegative | None = _key(
        None,
        "electron",
        Stage.FRAMES,
        "Read-out noise to compare the measured one with. null: from the header, else the profile.",
    )
    saturation: Positive | None = _key(
        None,
        "ADU",
        Stage.FRAMES,
        "Raw value from which on a sample counts as saturated. null: the profile's.",
    )
    subtract_overscan: Literal["none", "mean", "median", "polynomial"] = _key(
        "none",
        None,
        Stage.FRAMES,
        "Subtract the overscan of each frame, amplifier by amplifier, before it is trimmed: line "
        "by line its mean or median, or a polynomial along the medians (order and section from "
        "the profile). none, because the level of every frame is removed in any case.",
    )
    subtract_reference_pixels: Literal["none", "median"] = _key(
        "none",
        None,
        Stage.FRAMES,
        "Subtract the median of the reference pixels around an infrared detector, amplifier by "
        "amplifier. none, because the level of every frame is removed in any case.",
    )
    minimum_frame_count: Annotated[int, Field(ge=2, le=100000), WHOLE] = _key(
        3,
        "frames",
        Stage.ACCEPT,
        "Fewer frames than this are refused. Three is the least number with which a cosmic ray "
        "can be told from the pixel it hit.",
    )
    maximum_nan_fraction: Fraction = _key(
        0.1,
        None,
        Stage.ACCEPT,
        "A frame with a larger fraction of NaN or infinite pixels is refused. Healthy detectors "
        "stay below some percent; losing one of even eight amplifiers exceeds a tenth.",
    )
    exposure_time_tolerance: NotNegative = _key(
        0,
        "s",
        Stage.ACCEPT,
        "Frames whose exposure times (DITs likewise) lie farther apart than this are refused. 0: "
        "they must be equal, since a set of two exposure times has no dark level of its own. "
        "Where they may differ, the first frame's stands for all.",
    )
    maximum_temperature_spread: NotNegative | None = _key(
        0.5,
        "kelvin or degree Celsius",
        Stage.VERDICT,
        "If the detector temperatures of the set spread over more than this, or lie farther from "
        "the set-point, the QA flag is PARTIAL. Half a degree changes the dark current of a CCD "
        "by 5 %, and cameras read their thermometers in steps of up to 0.4. null: not judged.",
    )
    maximum_level_deviation: Positive = _key(
        10,
        "sigma-zero",
        Stage.ACCEPT,
        "A frame whose level lies farther than this from the median level of the set is refused; "
        "the unit is the noise of one pixel of one frame. Bias and reference levels drift by about "
        "one such noise or less, stray light or a wrong exposure time shift by tens.",
    )
    require_master_bias: StrictBool = _key(
        False,
        None,
        Stage.ACCEPT,
        "Refuse darks without a master bias. Off, because many detectors need none; without one "
        "the pedestal of a CCD stays in the master dark, which then cannot be scaled in time.",
    )
    frame_clipping_sigma: Positive | None = _key(
        3,
        "sigma",
        Stage.SURVEY,
        "Pixels farther than this from the median of their frame, on either side, are clipped "
        "before the level is taken. At 3 Gaussian noise loses 0.3 % of its pixels evenly on both "
        "sides, so that the level is not moved. To tell the sides apart give the next two keys "
        "instead of this one.",
    )
    clipping_lower_sigma: Positive | None = _key(
        None,
        "sigma",
        Stage.SURVEY,
        "Limit below the median of the frame; needs clipping-upper-sigma beside it. Not set by "
        "default, because frame-clipping-sigma is.",
        example=3,
    )
    clipping_upper_sigma: Positive | None = _key(
        None,
        "sigma",
        Stage.SURVEY,
        "Limit above the median of the frame; needs clipping-lower-sigma beside it. Not set by "
        "default, because frame-clipping-sigma is.",
        example=3,
    )
    clipping_iteration_count: Iterations = _key(
        3,
        "iterations",
        Stage.SURVEY,
        "Most iterations of the frame-level clipping (also accepted: frame-clipping-iterations). "
        "0 clips nothing; three suffice where a few percent of the pixels stand out.",
    )
    frame_clipping_deviation: Literal["mad", "std"] = _key(
        "mad",
        None,
        Stage.SURVEY,
        "What one sigma of the frame-level clipping is: 1.4826 times the median absolute "
        "deviation, which hot pixels do not inflate, or the standard deviation.",
    )
    frame_clipping_excludes_samples: StrictBool = _key(
        False,
        None,
        Stage.STACK,
        "Leave pixels clipped at frame level out of the stack. Off, because a warm pixel clipped "
        "in some frames only would be averaged too low, and a hot one lost.",
    )
    frame_clipping_flags: StrictBool = _key(
        False,
        None,
        Stage.STACK,
        "Flag pixels clipped at frame level as bad. Off, because the flags come from the master "
        "dark, where the noise is smaller.",
    )
    stacked_clipping_sigma: Positive = _key(
        4,
        "sigma",
        Stage.STACK,
        "Samples farther than this from the median of their pixel are left out of the mean. At 4 "
        "five frames lose 0.02 % of their good samples, at 3 half a percent; the price is that "
        "fewer cosmic rays of five sigma are caught.",
    )
    stacked_clipping_iterations: Iterations = _key(
        3,
        "iterations",
        Stage.STACK,
        "Most iterations of the clipping along the stack. 0 clips nothing; after three hardly any "
        "pixel changes.",
    )
    stacked_clipping_deviation: Literal["noise-model", "mad", "std"] = _key(
        "noise-model",
        None,
        Stage.STACK,
        "What one sigma of the clipping along the stack is: the noise measured over the whole "
        "detector, or mad or std of the pixel's own samples, which of few samples are wild.",
    )
    noise_clipping_lower_sigma: Annotated[float, Field(gt=0, le=7), NUMBER] | None = _key(
        None,
        "sigma",
        Stage.STACK,
        "A pixel whose scatter is this improbably small is flagged as dead; sigma stands for the "
        "equivalent Gaussian probability. null: not tested, because equal integers happen by "
        "chance in one of 10000 good pixels of five frames.",
    )
    noise_clipping_upper_sigma: Positive = _key(
        4,
        "sigma",
        Stage.STACK,
        "A pixel whose scatter is this improbably large is flagged as noisy; sigma stands for the "
        "equivalent Gaussian probability. At 4 three good pixels in 100000 are lost.",
    )
    noise_clipping_iterations: Annotated[int, Field(ge=1, le=1000), WHOLE] = _key(
        3,
        "iterations",
        Stage.STACK,
        "Most iterations of the clipping of the noise image; at least one, since what it clips "
        "is its result.",
    )
    background_box: Box = _key(
        64,
        "pixels",
        Stage.FLAGS,
        "Side of the blocks whose medians make the local background under hot and cold pixels. "
        "0: no background is removed. 64 follows amplifier glow and still holds thousands of "
        "pixels.",
        allowed="0 (off) or a whole number from 8 to 65536",
        **{"not": {"exclusiveMinimum": 0, "exclusiveMaximum": 8}},
    )
    hot_pixel_sigma: Positive = _key(
        5,
        "sigma",
        Stage.FLAGS,
        "A pixel this far above the local background is hot. At 5 noise alone makes less than one "
        "hot pixel in a million.",
    )
    cold_pixel_sigma: Positive = _key(
        5,
        "sigma",
        Stage.FLAGS,
        "A pixel this far below the local background is cold; same reason as hot-pixel-sigma.",
    )
    hot_pixel_rate: Positive | None = _key(
        None,
        "electron/s",
        Stage.FLAGS,
        "A pixel whose excess grows faster than this is hot as well. null: not tested, because "
        "what rate is too much depends on the science.",
    )
    threads: Annotated[int, Field(ge=1, le=1024), WHOLE] | None = _key(
        None,
        "threads",
        Stage.NOTHING,
        "Threads that read and stack side by side. null: one for each processor that the program "
        "may use. The products do not depend on it.",
    )
    memory_limit: Annotated[float, Field(ge=1, le=1e9), NUMBER] = _key(
        384,
        "MiB",
        Stage.NOTHING,
        "Memory of the whole process: frames are stacked in blocks of rows that fit in, however "
        "many they are. If images of one frame's size alone need more, the log says so. The "
        "products do not depend on it.",
    )
    set_gap: Positive = _key(
        2,
        "h",
        Stage.NOTHING,
        "Where frames are sorted into sets, a longer time between the end of one exposure and the "
        "start of the next begins a new set. Darks of one set follow each other within minutes, "
        "and two hours bridge a short search for a fault.",
    )
    night_start: Annotated[float, Field(ge=0, le=24), NUMBER] | None = _key(
        None,
        "h, UTC",
        Stage.NOTHING,
        "Hour of the day at which one night ends and the next begins, for sorting frames into "
        "nights. null: noon in local solar time, by the longitude of the site in the instrument "
        "profile.",
    )
    qc_acceptable_ranges: Ranges = _key(
        {},
        "that of each metric",
        Stage.VERDICT,
        "Acceptable range of each quality metric, [low, high]; null leaves an end open. None by "
        "default: they are the observatory's to set.",
        allowed="[low, high] for each name: two numbers, low not above high, null for an open end",
        example={"raw-ron": [0, 30]},
    )

    @model_validator(mode="before")
    @classmethod
    def _one_form(cls, given: Any) -> Any:
        """Unset the default of frame-clipping-sigma when the other form is given."""
        if not isinstance(given, dict):
            return given
        names = {name.replace("_", "-"): value for name, value in given.items()}
        if BOTH_SIDES not in names and any(names.get(key) is not None for key in EACH_SIDE):
            return given | {BOTH_SIDES: None}
        return given

    @model_validator(mode="after")
    def _check_together(self) -> "MdarkSettings":
        """Make the checks that concern several keys."""
        pair = (self.clipping_lower_sigma, self.clipping_upper_sigma)
        if pair.count(None) == 1:
            raise ValueError(f"{' and '.join(EACH_SIDE)} together: give both")
        if (self.frame_clipping_sigma is None) == (None in pair):
            raise ValueError(f"either {BOTH_SIDES} or both {' and '.join(EACH_SIDE)}")
        return self

    @property
    def frame_lower_sigma(self) -> float:
        """Limit of the frame-level clipping below the centre, whichever form gave it."""
        own: Any = self.clipping_lower_sigma
        return own if self.frame_clipping_sigma is None else self.frame_clipping_sigma

    @property
    def frame_upper_sigma(self) -> float:
        """Limit of the frame-level clipping above the centre, whichever form gave it."""
        own: Any = self.clipping_upper_sigma
        return own if self.frame_clipping_sigma is None else self.frame_clipping_sigma


def keys() -> tuple[str, ...]:
    """Return the keys (with hyphens), in the order of the model."""
    return tuple(str(field.alias) for field in MdarkSettings.model_fields.values())


@cache
def schemas() -> Mapping[str, Mapping[str, Any]]:
    """Return the JSON schema of every key (with hyphens), in the order of the model."""
    return MdarkSettings.model_json_schema()["properties"]


@cache
def stages() -> Mapping[str, Stage]:
    """Return what each key (with hyphens) changes first, in the order of the model."""
    return {key: Stage(schema["stage"]) for key, schema in schemas().items()}
