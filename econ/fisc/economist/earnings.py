"""Earnings of workers in the United States as a distribution: a published fit, and rounded quantiles with a tail."""

from __future__ import annotations

from typing import get_args

import numpy as np
from scipy.special import ndtr, ndtri

from fisc.core import DataError, check_option, check_whole
from fisc.core.arrays import FloatArray
from fisc.data import GB2
from fisc.economist.options import Population

__all__ = ["ACS_INCOME", "ACS_PROBABILITY", "acs_quantile", "acs_tail", "sample_incomes"]

#: Our own rounded anchors for the annual earnings of workers in the United States of about 2023. Between
#: them log income is linear in the normal score; beyond the last one incomes are Pareto.
ACS_PROBABILITY = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
ACS_INCOME = (1_500.0, 5_500.0, 11_000.0, 27_000.0, 50_000.0, 85_000.0, 140_000.0, 195_000.0, 420_000.0)


def acs_tail() -> float:
    """Return the Pareto index of the tail: that of the last two anchors, about 2.1.

    Examples
    --------
    >>> round(acs_tail(), 2)
    2.1
    """
    shares = np.log((1.0 - ACS_PROBABILITY[-2]) / (1.0 - ACS_PROBABILITY[-1]))
    return float(shares / np.log(ACS_INCOME[-1] / ACS_INCOME[-2]))


def acs_quantile(share: FloatArray) -> FloatArray:
    """Return the annual earnings below which a share of workers lies, shape (n,).

    Parameters
    ----------
    share : ndarray, shape (n,)
        In (0, 1).

    Examples
    --------
    >>> acs_quantile(np.array([0.5, 0.99])).round()
    array([ 50000., 420000.])
    """
    if not np.all((share > 0.0) & (share < 1.0)):
        raise DataError("shares must lie in (0, 1): the distribution has no lowest and no highest income")
    knots, logs = ndtri(np.array(ACS_PROBABILITY)), np.log(np.array(ACS_INCOME))
    score = ndtri(share)
    inner = np.interp(score, knots, logs)
    below = logs[0] + (score - knots[0]) * (logs[1] - logs[0]) / (knots[1] - knots[0])
    above = logs[-1] - (np.log1p(-share) - np.log1p(-ACS_PROBABILITY[-1])) / acs_tail()
    logs_of_all = np.where(score < knots[0], below, np.where(score > knots[-1], above, inner))
    return np.asarray(np.exp(logs_of_all))


def sample_incomes(n: int, population: Population, rng: np.random.Generator) -> FloatArray:
    """Draw annual incomes as they are observed, shape (n,); see `Workers.sample`."""
    check_option("population", population, get_args(Population))
    n = check_whole("n", n, least=1)
    if population == "gb2":
        return GB2.us_2023().sample(n, rng)
    return acs_quantile(ndtr(rng.standard_normal(n)))
