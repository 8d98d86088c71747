"""Master darks and bad-pixel masks from raw dark frames.

Public names are resolved when they are first asked for, so that ``import soxsdark`` costs
nothing: `mdark`, `clip_and_stack`, `create_noise_map` and the rest of ``__all__``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from soxsdark.version import __version__

if TYPE_CHECKING:
    from soxsdark.recipe import mbias, mdark
    from soxsdark.scene import Scene
    from soxsdark.simulator import read_truth, simulate
    from soxsdark.subtract import subtract_dark
    from soxsdark.utilities import clip_and_stack, create_noise_map

_HOMES = {
    "clip_and_stack": "soxsdark.utilities",
    "create_noise_map": "soxsdark.utilities",
    "mbias": "soxsdark.recipe",
    "mdark": "soxsdark.recipe",
    "Scene": "soxsdark.scene",
    "simulate": "soxsdark.simulator",
    "read_truth": "soxsdark.simulator",
    "subtract_dark": "soxsdark.subtract",
}

__all__ = [
    "Scene",
    "__version__",
    "clip_and_stack",
    "create_noise_map",
    "mbias",
    "mdark",
    "read_truth",
    "simulate",
    "subtract_dark",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'soxsdark' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
