"""Walk-forward evaluation of learned and classical strategies under one accounting.

Models are trained on past rows, asked about later ones, and run once, without interruption,
over all test spans; several seeds give a spread, the paired stationary bootstrap an interval,
and the number of trials a discount. The verdict is a sentence.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from fisc.core import DataError, FloatArray, check_number, check_seed, check_whole, require
from fisc.portfolio import baselines
from fisc.portfolio.backtesting import BacktestResult, backtest
from fisc.portfolio.evaluation import Evaluation, assemble
from fisc.portfolio.folds import Fold, Span, folds
from fisc.portfolio.market import CostRate, Date, Market, Prices, as_market
from fisc.portfolio.online import BestCRP
from fisc.portfolio.rules import AverageRule, ByFold, Decision, OneTarget, Rule, Strategy, Targets
from fisc.portfolio.trials import TrialLog

__all__ = ["walk_forward"]


class _Trained(Protocol):
    """An agent."""

    curve: pd.DataFrame

    def bind(self, market: Market, start: int) -> Rule: ...


@runtime_checkable
class _Learner(Protocol):
    """What is trained on every fold with every seed: an `RLPortfolio`."""

    base: str | None

    def train_agent(
        self,
        market: Market,
        *,
        rows: tuple[int, int],
        random_state: int,
        buy: CostRate,
        sell: CostRate,
        lag: int,
    ) -> _Trained: ...


@runtime_checkable
class _Optimiser(Protocol):
    """An optimiser of skfolio."""

    weights_: FloatArray

    def fit(self, X: pd.DataFrame) -> _Optimiser: ...


_Model: TypeAlias = _Learner | Strategy | _Optimiser | Callable[..., Decision]


def walk_forward(
    models: Mapping[str, _Model | str] | Sequence[_Model | str],
    market: Market | Prices,
    *,
    train: Span,
    test: Span,
    purge: int = 0,
    embargo: int = 5,
    seeds: int | Iterable[int] = 5,
    costs: CostRate | tuple[CostRate, CostRate] = 0.0025,
    lag: int = 0,
    benchmark: str = "equal_monthly",
    expanding: bool = False,
    start: Date | None = None,
    stop: Date | None = None,
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
    market : Market, table or array of prices
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
    learners = {name: model for name, model in named.items() if isinstance(model, _Learner)}
    learned = list(learners)
    if learned and not chosen:
        raise DataError("seeds is empty; agents need at least one seed, and five for a statement about seeds")
    begin, end = spans[0].test_start, spans[-1].test_stop + 1
    agents = _train_all(learners, market, spans, chosen, (buy, sell, lag), n_jobs)

    def run(name: str, rule: Targets) -> BacktestResult:
        return backtest(market, rule, buy=buy, sell=sell, lag=lag, start=begin, stop=end, name=name)

    results: dict[str, BacktestResult] = {}
    by_seed: dict[str, dict[int, BacktestResult]] = {}
    starts = [span.test_start for span in spans]
    for name, model in named.items():
        if name in learned:
            rules = {
                seed: [agents[name, i, seed].bind(market, span.test_start) for i, span in enumerate(spans)]
                for seed in chosen
            }
            by_seed[name] = {seed: run(name, ByFold(name, starts, rules[seed])) for seed in chosen}
            together = [AverageRule([rules[seed][i] for seed in chosen], name) for i in range(len(spans))]
            results[name] = run(name, ByFold(name, starts, list(together)))
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
        bases={name: _base_name(learners[name], results) for name in learned},
        benchmark=benchmark,
        block=block,
        draws=draws,
        level=level,
        log=log,
        options={
            "models": {name: _described(model) for name, model in named.items()},
            **{"train": train, "test": test, "purge": purge, "embargo": embargo, "seeds": chosen, "lag": lag},
            **{"costs": [buy, sell], "benchmark": benchmark, "block": block, "draws": draws},
        },
    )


def _seeds(seeds: int | Iterable[int]) -> list[int]:
    """Return seeds, given as their number or one by one."""
    if isinstance(seeds, str | bytes | Mapping) or not isinstance(seeds, Iterable):
        return list(range(check_whole("seeds", seeds, least=0)))
    chosen = [check_seed("a seed", seed) for seed in seeds]
    if len(set(chosen)) < len(chosen):
        raise DataError(f"seeds={chosen!r:.80} repeat; each agent needs a seed of its own")
    return chosen


def _named(
    models: Mapping[str, _Model | str] | Sequence[_Model | str] | _Model | str, benchmark: str
) -> dict[str, _Model]:
    """Give every model a name, and make strategies of names."""
    pairs: list[tuple[str, _Model | str]]
    if isinstance(models, Mapping):
        pairs = list(models.items())
    else:
        several: Sequence[_Model | str] = models if isinstance(models, list | tuple) else [models]  # type: ignore[list-item]
        pairs = [(m if isinstance(m, str) else getattr(m, "name", type(m).__name__), m) for m in several]
    named: dict[str, _Model] = {}
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


def _described(model: object) -> str:
    """Return the model's settings as text, without the addresses that tell one process from another."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model))


def _base_name(model: _Learner, results: Mapping[str, object]) -> str:
    """Return the evaluated classical strategy that an agent starts from, or an empty text."""
    wanted = {"equal": "equal_monthly"}.get(str(model.base), str(model.base))
    return wanted if wanted in results else ""


def _train_all(
    learners: Mapping[str, _Learner],
    market: Market,
    spans: list[Fold],
    seeds: list[int],
    frictions: tuple[CostRate, CostRate, int],
    n_jobs: int | None,
) -> dict[tuple[str, int, int], _Trained]:
    if learners:
        require("torch", extra="portfolio")
    buy, sell, lag = frictions
    jobs = [(name, i, seed) for name in learners for i in range(len(spans)) for seed in seeds]
    agents = Parallel(n_jobs=n_jobs)(
        delayed(learners[name].train_agent)(
            # What is handed over ends where training ends, so that nothing later can be seen.
            market[: spans[i].train_stop],
            rows=(spans[i].train_start, spans[i].train_stop),
            random_state=seed,
            buy=buy,
            sell=sell,
            lag=lag,
        )
        for name, i, seed in jobs
    )
    return dict(zip(jobs, agents, strict=True))


def _classical_rule(model: _Model, market: Market, spans: list[Fold], end: int) -> Targets:
    if isinstance(model, BestCRP):
        model = dataclasses.replace(model, stop=end)
    if isinstance(model, Strategy):
        return model.bind(market, spans[0].test_start)
    if hasattr(model, "fit") and hasattr(model, "predict"):
        from sklearn.base import clone  # there is no skfolio without it

        rules: list[Rule] = []
        for span in spans:
            past = market.returns[span.train_start : span.train_stop - 1]
            fitted: _Optimiser = clone(model).fit(pd.DataFrame(past, columns=list(market.assets)))
            weights = np.maximum(np.asarray(fitted.weights_, dtype=np.float64), 0.0)
            cash = max(0.0, 1.0 - float(weights.sum()))
            whole = np.concatenate([[cash], weights])
            rules.append(OneTarget(span.test_start, whole / whole.sum()))
        return ByFold(type(model).__name__, [span.test_start for span in spans], rules)
    if callable(model):
        return model
    raise DataError(
        f"{type(model).__name__} is not a model; give a name, a strategy, an RLPortfolio, an optimiser of skfolio or "
        "a callable of (history, weights)"
    )
