r"""The margin of working at all: fixed costs of work, and what they do to the best schedule.

A worker of skill s may also stay at home. Work has a fixed cost q of its own, drawn for each person from
:math:`P(q \le x) = (x/\bar q)^\kappa` up to :math:`\bar q`, so that of those who gain v from work the share
:math:`(v/\bar q)^\kappa` works: :math:`\kappa` is the elasticity of participation with respect to that gain.
Where it is large, the poorest workers should be paid for working (Saez 2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from fisc.core.arguments import check_array, check_number
from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError
from fisc.economist import kernels

__all__ = ["ParticipationTax", "extensive_taxes", "participation_tax", "participation_welfare"]


def extensive_taxes(gross: FloatArray, elasticity: FloatArray, weight: FloatArray) -> FloatArray:
    r"""Return the tax of each job less that of no job, where people choose only whether to work.

    .. math:: \frac{T_i - T_0}{c_i - c_0} = \frac{1 - g_i}{\eta_i}

    Parameters
    ----------
    gross : ndarray, shape (n,)
        Pay of each job.
    elasticity : ndarray, shape (n,)
        Elasticity of the number at work in a job with respect to its gain over no work, above 0.
    weight : ndarray, shape (n,)
        g, the worth of a unit of money to those in the job, in units of revenue.

    Returns
    -------
    ndarray, shape (n,)
        Negative where the weight is above 1: a credit for work.

    Raises
    ------
    DataError
        If the arrays differ in length, an elasticity is not above 0, or a weight is so high that no tax is best.

    References
    ----------
    Saez, E. (2002). Optimal income transfer programs: intensive versus extensive labor supply responses.
    Quarterly Journal of Economics 117, 1039-1073.
    doi:10.1162/003355302760193959

    Examples
    --------
    >>> extensive_taxes(np.array([10_000.0, 40_000.0]), np.array([0.5, 0.5]), np.array([1.25, 0.5]))
    array([-10000.,  20000.])
    """
    gross, elasticity, weight = (
        check_array(name, values)
        for name, values in (("gross", gross), ("elasticity", elasticity), ("weight", weight))
    )
    if not gross.shape == elasticity.shape == weight.shape or not (elasticity > 0.0).all():
        raise DataError("gross, elasticity and weight must be of one length, and elasticities above 0")
    burden = (1.0 - weight) / elasticity  # of the gain from work
    if (burden <= -1.0).any():
        raise DataError(
            "a weight exceeds 1 + elasticity: each further credit is worth more than it costs, and no tax is best"
        )
    return np.asarray(gross * burden / (1.0 + burden))


def participation_welfare(
    skill: FloatArray,
    cost: FloatArray,
    delta: float,
    mass: FloatArray,
    weight: FloatArray,
    elasticity: float,
    ceiling: FloatArray,
    edges: FloatArray,
    policies: FloatArray,
) -> FloatArray:
    """Return mean weighted utility of each row of rates where people also choose whether to work, shape (P,).

    Parameters
    ----------
    skill, cost : ndarray, shape (n,)
        Income per weekly hour and weight of the disutility of hours.
    delta : float
        Curvature.
    mass, weight : ndarray, shape (n,)
        Share of each type, summing to 1, and what a unit of money to it is worth; scaled to mean 1.
    elasticity : float
        Of participation with respect to the gain from work.
    ceiling : ndarray, shape (n,)
        Largest fixed cost of work of each type.
    edges : ndarray, shape (K,)
        Lower edges of the brackets.
    policies : ndarray, shape (P, K)
        Marginal rates; negative ones are credits on earnings.

    Returns
    -------
    ndarray, shape (P,)

    Raises
    ------
    DataError
        If types differ in length or are not above 0, or a parameter lies outside its range.

    Examples
    --------
    >>> one = np.ones(1)
    >>> w = participation_welfare(
    ...     100 * one, 0.02 * one, 3.0, one, one, 1.0, 9e3 * one, np.zeros(1), np.array([[0.0], [0.5]])
    ... )
    >>> bool(w[0] > w[1])
    True
    """
    _check_types(delta, elasticity, skill=skill, cost=cost, mass=mass, ceiling=ceiling)
    free = skill * (skill / (cost * delta)) ** (1.0 / (delta - 1.0))
    social = mass * weight / np.sum(mass * weight)
    income, tax, value = np.empty((3, skill.size))
    answers = np.empty(len(policies))
    for p, rates in enumerate(np.ascontiguousarray(policies)):
        kernels.best_response(
            skill, cost, free, cost * skill**-delta, edges, rates, delta, 1e9, income, tax, value
        )
        gain = np.minimum(value, ceiling)
        share = (gain / ceiling) ** elasticity
        surplus = gain * share / (1.0 + elasticity) + value - gain  # mean of max(value - q, 0)
        answers[p] = np.sum(mass * share * tax) + np.sum(social * surplus)
    return answers


@dataclass(frozen=True, eq=False)
class ParticipationTax:
    """The best of all schedules where people choose hours and whether to work.

    Attributes
    ----------
    rates, income, tax : ndarray, shape (n,)
        Marginal rate, income and tax of each type at work; no work pays no tax.
    working : ndarray, shape (n,)
        Share of each type at work.
    """

    rates: FloatArray
    income: FloatArray
    tax: FloatArray
    working: FloatArray


def participation_tax(
    skill: FloatArray,
    mass: FloatArray,
    log_density: FloatArray,
    cost: float,
    delta: float,
    weight: FloatArray,
    elasticity: float,
    ceiling: FloatArray,
    *,
    rounds: int = 2_000,
) -> ParticipationTax:
    r"""Solve the optimal schedule with both margins.

    .. math:: \frac{T'}{1-T'} = \frac{1 + 1/e}{s f(s) p(s)}
        \int_s^\infty \Bigl(1 - g - \kappa \frac{T}{v}\Bigr) p \, dF,

    with p the share at work, v the gain from work, g the weight, and the integral over all types zero,
    which sets the tax of the lowest.

    Parameters
    ----------
    skill, mass, log_density, cost, delta
        As in `fisc.economist.theory.mirrlees`.
    weight : ndarray, shape (n,)
        Welfare weight of each type, at work or not; scaled to mean 1.
    elasticity : float
        Of participation with respect to the gain from work, above 0.
    ceiling : ndarray, shape (n,)
        Largest fixed cost of work of each type; nobody may gain more.
    rounds : int
        Most iterations.

    Raises
    ------
    DataError
        If the iteration does not settle, somebody gains more than the ceiling, or an argument lies
        outside its range.

    References
    ----------
    Saez (2002) for jobs; for incomes: Jacquet, L., Lehmann, E. and Van der Linden, B. (2013).
    Optimal redistributive taxation with both extensive and intensive responses. Journal of Economic
    Theory 148, 1770-1805.
    """
    _check_types(delta, elasticity, skill=skill, mass=mass, ceiling=ceiling)
    e = 1.0 / (delta - 1.0)
    free = skill * (skill / (cost * delta)) ** e
    g = weight / np.sum(mass * weight)
    rates = np.full(skill.size, 0.2)
    for _ in range(rounds):
        income = free * (1.0 - rates) ** e
        rise = np.diff(income) * (rates[1:] + rates[:-1]) / 2.0
        shape = np.concatenate([[0.0], np.cumsum(rise)])
        best = income - cost * (income / skill) ** delta - shape  # gain, were the lowest tax 0
        lowest = _lowest_tax(best, shape, mass, g, elasticity, ceiling)
        tax, gain = shape + lowest, best - lowest
        working = (gain / ceiling) ** elasticity
        net = mass * working * (1.0 - g - elasticity * tax / gain)
        above = np.cumsum(net[::-1])[::-1] - net / 2.0
        odds = delta * above / (log_density * working)
        new = np.clip(odds / (1.0 + odds), -0.95, 0.99)
        change = float(np.abs(new - rates).max())
        rates = rates + 0.2 * (new - rates)
        if change < 1e-6:
            break
    else:
        raise DataError(
            f"after {rounds} rounds rates still move by {100 * change:.3g} points; give more rounds"
        )
    if (gain > ceiling).any():
        raise DataError("some types gain more from work than their largest fixed cost; raise the ceiling")
    return ParticipationTax(rates, income, tax, working)


def _check_types(delta: float, elasticity: float, **arrays: FloatArray) -> None:
    """Refuse types of unequal number or that are not above 0, and parameters out of their range."""
    check_number("delta", delta, above=1)
    check_number("elasticity", elasticity, above=0)
    values = {name: check_array(name, array) for name, array in arrays.items()}
    if len({array.shape for array in values.values()}) != 1:
        raise DataError(f"{', '.join(values)} must be of one length, one entry for each type")
    for name, array in values.items():
        if not (array > 0.0).all():
            raise DataError(f"{name} must be above 0 for every type; the least is {array.min():g}")


def _lowest_tax(
    best: FloatArray,
    shape: FloatArray,
    mass: FloatArray,
    g: FloatArray,
    elasticity: float,
    ceiling: FloatArray,
) -> float:
    """Return the tax of the lowest type at which one unit more for everybody at work changes nothing."""

    def balance(tax: float) -> float:
        gain = best - tax
        working = (gain / ceiling) ** elasticity
        return float(np.sum(mass * working * (1.0 - g - elasticity * (shape + tax) / gain)))

    most = float(best.min()) * (1.0 - 1e-9)
    least = -5.0 * float(np.abs(best).mean())
    if not balance(least) > 0.0 > balance(most):
        raise DataError(
            f"no tax on the lowest type is best: an elasticity of participation of {elasticity:g} leaves no "
            "schedule at which credits for work stop paying; give a smaller one, or more even weights"
        )
    return float(brentq(balance, least, most, xtol=1e-9))
