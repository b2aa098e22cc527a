"""Portfolios under hostile prices, weights and options."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.portfolio import (
    Market,
    PortfolioEnv,
    PortfolioVecEnv,
    backtest,
    baselines,
    remainder_factor,
    walk_forward,
)

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large]
)
LARGE = 1000  # larger counts are a question of memory, not of validity


def prices() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    steps = np.exp(0.01 * rng.standard_normal((30, 3)))
    return pd.DataFrame(
        100 * np.cumprod(steps, axis=0),
        index=pd.bdate_range("2024-01-01", periods=30),
        columns=["A", "B", "C"],
    )


CLOSE = prices()
MARKET = Market.from_prices(CLOSE)
EQUAL = np.full(4, 0.25)


def market_numbers(market: Market) -> list[object]:
    return [market.close, market.relatives, market.returns, market.cash_rate]


@given(data=st.data())
@MANY
def test_market_of_hostile_prices(data: st.DataObject, hostile) -> None:
    frame = hostile.spoil(data, CLOSE)
    got = hostile.attempt(lambda: Market.from_prices(frame))
    if not got.refusal:
        assert not hostile.unfinished(market_numbers(got.value))
        assert (got.value.close > 0).all()
        assert got.value.dates.is_monotonic_increasing


@given(data=st.data())
@MANY
def test_market_of_hostile_fields(data: st.DataObject, hostile) -> None:
    good = {
        "high": CLOSE * 1.01,
        "low": CLOSE * 0.99,
        "open": CLOSE,
        "volume": CLOSE * 10,
        "tradable": CLOSE > 0,
        "cash_rate": 1e-4,
    }
    chosen = dict(good)
    if data.draw(st.booleans(), label="field"):
        name = data.draw(st.sampled_from(["high", "low", "open", "volume", "tradable"]), label="name")
        chosen[name] = hostile.spoil(data, good[name].astype(float))
    else:
        chosen = hostile.options(data, good)
    got = hostile.attempt(lambda: Market.from_prices(CLOSE, **chosen))
    if not got.refusal:
        market = got.value
        assert not hostile.unfinished(
            [*market_numbers(market), market.high, market.low, market.open, market.volume]
        )


@given(data=st.data())
@MANY
def test_market_of_hostile_returns(data: st.DataObject, hostile) -> None:
    frame = hostile.spoil(data, CLOSE.pct_change().iloc[1:])
    got = hostile.attempt(lambda: Market.from_returns(frame))
    if not got.refusal:
        assert not hostile.unfinished(market_numbers(got.value))


@given(data=st.data())
@MANY
def test_backtest_of_hostile_prices_and_targets(data: st.DataObject, hostile) -> None:
    table = pd.DataFrame(np.full((30, 4), 0.25), index=CLOSE.index, columns=["cash", "A", "B", "C"])
    market, targets, costs = MARKET, table, {"buy": 0.001, "sell": 0.002}
    which = data.draw(st.sampled_from(["prices", "targets", "options", "decision"]), label="part")
    if which == "prices":
        market, targets = hostile.spoil(data, CLOSE), EQUAL
    elif which == "targets":
        targets = hostile.spoil(data, table)
    elif which == "decision":
        value = data.draw(st.sampled_from([*hostile.numbers, *hostile.others]), label="decision")

        def targets(history):
            return value if len(history) == 7 else None

    else:
        costs = hostile.options(
            data,
            {**costs, "lag": 0, "start": 0, "stop": None, "name": "x", "fee": None},
            buy=([0.1, 0.2, 0.3], {"A": 0.1}, CLOSE * 0.0),
            stop=(5, -1),
            fee=(lambda w, g: float("nan"), lambda w, g: 2.0, lambda w, g: "x", lambda w, g: 0.01),
        )
    got = hostile.attempt(lambda: backtest(market, targets, **costs))
    if not got.refusal:
        result = got.value
        assert not hostile.unfinished(
            [
                result.gross_returns,
                result.net_returns,
                result.wealth,
                result.weights,
                result.turnover,
                result.cost,
            ]
        )
        assert (result.wealth > 0).all()


@given(data=st.data())
@MANY
def test_remainder_factor(data: st.DataObject, hostile) -> None:
    good = {"drifted": [0.1, 0.5, 0.4], "target": [0.2, 0.3, 0.5], "buy": 0.001, "sell": 0.002}
    chosen = hostile.options(
        data,
        good,
        drifted=([0.5, 0.5], [1e300, -1e300, 1], [np.nan, 0.5, 0.5], [[0.2, 0.3, 0.5]] * 2, [1.5, -0.5, 0.0]),
        target=([0.5, 0.5], [True, False, False], ["0.2", "0.3", "0.5"]),
        buy=([0.1, 0.1], [0.1] * 3, 0.999999),
    )
    drifted, target = chosen.pop("drifted"), chosen.pop("target")
    got = hostile.attempt(lambda: remainder_factor(drifted, target, **chosen))
    if not got.refusal:
        factor = np.asarray(got.value)
        assert not hostile.unfinished(factor)
        assert ((factor > 0) & (factor <= 1)).all()


@given(data=st.data())
@MANY
def test_environments(data: st.DataObject, hostile) -> None:
    good = {
        "window": 5,
        "episode": 4,
        "reward": "log_return",
        "buy": 0.001,
        "sell": 0.001,
        "observation": "dense",
        "lag": 0,
        "seed": 0,
        "base": None,
        "band": 0.0,
        "initial": "cash",
        "rows": None,
    }
    many = data.draw(st.booleans(), label="many")
    if many:
        good["n_envs"] = 2
    chosen = hostile.options(
        data,
        good,
        reward=("differential_sharpe", "nope"),
        rows=((0, 20), (20, 0), (-5, 10), (0, 99), ("a", "b"), (0.5, 20.0), (0, 6)),
        base=(EQUAL, [0.25] * 4, [np.nan] * 4, [0.5, 0.5]),
        lag=(1, 5),
        initial=("equal", "random"),
    )
    for name in ("n_envs", "episode", "window"):
        if name in chosen and isinstance(chosen[name], int) and chosen[name] > LARGE:
            chosen[name] = LARGE if name != "n_envs" else 3

    def run():
        if not many:
            env = PortfolioEnv(MARKET, **chosen)
            first, _ = env.reset()
            return [first, *env.step(np.zeros(env.action_space.shape))[:2]]
        env = PortfolioVecEnv(MARKET, **chosen)
        first = env.reset()
        return [first, *env.step(np.zeros((env.num_envs, *env.action_space.shape)))[:2]]

    got = hostile.attempt(run)
    if not got.refusal:
        assert not hostile.unfinished(got.value)


@given(data=st.data())
@MANY
def test_walk_forward(data: st.DataObject, hostile) -> None:
    good = {
        "train": 12,
        "test": 6,
        "purge": 0,
        "embargo": 1,
        "seeds": 1,
        "costs": 0.001,
        "lag": 0,
        "benchmark": "equal_monthly",
        "expanding": False,
        "start": None,
        "stop": None,
        "block": 3.0,
        "draws": 20,
        "level": 0.9,
        "n_jobs": 1,
    }
    market, models = MARKET, {"hold": baselines.get("buy_and_hold")}
    which = data.draw(st.sampled_from(["options", "options", "models", "market"]), label="part")
    chosen = dict(good)
    if which == "options":
        chosen = hostile.options(
            data,
            good,
            train=(25, (0, 10), ("2024-01-01", "2024-01-20")),
            seeds=([0, 1], [0, 0], [-1]),
            stop=(20, "x"),
            start=("2024-01-10", 5),
        )
        for name in ("draws", "seeds", "n_jobs"):
            if isinstance(chosen[name], int) and abs(chosen[name]) > LARGE:
                chosen[name] = 2
    elif which == "models":
        models = data.draw(
            st.sampled_from([*hostile.others, *hostile.numbers, {"a": None}, {7: EQUAL}, {"a": [1]}]),
            label="models",
        )
    else:
        market = hostile.spoil(data, CLOSE)
    got = hostile.attempt(lambda: walk_forward(models, market, **chosen))
    if not got.refusal:
        assert len(got.value.summary()) > 10
