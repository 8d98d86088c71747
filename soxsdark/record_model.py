"""What stands in a record: every field with its type, sentence and unit, declared once.

The published schema, ``record.schema.json``, is made from this, and lets nothing else in. Reading
is more lenient in one point: what a newer program has added is passed over.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import GroupedMetadata
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema

from soxsdark.record import OTHER_INPUTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _matching(pattern: str, what: str) -> Callable[[object], str]:
    """Text that matches as a whole, and of which a file could be named: it need not be UTF-8."""

    def check(value: object) -> str:
        if not (isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL)):
            raise ValueError(f"expected {what}")
        value.encode("utf-8", "surrogateescape")
        return value

    return check


@dataclass(frozen=True)
class _Text(GroupedMetadata):
    """Text that matches a pattern, in words `what`."""

    pattern: str
    what: str

    def __iter__(self) -> Iterator[object]:
        yield PlainValidator(_matching(self.pattern, self.what))
        yield WithJsonSchema({"type": "string", "pattern": f"^(?:{self.pattern})$"})


def _instant(value: object) -> datetime:
    time = datetime.fromisoformat(_matching(r"[0-9T:.+-]+", "a time")(value))
    if time.utcoffset() is None:
        raise ValueError("expected a time with its zone")
    return time


Text = Annotated[str, PlainValidator(_matching(".*", "text")), WithJsonSchema({"type": "string"})]
Path = Annotated[str, _Text(r"/[^\0]*", "an absolute path")]
FileName = Annotated[str, _Text(r"(?!\.\.?$)[^/\0]{1,255}", "a file name without folders")]
Sha256 = Annotated[str, _Text("[0-9a-f]{64}", "64 hexadecimal digits")]
Md5 = Annotated[str, _Text("[0-9a-f]{32}", "32 hexadecimal digits")]
Datasum = Annotated[str, _Text("[0-9]{1,10}", "a whole number as text")]
RunId = Annotated[str, _Text("[0-9a-f]{32}", "32 hexadecimal digits")]
Instant = Annotated[
    datetime,
    PlainValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[int, Field(gt=-(2**63), lt=2**63)] | float
Span = Annotated[list[Count], Field(min_length=2, max_length=2)]
Ends = Annotated[list[float | None], Field(min_length=2, max_length=2)]
Flag = Literal["GOOD", "PARTIAL", "BAD"]
Scalar: TypeAlias = None | bool | int | float | Text


def _is(description: str, unit: str | None = None, **more: Any) -> Any:
    """Declare a field; numbers have a unit."""
    return Field(
        description=description, json_schema_extra={"unit": unit} if unit else None, **more
    )


class Part(BaseModel):
    """What all parts of a record have in common."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        defer_build=True,
        alias_generator=lambda name: name.replace("_", "-"),
        json_schema_extra={"additionalProperties": False},
    )


class File(Part):
    """A file that was read."""

    path: Path = _is("Absolute path.")
    sha256: Sha256 = _is("SHA-256 of the file.")


class Sourced(Part):
    """A figure of the detector, and who says so."""

    value: float | None = _is("The figure; null: unknown.", "that which the field states")
    source: Text = _is("Header keyword, profile or setting that it comes from.")


class Frame(File):
    """One raw frame."""

    tag: Text | None = _is("What the SOF says it is for; null: not tagged.")
    mjd_obs: float | None = _is("Start of the exposure.", "d (MJD)")
    exposure_time: float = _is("Exposure time, of one DIT.", "s")
    level_adu: float = _is("Level: mean after clipping at frame level.", "ADU")
    level: float = _is("The same, mean of the amplifiers.", "electron")
    levels: list[float] = _is("The same of each amplifier.", "electron", min_length=1)
    ron: float = _is(
        "Noise of one sample without quantisation, of the amplifiers together.", "electron"
    )
    rons: list[float] = _is("The same of each amplifier.", "electron", min_length=1)
    clipped_low: Count = _is("Pixels clipped below at frame level.", "pixels")
    clipped_high: Count = _is("Pixels clipped above at frame level.", "pixels")
    nan_fraction: float = _is("Share of pixels that are no finite number.", "1")
    saturated: Count = _is("Saturated pixels.", "pixels")
    rejected: Count = _is("Samples of it that were rejected along the stack.", "pixels")
    structure: float | None = _is(
        "Structure of its own: scatter of block medians beyond noise.", "electron"
    )
    temperature: float | None = _is(
        "Of the detector, as the header has it.", "kelvin or degree Celsius"
    )


