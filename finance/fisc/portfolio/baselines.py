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
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fisc.core import DataError, DataWarning, check_option, require
from fisc.portfolio.backtesting import Rule, backtest
from fisc.portfolio.market import Market

__all__ = ["ALLOCATORS", "NAMES", "Strategy", "allocate", "get", "path", "rivals"]

Float = NDArray[np.float64]

# Agents of several seeds and folds ask for the same allocations and base paths again and again.
_SOLVED: dict[tuple[str, bytes], Float] = {}
_MOST_SOLVED = 20_000
_PATHS: weakref.WeakKeyDictionary[Market, dict[tuple[Any, ...], Float]] = weakref.WeakKeyDictionary()

MONTH = 21  # closes between two monthly decisions
WINDOW = 504  # closes of history behind an estimate: two years


@runtime_checkable
class Strategy(Protocol):
    """A named way to run money, not yet tied to a market."""

    @property
    def name(self) -> str:
        """How the strategy is called in tables."""
        ...

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule for one market, first asked at row `start`."""
        ...


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """Weights computed from a window of past returns, on a fixed schedule.

    Attributes
    ----------
    name : str
    compute : callable
        From returns of shape (window, n_assets) to weights of shape (n_assets,).
    every : int
        Closes between decisions; holdings drift in between.
    window : int
        Number of past returns behind each decision; 0 if none are needed.
    """

    name: str
    compute: Callable[[Float], Float]
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

    def decide(self, t: int, weights: Float) -> Float | None:
        if (t - self.start) % self.strategy.every:
            return None
        return np.concatenate(
            [[0.0], self.strategy.compute(self.market.returns[t - self.strategy.window : t])]
        )


@dataclasses.dataclass(frozen=True)
class EqualWeight:
    """The same weight in every asset, restored every `every` closes (1: daily, 0: never)."""

    name: str
    every: int

    def bind(self, market: Market, start: int) -> Rule:
        """Return the rule whose first decision falls on row `start`."""
        return _EqualRule(self.name, self.every, start, np.full(market.n_assets, 1.0 / market.n_assets))


@dataclasses.dataclass(frozen=True)
class _EqualRule:
    name: str
    every: int
    start: int
    weights: Float

    def decide(self, t: int, weights: Float) -> Float | None:
        passed = t - self.start
        due = passed == 0 if self.every == 0 else passed % self.every == 0
        return np.concatenate([[0.0], self.weights]) if due else None


def _min_variance(returns: Float) -> Float:
    from skfolio.optimization import MeanRisk

    return _solve("min_variance", MeanRisk(prior_estimator=_prior()), returns)


def _max_sharpe(returns: Float) -> Float:
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    if not (returns.mean(axis=0) > 0).any():
        return _no_gain("max_sharpe", returns, _min_variance)
    model = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, prior_estimator=_prior())
    return _solve("max_sharpe", model, returns)


def _erc(returns: Float) -> Float:
    from skfolio.optimization import RiskBudgeting

    return _solve("erc", RiskBudgeting(prior_estimator=_prior()), returns)


def _hrp(returns: Float) -> Float:
    from skfolio.optimization import HierarchicalRiskParity

    return _solve("hrp", HierarchicalRiskParity(prior_estimator=_prior()), returns)


def _min_cvar(returns: Float) -> Float:
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk

    return _solve("min_cvar", MeanRisk(risk_measure=RiskMeasure.CVAR), returns)


def _mean_cvar(returns: Float) -> Float:
    from skfolio import RiskMeasure
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    if not (returns.mean(axis=0) > 0).any():
        return _no_gain("mean_cvar", returns, _min_cvar)
    model = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, risk_measure=RiskMeasure.CVAR)
    return _solve("mean_cvar", model, returns)


def _inverse_volatility(returns: Float) -> Float:
    sd = returns.std(axis=0, ddof=1)
    if not (sd > 0).all():
        raise DataError(
            f"{int((sd <= 0).sum())} assets did not move in the window of {len(returns)} returns, so that their "
            "inverse volatility is not defined; drop them or use a longer window"
        )
    inverse = 1.0 / sd
    weights: Float = inverse / inverse.sum()
    return weights


def _equal(returns: Float) -> Float:
    return np.full(returns.shape[1], 1.0 / returns.shape[1])


# Classical allocations from a window of returns, by name.
ALLOCATORS: dict[str, Callable[[Float], Float]] = {
    "equal": _equal,
    "min_variance": _min_variance,
    "max_sharpe": _max_sharpe,
    "erc": _erc,
    "inverse_volatility": _inverse_volatility,
    "hrp": _hrp,
    "min_cvar": _min_cvar,
    "mean_cvar": _mean_cvar,
}
_ONLINE = ("eg", "olmar", "universal")
NAMES = (
    "equal_daily",
    "equal_monthly",
    "buy_and_hold",
    *[name for name in ALLOCATORS if name != "equal"],
    *_ONLINE,
    "best_crp",
)


def _prior() -> Any:
    from skfolio.moments import LedoitWolf
    from skfolio.prior import EmpiricalPrior

    return EmpiricalPrior(covariance_estimator=LedoitWolf())


def _no_gain(name: str, returns: Float, instead: Callable[[Float], Float]) -> Float:
    warnings.warn(
        f"{name}: no asset gained over the last {len(returns)} periods, so that no ratio can be maximised; "
        "took the allocation of least risk for this decision",
        DataWarning,
        stacklevel=3,
    )
    return instead(returns)


def _solve(name: str, model: Any, returns: Float) -> Float:
    """Fit an optimiser of skfolio; clip its rounding errors below zero."""
    from skfolio.exceptions import OptimizationError

    try:
        raw = model.fit(returns).weights_
    except (OptimizationError, ValueError, ArithmeticError) as error:
        raise DataError(
            f"{name} found no solution on {returns.shape[0]} returns of {returns.shape[1]} assets: {error}; "
            "use a longer window or leave out assets that do not move"
        ) from error
    weights = np.maximum(np.asarray(raw, dtype=np.float64), 0.0)
    normalised: Float = weights / weights.sum()
    return normalised


def allocate(name: str, returns: ArrayLike) -> Float:
    """Return one classical allocation from past returns.

    Parameters
    ----------
    name : str
        One of `ALLOCATORS`.
    returns : array_like of shape (n_periods, n_assets)
        Simple returns.

    Returns
    -------
    ndarray of shape (n_assets,)
        Weights of at least 0 that sum to 1.

    Examples
    --------
    >>> allocate("inverse_volatility", [[0.01, 0.02], [-0.01, -0.02]]).round(3).tolist()
    [0.667, 0.333]
    """
    check_option("name", name, ALLOCATORS)
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise DataError(f"returns have shape {values.shape}; expected at least two periods by assets")
    if name not in ("equal", "inverse_volatility"):
        require("skfolio", extra="portfolio")
    key = (
        name,
        hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=16).digest()
        + bytes(str(values.shape), "ascii"),
    )
    if key not in _SOLVED:
        if len(_SOLVED) >= _MOST_SOLVED:
            _SOLVED.clear()
        _SOLVED[key] = ALLOCATORS[name](values)
    return _SOLVED[key].copy()


def get(name: str, *, window: int = WINDOW, every: int | None = None, **options: Any) -> Strategy:
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
    if isinstance(window, bool) or window < 2:
        raise DataError(f"window={window!r} is too short; give at least 2 returns")
    if every is not None and every < 1:
        raise DataError(f"every={every!r}; give the number of closes between decisions, at least 1")
    if name == "equal_daily":
        return EqualWeight(name, every or 1)
    if name == "equal_monthly":
        return EqualWeight(name, every or MONTH)
    if name == "buy_and_hold":
        return EqualWeight(name, 0)
    if name in ALLOCATORS:
        return Scheduled(name, functools.partial(allocate, name), every or MONTH, window)
    from fisc.portfolio import online

    rule: Strategy = online.get(name, **options)
    return rule


def rivals(names: Sequence[str] = NAMES, *, window: int = WINDOW) -> dict[str, Strategy]:
    """Return strategies by name, all of them unless told otherwise.

    Examples
    --------
    >>> list(rivals(["equal_daily", "hrp"]))
    ['equal_daily', 'hrp']
    """
    return {name: get(name, window=window) for name in names}


def path(
    market: Market, base: str, *, buy: Any, sell: Any, window: int = WINDOW, every: int = MONTH
) -> Float:
    """Return the weights that a classical allocation holds at every close: what agents start from.

    The allocation is computed every `every` closes from `window` past returns and drifts in
    between, so that an agent that departs from it by nothing trades exactly when it does.
    Rows without enough history hold equal weight, restored monthly.

    Parameters
    ----------
    market : Market
    base : str
        One of `ALLOCATORS`.
    buy, sell : cost rates
        Of the backtest that lets it drift.
    window, every : int
        As in `get`.

    Returns
    -------
    ndarray of shape (n_dates, n_assets + 1)
        Row ``t`` uses data up to close ``t`` only.

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

    def target(t: int) -> Float | None:
        if t % every:
            return None
        known = base != "equal" and t >= window
        return np.concatenate([[0.0], compute(market.returns[t - window : t]) if known else equal])

    class _Path:
        def decide(self, t: int, weights: Float) -> Float | None:
            return target(t)

    run = backtest(market, _Path(), buy=buy, sell=sell)
    last = target(len(market) - 1)
    final = run.weights_end.to_numpy()[-1] if last is None else last
    held: Float = np.vstack([run.weights.to_numpy(), final])
    held.setflags(write=False)
    known_paths[key] = held
    return held
