"""Cosmic rays in simulated frames."""

import numpy as np

from soxsdark.scene import Scene
from soxsdark.simulated_arms import ARMS

IONISATION = 100.0
"""Electrons freed by a minimum-ionising particle per micrometre of its path."""
IONISATION_SPREAD = 0.35
"""Sigma of the logarithm of the charge left in one pixel (the long tail of a Landau law)."""
STEEPEST_SIN2 = 0.9999
"""Limit of sin² of the angle to the normal: the longest track is 100 pixels."""

COSMICS = np.dtype([("frame", "i4"), ("y", "i4"), ("x", "i4"), ("electrons", "f4")])


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
