"""A run repeated from its record, and whether the same pixels come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxsdark.errors import InputError, SettingsError
from soxsdark.file_set import Entry, FileSet
from soxsdark.instruments import load_profile
from soxsdark.record import sha256_of
from soxsdark.record_file import read_record
from soxsdark.record_model import FailedRun, File, MasterRun, SubtractRun, files_read
from soxsdark.record_model import Product as Recorded
from soxsdark.settings import Settings
from soxsdark.settings_model import keys


@dataclass(frozen=True)
class Compared:
    """A product of the record, and the one that was made now."""

    name: str
    same: tuple[str, ...]
    """Images whose pixels are bit-identical."""
    differing: tuple[str, ...]
    """The others."""

    @property
    def identical(self) -> bool:
        """Whether all pixels are the same."""
        return not self.differing


@dataclass(frozen=True)
class Rerun:
    """What came of the repetition."""

    files: tuple[Path, ...]
    """All that was published."""
    products: tuple[Compared, ...]
    differences: tuple[str, ...]
    """What else is not as it was, one line each."""

    @property
    def identical(self) -> bool:
        """Whether all pixels of all products are the same."""
        return all(product.identical for product in self.products)


def rerun(
    file: Path | str,
    *,
    output: Path | str = ".",
    overwrite: bool = False,
    command: Sequence[str] = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Rerun:
    """Repeat the run of a record: the same inputs, settings and calibrations.

    Parameters
    ----------
    file : path
        The record.
    output : path
        Folder of the products; nothing is written elsewhere.
    overwrite, command, progress
        As in `soxsdark.mdark`.

    Raises
    ------
    InputError
        The file is no record of a run with products; an input is missing or has changed.
    SoxsdarkError
        As the run itself.
    """
    file = Path(file)
    record = read_record(file)
    if isinstance(record, FailedRun):
        raise InputError(f"{file}: is the record of a run that failed; there is nothing to repeat")
    for _, read in files_read(record):
        _check_unchanged(read, file)
    options = {
        "output": output, "overwrite": overwrite, "command": command, "progress": progress,
    }  # fmt: skip
    if isinstance(record, SubtractRun):
        again, files = _subtract(record, file, options)
    else:
        again, files = _master(record, file, options)
    made = {product["name"]: product for product in again["products"]}
    images = (product for product in record.products if product.datasums)
    compared = tuple(_compare(product, made.get(product.name)) for product in images)
    return Rerun(files, compared, _differences(record, again))


def _check_unchanged(file: File, record: Path) -> None:
    path = Path(file.path)
    try:
        found = sha256_of(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}), an input of {record}; bring it back"
        ) from error
    if found != file.sha256:
        raise InputError(
            f"{path}: has changed since the run: SHA-256 is {found[:12]}..., {record} expects "
            f"{file.sha256[:12]}...; bring the old file back"
        )


def _known_profile(name: str, file: Path) -> str:
    try:
        load_profile(name)
    except SettingsError as error:
        raise InputError(f"{file}: {error}") from error
    return name


def _master(
    record: MasterRun, file: Path, options: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    from soxsdark.recipe import mbias, mdark

    bpm, bias = (
        Entry(Path(calibration.path), calibration.tag) if calibration else None
        for calibration in (record.bad_pixel_map, record.master_bias)
    )
    frames = tuple(Entry(Path(frame.path), frame.tag) for frame in record.frames)
    files = FileSet(record.name, frames, bpm, None, bias)
    settings, before = _settings(record, file), record.previous_master
    if record.recipe == "mbias":
        result = mbias(files, settings, **options)
    else:
        result = mdark(files, settings, previous=before.path if before else None, **options)
    return result.record, result.products


def _settings(record: MasterRun, file: Path) -> Settings:
    values = {key: (setting.value, setting.origin) for key, setting in record.settings.items()}
    own = record.instrument_profile_file
    if own is not None and "instrument" in values:
        values["instrument"] = (own.path, values["instrument"][1])
    try:
        settings = Settings.recorded(values, str(file))
    except SettingsError as error:
        raise InputError(str(error)) from error
    if (name := settings.for_arm(None).values.instrument) is not None:
        _known_profile(name, file)
    return settings


def _subtract(
    record: SubtractRun, file: Path, options: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    from soxsdark.subtract import subtract_files

    own, bias = record.instrument_profile_file, record.master_bias
    [result] = subtract_files(
        [record.frame.path],
        record.dark.path,
        scale=record.scale,
        master_bias=bias.path if bias else None,
        instrument=_known_profile(own.path if own else record.instrument_profile, file),
        **options,
    )
    return result.record, (result.product, result.record_file, result.log)


def _compare(recorded: Recorded, made: Mapping[str, Any] | None) -> Compared:
    """Compare by DATASUM, image by image, and as a whole by DATAMD5."""
    sums = made["datasums"] if made else {}
    names = dict.fromkeys((*recorded.datasums, *sums))
    same = tuple(name for name in names if recorded.datasums.get(name) == sums.get(name))
    if made and recorded.datamd5 != made["datamd5"] and len(same) == len(names):
        # sums of 32 bits may agree by chance
        same = ()
    return Compared(recorded.name, same, tuple(name for name in names if name not in same))


def _differences(record: MasterRun | SubtractRun, again: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is not as it was."""
    then, now = _circumstances(record.model_dump(by_alias=True)), _circumstances(again)
    said = [
        f"{what}: was {then.get(what, 'not used')}, is {now.get(what, 'not used')}"
        for what in dict.fromkeys((*then, *now))
        if then.get(what) != now.get(what)
    ]
    if isinstance(record, MasterRun):
        lacking = [key for key in keys() if key not in record.settings]
        said += [f"setting {key}: not in the record, the default is used" for key in lacking]
    return tuple(said)


def _circumstances(record: Mapping[str, Any]) -> dict[str, str]:
    named = {
        "program version": record["version"],
        "Python": record["python"],
        "kernel": record["kernel"],
        "instrument profile": record["instrument-profile"],
        "QA flag": record.get("qa-flag"),
    }
    return {name: str(value) for name, value in (named | record["libraries"]).items() if value}
