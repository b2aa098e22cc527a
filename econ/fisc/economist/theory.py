r"""What optimal-tax theory says, computed without any search: the truth that searches are held against.

All for preferences without income effects, :math:`u = z - T(z) - c (z/s)^\delta`, whose elasticity of
income with respect to the net-of-tax rate is :math:`e = 1/(\delta - 1)` for everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from fisc.core.arguments import check_number
from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError

__all__ = ["LognormalPareto", "Mirrlees", "bracket_rates", "flat_rate", "mirrlees", "top_rate"]


def flat_rate(elasticity: float, weight: float = 0.0) -> float:
    r"""Return the best flat rate, :math:`(1-g)/(1-g+e)`; at weight 0 the one that raises most revenue.

    Parameters
    ----------
    elasticity : float
        e, above 0.
    weight : float
        g: what a unit of money to each taxpayer is worth in units of revenue, averaged by income. Above 1
        (but below 1 + e) the rate is negative.

    Examples
    --------
    >>> flat_rate(0.25)
    0.8
    """
    return top_rate(elasticity, 1.0, weight)


def top_rate(elasticity: float, tail: float, weight: float = 0.0) -> float:
    r"""Return the best rate above a high income, :math:`(1-g)/(1-g+ae)`.

    Parameters
    ----------
    elasticity : float
        e, above 0.
    tail : float
        a: Pareto index of incomes, mean above any high income over its excess; at least 1.
    weight : float
        g: worth of a unit of money to those above.

    References
    ----------
    Saez, E. (2001). Using elasticities to derive optimal income tax rates. Review of Economic Studies 68,
    205-229. doi:10.1111/1467-937X.00166

    Examples
    --------
    >>> round(top_rate(0.25, 1.5), 3)
    0.727
    """
    e = check_number("elasticity", elasticity, least=0.0)
    a = check_number("tail", tail, least=1.0)
    g = check_number("weight", weight, least=0.0)
    if not 1.0 - g + a * e > 0.0:
        raise DataError(
            f"no rate is best: at weight {g:g} and elasticity {e:g} each further subsidy is worth more than it "
            f"costs; the weight must stay below 1 + {a * e:g}"
        )
    return (1.0 - g) / (1.0 - g + a * e)


@dataclass(frozen=True)
class LognormalPareto:
    """Lognormal up to a threshold, Pareto above it, joined without a gap in the distribution function.

    Parameters
    ----------
    mu, sigma : float
        Mean and standard deviation of the log of the body.
    threshold : float
        Where the tail begins.
    tail : float
        Pareto index, above 1.

    Examples
    --------
    >>> incomes = LognormalPareto(10.5, 0.75, 150_000.0, 2.0)
    >>> bool(np.isclose(incomes.quantile(np.array([0.5]))[0], np.exp(10.5)))
    True
    """

    mu: float
    sigma: float
    threshold: float
    tail: float

    @property
    def body(self) -> float:
        """Share of people below the threshold."""
        return float(ndtr((np.log(self.threshold) - self.mu) / self.sigma))

    def quantile(self, share: FloatArray) -> FloatArray:
        """Return the value below which a share of people lies, in (0, 1), shape (n,)."""
        below = np.exp(self.mu + self.sigma * ndtri(np.minimum(share, self.body)))
        above = self.threshold * np.maximum((1.0 - share) / (1.0 - self.body), 0.0) ** (-1.0 / self.tail)
        return np.where(share < self.body, below, above)

    def log_density(self, value: FloatArray) -> FloatArray:
        """Return the density of the log of the value, shape (n,)."""
        score = (np.log(value) - self.mu) / self.sigma
        below = np.exp(-0.5 * score**2) / (self.sigma * np.sqrt(2.0 * np.pi))
        above = self.tail * (1.0 - self.body) * (value / self.threshold) ** -self.tail
        return np.where(value < self.threshold, below, above)


@dataclass(frozen=True, eq=False)
class Mirrlees:
    """The best of all tax schedules, brackets or not.

    Attributes
    ----------
    rates : ndarray, shape (n,)
        Marginal rate that each type faces.
    income, utility : ndarray, shape (n,)
        What each type earns and enjoys, transfers included.
    monotone : bool
        Whether income rises with skill everywhere; where not, people bunch, and the rates are not optimal.
    """

    rates: FloatArray
    income: FloatArray
    utility: FloatArray
    monotone: bool


def mirrlees(
    skill: FloatArray,
    mass: FloatArray,
    log_density: FloatArray,
    cost: float,
    delta: float,
    marginal: FloatArray | Callable[[FloatArray], FloatArray],
    *,
    rounds: int = 400,
) -> Mirrlees:
    r"""Solve the optimal nonlinear tax by Diamond's "ABC" formula.

    .. math:: \frac{T'}{1-T'} = \left(1 + \frac1e\right) \frac{1-F(s)}{s f(s)} \, (1 - G(s)),

    Here G is the mean welfare weight of those above s. Where weights depend on utility, utility is rebuilt
    from the rates by the envelope condition and the budget, and the formula is iterated.

    Parameters
    ----------
    skill : ndarray, shape (n,)
        Types in rising order, each at the middle of its mass; a fine grid.
    mass : ndarray, shape (n,)
        Share of each type; sums to 1.
    log_density : ndarray, shape (n,)
        Density of log skill, s f(s).
    cost, delta : float
        Cost of hours c (the same for all) and curvature.
    marginal : ndarray, shape (n,), or callable
        Welfare weight of each type, or the derivative of the criterion by utility, (n,) -> (n,).
    rounds : int
        Most iterations.

    Returns
    -------
    Mirrlees

    Raises
    ------
    DataError
        If the iteration does not settle within a thousandth of a point.

    References
    ----------
    Diamond, P. (1998). Optimal income taxation: an example with a U-shaped pattern of optimal marginal tax
    rates. American Economic Review 88, 83-95. Mirrlees, J. (1971). Review of Economic Studies 38, 175-208.

    Examples
    --------
    Nobody above the ablest can be taxed through him:

    >>> n = 1000
    >>> skill = np.linspace(100.0, 1000.0, n)
    >>> best = mirrlees(skill, np.full(n, 1 / n), skill / 900.0, 0.02, 3.5, lambda u: 1 / u)
    >>> bool(best.rates[-1] < 0.001), best.monotone
    (True, True)
    """
    elasticity = 1.0 / (delta - 1.0)
    free = skill * (skill / (cost * delta)) ** elasticity
    above = _above(mass)
    rates = np.full(skill.size, 0.5)
    for round_ in range(rounds):
        income = free * (1.0 - rates) ** elasticity
        utility = _utility(skill, mass, income, rates, cost, delta)
        weight = marginal(utility) if callable(marginal) else marginal
        weight = weight / np.sum(mass * weight)
        odds = delta * np.maximum(above - _above(mass * weight), 0.0) / log_density
        new = odds / (1.0 + odds)
        change = float(np.abs(new - rates).max())
        rates = new if round_ == 0 or not callable(marginal) else 0.5 * (rates + new)
        if change < 1e-5:
            break
    else:
        raise DataError(
            f"after {rounds} rounds rates still move by {100 * change:.3g} points; give more rounds, or a criterion "
            "with less aversion to inequality"
        )
    income = free * (1.0 - rates) ** elasticity
    return Mirrlees(
        rates=rates,
        income=income,
        utility=_utility(skill, mass, income, rates, cost, delta),
        monotone=bool((np.diff(income) >= 0.0).all()),
    )


def _above(weight: FloatArray) -> FloatArray:
    """Return the weight above the middle of each type's own."""
    return np.asarray(np.cumsum(weight[::-1])[::-1] - weight / 2.0)


