"""Imports of what is large and stays."""

import gc
from importlib import import_module
from types import ModuleType


def lasting(module: str) -> ModuleType:
    """Import a module whose parts are not garbage: to look for it takes a tenth of the time."""
    resting = not gc.isenabled()
    gc.disable()
    try:
        found = import_module(module)
    finally:
        if not resting:
            gc.enable()
    gc.freeze()
    return found
