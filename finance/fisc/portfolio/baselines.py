"""Classical rivals: rules that learned agents are judged against, under the same accounting.

A *strategy* has a ``name`` and ``bind(market, start)``, which gives a `Rule` for that market whose
first decision falls on row ``start``. `get` makes one by name, `rivals` makes all of them.
Optimisers are those of skfolio with its Ledoit-Wolf covariance; the online rules live in
`fisc.portfolio.online`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import weakref
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, FloatArray, check_option, check_whole, require
from fisc.portfolio import online
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import CostRate, Market
from fisc.portfolio.options import MONTH, WINDOW, Allocator, Baseline, Online
from fisc.portfolio.rules import Rule, Strategy

__all__ = ["ALLOCATORS", "NAMES", "Strategy", "allocate", "get", "path", "rivals"]

# Agents of several seeds and folds ask for the same allocations and base paths again and again.
_SOLVED: dict[tuple[str, bytes], FloatArray] = {}
_MOST_SOLVED = 20_000
_PATHS: weakref.WeakKeyDictionary[Market, dict[tuple[object, ...], FloatArray]] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """Weights computed from the last `window` returns (0 if none are needed) every `every` closes (0: once).

    `compute` goes from returns (window, n_assets) to weights (n_assets,); holdings drift in between.
    """

    name: str
    compute: Callable[[FloatArray], FloatArray]
    every: int = MONTH
    window: int = WINDOW

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        if start < self.window:
            raise DataError(
                f"{self.name} needs {self.window} returns of history before its first decision; row {start} has "
                f"{start}; start later or choose a shorter window"
            )
        return _ScheduledRule(self.name, self, market, start)


@dataclasses.dataclass(frozen=True)
class _ScheduledRule:
    name: str
    strategy: Scheduled
    market: Market
    start: int

    def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
        passed, every = t - self.start, self.strategy.every
        if passed % every if every else passed:
            return None
        return np.concatenate(
            [[0.0], self.strategy.compute(self.market.returns[t - self.strategy.window : t])]
        )


def _equal(returns: FloatArray) -> FloatArray:
    return np.full(returns.shape[1], 1.0 / returns.shape[1])


def _inverse_volatility(returns: FloatArray) -> FloatArray:
    sd = returns.std(axis=0, ddof=1)
    if not (sd > 0).all():
        raise DataError(
            f"{int((sd <= 0).sum())} assets did not move in the window of {len(returns)} returns, so that their "
            "inverse volatility is not defined; drop them or use a longer window"
        )
    inverse = 1.0 / sd
    weights: FloatArray = inverse / inverse.sum()
    return weights


ALLOCATORS = get_args(Allocator)
NAMES = get_args(Baseline)


def allocate(name: Allocator, returns: ArrayLike) -> FloatArray:
    """Return one classical allocation (n_assets,), summing to 1, from past simple returns (n_periods, n_assets).

    Examples
    --------
    >>> allocate("inverse_volatility", [[0.01, 0.02], [-0.01, -0.02]]).round(3).tolist()
    [0.667, 0.333]
    """
    check_option("name", name, ALLOCATORS)
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise DataError(f"returns have shape {values.shape}; expected at least two periods by assets")
    digest = hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
    key = name, digest + str(values.shape).encode()
    if key not in _SOLVED:
        if len(_SOLVED) >= _MOST_SOLVED:
            _SOLVED.clear()
        _SOLVED[key] = _allocated(name, values)
    return _SOLVED[key].copy()


def _allocated(name: Allocator, returns: FloatArray) -> FloatArray:
    if name == "equal":
        return _equal(returns)
    if name == "inverse_volatility":
        return _inverse_volatility(returns)
    require("skfolio", extra="portfolio")
    from fisc.portfolio import optimisers  # skfolio takes seconds to import

    return optimisers.solve(name, returns)


def get(
    name: Baseline | str, *, window: int = WINDOW, every: int | None = None, **options: object
) -> Strategy:
    """Return a classical strategy by name.

    Parameters
    ----------
    name : str
        One of `NAMES`: equal weight daily and monthly, buy and hold, the optimisers of
        `ALLOCATORS`, the online rules ``eg``, ``olmar``, ``universal``, and ``best_crp``, the best
        constant-rebalanced portfolio in hindsight, which looks ahead and is a ceiling only.
    window : int, default 504
        Past returns behind each decision of an optimiser.
    every : int, optional
        Closes between decisions (monthly, 21, for optimisers).
    **options
        Of the online rules, see `fisc.portfolio.online`.

    Returns
    -------
    Strategy

    Examples
    --------
    >>> get("equal_monthly").name
    'equal_monthly'
    """
    check_option("baseline", name, NAMES)
    check_whole("window", window, least=2)
    if every is not None:
        check_whole("every", every, least=1)
    if name == "equal_daily":
        return Scheduled(name, _equal, every or 1, 0)
    if name == "equal_monthly":
        return Scheduled(name, _equal, every or MONTH, 0)
    if name == "buy_and_hold":
        return Scheduled(name, _equal, 0, 0)
    for allocator in ALLOCATORS:
        if name == allocator:
            return Scheduled(name, functools.partial(allocate, allocator), every or MONTH, window)
    return online.get(check_option("baseline", name, get_args(Online)), **options)  # type: ignore[arg-type]


def rivals(names: Sequence[str] = NAMES, *, window: int = WINDOW) -> dict[str, Strategy]:
    """Return strategies by name, all of them unless told otherwise.

    Examples
    --------
    >>> list(rivals(["equal_daily", "hrp"]))
    ['equal_daily', 'hrp']
    """
    return {name: get(name, window=window) for name in names}


def path(
    market: Market,
    base: Allocator,
    *,
    buy: CostRate,
    sell: CostRate,
    window: int = WINDOW,
    every: int = MONTH,
) -> FloatArray:
    """Return the weights (n_dates, n_assets + 1) that an allocation holds at every close: what agents start from.

    The allocation is computed every `every` closes from `window` past returns and drifts in between, at the cost
    rates of the backtest that lets it, so that an agent that departs from it by nothing trades exactly when it
    does. Rows without enough history hold equal weight, restored monthly. Row ``t`` uses data up to close ``t``.

    Examples
    --------
    >>> path(Market.from_prices([[1.0, 1.0], [3.0, 1.0]]), "equal", buy=0, sell=0).tolist()
    [[0.0, 0.5, 0.5], [0.0, 0.75, 0.25]]
    """
    check_option("base", base, ALLOCATORS)
    compute = functools.partial(allocate, base)
    known_paths = _PATHS.setdefault(market, {})
    key = (base, repr(buy), repr(sell), window, every)
    if key in known_paths:
        return known_paths[key]
    equal = np.full(market.n_assets, 1.0 / market.n_assets)

    def target(t: int) -> FloatArray | None:
        if t % every:
            return None
        known = base != "equal" and t >= window
        return np.concatenate([[0.0], compute(market.returns[t - window : t]) if known else equal])

    class _Path:
        def decide(self, t: int, weights: FloatArray) -> FloatArray | None:
            return target(t)

    run = backtest(market, _Path(), buy=buy, sell=sell)
    last = target(len(market) - 1)
    final = run.weights_end.to_numpy()[-1] if last is None else last
    held: FloatArray = np.vstack([run.weights.to_numpy(), final])
    held.setflags(write=False)
    known_paths[key] = held
    return held
