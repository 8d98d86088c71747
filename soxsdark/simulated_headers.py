"""The headers of simulated files, as the instruments write them."""

import uuid
from collections.abc import Iterable
from math import isfinite
from typing import Any

from soxsdark.nights import mjd_of
from soxsdark.scene import Scene
from soxsdark.simulated_arms import ARMS, Arm

MEGARA_CONFIGURATION = "ca3558e3-e50d-4bbc-86bd-da50a0998a48"


def raw_cards(scene: Scene, index: int, name: str) -> list[tuple[Any, ...]]:
    """Give the header of one raw frame, as the instrument writes it."""
    arm = ARMS[scene.arm]
    start = scene.start(index)
    stamp = start.replace(tzinfo=None).isoformat(timespec="milliseconds")
    times = [
        ("OBJECT", scene.kind.upper(), "target description"),
        ("DATE", stamp, "date of this file (UTC)"),
        ("DATE-OBS", stamp, "start of the exposure (UTC)"),
        ("MJD-OBS", round(mjd_of(start), 8), "start as modified JD"),
        ("EXPTIME", float(scene.exptime), "[s] integration time of one DIT"),
    ]
    own = _gtc_cards if arm.instrument == "MEGARA" else _eso_cards
    return _as_cards([*times, *own(scene, index, name, stamp), *_temperature_cards(arm, index)])


def _eso_cards(scene: Scene, index: int, name: str, stamp: str) -> list[tuple[Any, ...]]:
    arm = ARMS[scene.arm]
    return [
        ("ORIGIN", "ESO", "European Southern Observatory"),
        ("TELESCOP", "ESO-NTT" if arm.instrument == "SOXS" else "ESO-VLT-U3", "telescope"),
        ("INSTRUME", arm.instrument, "instrument used"),
        ("ESO DPR CATG", "CALIB", "observation category"),
        ("ESO DPR TYPE", scene.kind.upper(), "observation type"),
        ("ESO DPR TECH", "IMAGE", "observation technique"),
        ("ESO OBS ID", 200000000 + scene.seed % 10**8, "observation block"),
        ("ESO TPL ID", f"{arm.instrument}_gen_cal_{scene.kind.title()}", "template"),
        ("ESO TPL NEXP", scene.frames, "exposures in the template"),
        ("ESO TPL EXPNO", index + 1, "number of this exposure"),
        *_detector_cards(scene),
        ("ARCFILE", f"{arm.instrument}.{stamp}.fits", "archive file name"),
        ("ORIGFILE", name, "original file name"),
    ]


def _gtc_cards(scene: Scene, index: int, name: str, stamp: str) -> list[tuple[Any, ...]]:
    block = uuid.uuid5(uuid.NAMESPACE_OID, f"{scene.kind} {scene.seed}")
    mode, speed = ARMS[scene.arm].readout
    cards = [
        ("ORIGIN", "GTC", "Gran Telescopio Canarias"),
        ("OBSERVAT", "ORM", "observatory"),
        ("TELESCOP", "GTC", "telescope"),
        ("INSTRUME", "MEGARA", "instrument used"),
        ("FILENAME", name, "original file name"),
        ("OBSMODE", f"Megara{scene.kind.title()}Image", "observing mode"),
        ("OBSTYPE", "CALIBRATION", "observation type"),
        ("UUID", str(uuid.uuid5(block, f"{index} {stamp}")), "of this image"),
        ("BLCKUUID", str(block), "of the observing block"),
        ("INSCONF", MEGARA_CONFIGURATION, "instrument configuration"),
        ("INSMODE", "LCB", "instrument mode"),
        ("VPH", "LR-U", "grating"),
        ("DARKTIME", float(scene.exptime), "[s] time in which dark charge gathered"),
        ("READMODE", mode, "read-out mode"),
        ("RSPEED", speed, "read-out speed"),
        ("BUNIT", "ADU", "unit of the pixels"),
    ]
    for number, amplifier in enumerate(scene.amplifiers, start=1):
        gain, ron = round(amplifier.header_gain, 6), round(amplifier.ron, 6)
        cards.append((f"GAIN{number}", gain, f"[e-/ADU] of amplifier {number}"))
        cards.append((f"RDNOISE{number}", ron, f"[e-] of amplifier {number}"))
    return cards


def _temperature_cards(arm: Arm, index: int) -> list[tuple[Any, ...]]:
    if arm.temperature is None:
        return []
    keyword, temperature, comment = arm.temperature
    return [(keyword, round(temperature + 0.01 * (index % 3 - 1), 3), comment)]


def _detector_cards(scene: Scene) -> list[tuple[Any, ...]]:
    gain = scene.gain if scene.header_gain is None else scene.header_gain
    arm = ARMS[scene.arm]
    number, name = arm.readout
    cards = [
        ("ESO SEQ ARM", arm.name, "spectrograph arm"),
        ("ESO DET READ CURID", number, "read-out mode"),
        ("ESO DET READ CURNAME", name, "read-out mode name"),
        ("ESO DET OUT1 CONAD", gain, "[e-/ADU] electrons per ADU"),
        ("ESO DET OUT1 GAIN", round(1 / gain, 6), "[ADU/e-] ADU per electron"),
        ("ESO DET OUT1 RON", scene.ron, "[e-] read-out noise"),
        ("ESO DET CHIP RON", scene.ron, "[e-] read-out noise"),
    ]
    if arm.name == "NIR":
        return [
            *cards,
            ("ESO DET NDIT", scene.ndit, "integrations averaged"),
            ("ESO DET SEQ1 DIT", float(scene.exptime), "[s] integration time"),
        ]
    prefix = "ESO DET" if arm.instrument == "SOXS" else "ESO DET WIN1"
    return [*cards, *((f"{prefix} BIN{axis}", 1, f"binning along {axis}") for axis in "XY")]


def map_cards(scene: Scene) -> list[tuple[Any, ...]]:
    """Give the header of the bad-pixel map."""
    instrument = ("INSTRUME", ARMS[scene.arm].instrument, "instrument used")
    category = ("ESO PRO CATG", tagged("BP_MAP", scene), "0 = good, 1 = bad")
    arm = ("ESO SEQ ARM", ARMS[scene.arm].name, "spectrograph arm")
    return _as_cards([instrument, category, *([arm] if ARMS[scene.arm].name else [])])


def tagged(what: str, scene: Scene) -> str:
    """Return a tag or category with the arm behind it, if the instrument has arms."""
    return f"{what}_{ARMS[scene.arm].name}".rstrip("_")


def scene_cards(scene: Scene) -> list[tuple[Any, ...]]:
    """Record every option in the truth file."""
    values = vars(scene) | {"shape": "{} {}".format(*scene.science_shape)}
    return _as_cards(
        (f"SIM {name.upper()}", value, "")
        for name, value in values.items()
        if value is not None and (not isinstance(value, float) or isfinite(value))
    )


def _as_cards(cards: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(f"HIERARCH {key}" if " " in key else key, *rest) for key, *rest in cards]
