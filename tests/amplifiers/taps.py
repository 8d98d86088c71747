"""A detector of four taps: its profile, its exposures, and where each tap lies."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from astropy.io import fits

SIDE, GAP, OVERSCAN = 128, 6, 10
FRAMES = 6
LIMIT = 20000
HALVES = ((0, SIDE), (SIDE + GAP, 2 * SIDE + GAP))
"""Rows and columns of the taps in the raw image: a gap between them, overscan at both sides."""


@dataclass(frozen=True)
class Tap:
    name: str
    rows: tuple[int, int]
    columns: tuple[int, int]
    overscan: tuple[int, int]
    pedestal: float
    gain: float
    ron: float

    @property
    def data(self):
        return slice(*self.rows), slice(*self.columns)

    @property
    def strip(self):
        return slice(*self.rows), slice(*self.overscan)

    @property
    def place(self):
        row, column = (HALVES.index(span) for span in (self.rows, self.inner))
        return slice(row * SIDE, (row + 1) * SIDE), slice(column * SIDE, (column + 1) * SIDE)

    @property
    def inner(self):
        return tuple(edge - OVERSCAN for edge in self.columns)


def span(at: int) -> tuple[int, int]:
    return tuple(edge + OVERSCAN for edge in HALVES[at])


LEFT, RIGHT = (0, OVERSCAN), (2 * SIDE + GAP + OVERSCAN, 2 * SIDE + GAP + 2 * OVERSCAN)
TAPS = (
    Tap("a", HALVES[0], span(0), LEFT, 3558.0, 1.0, 4.0),
    Tap("b", HALVES[0], span(1), RIGHT, 3790.0, 2.0, 9.0),
    Tap("c", HALVES[1], span(0), LEFT, 3200.0, 1.5, 5.0),
    Tap("d", HALVES[1], span(1), RIGHT, 3438.0, 0.7, 12.0),
)
RAW = (2 * SIDE + GAP, 2 * SIDE + GAP + 2 * OVERSCAN)


def profile(folder: Path, **changes) -> Path:
    detector = {
        "shape": list(RAW),
        "saturation": LIMIT,
        "pedestal": True,
        "amplifiers": [
            {
                "name": tap.name,
                "rows": list(tap.rows),
                "columns": list(tap.columns),
                "overscan-rows": list(tap.rows),
                "overscan-columns": list(tap.overscan),
                "gain": tap.gain,
                "ron": tap.ron,
            }
            for tap in TAPS
        ],
    } | changes
    return written(folder, "taps", detector)


def written(folder: Path, name: str, detector: dict) -> Path:
    content = {
        "name": name,
        "keywords": {"exposure-time": ["EXPTIME"], "image-type": ["IMAGETYP"]},
        "dark-types": ["DARK*"],
        "setup": ["exposure time", "shape"],
        "arms": {"*": detector},
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def exposures(seed: int = 5, lines: float = 0.0, frames: int = FRAMES) -> list[np.ndarray]:
    """Raws of four taps; with `lines` the pedestal of each row wanders by so many ADU."""
    rng = np.random.default_rng(seed)
    hot = [rng.choice(SIDE**2, 60, replace=False) for _ in TAPS]
    charge = [rng.uniform(200, 3000, 60) for _ in TAPS]
    result = []
    for _ in range(frames):
        raw = np.zeros(RAW)
        for tap, places, mean in zip(TAPS, hot, charge, strict=True):
            wander = lines * rng.standard_normal((SIDE, 1))
            pedestal = tap.pedestal + rng.normal(0, 3) + wander
            electrons = rng.poisson(5.0, (SIDE, SIDE)).astype(float)
            electrons.flat[places] += rng.poisson(mean)
            electrons.flat[rng.choice(SIDE**2, 3)] += 600
            electrons += rng.normal(0, tap.ron, electrons.shape)
            raw[tap.data] = electrons / tap.gain + pedestal
            blank = rng.normal(0, tap.ron, (SIDE, OVERSCAN))
            raw[tap.strip] = blank / tap.gain + pedestal
        result.append(np.clip(np.rint(raw), 0, LIMIT).astype(np.uint16))
    return result


def save(folder: Path, images, kind: str = "DARK", seconds: float = 60.0) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = []
    for number, image in enumerate(images):
        hdu = fits.PrimaryHDU(image)
        hdu.header["IMAGETYP"], hdu.header["EXPTIME"] = kind, seconds
        paths.append(folder / f"{kind.lower()}{number}.fits")
        hdu.writeto(paths[-1])
    return paths
