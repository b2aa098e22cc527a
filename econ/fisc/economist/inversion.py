r"""From observed incomes to the people who would choose them: skills by inverting the law in force.

An income distribution is no skill distribution: what people earn already answers to the tax they pay.
Whoever chooses income z at marginal rate :math:`\tau` has free income :math:`A = z/(1-\tau)^e`, the
income without tax (Saez 2001, section 5). At a kink, where the rate rises, a whole range of types earns
the same; where the rate falls there are incomes that nobody chooses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core.arrays import BoolArray, FloatArray
from fisc.core.errors import DataError, check_option
from fisc.economist import kernels

__all__ = ["Inversion", "chosen_income", "free_income_at_rates", "invert_schedule", "skill_and_cost"]

#: Weekly hours of the median worker, or of everybody.
HOURS = 40.0
#: Share of the cap on hours that nobody exceeds without tax: more able people need no more hours.
BELOW_CAP = 0.99
#: Relative distance of an income from a kink up to which it is at the kink.
AT_KINK = 1e-9
#: Distance in logs from a type who is indifferent, so that rounding does not decide for him.
CLEAR = 1e-10


@dataclass(frozen=True, eq=False)
class Inversion:
    """The types behind observed incomes.

    Attributes
    ----------
    free_income : ndarray, shape (n,)
        Income that each would choose without tax.
    income : ndarray, shape (n,)
        Income that each chooses under the law: the observed one, but where nobody would choose that.
    at_kink : ndarray of bool, shape (n,)
        Observed at an edge where the rate rises: the type is known up to an interval, over which these
        people are spread evenly in logs.
    unexplained : ndarray of bool, shape (n,)
        Observed where no type would be; moved to the nearer end of the hole.
    """

    free_income: FloatArray
    income: FloatArray
    at_kink: BoolArray
    unexplained: BoolArray


def free_income_at_rates(income: FloatArray, rate: FloatArray, elasticity: float | FloatArray) -> FloatArray:
    """Return the income that each would choose without tax, from the rate that each faces, shape (n,).

    Parameters
    ----------
    income : ndarray, shape (n,)
        Observed, above 0.
    rate : ndarray, shape (n,)
        Marginal rate of each person, below 1; negative where credits grow with earnings.
    elasticity : float or ndarray, shape (n,)
        Of income with respect to the net-of-tax rate, above 0 and at most 10.

    Raises
    ------
    DataError
        If an income, a rate or an elasticity lies outside these ranges.

    Examples
    --------
    >>> free_income_at_rates(np.array([30_000.0]), np.array([0.5]), 1.0)
    array([60000.])
    """
    _check("income", income, "above 0; leave out who does not work", income > 0.0)
    _check("rate", rate, "below 1: nobody chooses an income whose last unit is taxed away", rate < 1.0)
    e = np.asarray(elasticity, dtype=np.float64)
    _check("elasticity", np.atleast_1d(e), "above 0 and at most 10", np.atleast_1d((e > 0.0) & (e <= 10.0)))
    return np.asarray(income / (1.0 - rate) ** e)


def _check(name: str, values: FloatArray, wanted: str, good: BoolArray) -> None:
    bad = np.flatnonzero(~(good & np.isfinite(values)))
    if bad.size:
        raise DataError(
            f"{name} must be {wanted}; got {values[bad[0]]:g} at position {bad[0]} ({bad.size} such)"
        )


def chosen_income(free_income: FloatArray, edges: FloatArray, rates: FloatArray, delta: float) -> FloatArray:
    """Return the income that each type chooses under a schedule, hours being unlimited, shape (n,).

    Examples
    --------
    >>> edges, rates = np.array([0.0, 10.0]), np.array([0.0, 0.75])
    >>> chosen_income(np.array([8.0, 12.0, 80.0]), edges, rates, 2.0)         # below, at and above the kink
    array([ 8., 10., 20.])
    """
    unit = float(np.exp(np.log(free_income).mean()))  # of money, so that powers stay within range
    free = free_income / unit
    with np.errstate(over="ignore", under="ignore"):
        dear = free ** (1.0 - delta) / delta
    if not (np.isfinite(dear) & (dear > 0.0)).all():
        raise DataError(
            f"free incomes from {free_income.min():g} to {free_income.max():g} cannot be raised to the power "
            f"{1.0 - delta:g}; give a smaller delta, or leave out extreme incomes"
        )
    income, tax, value = np.empty((3, free.size))
    # Skill is free income: in units of hours in which everybody would work one without tax.
    kernels.best_response(free, free / delta, free, dear, edges / unit, rates, delta, 1e9, income, tax, value)
    income *= unit
    return income


def invert_schedule(
    income: FloatArray,
    edges: FloatArray,
    rates: FloatArray,
    delta: float,
    *,
    weights: FloatArray | None = None,
) -> Inversion:
    """Return the types whose choice under a schedule is the observed income.

    Parameters
    ----------
    income : ndarray, shape (n,)
        Observed, above 0.
    edges, rates : ndarray, shape (K,)
        Law in force: lower edges from 0, and rates below 1.
    delta : float
        Curvature; the elasticity is 1/(delta - 1).
    weights : ndarray, shape (n,), optional
        People for whom each stands, by which those at a kink are spread; 1 each if left out.

    Returns
    -------
    Inversion

    Raises
    ------
    DataError
        If an income is not positive or a rate not below 1.

    References
    ----------
    Saez, E. (2001). Using elasticities to derive optimal income tax rates. Review of Economic Studies 68,
    205-229. doi:10.1111/1467-937X.00166. Saez, E. (2010). Do taxpayers bunch at kink points? American
    Economic Journal: Economic Policy 2(3), 180-212 (the range of types at a kink).

    Examples
    --------
    >>> edges, rates = np.array([0.0, 10_000.0]), np.array([0.0, 0.5])
    >>> found = invert_schedule(np.array([5_000.0, 10_000.0, 20_000.0]), edges, rates, 2.0)
    >>> found.free_income.round(), found.at_kink
    (array([ 5000., 14142., 40000.]), array([False,  True, False]))
    """
    elasticity = 1.0 / (delta - 1.0)
    bracket = np.searchsorted(edges, income, side="right") - 1
    free = free_income_at_rates(income, rates[np.maximum(bracket, 0)], elasticity)
    at_kink = np.zeros(income.size, dtype=bool)
    for k in range(1, edges.size):
        here = np.abs(income - edges[k]) <= AT_KINK * edges[k]
        if rates[k] > rates[k - 1] and here.any():
            ends = np.log(edges[k]) - elasticity * np.log1p(-rates[k - 1 : k + 1])
            people = np.ones(int(here.sum())) if weights is None else weights[here]
            place = (np.cumsum(people) - people / 2.0) / people.sum()
            free[here] = np.exp(ends[0] + place * (ends[1] - ends[0]))
            at_kink |= here
    chosen = chosen_income(free, edges, rates, delta)
    unexplained = np.abs(chosen - income) > 2.0 * AT_KINK * income
    if unexplained.any():
        free[unexplained] = _nearest_type(income[unexplained], edges, rates, delta)
        chosen = chosen_income(free, edges, rates, delta)
    return Inversion(free, chosen, at_kink & ~unexplained, unexplained)


def _nearest_type(income: FloatArray, edges: FloatArray, rates: FloatArray, delta: float) -> FloatArray:
    """Return, for incomes in holes, the type at the hole's nearer end."""
    elasticity = 1.0 / (delta - 1.0)
    low = np.log(income) - elasticity * np.log1p(-rates.min())  # would not earn more than that
    high = np.log(income) - elasticity * np.log1p(-rates.max()) + 1e-9  # nor this one less
    for _ in range(60):
        middle = (low + high) / 2.0
        below = chosen_income(np.exp(middle), edges, rates, delta) <= income
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    ends = [np.exp(low - CLEAR), np.exp(high + CLEAR)]
    far = [np.abs(np.log(chosen_income(end, edges, rates, delta) / income)) for end in ends]
    return np.asarray(np.where(far[0] <= far[1], ends[0], ends[1]))


