"""Ranking: metrics against scipy, no look-ahead, honest intervals, calls only with evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fisc.basir import (
    SectorRanker,
    compare_rankers,
    evaluate_ranking,
    index_sectors,
    packaged_signals,
    ranking_signals,
    walk_forward,
)
from fisc.data import DataError, DataWarning, load_budget_attention


def _world(
    budgets: int, sectors: int = 12, skill: float = 1.0, seed: int = 0
) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    days = pd.date_range("1990-02-28", periods=budgets, freq="YS")
    index = pd.MultiIndex.from_product([days, [f"S{j}" for j in range(sectors)]], names=["budget", "sector"])
    X = pd.DataFrame(
        {"surprise": rng.normal(size=len(index)), "attention": rng.normal(size=len(index))}, index=index
    )
    y = pd.Series(skill * X["surprise"] + rng.normal(0, 1, len(index)), index=index)
    return X, y


def test_metrics_agree_with_scipy_budget_by_budget() -> None:
    rng = np.random.default_rng(0)
    returns = pd.DataFrame(rng.normal(0, 0.02, (5, 20)))
    scores = pd.DataFrame(np.round(rng.normal(0, 1, (5, 20)), 1))
    out = evaluate_ranking(returns, scores, relevance_kind="rank", draws=50)
    for b in range(5):
        row = out.by_budget.iloc[b]
        assert row["kendall_tau"] == pytest.approx(stats.kendalltau(returns.loc[b], scores.loc[b]).statistic)
        assert row["spearman"] == pytest.approx(stats.spearmanr(returns.loc[b], scores.loc[b]).statistic)
        winners = set(np.argsort(-returns.loc[b].to_numpy())[:3])
        orders = scores.loc[b].to_numpy() + rng.uniform(0, 1e-6, (4000, 20))  # ties in every order
        hits = [len(winners & set(np.argsort(-order)[:3])) / 3 for order in orders]
        assert row["precision_3"] == pytest.approx(np.mean(hits), abs=0.03)
        assert row["precision_3_chance"] == 3 / 20
    assert out.table.loc["kendall_tau", "mean"] == pytest.approx(out.by_budget["kendall_tau"].mean())
    assert out.from_dict(out.to_dict()).table.equals(out.table)


def test_perfect_and_random_rankings() -> None:
    rng = np.random.default_rng(1)
    returns = pd.DataFrame(rng.normal(0, 0.02, (200, 15)))
    perfect = evaluate_ranking(returns, returns, relevance_kind="price_ratio", draws=50).table["mean"]
    assert perfect["ndcg_corrected"] == pytest.approx(1.0)
    assert perfect["kendall_tau"] == pytest.approx(1.0)
    assert perfect["sign_accuracy"] == 1.0
    noise = evaluate_ranking(
        returns, pd.DataFrame(rng.normal(size=(200, 15))), relevance_kind="price_ratio", draws=200
    ).table
    assert noise.loc["ndcg_corrected", "low"] < 0 < noise.loc["ndcg_corrected", "high"]
    assert abs(noise.loc["precision_5", "mean"] - noise.loc["precision_5", "chance"]) < 0.03


def test_the_interval_over_budgets_covers() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for seed in range(60):
        returns = pd.DataFrame(rng.normal(0, 0.02, (25, 8)))
        scores = pd.DataFrame(rng.normal(size=(25, 8)))
        row = evaluate_ranking(
            returns, scores, relevance_kind="rank", draws=200, random_state=seed
        ).table.loc["kendall_tau"]
        inside += row.low <= 0 <= row.high
    assert 0.85 <= inside / 60 <= 1.0


def test_missing_items_are_counted_and_mismatches_explained() -> None:
    returns = pd.DataFrame([[0.01, np.nan, 0.0, 0.02]], columns=list("ABCD"))
    with pytest.warns(DataWarning, match="1 of 4 items have no score or no return"):
        assert evaluate_ranking(returns, returns, relevance_kind="rank").dropped == 1
    with pytest.raises(DataError, match="share no budgets or no sectors"):
        evaluate_ranking(returns, returns.rename(columns=str.lower), relevance_kind="rank")
    with pytest.raises(DataError, match="no budget has 3 sectors"):
        evaluate_ranking([0.1, 0.2], [1, 2], relevance_kind="rank")
    with pytest.raises(DataError, match="3 items but 2 budgets"):
        evaluate_ranking([0.1, 0.2, 0.3], [1, 2, 3], budgets=["a", "b"], relevance_kind="rank")


@pytest.mark.parametrize("method", ["ridge", "surprise", "lambdamart"])
def test_a_real_signal_is_found_and_called(method: str) -> None:
    if method == "lambdamart":
        pytest.importorskip("lightgbm")
    X, y = _world(16, skill=3.0)
    test = walk_forward(SectorRanker(method), X, y, first=8)
    assert test.score.table.loc["kendall_tau", "low"] > 0.3
    assert test.calls > 10
    assert test.right_calls / test.calls > 0.8
    assert 0.8 <= test.coverage <= 1.0


def test_without_a_signal_there_is_no_call() -> None:
    calls = asked = 0
    for seed in range(6):
        X, y = _world(14, skill=0.0, seed=seed)
        test = walk_forward(SectorRanker("ridge"), X, y, first=6)
        calls, asked = calls + test.calls, asked + len(test.forecasts)
        assert test.score.table.loc["kendall_tau", "low"] < 0.1
    assert calls / asked < 0.02


def test_conformal_intervals_cover_as_promised() -> None:
    coverage = []
    for seed in range(5):
        X, y = _world(24, skill=1.0, seed=50 + seed)
        coverage.append(walk_forward(SectorRanker("ridge", level=0.8), X, y, first=14).coverage)
    assert np.mean(coverage) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("method", ["ridge", "surprise"])
def test_walk_forward_never_sees_a_later_budget(method: str) -> None:
    X, y = _world(10)
    one = walk_forward(SectorRanker(method), X, y, first=4)
    changed = y.copy()
    last = X.index.get_level_values(0).unique()[-1]
    changed.loc[last] = -100 * changed.loc[last].to_numpy()
    poisoned = X.copy()
    poisoned.loc[last, "surprise"] = 99.0 * np.arange(12)
    two = walk_forward(SectorRanker(method), poisoned, changed, first=4)
    early = one.forecasts.index.get_level_values(0) < str(last.date())
    assert one.forecasts[early][["score", "low_pct"]].equals(two.forecasts[early][["score", "low_pct"]])
    assert (one.forecasts["trained_to"] < one.forecasts.index.get_level_values(0)).all()
    left_out = walk_forward(SectorRanker(method), X, y, scheme="leave_one_out")
    assert len(left_out.score.by_budget) == 10
    assert (left_out.forecasts["trained_to"] >= left_out.forecasts.index.get_level_values(0)).any()


def test_rank_interval_and_calls_fit_the_return_interval() -> None:
    X, y = _world(16, skill=3.0)
    last = X.index.get_level_values(0).unique()[-1]
    past = X.index.get_level_values(0) < last
    ranking = SectorRanker("ridge").fit(X[past], y[past]).rank(X.loc[[last]])
    frame = ranking.frame
    assert frame["rank"].tolist() == list(range(1, 13))
    assert frame["expected_pct"].is_monotonic_decreasing
    assert ((frame["rank_low"] <= frame["rank"]) & (frame["rank"] <= frame["rank_high"])).mean() > 0.9
    assert ((frame["call"] == "UP") == (frame["low_pct"] > 0)).all()
    assert ((frame["call"] == "DOWN") == (frame["high_pct"] < 0)).all()
    again = SectorRanker("ridge").fit(X[past], y[past]).rank(X.loc[[last]])
    assert again.frame.equals(frame)
    assert ranking.from_dict(ranking.to_dict()).frame.equals(frame)


def test_a_baseline_is_not_turned_round_by_its_past() -> None:
    X, y = _world(8, skill=-2.0)
    ranking = SectorRanker("surprise").fit(X, y).rank(X.iloc[:12])
    assert (ranking.frame["expected_pct"] == 0).all()
    assert (ranking.frame["call"] == "no call").all()


def test_ranker_errors() -> None:
    X, y = _world(6)
    with pytest.raises(
        DataError, match=r"neither 'ridge', 'lambdamart' nor a column.*did you mean 'surprise'"
    ):
        SectorRanker("suprise").fit(X, y)
    with pytest.raises(DataError, match="indexed by"):
        SectorRanker("surprise").fit(X.reset_index(drop=True), y)
    with pytest.raises(DataError, match="1 past budgets with returns"):
        SectorRanker("surprise").fit(X.iloc[:12], y.iloc[:12])
    with pytest.raises(DataError, match="is not fitted"):
        SectorRanker("surprise").predict(X)
    with pytest.raises(DataError, match="takes the signals of one budget"):
        SectorRanker("surprise").fit(X, y).rank(X)
    with pytest.raises(DataError, match="needs at least 6"):
        walk_forward(SectorRanker("surprise"), X.iloc[:60], y.iloc[:60], first=5)


def test_packaged_signals_use_earlier_budgets_only() -> None:
    X, y = packaged_signals()
    assert X.index.get_level_values(0).nunique() == 6
    first, second = X.index.get_level_values(0).unique()[:2]
    assert X.loc[first, "last_budget"].isna().all()
    shared_names = X.loc[second].index.intersection(y.loc[first].index)
    assert np.allclose(X.loc[second].loc[shared_names, "last_budget"], y.loc[first].loc[shared_names])
    mentions = load_budget_attention()
    assert X.loc[(second, "NIFTY BANK"), "attention"] == pytest.approx(mentions.loc[second, "Banks"])
    assert {s for members in index_sectors().values() for s in members} <= set(mentions.columns)


def test_the_honest_answer_on_real_budgets_is_no_call() -> None:
    X, y = packaged_signals()
    table = compare_rankers(["attention", "surprise", "last_budget"], X, y, first=2)
    assert (table["calls"] == 0).all()
    assert (table["low"] < 0).all()
    assert table["coverage"].between(0.8, 0.97).all()


def test_price_signals_end_the_day_before_the_speech() -> None:
    rng = np.random.default_rng(0)
    mentions = load_budget_attention()
    budget = mentions.index[-1]
    days = pd.bdate_range(end=budget, periods=300)
    moves = rng.normal(0, 0.01, (300, 2))
    prices = pd.DataFrame(100 * np.cumprod(1 + moves, axis=0), index=days, columns=["NIFTY IT", "MARKET"])
    past = pd.Series([1.0], index=pd.MultiIndex.from_tuples([(mentions.index[-2], "NIFTY IT")]))
    arguments = {"groups": {"NIFTY IT": ["IT - Software"]}, "budgets": [budget], "market": "MARKET"}
    row = ranking_signals(mentions, past, prices=prices, **arguments).iloc[0]
    assert row["momentum"] == pytest.approx(
        100 * (prices["NIFTY IT"].iloc[-2] / prices["NIFTY IT"].iloc[-23] - 1)
    )
    known = 100 * prices.pct_change().iloc[-251:-1]
    assert row["beta"] == pytest.approx(np.polyfit(known["MARKET"], known["NIFTY IT"], 1)[0])
    shaken = prices.copy()
    shaken.iloc[-1] *= 3
    assert ranking_signals(mentions, past, prices=shaken, **arguments).iloc[0].equals(row)
    assert row["last_budget"] == 1.0
    with pytest.raises(DataError, match="there is no speech of"):
        ranking_signals(mentions, past, groups=arguments["groups"], budgets=["2031-02-01"])
    with pytest.raises(DataError, match="groups name sectors that mentions lacks: Steels"):
        ranking_signals(mentions, past, groups={"NIFTY IT": ["Steels"]})
