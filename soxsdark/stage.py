"""From where on a reduction is another one when a setting changes."""

from enum import IntEnum


class Stage(IntEnum):
    """The first thing that a setting changes; all behind it changes, too."""

    ACCEPT = 0
    """Which frames are taken, and what of them."""
    FRAMES = 1
    """What the raw values mean."""
    SURVEY = 2
    """Levels and noise model."""
    STACK = 3
    """Clipping, mean and noise map."""
    FLAGS = 4
    """Background, hot and cold pixels."""
    VERDICT = 5
    """What is said of the products: no pixel changes."""
    NOTHING = 6
    """No product of a set depends on it."""