def skill_and_cost(
    found: Inversion,
    delta: float,
    max_hours: float,
    *,
    calibration: str = "common",
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return skills and costs of hours of people with given free incomes, shapes (n,) and (n,).

    Income tells the free income only; how it is made of skill and of taste for leisure is a convention.

    Parameters
    ----------
    found : Inversion
        Free and chosen incomes.
    delta, max_hours : float
        Curvature, and cap on weekly hours.
    calibration : {"common", "individual"}
        ``"common"``: the same cost for all, so that the person of median income works 40 hours under the
        law; who would need more than 99 % of the cap without tax has more skill instead, so that the cap
        changes nobody's income. ``"individual"``: everybody works 40 hours under the law.
    weights : ndarray, shape (n,), optional
        People for whom each stands.

    Examples
    --------
    >>> found = invert_schedule(np.array([20_000.0, 40_000.0]), np.zeros(1), np.zeros(1), 2.0)
    >>> skill, cost = skill_and_cost(found, 2.0, 100.0, calibration="individual")
    >>> skill, bool(np.allclose(skill / (2.0 * cost), 40.0))          # s = c delta l^(delta - 1)
    (array([ 500., 1000.]), True)
    """
    check_option("calibration", calibration, ("common", "individual"))
    free = found.free_income
    if calibration == "individual":
        skill = found.income / HOURS
    else:
        order = np.argsort(found.income, kind="stable")
        people = np.ones(free.size) if weights is None else weights
        reached = np.cumsum(people[order])
        middle = order[int(np.searchsorted(reached, reached[-1] / 2.0))]
        at_median = found.income[middle] / HOURS
        cost = _cost(free[middle], at_median, delta)
        # A = s (s / (c delta))^e solved for s
        skill = (free ** (delta - 1.0) * cost * delta) ** (1.0 / delta)
        skill = np.maximum(skill, free / (BELOW_CAP * max_hours))
    return skill, np.asarray(_cost(free, skill, delta))


def _cost(free: FloatArray, skill: FloatArray, delta: float) -> FloatArray:
    """Return the cost of hours that makes `free` the best income without tax."""
    return np.asarray(skill / (delta * (free / skill) ** (delta - 1.0)))
