"""Distributions of weighted people: tenths, Gini, poverty, and the weights that a tax law implies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fisc.core.arrays import FloatArray, IntArray

__all__ = ["gini", "implied_weights", "poverty_rate", "tenths"]

#: Half width in logs of the window in which the density and the mean rate at an income are measured.
WINDOW = 0.1


def tenths(income: FloatArray, weight: FloatArray) -> IntArray:
    """Return the tenth, 0 to 9, of each of the people by income, shape (n,); equal incomes by their order.

    >>> tenths(np.arange(1.0, 6.0), np.full(5, 2.0)).tolist()
    [1, 3, 5, 7, 9]
    """
    order = np.argsort(income, kind="stable")
    reached = np.cumsum(weight[order])
    middle = (reached - weight[order] / 2.0) / reached[-1]
    found = np.empty(income.size, dtype=np.int64)
    found[order] = np.minimum(10.0 * middle + 1e-9, 9.0)
    return found


def gini(income: FloatArray, weight: FloatArray) -> float:
    """Return the Gini coefficient, incomes below 0 counting as 0.

    >>> round(gini(np.array([0.0, 1.0]), np.array([3.0, 1.0])), 3)
    0.75
    """
    order = np.argsort(income, kind="stable")
    share, earned = weight[order] / weight.sum(), (weight * np.maximum(income, 0.0))[order]
    total = earned.sum()
    if total <= 0.0:
        return 0.0
    lorenz = np.cumsum(earned) / total
    return float(1.0 - (share * (2.0 * lorenz - earned / total)).sum())


def poverty_rate(income: FloatArray, weight: FloatArray, line: float) -> float:
    """Return the share of people below a line."""
    return float(weight[income < line].sum() / weight.sum())


def implied_weights(
    income: FloatArray,
    marginal_rate: FloatArray,
    weight: FloatArray,
    elasticity: FloatArray,
    *,
    bins: int = 10,
) -> pd.DataFrame:
    r"""Return the welfare weights under which a tax law would be the best one: the inverse optimum.

    The best law satisfies :math:`(1 - g(z)) h(z) = -\frac{d}{dz}\left[e z h(z) \frac{T'}{1 - T'}\right]`,
    summed here over groups of equal size. Rates may not reach 1.

    Parameters
    ----------
    income, marginal_rate, weight, elasticity : ndarray, shape (n,)
        Incomes above 0, the rate that each faces, people for whom each stands, and the elasticity.
    bins : int
        Groups of equal size.

    Returns
    -------
    DataFrame
        A row for each group: ``income`` (mean), ``marginal_rate`` (mean) and ``implied_weight``, of mean 1.
        Below 0: a higher rate there would lower revenue.

    References
    ----------
    Bourguignon, F., and A. Spadaro (2012). Tax-benefit revealed social preferences. Journal of Economic
    Inequality 10, 75-108.

    Examples
    --------
    >>> z = 1e4 * (1 - (np.arange(100_000) + 0.5) / 100_000) ** (-1 / 2)    # Pareto, a = 2
    >>> same = np.ones(z.size)
    >>> found = implied_weights(z, 0.4 * same, same, 0.25 * same)
    >>> abs(found["implied_weight"][5] - (1 - 0.25 * 2 * 0.4 / 0.6)) < 0.01
    np.True_
    """
    order = np.argsort(income, kind="stable")
    z, people = income[order], weight[order] / weight.sum()
    odds = (elasticity * marginal_rate / (1.0 - marginal_rate))[order]
    reached = np.cumsum(people)
    burden = np.concatenate([[0.0], np.cumsum(people * odds)])
    cuts = np.searchsorted(reached, np.arange(1, bins) / bins)
    ends = z[cuts]
    low, high = np.searchsorted(z, ends * np.exp(-WINDOW)), np.searchsorted(z, ends * np.exp(WINDOW))
    # e z h(z) T'/(1 - T') at each end: z h(z) is the density of log income.
    at_ends = np.concatenate([[0.0], (burden[high] - burden[low]) / (2.0 * WINDOW), [0.0]])
    group = np.searchsorted(cuts, np.arange(z.size), side="left")
    mass = np.bincount(group, people, bins)
    mean = [np.bincount(group, people * values, bins) / mass for values in (z, marginal_rate[order])]
    return pd.DataFrame(
        {"income": mean[0], "marginal_rate": mean[1], "implied_weight": 1.0 + np.diff(at_ends) / mass},
        index=pd.RangeIndex(1, bins + 1, name="group"),
    )
