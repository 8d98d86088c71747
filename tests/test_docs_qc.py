"""docs/qc.md names every metric that a run writes, and no other."""

import re
from pathlib import Path

import pytest

from soxsdark import mdark
from soxsdark.cross_check import HINTS
from soxsdark.instruments import load_profile, profile_names
from soxsdark.metric_names import METRICS
from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, simulate
from soxsdark.verdicts import metric_name

PAGE = (Path(__file__).parent.parent / "docs" / "qc.md").read_text("utf-8")


def tables() -> tuple[list[str], list[str]]:
    """Names in the table of formulas, and in the table of what to do."""
    formulas, _, rest = PAGE.partition("## What they tell")
    return tuple(
        [name for line in part.splitlines() if line.startswith("| `")
         for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
        for part in (formulas, rest)
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> set[str]:
    """The names of all metrics that runs write."""
    folder = tmp_path_factory.mktemp("docs")
    scene = {"arm": "VIS", "shape": (96, 128)}
    biases = simulate(folder / "b", Scene(exptime=0.0, seed=9, **scene))
    bias = mbias(biases.sof, output=folder)
    darks = simulate(folder / "d", Scene(**scene))
    first = mdark(darks.sof, output=folder / "1", master_bias=bias.master)
    second = mdark(darks.sof, output=folder / "2", master_bias=bias.master, previous=first.master)
    assert bias.metrics.keys() - second.metrics.keys() == {"MBIAS MEDIAN", "MBIAS MEAN"}
    return bias.metrics.keys() | second.metrics.keys()


@pytest.mark.parametrize("table", [0, 1])
def test_the_page_names_every_metric_and_no_other(written, table):
    names = tables()[table]
    assert len(names) == len(set(names))
    assert set(names) == written


def test_settings_know_the_names_of_all(written):
    assert {metric_name(name) for name in METRICS} == written


def test_ranges_and_hints_are_of_metrics(written):
    assert set(HINTS) <= written
    for name in profile_names():
        profile = load_profile(name)
        assert profile.qc_warning_ranges is not None, name
        for arm in (None, *profile.arms):
            assert {metric_name(n) for n in profile.warning_ranges(arm)} <= written, name


def test_the_page_has_the_default_ranges():
    rows = {
        name: line.split("|")[2].strip()
        for line in PAGE.partition("## What they tell")[2].splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    own, generic = (load_profile(n).warning_ranges("NIR") for n in ("soxs", "generic"))
    for name, (low, high, *of) in own.items():
        said = rows[metric_name(name)]
        unit = of[0].replace("-", " ").upper() if of else ""
        unit = "the nominal RON" if unit == "NOMINAL RON" else unit
        ends = " to ".join(f"{end:g}" for end in (low, high) if end is not None)
        ends = "at most " * (low is None) + "at least " * (high is None) + ends
        assert said.startswith(ends), name
        assert said.endswith(unit) or "generic" in said, name
        if generic[name] != own[name]:
            assert f"(generic: {generic[name][1]:g})" in said, name
