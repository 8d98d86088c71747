"""What is swept: values as they are typed, and the order of the combinations."""

import re

import pytest

from soxsdark.errors import SettingsError, UsageError
from soxsdark.tune_sweep import Sweep, combinations


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("hot-pixel-sigma=2.5:6:0.5", (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0)),
        ("hot-pixel-sigma=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("hot_pixel_sigma=6:4:-1", (6.0, 5.0, 4.0)),
        ("hot-pixel-sigma=5:5:1", (5.0,)),
        ("hot-pixel-sigma=3, 4.5,5", (3, 4.5, 5)),
        ("noise-clipping-lower-sigma=null,3", (None, 3)),
        ("stacked-clipping-deviation=noise-model,mad", ("noise-model", "mad")),
        ("frame-clipping-iterations=1:3:1", (1.0, 2.0, 3.0)),
    ],
)
def test_sweeps_as_they_are_typed(text, values):
    assert Sweep.parse(text).values == values


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("hot-pixel-sigma", UsageError, "expected KEY=START:STOP:STEP or KEY=VALUE"),
        ("hot-pixel-sigma=", UsageError, "expected KEY=START:STOP:STEP or KEY=VALUE"),
        ("hot-pixel-sigma=3:5", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:0", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:nan", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:x", UsageError, "three numbers, STEP not 0"),
        ("hot-pixel-sigma=3:5:0.3", UsageError, "in 6.66667 steps, expected a whole number"),
        ("hot-pixel-sigma=3:5:-1", UsageError, "in -2 steps"),
        ("hot-pixel-sigma=0:1e9:1", UsageError, "below 100000"),
        ("hot-pixel-sima=3,4", SettingsError, "did you mean 'hot-pixel-sigma'"),
        ("threads=1,2", SettingsError, "threads cannot be swept: it changes no pixel"),
        ("trim=true,false", SettingsError, "trim cannot be swept"),
    ],
)
def test_sweeps_that_make_no_sense(text, error, says):
    with pytest.raises(error, match=re.escape(says)):
        Sweep.parse(text)


def test_keys_that_cost_most_vary_slowest_and_each_combination_comes_once():
    sweeps = [Sweep.parse(t) for t in ("hot-pixel-sigma=4,5,4.0", "stacked-clipping-sigma=3,4")]
    found = [tuple(c.swept.values()) for c in combinations(sweeps, None)]
    assert found == [(3, 4), (3, 5), (4, 4), (4, 5)]
    assert list(combinations(sweeps, None)[0].swept) == [
        "stacked-clipping-sigma", "hot-pixel-sigma",
    ]  # fmt: skip


def test_random_combinations_are_of_the_grid_and_repeat():
    sweeps = [Sweep.parse(f"{key}=1:50:1") for key in ("hot-pixel-sigma", "cold-pixel-sigma")]

    def drawn(**more):
        return [tuple(c.swept.values()) for c in combinations(sweeps, None, **more)]

    first = drawn(number=20, seed=1)
    assert first == drawn(number=20, seed=1) != drawn(number=20, seed=2)
    assert len(set(first)) == 20
    assert {value for pair in first for value in pair} <= {float(i) for i in range(1, 51)}
    assert len(drawn(number=5000)) == 2500


def test_wrong_values_are_named_with_their_combination():
    sweeps = [Sweep.parse("hot-pixel-sigma=5,-1")]
    with pytest.raises(SettingsError, match=r"--sweep hot-pixel-sigma=-1: .*greater than 0"):
        combinations(sweeps, None)
    with pytest.raises(UsageError, match="given twice"):
        combinations([*sweeps, *sweeps], None)


def test_a_swept_key_wins_over_set_and_over_the_arm(tmp_path):
    mine = tmp_path / "s.yaml"
    mine.write_text("soxs-mdark:\n    nir:\n        hot-pixel-sigma: 9\n")
    sweeps = [Sweep.parse("hot-pixel-sigma=4,5")]
    found = combinations(sweeps, mine, ["hot-pixel-sigma=8", "cold-pixel-sigma=7"], arm="NIR")
    values = [c.settings.for_arm("NIR").values for c in found]
    assert [v.hot_pixel_sigma for v in values] == [4, 5]
    assert {v.cold_pixel_sigma for v in values} == {7}
