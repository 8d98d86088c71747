"""What must come out, on simulated sets whose truth is known."""

import pytest

from tests.figures import Sums, measure

SMALL = {"shape": (512, 512), "overscan": False}


def check(sums: Sums, *, noisy: float, hit: float | None, slack: float) -> None:
    """The bounds on full frames, widened by `slack` where fewer pixels leave more chance."""
    assert sums.rms("good") <= 1.005 + slack
    if hit is not None:
        assert sums.rms("hit") <= hit
    assert sums.mean("hot_found") >= 0.999
    assert sums.mean("false_hot") <= 1e-5
    assert abs(sums.mean("hot_bias")) <= 0.01
    assert sums.mean("noisy_found") >= noisy
    assert sums.mean("false_noisy") <= 1e-4 + slack * 0.01
    assert 0.97 <= sums.rms("pull") <= 1.03
    assert 0.97 <= sums.robust_spread("pull") <= 1.03
    assert abs(sums.mean("clean")) <= 0.05


@pytest.fixture(scope="module")
def five_small(tmp_path_factory) -> Sums:
    sums = Sums.empty()
    for seed in (301, 302, 303, 304):
        measure(tmp_path_factory.mktemp("five"), sums, arm="NIR", frames=5, seed=seed, **SMALL)
    return sums


def test_five_near_infrared_frames(five_small: Sums) -> None:
    # 2100 noisy pixels: 0.92 +- 0.006, less three sigma; 480 hits: 1.14 +- 0.037, plus two
    check(five_small, noisy=0.90, hit=1.21, slack=0.003)


def test_eleven_visual_frames(tmp_path) -> None:
    sums = Sums.empty()
    measure(tmp_path, sums, arm="VIS", frames=11, seed=305, **SMALL)
    # 524 noisy pixels: 0.998 less three sigma of counting
    check(sums, noisy=0.99, hit=1.15, slack=0.003)


def test_hot_pixels_stay_true_under_a_glow(tmp_path) -> None:
    sums = Sums.empty()
    scene = {"arm": "NIR", "frames": 5, "seed": 306, "shape": (1024, 1024), "overscan": False}
    result, _ = measure(tmp_path, sums, glow=60.0, **scene)
    assert sums.mean("false_hot") <= 1e-4
    assert sums.mean("false_noisy") <= 2e-4
    assert sums.mean("hot_found") >= 0.998
    assert str(result.qa_flag) == "GOOD"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_gain_is_reported(tmp_path, factor: float) -> None:
    scene = {"arm": "NIR", "frames": 5, "seed": 307, **SMALL}
    result, _ = measure(tmp_path, Sums.empty(), header_gain=2.3 * factor, **scene)
    slope = result.reduced.judged["GAIN SLOPE"]
    # variance over signal goes with the gain that was assumed
    assert slope.value == pytest.approx(factor, rel=0.1)
    assert "gain of" in slope.why
    assert str(result.qa_flag) == "PARTIAL"


def test_a_spread_of_read_noise_makes_no_hot_pixels(tmp_path) -> None:
    sums = Sums.empty()
    measure(tmp_path, sums, arm="NIR", frames=5, seed=308, ron_spread=0.2, **SMALL)
    # a pixel of 1.6 times the noise is in one of a thousand: five sigma is three for it
    assert sums.mean("false_hot") <= 1e-4


@pytest.mark.slow
def test_five_full_near_infrared_frames(tmp_path) -> None:
    sums = Sums.empty()
    for seed in (401, 402, 403, 404, 405, 406):
        measure(tmp_path / str(seed), sums, arm="NIR", frames=5, seed=seed)
    check(sums, noisy=0.91, hit=1.15, slack=0.0)


@pytest.mark.slow
def test_twenty_five_full_near_infrared_frames(tmp_path) -> None:
    sums = Sums.empty()
    measure(tmp_path, sums, arm="NIR", frames=25, seed=411)
    check(sums, noisy=0.999, hit=1.15, slack=0.0)


@pytest.mark.slow
def test_eleven_full_visual_frames(tmp_path) -> None:
    sums = Sums.empty()
    for seed in (421, 422):
        measure(tmp_path / str(seed), sums, arm="VIS", frames=11, seed=seed)
    check(sums, noisy=0.99, hit=1.15, slack=0.0)
