"""Simulated frames with their truth, and the statistics that several files want."""

from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.simulated_truth import Truth
from soxsdark.simulator import Scene, SimulatedSet, read_truth, simulate

CLEAN = {
    "shape": (128, 160),
    "hot_fraction": 0.0,
    "noisy_fraction": 0.0,
    "telegraph_fraction": 0.0,
    "bad_pixel_fraction": 0.0,
    "cosmic_ray_rate": 0.0,
}


def make(folder: Path, **options: object) -> tuple[np.ndarray, Truth, SimulatedSet]:
    """Simulate; give the frames in e- (float64, N × rows × columns), the truth, the files."""
    scene = Scene(**options)
    files = simulate(folder, scene)
    frames = np.stack([fits.getdata(path) for path in files.frames]).astype(float)
    return frames * scene.gain, read_truth(files.truth), files


def residuals(frames: np.ndarray, truth: Truth) -> np.ndarray:
    """Samples less level and expected signal, e-."""
    return frames - truth.levels_e[:, None, None] - truth.expected
