"""What the page says, taken from the record of a master dark or master bias."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxsdark.kinds import BIAS, DARK, Kind
from soxsdark.orientation import raw_window
from soxsdark.record import OTHER_INPUTS
from soxsdark.report.words import NONE, fraction, number, said_time, time_of, unit

VERDICTS = ("GOOD", "PARTIAL", "BAD")
DEFAULT = "default"


@dataclass(frozen=True)
class Amplifier:
    """What one amplifier reads: pixels of the product, from 0, half-open."""

    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class QcRow:
    """A line of the table of metrics, as text."""

    name: str
    value: str
    unit: str
    ranges: tuple[str, ...]
    verdict: str
    why: str
    frame: str
    """The frame whose value it is; empty where it is that of the set."""


@dataclass(frozen=True)
class FrameRow:
    """A line of the table of frames, as text."""

    name: str
    time: str
    level: str
    ron: str
    clipped: str
    rejected: str
    structure: str
    saturated: str
    temperature: str


@dataclass(frozen=True)
class FileRow:
    """An input or a product."""

    name: str
    folder: str
    what: str
    sha256: str


def kind_of(record: Mapping[str, Any]) -> Kind:
    """Dark or bias."""
    return BIAS if record["recipe"] == BIAS.recipe else DARK


def settings_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the settings."""
    return {key: entry["value"] for key, entry in record["settings"].items()}


def value_of(record: Mapping[str, Any], metric: str) -> float | None:
    """The value of a metric; None where there is none."""
    return record["metrics"].get(metric, {}).get("value")


def step(record: Mapping[str, Any]) -> float:
    """By what the values of the master differ at least, electrons; 0 where that is not known."""
    gain = record["gain"]["value"]
    return 0.0 if gain is None else gain / len(record["frames"])


def amplifiers(record: Mapping[str, Any], shape: tuple[int, int]) -> list[Amplifier]:
    """Where the amplifiers are in products of `shape`; empty where there are not several."""
    known = record["amplifiers"]
    if len(known) < 2:
        return []
    # the record has them as the raw image lies: a turn back leads from there to the product
    back = -record["rotation"] % 360
    places = ((slice(*a["rows"]), slice(*a["columns"])) for a in known)
    turned = (raw_window(place, shape, back) for place in places)
    return [Amplifier((r.start, r.stop), (c.start, c.stop)) for r, c in turned]


def thresholds(record: Mapping[str, Any], noise_floor: float) -> dict[str, float]:
    """The thresholds of hot and cold pixels with their labels, electrons above the background."""
    values, found = settings_of(record), {}
    if (sigma := values.get("cold-pixel-sigma")) is not None:
        found[f"cold, {sigma:g} σ:"] = -sigma * noise_floor
    if (sigma := values.get("hot-pixel-sigma")) is not None:
        found[f"hot, {sigma:g} σ:"] = sigma * noise_floor
    rate, time = values.get("hot-pixel-rate"), record["setup"].get("exposure time")
    if rate is not None and time and kind_of(record) is DARK:
        found[f"hot, {rate:g} e⁻/s:"] = rate * time
    return found


def qc_rows(record: Mapping[str, Any]) -> Iterator[QcRow]:
    """The metrics, in their order."""
    for name, entry in record["metrics"].items():
        yield QcRow(
            name=name,
            value=number(entry["value"], entry["unit"], entry["error"]),
            unit=unit(entry["unit"]) or NONE,
            ranges=tuple(_ranges(entry)),
            verdict=entry["verdict"],
            why=entry["why"],
            frame=entry["frame"] or "",
        )


def _ranges(entry: Mapping[str, Any]) -> Iterator[str]:
    for key, name in (("acceptable-range", "acceptable"), ("warning-range", "expected")):
        low, high = entry[key] or (None, None)
        if low is not None and high is not None:
            yield f"{name} {number(low)} … {number(high)}"
        elif low is not None or high is not None:
            yield f"{name} {'≥' if high is None else '≤'} {number(low if high is None else high)}"


def reasons(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(verdict, why) of every metric that is not good, the bad ones first."""
    found = [(row.verdict, row.why or row.name) for row in qc_rows(record)]
    worst = [pair for pair in found if pair[0] in VERDICTS[1:]]
    return sorted(worst, key=lambda pair: -VERDICTS.index(pair[0]))


def warnings_of(record: Mapping[str, Any]) -> list[str]:
    """The warnings that no metric has said."""
    said = {why for _, why in reasons(record)}
    return [line for line in record["warnings"] if line not in said]


def frame_rows(record: Mapping[str, Any], pixels: int) -> Iterator[FrameRow]:
    """The frames, in their order."""
    for frame in record["frames"]:
        yield FrameRow(
            name=Path(frame["path"]).name,
            time=said_time(time_of(frame["mjd-obs"])),
            level=number(frame["level"], "electron"),
            ron=number(frame["ron"], "electron"),
            clipped=fraction(frame["clipped-low"] + frame["clipped-high"], pixels),
            rejected=fraction(frame["rejected"], pixels),
            structure=number(frame["structure"], "electron"),
            saturated=number(frame["saturated"]),
            temperature=number(frame["temperature"]),
        )


def input_rows(record: Mapping[str, Any]) -> list[FileRow]:
    """The raw frames, and what else was read."""
    entries = [(frame, "raw frame") for frame in record["frames"]]
    entries += [(record[field], what) for field, what in OTHER_INPUTS.items() if record[field]]
    rows = []
    for entry, what in entries:
        path = Path(entry["path"])
        tag = entry.get("tag") or what
        rows.append(FileRow(path.name, str(path.parent), tag, entry["sha256"]))
    return rows


def setting_rows(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(key, value, origin) of all settings, those that someone has set first."""
    rows = [
        (key, _setting(entry["value"]), entry["origin"])
        for key, entry in record["settings"].items()
    ]
    return sorted(rows, key=lambda row: row[2] == DEFAULT)


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_setting(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return "[" + ", ".join(map(_setting, value)) + "]"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def setup_rows(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the frames have in common, and where gain, read noise and saturation come from."""
    rows = [("profile", record["instrument-profile"])]
    for key, value in record["setup"].items():
        if isinstance(value, list):
            value = " × ".join(map(str, value))
        if value is not None:
            rows.append((key, number(value) if isinstance(value, int | float) else str(value)))
    for key, symbol in (("gain", "e⁻/ADU"), ("ron", "e⁻"), ("saturation", "ADU")):
        known = record[key]
        if known["value"] is not None:
            said = f"{number(known['value'])} {symbol} ({known['source']})"
            rows = [row for row in rows if row[0] != key]
            rows.append((key, said))
    return rows
