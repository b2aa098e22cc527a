"""Performance measures of a series of returns, and how sure one can be of the Sharpe ratio."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, FloatArray, align
from fisc.portfolio.market import PERIODS_PER_YEAR

__all__ = ["drawdown", "max_drawdown", "performance", "sharpe_ratio", "sharpe_standard_error"]

_NOISE = 1e-12  # prices in binary leave returns of 1e-16 where nothing moved


def sharpe_ratio(returns: ArrayLike, *, periods: float = PERIODS_PER_YEAR) -> Any:
    """Return the annualised Sharpe ratio of excess returns (..., n), ``sqrt(periods) * mean / sd`` (sd with n - 1).

    NaN where the returns do not vary.

    Examples
    --------
    >>> round(sharpe_ratio([0.01, 0.02, -0.01], periods=1), 4)
    0.4364
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.shape[-1] < 2:
        raise DataError(f"a Sharpe ratio needs at least two returns; got {values.shape[-1]}")
    mean, sd = values.mean(-1), values.std(-1, ddof=1)
    flat = sd <= _NOISE * np.maximum(1.0, np.abs(mean))
    ratio = np.where(flat, np.nan, np.sqrt(periods) * mean / np.where(flat, 1.0, sd))
    return ratio if ratio.ndim else float(ratio)


def sharpe_standard_error(
    sharpe: float, n: int, *, skew: float = 0.0, kurtosis: float = 3.0, periods: float = PERIODS_PER_YEAR
) -> float:
    """Return the standard error of an annualised Sharpe ratio of returns that are independent.

    ``sqrt((1 - skew*s + (kurtosis - 1)/4 * s**2) / n)`` with ``s`` per period, annualised; `n` is the number of
    returns (less one for the finite-sample form of Bailey and López de Prado).

    Source: Mertens, E. (2002), Comments on variance of the IID estimator in Lo (2002). Bailey, D.
    and López de Prado, M. (2012), The Sharpe ratio efficient frontier, doi:10.21314/JOR.2012.255.

    Examples
    --------
    >>> round(sharpe_standard_error(1.0, 252), 3)
    1.001
    """
    s = sharpe / np.sqrt(periods)
    return float(np.sqrt(periods * (1 - skew * s + (kurtosis - 1) / 4 * s**2) / n))


def drawdown(wealth: ArrayLike) -> FloatArray:
    """Return how far wealth is below its highest value so far (start 1 included), in [0, 1].

    Examples
    --------
    >>> drawdown([1.1, 0.99, 1.2]).round(3).tolist()
    [0.0, 0.1, 0.0]
    """
    values = np.asarray(wealth, dtype=np.float64)
    below: FloatArray = 1.0 - values / np.maximum(np.maximum.accumulate(values, axis=-1), 1.0)
    return below


def max_drawdown(wealth: ArrayLike) -> float:
    """Return the largest drawdown, a fraction in [0, 1].

    Examples
    --------
    >>> round(max_drawdown([1.1, 0.99, 1.2]), 3)
    0.1
    """
    return float(drawdown(wealth).max())


def performance(
    returns: ArrayLike, *, cash: ArrayLike = 0.0, periods: float = PERIODS_PER_YEAR, level: float = 0.95
) -> pd.Series[float]:
    """Return the usual measures of simple net returns (n,) per period; `cash` is what cash earned.

    ``sharpe`` and ``sharpe_se`` (annualised; standard error with the sample's skewness and kurtosis),
    ``sortino``, ``calmar``, ``max_drawdown`` (fraction), ``volatility`` (annual), ``cvar`` (mean loss per period
    in the worst ``1 - level``, positive), ``hit_rate`` (share of periods above zero), ``annual_return``
    (geometric), ``mean_return`` (arithmetic, annual), ``final_wealth``, ``n`` (periods). A measure that is not
    defined (no variation, no loss) is NaN.

    Examples
    --------
    >>> performance([0.01, -0.02, 0.03, 0.01])["hit_rate"]
    np.float64(0.75)
    """
    net = np.asarray(returns, dtype=np.float64)
    if net.ndim != 1 or net.size < 2:
        raise DataError(f"performance needs at least two returns in one dimension; got shape {net.shape}")
    if not np.isfinite(net).all():
        raise DataError("returns contain NaN or infinite values; performance needs finite returns")
    excess = net - np.asarray(align(returns, cash, ("returns", "cash")), dtype=np.float64)
    wealth = np.cumprod(1 + net)
    sharpe = sharpe_ratio(excess, periods=periods)
    centred = excess - excess.mean()
    m2 = float(np.mean(centred**2))
    varies = np.isfinite(sharpe)
    skew = float(np.mean(centred**3) / m2**1.5) if varies else 0.0
    kurtosis = float(np.mean(centred**4) / m2**2) if varies else 3.0
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    annual = float(wealth[-1] ** (periods / net.size) - 1) if wealth[-1] > 0 else -1.0
    deepest = max_drawdown(wealth)
    tail = np.sort(net)[: max(1, int(np.ceil((1 - level) * net.size - 1e-9)))]
    nan = float("nan")
    return pd.Series(
        {
            "sharpe": sharpe,
            "sharpe_se": sharpe_standard_error(
                sharpe, net.size - 1, skew=skew, kurtosis=kurtosis, periods=periods
            ),
            "sortino": float(np.sqrt(periods) * excess.mean() / downside) if downside > 0 else nan,
            "calmar": annual / deepest if deepest > 0 else nan,
            "max_drawdown": deepest,
            "volatility": float(net.std(ddof=1) * np.sqrt(periods)),
            "cvar": float(-tail.mean()),
            "hit_rate": float(np.mean(net > 0)),
            "annual_return": annual,
            "mean_return": float(net.mean() * periods),
            "final_wealth": float(wealth[-1]),
            "n": float(net.size),
        },
        name="performance",
    )
