"""Sweeps that several files try, and what is read of them."""

import csv
from pathlib import Path

from soxsdark.inputs import find_files, open_inputs
from soxsdark.settings import Settings
from soxsdark.tune_workbench import Workbench

SWEEP = ("stacked-clipping-sigma=3,5", "hot-pixel-sigma=4:6:1")
NOISE = "noise-clipping-upper-sigma=2,8"


def lines_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def bench_of(inputs, overrides=(), keep_stack=True) -> Workbench:
    files = find_files(inputs)
    opened = open_inputs(files, Settings.read(None, overrides))
    return Workbench.of(files, opened, {}, keep_stack=keep_stack)
