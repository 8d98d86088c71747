"""The figures of merit of a reduced simulated set against its truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soxsdark.flags import Flag
from soxsdark.recipe import mdark
from soxsdark.simulator import Scene, read_truth, simulate

HOT, NOISY = 1, 2
KIND = 7


@dataclass
class Sums:
    """Pixels of one or several sets, by class; errors in units of what is expected."""

    good: list
    hit: list
    clean: list
    pull: list
    hot_bias: list
    hot_found: list
    noisy_found: list
    false_hot: list
    false_noisy: list

    @classmethod
    def empty(cls) -> "Sums":
        return cls(*([] for _ in range(9)))

    def rms(self, name: str) -> float:
        return float(np.sqrt(np.mean(np.concatenate(getattr(self, name)) ** 2)))

    def mean(self, name: str) -> float:
        return float(np.mean(np.concatenate(getattr(self, name))))

    def robust_spread(self, name: str) -> float:
        values = np.concatenate(getattr(self, name))
        return float(1.482602 * np.median(np.abs(values - np.median(values))))


def floor(scene: Scene, truth) -> np.ndarray:
    """Noise of the mean of all samples: read noise, shot noise, quantisation."""
    step = 0.0 if scene.dtype == "float32" else scene.gain
    variance = (scene.ron**2 + np.maximum(truth.expected, 0)) / scene.ndit + step**2 / 12
    return np.sqrt(variance / scene.frames)


def measure(folder: Path, sums: Sums, overrides=(), **options):
    """Simulate and reduce one set, add its figures to `sums`; return the result and the truth."""
    scene = Scene(**options)
    made = simulate(folder / "raw", scene)
    result = mdark(made.sof, output=folder / "out", overrides=overrides)
    truth = read_truth(made.truth)
    master = result.reduced.master
    error = master.flux.astype(np.float64) - truth.expected - np.mean(truth.levels_e)
    kind, hits = truth.classes & KIND, truth.hits
    good, lower = kind == 0, floor(scene, truth)
    hot, noisy = kind == HOT, kind == NOISY
    clean = good & (hits == 0)
    below = hot & (truth.expected < 0.8 * scene.saturation * truth.gain)
    flagged_hot = (master.qual & int(Flag.HOT)) > 0
    flagged_noisy = (master.qual & int(Flag.NOISY)) > 0
    sums.good.append((error / lower)[good])
    sums.hit.append((error / lower)[good & (hits == 1)])
    sums.clean.append(error[clean])
    sums.pull.append(error[clean] / master.errs[clean])
    sums.hot_bias.append((error / np.maximum(truth.expected, 1))[below])
    sums.hot_found.append(flagged_hot[hot])
    sums.noisy_found.append(flagged_noisy[noisy])
    sums.false_hot.append(flagged_hot[good])
    sums.false_noisy.append(flagged_noisy[good])
    return result, truth
