"""What light, charge and electronics do to simulated pixels, and the truth about them.

Arrays of one science window, in electrons, unless a name says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from soxsdark.cosmic_rays import cosmic_rays
from soxsdark.scene import PixelClass, Scene, SceneAmplifier

HOT_INDEX = 2.0
"""Hot-pixel rates r are drawn from p(r) ∝ r^-HOT_INDEX."""
NOISY_FACTORS = (4.0, 10.0)
TELEGRAPH_STEPS = (5.0, 30.0)
"""Step of a telegraph pixel, in units of the noise of one sample."""


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


def seeds(scene: Scene) -> list[np.random.SeedSequence]:
    """Give the seed of the detector, then one for each frame, whatever the number of frames.

    Darks and biases of one seed are of the same detector, but no frame is like another.
    """
    detector, *darks = np.random.SeedSequence(scene.seed).spawn(scene.frames + 1)
    biases = np.random.SeedSequence([scene.seed, 1]).spawn(scene.frames)
    return [detector, *(darks if scene.kind == "dark" else biases)]


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
    # where all pixels are odd, rounding may ask for one too many
    chosen = places.choice(size, min(sum(counts), size), replace=False)
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
    ron = detector_image(scene, [amplifier.ron for amplifier in scene.amplifiers])
    if scene.ron_spread == 0:
        return ron
    spread = 1 + scene.ron_spread * rng.standard_normal(scene.science_shape, np.float32)
    return ron * np.maximum(spread, np.float32(0.1))


def detector_image(scene: Scene, values: Sequence[float]) -> np.ndarray | float:
    """Return an image of the science pixels with one value an amplifier; the value if all agree."""
    if len(set(values)) == 1:
        return values[0]
    image = np.empty(scene.science_shape, np.float32)
    for amplifier, value in zip(scene.amplifiers, values, strict=True):
        image[amplifier.place] = value
    return image


def _listed_bad(scene: Scene, classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Choose the pixels of the bad-pixel map: nine of ten from the defects, the rest good."""
    wanted = round(scene.bad_pixel_fraction * classes.size)
    defects = np.flatnonzero(classes & (PixelClass.HOT | PixelClass.NOISY))
    from_good = min(round(wanted / 10), int(np.count_nonzero(classes == 0)))
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
) -> tuple[np.ndarray, tuple[float, ...], np.ndarray]:
    """Take one frame.

    Returns
    -------
    raw : numpy.ndarray
        The whole raw image, turned as the products are, in ADU and of the scene's dtype.
    levels : tuple of float
        The frame's level in each amplifier, ADU.
    cosmics : numpy.ndarray
        Rows of the cosmic-ray table.
    """
    drift, read, shot, switch, sky, tilt = generators(seed, 6)
    raw = read.standard_normal(scene.whole_shape, np.float32)
    for amplifier in scene.amplifiers:
        raw[amplifier.area] *= np.float32(amplifier.ron / sqrt(scene.ndit))
    science = _science(scene, raw)
    if scene.ron_spread > 0:
        mean = detector_image(scene, [amplifier.ron for amplifier in scene.amplifiers])
        science *= np.asarray(detector.ron / mean, np.float32)
    science += _charge(scene, detector, index, shot)
    _amplify(science, detector)
    up = switch.random(detector.telegraph.size) < 0.5
    add_at(science, detector.telegraph, detector.steps * up)
    cosmics = cosmic_rays(scene, index, sky)
    science[cosmics["y"], cosmics["x"]] += cosmics["electrons"]
    levels = []
    for amplifier in scene.amplifiers:
        raw[amplifier.science] = science[amplifier.place]
        levels.append(amplifier.pedestal + scene.drift * drift.standard_normal())
        area = raw[amplifier.area]
        area *= np.float32(1 / amplifier.gain)
        area += np.float32(levels[-1])
        if scene.tilt > 0:
            area += _rise(scene.tilt * tilt.standard_normal(), amplifier)
    return digitise(raw, scene.dtype, scene.saturation), tuple(levels), cosmics


def _science(scene: Scene, raw: np.ndarray) -> np.ndarray:
    """Return the science pixels of a raw image as one image, a copy."""
    science = np.empty(scene.science_shape, raw.dtype)
    for amplifier in scene.amplifiers:
        science[amplifier.place] = raw[amplifier.science]
    return science


def _rise(height: float, amplifier: SceneAmplifier) -> np.ndarray:
    """A straight rise along the rows of an amplifier, 0 in the middle of its science pixels."""
    area, science = amplifier.area[0], amplifier.science[0]
    rows = np.arange(area.start, area.stop) - (science.start + science.stop - 1) / 2
    return (height / (science.stop - science.start - 1) * rows[:, None]).astype(np.float32)


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


def add_at(window: np.ndarray, flat: np.ndarray, values: np.ndarray) -> None:
    """Add values to the pixels of a window at some flat indices, each there once, in place."""
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
