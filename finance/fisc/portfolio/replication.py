"""The accounting of the reference system, rebuilt on synthetic data to measure what it does.

Only what is needed to show the size of its errors: weights from a clipped softmax, portfolio
growth as a geometric mean, cost on the absolute weight changes, trades one day late, and a
reward that averages the running Sharpe ratio (arXiv:2412.18563 and the files beside it). Nothing
else in the package uses it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import FloatArray, renamed
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import PERIODS_PER_YEAR, Market
from fisc.portfolio.metrics import sharpe_ratio
from fisc.portfolio.rewards import sequence
from fisc.portfolio.worlds import ar1_market, iid_market

__all__ = ["clipped_softmax", "reference_returns", "replication_table"]


def clipped_softmax(actions: ArrayLike) -> FloatArray:
    """Return weights as the reference makes them: actions clipped to [0, 1], then softmax.

    Examples
    --------
    >>> clipped_softmax([50.0] + [0.0] * 10).round(4)[:2].tolist()
    [0.2137, 0.0786]
    """
    exponent = np.exp(np.clip(np.asarray(actions, dtype=np.float64), 0.0, 1.0))
    weights: FloatArray = exponent / exponent.sum(axis=-1, keepdims=True)
    return weights


def reference_returns(market: Market, targets: ArrayLike, *, cost: float = 0.0025) -> FloatArray:
    """Return simple net returns (n_periods,) under the reference's accounting.

    The old weights earn a geometric mean of the price relatives, then the new ones are paid for at `cost` of the
    absolute changes in the assets; the last target is paid for and earns nothing. Row ``t`` of `targets`
    (n_periods, n_assets + 1) is decided on closes up to ``t`` and traded at close ``t + 1``.
    """
    held = np.zeros(market.n_assets + 1)
    held[0] = 1.0
    wanted = np.asarray(targets, dtype=np.float64)
    net = np.empty(len(wanted))
    for t, target in enumerate(wanted):
        y = market.relatives[t]
        drifted = y * held / (y @ held)
        paid = cost * np.abs(drifted[1:] - target[1:]).sum()
        net[t] = (1.0 - paid) * np.exp((held * np.log(y)).sum()) - 1.0
        held = target
    return net


@renamed(seed="random_state")
def replication_table(*, random_state: int = 0) -> pd.DataFrame:
    """Return the size of each error, measured on synthetic markets of ten assets: one row a figure.

    Examples
    --------
    >>> table = replication_table()
    >>> bool(table.loc["largest weight that can be reached", "value"] < 0.22)
    True
    """
    n, days = 10, 2520
    market = iid_market(days + 1, n, sd=0.021, random_state=random_state)
    daily = np.tile(np.concatenate([[0.0], np.full(n, 1.0 / n)]), (days, 1))
    exact = backtest(market, daily, buy=0.0, sell=0.0).net_returns.to_numpy()[1:]
    geometric = reference_returns(market, daily, cost=0.0)[1:]
    extreme = clipped_softmax([1.0, *[0.0] * n])
    even = clipped_softmax([1.0] * 5 + [0.0] * (n + 1 - 5))
    first = np.random.default_rng(random_state).normal(0.0005, 0.012, 128)
    base = sequence("average_sharpe", first).sum()
    early, late = first.copy(), first.copy()
    early[1] += 1e-6
    late[-1] += 1e-6
    weight = (sequence("average_sharpe", early).sum() - base) / (
        sequence("average_sharpe", late).sum() - base
    )
    reversal = ar1_market(days + 1, n, phi=-0.2, random_state=random_state)
    signal = np.diff(np.log(reversal.close), axis=0, prepend=np.log(reversal.close[:1]))
    tilted = np.exp(-50.0 * signal)
    targets = np.column_stack([np.zeros(days + 1), tilted / tilted.sum(axis=1, keepdims=True)])
    on_time, late_by_one = (
        float(backtest(reversal, targets, buy=0.0, sell=0.0, lag=lag).metrics()["sharpe"]) for lag in (0, 1)
    )
    rows = {
        "growth lost to the geometric mean, a year": np.log1p(exact).mean() * PERIODS_PER_YEAR
        - np.log1p(geometric).mean() * PERIODS_PER_YEAR,
        "Sharpe ratio of equal weight, exact": sharpe_ratio(exact),
        "Sharpe ratio of equal weight, geometric": sharpe_ratio(geometric),
        "largest weight that can be reached": extreme.max(),
        "smallest weight that can be reached": clipped_softmax([0.0, *[1.0] * n]).min(),
        "fewest effective positions, of eleven": 1.0 / max((extreme**2).sum(), (even**2).sum()),
        "weight of day 2 over day 128 in the reward": abs(weight),
        "Sharpe ratio of a reversal rule traded at the close it saw": on_time,
        "Sharpe ratio of the same rule a day late": late_by_one,
    }
    return pd.DataFrame({"value": rows})
