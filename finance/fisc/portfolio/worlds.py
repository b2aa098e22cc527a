"""Synthetic markets with a known truth, for self-tests, examples and benchmarks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fisc.core import renamed
from fisc.portfolio.market import Market

__all__ = ["ar1_market", "iid_market"]


@renamed(seed="random_state")
def ar1_market(
    n_dates: int = 4000,
    n_assets: int = 10,
    *,
    phi: float = -0.2,
    sd: float = 0.015,
    mean: float = 0.0,
    random_state: int = 0,
) -> Market:
    """Return a market whose log returns follow an AR(1) process: a signal that can be found.

    ``r_t = mean + phi (r_(t-1) - mean) + e_t`` for every asset by itself on business days from 2000, e normal
    with standard deviation `sd`; a negative `phi` means that yesterday's losers gain.

    Examples
    --------
    >>> ar1_market(100, 3)
    Market(3 assets, 100 dates, 2000-01-03 .. 2000-05-19)
    """
    rng = np.random.default_rng(random_state)
    shocks = rng.normal(0.0, sd, (n_dates, n_assets))
    returns = np.empty_like(shocks)
    returns[0] = shocks[0]
    for t in range(1, n_dates):
        returns[t] = phi * returns[t - 1] + shocks[t]
    close = 100.0 * np.exp(np.cumsum(returns + mean, axis=0))
    index = pd.bdate_range("2000-01-03", periods=n_dates)
    return Market.from_prices(
        pd.DataFrame(close, index=index, columns=[f"A{i:02d}" for i in range(n_assets)])
    )


@renamed(seed="random_state")
def iid_market(
    n_dates: int = 4000, n_assets: int = 10, *, sd: float = 0.015, mean: float = 0.0003, random_state: int = 0
) -> Market:
    """Return a market of independent normal log returns: nothing can be found in it.

    Examples
    --------
    >>> len(iid_market(50, 2))
    50
    """
    return ar1_market(n_dates, n_assets, phi=0.0, sd=sd, mean=mean, random_state=random_state)
