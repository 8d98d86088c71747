"""A simulated archive: the same detector, night after night."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxsdark.nights import mjd_of
from soxsdark.simulator import Scene, simulate

FIRST = datetime(2026, 1, 11, 9, tzinfo=UTC)
"""Start of the first exposure of the night 2026-01-10."""
Change = Callable[[int, np.ndarray, np.random.Generator], np.ndarray]


def make_archive(
    folder: Path, nights: int, change: Change | None = None, frames: int = 5, **scene
) -> Path:
    """Write one set a night into ``folder/0``, ``folder/1`` and so on; return the folder.

    Parameters
    ----------
    folder : path
    nights : int
    change : callable, optional
        Gives the raw pixels of a night for those that were simulated.
    frames : int
        Of each set.
    **scene
        What the frames look like.
    """
    made = simulate(folder / "made", Scene(frames=frames * nights, **scene))
    for number, path in enumerate(made.frames):
        night, frame = divmod(number, frames)
        target = folder / str(night) / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.move(path, target)
        start = FIRST + timedelta(days=night, seconds=310 * frame)
        with fits.open(target, mode="update") as hdus:
            header = hdus[0].header
            header["DATE-OBS"] = start.strftime("%Y-%m-%dT%H:%M:%S")
            header["MJD-OBS"] = mjd_of(start)
            header["ESO OBS ID"] = night + 1
            header["HIERARCH ESO TPL START"] = (FIRST + timedelta(days=night)).strftime(
                "%Y-%m-%dT%H:%M:%S"
            )
            if change is not None:
                random = np.random.default_rng([night, frame])
                hdus[0].data = change(night, hdus[0].data, random).astype(hdus[0].data.dtype)
            hdus[0].add_checksum()
    shutil.rmtree(folder / "made")
    return folder
