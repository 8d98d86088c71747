"""The score that says how unusual a value is."""

import numpy as np
import pytest

from soxsdark.trend_history import HISTORY, LIMIT, score


def test_score_is_what_the_manual_says():
    random = np.random.default_rng(3)
    history = list(random.normal(7.3, 0.1, 20))
    mad = np.median(np.abs(history - np.median(history)))
    tenths = np.diff(np.quantile(history, [0.1, 0.9]))[0] / 2.5631
    scale = max(1.4826 * mad, tenths) * 1.25
    found = score("RAW RON", 8.0, None, history)
    assert found == pytest.approx((8.0 - np.median(history)) / scale, rel=1e-4)
    # an error that is larger counts, and so does the least of a scale
    assert score("RAW RON", 8.0, 0.5, history) == pytest.approx((8.0 - np.median(history)) / 0.5)
    assert score("RAW RON", 8.0, None, [7.0] * 10) == pytest.approx(1 / (0.002 * 7))
    assert score("HOTPIX NUM", 130, None, [100] * 10) == pytest.approx(3)
    assert score("COLDPIX NUM", 4, None, [0] * 10) == 4
    assert score("CLIPPED FRAC", 0.1, None, [0.0] * 10) is None
    assert score("RAW RON", 9.0, None, history[:9]) is None


@pytest.mark.parametrize(("n", "most"), [(10, 4e-4), (HISTORY, 1e-4)])
def test_false_alarms_are_rare(n, most):
    values = np.random.default_rng(n).normal(100.0, 5.0, (20_000, n + 1)).tolist()
    scores = [score("LEVEL", value, None, history) for *history, value in values]
    assert np.mean(np.abs(scores) > LIMIT) < most


def test_a_change_that_stays_is_told_a_few_times():
    random = np.random.default_rng(1)
    values = list(random.normal(100, 1, 40)) + list(random.normal(120, 1, 20))
    told = [
        k for k in range(40, 60)
        if abs(score("LEVEL", values[k], None, values[k - HISTORY : k])) > LIMIT
    ]  # fmt: skip
    assert told == list(range(40, 40 + len(told)))
    assert 2 <= len(told) <= 5
