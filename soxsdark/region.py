"""Metrics of one region of a detector: of all of it, or of what one amplifier reads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from soxsdark import metrics as figures
from soxsdark.amplifiers import Sourced, whole
from soxsdark.flags import SAMPLE, Background
from soxsdark.metrics import Figure
from soxsdark.orientation import Window
from soxsdark.sampling import LineSample
from soxsdark.survey import RawDark, Survey
from soxsdark.verdicts import Metric

if TYPE_CHECKING:
    from soxsdark.combine import Combined
    from soxsdark.description import Description
    from soxsdark.product import Master

PATTERNS = ("FPN", "COLSTRUCT", "ROWSTRUCT")


@dataclass(frozen=True)
class Images:
    """What a set was reduced to; images as the raw frames lie."""

    master: "Master"
    combined: "Combined"
    backgrounds: tuple[Background, ...]
    """Of each amplifier, without its level."""
    excess: LineSample
    """Of the master above that background."""


@dataclass(frozen=True)
class Region:
    """What pass 1 found in one region; electrons."""

    number: int
    """Of the amplifier, from 1; 0 is the whole detector."""
    place: Window
    gain: Sourced[float]
    ron: Sourced[float | None]
    """Of one read, as it should be."""
    sigma: float
    quantum: float
    ndit: int
    slope: float
    slope_error: float
    levels: np.ndarray
    """(frames,)."""
    medians: np.ndarray
    """(frames, blocks)."""
    median_errors: np.ndarray
    """(blocks,): standard error of each median of a frame."""

    @property
    def drift(self) -> float:
        """Spread of the levels; NaN of a single frame."""
        return float(np.std(self.levels, ddof=1)) if len(self.levels) > 1 else math.nan

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return math.prod(part.stop - part.start for part in self.place)

    @property
    def nominal_ron(self) -> float | None:
        """Read noise that a frame should have; None where RON or gain is not known.

        A frame that is the average of NDIT reads has their noise over sqrt(NDIT).
        """
        if not self.ron.value or self.gain.source == "assumed":
            return None
        return self.ron.value / math.sqrt(self.ndit)

    def name(self, metric: str) -> str:
        """Name that a metric has in this region."""
        return f"{metric} {self.number}" if self.number else metric

    def metric(self, name: str, figure: Figure, comment: str, **more: Any) -> Metric:
        """A metric of this region, in electrons."""
        value, error = (float(v) if math.isfinite(v) else None for v in figure)
        number = self.number
        return Metric(
            self.name(name), value, "electron", comment, error=error, amplifier=number, **more
        )


def regions_of(survey: Survey, about: "Description") -> list[Region]:
    """The whole detector, then each amplifier where there are several."""
    parts = [_amplifier_region(survey, about, index) for index in range(len(about.amplifiers))]
    if len(parts) == 1:
        return [replace(parts[0], number=0)]
    noise = survey.noise
    every = Region(
        number=0,
        place=whole(about.shape),
        gain=about.gain,
        # nobody says what the noise of several should be together
        ron=Sourced(None, "unknown"),
        sigma=noise.sigma,
        quantum=survey.quantum,
        ndit=about.ndit,
        slope=noise.measured_slope,
        slope_error=noise.measured_slope_error,
        levels=survey.frame_levels,
        medians=np.concatenate([part.medians for part in parts], axis=1),
        median_errors=np.concatenate([part.median_errors for part in parts]),
    )
    return [every, *parts]


def _amplifier_region(survey: Survey, about: "Description", index: int) -> Region:
    amplifier, model = about.amplifiers[index], survey.noise.models[index]
    medians = survey.block_medians[index]
    return Region(
        number=index + 1,
        place=amplifier.place,
        gain=amplifier.gain,
        ron=amplifier.ron,
        sigma=model.sigma,
        quantum=survey.quanta[index],
        ndit=about.ndit,
        slope=model.measured_slope,
        slope_error=model.measured_slope_error,
        levels=survey.levels[:, index],
        medians=medians.reshape(len(medians), -1),
        median_errors=figures.errors_of_medians(model),
    )


def noise_metrics(region: Region, images: Images, kind: str) -> list[Metric]:
    """Noise of the master in a region, measured and expected."""
    good = images.master.qual[region.place] == 0
    values, rows = images.combined.halves.of(region.place)
    frames = len(region.levels)
    share = figures.noise_of_mean(values, good[rows], frames)
    found = Figure(region.sigma * share.value, region.sigma * share.error)
    expected = Figure(region.sigma / math.sqrt(frames), math.nan)
    comment = f"Noise of the master {kind}, from odd and even frames"
    return [
        region.metric("MASTER RON", found, comment),
        region.metric("MASTER RON PRED", expected, f"Noise expected in the master {kind}"),
    ]


def pattern_figures(
    region: Region, images: Images, spatial: float, share: float, turned: bool
) -> dict[str, Figure]:
    """What is in the master of one amplifier beyond noise, by name.

    Parameters
    ----------
    region : Region
    images : Images
    spatial : float
        Scatter of the amplifier's pixels above their background.
    share : float
        Measured noise of the master over the expected one.
    turned : bool
        Whether columns of the product are rows of the raw frames.
    """
    good = images.excess.same(images.master.qual == 0, region.place)
    errs = images.excess.same(images.master.errs, region.place)[0][good[0]]
    noise = share * math.sqrt(np.mean(np.square(errs, dtype=np.float64))) if errs.size else math.nan
    lines, columns = images.excess.part(region.place)
    found = [
        figures.column_structure(lines, good[0]),
        figures.column_structure(columns.T, good[1].T),
    ]
    number = min(SAMPLE, region.pixels)
    pair = (Figure(v, v / math.sqrt(2 * number)) for v in (spatial, noise))
    structures = found[::-1] if turned else found
    return dict(zip(PATTERNS, (figures.fixed_pattern(*pair), *structures), strict=True))


def pattern_metrics(region: Region, found: Mapping[str, Figure]) -> list[Metric]:
    """The metrics of `pattern_figures`."""
    comments = (
        "Fixed pattern: spatial scatter beyond noise",
        "Scatter of column medians beyond noise",
        "Scatter of row medians beyond noise",
    )
    pairs = zip(PATTERNS, comments, strict=True)
    return [region.metric(name, found[name], comment) for name, comment in pairs]


def structure_metric(
    region: Region, darks: Sequence[RawDark]
) -> tuple[Metric, figures.FrameStructure]:
    """FRAME STRUCT of the frame that has most, and that of all frames."""
    found = figures.frame_structure(region.medians, region.median_errors, region.quantum)
    at = int(np.argmax(np.nan_to_num(found.value)))
    figure = Figure(float(found.value[at]), float(found.error[at]))
    metric = region.metric(
        "FRAME STRUCT", figure, "Largest structure of one frame of its own",
        frame=darks[at].name, chance=found.chance,
    )  # fmt: skip
    return metric, found


def drift_metric(region: Region) -> Metric:
    """LEVEL DRIFT."""
    drift, frames = region.drift, len(region.levels)
    figure = Figure(drift, drift / math.sqrt(2 * max(frames - 1, 1)))
    return region.metric("LEVEL DRIFT", figure, "Spread of the levels of the frames")
