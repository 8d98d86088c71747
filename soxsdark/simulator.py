"""Simulated sets of raw darks, with the truth about every pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import IntFlag
from math import inf, isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soxsdark.errors import ProductError, UsageError
from soxsdark.simulated_arms import ARMS, Arm

if TYPE_CHECKING:
    from astropy.io import fits

    from soxsdark.sky import Truth

DTYPES = ("uint16", "int16", "int32", "float32")
MJD_ZERO = datetime(1858, 11, 17)
LARGEST_FRAME = 100_000_000


class PixelClass(IntFlag):
    """What a simulated pixel is; 0 is a good one."""

    HOT = 1
    NOISY = 2
    TELEGRAPH = 4
    LISTED = 8
    """In the bad-pixel map, added to the other bits; alone, a good pixel wrongly listed."""


def _option(default: Any, text: str, low: float = -inf, high: float = inf) -> Any:
    return field(default=default, metadata={"help": text, "low": low, "high": high})


@dataclass(frozen=True)
class Scene:
    """Everything that decides what a simulated set looks like.

    Every field's ``metadata["help"]`` says what it is. A field whose default is None takes the
    arm's own value when the scene is made (`shape` and `header_gain` stay None), so a scene for
    another arm is made anew, not by ``dataclasses.replace``.

    Raises
    ------
    UsageError
        A value that makes no sense.
    """

    arm: str = _option("NIR", "NIR or VIS (SOXS); UVB, XSH-VIS or XSH-NIR (X-shooter)")
    frames: int = _option(5, "number of frames", 1)
    exptime: float | None = _option(None, "exposure time of one DIT, s; 0 = biases", 0)
    seed: int = _option(1, "seed: the same seed gives the same files", 0)
    shape: tuple[int, int] | None = _option(
        None, "rows and columns of a science cut-out without overscan; None = the whole detector"
    )
    overscan: bool = _option(True, "with the whole detector: keep reference, pre-, overscan pixels")
    ndit: int = _option(1, "NIR: every frame is the average of so many reads", 1)
    ron: float | None = _option(None, "read-out noise of one read, e-", 0)
    ron_spread: float = _option(0.0, "spread of the read-out noise from pixel to pixel", 0, 1)
    gain: float | None = _option(None, "true gain, e-/ADU", 1e-6)
    header_gain: float | None = _option(None, "gain in the headers; None = the true one", 1e-6)
    dtype: str | None = _option(None, "pixels of the files: " + ", ".join(DTYPES))
    saturation: float | None = _option(None, "value at which raw pixels saturate, ADU", 1)
    pedestal: float | None = _option(
        None, "mean level of a frame without charge, ADU (1000 in uint16 where the arm has none)"
    )
    drift: float = _option(2.0, "frame-to-frame scatter of that level, ADU", 0)
    dark: float | None = _option(None, "dark current, e-/s", 0)
    dark_spread: float = _option(0.05, "spread of the dark current from pixel to pixel", 0, 1)
    hot_fraction: float = _option(0.004, "fraction of hot pixels", 0, 1)
    hot_rate_min: float | None = _option(None, "rate of the faintest hot pixel, e-/s", 1e-9)
    hot_rate_max: float | None = _option(None, "rate of the brightest hot pixel, e-/s", 1e-9)
    noisy_fraction: float = _option(0.002, "fraction of pixels with 4-10 times the noise", 0, 1)
    telegraph_fraction: float = _option(0.0005, "fraction of random-telegraph pixels", 0, 1)
    bad_pixel_fraction: float = _option(0.002, "fraction of pixels in the bad-pixel map", 0, 1)
    list_bad_pixel_map: bool = _option(False, "name the bad-pixel map in the SOF")
    cosmic_ray_rate: float = _option(1e-7, "cosmic rays per pixel and second", 0)
    glow: float = _option(0.0, "amplifier glow in a corner, e- at its peak in one DIT", 0)
    gradient: float = _option(0.0, "ramp across the columns, e- at its end in one DIT", 0)
    light_leak: float = _option(0.0, "light in the middle frame alone, e- at its peak", 0)
    date_obs: str = _option("2025-03-10T13:00:00.000", "start of the first exposure (UTC)")

    def __post_init__(self) -> None:
        """Fill in the arm's own values and check all."""
        if self.arm not in ARMS:
            raise UsageError(f"arm: got {self.arm!r}, expected one of {', '.join(ARMS)}")
        own = dict(ARMS[self.arm].options)
        if (self.dtype or own["dtype"]) == "uint16":
            own["pedestal"] = max(own["pedestal"], 1000.0)
        for key, value in own.items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)
        self._check_bounds()
        self._check_together()

    def _check_bounds(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            low, high = option.metadata["low"], option.metadata["high"]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            endless = value == inf and option.name != "saturation"
            if number and (endless or not low <= value <= high):
                allowed = f"at least {low:g}" if high == inf else f"{low:g} to {high:g}"
                raise UsageError(f"{option.name}: got {value}, expected {allowed}")

    def _check_together(self) -> None:
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        if self.shape is not None and self.shape[0] * self.shape[1] > LARGEST_FRAME:
            raise UsageError(
                f"shape: got {self.shape}, expected at most {LARGEST_FRAME} pixels in a frame"
            )
        if self.shape is not None and min(self.shape) < 8:
            raise UsageError(f"shape: got {self.shape}, expected at least 8 rows and 8 columns")
        if self.hot_rate_max <= self.hot_rate_min:
            low, high = self.hot_rate_min, self.hot_rate_max
            raise UsageError(
                f"hot_rate_max: got {high:g}, expected more than hot_rate_min, {low:g}"
            )
        if self.hot_fraction + self.noisy_fraction + self.telegraph_fraction > 1:
            raise UsageError("hot, noisy and telegraph fractions: their sum exceeds 1")
        if self.ndit > 1 and ARMS[self.arm].name != "NIR":
            raise UsageError(f"ndit: got {self.ndit}, expected 1 in the {self.arm} arm")
        try:
            datetime.fromisoformat(self.date_obs)
        except ValueError as problem:
            raise UsageError(f"date_obs: {problem}; expected 2025-03-10T13:00:00") from problem

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of the raw image, as it lies in the file."""
        return self._turned(self.whole_shape)

    @property
    def whole_shape(self) -> tuple[int, int]:
        """Rows and columns of the raw image, turned as the products are."""
        full = self.shape is None and self.overscan
        return self._turned(ARMS[self.arm].raw_shape) if full else self.science_shape

    def _turned(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[::-1] if ARMS[self.arm].rotation % 180 else shape

    @property
    def science_shape(self) -> tuple[int, int]:
        """Rows and columns of the science window."""
        rows, columns = ARMS[self.arm].rows, ARMS[self.arm].columns
        return self.shape or (rows[1] - rows[0], columns[1] - columns[0])

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the science window in the raw image, turned as the products are."""
        if self.whole_shape == self.science_shape:
            return slice(0, self.whole_shape[0]), slice(0, self.whole_shape[1])
        return slice(*ARMS[self.arm].rows), slice(*ARMS[self.arm].columns)

    @property
    def kind(self) -> str:
        """What the frames are: darks, or biases without exposure."""
        return "dark" if self.exptime else "bias"

    @property
    def leak_frame(self) -> int:
        """Index of the frame that a light leak falls into, from 0."""
        return self.frames // 2


@dataclass(frozen=True)
class SimulatedSet:
    """The files of one simulated set."""

    sof: Path
    frames: tuple[Path, ...]
    bad_pixel_map: Path
    truth: Path


def simulate(
    directory: Path,
    scene: Scene,
    *,
    progress: Callable[[int, int], None] | None = None,
    overwrite: bool = False,
) -> SimulatedSet:
    """Write raw darks, a bad-pixel map, the truth about them, and a SOF, which comes last.

    Parameters
    ----------
    directory : pathlib.Path
        Where to write; made if need be.
    scene : Scene
        What to write. The same scene gives the same bytes, and frame k of two scenes that
        differ in the number of frames alone has the same pixels (a light leak apart).
    progress : callable, optional
        Called with the frames done and the frames in all, after every frame.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    SimulatedSet
        The paths of what was written.

    Raises
    ------
    ProductError
        A file exists already, or cannot be written.
    """
    files = _plan(Path(directory), scene)
    _check_free(files, scene, overwrite)
    try:
        files.sof.parent.mkdir(parents=True, exist_ok=True)
        files.sof.unlink(missing_ok=True)
        _write_set(files, scene, progress)
        tag = f"{scene.kind.upper()}_{ARMS[scene.arm].name}"
        lines = [f"{path.name} {tag}\n" for path in files.frames]
        if scene.list_bad_pixel_map:
            lines.append(f"{files.bad_pixel_map.name} BP_MAP_{ARMS[scene.arm].name}\n")
        files.sof.write_text("".join(lines), encoding="utf-8")
    except OSError as problem:
        raise ProductError(f"{files.sof.parent}: cannot write ({problem})") from problem
    return files


def read_truth(path: Path) -> Truth:
    """Read the truth file of a simulated set.

    Returns
    -------
    soxsdark.sky.Truth
        Images (of the science window, turned as the products are, e-), tables, and the number of
        hits of each pixel.

    Raises
    ------
    InputError
        The file is no truth file.
    """
    from soxsdark.sky import load_truth

    return load_truth(path)


def _plan(directory: Path, scene: Scene) -> SimulatedSet:
    names = (f"{scene.arm}_{scene.kind}_{number:03d}.fits" for number in range(1, scene.frames + 1))
    return SimulatedSet(
        sof=directory / ("darks.sof" if scene.exptime else "biases.sof"),
        frames=tuple(directory / name for name in names),
        bad_pixel_map=directory / "bpm.fits",
        truth=directory / "truth.fits",
    )


def _check_free(files: SimulatedSet, scene: Scene, overwrite: bool) -> None:
    planned = (files.sof, *files.frames, files.bad_pixel_map, files.truth)
    taken = [path for path in planned if path.exists()]
    if taken and not overwrite:
        raise ProductError(f"{taken[0]}: exists already; overwrite it, or use another folder")
    older = sorted(set(files.sof.parent.glob(f"{scene.arm}_{scene.kind}_*.fits")) - set(planned))
    if older:
        raise ProductError(
            f"{older[0]}: a frame of a longer set; remove all {len(older)}, or use another folder"
        )


def _write_set(
    files: SimulatedSet, scene: Scene, progress: Callable[[int, int], None] | None
) -> None:
    from astropy.io import fits

    from soxsdark import sky
    from soxsdark.orientation import to_raw

    seed, *frame_seeds = sky.seeds(scene)
    detector = sky.build_detector(scene, seed)
    levels, cosmics = [], []
    for index, (path, frame_seed) in enumerate(zip(files.frames, frame_seeds, strict=True)):
        raw, level, hits = sky.expose(scene, detector, index, frame_seed)
        hdu = fits.PrimaryHDU(to_raw(raw, ARMS[scene.arm].rotation).copy())
        hdu.header.extend(_raw_cards(scene, index, path.name))
        _write([hdu], path, scene)
        levels.append(level)
        cosmics.append(hits)
        if progress is not None:
            progress(index + 1, scene.frames)
    listed = (detector.classes & PixelClass.LISTED != 0).astype("uint8")
    bad = fits.PrimaryHDU(listed)
    bad.header.extend(_map_cards(scene))
    _write([bad], files.bad_pixel_map, scene)
    hdus = sky.truth_hdus(sky.truth_of(scene, detector, levels, cosmics))
    hdus[0].header.extend(_scene_cards(scene))
    _write(hdus, files.truth, scene)


def _write(hdus: Sequence[fits.PrimaryHDU], path: Path, scene: Scene) -> None:
    """Write with checksums whose comments name the scene's date, so that bytes repeat."""
    from astropy.io.fits import HDUList

    for hdu in hdus:
        hdu.add_checksum(when=scene.date_obs)
    HDUList(list(hdus)).writeto(path, overwrite=True)


def _raw_cards(scene: Scene, index: int, name: str) -> list[tuple]:
    """Give the header of one raw frame, as the instrument writes it."""
    arm = ARMS[scene.arm]
    cycle = scene.ndit * (scene.exptime + arm.overhead)
    start = datetime.fromisoformat(scene.date_obs) + timedelta(seconds=index * cycle)
    start = start.replace(microsecond=start.microsecond // 1000 * 1000)
    stamp = start.isoformat(timespec="milliseconds")
    cards = [
        ("ORIGIN", "ESO", "European Southern Observatory"),
        ("TELESCOP", "ESO-NTT" if arm.instrument == "SOXS" else "ESO-VLT-U3", "telescope"),
        ("INSTRUME", arm.instrument, "instrument used"),
        ("OBJECT", scene.kind.upper(), "target description"),
        ("DATE", stamp, "date of this file (UTC)"),
        ("DATE-OBS", stamp, "start of the exposure (UTC)"),
        ("MJD-OBS", round((start - MJD_ZERO) / timedelta(days=1), 8), "start as modified JD"),
        ("EXPTIME", float(scene.exptime), "[s] integration time of one DIT"),
        ("ESO DPR CATG", "CALIB", "observation category"),
        ("ESO DPR TYPE", scene.kind.upper(), "observation type"),
        ("ESO DPR TECH", "IMAGE", "observation technique"),
        ("ESO OBS ID", 200000000 + scene.seed % 10**8, "observation block"),
        ("ESO TPL ID", f"{arm.instrument}_gen_cal_{scene.kind.title()}", "template"),
        ("ESO TPL NEXP", scene.frames, "exposures in the template"),
        ("ESO TPL EXPNO", index + 1, "number of this exposure"),
        *_detector_cards(scene),
        *_temperature_cards(arm, index),
        ("ARCFILE", f"{arm.instrument}.{stamp}.fits", "archive file name"),
        ("ORIGFILE", name, "original file name"),
    ]
    return _as_cards(cards)


def _temperature_cards(arm: Arm, index: int) -> list[tuple]:
    if arm.temperature is None:
        return []
    keyword, temperature, comment = arm.temperature
    return [(keyword, round(temperature + 0.01 * (index % 3 - 1), 3), comment)]


def _detector_cards(scene: Scene) -> list[tuple]:
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


def _map_cards(scene: Scene) -> list[tuple]:
    instrument = ("INSTRUME", ARMS[scene.arm].instrument, "instrument used")
    category = ("ESO PRO CATG", f"BP_MAP_{ARMS[scene.arm].name}", "0 = good, 1 = bad")
    arm = ("ESO SEQ ARM", ARMS[scene.arm].name, "spectrograph arm")
    return _as_cards([instrument, arm, category])


def _scene_cards(scene: Scene) -> list[tuple]:
    """Record every option in the truth file."""
    values = vars(scene) | {"shape": "{} {}".format(*scene.science_shape)}
    return _as_cards(
        (f"SIM {name.upper()}", value, "")
        for name, value in values.items()
        if value is not None and (not isinstance(value, float) or isfinite(value))
    )


def _as_cards(cards: Iterable[tuple]) -> list[tuple]:
    return [(f"HIERARCH {key}" if " " in key else key, *rest) for key, *rest in cards]
