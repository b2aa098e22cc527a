"""What every algorithm of a training run shares: its spans, base path, network, judgement and progress."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np
import pandas as pd
import torch

from fisc.core import DataError, FloatArray, check_number, check_whole, record
from fisc.portfolio import baselines
from fisc.portfolio.agents import Agent, AgentCard
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import Market
from fisc.portfolio.metrics import sharpe_ratio
from fisc.portfolio.networks import MarketView, NetworkOptions, PolicyNetwork
from fisc.portfolio.options import Algorithm, TrainOptions, as_reward
from fisc.portfolio.simulation import Simulation
from fisc.portfolio.statistics import sharpe_difference

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["ALGORITHMS", "Judge", "Report", "Reporter", "Run", "TrainOptions"]

ALGORITHMS = get_args(Algorithm)
Report: TypeAlias = Callable[[dict[str, float]], object]

_FEWEST_CLOSES = 22  # of a validation span: a month


class Run:
    """The spans, the base path and the network of a run, and its judgement on the validation span.

    `rows` are the first row to decide on and the last close (exclusive) that may be looked at.
    """

    def __init__(self, market: Market, options: TrainOptions, rows: tuple[int, int] | None = None) -> None:
        first, stop = (
            (0, len(market)) if rows is None else (check_whole("a row of rows", row) for row in rows)
        )
        if not 0 <= first < stop <= len(market):
            raise DataError(f"rows=({first}, {stop}) are not a span of the {len(market)} dates of the market")
        self.options, self.reward = options, as_reward(options.reward)
        self.buy, self.sell = check_number("buy", options.buy), check_number("sell", options.sell)
        self.market = market[:stop]  # nothing after the last row can be looked at
        self.first = max(first, options.window)
        self.split = self.first + round((stop - self.first) * (1 - options.validation))
        if stop - self.split < _FEWEST_CLOSES:
            raise DataError(
                f"validation={options.validation} of {stop - self.first} rows leaves {stop - self.split} closes; at "
                f"least {_FEWEST_CLOSES} are needed: give a longer history or a larger share"
            )
        self.base: FloatArray | None = None
        if options.base is not None:
            window, every = options.base_window, options.base_every
            self.base = baselines.path(
                self.market, options.base, buy=self.buy, sell=self.sell, window=window, every=every
            )
        self.training = self.market[: self.split]
        fields = 1 + sum(x is not None for x in (market.high, market.low, market.open, market.volume))
        self.network_options = NetworkOptions(
            options.network, options.window, fields, width=options.width, log_std=options.log_std
        )
        self.view = MarketView(self.training, self.network_options)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.random_state)
            self.network = PolicyNetwork(self.network_options)
        self.episodes: dict[str, object] = {
            **{
                name: getattr(options, name)
                for name in ["episode", "reward", "buy", "sell", "lag", "band", "random_state"]
            },
            "window": options.window + 1,
            "base": None if self.base is None else self.base[: self.split],
            "initial": "equal" if self.base is None else "base",
            "rows": (self.first, self.split),
        }
        said = dataclasses.asdict(options)
        self.provenance = record(
            options={**said, "settings": dict(options.settings or {})},
            inputs={"close": self.market.close, "dates": [str(d) for d in self.market.dates]},
            seed=options.random_state,
        )

    def simulation(self) -> Simulation:
        """Return the training environments."""
        return Simulation(self.training, n_envs=self.options.n_envs, **self.episodes)

    def agent(self, steps: int, *, departed: bool = True, squash: bool = False) -> Agent:
        """Return the network as it stands as an agent."""
        card = AgentCard(
            **{name: getattr(self.options, name) for name in AgentCard.OF_TRAINING},
            reward=self.reward.name,
            buy=self.buy,
            sell=self.sell,
            network=dataclasses.asdict(self.network_options),
            scale=tuple(float(x) for x in self.view.scale),
            assets=self.market.assets,
            squash=squash,
            departed=departed,
            seed=self.options.random_state,
            steps=steps,
            validation={},
            provenance=self.provenance,
        )
        return Agent(self.network, card)

    def judge(self, *, squash: bool = False) -> FloatArray:
        """Return the net excess returns of the network as it stands on the validation span."""
        rule = self.agent(0, squash=squash).bind(self.market, self.split)
        result = backtest(
            self.market, rule, buy=self.buy, sell=self.sell, lag=self.options.lag, start=self.split
        )
        return np.array(result.net_returns - result.cash_returns, dtype=np.float64)


class Judge:
    """Keeps the best weights of a run and knows when to stop.

    `squash` says whether logits are squashed when the network is used.
    """

    def __init__(self, run: Run, *, squash: bool = False) -> None:
        self.run, self.squash = run, squash
        self.start = run.judge(squash=squash)
        self.best = self.start
        self.best_sharpe = self.start_sharpe = _sharpe(self.start)
        self.best_steps = 0
        self.waited = 0
        self.weights = copy.deepcopy(run.network.state_dict())

    def consider(self, steps: int) -> float:
        """Judge the network as it stands, keep it if it is the best, return its Sharpe ratio."""
        returns = self.run.judge(squash=self.squash)
        score = _sharpe(returns)
        if score > self.best_sharpe:
            self.best, self.best_sharpe, self.best_steps, self.waited = returns, score, steps, 0
            self.weights = copy.deepcopy(self.run.network.state_dict())
        else:
            self.waited += 1
        return score

    @property
    def tired(self) -> bool:
        """Whether patience has run out."""
        return self.waited >= self.run.options.patience

    def finish(self, steps: int, curve: list[dict[str, float]]) -> Agent:
        """Return the best agent; one that does not beat its base convincingly holds the base."""
        options = self.run.options
        self.run.network.load_state_dict(self.weights)
        departed = True
        validation = {"agent": self.best_sharpe, "start": self.start_sharpe}
        if options.base is not None:
            departed = self.best_steps > 0
            if departed and options.evidence < 1:
                gain = sharpe_difference(self.best, self.start, draws=1000, random_state=options.random_state)
                departed = gain.estimate > 0 and gain.p_value / 2 <= options.evidence
                validation["p_value"] = gain.p_value / 2
        agent = self.run.agent(steps, departed=departed, squash=self.squash)
        card = dataclasses.replace(agent.card, validation=validation)
        return Agent(self.run.network, card, pd.DataFrame(curve))


def _sharpe(returns: FloatArray) -> float:
    """Net Sharpe ratio, zero where returns do not vary (all cash)."""
    ratio = float(sharpe_ratio(returns))
    return ratio if np.isfinite(ratio) else 0.0


class Reporter:
    """A progress bar, a callable, or nothing, behind one call per row of the training curve."""

    def __init__(self, progress: bool | Report, total: int) -> None:
        self.given, self.total, self.last = progress, total, float("nan")
        self.bar: Progress | None = None

    def __enter__(self) -> Report:
        if callable(self.given):
            return self.given
        if not self.given:
            return lambda row: None
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = self.bar = Progress(*columns)
        bar.start()
        task = bar.add_task("validation Sharpe   –", total=self.total)

        def show(row: dict[str, float]) -> None:
            score = row.get("validation_sharpe", float("nan"))
            self.last = self.last if np.isnan(score) else score
            label = "–" if np.isnan(self.last) else f"{self.last:+.2f}"
            bar.update(task, advance=1, description=f"validation Sharpe {label:>5}")

        return show

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
