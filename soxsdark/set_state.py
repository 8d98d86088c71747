"""Whether what an earlier run has made of a set is current: by its record and by checksums."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxsdark.errors import InputError
from soxsdark.find_sets import DarkSet
from soxsdark.hashes import Hashes
from soxsdark.kinds import DARK
from soxsdark.names import Names
from soxsdark.record import plain
from soxsdark.record_file import load_json
from soxsdark.settings import Settings
from soxsdark.settings_model import stages
from soxsdark.stage import Stage
from soxsdark.verdicts import QaFlag
from soxsdark.version import __version__

WITHOUT_EFFECT = {key for key, stage in stages().items() if stage is Stage.NOTHING}
"""Settings on which the products of a set do not depend."""


@dataclass(frozen=True)
class Earlier:
    """What the record of a run that succeeded says, as far as it counts here."""

    version: str
    profile: tuple[str, str | None]
    """Name, and SHA-256 of the file of a user's own."""
    inputs: Mapping[str, str]
    """SHA-256 of each raw, by its path."""
    settings: Mapping[str, Any]
    products: Mapping[str, str]
    """SHA-256 of each, by its name."""
    qa_flag: QaFlag
    concerns: tuple[str, ...]
    """Why the flag is not GOOD, a line each."""
    metrics: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Earlier | None":
        """Read the record of a run; None if there is none, or none of a run that succeeded."""
        try:
            record = load_json(path)
            metrics, own = record["metrics"], record["instrument-profile-file"]
            if record["succeeded"] is not True:
                return None
            return cls(
                version=record["version"],
                profile=(record["instrument-profile"], own and own["sha256"]),
                inputs={str(frame["path"]): frame["sha256"] for frame in record["frames"]},
                settings={key: given["value"] for key, given in record["settings"].items()},
                products={str(file["name"]): file["sha256"] for file in record["products"]},
                qa_flag=QaFlag(record["qa-flag"]),
                concerns=tuple(str(m["why"]) for m in metrics.values() if m["verdict"] != "GOOD"),
                metrics={name: metric["value"] for name, metric in metrics.items()},
            )
        except (InputError, ValueError, KeyError, TypeError, AttributeError):
            return None


def why_due(one: DarkSet, folder: Path, settings: Settings, hashes: Hashes) -> str:
    """Say why a set must be reduced; nothing if what is in the folder is current.

    It is current if the run succeeded, its raws are the same by content, and program version,
    instrument profile, settings and products are unchanged.

    Raises
    ------
    OSError
        A raw cannot be read.
    """
    names = Names.of(one.name, DARK)
    if (folder / names.failure[1]).exists():
        return "failed before"
    earlier = Earlier.read(folder / names.record)
    if earlier is None:
        return "record damaged" if (folder / names.record).exists() else "new"
    if earlier.version != __version__:
        return "other version of the program"
    if earlier.profile != (one.profile, one.profile_sha256):
        return "instrument profile changed"
    if key := _changed_setting(earlier, settings, one.arm):
        return f"{key} changed"
    if name := _changed_product(earlier, folder, hashes):
        return f"{name} damaged or missing"
    before = len(earlier.inputs)
    if before != len(one.frames):
        return f"{len(one.frames)} frames, {before} before"
    now = Counter(hashes.of(entry.path) for entry in one.frames)
    return "" if now == Counter(earlier.inputs.values()) else "frames changed"


def _changed_setting(earlier: Earlier, settings: Settings, arm: str | None) -> str | None:
    now: Any = plain(settings.for_arm(arm).values.model_dump(by_alias=True))
    keys = (now.keys() | earlier.settings.keys()) - WITHOUT_EFFECT
    absent = object()
    changed = (k for k in keys if now.get(k, absent) != earlier.settings.get(k, absent))
    return min(changed, default=None)


def _changed_product(earlier: Earlier, folder: Path, hashes: Hashes) -> str | None:
    for name, sha256 in earlier.products.items():
        try:
            if hashes.of(folder / name) != sha256:
                return name
        except OSError:
            return name
    return None
