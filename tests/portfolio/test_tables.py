"""One door for tables: five libraries, the same bits; dates stay dates, names stay names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fisc.core import DataError
from fisc.portfolio import (
    EnvOptions,
    EpisodeOptions,
    Market,
    PortfolioEnv,
    PortfolioVecEnv,
    RLPortfolio,
    backtest,
    train,
    walk_forward,
)
from fisc.portfolio.backtesting import cost_rates

RNG = np.random.default_rng(0)
DATES = pd.bdate_range("2020-01-01", periods=160, name="date")
CLOSE = pd.DataFrame(
    np.exp(RNG.normal(0, 0.01, (160, 3)).cumsum(axis=0)), index=DATES, columns=["A", "B", "C"]
)
VOLUME = (CLOSE * 100).round()
TRADABLE = CLOSE.quantile(0.02) < CLOSE
RATES = pd.DataFrame(RNG.uniform(0, 0.01, (160, 3)), index=DATES, columns=["C", "A", "B"])
TARGETS = pd.DataFrame(RNG.dirichlet(np.ones(4), 20), index=DATES[5:105:5], columns=["B", "cash", "A", "C"])
SMALL: dict[str, Any] = {
    "network": "mlp",
    "window": 6,
    "episode": 8,
    "steps": 256,
    "n_envs": 16,
    "evaluations": 1,
}

LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas with a column of dates": lambda f: f.reset_index(),
    "pandas with text as dates": lambda f: f.set_axis(f.index.strftime("%Y-%m-%d")),
    "polars": lambda f: pl.from_pandas(f.reset_index()),
    "polars lazy": lambda f: pl.from_pandas(f.reset_index()).lazy(),
    "pyarrow": lambda f: pa.Table.from_pandas(f.reset_index(), preserve_index=False),
    "duckdb": lambda f: duckdb.from_arrow(pa.Table.from_pandas(f.reset_index(), preserve_index=False)),
}


def same_market(first: Market, second: Market) -> bool:
    fields = ("close", "tradable", "cash_rate", "high", "low", "open", "volume")
    return (
        first.assets == second.assets
        and first.dates.equals(second.dates)
        and all(np.array_equal(getattr(first, f), getattr(second, f)) for f in fields)
    )


def prices(table: Callable[[pd.DataFrame], Any]) -> Market:
    return Market.from_prices(
        table(CLOSE),
        high=table(CLOSE * 1.01),
        low=table(CLOSE * 0.99),
        open=table(CLOSE),
        volume=table(VOLUME),
        tradable=table(TRADABLE),
    )


def paid(options: EpisodeOptions) -> object:
    return cost_rates("buy", options.buy, Market.from_prices(CLOSE))


def first_step(env: PortfolioEnv) -> object:
    env.reset(seed=0)
    return env.step(np.array([0.0, 1.0, 2.0, 3.0]))[1]


MATRIX: dict[str, Callable[[Callable[[pd.DataFrame], Any]], object]] = {
    "Market.from_prices": prices,
    "Market.from_returns": lambda table: Market.from_returns(table(CLOSE.pct_change().iloc[1:])),
    "EpisodeOptions": lambda table: paid(EpisodeOptions(buy=table(RATES))),
    "EnvOptions": lambda table: paid(EnvOptions(buy=table(RATES))),
    "PortfolioEnv": lambda table: first_step(
        PortfolioEnv(Market.from_prices(CLOSE), buy=table(RATES), seed=0)
    ),
    "PortfolioVecEnv": lambda table: PortfolioVecEnv(
        Market.from_prices(CLOSE), n_envs=2, buy=table(RATES), seed=0
    ).step(np.eye(2, 4))[1],
    "backtest": lambda table: backtest(table(CLOSE), table(TARGETS), buy=table(RATES), sell=0.001).to_frame(),
    "walk_forward": lambda table: (
        walk_forward(["buy_and_hold"], table(CLOSE), train=60, test=40, draws=50).table
    ),
    "train": lambda table: train(table(CLOSE), **SMALL).curve,
    "RLPortfolio.fit": lambda table: RLPortfolio(**SMALL).fit(table(CLOSE.pct_change().iloc[1:120])).weights_,
    "RLPortfolio.predict": lambda table: (
        RLPortfolio(**SMALL)
        .fit(CLOSE.pct_change().iloc[1:120])
        .predict(table(CLOSE.pct_change().iloc[120:]))
        .returns
    ),
}


@pytest.mark.parametrize("name", MATRIX)
def test_every_library_gives_the_same_bits(name: str) -> None:
    expected = MATRIX[name](lambda frame: frame)
    for library, table in LIBRARIES.items():
        found = MATRIX[name](table)
        if isinstance(expected, Market):
            assert isinstance(found, Market)
            assert same_market(found, expected), library
        elif isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False, obj=library)
        else:
            np.testing.assert_array_equal(found, expected, err_msg=library)


def test_a_column_of_dates_is_never_an_asset() -> None:
    frame = pl.DataFrame({"date": list(DATES.date), "A": CLOSE["A"].to_numpy(), "B": CLOSE["B"].to_numpy()})
    market = Market.from_prices(frame)
    assert market.assets == ("A", "B")
    assert isinstance(market.dates, pd.DatetimeIndex)
    assert market.row("2020-01-03") == 2
    moved = frame.select("A", "date", "B")  # wherever it stands
    assert same_market(Market.from_prices(moved), market)


@pytest.mark.parametrize("library", ["polars", "polars lazy", "pyarrow", "duckdb"])
def test_a_table_without_dates_is_an_error_that_says_what_to_do(library: str) -> None:
    table = LIBRARIES[library](CLOSE.set_axis(pd.RangeIndex(160, name="row")))
    for call in (
        lambda: Market.from_prices(table),
        lambda: Market.from_returns(table),
        lambda: backtest(CLOSE, table, buy=0.0, sell=0.0),
    ):
        with pytest.raises(DataError, match=r"has no dates.*with a column of dates"):
            call()


def test_arrays_number_their_rows_as_before() -> None:
    market = Market.from_prices(CLOSE.to_numpy())
    assert market.assets == ("asset0", "asset1", "asset2")
    assert list(market.dates[:3]) == [0, 1, 2]


def test_rates_of_some_assets_or_days_only_are_refused() -> None:
    market = Market.from_prices(CLOSE)
    with pytest.raises(DataError, match="buy has no rate for"):
        cost_rates("buy", pl.from_pandas(RATES[["A", "B"]].reset_index()), market)
    with pytest.raises(DataError, match="outside"):
        cost_rates("buy", pl.from_pandas(RATES.iloc[5:].reset_index()), market)
