"""No false alarm: what is right is let alone."""

import pytest

from soxsdark.recipe import mbias
from soxsdark.simulator import Scene, simulate
from tests.quality.sets import ARMS, SIDE, concerns, made


@pytest.mark.parametrize("options", ARMS)
@pytest.mark.parametrize("seed", range(200, 210))
def test_a_clean_set_is_good(tmp_path, options, seed):
    result = made(tmp_path, seed=seed, **options)
    assert concerns(result) == {}
    assert result.qa_flag == "GOOD"


@pytest.mark.parametrize("options", [{"glow": 60.0}, {"gradient": 40.0}, {"ron_spread": 0.1}])
def test_what_all_frames_share_is_no_reason(tmp_path, options):
    result = made(tmp_path, frames=7, seed=4, **options)
    assert concerns(result) == {}
    assert result.metrics["FRAME STRUCT"] < 0.3 * result.metrics["RAW RON"]


def test_a_bias_is_judged_too(tmp_path):
    files = simulate(tmp_path / "raw", Scene(arm="VIS", exptime=0.0, frames=7, **SIDE))
    result = mbias(
        files.sof,
        output=tmp_path / "o",
        overrides=["qc-acceptable-ranges={mdark-median: [0, 1], raw-ron: [3, 5]}"],
    )
    assert (result.qa_flag, concerns(result)) == ("GOOD", {})
    metric = result.reduced.judged["RAW RON"]
    assert (metric.acceptable, metric.warning) == ((3, 5), pytest.approx((2.85, 4.75)))
