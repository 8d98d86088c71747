"""Input, output and errors of the process where whoever started it has closed them."""

import os
import sys


def open_closed_streams() -> None:
    """Lead closed standard streams to nowhere.

    Otherwise the next files that are opened take their descriptors, and what anything writes to the
    terminal ends up in a product.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
