"""Remainder factor, drift, frozen assets, costs, lag: against golden numbers and closed forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from fisc.data import DataError, DataWarning
from fisc.portfolio import Market, backtest, remainder_factor
from fisc.portfolio.accounting import trade

GOLDEN = json.loads((Path(__file__).parent / "vectors" / "golden.json").read_text())
EXACT = 1e-12  # the golden numbers are given to double precision
ROUNDING = 1e-15  # a few units in the last place of numbers of order one


def golden_backtest(**options: Any) -> Any:
    path = GOLDEN["wealth_path"]
    targets = pd.DataFrame({int(k): v for k, v in path["targets"].items()}).T
    close = pd.DataFrame(path["close"], columns=["a", "b", "c"])
    return backtest(close, targets, buy=path["cost"], sell=path["cost"], **options)


@pytest.mark.parametrize(
    ("sell", "buy"), [(0.0025, 0.0025), (0.001, 0.0005), (0.05, 0.05), (0.0025, 0.0), (0.0, 0.0025)]
)
def test_remainder_factor_is_golden(sell: float, buy: float) -> None:
    mu = remainder_factor([0.1, 0.5, 0.3, 0.1], [0.0, 0.2, 0.3, 0.5], buy=buy, sell=sell)
    assert mu == pytest.approx(GOLDEN[f"mu cs={sell} cp={buy}"]["mu"], abs=EXACT)


def test_wealth_path_is_golden() -> None:
    result, path = golden_backtest(), GOLDEN["wealth_path"]
    for ours, name in (
        (result.net_returns, "r"),
        (result.wealth, "V"),
        (result.turnover, "turn"),
        (result.cost, "cost_frac"),
        (result.weights_end, "w_end"),
    ):
        np.testing.assert_allclose(ours.to_numpy(), path[name], rtol=0, atol=EXACT)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.floats(0, 0.3), st.floats(0, 0.3))
def test_cost_and_remainder_add_up_to_wealth(seed: int, n: int, buy: float, sell: float) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.dirichlet(np.full(n + 1, 0.3), 2)
    c_p, c_s = buy * rng.random(n), sell * rng.random(n)
    mu = remainder_factor(before, after, buy=c_p, sell=c_s)
    sold = np.maximum(before[1:] - mu * after[1:], 0)
    bought = np.maximum(mu * after[1:] - before[1:], 0)
    assert 0 < mu <= 1
    assert abs(1 - (c_s * sold).sum() - (c_p * bought).sum() - mu) <= 2 * ROUNDING
    # The compiled solver is a second implementation.
    other, held = trade(before, after, buy=c_p, sell=c_s)
    assert abs(other - mu) <= 2 * ROUNDING
    np.testing.assert_allclose(held, after, atol=1e-15)


def test_remainder_factor_equals_a_bisection_of_its_definition() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        before, after = rng.dirichlet(np.full(6, 0.4), 2)

        def gap(mu: float, b: Any = before, a: Any = after) -> float:
            trades = mu * a[1:] - b[1:]
            return mu - 1 + 0.03 * np.maximum(-trades, 0).sum() + 0.01 * np.maximum(trades, 0).sum()

        expected = brentq(gap, 0.5, 1.0, xtol=1e-15)
        assert remainder_factor(before, after, buy=0.01, sell=0.03) == pytest.approx(expected, abs=1e-14)


def test_remainder_factor_works_on_batches_and_costless_trades() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.dirichlet(np.ones(4), (2, 3, 5))
    mu = remainder_factor(before, after, buy=0.01, sell=0.02)
    assert mu.shape == (3, 5)
    assert mu[1, 2] == remainder_factor(before[1, 2], after[1, 2], buy=0.01, sell=0.02)
    assert remainder_factor(before, before, buy=0.01, sell=0.02) == pytest.approx(1.0, abs=ROUNDING)
    assert (remainder_factor(before, after, buy=0.0, sell=0.0) == 1.0).all()


def test_frozen_assets_keep_their_value_and_the_rest_keeps_its_proportions() -> None:
    before, target = np.array([0.1, 0.3, 0.4, 0.2]), np.array([0.2, 0.5, 0.1, 0.2])
    mu, held = trade(before, target, buy=0.01, sell=0.02, tradable=[True, False, True])
    assert mu * held[2] == pytest.approx(before[2], abs=ROUNDING)
    assert held.sum() == pytest.approx(1.0, abs=ROUNDING)
    assert held[1] / held[0] == pytest.approx(2.5, abs=1e-13)
    cost = 0.01 * max(mu * held[1] - 0.3, 0) + 0.02 * max(0.2 - mu * held[3], 0)
    cost += 0.02 * max(0.3 - mu * held[1], 0) + 0.01 * max(mu * held[3] - 0.2, 0)
    assert mu == pytest.approx(1 - cost, abs=ROUNDING)


def test_money_wanted_only_in_frozen_assets_waits_in_cash() -> None:
    mu, held = trade([0.5, 0.5, 0.0], [0.0, 0.0, 1.0], buy=0, sell=0, tradable=[True, False])
    assert mu == 1.0
    assert held.tolist() == [1.0, 0.0, 0.0]


def test_tradable_mask_in_a_backtest() -> None:
    close = pd.DataFrame({"a": [1.0, 1.1, 1.2, 1.3], "b": [1.0, 1.0, 1.0, 2.0]})
    tradable = close > 0
    tradable.loc[1, "b"] = False
    market = Market.from_prices(close, tradable=tradable)
    result = backtest(
        market, lambda history: [0.0, 1.0, 0.0] if len(history) > 1 else [0, 0, 1.0], buy=0, sell=0
    )
    assert result.weights["b"].tolist() == [1.0, 1.0, 0.0]


def test_missing_prices_are_an_error_unless_not_tradable() -> None:
    close = pd.DataFrame({"a": [np.nan, 1.0, 1.1], "b": [1.0, 1.0, 1.0]})
    with pytest.raises(DataError, match=r"NaN.*for a at 0"):
        Market.from_prices(close)
    with pytest.warns(DataWarning, match="carried 1 missing"):
        market = Market.from_prices(close, tradable=close.notna())
    assert market.relatives[0].tolist() == [1.0, 1.0, 1.0]


def test_lag_moves_trades() -> None:
    rng = np.random.default_rng(0)
    close = np.exp(rng.normal(0, 0.02, (8, 3)).cumsum(axis=0))
    weights = rng.dirichlet(np.ones(4), 8)
    late = backtest(close, weights, buy=0.01, sell=0.01, lag=2)
    shifted = pd.DataFrame(weights[:6], index=range(2, 8))
    assert late.net_returns.equals(backtest(close, shifted, buy=0.01, sell=0.01).net_returns)
    assert (late.cash_share.iloc[:2] == 1).all()


def test_cash_earns_its_rate() -> None:
    market = Market.from_prices([[1.0, 1.0]] * 3, cash_rate=[0.001, 0.002, 0.0])
    result = backtest(market, {0: [1.0, 0.0, 0.0]}, buy=0.0, sell=0.0)
    np.testing.assert_allclose(result.net_returns, [0.001, 0.002], atol=ROUNDING)
    with pytest.warns(DataWarning, match="per day, not per year"):
        Market.from_prices([[1.0, 1.0]] * 3, cash_rate=0.04)


def test_costs_by_asset_by_date_and_by_function_agree() -> None:
    rng = np.random.default_rng(0)
    close = pd.DataFrame(np.exp(rng.normal(0, 0.02, (6, 2)).cumsum(axis=0)), columns=["a", "b"])
    targets = rng.dirichlet(np.ones(3), 6)
    forms: list[Any] = [
        {"a": 0.01, "b": 0.002},
        pd.Series([0.002, 0.01], index=["b", "a"]),
        [0.01, 0.002],
        pd.DataFrame([[0.01, 0.002]] * 6, columns=["a", "b"]),
        lambda t, market: [0.01, 0.002],
    ]
    results = [backtest(close, targets, buy=form, sell=form).net_returns for form in forms]
    for other in results[1:]:
        assert other.equals(results[0])
    assert not results[0].equals(backtest(close, targets, buy=0.01, sell=0.01).net_returns)


def test_fee_hook_is_charged_on_top() -> None:
    close = [[1.0, 1.0]] * 3
    plain = backtest(close, {0: [0.0, 0.5, 0.5]}, buy=0.01, sell=0.01)
    with_fee = backtest(
        close, {0: [0.0, 0.5, 0.5]}, buy=0.01, sell=0.01, fee=lambda trades, wealth: 0.005 / wealth
    )
    assert plain.cost.iloc[0] == pytest.approx(1 - 1 / 1.01, abs=ROUNDING)
    assert with_fee.cost.iloc[0] == pytest.approx(1 - 0.995 / 1.01, abs=ROUNDING)
    with pytest.raises(DataError, match="fee returned"):
        backtest(close, {0: [0.0, 0.5, 0.5]}, buy=0.01, sell=0.01, fee=lambda trades, wealth: -1.0)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_price_units_do_not_matter(column: int) -> None:
    rng = np.random.default_rng(0)
    close = np.exp(rng.normal(0, 0.02, (30, 3)).cumsum(axis=0))
    targets = rng.dirichlet(np.ones(4), 30)
    scaled = close.copy()
    scaled[:, column] *= 1000.0
    first, second = (backtest(c, targets, buy=0.01, sell=0.01).net_returns for c in (close, scaled))
    np.testing.assert_allclose(first, second, atol=1e-13)


def test_forms_of_targets_agree() -> None:
    rng = np.random.default_rng(0)
    close = pd.DataFrame(np.exp(rng.normal(0, 0.02, (6, 2)).cumsum(axis=0)), columns=["a", "b"])
    weights = rng.dirichlet(np.ones(2), 6)
    whole = np.column_stack([np.zeros(6), weights])
    forms: list[Any] = [
        whole,
        weights,
        pd.DataFrame(whole, columns=["cash", "a", "b"]),
        pd.DataFrame(whole[:, [2, 0, 1]], columns=["b", "money", "a"]),
        pd.DataFrame(weights, columns=["a", "b"]),
        {t: whole[t] for t in range(6)},
        lambda history: whole[len(history) - 1],
        lambda history, held: pd.Series(weights[len(history) - 1], index=["a", "b"]),
    ]
    results = [backtest(close, form, buy=0.001, sell=0.002).net_returns.to_numpy() for form in forms]
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([[0.0, 0.5, 0.4]] * 3, "do not sum to one"),
        ([[0.0, 1.5, -0.5]] * 3, "are negative"),
        ([[0.0, np.nan, 1.0]] * 3, "NaN"),
        ([[0.5, 0.5, 0.0, 0.0]] * 3, "4 columns"),
        ([[0.0, 0.5, 0.5]], "one row for each of 3 dates"),
        ({7: [0.0, 0.5, 0.5]}, "not in the market"),
        (lambda: 1, r"\(history\)"),
        (lambda history: [0.5, 0.5, 0.5, 0.5], "expected 3 weights"),
    ],
)
def test_bad_targets(targets: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        backtest([[1.0, 1.0]] * 3, targets, buy=0.0, sell=0.0)


@pytest.mark.parametrize(
    ("close", "words"),
    [
        ([[1.0], [2.0]], "at least two assets"),
        ([[1.0, 2.0]], "at least two are needed"),
        ([[1.0, 0.0], [1.0, 1.0]], "zero or negative"),
        ([[1.0, np.inf], [1.0, 1.0]], "infinite"),
        (pd.DataFrame([[1.0, 1.0]] * 2, columns=["a", "a"]), "repeat"),
        (pd.DataFrame([[1.0, 1.0]] * 2, index=[1, 0]), "out of order"),
        (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "not numbers"),
        ([1.0, 2.0], "1 dimension"),
    ],
)
def test_bad_prices(close: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Market.from_prices(close)


@pytest.mark.parametrize("cost", [-0.001, 1.0, float("nan"), "much"])
def test_bad_costs(cost: Any) -> None:
    with pytest.raises(DataError, match=r"cost"):
        backtest([[1.0, 1.0]] * 3, {0: [0.0, 0.5, 0.5]}, buy=cost, sell=0.0)
    with pytest.raises(DataError, match=r"cost"):
        remainder_factor([1.0, 0.0], [0.0, 1.0], buy=0.0, sell=cost)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([1.0, 0.0], [0.5, 0.4], "sum to 0.9"),
        ([1.0, 0.0], [1.5, -0.5], "long only"),
        ([np.nan, 1.0], [0.0, 1.0], "NaN"),
        ([1.0], [1.0], "at least one asset"),
    ],
)
def test_bad_weights(before: Any, after: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        remainder_factor(before, after, buy=0.0, sell=0.0)


def test_result_goes_to_json_and_back_and_shows_itself() -> None:
    result = golden_backtest(name="golden")
    again = type(result).from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    pd.testing.assert_series_equal(again.net_returns, result.net_returns)
    assert again.metrics().equals(result.metrics())
    assert "golden: Sharpe" in result.summary()
    assert "<svg" in result._repr_html_()
    assert list(result.to_frame().columns)[:3] == ["gross_return", "net_return", "wealth"]


def test_break_even_cost_uses_up_the_growth() -> None:
    rng = np.random.default_rng(0)
    close = np.exp(rng.normal(0.002, 0.01, (100, 3)).cumsum(axis=0))
    targets = rng.dirichlet(np.ones(3), 100)
    rate = backtest(close, targets, buy=0.0, sell=0.0).break_even_cost
    # Costs themselves shrink later trades a little, hence not exactly one.
    assert backtest(close, targets, buy=rate, sell=rate).wealth.iloc[-1] == pytest.approx(1.0, abs=2e-3)


@given(
    have=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5),
    want=st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6),
)
@settings(deadline=None, derandomize=True)
def test_nothing_changes_when_everything_is_frozen(have: list[float], want: list[float]) -> None:
    drifted = np.array([0.0, *have]) / sum(have)
    target = np.array(want[: drifted.size]) + 0.01
    frozen = np.zeros(len(have), dtype=bool)
    mu, held = trade(drifted, target / target.sum(), buy=0.01, sell=0.02, tradable=frozen)
    assert mu == 1.0
    assert (held == drifted).all()


def test_wealth_of_a_wholly_frozen_portfolio_only_follows_prices() -> None:
    close = np.array([[1.0, 1.0], [1.1, 1.0], [1.2, 0.9], [1.3, 0.8]])
    tradable = np.array([[True, True], [False, False], [False, False], [True, True]])
    market = Market.from_prices(close, tradable=tradable)
    result = backtest(market, np.tile([0.0, 0.5, 0.5], (4, 1)), buy=0.0, sell=0.0)
    np.testing.assert_allclose(result.wealth, [1.05, 1.05, 1.05], rtol=1e-14)
    assert result.cost.tolist() == [0.0, 0.0, 0.0]
    assert result.turnover.tolist() == [0.5 + 0.5, 0.0, 0.0]
