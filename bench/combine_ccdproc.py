"""A master dark with ccdproc, as in its user guide. Arguments: product, frames."""

import sys

import ccdproc
import numpy as np


def main(product: str, *frames: str) -> None:
    """Combine the frames and write the product."""
    ccdproc.combine(
        list(frames),
        output_file=product,
        method="average",
        sigma_clip=True,
        sigma_clip_low_thresh=3,
        sigma_clip_high_thresh=3,
        sigma_clip_func="median",
        sigma_clip_dev_func="mad_std",
        dtype=np.float32,
        unit="adu",
        overwrite_output=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