class Amplifier(Part):
    """One amplifier of the detector."""

    name: Text = _is("Its name in the instrument profile.")
    rows: Span = _is(
        "Its rows in the products before these are turned, zero-based, half-open.", "pixels"
    )
    columns: Span = _is("Its columns, likewise.", "pixels")
    gain: Sourced = _is("Gain.", "electron/ADU")
    ron: Sourced = _is("Nominal read-out noise.", "electron")
    sigma: float = _is("Sigma-zero: noise of one sample of an ordinary pixel.", "electron")
    slope_measured: float | None = _is("Variance for each electron of signal.", "electron")
    slope_error: float | None = _is("Its standard deviation.", "electron")


class BadPixelMap(File):
    """The input bad-pixel map."""

    tag: Text = _is("What it is for.")


class MasterBias(BadPixelMap):
    """The master bias that was subtracted."""

    datamd5: Text | None = _is("DATAMD5 of its header.")
    unit: Text = _is("Unit of the file, and who says so.")
    uncertainty: Text = _is("Where its errors come from.")
    level: float = _is("Typical value.", "electron")
    level_error: float | None = _is(
        "Standard deviation of the level, common to all pixels; null: taken to be exact.",
        "electron",
    )


class Setting(Part):
    """One setting that held in the run."""

    value: Scalar | list[Scalar] | dict[Text, list[float | None]] = _is(
        "Its value.", "that of the key in the settings file"
    )
    origin: Text = _is("default, file:line, file:line (arm), or --set.")


class NoiseModel(Part):
    """The noise of a sample, as it was measured."""

    sigma: float = _is("Sigma-zero: noise of one sample of an ordinary pixel.", "electron")
    slope_used: float = _is("Variance for each electron of signal, as used.", "electron")
    slope_measured: float | None = _is("The same, as measured.", "electron")
    slope_error: float | None = _is("Its standard deviation.", "electron")
    scale: float = _is("Typical variance of a pixel over the expected one.", "1")


class Figure(Part):
    """A figure of quality."""

    value: Number | None = _is("The figure; null: could not be measured.", "that of `unit`")
    unit: Text = _is("Its unit; empty or count: a pure number.")


class Metric(Figure):
    """A figure of quality, judged."""

    error: float | None = _is("Its standard deviation; null: not known.", "that of `unit`")
    frame: FileName | None = _is("The frame whose it is; null: of the whole set.")
    acceptable_range: Ends | None = _is("Outside it is BAD: low and high end; null: none given.")
    warning_range: Ends | None = _is("Outside it is PARTIAL; null: none, or not known.")
    verdict: Flag = _is("What it means for the QA flag.")
    why: Text = _is("Reason of a verdict that is not GOOD.")


class Product(Part):
    """A file that was made, FITS or a page; it lies beside the record."""

    name: FileName = _is("File name.")
    sha256: Sha256 = _is("SHA-256 of the file.")
    size: Count = _is("Its length.", "bytes")
    datamd5: Md5 | None = _is("MD5 of the data of all images, without headers.")
    datasums: dict[Text, Datasum] = _is("DATASUM of each image, by its name; a page has none.")


class Head(Part):
    """What every record begins with."""

    program: Literal["soxsdark"] = _is("The program.")
    version: Text = _is("Its version.")
    run_id: RunId = _is("Of this run; ESO PRO RUNID in the header of its products is the same.")
    succeeded: bool = _is("Whether there are products.")
    recipe: Literal["mdark", "mbias", "subtract"] = _is("What was run.")
    name: FileName = _is("What the names of the products begin with.")
    source: Path | None = _is("SOF or folder that was given; null: single files.")
    command: list[Text] = _is("Command line; empty: called from Python.")
    started: Instant = _is("Begin of the run.")
    ended: Instant = _is("End of the run, before products are published.")
    python: Text = _is("Version of Python.")
    kernel: Text = _is("Whether the compiled kernel was in use.")
    libraries: dict[Text, Text] = _is("Version of each library in use.")


class Success(Head):
    """What the records of all runs with products have."""

    succeeded: Literal[True] = _is("There are products.")
    instrument_profile: Text = _is("Name of the instrument profile.")
    instrument_profile_file: File | None = _is("The user's own profile; null: the program's.")
    setup: dict[Text, Scalar | list[Scalar]] = _is(
        "What is equal in all frames, by the setup keys of the profile."
    )
    trimmed: bool = _is("Whether frames were cut to the science pixels.")
    window: Annotated[list[Span], Field(min_length=2, max_length=2)] = _is(
        "Rows and columns of the raw image that were used, zero-based, half-open.", "pixels"
    )
    remarks: list[Text] = _is("What is worth knowing and changes no verdict.")
    warnings: list[Text] = _is("What may be wrong.")
    products: list[Product] = _is("The FITS files that were made.", min_length=1)


