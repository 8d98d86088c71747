"""What light, charge and electronics do to simulated pixels, and the truth about them.

Arrays of one science window, in electrons, unless a name says otherwise.
"""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.errors import InputError
from soxsdark.simulated_arms import ARMS
from soxsdark.simulator import PixelClass, Scene

HOT_INDEX = 2.0
"""Hot-pixel rates r are drawn from p(r) ∝ r^-HOT_INDEX."""
NOISY_FACTORS = (4.0, 10.0)
TELEGRAPH_STEPS = (5.0, 30.0)
"""Step of a telegraph pixel, in units of the noise of one sample."""
IONISATION = 100.0
"""Electrons freed by a minimum-ionising particle per micrometre of its path."""
IONISATION_SPREAD = 0.35
"""Sigma of the logarithm of the charge left in one pixel (the long tail of a Landau law)."""
STEEPEST_SIN2 = 0.9999
"""Limit of sin² of the angle to the normal: the longest track is 100 pixels."""

COSMICS = np.dtype([("frame", "i4"), ("y", "i4"), ("x", "i4"), ("electrons", "f4")])


@dataclass(frozen=True)
class Detector:
    """The pixels of the science window as they are in every frame.

    Attributes
    ----------
    signal : numpy.ndarray
        Mean charge of one DIT, e-, telegraph steps left out.
    ron : numpy.ndarray or float
        Read-out noise of one read, e-.
    noisy, factors : numpy.ndarray
        Flat indices of the noisy pixels, and how many times the noise each has.
    telegraph, steps : numpy.ndarray
        Flat indices of the telegraph pixels, and the height of the upper level, e-.
    classes : numpy.ndarray
        `PixelClass` of every pixel, int16.
    """

    signal: np.ndarray
    ron: np.ndarray | float
    noisy: np.ndarray
    factors: np.ndarray
    telegraph: np.ndarray
    steps: np.ndarray
    classes: np.ndarray


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
    levels_e : numpy.ndarray
        Level of each frame, e-.
    exptime, gain, saturation : float
        DIT in s, true gain in e-/ADU, saturation in ADU of the raw.
    """

    expected: np.ndarray
    classes: np.ndarray
    noise: np.ndarray
    cosmics: np.ndarray
    levels_e: np.ndarray
    exptime: float
    gain: float
    saturation: float

    @property
    def hits(self) -> np.ndarray:
        """Number of frames in which a cosmic ray hit each pixel, int16."""
        counts = np.zeros(self.expected.shape, np.int16)
        np.add.at(counts, (self.cosmics["y"], self.cosmics["x"]), 1)
        return counts


def seeds(scene: Scene) -> list[np.random.SeedSequence]:
    """Give the seed of the detector, then one for each frame, whatever the number of frames."""
    return np.random.SeedSequence(scene.seed).spawn(scene.frames + 1)


def generators(seed: np.random.SeedSequence, count: int) -> list[np.random.Generator]:
    """Make `count` independent generators, so that no effect disturbs the draws of another."""
    children = [
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, i)) for i in range(count)
    ]
    return [np.random.default_rng(child) for child in children]


def build_detector(scene: Scene, seed: np.random.SeedSequence) -> Detector:
    """Draw the fixed properties of every pixel of the science window."""
    places, dark, hot, noisy, telegraph, ron, listed = generators(seed, 7)
    shape = scene.science_shape
    size = shape[0] * shape[1]
    counts = [
        round(fraction * size)
        for fraction in (scene.hot_fraction, scene.noisy_fraction, scene.telegraph_fraction)
    ]
    chosen = places.choice(size, sum(counts), replace=False)
    at_hot, at_noisy, at_telegraph = np.split(chosen, np.cumsum(counts)[:2])

    classes = np.zeros(size, np.int16)
    for where, kind in zip(
        (at_hot, at_noisy, at_telegraph),
        (PixelClass.HOT, PixelClass.NOISY, PixelClass.TELEGRAPH),
        strict=True,
    ):
        classes[where] = kind
    classes[_listed_bad(scene, classes, listed)] |= PixelClass.LISTED

    rate = 1 + scene.dark_spread * dark.standard_normal(size, np.float32)
    signal = (scene.dark * scene.exptime) * np.maximum(rate, 0) + smooth_signal(scene).ravel()
    signal[at_hot] += scene.exptime * hot_rates(scene, hot.random(at_hot.size))
    base = sqrt((scene.ron**2 + scene.dark * scene.exptime) / scene.ndit)
    return Detector(
        signal=signal.reshape(shape).astype(np.float32),
        ron=_read_noise(scene, ron),
        noisy=at_noisy,
        factors=noisy.uniform(*NOISY_FACTORS, at_noisy.size),
        telegraph=at_telegraph,
        steps=base * telegraph.uniform(*TELEGRAPH_STEPS, at_telegraph.size),
        classes=classes.reshape(shape),
    )


def _read_noise(scene: Scene, rng: np.random.Generator) -> np.ndarray | float:
    if scene.ron_spread == 0:
        return scene.ron
    spread = 1 + scene.ron_spread * rng.standard_normal(scene.science_shape, np.float32)
    return scene.ron * np.maximum(spread, np.float32(0.1))


def _listed_bad(scene: Scene, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose the pixels of the bad-pixel map: nine of ten from the defects, the rest good."""
    wanted = round(scene.bad_pixel_fraction * classes.size)
    defects = np.flatnonzero(classes & (PixelClass.HOT | PixelClass.NOISY))
    from_good = min(round(wanted / 10), np.count_nonzero(classes == 0))
    bad = rng.choice(defects, min(wanted - from_good, defects.size), replace=False)
    good = rng.choice(np.flatnonzero(classes == 0), from_good, replace=False)
    return np.concatenate([bad, good])


