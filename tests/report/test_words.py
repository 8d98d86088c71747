"""Numbers as the page writes them."""

import math

import pytest

from soxsdark.report.words import fraction, number, power


@pytest.mark.parametrize(
    ("value", "unit", "error", "text"),
    [
        (None, "", None, "–"),
        (math.nan, "electron", None, "–"),
        (True, "", None, "yes"),
        (4194304, "", None, "4\u202f194\u202f304"),
        (-1.5, "electron", None, "−1.500"),
        (7e-8, "electron", None, "0.000"),
        (-7e-8, "electron", None, "0.000"),
        (0.0042616, "", None, "0.0042616"),
        (7.858e-05, "", None, "7.858 × 10⁻⁵"),
        (1234.5678, "electron", None, "1\u202f234.568"),
        (7.51667, "electron", 0.0042, "7.5167 ± 0.0042"),
        (152.801, "K", 12.0, "153 ± 12"),
        (5.0, "", 0.0, "5"),
        (0.0009018, "", 5.6e-6, "(9.018 ± 0.056) × 10⁻⁴"),
        (0.0, "", 2e-5, "(0.0 ± 2.0) × 10⁻⁵"),
    ],
)
def test_numbers(value, unit, error, text):
    assert number(value, unit, error) == text


def test_powers_and_fractions():
    assert [power(v) for v in (0, -10, 100, 1e4, -1e5)] == ["0", "−10", "100", "10⁴", "−10⁵"]
    assert (fraction(1, 3), fraction(0, 0)) == ("33.3\u202f%", "–")