class MasterRun(Success):
    """Record of a master dark or master bias."""

    recipe: Literal["mdark", "mbias"] = _is("What was run.")
    qa_flag: Flag = _is("Verdict on the set.")
    rotation: Literal[0, 90, 180, 270] = _is(
        "By what products are turned against the raw image.", "degree"
    )
    gain: Sourced = _is("Gain.", "electron/ADU")
    ron: Sourced = _is("Nominal read-out noise.", "electron")
    amplifiers: list[Amplifier] = _is(
        "Each amplifier; one if the profile knows no more.", min_length=1
    )
    baseline: Text = _is("What was subtracted of every raw: none, overscan median and the like.")
    saturation: Sourced = _is("Raw value from which on a sample is saturated.", "ADU")
    frames: list[Frame] = _is("The raw frames, in the order of the stack.", min_length=2)
    bad_pixel_map: BadPixelMap | None = _is("Known bad pixels; null: none given.")
    master_bias: MasterBias | None = _is("Subtracted once, from the mean; null: none given.")
    previous_master: File | None = _is("Master dark to compare with; null: none given.")
    settings_file: Path | None = _is("Settings file; null: none given.")
    settings: dict[Text, Setting] = _is("Every setting.")
    noise_model: NoiseModel = _is("The noise of a sample.")
    metrics: dict[Text, Metric] = _is("Figures of quality by name; ESO QC in the headers.")
    seconds: dict[Text, float] = _is("Time spent in each stage.", "s")


class SubtractedFrame(File):
    """The frame that a dark was taken off."""

    unit: Literal["adu", "electron"] = _is("Unit of its pixels.")
    exposure_time: float = _is("Exposure time, of one DIT.", "s")
    gain: Sourced = _is("Gain.", "electron/ADU")
    rons: list[float | None] = _is(
        "Read-out noise of each amplifier in its errors; null: not in them.", "electron"
    )


class SubtractedDark(File):
    """The master dark that was taken off."""

    datamd5: Text | None = _is("DATAMD5 of its header.")
    exposure_time: float = _is("Exposure time of its frames.", "s")
    run_id: Text | None = _is("Run that made it.")
    qa_flag: Text | None = _is("Verdict in its header.")


class SubtractedBias(File):
    """The master bias that was taken off."""

    datamd5: Text | None = _is("DATAMD5 of its header.")


class SubtractRun(Success):
    """Record of a frame without its dark."""

    recipe: Literal["subtract"] = _is("What was run.")
    frame: SubtractedFrame = _is("The frame.")
    dark: SubtractedDark = _is("The master dark.")
    master_bias: SubtractedBias | None = _is("Master bias; null: none given.")
    scale: Literal["auto", "always", "never"] = _is("When the dark is scaled in time.")
    factor: float = _is("By what the dark was multiplied.", "1")
    metrics: dict[Text, Figure] = _is("Figures of the result by name.")


class Fault(Part):
    """What ended a run."""

    exit_code: int = _is("Exit code of the program.", "1")
    type: Text = _is("Type of the error in the program.")
    message: Text = _is("What the user was told, or the text of a bug.")
    where: Text | None = _is("File and line of the program, of a bug; null: no bug.")


class Given(Part):
    """A file as it was given, perhaps not yet opened."""

    path: Path = _is("Absolute path.")
    tag: Text | None = _is("What the SOF says it is for; null: not tagged.")


class FailedRun(Head):
    """Record of a run that failed or was stopped; there are no products."""

    succeeded: Literal[False] = _is("There are no products.")
    error: Fault = _is("What ended the run.")
    settings_file: Path | None = _is("Settings file; null: none given.")
    inputs: list[Given] = _is("Frames and calibrations that were given.")


Record: TypeAlias = MasterRun | SubtractRun | FailedRun


def files_read(record: MasterRun | SubtractRun) -> list[tuple[str, File]]:
    """Return every file that a run has read, behind what it was for."""
    given: list[tuple[str, File]]
    if isinstance(record, SubtractRun):
        given = [("frame", record.frame), ("master dark", record.dark)]
    else:
        given = [(frame.tag or "frame", frame) for frame in record.frames]
    for field, what in OTHER_INPUTS.items():
        file: File | None = getattr(record, field.replace("-", "_"), None)
        if file is not None:
            given.append((what, file))
    return given


def model_of(content: dict[str, Any]) -> type[Record]:
    """Return the kind of record that a JSON object claims to be."""
    if content.get("succeeded") is False:
        return FailedRun
    return SubtractRun if content.get("recipe") == "subtract" else MasterRun


class _Untitled(GenerateJsonSchema):
    """Without titles of fields, which would only repeat their names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


def schema_text() -> str:
    """Return the JSON Schema of all kinds of records."""
    schema = {
        "$schema": DIALECT,
        "title": "Record of a run of soxsdark",
        **TypeAdapter(Record).json_schema(by_alias=True, schema_generator=_Untitled),
    }
    return json.dumps(schema, indent=2) + "\n"