def hot_rates(scene: Scene, uniform: np.ndarray) -> np.ndarray:
    """Turn uniform deviates into power-law rates in e-/s, by the inverse of their distribution."""
    power = 1 - HOT_INDEX
    low, high = scene.hot_rate_min**power, scene.hot_rate_max**power
    return (low + uniform * (high - low)) ** (1 / power)


def smooth_signal(scene: Scene) -> np.ndarray:
    """Amplifier glow in the first corner and a ramp across the columns, e- in one DIT."""
    rows, columns = scene.science_shape
    scale = min(150.0, min(rows, columns) / 8)
    ramp = scene.gradient * np.linspace(0, 1, columns)
    return scene.glow * bump(scene.science_shape, (0, 0), (scale, scale)) + ramp


def light_leak(scene: Scene) -> np.ndarray:
    """Light over the middle of the frame, a quarter of its sides wide, e- in one DIT."""
    rows, columns = scene.science_shape
    middle = ((rows - 1) / 2, (columns - 1) / 2)
    return scene.light_leak * bump((rows, columns), middle, (rows / 4, columns / 4))


def bump(
    shape: tuple[int, int], centre: tuple[float, float], sigma: tuple[float, float]
) -> np.ndarray:
    """Two-dimensional Gaussian of height 1."""
    along = [
        np.exp(-0.5 * ((np.arange(n) - c) / s) ** 2)
        for n, c, s in zip(shape, centre, sigma, strict=True)
    ]
    return np.outer(*along)


def expose(
    scene: Scene, detector: Detector, index: int, seed: np.random.SeedSequence
) -> tuple[np.ndarray, float, np.ndarray]:
    """Take one frame.

    Returns
    -------
    raw : numpy.ndarray
        The whole raw image, turned as the products are, in ADU and of the scene's dtype.
    level : float
        The frame's level, ADU.
    cosmics : numpy.ndarray
        Rows of the cosmic-ray table.
    """
    drift, read, shot, switch, sky = generators(seed, 5)
    level = scene.pedestal + scene.drift * drift.standard_normal()
    raw = read.standard_normal(scene.whole_shape, np.float32)
    window = raw[scene.window]
    if scene.ron > 0:
        window *= np.asarray(detector.ron / scene.ron, np.float32)
    raw *= np.float32(scene.ron / sqrt(scene.ndit))
    window += _charge(scene, detector, index, shot)
    _amplify(window, detector)
    up = switch.random(detector.telegraph.size) < 0.5
    _add_at(window, detector.telegraph, detector.steps * up)
    cosmics = cosmic_rays(scene, index, sky)
    window[cosmics["y"], cosmics["x"]] += cosmics["electrons"]
    raw *= np.float32(1 / scene.gain)
    raw += np.float32(level)
    return digitise(raw, scene.dtype, scene.saturation), level, cosmics


def _charge(scene: Scene, detector: Detector, index: int, rng: np.random.Generator) -> np.ndarray:
    mean = detector.signal
    if scene.light_leak and index == scene.leak_frame:
        mean = mean + light_leak(scene)
    counts = rng.poisson(mean * scene.ndit if scene.ndit > 1 else mean)
    return counts.astype(np.float32) / np.float32(scene.ndit)


def _amplify(window: np.ndarray, detector: Detector) -> None:
    """Stretch the deviations of noisy pixels from their mean, in place."""
    rows = np.unravel_index(detector.noisy, window.shape)
    mean = detector.signal[rows]
    window[rows] = mean + detector.factors * (window[rows] - mean)


def _add_at(window: np.ndarray, flat: np.ndarray, values: np.ndarray) -> None:
    window[np.unravel_index(flat, window.shape)] += values.astype(np.float32)


