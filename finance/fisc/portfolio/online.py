"""Online portfolio selection: rules that learn one period at a time, and the ceiling in hindsight.

Weights depend on price relatives only (no cash, no costs in the rule itself); the accounting
that is applied to them is that of every other strategy.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from fisc.core import DataError, FloatArray, check_option
from fisc.portfolio.market import Market
from fisc.portfolio.options import Online, made
from fisc.portfolio.rules import Rule, Strategy

__all__ = ["EG", "OLMAR", "BestCRP", "Universal", "best_constant_weights", "get", "project_to_simplex"]


@dataclasses.dataclass(frozen=True)
class _Table:
    """Weights by row, one row for each decision from `start` on."""

    name: str
    start: int
    weights: FloatArray

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        return np.concatenate([[0.0], self.weights[t - self.start]])


@dataclasses.dataclass(frozen=True)
class EG:
    """Exponentiated gradient at rate `eta`: ``b <- b * exp(eta * y / (b·y))``, normalised; equal at the start.

    Source: Helmbold, Schapire, Singer and Warmuth (1998), On-line portfolio selection using
    multiplicative updates, doi:10.1111/1467-9965.00058.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    >>> EG(eta=0.05).bind(market, 0).decide(1, np.zeros(3)).round(4).tolist()
    [0.0, 0.5083, 0.4917]
    """

    eta: float = 0.05
    name: str = "eg"

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        relatives = market.relatives[start:, 1:]
        weights = np.empty((len(relatives) + 1, market.n_assets))
        weights[0] = 1.0 / market.n_assets
        for row, y in enumerate(relatives):
            growth = (weights[row] * y).sum()
            step = weights[row] * np.exp(self.eta * y / growth)
            weights[row + 1] = step / step.sum()
        return _Table(self.name, start, weights)


@dataclasses.dataclass(frozen=True)
class OLMAR:
    """Online moving-average reversion: move towards assets below their average over `window` closes.

    `epsilon`, above 1, is the expected relative that is asked for.

    Source: Li and Hoi (2012), On-line portfolio selection with moving average reversion, ICML,
    arXiv:1206.4626.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]])
    >>> OLMAR(window=2).bind(market, 0).decide(1, np.zeros(3)).tolist()
    [0.0, 0.0, 1.0]
    """

    window: int = 5
    epsilon: float = 10.0
    name: str = "olmar"

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        n_rows = len(market) - start
        weights = np.empty((n_rows, market.n_assets))
        current = np.full(market.n_assets, 1.0 / market.n_assets)
        for row in range(n_rows):
            t = start + row
            if t > 0:
                seen = market.close[max(0, t - self.window + 1) : t + 1]
                expected = seen.mean(axis=0) / market.close[t]
                centred = expected - expected.mean()
                norm = float(centred @ centred)
                short = max(0.0, self.epsilon - float(current @ expected))
                if norm > 1e-18:
                    current = project_to_simplex(current + short / norm * centred)
            weights[row] = current
        return _Table(self.name, start, weights)


@dataclasses.dataclass(frozen=True)
class Universal:
    """Cover's universal portfolio: the wealth-weighted mean of `samples` constant-rebalanced portfolios.

    Source: Cover (1991), Universal portfolios, doi:10.1111/j.1467-9965.1991.tb00002.x.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 1.0], [2.0, 1.0], [2.0, 1.0]])
    >>> bool(Universal().bind(market, 0).decide(1, np.zeros(3))[1] > 0.5)
    True
    """

    samples: int = 2000
    random_state: int = 0
    name: str = "universal"

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        rng = np.random.default_rng(self.random_state)
        portfolios = rng.dirichlet(np.ones(market.n_assets), self.samples)
        growth = np.log(market.relatives[start:, 1:] @ portfolios.T)
        log_wealth = np.vstack([np.zeros(self.samples), np.cumsum(growth, axis=0)])
        share = np.exp(log_wealth - log_wealth.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        return _Table(self.name, start, share @ portfolios)


@dataclasses.dataclass(frozen=True)
class BestCRP:
    """The constant-rebalanced portfolio that would have grown most, known only afterwards.

    It uses the whole period it is judged on, up to close `stop` (exclusive): a ceiling for constant weights,
    not a rival.
    """

    stop: int | None = None
    name: str = "best_crp"

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        last = len(market) if self.stop is None else self.stop
        weights = best_constant_weights(market.relatives[start : last - 1, 1:])
        return _Table(self.name, start, np.broadcast_to(weights, (len(market) - start, market.n_assets)))


def best_constant_weights(relatives: FloatArray) -> FloatArray:
    """Return the weights (n_assets,) that maximise ``sum log(w·y)`` over relatives (n_periods, n_assets).

    Cover's multiplicative iteration ``w <- w * mean(y / (w·y))`` climbs at every step; it ends when the
    Kuhn-Tucker gap, which bounds the mean log growth still to be gained, is below 1e-10 or after 20,000 steps.

    Source: Cover (1984), An algorithm for maximizing expected log investment return,
    doi:10.1109/TIT.1984.1056869.

    Examples
    --------
    >>> best_constant_weights(np.array([[2.0, 1.0], [0.5, 1.0]])).round(4).tolist()
    [0.5, 0.5]
    """
    if len(relatives) < 1:
        raise DataError("the best constant weights need at least one period")
    weights = np.full(relatives.shape[1], 1.0 / relatives.shape[1])
    for _ in range(20_000):
        gain = (relatives / (relatives @ weights)[:, None]).mean(axis=0)
        if gain.max() - 1.0 < 1e-10:
            break
        weights = weights * gain
        weights /= weights.sum()
    return weights


def project_to_simplex(point: FloatArray) -> FloatArray:
    """Return the nearest point of the probability simplex.

    Source: Duchi, Shalev-Shwartz, Singer and Chandra (2008), doi:10.1145/1390156.1390191.

    Examples
    --------
    >>> project_to_simplex(np.array([0.8, 0.8, -1.0])).tolist()
    [0.5, 0.5, 0.0]
    """
    ordered = np.sort(point)[::-1]
    above = (np.cumsum(ordered) - 1.0) / np.arange(1, point.size + 1)
    last = int(np.nonzero(ordered > above)[0][-1])
    nearest: FloatArray = np.maximum(point - above[last], 0.0)
    return nearest


_RULES: dict[str, type[EG | OLMAR | Universal | BestCRP]] = {
    "eg": EG,
    "olmar": OLMAR,
    "universal": Universal,
    "best_crp": BestCRP,
}


def get(name: Online, **options: object) -> Strategy:
    """Return an online rule by name, with its options.

    Examples
    --------
    >>> get("eg", eta=0.1)
    EG(eta=0.1, name='eg')
    """
    check_option("online rule", name, _RULES)
    return made(_RULES[name], options, of=name)
