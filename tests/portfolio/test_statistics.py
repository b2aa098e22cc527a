"""Measures, bootstrap, deflation, overfitting: golden numbers, closed forms, simulations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fisc.data import DataError, DataWarning
from fisc.portfolio import HoldOut, Market, TrialLog
from fisc.portfolio.metrics import max_drawdown, performance, sharpe_ratio, sharpe_standard_error
from fisc.portfolio.statistics import (
    Interval,
    deflated_sharpe,
    expected_maximum_sharpe,
    interquartile_mean,
    probabilistic_sharpe,
    probability_of_backtest_overfitting,
    probability_of_improvement,
    sharpe_difference,
    stationary_bootstrap_counts,
    verdict,
)

GOLDEN = json.loads((Path(__file__).parent / "vectors" / "golden.json").read_text())


def test_golden_probabilities() -> None:
    value = probabilistic_sharpe(0.1, 252, skew=-0.5, kurtosis=5)
    assert value == pytest.approx(GOLDEN["psr sr=.1 n=252 sk=-.5 ku=5"], abs=1e-12)
    for n, expected in zip((10, 100), GOLDEN["emax V=1/252 N=10,100"], strict=True):
        assert expected_maximum_sharpe(1 / 252, n) == pytest.approx(expected, abs=1e-12)
    for years, expected in GOLDEN["SE of annual Sharpe~1 by years"].items():
        assert sharpe_standard_error(1.0, round(252 * float(years))) == pytest.approx(expected, abs=1e-12)


def test_measures_by_hand() -> None:
    net = np.array([0.1, -0.2, 0.05, 0.1])
    m = performance(net, periods=4, level=0.5)
    wealth = np.cumprod(1 + net)
    assert m["sharpe"] == pytest.approx(2 * net.mean() / net.std(ddof=1))
    assert m["max_drawdown"] == pytest.approx(0.2)
    assert m["volatility"] == pytest.approx(2 * net.std(ddof=1))
    assert m["cvar"] == pytest.approx((0.2 - 0.05) / 2)
    assert m["hit_rate"] == 0.75
    assert m["annual_return"] == pytest.approx(wealth[-1] - 1)
    assert m["calmar"] == pytest.approx(m["annual_return"] / 0.2)
    assert m["sortino"] == pytest.approx(2 * net.mean() / np.sqrt(0.04 / 4))
    assert m["final_wealth"] == pytest.approx(wealth[-1])


def test_sharpe_ratio_of_cash_is_not_a_number_and_drawdown_counts_the_start() -> None:
    assert np.isnan(sharpe_ratio([0.0, 0.0, 0.0]))
    assert np.isnan(performance([0.0, 0.0])["sharpe"])
    assert max_drawdown([0.9, 1.2]) == pytest.approx(0.1)


def test_standard_error_is_right_in_simulation() -> None:
    rng = np.random.default_rng(0)
    draws = sharpe_ratio(rng.standard_t(8, (4000, 252)) * 0.01 + 0.0006)
    one = performance(rng.standard_t(8, 252) * 0.01 + 0.0006)["sharpe_se"]
    assert one == pytest.approx(draws.std(), rel=0.06)


def test_bootstrap_blocks_have_the_asked_length_and_cover_evenly() -> None:
    counts = stationary_bootstrap_counts(200, block=10, draws=4000, seed=0)
    assert (counts.sum(axis=1) == 200).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=0.12)
    x = np.random.default_rng(0).normal(size=200)
    # Politis and Romano (1994): the variance of the resampled mean is a sum of autocovariances
    # with weights (1 - k/n)(1 - p)^k + (k/n)(1 - p)^(n-k).
    centred, n, p = x - x.mean(), 200, 0.1
    autocovariance = np.array([(centred * np.roll(centred, k)).mean() for k in range(n)])
    k = np.arange(1, n)
    expected = (autocovariance[0] + 2 * ((1 - k / n) * (1 - p) ** k * autocovariance[1:]).sum()) / n
    assert (counts @ x / n).var() == pytest.approx(expected, rel=0.1)


def test_difference_test_has_its_size_and_power() -> None:
    rng = np.random.default_rng(0)
    rejected = 0
    for seed in range(60):
        market = rng.normal(0.0005, 0.01, 500)
        pair = market + rng.normal(0, 0.004, (2, 500))
        rejected += sharpe_difference(pair[0], pair[1], draws=400, seed=seed).p_value < 0.05
    assert rejected <= 8
    market = rng.normal(0.0005, 0.01, 1000)
    better = sharpe_difference(market + rng.normal(0.0005, 0.002, 1000), market, draws=500)
    assert better.low > 0
    assert better.p_value < 0.05
    assert "is better than" in verdict("a", "b", better)
    assert "is worse than" in verdict("a", "b", Interval(-0.2, -0.3, -0.1, 0.01))


def test_same_seed_same_interval() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.01, (2, 300))
    assert sharpe_difference(first, second, seed=3) == sharpe_difference(first, second, seed=3)
    assert sharpe_difference(first, second, seed=3) != sharpe_difference(first, second, seed=4)


def test_overfitting_is_half_without_skill_and_none_with_it() -> None:
    rng = np.random.default_rng(0)
    values = [
        probability_of_backtest_overfitting(rng.normal(0, 0.01, (400, 10)), blocks=8) for _ in range(40)
    ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)
    skilled = rng.normal(0, 0.01, (400, 10))
    skilled[:, 3] += 0.004
    assert probability_of_backtest_overfitting(skilled, blocks=8) < 0.01


def test_deflation_grows_with_trials() -> None:
    rng = np.random.default_rng(0)
    returns = rng.normal(0.0012, 0.01, 504)
    tried = rng.normal(0, 0.05, 50)
    one = deflated_sharpe(returns, [0.1])
    assert one == pytest.approx(
        probabilistic_sharpe(
            returns.mean() / returns.std(ddof=1),
            504,
            skew=float(((returns - returns.mean()) ** 3).mean() / returns.std() ** 3),
            kurtosis=float(((returns - returns.mean()) ** 4).mean() / returns.std() ** 4),
        )
    )
    assert one > deflated_sharpe(returns, tried, trials=5) > deflated_sharpe(returns, tried)


def test_interquartile_mean_drops_the_outer_quarters() -> None:
    spread = interquartile_mean([1.0, 2.0, 3.0, 4.0, 100.0, -100.0, 2.5, 3.5])
    assert spread.estimate == pytest.approx(2.75)
    assert spread.low <= spread.estimate <= spread.high
    assert probability_of_improvement([2.0, 3.0], [1.0]) == 1.0


def test_trial_log_counts_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    log = TrialLog(tmp_path / "log.jsonl")
    with pytest.raises(DataError, match="empty"):
        log.deflated_sharpe([0.01, 0.02, 0.0])
    for seed in range(5):
        log.add({"network": "mlp"}, seed=seed, sharpe=1.0 + seed / 10)
    assert len(log) == 5
    returns = np.random.default_rng(0).normal(0.001, 0.01, 252)
    assert log.deflated_sharpe(returns) == deflated_sharpe(returns, log.sharpes())
    log.path.write_text(log.path.read_text() + "{broken\n")
    with pytest.raises(DataError, match=r"line 6 .* damaged"):
        log.trials()


def test_hold_out_counts_its_openings_and_knows_its_data(tmp_path: Path) -> None:
    market = Market.from_prices(np.exp(np.random.default_rng(0).normal(0, 0.01, (50, 2)).cumsum(axis=0)))
    hold = HoldOut.lock(market, 40, tmp_path / "lock.json")
    assert len(hold.development) == 40
    hold.open("first")
    again = HoldOut.lock(market, 40, tmp_path / "lock.json")
    with pytest.warns(DataWarning, match="opened 2 times"):
        again.open("second")
    assert again.openings == 2
    with pytest.raises(DataError, match="other data or another start"):
        HoldOut.lock(market, 30, tmp_path / "lock.json")


@pytest.mark.parametrize(
    "call",
    [
        lambda: sharpe_difference([0.1, 0.2], [0.1]),
        lambda: probability_of_backtest_overfitting(np.zeros((100, 1))),
        lambda: probability_of_backtest_overfitting(np.zeros((10, 2))),
        lambda: stationary_bootstrap_counts(1),
        lambda: expected_maximum_sharpe(1.0, 0),
        lambda: interquartile_mean([1.0]),
        lambda: performance([np.nan, 0.1]),
        lambda: deflated_sharpe([0.0, 0.0, 0.0], [0.1]),
    ],
)
def test_bad_input(call: Any) -> None:
    with pytest.raises(DataError):
        call()
