"""What a walk-forward evaluation found: Sharpe ratios with intervals, spread over seeds, verdicts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.core import DataError, FloatArray, Provenance, record, renamed
from fisc.portfolio import plots
from fisc.portfolio.backtesting import BacktestResult
from fisc.portfolio.folds import Fold, fold_table
from fisc.portfolio.market import PERIODS_PER_YEAR, Market
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
from fisc.portfolio.trials import TrialLog
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Evaluation", "assemble"]

_DIFFERENCE = ["difference", "difference_low", "difference_high", "p_value"]
_SEEDS = ["seed_iqm", "seed_low", "seed_high", "deflated"]
_LEADING = ["sharpe", "low", "high", *_DIFFERENCE, *_SEEDS]


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

    @renamed(seed="random_state")
    def compare(self, name: str, other: str, *, block: float = 20.0, random_state: int = 0) -> Interval:
        """Return the paired bootstrap of the Sharpe difference of two strategies."""
        for given in (name, other):
            if given not in self.excess.columns:
                raise DataError(f"{given!r} was not evaluated; there are {list(self.excess.columns)}")
        return sharpe_difference(
            self.excess[name], self.excess[other], block=block, level=self.level, random_state=random_state
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
        return plots.sharpe_differences(self.table, benchmark=self.benchmark, agents=self.agents, ax=ax)

    def section(self) -> Section:
        """Return verdicts, table and pictures as a section of a report."""
        measures = ["annual_return", "volatility", "max_drawdown", "turnover", "cost_drag_bp"]
        columns = ["sharpe", "low", "high", *_DIFFERENCE, *measures]
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
            seeds = self.table.loc[self.agents, _SEEDS]
            tables.append(
                Table(seeds, caption=f"Agents over {len(self.seed_sharpes)} seeds: interquartile mean")
            )
        return Section(
            "Out-of-sample evaluation",
            body="\n\n".join(self.summary().splitlines()),
            figures=_figures(self),
            tables=tuple(tables),
            provenance=self.provenance,
            question="Does a learned portfolio beat classical ones out of sample, net of costs?",
            finding=self.verdicts[0] if self.verdicts else "",
        )


def assemble(
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
    options: dict[str, object],
) -> Evaluation:
    """Put an evaluation together from the runs of every strategy and seed."""
    periods = market.periods_per_year
    returns = pd.DataFrame({name: result.net_returns for name, result in results.items()})
    excess = returns.sub(results[benchmark].cash_returns, axis=0)
    counts = stationary_bootstrap_counts(len(returns), block=block, draws=draws, random_state=0)
    seed_excess = {
        name: np.array([(r.net_returns - r.cash_returns).to_numpy() for r in runs.values()])
        for name, runs in by_seed.items()
    }
    seed_sharpes = pd.DataFrame(
        {name: sharpe_ratio(rows, periods=periods) for name, rows in seed_excess.items()},
        index=pd.Index(list(next(iter(by_seed.values()), {})), name="seed"),
    )
    if log is not None:
        for name, runs in by_seed.items():
            for seed in runs:
                # a log may hold trials of any frequency: all as of daily returns
                daily = float(seed_sharpes[name][seed]) * np.sqrt(PERIODS_PER_YEAR / periods)
                log.add({"name": name, **options}, seed=seed, sharpe=daily)
        tried = log.sharpes()
    else:
        tried = seed_sharpes.to_numpy().ravel() / np.sqrt(periods)
    table = pd.DataFrame({name: result.metrics() for name, result in results.items()}).T
    bands = _sharpe_intervals(excess, counts, level, periods)
    table["low"], table["high"] = bands[0], bands[1]
    for name in results:
        if name != benchmark:
            gap = sharpe_difference(
                excess[name], excess[benchmark], level=level, counts=counts, periods=periods
            )
            table.loc[name, _DIFFERENCE] = [gap.estimate, gap.low, gap.high, gap.p_value]
    for name in by_seed:
        if len(seed_sharpes) > 1:
            spread = interquartile_mean(seed_sharpes[name], level=level)
            table.loc[name, _SEEDS[:3]] = [spread.estimate, spread.low, spread.high]
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
        fold_table=fold_table(market, spans),
        benchmark=benchmark,
        bases=bases,
        overfitting=overfitting,
        trials=len(tried),
        verdicts=_verdicts(results, by_seed, excess, bases, benchmark, level, counts, periods),
        level=level,
        provenance=record(options=options, inputs={"close": market.close}, seed=0, notes=market.notes),
    )


def _sharpe_intervals(
    excess: pd.DataFrame, counts: FloatArray, level: float, periods: float
) -> tuple[FloatArray, FloatArray]:
    values, n = excess.to_numpy(), len(excess)
    mean = counts @ values / n
    variance = (counts @ values**2 / n - mean**2) * n / (n - 1)
    ratios = np.sqrt(periods) * mean / np.sqrt(np.maximum(variance, 1e-30))
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _verdicts(
    results: Mapping[str, BacktestResult],
    by_seed: Mapping[str, object],
    excess: pd.DataFrame,
    bases: Mapping[str, str],
    benchmark: str,
    level: float,
    counts: FloatArray,
    periods: float,
) -> tuple[str, ...]:
    classical = [name for name in results if name not in by_seed and name != "best_crp"]
    best = max(classical, key=lambda name: float(sharpe_ratio(excess[name])))
    sentences = []
    for name in by_seed or [n for n in classical if n != benchmark]:
        others = [benchmark, bases.get(name, ""), best if by_seed else ""]
        for other in dict.fromkeys(o for o in others if o and o != name):
            gap = sharpe_difference(excess[name], excess[other], level=level, counts=counts, periods=periods)
            label = {"equal_monthly": "equal weight (monthly)", "equal_daily": "equal weight (daily)"}.get(
                other, other
            )
            label += " (its base)" if other == bases.get(name) and other != benchmark else ""
            label += " (best rival)" if by_seed and other == best and other != benchmark else ""
            sentences.append(verdict(name, label, gap))
    return tuple(sentences)


def _figures(evaluation: Evaluation) -> tuple[Figure, ...]:
    """Return the pictures of an evaluation for a report.

    Sharpe differences; wealth and drawdown of the agents, their bases and the benchmark; turnover
    against net Sharpe ratio; weights and training curves of the first agent.
    """
    agents = evaluation.agents
    shown = [*agents, evaluation.benchmark, *evaluation.bases.values()]
    shown = [name for name in dict.fromkeys(shown) if name][:6]
    if not agents:
        shown = list(evaluation.to_frame().index[:6])
    figures = [
        Figure.from_matplotlib(
            evaluation.plot(),
            caption=(
                f"Difference of Sharpe ratios to {evaluation.benchmark}, paired stationary bootstrap, "
                f"{evaluation.level:.0%} intervals; learned strategies in orange."
            ),
            alt=evaluation.verdicts[0] if evaluation.verdicts else "Comparison of strategies.",
        ),
        Figure.from_matplotlib(
            plots.wealth_with_drawdown({name: evaluation.wealth[name] for name in shown}),
            caption="Wealth after costs, and its distance below its highest value.",
            alt="Wealth and drawdown of " + ", ".join(shown),
        ),
        Figure.from_matplotlib(
            plots.turnover_against_sharpe(evaluation.table, agents=agents),
            caption="Net Sharpe ratio against one-way turnover a year (above 20 and hindsight left out).",
            alt="Net Sharpe ratio against turnover of all strategies",
        ),
    ]
    for name in agents[:1]:
        figures.append(
            Figure.from_matplotlib(
                plots.weights_over_time(evaluation.weights[name], title=f"{name}, average of seeds"),
                caption=f"Weights that {name} held: its six largest assets, the others together, cash.",
                alt=f"Weights of {name} over time",
            )
        )
        curves = {seed: curve for seed, curve in evaluation.curves[name].items() if len(curve)}
        if curves:
            figures.append(
                Figure.from_matplotlib(
                    plots.training_curves(curves),
                    caption=f"Training of {name} on the last fold: net Sharpe ratio on its validation span.",
                    alt=f"Training curves of {name} over {len(curves)} seeds",
                )
            )
    return tuple(figures)
