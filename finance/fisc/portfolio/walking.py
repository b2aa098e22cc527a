"""Walk-forward evaluation of learned and classical strategies under one accounting.

Models are trained on past rows, asked about later ones, and run once, without interruption,
over all test spans; several seeds give a spread, the paired stationary bootstrap an interval,
and the number of trials a discount. The verdict is a sentence.
"""

from __future__ import annotations

import bisect
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fisc.core import DataError, check_number, check_seed, check_whole, require
from fisc.portfolio import baselines
from fisc.portfolio.backtesting import BacktestResult, Rule, backtest
from fisc.portfolio.evaluation import Evaluation, assemble
from fisc.portfolio.folds import Fold, folds
from fisc.portfolio.market import Market, as_market

if TYPE_CHECKING:
    from fisc.portfolio.trials import TrialLog

__all__ = ["walk_forward"]

Float = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class _ByFold:
    """Ask the rule of the fold that a row belongs to."""

    name: str
    starts: list[int]
    rules: list[Rule]

    def decide(self, t: int, weights: Float) -> Float | None:
        return self.rules[max(0, bisect.bisect_right(self.starts, t) - 1)].decide(t, weights)


@dataclasses.dataclass(frozen=True)
class _OneTarget:
    """Trade to fixed weights on one row, hold otherwise: a fitted optimiser of skfolio."""

    row: int
    weights: Float

    def decide(self, t: int, weights: Float) -> Float | None:
        return self.weights if t == self.row else None


def walk_forward(
    models: Any,
    market: Any,
    *,
    train: Any,
    test: Any,
    purge: int = 0,
    embargo: int = 5,
    seeds: int | Iterable[int] = 5,
    costs: Any = 0.0025,
    lag: int = 0,
    benchmark: str = "equal_monthly",
    expanding: bool = False,
    start: Any = None,
    stop: Any = None,
    block: float = 20.0,
    draws: int = 2000,
    level: float = 0.95,
    n_jobs: int | None = 1,
    log: TrialLog | None = None,
) -> Evaluation:
    """Evaluate strategies out of sample, walking forward in time.

    Parameters
    ----------
    models : mapping of str to model, or sequence of models or names
        A model is the name of a classical strategy (`fisc.portfolio.baselines.NAMES`), a
        strategy, an `RLPortfolio` (trained on every fold with every seed), an optimiser of skfolio
        (fitted on every fold's training returns, traded at the fold's start), or a callable
        ``f(history, weights)`` as in `backtest`.
    market : Market or DataFrame of prices
    train, test, purge, embargo, expanding, start, stop
        See `folds`. The first test decisions use earlier rows as history.
    seeds : int or iterable of int, default 5
        Seeds of each agent: a number (0, 1, ...) or the seeds themselves.
    costs : float or (float, float), default 0.0025
        Cost rates: both sides, or buying and selling. Agents are trained at these.
    lag : int, default 0
        Closes between decision and trade.
    benchmark : str, default "equal_monthly"
        Strategy that differences are against; evaluated in any case.
    block, draws, level
        Of the bootstrap: mean block length, resamples, level of intervals.
    n_jobs : int, optional
        Training runs at once, through joblib. The result does not depend on it.
    log : TrialLog, optional
        Every agent and seed is added, and the deflated Sharpe ratio counts all trials in it.

    Returns
    -------
    Evaluation

    Examples
    --------
    >>> from fisc.portfolio.worlds import iid_market
    >>> result = walk_forward(["equal_daily", "inverse_volatility"], iid_market(1200, 4), train=600, test=300)
    >>> list(result.table.index)
    ['equal_daily', 'inverse_volatility', 'equal_monthly']
    """
    market = as_market(market)
    named = _named(models, benchmark)
    if isinstance(costs, tuple | list) and len(costs) != 2:
        raise DataError(f"costs has {len(costs)} entries; give one rate, or a pair (buy, sell)")
    buy, sell = costs if isinstance(costs, tuple | list) else (costs, costs)
    block = check_number("block", block, least=1, what="a mean length of blocks in periods")
    draws = check_whole("draws", draws, least=1)
    level = check_number("level", level, above=0, below=1, what="a confidence level such as 0.95")
    if n_jobs is not None:
        check_whole("n_jobs", n_jobs)
    spans = folds(
        market,
        train=train,
        test=test,
        purge=purge,
        embargo=embargo,
        expanding=expanding,
        start=start,
        stop=stop,
    )
    chosen = _seeds(seeds)
    learned = [name for name, model in named.items() if hasattr(model, "train_agent")]
    if learned and not chosen:
        raise DataError("seeds is empty; agents need at least one seed, and five for a statement about seeds")
    begin, end = spans[0].test_start, spans[-1].test_stop + 1
    agents = _train_all(named, learned, market, spans, chosen, (buy, sell, lag), n_jobs)

    def run(name: str, rule: Any) -> BacktestResult:
        return backtest(market, rule, buy=buy, sell=sell, lag=lag, start=begin, stop=end, name=name)

    results: dict[str, BacktestResult] = {}
    by_seed: dict[str, dict[int, BacktestResult]] = {}
    starts = [span.test_start for span in spans]
    for name, model in named.items():
        if name in learned:
            from fisc.portfolio.estimator import average_rule

            rules = {
                seed: [agents[name, i, seed].bind(market, span.test_start) for i, span in enumerate(spans)]
                for seed in chosen
            }
            by_seed[name] = {seed: run(name, _ByFold(name, starts, rules[seed])) for seed in chosen}
            together = [average_rule([rules[seed][i] for seed in chosen], name) for i in range(len(spans))]
            results[name] = run(name, _ByFold(name, starts, list(together)))
        else:
            results[name] = run(name, _classical_rule(model, market, spans, end))
    return assemble(
        market,
        results,
        by_seed,
        spans=spans,
        curves={
            name: {f"seed {seed}": agents[name, len(spans) - 1, seed].curve for seed in chosen}
            for name in learned
        },
        bases={name: _base_name(named[name], results) for name in learned},
        benchmark=benchmark,
        block=block,
        draws=draws,
        level=level,
        log=log,
        options={
            "models": {name: _described(model) for name, model in named.items()},
            "train": train,
            "test": test,
            "purge": purge,
            "embargo": embargo,
            "seeds": chosen,
            "costs": [buy, sell],
            "lag": lag,
            "benchmark": benchmark,
            "block": block,
            "draws": draws,
        },
    )


