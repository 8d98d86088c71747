"""Settings that are allowed and doubtful: the advice, and the limits it rests upon."""

import re

import numpy as np
import pytest

from soxsdark import mdark
from soxsdark.metric_names import METRICS
from soxsdark.settings_advice import least_frames_for_std
from soxsdark.settings_check import check_settings
from soxsdark.simulator import Scene, simulate
from soxsdark.stacking import sort_stack, surviving_run
from tests.settings.files import section

ADVICE = [
    (["stacked-clipping-deviation: std", "stacked-clipping-sigma: 3"], ":2: .*7 frames.* 10 or"),
    (["stacked-clipping-deviation: std", "stacked-clipping-sigma: 1e300"], ":2: .*at 1e.300 sig"),
    (["clipping-lower-sigma: 1", "clipping-upper-sigma: 1e300"], ":2: .*1 below and 1e.300 above"),
    (["minimum-frame-count: 2"], ":2: .*found 2: stacks of two frames are never clipped"),
    (["stacked-clipping-iterations: 0", "stacked-clipping-sigma: 5"], ":3: .*no effect"),
    (["clipping-iteration-count: 0", "frame-clipping-sigma: 5"], ":3: .*no effect"),
    (["stacked-clipping-sigma: 1"], ":2: .*found 1: 32 % of the good samples"),
    (["frame-clipping-sigma: 1"], ":2: .*found 1: 32 % of the good pixels"),
    (["hot-pixel-sigma: 2"], ":2: .*chance alone makes 2.3 % of the good pixels hot"),
    (["noise-clipping-lower-sigma: 1"], ":2: .*16 % of the good pixels dead"),
    (["nir:", "    cold-pixel-sigma: 0.1"], ":3: nir: .*46 % of the good pixels cold"),
    # (phi(2) - phi(5)) / (Phi(5) - Phi(-2)) = 0.0540/0.9772
    (["clipping-lower-sigma: 2", "clipping-upper-sigma: 5"], r":2: .*by \+0.06 sigma"),
    (["qc-acceptable-ranges: {raw-rno: [1, 2]}"], "raw-rno: names no metric; .* 'raw-ron'"),
    (["qc-acceptable-ranges: {raw-ron: [-2, -1]}"], "at least 0: it is never inside"),
    (["qc-acceptable-ranges: {raw-ron-2: [-2, -1]}"], "at least 0: it is never inside"),
    (["qc-acceptable-ranges: {HOTPIX_FRAC: [2, 3]}"], "from 0 to 1: it is never inside"),
    (["qc-acceptable-ranges: {hotpix-frac: [0, 5]}"], "it is always inside"),
    (["qc-acceptable-ranges: {detector-temp: [0, 20]}"], ":2: .*VIS works at 120 to 190 K"),
]


@pytest.mark.parametrize(("lines", "message"), ADVICE, ids=[row[0][0] for row in ADVICE])
def test_doubtful_settings_are_told_and_taken(command, write, lines, message):
    code, out, _ = command("settings", "check", write(section(*lines)))
    assert code == 0
    told = [line for line in out.splitlines() if line.startswith("warning: ")]
    assert any(re.search(message, line) for line in told), out
    assert re.search(r": no faults, \d+ warnings?$", out)


@pytest.mark.parametrize(
    "lines",
    [
        ["stacked-clipping-deviation: std", "stacked-clipping-sigma: 3", "minimum-frame-count: 11"],
        ["stacked-clipping-deviation: mad"],
        ["clipping-lower-sigma: 3", "clipping-upper-sigma: 4"],
        ["qc-acceptable-ranges: {hotpix-frac: [null, 0.02], raw-ron: [1, null]}"],
        ["qc-acceptable-ranges: {mdark-median: [-15, 50], raw-ron-12: [1, 9]}", "gain: 2"],
        ["vis:", "    qc-acceptable-ranges: {detector-temp: [-130, -110]}"],
        ["vis:", "    qc-acceptable-ranges: {detector-temp: [150, 155]}"],
        ["instrument: xsh", "nir:", "    qc-acceptable-ranges: {detector-temp: [75, 90]}"],
    ],
)
def test_sensible_settings_are_not_spoken_against(write, lines):
    assert check_settings(write(section(*lines))).warnings == ()


@pytest.mark.parametrize("k", [2.2, 2.5, 3.0, 3.2, 4.0])
def test_std_rejects_from_the_number_of_frames_on_that_is_told(k):
    """The worst cases: one sample far off, m more at their best place on its side."""
    for number in range(3, least_frames_for_std(k) + 1):
        rejected = 0
        for m in range(number // 2):
            samples = np.zeros((number, 1))
            samples[0], samples[1 : 1 + m] = 1.0, 1 / (number - m)
            first, last, _ = surviving_run(
                *sort_stack(samples), deviation="std", sigma=None, k=k, iterations=1
            )
            rejected += number - int(last[0] - first[0])
        assert (rejected > 0) == (number == least_frames_for_std(k)), number


@pytest.mark.parametrize("number", [3, 4, 5, 8, 9])
def test_no_stack_lies_farther_off_than_the_limit(number):
    """Random stacks and steps uphill from the best of them never get beyond the limit."""
    rng = np.random.default_rng(number)

    def reach(x):
        return (x[:, 0] - np.median(x, axis=1)) / x.std(axis=1)

    stacks = rng.standard_normal((4000, number))
    for _ in range(60):
        best = stacks[np.argsort(reach(stacks))[-100:]]
        steps = rng.standard_normal((40, 100, number)) * rng.choice([0.3, 0.03, 0.003], (40, 1, 1))
        stacks = np.concatenate([best, (best + steps).reshape(-1, number)])
    odd = number % 2
    limit = np.sqrt(number * (number + 4 - odd) / (number + 2 - odd))
    assert 0.98 * limit < reach(stacks).max() <= limit * (1 + 1e-12)


def test_every_metric_of_a_run_is_known(tmp_path):
    made = simulate(tmp_path, Scene(arm="NIR", frames=3, shape=(128, 128)))
    for name in mdark(made.sof, output=tmp_path).metrics:
        assert name.lower().replace(" ", "-") in METRICS