def _utility(
    skill: FloatArray, mass: FloatArray, income: FloatArray, rates: FloatArray, cost: float, delta: float
) -> FloatArray:
    """Return utilities that rise along the types as the envelope says and spend what is produced."""
    slope = (1.0 - rates) * income  # du / dlog s
    steps = np.diff(np.log(skill)) * (slope[1:] + slope[:-1]) / 2.0
    relative = np.concatenate([[0.0], np.cumsum(steps)])
    surplus = income - cost * (income / skill) ** delta
    return np.asarray(relative + np.sum(mass * (surplus - relative)))


def bracket_rates(edges: FloatArray, best: Mirrlees, mass: FloatArray) -> FloatArray:
    """Return the rate of each bracket that weighs people by income as its first-order condition does.

    Parameters
    ----------
    edges : ndarray, shape (K,)
        Lower edges of the brackets.
    best : Mirrlees
        Rates by type.
    mass : ndarray, shape (n,)
        Share of each type.

    Returns
    -------
    ndarray, shape (K,)
        NaN where nobody earns.
    """
    bracket = np.searchsorted(edges, best.income, side="right") - 1
    earned = np.bincount(bracket, mass * best.income, minlength=edges.size)
    lost = np.bincount(bracket, mass * best.income * best.rates / (1.0 - best.rates), minlength=edges.size)
    with np.errstate(invalid="ignore"):
        odds = np.asarray(lost / earned)
    return odds / (1.0 + odds)
