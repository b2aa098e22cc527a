"""Walk-forward evaluation of learned and classical strategies under one accounting.

Models are trained on past rows, asked about later ones, and run once, without interruption,
over all test spans; several seeds give a spread, the paired stationary bootstrap an interval,
and the number of trials a discount. The verdict is a sentence.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fisc.data import DataError, Provenance, check_number, check_seed, check_whole, record
from fisc.portfolio import baselines
from fisc.portfolio.backtesting import BacktestResult, Rule, backtest
from fisc.portfolio.market import PERIODS_PER_YEAR, Market, as_market
from fisc.portfolio.metrics import sharpe_ratio
from fisc.portfolio.statistics import (
    Interval,
    deflated_sharpe,
    interquartile_mean,
    probability_of_backtest_overfitting,
    sharpe_difference,
    stationary_bootstrap_counts,
    verdict,
)
from fisc.report import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fisc.portfolio.trials import TrialLog
    from fisc.report import Section

__all__ = ["Evaluation", "Fold", "folds", "walk_forward"]

Float = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Fold:
    """One split: training rows ``[train_start, train_stop)``, decisions ``[test_start, test_stop)``."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


def folds(
    market: Market,
    *,
    train: Any,
    test: Any,
    purge: int = 0,
    embargo: int = 0,
    expanding: bool = False,
    start: Any = None,
    stop: Any = None,
) -> list[Fold]:
    """Return the splits of a walk forward.

    Parameters
    ----------
    market : Market
    train : int or (start, stop)
        Closes in each training span; or one span of rows or dates.
    test : int or (start, stop)
        Decisions in each test span (the last may be shorter); or one span of rows or dates.
    purge, embargo : int
        Closes left out between the end of training and the first test decision: `purge` for
        labels that reach into the test, `embargo` for dependence that outlasts them.
    expanding : bool, default False
        Let training start at the first row always.
    start, stop : row or date, optional
        First test decision and last close (exclusive).

    Returns
    -------
    list of Fold

    Raises
    ------
    DataError
        If a test set lies inside its training set, or the data are too short.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 1.0]] * 100)
    >>> folds(market, train=40, test=30, purge=5)
    [Fold(train_start=0, train_stop=40, test_start=45, test_stop=75), \
Fold(train_start=30, train_stop=70, test_start=75, test_stop=99)]
    """
    for name, value in (("purge", purge), ("embargo", embargo)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise DataError(
                f"{name}={value!r} would put test rows inside the training set; give a number of closes, at least 0"
            )

    def row(given: Any) -> int:
        return int(given) if isinstance(given, int | np.integer) else market.row(given)

    if isinstance(train, tuple | list) or isinstance(test, tuple | list):
        if not (isinstance(train, tuple | list) and isinstance(test, tuple | list)):
            raise DataError("give both train and test as spans (start, stop), or both as numbers of closes")
        for name, span in (("train", train), ("test", test)):
            if len(span) != 2:
                raise DataError(f"{name}={span!r:.80} is no span; give two rows or dates, (start, stop)")
        (a, b), (c, d) = (row(x) for x in train), (row(x) for x in test)
        d = min(d, len(market) - 1)
        if c < b + purge + embargo:
            raise DataError(
                f"the test set starts at row {c}, inside or too close to the training set, which ends at row {b} and "
                f"asks for a gap of {purge + embargo}; move the test behind it"
            )
        if not 0 <= a < b or not c < d:
            raise DataError(f"train rows {a} to {b} and test rows {c} to {d} do not hold any period")
        return [Fold(a, b, c, d)]
    for name, value in (("train", train), ("test", test)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise DataError(
                f"{name}={value!r}; give a number of closes of at least 1, or a span (start, stop)"
            )
    gap = purge + embargo
    end = len(market) if stop is None else row(stop)
    first = train + gap if start is None else row(start)
    if first < train + gap or first >= end - 1:
        raise DataError(
            f"train={train}, purge={purge} and embargo={embargo} need {train + gap} closes before the first test "
            f"decision (row {first}) and at least two from there to row {end}; the market has {len(market)}"
        )
    return [
        Fold(0 if expanding else c - gap - train, c - gap, c, min(c + test, end - 1))
        for c in range(first, end - 1, test)
    ]


@dataclasses.dataclass(frozen=True)
class Evaluation(Result):
    """Out-of-sample performance of several strategies over the same periods.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a strategy (agents: the average portfolio of their seeds): the measures of
        `BacktestResult.metrics`; ``low`` and ``high``, the bootstrap interval of the Sharpe ratio;
        ``difference``, ``difference_low``, ``difference_high``, ``p_value`` against the benchmark; for agents
        ``seed_iqm``, ``seed_low``, ``seed_high`` over seeds, ``deflated`` (probability that the
        Sharpe ratio is not luck of the search).
    returns : pandas.DataFrame of shape (n_periods, n_strategies)
        Net returns.
    excess : pandas.DataFrame
        The same less the return of cash.
    wealth : pandas.DataFrame
    seed_sharpes : pandas.DataFrame of shape (n_seeds, n_agents)
        Net Sharpe ratio of each seed alone.
    weights : dict of str to pandas.DataFrame
        Weights held by each learned agent's average portfolio, cash first.
    curves : dict of str to dict of str to pandas.DataFrame
        Training curves of the last fold by agent and seed.
    fold_table : pandas.DataFrame
        Rows and dates of each split.
    benchmark : str
        Strategy that differences are against.
    bases : dict of str to str
        Classical strategy from which each agent departs, among those evaluated.
    overfitting : float
        Probability of backtest overfitting over all strategies and seeds (CSCV).
    trials : int
        Number of trials behind ``deflated``.
    verdicts : tuple of str
        A sentence for each agent and comparison.
    level : float
        Of all intervals.
    provenance : Provenance
    """

    table: pd.DataFrame
    returns: pd.DataFrame
    excess: pd.DataFrame
    wealth: pd.DataFrame
    seed_sharpes: pd.DataFrame
    weights: dict[str, pd.DataFrame]
    curves: dict[str, dict[str, pd.DataFrame]]
    fold_table: pd.DataFrame
    benchmark: str
    bases: dict[str, str]
    overfitting: float
    trials: int
    verdicts: tuple[str, ...]
    level: float
    provenance: Provenance

    @property
    def agents(self) -> list[str]:
        """Names of the learned strategies."""
        return list(self.seed_sharpes.columns)

    def to_frame(self) -> pd.DataFrame:
        """Return the table, best net Sharpe ratio first."""
        return self.table.sort_values("sharpe", ascending=False)

    def compare(self, name: str, other: str, *, block: float = 20.0, seed: int = 0) -> Interval:
        """Return the paired bootstrap of the Sharpe difference of two strategies."""
        for given in (name, other):
            if given not in self.excess.columns:
                raise DataError(f"{given!r} was not evaluated; there are {list(self.excess.columns)}")
        return sharpe_difference(
            self.excess[name], self.excess[other], block=block, level=self.level, seed=seed
        )

    def summary(self) -> str:
        """Return the verdicts, and how many folds, seeds and trials stand behind them."""
        lines = [
            *(f"{sentence}." for sentence in self.verdicts),
            f"{len(self.fold_table)} folds, {len(self.returns)} periods, {len(self.seed_sharpes)} seeds, {self.trials} "
            f"trials; probability of backtest overfitting {self.overfitting:.2f}.",
        ]
        return "\n".join(lines)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the Sharpe difference of every strategy to the benchmark with its interval."""
        from fisc.portfolio import plots

        return plots.sharpe_differences(self, ax=ax)

    def section(self) -> Section:
        """Return verdicts, table and pictures as a section of a report."""
        from fisc.portfolio import plots
        from fisc.report import Section, Table

        columns = [
            "sharpe",
            "low",
            "high",
            "difference",
            "difference_low",
            "difference_high",
            "p_value",
            "annual_return",
            "volatility",
            "max_drawdown",
            "turnover",
            "cost_drag_bp",
        ]
        tables = [
            Table(
                self.to_frame()[columns],
                caption="Out of sample, net of costs, best Sharpe ratio first",
                note=(
                    f"Intervals: stationary bootstrap, {self.level:.0%}; difference to {self.benchmark}, paired. "
                    "Turnover one-way a year, cost drag in basis points a year. best_crp looks ahead: a ceiling."
                ),
                decimals={"turnover": 2, "cost_drag_bp": 0},
            )
        ]
        if self.agents:
            seeds = self.table.loc[self.agents, ["seed_iqm", "seed_low", "seed_high", "deflated"]]
            tables.append(
                Table(seeds, caption=f"Agents over {len(self.seed_sharpes)} seeds: interquartile mean")
            )
        return Section(
            "Out-of-sample evaluation",
            body="\n\n".join(self.summary().splitlines()),
            figures=plots.evaluation_figures(self),
            tables=tuple(tables),
            provenance=self.provenance,
            question="Does a learned portfolio beat classical ones out of sample, net of costs?",
            finding=self.verdicts[0] if self.verdicts else "",
        )


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
    return _assemble(
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
            "models": {name: repr(model) for name, model in named.items()},
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


def _assemble(
    market: Market,
    results: dict[str, BacktestResult],
    by_seed: dict[str, dict[int, BacktestResult]],
    *,
    spans: list[Fold],
    curves: dict[str, dict[str, pd.DataFrame]],
    bases: dict[str, str],
    benchmark: str,
    block: float,
    draws: int,
    level: float,
    log: TrialLog | None,
    options: dict[str, Any],
) -> Evaluation:
    returns = pd.DataFrame({name: result.net_returns for name, result in results.items()})
    excess = returns.sub(results[benchmark].cash_returns, axis=0)
    counts = stationary_bootstrap_counts(len(returns), block=block, draws=draws, seed=0)
    seed_excess = {
        name: np.array([(r.net_returns - r.cash_returns).to_numpy() for r in runs.values()])
        for name, runs in by_seed.items()
    }
    seed_sharpes = pd.DataFrame(
        {name: sharpe_ratio(rows) for name, rows in seed_excess.items()},
        index=pd.Index(list(next(iter(by_seed.values()), {})), name="seed"),
    )
    if log is not None:
        for name, runs in by_seed.items():
            for seed in runs:
                log.add({"name": name, **options}, seed=seed, sharpe=float(seed_sharpes[name][seed]))
        tried = log.sharpes()
    else:
        tried = seed_sharpes.to_numpy().ravel() / np.sqrt(PERIODS_PER_YEAR)
    table = pd.DataFrame({name: result.metrics() for name, result in results.items()}).T
    bands = _sharpe_intervals(excess, counts, level)
    table["low"], table["high"] = bands[0], bands[1]
    for name in results:
        if name != benchmark:
            gap = sharpe_difference(excess[name], excess[benchmark], level=level, counts=counts)
            table.loc[name, ["difference", "difference_low", "difference_high", "p_value"]] = [
                gap.estimate,
                gap.low,
                gap.high,
                gap.p_value,
            ]
    for name in by_seed:
        if len(seed_sharpes) > 1:
            spread = interquartile_mean(seed_sharpes[name], level=level)
            table.loc[name, ["seed_iqm", "seed_low", "seed_high"]] = [
                spread.estimate,
                spread.low,
                spread.high,
            ]
        table.loc[name, "deflated"] = deflated_sharpe(excess[name], tried)
    everything = [excess[name].to_numpy() for name in results if name not in by_seed and name != "best_crp"]
    everything += [row for rows in seed_excess.values() for row in rows]
    blocks = 16 if len(returns) >= 160 else 4
    overfitting = float("nan")
    if len(everything) > 1 and len(returns) >= 2 * blocks:
        overfitting = probability_of_backtest_overfitting(np.column_stack(everything), blocks=blocks)
    return Evaluation(
        table=table.reindex(columns=[*_LEADING, *[c for c in table.columns if c not in _LEADING]]),
        returns=returns,
        excess=excess,
        wealth=(1 + returns).cumprod(),
        seed_sharpes=seed_sharpes,
        weights={name: results[name].weights for name in by_seed},
        curves=curves,
        fold_table=_fold_table(market, spans),
        benchmark=benchmark,
        bases=bases,
        overfitting=overfitting,
        trials=len(tried),
        verdicts=_verdicts(results, by_seed, excess, bases, benchmark, level, counts),
        level=level,
        provenance=record(options=options, inputs={"close": market.close}, seed=0, notes=market.notes),
    )


_LEADING = [
    "sharpe",
    "low",
    "high",
    "difference",
    "difference_low",
    "difference_high",
    "p_value",
    "seed_iqm",
    "seed_low",
    "seed_high",
    "deflated",
]


def _sharpe_intervals(excess: pd.DataFrame, counts: Float, level: float) -> tuple[Float, Float]:
    values, n = excess.to_numpy(), len(excess)
    mean = counts @ values / n
    variance = (counts @ values**2 / n - mean**2) * n / (n - 1)
    ratios = np.sqrt(PERIODS_PER_YEAR) * mean / np.sqrt(np.maximum(variance, 1e-30))
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _fold_table(market: Market, spans: list[Fold]) -> pd.DataFrame:
    rows = [
        {
            **dataclasses.asdict(span),
            "train_from": market.dates[span.train_start],
            "train_to": market.dates[span.train_stop - 1],
            "test_from": market.dates[span.test_start],
            "test_to": market.dates[span.test_stop],
        }
        for span in spans
    ]
    return pd.DataFrame(rows).rename_axis("fold")


def _verdicts(
    results: Mapping[str, BacktestResult],
    by_seed: Mapping[str, Any],
    excess: pd.DataFrame,
    bases: Mapping[str, str],
    benchmark: str,
    level: float,
    counts: Float,
) -> tuple[str, ...]:
    classical = [name for name in results if name not in by_seed and name != "best_crp"]
    best = max(classical, key=lambda name: float(sharpe_ratio(excess[name])))
    sentences = []
    for name in by_seed or [n for n in classical if n != benchmark]:
        others = [benchmark, bases.get(name, ""), best if by_seed else ""]
        for other in dict.fromkeys(o for o in others if o and o != name):
            gap = sharpe_difference(excess[name], excess[other], level=level, counts=counts)
            label = {"equal_monthly": "equal weight (monthly)", "equal_daily": "equal weight (daily)"}.get(
                other, other
            )
            label += " (its base)" if other == bases.get(name) and other != benchmark else ""
            label += " (best rival)" if by_seed and other == best and other != benchmark else ""
            sentences.append(verdict(name, label, gap))
    return tuple(sentences)
