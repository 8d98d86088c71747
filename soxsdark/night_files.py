"""What a folder of products says of a night: its record, its page, and the page over all nights."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soxsdark.errors import InputError, ProductError
from soxsdark.find_sets import DarkSet
from soxsdark.kinds import DARK
from soxsdark.names import Names
from soxsdark.nights import RECORD
from soxsdark.pages import render
from soxsdark.publish import publish_changed, writing
from soxsdark.record import json_text
from soxsdark.record_file import load_json
from soxsdark.reduce_sets import SetResult, State
from soxsdark.report import page_file
from soxsdark.set_report import thumbnail_file
from soxsdark.set_state import Earlier
from soxsdark.sof import read_sof
from soxsdark.version import __version__

PAGE = "index.html"
SUPERSEDED = "superseded"
ENTRY = ("name", "frames", "state", "qa-flag", "exit-code", "reasons", "jumps")
"""What the record says of a set."""


def publish_night(
    folder: Path, results: Sequence[SetResult], raw: Path, problems: Sequence[str] = ()
) -> None:
    """Write record and page of a night, as far as they are not there as they are to be.

    Sets of earlier runs that are not among the results stay in them while their files are there.

    Parameters
    ----------
    folder : path
        Of the night's products.
    results : sequence of SetResult
    raw : path
        Folder of the raw frames.
    problems : sequence of str
        Of files that may belong to the night.

    Raises
    ------
    ProductError
        They cannot be written.
    """
    entries = {entry["name"]: entry for entry in _earlier_entries(folder)}
    entries |= {result.name: _entry(result) for result in results}
    record: dict[str, Any] = {
        "program": "soxsdark",
        "version": __version__,
        "night": folder.name,
        "raw-folder": str(raw),
        "sets": [entries[name] for name in sorted(entries)],
        "problems": list(problems),
    }
    rows = [_row(folder, entry) for entry in record["sets"]]
    page = render("night.html", night=record, rows=rows)
    publish_changed(folder, {RECORD: json_text(record), PAGE: page})


def publish_index(products: Path) -> None:
    """Write the page over all nights, if it is not there as it is to be.

    Raises
    ------
    ProductError
        It cannot be written.
    """
    nights = []
    for path in sorted(products.glob(f"*/{RECORD}"), reverse=True):
        verdicts = Counter(map(_verdict, _sets_of(path)))
        name, sets = path.parent.name, verdicts.total()
        nights.append({"name": name, "sets": sets, "verdicts": sorted(verdicts.items())})
    publish_changed(products, {PAGE: render("nights.html", nights=nights)})


def retire_superseded(folder: Path, sets: Sequence[DarkSet]) -> list[str]:
    """Move away what was made of sets whose frames are in other sets by now.

    A frame that comes late may begin a set anew, under another name, or join two sets. Products of
    a set move once one that is current has a frame of theirs; what no set has taken over stays.

    Parameters
    ----------
    folder : path
        Of a night's products.
    sets : sequence of DarkSet
        All that there are now, in this night and in those beside.

    Returns
    -------
    list of str
        Names of the sets that were moved to ``superseded/``.

    Raises
    ------
    ProductError
        A file cannot be moved.
    """
    names = {one.name for one in sets if one.folder == folder.name}
    strays = [sof for sof in sorted(folder.glob("*.sof")) if sof.stem not in names]
    if not strays:
        return []
    taken = set()
    for one in sets:
        earlier = Earlier.read(folder.parent / one.folder / Names.of(one.name, DARK).record)
        if earlier is not None:
            taken |= earlier.inputs.keys() | set(earlier.inputs.values())
    retired = [sof.stem for sof in strays if _frames_of(sof) & taken]
    for name in retired:
        _retire(folder, name)
    return retired


def _frames_of(sof: Path) -> set[str]:
    """Paths of the frames of a set, and the checksums of those that were reduced."""
    try:
        frames = {str(entry.path) for entry in read_sof(sof)}
    except InputError:  # no SOF of ours
        return set()
    earlier = Earlier.read(sof.with_name(Names.of(sof.stem, DARK).record))
    return frames | set(earlier.inputs.values()) if earlier else frames


def _retire(folder: Path, name: str) -> None:
    """Move the files of a set: the record first, the SOF last, so that a next run can go on."""
    files = [f for f in os.listdir(folder) if f.startswith((f"{name}.", f"{name}_"))]
    files.sort(key=lambda file: (file == f"{name}.sof", not file.endswith(".json"), file))
    target = folder / SUPERSEDED
    if target.is_symlink():
        raise ProductError(f"{target}: is a link, expected a folder; move it away")
    with writing(target):
        target.mkdir(exist_ok=True)
        for file in files:
            os.replace(folder / file, target / file)


def _earlier_entries(folder: Path) -> list[dict[str, Any]]:
    """The sets of earlier runs whose records, of success or failure, are there still."""
    there = []
    for entry in _sets_of(folder / RECORD):
        names = Names.of(entry["name"], DARK)
        if any((folder / name).exists() for name in (names.record, names.failure[1])):
            there.append(entry)
    return there


def _sets_of(path: Path) -> list[dict[str, Any]]:
    """The sets that a night's record lists; none if it is no record of ours."""
    try:
        entries = [{key: entry[key] for key in ENTRY} for entry in load_json(path)["sets"]]
        return [entry for entry in entries if os.path.basename(entry["name"]) == entry["name"]]
    except (InputError, KeyError, TypeError):
        return []


def _entry(result: SetResult) -> dict[str, Any]:
    state = State.DONE if result.is_done else result.state
    verdict, reasons = result.verdict or None, list(result.reasons)
    values = (
        result.name, result.frames, state, verdict, int(result.exit_code), reasons,
        list(result.jumps),
    )  # fmt: skip
    return dict(zip(ENTRY, values, strict=True))


def _verdict(entry: Mapping[str, Any]) -> str:
    return str(entry["qa-flag"] or entry["state"])


def _row(folder: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a set what there is of it: files as (word, name), and whether they are older."""
    names = Names.of(entry["name"], DARK)
    files = {
        "report": page_file(entry["name"]),
        "master dark": names.master,
        "mask": names.mask,
        "record": names.record,
        "log": names.log,
        "frames": f"{entry['name']}.sof",
        "log of the failure": names.failure[0],
    }
    there = {word: name for word, name in files.items() if name and (folder / name).exists()}
    older = entry["state"] != State.DONE and "master dark" in there
    small = thumbnail_file(entry["name"])
    picture = small if "report" in there and (folder / small).exists() else None
    more = {"links": list(there.items()), "older": older, "picture": picture}
    return {**entry, **more, "verdict": _verdict(entry)}
