"""Quantiles of the chi-square distribution for whole degrees of freedom.

`scipy.special.chdtri` gives the same and takes longer to import than a set of five frames to
reduce; for whole degrees of freedom the tail is a finite sum.
"""

import math

import numpy as np

STEPS = 30
PRECISION = 1e-13


def _tail(x: np.ndarray, freedom: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probability above x, and the density there (Abramowitz & Stegun 26.4.4, 26.4.5)."""
    half, top = x / 2, freedom / 2 - 1
    log_gamma = np.array([math.lgamma(t + 1) for t in top])
    largest = np.exp(top * np.log(half) - half - log_gamma)
    # the terms h^a / gamma(a + 1) from a = top downwards, in units of the first
    term = np.where(top >= 0, 1.0, 0.0)
    total = term.copy()
    for down in range(math.ceil(top.max(initial=0.0))):
        power = top - down
        term = np.where(power > 0.5, term * power / half, 0.0)
        total += term
    odd = np.array([math.erfc(math.sqrt(h)) for h in half])
    return np.where(freedom % 2 == 1, odd, 0.0) + largest * total, largest / 2


def chi_square_isf(probability: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """The value that a chi-square variable exceeds with a probability.

    Parameters
    ----------
    probability : ndarray, (P,)
        Below 1; 0, and what is too small for all its digits (38 sigma), gives infinity.
    freedom : ndarray of int, (P,)
        Degrees of freedom, at least 1.

    Returns
    -------
    ndarray of float64, (P,)
    """
    probability = np.asarray(probability, dtype=np.float64)
    freedom = np.asarray(freedom, dtype=np.float64)
    result = np.full(freedom.shape, np.inf)
    some = probability >= np.finfo(np.float64).tiny
    probability, freedom = probability[some], freedom[some]
    x = before = freedom
    for _ in range(STEPS):
        tail, density = _tail(x, freedom)
        seen = tail > 0
        # Newton on the logarithm of the tail, which is concave from two degrees on: no step from
        # the right goes too far. One from the left may, until no tail is left: then half of it.
        with np.errstate(divide="ignore", invalid="ignore"):
            step = tail * np.log(tail / probability) / density
        new = np.where(seen, np.maximum(x + step, x / 8), (before + x) / 2)
        done = np.all(np.abs(new - x) <= PRECISION * x)
        before, x = np.where(seen, x, before), new
        if done:
            break
    result[some] = x
    return result
