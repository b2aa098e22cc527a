r"""Log-linear schedules, :math:`c = \lambda z^{1-\tau}`, where income effects matter.

Utility is :math:`c^{1-\gamma}/(1-\gamma) - h^{1+\sigma}/(1+\sigma)` (log c at :math:`\gamma = 1`): people work
less when they are richer, as they do not in the rest of this package. Progressivity :math:`\tau` lies below
1; at 0 the tax is proportional.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from fisc.core.arguments import check_array, check_number
from fisc.core.arrays import FloatArray
from fisc.core.errors import DataError

__all__ = ["LogLinear", "best_progressivity", "log_linear", "lognormal_progressivity"]


@dataclass(frozen=True, eq=False)
class LogLinear:
    """What people do under a log-linear schedule that pays for public spending.

    Attributes
    ----------
    progressivity, level : float
        tau and lambda.
    hours, income, consumption : ndarray, shape (n,)
        Of each type, in the units of wages.
    welfare : float
        Mean utility.
    """

    progressivity: float
    level: float
    hours: FloatArray
    income: FloatArray
    consumption: FloatArray
    welfare: float

    @property
    def equivalent(self) -> float:
        """Consumption that everybody would have to get, at no work, for the same mean of log utility."""
        return float(np.exp(self.welfare))


def log_linear(
    wage: FloatArray,
    mass: FloatArray,
    progressivity: float,
    *,
    sigma: float = 2.0,
    gamma: float = 1.0,
    spending: float = 0.0,
) -> LogLinear:
    """Return the equilibrium under one schedule: the level that balances the budget, and what people do.

    Parameters
    ----------
    wage, mass : ndarray, shape (n,)
        Pay per hour and share of each type; the shares sum to 1.
    progressivity : float
        tau, below 1.
    sigma : float
        Curvature of the disutility of hours: the Frisch elasticity is 1/sigma.
    gamma : float
        Curvature of utility of consumption.
    spending : float
        Share of income that the state spends, in [0, 1).

    Returns
    -------
    LogLinear

    Raises
    ------
    DataError
        If wages or shares are not positive numbers, shares do not sum to 1, or a parameter lies outside its range.

    Examples
    --------
    >>> flat = log_linear(np.array([1.0, 3.0]), np.array([0.5, 0.5]), 0.0)
    >>> flat.hours, flat.level                       # log utility: the income effect undoes the wage
    (array([1., 1.]), 1.0)
    """
    wage, mass = check_array("wage", wage), check_array("mass", mass)
    if wage.ndim != 1 or wage.shape != mass.shape or not ((wage > 0.0).all() and (mass >= 0.0).all()):
        raise DataError("wage and mass must be of one length, wages above 0 and shares not negative")
    if abs(mass.sum() - 1.0) > 1e-9:
        raise DataError(f"the shares in mass sum to {mass.sum():.6g}; divide them by their sum")
    progressivity = check_number("progressivity", progressivity, below=1)
    sigma, gamma = check_number("sigma", sigma, above=0), check_number("gamma", gamma, above=0)
    spending = check_number("spending", spending, least=0, below=1)
    keep = 1.0 - progressivity
    power = 1.0 / (1.0 + sigma - keep * (1.0 - gamma))

    def hours_at(log_level: float) -> FloatArray:
        # keep (level wage^keep)^(1-gamma) h^(keep (1-gamma) - 1) = h^sigma
        return np.asarray((keep * np.exp((1.0 - gamma) * (log_level + keep * np.log(wage)))) ** power)

    def deficit(log_level: float) -> float:
        income = wage * hours_at(log_level)
        used = np.sum(mass * np.exp(log_level) * income**keep) / np.sum(mass * income)
        return float(np.log(used) - np.log1p(-spending))

    log_level = float(brentq(deficit, -60.0, 60.0, xtol=1e-14)) if gamma != 1.0 else -deficit(0.0)
    hours = hours_at(log_level)
    income = wage * hours
    consumption = np.exp(log_level) * income**keep
    utility = np.log(consumption) if gamma == 1.0 else consumption ** (1.0 - gamma) / (1.0 - gamma)
    welfare = float(np.sum(mass * (utility - hours ** (1.0 + sigma) / (1.0 + sigma))))
    return LogLinear(progressivity, float(np.exp(log_level)), hours, income, consumption, welfare)


def best_progressivity(
    wage: FloatArray, mass: FloatArray, *, sigma: float = 2.0, gamma: float = 1.0, spending: float = 0.0
) -> LogLinear:
    """Return the log-linear schedule with the highest mean utility; arguments as in `log_linear`.

    Examples
    --------
    >>> wage = np.exp(np.linspace(-1.0, 1.0, 201))
    >>> best = best_progressivity(wage, np.full(201, 1 / 201))
    >>> 0.2 < best.progressivity < 0.4
    True
    """
    options = {"sigma": sigma, "gamma": gamma, "spending": spending}
    found = minimize_scalar(
        lambda tau: -log_linear(wage, mass, tau, **options).welfare,
        bounds=(-1.0, 0.99),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return log_linear(wage, mass, float(found.x), **options)


def lognormal_progressivity(variance: float, sigma: float = 2.0) -> float:
    r"""Return the best progressivity of lognormal wages and log utility, in closed form.

    Everybody works :math:`(1-\tau)^{1/(1+\sigma)}`, so that with :math:`x = 1 - \tau` welfare is
    :math:`(\log x - x)/(1+\sigma) - x^2 v/2` and a constant.

    Parameters
    ----------
    variance : float
        v, of log wages.
    sigma : float
        The Frisch elasticity is 1/sigma.

    Returns
    -------
    float
        tau, in [0, 1).

    References
    ----------
    Heathcote, J., Storesletten, K. and Violante, G. (2017). Optimal tax progressivity: an analytical
    framework. Quarterly Journal of Economics 132, 1693-1754. Here without skill investment, insurance,
    tastes for leisure and valued public goods, which lower progressivity there.

    Examples
    --------
    >>> lognormal_progressivity(0.0)
    0.0
    """
    variance, sigma = check_number("variance", variance, least=0), check_number("sigma", sigma, above=0)
    if variance == 0.0:
        return 0.0
    spread = 4.0 * variance * (1.0 + sigma)
    return float(1.0 - 2.0 * np.expm1(0.5 * np.log1p(spread)) / spread)
