"""The detectors that can be simulated."""

from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]


@dataclass(frozen=True)
class Readout:
    """An amplifier of an arm: the rows of the raw image that it reads, and those with science.

    All spans are zero-based and half-open, in the turned image. `gain` and `ron` are factors, and
    `pedestal` ADU, against what the options say of the first amplifier.
    """

    area: Span
    rows: Span
    gain: float = 1.0
    ron: float = 1.0
    pedestal: float = 0.0


@dataclass(frozen=True)
class Arm:
    """What one arm's detector and its headers are like.

    `raw_shape` is that of the file, `readouts` and `columns` are those of the image turned by
    ``np.rot90(data, k=rotation / 90)``; the science pixels of all amplifiers have the same columns.
    """

    instrument: str
    name: str
    raw_shape: tuple[int, int]
    rotation: int
    readouts: tuple[Readout, ...]
    columns: Span
    pixel_size: float
    overhead: float
    readout: tuple[int | str, str]
    temperature: tuple[str, float, str] | None
    options: dict[str, Any]

    @property
    def rows(self) -> tuple[Span, ...]:
        """Rows of the science pixels of each amplifier, from the first row on."""
        return tuple(readout.rows for readout in self.readouts)


def _one(rows: int, science: Span) -> tuple[Readout]:
    return (Readout((0, rows), science),)


ARMS = {
    "NIR": Arm(
        "SOXS", "NIR", (2048, 2048), 0, _one(2048, (4, 2044)), (4, 2044), 18.0, 3.5, (1, "NonDest"),
        ("ESO INS TEMP217 VAL", 40.0, "[K] NIR detector temperature"),
        {
            "exptime": 300.0, "ron": 7.3, "gain": 2.3, "dark": 0.01, "pedestal": -0.4,
            "saturation": 65535.0, "dtype": "int32", "hot_rate_min": 0.2, "hot_rate_max": 500.0,
        },
    ),
    "VIS": Arm(
        "SOXS", "VIS", (4096, 908), 0, _one(4096, (0, 4096)), (50, 858), 15.0, 52.0, (1, "Slow HG"),
        ("ESO INS TEMP104 VAL", 152.8, "[K] VIS detector temperature"),
        {
            "exptime": 3600.0, "ron": 3.8, "gain": 1.0, "dark": 0.001, "pedestal": 1000.0,
            "saturation": 65535.0, "dtype": "uint16", "hot_rate_min": 0.01, "hot_rate_max": 25.0,
        },
    ),
    "UVB": Arm(
        "XSHOOTER", "UVB", (3000, 2144), 180, _one(3000, (0, 3000)), (48, 2096), 15.0, 68.0,
        (1, "100k/1pt/hg"), ("ESO INS TEMP53 VAL", 153.0, "[K] UVB detector temperature"),
        {
            "exptime": 3600.0, "ron": 2.6, "gain": 1.61, "dark": 0.0003, "pedestal": 1000.0,
            "saturation": 65535.0, "dtype": "uint16", "hot_rate_min": 0.007, "hot_rate_max": 18.0,
        },
    ),
    "XSH-VIS": Arm(
        "XSHOOTER", "VIS", (4000, 2106), 0, _one(4000, (0, 4000)), (10, 2058), 15.0, 89.0,
        (1, "100k/1pt/hg"), None,
        {
            "exptime": 3600.0, "ron": 5.3, "gain": 1.4, "dark": 0.001, "pedestal": 1000.0,
            "saturation": 65535.0, "dtype": "uint16", "hot_rate_min": 0.015, "hot_rate_max": 25.0,
        },
    ),
    "XSH-NIR": Arm(
        "XSHOOTER", "NIR", (1100, 2048), 90, _one(2048, (4, 2044)), (20, 1076), 18.0, 0.9,
        (1, "NonDest"), ("ESO INS TEMP82 VAL", 81.0, "[K] NIR detector temperature"),
        {
            "exptime": 300.0, "ron": 8.0, "gain": 2.12, "dark": 0.02, "pedestal": -0.4,
            "saturation": 42000.0, "dtype": "int32", "hot_rate_min": 0.25, "hot_rate_max": 290.0,
        },
    ),
    "MEGARA": Arm(
        "MEGARA", "", (4212, 4196), 0,
        (
            Readout((0, 2106), (0, 2056)),
            Readout((2106, 4212), (2156, 4212), gain=1.6 / 1.73, ron=1.1, pedestal=350.0),
        ),
        (50, 4146), 15.0, 42.0, ("NORMAL", "SLOW"), ("CCDTEMP0", 153.1, "[K] CCD temperature"),
        {
            "exptime": 1800.0, "ron": 3.4, "gain": 1.73, "dark": 0.001, "pedestal": 2000.0,
            "saturation": 65535.0, "dtype": "uint16", "hot_rate_min": 0.02, "hot_rate_max": 40.0,
        },
    ),
}  # fmt: skip
