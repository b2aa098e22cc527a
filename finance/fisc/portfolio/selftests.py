"""Tests of the machinery on markets whose truth is known, as commands anyone can run.

*Leak*: everything after some close is replaced; what was observed, decided and held up to that
close must stay the same to the last bit. A rule that looks ahead on purpose must be caught.
*Planted signal*: in a market with autocorrelated returns an agent must find what is there.
*Independent returns*: in a market with nothing to find, no agent may look better than equal
weight more often than the test's error rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed

from fisc.core import AnyArray, DataError, FloatArray, Provenance, check_option, check_whole, record, renamed
from fisc.portfolio import baselines, plots
from fisc.portfolio.agents import Agent
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.features import asset_features
from fisc.portfolio.market import Market
from fisc.portfolio.networks import NETWORKS
from fisc.portfolio.options import Allocator, Network, Part, TrainOptions
from fisc.portfolio.rewards import warm_state
from fisc.portfolio.rules import Strategy, Targets
from fisc.portfolio.runs import Run
from fisc.portfolio.simulation import window_table
from fisc.portfolio.statistics import sharpe_difference
from fisc.portfolio.training import train
from fisc.portfolio.worlds import ar1_market, iid_market
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PARTS", "SelfTest", "leak_test", "reversal_rule", "selftest", "with_other_future"]

PARTS = get_args(Part)
_COLUMNS = ["part", "check", "value", "needed", "passed", "note"]
# Net Sharpe ratios that an agent must reach in the planted market, by cost rate.
PLANTED_NEEDED = {0.0: 2.0, 0.001: 0.9}
_WORLDS_SHARE = 0.9  # of the independent markets in which nothing may be found


@dataclasses.dataclass(frozen=True)
class SelfTest(Result):
    """What the self-tests found.

    Attributes
    ----------
    checks : pandas.DataFrame
        One row a check: ``part``, ``check``, ``value``, ``needed``, ``passed``, ``note``.
    provenance : Provenance
    """

    checks: pd.DataFrame
    provenance: Provenance

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks["passed"].all())

    def to_frame(self) -> pd.DataFrame:
        """Return the checks."""
        return self.checks

    def summary(self) -> str:
        """Return the outcome and each check in a line."""
        failed = int((~self.checks["passed"].astype(bool)).sum())
        head = "all self-tests passed" if self.passed else f"{failed} of {len(self.checks)} checks failed"
        lines = [
            (
                f"{'ok  ' if row.passed else 'FAIL'} {row.part}: {row.check} {row.value} "
                f"(needed {row.needed}) {row.note}"
            ).rstrip()
            for row in self.checks.itertuples()
        ]
        return "\n".join([head, *lines])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the planted-signal Sharpe ratios against what is needed."""
        return plots.selftest(self.checks, ax=ax)

    def section(self) -> Section:
        """Return the checks as a section of a report."""
        planted = (self.checks["part"] == "planted").any()
        alt = "Net Sharpe ratios of agents in the planted market."
        figures = (Figure.from_matplotlib(self.plot(), caption=alt, alt=alt),) if planted else ()
        return Section(
            "Self-tests of the portfolio machinery",
            body=self.summary().splitlines()[0] + ".",
            figures=figures,
            tables=(Table(self.checks, index=False),),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def with_other_future(market: Market, t: int, *, random_state: int = 0) -> Market:
    """Return the market with everything after row `t` replaced.

    The returns after `t` are shuffled over dates, reversed in sign and made half as large
    again; the other fields follow the close, tradability and interest are reversed in time.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 2.0], [1.1, 2.0], [1.2, 2.1], [1.1, 2.2]])
    >>> other = with_other_future(market, 1)
    >>> bool((other.close[:2] == market.close[:2]).all()), bool((other.close[2:] == market.close[2:]).all())
    (True, False)
    """
    if not 0 <= t < len(market) - 1:
        raise DataError(f"t={t} leaves no future in a market of {len(market)} dates")
    rng = np.random.default_rng(random_state)
    steps = np.diff(np.log(market.close), axis=0)
    steps[t:] = -1.5 * steps[t:][rng.permutation(len(steps) - t)]
    close = market.close.copy()
    close[t + 1 :] = close[t] * np.exp(np.cumsum(steps[t:], axis=0))
    ratio = close / market.close

    def follow(field: FloatArray | None) -> FloatArray | None:
        return None if field is None else np.where(ratio == 1.0, field, field * ratio)

    def turned(values: AnyArray) -> AnyArray:
        return np.concatenate([values[: t + 1], values[t + 1 :][::-1]])

    return dataclasses.replace(
        market,
        close=close,
        high=follow(market.high),
        low=follow(market.low),
        open=follow(market.open),
        volume=follow(market.volume),
        tradable=turned(market.tradable),
        cash_rate=turned(market.cash_rate),
    )


@renamed(seed="random_state")
def leak_test(
    strategy: Targets, market: Market, *, t: int, start: int, cost: float = 0.0025, random_state: int = 0
) -> list[str]:
    """Return what changes up to row `t` when everything after it is replaced: nothing, or a leak.

    Of "decision" (at `t`), "weights" (held up to `t`) and "returns" (up to the period that ends at `t`), those
    that are not bit-identical. The strategy is anything that `backtest` takes; `start` is its first decision.

    Examples
    --------
    >>> market = iid_market(200, 3)
    >>> leak_test(baselines.get("eg"), market, t=120, start=50)
    []
    >>> leak_test(baselines.get("best_crp"), market, t=120, start=50)
    ['decision', 'weights', 'returns']
    """
    runs = []
    for world in (market, with_other_future(market, t, random_state=random_state)):
        result = backtest(world, strategy, buy=cost, sell=cost, start=start, stop=t + 2)
        last = t - start
        runs.append(
            {
                "decision": result.weights.to_numpy()[last],
                "weights": result.weights.to_numpy()[: last + 1],
                "returns": result.net_returns.to_numpy()[:last],
            }
        )
    return [key for key in runs[0] if not np.array_equal(runs[0][key], runs[1][key])]


def reversal_rule(market: Market, *, strength: float) -> Callable[[pd.DataFrame], FloatArray]:
    """Return a rule that tilts towards yesterday's losers: the oracle of the planted market.

    `strength` is the change of the logit by one standard deviation of the daily return.
    """
    sd = market.returns.std()

    def rule(history: pd.DataFrame) -> FloatArray:
        now, before = history.to_numpy()[-1], history.to_numpy()[-2]
        tilt = np.exp(-strength * np.log(now / before) / sd)
        return np.concatenate([[0.0], tilt / tilt.sum()])

    return rule


@renamed(seed="random_state")
def selftest(
    parts: Sequence[Part] | Part = PARTS,
    *,
    seeds: int = 3,
    worlds: int = 20,
    steps: int = 80_000,
    n_jobs: int | None = 1,
    random_state: int = 0,
) -> SelfTest:
    """Run the self-tests.

    Parameters
    ----------
    parts : sequence of str or str, default all
        Of "leak", "planted", "iid".
    seeds : int, default 3
        Agents in the planted market, at each cost.
    worlds : int, default 20
        Independent markets.
    steps : int, default 80000
        Environment steps of each agent of the planted market (half of it in each independent
        market).
    n_jobs : int, optional
        Runs at once, through joblib.
    random_state : int, default 0

    Returns
    -------
    SelfTest

    Examples
    --------
    >>> selftest("iid", worlds=1, steps=4096).passed  # far too few worlds to be sure
    True
    """
    chosen = [parts] if isinstance(parts, str) else list(parts)
    for part in chosen:
        check_option("part", part, PARTS)
    for name, value in (("seeds", seeds), ("worlds", worlds), ("steps", steps)):
        check_whole(name, value, least=1)
    rows: list[dict[str, object]] = []
    if "leak" in chosen:
        rows += _leak_checks(random_state)
    if "planted" in chosen:
        rows += _planted_checks(seeds, steps, n_jobs, random_state)
    if "iid" in chosen:
        rows += _iid_checks(worlds, steps // 2, n_jobs, random_state)
    return SelfTest(
        pd.DataFrame(rows, columns=_COLUMNS),
        record(
            options={"parts": chosen, "seeds": seeds, "worlds": worlds, "steps": steps}, seed=random_state
        ),
    )


def _row(
    part: Part, check: str, value: float | str, needed: str, passed: bool, note: str = ""
) -> dict[str, object]:
    return dict(zip(_COLUMNS, (part, check, value, needed, bool(passed), note), strict=True))


def _unchanged(check: str, changed: Collection[object]) -> dict[str, object]:
    """Return the row of a check that nothing changes."""
    found = "no: " + ", ".join(map(str, changed)) if changed else "yes"
    return _row("leak", check, found, "yes", not changed)


def _untrained(market: Market, network: Network, base: Allocator | None, seed: int) -> Agent:
    """Return an agent with random heads, whose decisions depend on all that it sees."""
    options = TrainOptions(network=network, base=base, window=20, base_window=60, random_state=seed)
    run = Run(market, options.checked())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for last in (run.network.asset_head[-1], run.network.cash_head[-1]):
            torch.nn.init.normal_(last.get_parameter("weight"), 0.0, 0.5, generator=generator)
    return run.agent(0)


def _leak_checks(seed: int) -> list[dict[str, object]]:
    market = ar1_market(240, 5, random_state=seed)
    tested, start = (130, 170, 210), 100
    rows = []
    for name, kind in (
        ("dense windows", lambda m: window_table(m, 20)),
        ("features", lambda m: asset_features(m, 20)),
        ("reward state", lambda m: warm_state(m, 1 / 252)),
    ):
        known = kind(market)
        changed = [
            t
            for t in tested
            if not np.array_equal(known[: t + 1], kind(with_other_future(market, t))[: t + 1])
        ]
        rows.append(_unchanged(f"observation ({name}) bit-identical", changed))
    bases: tuple[Allocator | None, ...] = ("equal", "inverse_volatility", None, None, None)
    strategies: dict[str, Strategy] = {
        f"{network} policy": _untrained(market[:140], network, base, seed)
        for network, base in zip(NETWORKS, bases, strict=True)
    }
    strategies |= baselines.rivals(
        ["equal_monthly", "inverse_volatility", "hrp", "min_variance", "eg", "olmar", "universal"], window=60
    )
    for name, strategy in strategies.items():
        found = sorted({x for t in tested for x in leak_test(strategy, market, t=t, start=start)})
        rows.append(_unchanged(f"decisions and weights of {name} bit-identical", found))
    caught = bool(leak_test(baselines.get("best_crp"), market, t=170, start=start))
    rows.append(_row("leak", "a rule that looks ahead is caught", "yes" if caught else "no", "yes", caught))
    small: dict[str, Any] = {"network": "mlp", "window": 20, "episode": 16, "steps": 2048, "n_envs": 32}
    first, second = (
        train(m, rows=(0, 200), random_state=seed, settings={"n_steps": 32}, **small).network.state_dict()
        for m in (market, with_other_future(market, 199))
    )
    changed_weights = [name for name in first if not torch.equal(first[name], second[name])]
    rows.append(_unchanged("training on rows before t gives the same weights", changed_weights))
    return rows


# What agents of the worlds below are trained with.
_QUICK: dict[str, Any] = {
    "network": "mlp",
    "window": 21,
    "evaluations": 4,
    "settings": {"gamma": 0.7, "batch": 1024, "n_steps": 32},
}


def _planted(cost: float, seed: int, steps: int, world: int) -> tuple[float, float]:
    market = ar1_market(4500, 10, random_state=1000 + world)
    agent = train(market, rows=(0, 3500), steps=steps, buy=cost, sell=cost, random_state=seed, **_QUICK)
    scores = []
    for strategy in (agent, baselines.get("equal_daily")):
        result = backtest(market, strategy.bind(market, 3500), buy=cost, sell=cost, start=3500)
        scores.append(float(result.metrics()["sharpe"]))
    return scores[0], scores[1]


def _planted_checks(seeds: int, steps: int, n_jobs: int | None, world: int) -> list[dict[str, object]]:
    jobs = [(cost, seed) for cost in PLANTED_NEEDED for seed in range(seeds)]
    scores = Parallel(n_jobs=n_jobs)(delayed(_planted)(cost, seed, steps, world) for cost, seed in jobs)
    return [
        _row(
            "planted",
            f"net Sharpe at cost {cost:.1%}, seed {seed}",
            round(agent, 2),
            f">= {PLANTED_NEEDED[cost]}",
            agent >= PLANTED_NEEDED[cost],
            f"equal weight {equal:+.2f}",
        )
        for (cost, seed), (agent, equal) in zip(jobs, scores, strict=True)
    ]


def _iid(world: int, steps: int) -> tuple[float, float]:
    """Return the Sharpe difference to equal weight and its one-sided p-value."""
    market = iid_market(2000, 6, random_state=2000 + world)
    agent = train(
        market,
        rows=(0, 1000),
        steps=steps,
        buy=0.0,
        sell=0.0,
        evidence=1.0,
        n_envs=64,
        random_state=world,
        **_QUICK,
    )
    returns = [
        backtest(market, strategy.bind(market, 1000), buy=0.0, sell=0.0, start=1000).net_returns
        for strategy in (agent, baselines.get("equal_daily"))
    ]
    gap = sharpe_difference(*returns, draws=1000, random_state=world)
    return gap.estimate, gap.p_value / 2 if gap.estimate > 0 else 1 - gap.p_value / 2


def _iid_checks(worlds: int, steps: int, n_jobs: int | None, seed: int) -> list[dict[str, object]]:
    found = Parallel(n_jobs=n_jobs)(delayed(_iid)(100 * seed + world, steps) for world in range(worlds))
    quiet = sum(p >= 0.05 for _, p in found)
    needed = int(np.floor(_WORLDS_SHARE * worlds))
    largest = max(found)
    return [
        _row(
            "iid",
            f"worlds of {worlds} in which no agent looks better than equal weight at 5 %",
            quiet,
            f">= {needed}",
            quiet >= needed,
            f"largest Sharpe difference {largest[0]:+.2f}, smallest p {min(p for _, p in found):.2f}",
        )
    ]
