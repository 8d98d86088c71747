"""A master dark in plain astropy, as one would write it in a notebook: clip and mean.

Arguments: deviation (mad_std or std), product, frames.
"""

import sys

import numpy as np
from astropy.io import fits
from astropy.stats import sigma_clip


def main(deviation: str, product: str, *frames: str) -> None:
    """Clip along the stack, average what is left, write one FITS file."""
    stack = np.stack([fits.getdata(frame).astype(np.float32) for frame in frames])
    clipped = sigma_clip(
        stack,
        sigma=3,
        maxiters=5,
        cenfunc="median",
        stdfunc=deviation,
        axis=0,
        masked=False,
    )
    mean = np.nanmean(clipped, axis=0)
    fits.writeto(product, mean, fits.getheader(frames[0]), overwrite=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
