"""Quantiles of the chi-square distribution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from soxsdark.chi_square import chi_square_isf


@settings(deadline=None)
@given(freedom=st.integers(1, 3000), probability=st.floats(1e-12, 0.999999))
def test_is_that_of_scipy(freedom, probability):
    found = chi_square_isf(np.array([probability]), np.array([freedom]))
    # thousands of degrees and a probability near one: the density there is tiny
    assert found[0] == pytest.approx(chi2.isf(probability, freedom), rel=1e-6)


@pytest.mark.parametrize("freedom", [1, 2, 3, 24, 99, 499, 2999])
@pytest.mark.parametrize("sigma", [6, 10, 20, 30, 37])
def test_a_step_beyond_all_probability_is_taken_back(freedom, sigma):
    probability = norm.sf(sigma)
    found = chi_square_isf(np.array([probability]), np.array([freedom]))
    assert found[0] == pytest.approx(chi2.isf(probability, freedom), rel=1e-9)


def test_no_probability_is_never_exceeded():
    found = chi_square_isf(np.array([0.0, norm.sf(38), norm.sf(40)]), np.full(3, 24))
    assert found.tolist() == [np.inf] * 3


def test_many_at_once_are_those_of_each():
    freedom = np.arange(1, 60)
    probability = np.geomspace(1e-6, 0.9, freedom.size)
    each = [chi_square_isf(p[None], f[None])[0] for p, f in zip(probability, freedom, strict=True)]
    np.testing.assert_allclose(chi_square_isf(probability, freedom), each, rtol=1e-12)


def test_two_degrees_have_a_closed_form():
    probability = np.array([0.5, 0.05, 1e-9])
    found = chi_square_isf(probability, np.full(3, 2))
    np.testing.assert_allclose(found, -2 * np.log(probability), rtol=1e-12)
