"""Sets that are legal, frame by frame, and wrong: what is said of each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from soxsdark import mdark
from soxsdark.errors import InputError
from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, SimulatedSet, simulate
from tests.hostile import edit
from tests.quality.sets import CLEAN, SIDE, concerns

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Odd:
    """One row: how a set of five darks is changed, and which metrics must tell."""

    name: str
    change: Change | None = None
    """Gets the pixels of all frames, (N, rows, columns), float64 ADU."""
    told: set[str] = field(default_factory=set)
    scene: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()


def write(files: SimulatedSet, change: Change | None, **cards: Any) -> None:
    """Change the pixels of all frames at once, and cards of each."""
    stack = np.array([fits.getdata(path) for path in files.frames])
    changed = stack if change is None else change(stack.astype("f8"))
    kind = changed.dtype if changed.dtype == "f4" else stack.dtype
    for path, pixels in zip(files.frames, changed, strict=True):
        edit(path, lambda _, new=pixels: np.asarray(new).astype(kind), **cards)


def column(stack: np.ndarray) -> np.ndarray:
    """A column stuck at a saturation that the profile does not know."""
    stack[:, :, 100] = 65535
    return stack


def one(change: Change, at: int = 2) -> Change:
    """Change one frame of the set; it gets the whole stack."""

    def changed(stack: np.ndarray) -> np.ndarray:
        stack[at] = np.round(change(stack))
        return stack

    return changed


def scaled(frame: np.ndarray, factor: float) -> np.ndarray:
    """A frame as another true gain would have it, at the same level."""
    return np.median(frame) + factor * (frame - np.median(frame))


def stripes(stack: np.ndarray) -> np.ndarray:
    """Pickup of 10 e- in one frame, too fine for FRAME STRUCT, too little for RAW RON."""
    y, x = np.indices(stack[2].shape)
    return stack[2] + 6 * np.sin(0.7 * y + 0.5 * x)


QUIET = {"NOISE FRAMEMIN"}
FAINT = QUIET | {"SIGNAL FRAMEMIN"}
ODD = [
    Odd("nothing"),
    Odd("three frames", scene={"frames": 3}),
    Odd("many frames", scene={"frames": 40, "shape": (64, 64)}),
    Odd("few pixels", scene={"frames": 3, "shape": (16, 16)}),
    Odd("half the true gain in one", one(lambda s: scaled(s[2], 0.5)), FAINT | {"GAIN SLOPE"}),
    Odd("half of it in one of three", one(lambda s: scaled(s[2], 0.5)), FAINT, {"frames": 3}),
    Odd("one is the mean of the others", one(lambda s: s[:4].mean(axis=0), 4), QUIET),
    Odd("one is the median of all", one(lambda s: np.median(s, axis=0)), QUIET),
    Odd("interference in one", one(stripes), {"NOISE FRAMEMAX"}),
    Odd(
        "one is smoothed",
        one(lambda s: (s[2] + np.roll(s[2], 1, axis=1)) / 2),
        FAINT | {"GAIN SLOPE", "REJ FRAMEMAX"},
    ),
    Odd(
        "noise far below a step",
        lambda s: np.round(s / 20),
        {"RAW RON", "MASTER RON"},
        cards={"ESO_DET_OUT1_CONAD": 46.0, "ESO_DET_OUT1_GAIN": None},
    ),
    Odd(
        "noise of half a step",
        lambda s: np.round(s / 8),
        cards={"ESO_DET_OUT1_CONAD": 18.4, "ESO_DET_OUT1_GAIN": None},
    ),
    Odd("multiples of 4", lambda s: 4 * np.round(s / 4)),
    Odd("multiples of 16", lambda s: 16 * np.round(s / 16), {"RAW RON", "MASTER RON"}),
    Odd("cut off at zero", lambda s: np.maximum(s - np.median(s) + 4, 0), {"CUT FRAC"}),
    Odd("cut off at the top", lambda s: np.minimum(s, np.median(s) + 6), {"CUT FRAC"}),
    Odd("a stuck column", column),
    Odd(
        "saturation below the level", told={"BADPIX FRAC", "MASTER RON"}, settings=("saturation=1",)
    ),
    Odd(
        "samples left out",
        told={"BADPIX FRAC"},
        settings=("frame-clipping-excludes-samples=true", "frame-clipping-sigma=0.5"),
    ),
    Odd("a tenth of the pixels cold", told={"COLDPIX FRAC"}, settings=("cold-pixel-sigma=1.3",)),
    Odd(
        "the same dark subtracted of all",
        lambda s: s - np.roll(np.round(s.mean(axis=0)), 1, axis=1),
        {"COLDPIX FRAC"},
        scene={"hot_fraction": 0.03},
    ),
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_what_is_told(tmp_path, odd):
    files = simulate(tmp_path / "raw", Scene(**{**SIDE, "seed": 5, **odd.scene}))
    write(files, odd.change, **odd.cards)
    result = mdark(files.sof, output=tmp_path / "o", overrides=odd.settings)
    assert set(concerns(result)) == odd.told


@pytest.mark.parametrize(("value", "first"), [(0, 200), (None, 240), (65535, 254)])
def test_a_frame_that_was_read_in_part_is_refused(tmp_path, value, first):
    def in_part(stack: np.ndarray) -> np.ndarray:
        stack[2, first:] = np.median(stack[2]) if value is None else value
        return stack

    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    write(files, in_part)
    said = rf"003.fits: {256 - first} rows hold one value throughout, 0 in the median frame"
    with pytest.raises(InputError, match=said):
        mdark(files.sof, output=tmp_path / "o")


@pytest.mark.parametrize("offset", [1, -7, 40])
def test_a_frame_that_is_another_but_for_a_constant_is_refused(tmp_path, offset):
    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    write(files, one(lambda s: s[0] + offset, 3))
    with pytest.raises(InputError, match=rf"004.fits: .*001.fits but for {offset} ADU; leave"):
        mdark(files.sof, output=tmp_path / "o")


@pytest.mark.parametrize(("pedestal", "refused"), [(1e6, False), (1e9, True)])
def test_a_pedestal_beyond_the_products_is_refused(tmp_path, pedestal, refused):
    files = simulate(tmp_path / "raw", Scene(arm="NIR", seed=5, **SIDE))
    write(files, lambda s: s + pedestal)
    if refused:
        with pytest.raises(InputError, match=r"steps of 256 e-, more than the noise of the mean"):
            mdark(files.sof, output=tmp_path / "o")
    else:
        assert set(concerns(mdark(files.sof, output=tmp_path / "o"))) == {"RAW RON"}


def second_half(change: Change) -> Change:
    """Change the second amplifier of one frame."""

    def changed(stack: np.ndarray) -> np.ndarray:
        rows = slice(stack.shape[1] // 2, None)
        stack[1, rows] = np.round(change(stack[:, rows]))
        return stack

    return changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: scaled(s[1], 0.5), {"NOISE FRAMEMIN", "NOISE FRAMEMIN 2"}),
        (lambda s: s[0] + 1, {"MASTER RON", "MASTER RON 2", "NOISE FRAMEMIN 2"}),
        (lambda s: np.maximum(s[1], np.median(s[1]) + 1), {"CUT FRAC", "NOISE FRAMEMIN 2"}),
    ],
)
def test_one_amplifier_of_one_frame_is_told(tmp_path, change, told):
    scene = Scene(arm="MEGARA", seed=5, cosmic_ray_rate=0.0, **CLEAN, **SIDE)
    files = simulate(tmp_path / "raw", scene)
    write(files, second_half(change))
    result = mdark(files.sof, output=tmp_path / "o", instrument=str(files.profile))
    assert set(concerns(result)) >= told
    assert not any(name.endswith(" 1") for name in concerns(result))


@pytest.mark.parametrize(
    ("seconds", "at", "told"),
    [
        (10.0, [1], "SIGNAL FRAMEMIN"),
        (150.0, [1], "SIGNAL FRAMEMIN"),
        (450.0, [3], "SIGNAL FRAMEMAX"),
        (150.0, [0, 2, 4], "SIGNAL FRAMEMAX"),
    ],
)
def test_another_exposure_under_the_same_header_is_told(tmp_path, seconds, at, told):
    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    others = simulate(tmp_path / "others", Scene(seed=5, exptime=seconds, **SIDE))

    def mixed(stack: np.ndarray) -> np.ndarray:
        stack[at] = [fits.getdata(others.frames[number]) for number in at]
        return stack

    write(files, mixed)
    result = mdark(files.sof, output=tmp_path / "o")
    assert told in concerns(result)
    expected = seconds / 300 if len(at) == 1 else 300 / seconds
    assert result.metrics[told] == pytest.approx(expected, rel=0.15, abs=0.05)


def test_most_pixels_in_the_map_is_told(tmp_path):
    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    bad = np.ones((256, 256), np.uint8)
    bad[:200:2] = 0
    fits.writeto(tmp_path / "map.fits", bad)
    result = mdark(files.sof, output=tmp_path / "o", bad_pixel_map=tmp_path / "map.fits")
    assert set(concerns(result)) == {"BADPIX FRAC"}
    assert "128: the input bad-pixel map" in concerns(result)["BADPIX FRAC"]


@pytest.mark.parametrize(("offset", "told"), [(500, {"MDARK MEDIAN"}), (2, set())])
def test_a_dark_far_below_zero_is_told(tmp_path, offset, told):
    biases = simulate(tmp_path / "b", Scene(arm="VIS", exptime=0.0, seed=9, **SIDE))
    write(biases, lambda s: s + offset)
    bias = mbias(biases.sof, output=tmp_path / "bias").master
    darks = simulate(tmp_path / "d", Scene(arm="VIS", seed=5, **SIDE))
    result = mdark(darks.sof, output=tmp_path / "o", master_bias=bias)
    assert set(concerns(result)) == told
    if told:
        assert "biases_MBIAS.fits does not fit the pedestal" in concerns(result)["MDARK MEDIAN"]


@pytest.mark.parametrize(("seconds", "fits_in"), [(1e-9, True), (1e-12, False), (1e308, False)])
def test_times_that_no_exposure_has(tmp_path, seconds, fits_in):
    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    write(files, None, EXPTIME=seconds)
    if fits_in:
        assert mdark(files.sof, output=tmp_path / "o").qa_flag == "GOOD"
        return
    with pytest.raises(InputError, match=r"EXPTIME is .*above 0 \(1e-09 s to 1e\+09 s\)"):
        mdark(files.sof, output=tmp_path / "o")


@pytest.mark.parametrize("gain", [-2.3, 1e-9, 1e300, "high"])
def test_a_gain_that_none_can_be_is_not_used_and_told(tmp_path, gain):
    files = simulate(tmp_path / "raw", Scene(seed=5, **SIDE))
    write(files, None, ESO_DET_OUT1_CONAD=gain, ESO_DET_OUT1_GAIN=None)
    result = mdark(files.sof, output=tmp_path / "o")
    assert result.record["gain"] == {"value": 2.3, "source": "profile soxs"}
    said = f"ESO DET OUT1 CONAD is {gain!r}, no number from 1e-06 to 1e+06: not used"
    assert any(said in remark for remark in result.record["remarks"])
