"""Measure and draw the evidence for the defaults: python docs/evidence.py (make evidence).

Two kinds of samples, both with fixed seeds: Gaussian ones for what clipping does, simulated frames
for the noise map. All is done by the two utilities that the recipe uses.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark import Scene, clip_and_stack, create_noise_map, read_truth, simulate
from soxsdark.scene import PixelClass

DOCS = Path(__file__).parent
BEGIN, END = "<!-- evidence: {} -->\n", "<!-- end of evidence -->"

PIXELS = 400_000
DEPTHS = (3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 19, 25)
IN_TABLE = (3, 5, 7, 11, 25)
HITS = np.arange(2.0, 12.1, 0.5)
"""Heights of cosmic rays, sigma."""


@dataclass(frozen=True)
class Way:
    """One way to clip along the stack."""

    deviation: str
    k: float
    colour: str
    label: str


MAD = Way("mad", 3, "#d55e00", "MAD of the stack, 3 σ")
STD = Way("std", 3, "#8a93a0", "std of the stack, 3 σ")
LOOSE = Way("noise-model", 3, "#56b4e9", "noise model, 3 σ")
DEFAULT = Way("noise-model", 4, "#0071b3", "noise model, 4 σ (default)")
WAYS = (MAD, STD, LOOSE, DEFAULT)

SIDE = 1024
SEEDS = {5: (1, 2, 3, 4), 11: (1, 2, 3), 25: (1, 2)}
SIGMAS = (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5)
DEFAULT_SIGMA = 4.0
COLOURS = {5: "#d55e00", 11: "#0071b3", 25: "#009e73"}


def gaussian(depth: int, pixels: int = PIXELS) -> np.ndarray:
    """Samples of good pixels, (depth, pixels / 1000, 1000), sigma 1."""
    return np.random.default_rng(depth).standard_normal((depth, pixels // 1000, 1000))


def clip(samples: np.ndarray, way: Way, **more):
    """Clip samples whose sigma is 1 and whose levels are 0."""
    options = {"deviation": way.deviation, "k": way.k, "noise": 1.0, "equalise_levels": False}
    return clip_and_stack(samples, **options, **more)


def losses(depth: int, way: Way, pixels: int = PIXELS) -> tuple[float, float]:
    """Share of good samples that are lost, and the noise of the mean times sqrt(depth)."""
    done = clip(gaussian(depth, pixels), way)
    return 1 - done.used.mean() / depth, float(done.mean.std() * np.sqrt(depth))


def caught(depth: int, way: Way, height: float, pixels: int = PIXELS) -> float:
    """Share of cosmic rays of some height, one in each stack, that are rejected."""
    samples = gaussian(depth, pixels)
    samples[0] += height
    return float(clip(samples, way, return_rejected=True).rejected[0].mean())


def clipping_table(pixels: int = PIXELS) -> str:
    """Return the table of what is lost, and of what is caught of 10 sigma."""
    ways = (MAD, LOOSE, DEFAULT)
    lines = ["| N | " + " | ".join(w.label for w in ways) + " |", "|---" * 4 + "|"]
    for depth in IN_TABLE:
        cells = [str(depth)]
        for way in ways:
            lost, noise = losses(depth, way, pixels)
            hits = caught(depth, way, 10.0, pixels)
            cells.append(f"{100 * lost:.2g} %, {noise:.3f}, {100 * hits:.0f} %")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def simulated(depth: int, seeds: tuple[int, ...], side: int) -> Iterator[tuple]:
    """Frames in electrons, and what every pixel is."""
    for seed in seeds:
        scene = Scene(frames=depth, seed=seed, shape=(side, side), noisy_fraction=0.01)
        with tempfile.TemporaryDirectory() as folder:
            made = simulate(Path(folder) / "set", scene)
            truth = read_truth(made.truth)
            frames = np.array([fits.getdata(path) for path in made.frames], np.float32)
            yield frames * truth.gain, truth


def noise_map_curve(
    depth: int, seeds: tuple[int, ...], sigmas=SIGMAS, side: int = SIDE
) -> tuple[np.ndarray, np.ndarray]:
    """Share of the noisy pixels found, and of the good ones called noisy, at each threshold."""
    counts = np.zeros((len(sigmas), 4))
    for frames, truth in simulated(depth, seeds, side):
        noisy, good = truth.classes == PixelClass.NOISY, truth.classes == 0
        for row, upper in zip(counts, sigmas, strict=True):
            mask = create_noise_map(frames, upper=upper).mask
            row += (mask[noisy].sum(), noisy.sum(), mask[good].sum(), good.sum())
    return counts[:, 0] / counts[:, 1], counts[:, 2] / counts[:, 3]


def noise_map_table(curves: dict[int, tuple]) -> str:
    """Return the table of the noise map at its default threshold."""
    lines = ["| N | noisy pixels found | good ones called noisy |", "|---|---|---|"]
    at = SIGMAS.index(DEFAULT_SIGMA)
    for depth, (found, false) in curves.items():
        lines.append(f"| {depth} | {100 * found[at]:.1f} % | {false[at]:.1e} |")
    return "\n".join(lines) + "\n"


def _axes(name: str, xlabel: str, ylabel: str):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained", facecolor="white")
    axes = figure.add_subplot(xlabel=xlabel, ylabel=ylabel)
    axes.grid(color="#d2d8e0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return axes, lambda: _save(figure, name)


def _save(figure, name: str) -> None:
    import matplotlib

    # text stays text, and the same numbers give the same bytes
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "soxsdark"}):
        path = DOCS / "_static" / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})


def draw_losses() -> None:
    """Good samples lost against the number of frames."""
    axes, save = _axes("losses", "frames", "good samples lost [%]")
    for way in WAYS:
        lost = [100 * losses(depth, way)[0] or np.nan for depth in DEPTHS]
        axes.plot(DEPTHS, lost, "o-", color=way.colour, label=way.label, markersize=4)
    axes.set_yscale("log")
    axes.set_ylim(0.004, 30)
    axes.legend(frameon=False, ncols=2, loc="upper right")
    save()


def draw_caught() -> None:
    """Cosmic rays rejected against their height, in stacks of five."""
    axes, save = _axes("caught", "height of the cosmic ray [σ]", "rejected, of five frames [%]")
    for way in WAYS:
        share = [100 * caught(5, way, height, PIXELS // 4) for height in HITS]
        axes.plot(HITS, share, "-", color=way.colour, label=way.label)
    axes.legend(frameon=False)
    save()


def draw_noise_map(curves: dict[int, tuple]) -> None:
    """Noisy pixels found against good ones called noisy."""
    axes, save = _axes("noise-map", "good pixels called noisy", "noisy pixels found [%]")
    at = SIGMAS.index(DEFAULT_SIGMA)
    for depth, (found, false) in curves.items():
        colour = COLOURS[depth]
        axes.plot(false, 100 * found, "o-", color=colour, markersize=4, label=f"{depth} frames")
        axes.plot(false[at], 100 * found[at], "o", color=colour, markersize=11, fillstyle="none")
    axes.set_xscale("log")
    axes.legend(frameon=False, loc="lower right")
    save()


def placed(page: str, name: str, text: str) -> str:
    """Return a page with a table in its place."""
    head, _, rest = page.partition(BEGIN.format(name))
    return head + BEGIN.format(name) + text + END + rest.partition(END)[2]


def main() -> None:
    """Do all of it."""
    page = DOCS / "evidence.md"
    text = placed(page.read_text("utf-8"), "clipping", clipping_table())
    draw_losses()
    draw_caught()
    curves = {depth: noise_map_curve(depth, seeds) for depth, seeds in SEEDS.items()}
    draw_noise_map(curves)
    page.write_text(placed(text, "noise-map", noise_map_table(curves)), "utf-8")


if __name__ == "__main__":
    main()
