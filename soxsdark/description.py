"""What is known of one raw frame before its pixels are read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soxsdark.amplifiers import Amplifier, Section, Sourced, bounds, lengths, science_shape
from soxsdark.baseline import Baseline, Overscan, Reference, baseline_of
from soxsdark.orientation import Window


@dataclass(frozen=True)
class Description:
    """One raw frame, from its header alone.

    Attributes
    ----------
    path : Path
    setup : dict
        What must be equal across a set; None where the header is silent.
    arm : str or None
    exposure_time : float
        Seconds, of one DIT.
    ndit : int
        Integrations averaged in the frame; 1 when unknown.
    binning : (x, y)
    amplifiers : tuple of Amplifier
        Which pixels of the raw image to use, with the gain and read-out noise of each part.
    saturation : Sourced
        ADU of the raw; value None is not tested.
    trimmed : bool
        Whether the pixels come from the profile; False is the whole image.
    overscan, reference : str
        What is subtracted of each raw; ``none`` where the detector, or a trimmed frame, has none.
    overscan_order : int
    rotation : int
        Degrees by which products are turned against the raw image; see `soxsdark.orientation`.
    pedestal : bool or None
        True: the raw holds a bias pedestal; False: the readout removed it; None: unknown.
    mjd_obs : float or None
        Start of the exposure, days.
    date_obs : str or None
    temperature, set_point : float or None
        Of the detector, as the header has them (kelvin or celsius).
    image_type : str
        Empty when the header is silent.
    remarks, warnings : tuple of str
    """

    path: Path
    setup: dict[str, object]
    arm: str | None
    exposure_time: float
    ndit: int
    binning: tuple[int, int]
    amplifiers: tuple[Amplifier, ...]
    saturation: Sourced[float | None]
    trimmed: bool
    pedestal: bool | None
    mjd_obs: float | None
    date_obs: str | None
    temperature: float | None
    image_type: str
    rotation: int = 0
    set_point: float | None = None
    overscan: Overscan = "none"
    reference: Reference = "none"
    overscan_order: int = 0
    remarks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def mjd_end(self) -> float | None:
        """End of the exposure, with all its integrations, days."""
        if self.mjd_obs is None:
            return None
        return self.mjd_obs + self.exposure_time * self.ndit / 86400

    @property
    def sections(self) -> tuple[Section, ...]:
        """Where the pixels of each amplifier are."""
        return tuple(amplifier.section for amplifier in self.amplifiers)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the science image, turned as the raw image is."""
        return science_shape(self.sections)

    @property
    def window(self) -> Window:
        """Rows and columns of the raw image between which the science pixels lie."""
        return bounds(self.sections)

    @property
    def gapless(self) -> bool:
        """Whether all pixels of the window are science pixels."""
        return lengths(self.window) == self.shape

    @property
    def gain(self) -> Sourced[float]:
        """Gain of the first amplifier; unknown if that of any is."""
        every = [amplifier.gain for amplifier in self.amplifiers]
        return next((gain for gain in every if gain.source == "assumed"), every[0])

    @property
    def gains(self) -> float | np.ndarray:
        """e-/ADU of the pixels; of several amplifiers a science image, as the raw frames lie."""
        if len(self.amplifiers) == 1:
            return self.gain.value
        image = np.empty(self.shape)
        for amplifier in self.amplifiers:
            image[amplifier.place] = amplifier.gain.value
        return image

    @property
    def ron(self) -> Sourced[float | None]:
        """Read-out noise of the first amplifier."""
        return self.amplifiers[0].ron

    @property
    def subtracted(self) -> str:
        """What is subtracted of the raws, in words: ``none``, ``overscan median`` and the like."""
        if self.overscan != "none":
            return f"overscan {self.overscan}"
        return "none" if self.reference == "none" else f"reference pixels {self.reference}"

    def baseline(self, image: np.ndarray, amplifier: Amplifier) -> Baseline:
        """Return what is to be subtracted from an amplifier's pixels in a raw image, ADU."""
        how = self.overscan, self.reference, self.overscan_order
        return baseline_of(image, amplifier.section, *how)
