"""Tests of the machinery on markets whose truth is known, as commands anyone can run.

*Leak*: everything after some close is replaced; what was observed, decided and held up to that
close must stay the same to the last bit. A rule that looks ahead on purpose must be caught.
*Planted signal*: in a market with autocorrelated returns an agent must find what is there.
*Independent returns*: in a market with nothing to find, no agent may look better than equal
weight more often than the test's error rate.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fisc.core import DataError, Provenance, check_option, record
from fisc.portfolio import baselines
from fisc.portfolio.backtesting import backtest
from fisc.portfolio.market import Market
from fisc.portfolio.statistics import sharpe_difference
from fisc.portfolio.worlds import ar1_market, iid_market
from fisc.report import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fisc.portfolio.agents import Agent
    from fisc.report import Section

__all__ = ["PARTS", "SelfTest", "leak_test", "reversal_rule", "selftest", "with_other_future"]

PARTS = ("leak", "planted", "iid")
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
        from fisc.portfolio import plots

        return plots.selftest(self, ax=ax)

    def section(self) -> Section:
        """Return the checks as a section of a report."""
        from fisc.report import Figure, Section, Table

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


def with_other_future(market: Market, t: int, *, seed: int = 0) -> Market:
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
    rng = np.random.default_rng(seed)
    steps = np.diff(np.log(market.close), axis=0)
    steps[t:] = -1.5 * steps[t:][rng.permutation(len(steps) - t)]
    close = market.close.copy()
    close[t + 1 :] = close[t] * np.exp(np.cumsum(steps[t:], axis=0))
    ratio = close / market.close

    def follow(field: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
        return None if field is None else np.where(ratio == 1.0, field, field * ratio)

    def turned(values: NDArray[Any]) -> NDArray[Any]:
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


def leak_test(
    strategy: Any, market: Market, *, t: int, start: int, cost: float = 0.0025, seed: int = 0
) -> list[str]:
    """Return what changes up to row `t` when everything after it is replaced: nothing, or a leak.

    Parameters
    ----------
    strategy : Strategy, callable or targets
        Anything that `backtest` takes or that has ``bind``.
    market : Market
    t : int
        Last row whose data stay.
    start : int
        First decision.
    cost : float
    seed : int

    Returns
    -------
    list of str
        Of "decision" (at `t`), "weights" (held up to `t`), "returns" (up to the period that ends
        at `t`), those that are not bit-identical.

    Examples
    --------
    >>> market = iid_market(200, 3)
    >>> leak_test(baselines.get("eg"), market, t=120, start=50)
    []
    >>> leak_test(baselines.get("best_crp"), market, t=120, start=50)
    ['decision', 'weights', 'returns']
    """
    runs = []
    for world in (market, with_other_future(market, t, seed=seed)):
        rule = strategy.bind(world, start) if hasattr(strategy, "bind") else strategy
        result = backtest(world, rule, buy=cost, sell=cost, start=start, stop=t + 2)
        last = t - start
        runs.append(
            {
                "decision": result.weights.to_numpy()[last],
                "weights": result.weights.to_numpy()[: last + 1],
                "returns": result.net_returns.to_numpy()[:last],
            }
        )
    return [key for key in runs[0] if not np.array_equal(runs[0][key], runs[1][key])]


def reversal_rule(market: Market, *, strength: float) -> Any:
    """Return a rule that tilts towards yesterday's losers: the oracle of the planted market.

    Parameters
    ----------
    market : Market
    strength : float
        Change of the logit by one standard deviation of the daily return.

    Returns
    -------
    callable
        For `backtest`.
    """
    sd = market.returns.std()

    def rule(history: pd.DataFrame) -> NDArray[np.float64]:
        now, before = history.to_numpy()[-1], history.to_numpy()[-2]
        tilt = np.exp(-strength * np.log(now / before) / sd)
        return np.concatenate([[0.0], tilt / tilt.sum()])

    return rule


def selftest(
    parts: Sequence[str] | str = PARTS,
    *,
    seeds: int = 3,
    worlds: int = 20,
    steps: int = 80_000,
    n_jobs: int | None = 1,
    seed: int = 0,
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
    seed : int, default 0

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
    if seeds < 1 or worlds < 1:
        raise DataError(f"seeds={seeds}, worlds={worlds}; give at least one of each")
    rows: list[dict[str, Any]] = []
    if "leak" in chosen:
        rows += _leak_checks(seed)
    if "planted" in chosen:
        rows += _planted_checks(seeds, steps, n_jobs, seed)
    if "iid" in chosen:
        rows += _iid_checks(worlds, steps // 2, n_jobs, seed)
    return SelfTest(
        pd.DataFrame(rows, columns=["part", "check", "value", "needed", "passed", "note"]),
        record(options={"parts": chosen, "seeds": seeds, "worlds": worlds, "steps": steps}, seed=seed),
    )


def _row(part: str, check: str, value: Any, needed: str, passed: bool, note: str = "") -> dict[str, Any]:
    return {
        "part": part,
        "check": check,
        "value": value,
        "needed": needed,
        "passed": bool(passed),
        "note": note,
    }


def _untrained(market: Market, network: str, base: str | None, seed: int) -> Agent:
    """Return an agent with random heads, whose decisions depend on all that it sees."""
    import torch

    from fisc.portfolio.training import TrainOptions, _Run

    options = TrainOptions(network=network, base=base, window=20, base_window=60, seed=seed)
    run = _Run(market, options, None)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for last in (run.network.asset_head[-1], run.network.cash_head[-1]):
            torch.nn.init.normal_(last.get_parameter("weight"), 0.0, 0.5, generator=generator)
    return run.agent(0)


def _leak_checks(seed: int) -> list[dict[str, Any]]:
    import torch

    from fisc.portfolio.features import asset_features
    from fisc.portfolio.networks import NETWORKS
    from fisc.portfolio.rewards import warm_state
    from fisc.portfolio.simulation import window_table
    from fisc.portfolio.training import train

    market = ar1_market(240, 5, seed=seed)
    rows_of_test, start = (130, 170, 210), 100
    rows = []
    for name, kind in (
        ("dense windows", lambda m: window_table(m, 20)),
        ("features", lambda m: asset_features(m, 20)),
        ("reward state", lambda m: warm_state(m, 1 / 252)),
    ):
        known = kind(market)
        changed = [
            t
            for t in rows_of_test
            if not np.array_equal(known[: t + 1], kind(with_other_future(market, t))[: t + 1])
        ]
        rows.append(
            _row(
                "leak",
                f"observation ({name}) bit-identical",
                "yes" if not changed else f"no, {changed}",
                "yes",
                not changed,
            )
        )
    strategies: dict[str, Any] = {
        f"{network} policy": _untrained(market[:140], network, base, seed)
        for network, base in zip(NETWORKS, ("equal", "inverse_volatility", None, None, None), strict=True)
    }
    strategies |= baselines.rivals(
        ["equal_monthly", "inverse_volatility", "hrp", "min_variance", "eg", "olmar", "universal"], window=60
    )
    for name, strategy in strategies.items():
        found = sorted({x for t in rows_of_test for x in leak_test(strategy, market, t=t, start=start)})
        rows.append(
            _row(
                "leak",
                f"decisions and weights of {name} bit-identical",
                "no: " + ", ".join(found) if found else "yes",
                "yes",
                not found,
            )
        )
    caught = leak_test(baselines.get("best_crp"), market, t=170, start=start)
    rows.append(
        _row("leak", "a rule that looks ahead is caught", "yes" if caught else "no", "yes", bool(caught))
    )
    small: dict[str, Any] = {
        "network": "mlp",
        "window": 20,
        "episode": 16,
        "steps": 2048,
        "n_envs": 32,
        "settings": {"n_steps": 32},
    }
    first, second = (
        train(m, rows=(0, 200), seed=seed, **small).network.state_dict()
        for m in (market, with_other_future(market, 199))
    )
    same = all(torch.equal(first[name], second[name]) for name in first)
    rows.append(
        _row("leak", "training on rows before t gives the same weights", "yes" if same else "no", "yes", same)
    )
    return rows


def _planted(cost: float, seed: int, steps: int, world: int) -> tuple[float, float]:
    from fisc.portfolio.training import train

    market = ar1_market(4500, 10, seed=1000 + world)
    agent = train(
        market,
        rows=(0, 3500),
        network="mlp",
        window=21,
        steps=steps,
        buy=cost,
        sell=cost,
        seed=seed,
        evaluations=4,
        settings={"gamma": 0.7, "batch": 1024, "n_steps": 32},
    )
    scores = []
    for strategy in (agent, baselines.get("equal_daily")):
        result = backtest(market, strategy.bind(market, 3500), buy=cost, sell=cost, start=3500)
        scores.append(float(result.metrics()["sharpe"]))
    return scores[0], scores[1]


def _planted_checks(seeds: int, steps: int, n_jobs: int | None, world: int) -> list[dict[str, Any]]:
    from joblib import Parallel, delayed

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
    from fisc.portfolio.training import train

    market = iid_market(2000, 6, seed=2000 + world)
    agent = train(
        market,
        rows=(0, 1000),
        network="mlp",
        window=21,
        steps=steps,
        buy=0.0,
        sell=0.0,
        evidence=1.0,
        evaluations=4,
        n_envs=64,
        seed=world,
        settings={"gamma": 0.7, "batch": 1024, "n_steps": 32},
    )
    returns = [
        backtest(market, strategy.bind(market, 1000), buy=0.0, sell=0.0, start=1000).net_returns
        for strategy in (agent, baselines.get("equal_daily"))
    ]
    gap = sharpe_difference(*returns, draws=1000, seed=world)
    return gap.estimate, gap.p_value / 2 if gap.estimate > 0 else 1 - gap.p_value / 2


def _iid_checks(worlds: int, steps: int, n_jobs: int | None, seed: int) -> list[dict[str, Any]]:
    from joblib import Parallel, delayed

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