def digitise(adu: np.ndarray, dtype: str, saturation: float) -> np.ndarray:
    """Round to the nearest integer where the dtype is one; what does not fit is clipped."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.minimum(adu, np.float32(saturation), dtype=np.float32)
    limits = np.iinfo(kind)
    high = np.float32(min(saturation, limits.max))
    if float(high) > limits.max:
        high = np.nextafter(high, np.float32(0))
    np.rint(adu, out=adu)
    np.clip(adu, np.float32(limits.min), np.floor(high), out=adu)
    return adu.astype(kind)


def cosmic_rays(scene: Scene, index: int, rng: np.random.Generator) -> np.ndarray:
    """Draw straight tracks through a layer one pixel thick, of isotropic directions.

    Returns
    -------
    numpy.ndarray
        One row for every pixel hit, with the charge as this frame shows it (divided by NDIT).
        Pixels whose corner took less than half an electron are left out.
    """
    rows, columns = scene.science_shape
    mean = scene.cosmic_ray_rate * scene.exptime * scene.ndit * rows * columns
    count = rng.poisson(mean)
    start = rng.random((count, 2)) * (rows, columns)
    sin2 = rng.random(count) * STEEPEST_SIN2
    azimuth = rng.random(count) * 2 * np.pi
    length = np.sqrt(sin2 / (1 - sin2))
    step = length[:, None] * np.stack([np.sin(azimuth), np.cos(azimuth)], axis=1)
    track, pixel, share = rasterise(start, step)

    path = share * ARMS[scene.arm].pixel_size / np.sqrt(1 - sin2[track])
    scatter = np.exp(IONISATION_SPREAD * rng.standard_normal(path.size))
    charge = np.rint(IONISATION * path * scatter)
    inside = ((pixel >= 0) & (pixel < (rows, columns))).all(axis=1) & (charge > 0)
    return _merge(index, pixel[inside], charge[inside] / scene.ndit, columns)


def rasterise(start: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut lines at the borders of the pixels they cross.

    Parameters
    ----------
    start, step : numpy.ndarray
        (M, 2): first point and extent of each line; pixel (i, j) is [i, i + 1) × [j, j + 1).

    Returns
    -------
    line, pixel, share : numpy.ndarray
        For each piece: its line, its pixel (K, 2), and its share of the line's length.
    """
    lines = np.arange(len(start))
    owners, cuts = [lines, lines], [np.zeros(len(lines)), np.ones(len(lines))]
    first, last = np.floor(start).astype(int), np.floor(start + step).astype(int)
    for axis in (0, 1):
        low, high = np.minimum(first, last)[:, axis], np.maximum(first, last)[:, axis]
        owner = np.repeat(lines, high - low)
        nth = np.arange(owner.size) - np.repeat(np.cumsum(high - low) - (high - low), high - low)
        border = low[owner] + 1 + nth
        owners.append(owner)
        cuts.append((border - start[owner, axis]) / step[owner, axis])
    owner, cut = np.concatenate(owners), np.clip(np.concatenate(cuts), 0, 1)
    order = np.lexsort((cut, owner))
    owner, cut = owner[order], cut[order]
    same = owner[1:] == owner[:-1]
    line, share = owner[1:][same], np.diff(cut)[same]
    middle = (cut[1:][same] + cut[:-1][same]) / 2
    return line, np.floor(start[line] + middle[:, None] * step[line]).astype(int), share


def _merge(index: int, pixel: np.ndarray, charge: np.ndarray, columns: int) -> np.ndarray:
    flat, inverse = np.unique(pixel[:, 0] * columns + pixel[:, 1], return_inverse=True)
    table = np.zeros(flat.size, COSMICS)
    table["frame"] = index
    table["y"], table["x"] = np.divmod(flat, columns)
    table["electrons"] = np.bincount(inverse, charge, flat.size)
    return table


def truth_of(
    scene: Scene, detector: Detector, levels_adu: list[float], cosmics: list[np.ndarray]
) -> Truth:
    """Gather what is known about a set."""
    expected = detector.signal.copy()
    _add_at(expected, detector.telegraph, detector.steps / 2)
    variance = (detector.ron**2 + detector.signal) / scene.ndit
    variance.flat[detector.noisy] *= detector.factors**2
    variance.flat[detector.telegraph] += detector.steps**2 / 4
    if scene.dtype != "float32":
        variance += scene.gain**2 / 12
    return Truth(
        expected=expected,
        classes=detector.classes,
        noise=np.sqrt(variance).astype(np.float32),
        cosmics=np.concatenate(cosmics),
        levels_e=np.array(levels_adu) * scene.gain,
        exptime=scene.exptime,
        gain=scene.gain,
        saturation=scene.saturation,
    )


def truth_hdus(truth: Truth) -> list[fits.hdu.base.ExtensionHDU | fits.PrimaryHDU]:
    """Put the truth into HDUs."""
    levels = np.zeros(truth.levels_e.size, [("frame", "i4"), ("adu", "f8"), ("electrons", "f8")])
    levels["frame"] = np.arange(levels.size)
    levels["adu"], levels["electrons"] = truth.levels_e / truth.gain, truth.levels_e
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
    header["GAIN"] = (truth.gain, "[e-/ADU] true gain")
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
            return Truth(
                expected=hdus["EXPECTED"].data.astype(np.float32),
                classes=hdus["CLASS"].data.astype(np.int16),
                noise=hdus["NOISE"].data.astype(np.float32),
                cosmics=np.asarray(hdus["COSMICS"].data).astype(COSMICS),
                levels_e=np.asarray(hdus["LEVELS"].data["electrons"], float),
                exptime=header["EXPTIME"],
                gain=header["GAIN"],
                saturation=header.get("SATURATE", np.inf),
            )
    except (OSError, KeyError) as problem:
        raise InputError(f"{path}: not a readable truth file ({problem})") from problem
