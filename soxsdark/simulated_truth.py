"""The truth about a simulated set, and its file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.cosmic_rays import COSMICS
from soxsdark.errors import InputError
from soxsdark.scene import PixelClass, Scene
from soxsdark.sky import Detector, add_at, detector_image


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated set; images of the science window, turned as the products are.

    Attributes
    ----------
    expected : numpy.ndarray
        Expected master dark without the frames' levels, e- in one DIT, float32. Saturation is
        not applied to it; a telegraph pixel has the middle of its two levels.
    classes : numpy.ndarray
        `PixelClass` of every pixel, int16; 0 = good.
    noise : numpy.ndarray
        Standard deviation of one sample, e-, float32: read noise, shot noise, quantisation and
        the pixel's own factor; cosmic rays and drift are not in it.
    cosmics : numpy.ndarray
        Fields frame (from 0), y, x, electrons; one row for every pixel hit in a frame.
    levels : numpy.ndarray
        Level of each amplifier in each frame, e-, (frames, amplifiers).
    gains : tuple of float
        True gain of each amplifier, e-/ADU.
    exptime, saturation : float
        DIT in s, saturation in ADU of the raw.
    """

    expected: np.ndarray
    classes: np.ndarray
    noise: np.ndarray
    cosmics: np.ndarray
    levels: np.ndarray
    gains: tuple[float, ...]
    exptime: float
    saturation: float

    @property
    def levels_e(self) -> np.ndarray:
        """Level of each frame, e-, mean over the amplifiers."""
        return self.levels.mean(axis=1)

    @property
    def gain(self) -> float:
        """True gain of the first amplifier, e-/ADU."""
        return self.gains[0]

    @property
    def hits(self) -> np.ndarray:
        """Number of frames in which a cosmic ray hit each pixel, int16."""
        counts = np.zeros(self.expected.shape, np.int16)
        np.add.at(counts, (self.cosmics["y"], self.cosmics["x"]), 1)
        return counts


def truth_of(
    scene: Scene,
    detector: Detector,
    levels_adu: list[tuple[float, ...]],
    cosmics: list[np.ndarray],
) -> Truth:
    """Gather what is known about a set; levels of the amplifiers of each frame."""
    expected = detector.signal.copy()
    add_at(expected, detector.telegraph, detector.steps / 2)
    variance = (detector.ron**2 + detector.signal) / scene.ndit
    variance.flat[detector.noisy] *= detector.factors**2
    variance.flat[detector.telegraph] += detector.steps**2 / 4
    gains = tuple(amplifier.gain for amplifier in scene.amplifiers)
    if scene.dtype != "float32":
        variance += detector_image(scene, gains) ** 2 / 12
    return Truth(
        expected=expected,
        classes=detector.classes,
        noise=np.sqrt(variance).astype(np.float32),
        cosmics=np.concatenate(cosmics),
        levels=np.array(levels_adu) * gains,
        gains=gains,
        exptime=scene.exptime,
        saturation=scene.saturation,
    )


def truth_hdus(truth: Truth) -> list[fits.hdu.base.ExtensionHDU | fits.PrimaryHDU]:
    """Put the truth into HDUs."""
    count, amplifiers = truth.levels.shape
    each = ("f8", (amplifiers,) if amplifiers > 1 else ())
    levels = np.zeros(count, [("frame", "i4"), ("adu", *each), ("electrons", *each)])
    levels["frame"] = np.arange(count)
    for name, values in (("adu", truth.levels / truth.gains), ("electrons", truth.levels)):
        levels[name] = values.reshape(levels[name].shape)
    hdus = [
        fits.PrimaryHDU(truth.expected),
        fits.ImageHDU(truth.classes, name="CLASS"),
        fits.ImageHDU(truth.noise, name="NOISE"),
        fits.BinTableHDU(truth.cosmics, name="COSMICS"),
        fits.BinTableHDU(levels, name="LEVELS"),
    ]
    header = hdus[0].header
    header["EXTNAME"] = ("EXPECTED", "expected master without the frames' levels")
    header["HIERARCH ESO PRO CATG"] = ("SIMULATED_TRUTH", "no frame of an instrument")
    header["BUNIT"] = ("electron", "in one DIT")
    header["EXPTIME"] = (truth.exptime, "[s] exposure time of one DIT")
    for number, gain in enumerate(truth.gains, start=1):
        header[f"GAIN{number}"] = (gain, f"[e-/ADU] true gain of amplifier {number}")
    if np.isfinite(truth.saturation):
        header["SATURATE"] = (truth.saturation, "[ADU] saturation of the raw")
    hdus[1].header["COMMENT"] = ", ".join(f"{kind.value} {kind.name}" for kind in PixelClass)
    hdus[2].header["BUNIT"] = "electron"
    return hdus


def load_truth(path: Path) -> Truth:
    """Read a truth file; see `soxsdark.simulator.read_truth`."""
    try:
        with fits.open(path) as hdus:
            header = hdus[0].header
            levels = np.asarray(hdus["LEVELS"].data["electrons"], float)
            levels = levels.reshape(len(levels), -1)
            return Truth(
                expected=hdus["EXPECTED"].data.astype(np.float32),
                classes=hdus["CLASS"].data.astype(np.int16),
                noise=hdus["NOISE"].data.astype(np.float32),
                cosmics=np.asarray(hdus["COSMICS"].data).astype(COSMICS),
                levels=levels,
                gains=tuple(header[f"GAIN{n}"] for n in range(1, 1 + levels.shape[1])),
                exptime=header["EXPTIME"],
                saturation=header.get("SATURATE", np.inf),
            )
    except (OSError, KeyError) as problem:
        raise InputError(f"{path}: not a readable truth file ({problem})") from problem