def _seeds(seeds: Any) -> list[int]:
    """Return seeds, given as their number or one by one."""
    if isinstance(seeds, str | bytes | Mapping) or not isinstance(seeds, Iterable):
        return list(range(check_whole("seeds", seeds, least=0)))
    chosen = [check_seed("a seed", seed) for seed in seeds]
    if len(set(chosen)) < len(chosen):
        raise DataError(f"seeds={chosen!r:.80} repeat; each agent needs a seed of its own")
    return chosen


def _named(models: Any, benchmark: str) -> dict[str, Any]:
    """Give every model a name, and make strategies of names."""
    if isinstance(models, str) or not isinstance(models, Mapping | list | tuple):
        models = [models]
    pairs = (
        list(models.items())
        if isinstance(models, Mapping)
        else [(m if isinstance(m, str) else getattr(m, "name", type(m).__name__), m) for m in models]
    )
    named: dict[str, Any] = {}
    for name, model in pairs:
        if name in named:
            raise DataError(f"two models are called {name!r}; give a mapping of names to models")
        named[name] = baselines.get(model) if isinstance(model, str) else model
    if not isinstance(benchmark, str):
        raise DataError(f"benchmark={benchmark!r:.80} is not a name; name one of the models or a baseline")
    if not named:
        raise DataError("there is nothing to evaluate; give at least one model")
    if benchmark not in named:
        named[benchmark] = baselines.get(benchmark)
    return named


def _described(model: Any) -> str:
    """Return the model's settings as text, without the addresses that tell one process from another."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model))


def _base_name(model: Any, results: Mapping[str, Any]) -> str:
    """Return the evaluated classical strategy that an agent starts from, or an empty text."""
    wanted = {"equal": "equal_monthly"}.get(model.base, model.base)
    return wanted if wanted in results else ""


def _train_all(
    named: Mapping[str, Any],
    learned: list[str],
    market: Market,
    spans: list[Fold],
    seeds: list[int],
    frictions: tuple[Any, Any, int],
    n_jobs: int | None,
) -> dict[tuple[str, int, int], Any]:
    from joblib import Parallel, delayed

    if learned:
        require("torch", extra="portfolio")
    buy, sell, lag = frictions
    jobs = [(name, i, seed) for name in learned for i in range(len(spans)) for seed in seeds]
    agents = Parallel(n_jobs=n_jobs)(
        delayed(named[name].train_agent)(
            # What is handed over ends where training ends, so that nothing later can be seen.
            market[: spans[i].train_stop],
            rows=(spans[i].train_start, spans[i].train_stop),
            seed=seed,
            buy=buy,
            sell=sell,
            lag=lag,
        )
        for name, i, seed in jobs
    )
    return dict(zip(jobs, agents, strict=True))


def _classical_rule(model: Any, market: Market, spans: list[Fold], end: int) -> Any:
    from fisc.portfolio.online import BestCRP

    if isinstance(model, BestCRP):
        model = dataclasses.replace(model, stop=end)
    if hasattr(model, "bind"):
        return model.bind(market, spans[0].test_start)
    if hasattr(model, "fit") and hasattr(model, "predict"):
        from sklearn.base import clone

        rules: list[Rule] = []
        for span in spans:
            past = market.returns[span.train_start : span.train_stop - 1]
            fitted = clone(model).fit(pd.DataFrame(past, columns=list(market.assets)))
            weights = np.maximum(np.asarray(fitted.weights_, dtype=np.float64), 0.0)
            cash = max(0.0, 1.0 - float(weights.sum()))
            whole = np.concatenate([[cash], weights])
            rules.append(_OneTarget(span.test_start, whole / whole.sum()))
        return _ByFold(type(model).__name__, [span.test_start for span in spans], rules)
    if callable(model):
        return model
    raise DataError(
        f"{type(model).__name__} is not a model; give a name, a strategy, an RLPortfolio, an optimiser of skfolio or "
        "a callable of (history, weights)"
    )
