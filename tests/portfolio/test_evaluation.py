"""Rivals, walk forward, the estimator inside skfolio, the command group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from fisc.data import DataError, DataWarning, load_sp500
from fisc.portfolio import (
    Evaluation,
    Market,
    RLPortfolio,
    SelfTest,
    TrialLog,
    backtest,
    baselines,
    walk_forward,
)
from fisc.portfolio.folds import folds
from fisc.portfolio.online import best_constant_weights, project_to_simplex
from fisc.portfolio.worlds import ar1_market, iid_market

# Net Sharpe ratio at 0.1 % and 0.25 %, from an independent computation of the same rules on the
# same stocks, 2013-2022 (decisions from the last close of 2012).
SP500 = {
    "equal_daily": (1.031, 1.008),
    "equal_monthly": (1.036, 1.030),
    "buy_and_hold": (0.938, 0.938),
    "min_variance": (0.811, 0.796),
    "max_sharpe": (1.034, 1.001),
    "erc": (1.030, 1.024),
    "inverse_volatility": (0.990, 0.985),
    "hrp": (0.939, 0.920),
    "min_cvar": (0.786, 0.754),
    "mean_cvar": (1.019, 0.980),
    "eg": (1.035, 1.014),
    "olmar": (-0.22, -1.19),
    "universal": (1.043, 1.021),
}
CHEAP = ("equal_daily", "equal_monthly", "buy_and_hold", "inverse_volatility", "eg", "olmar", "universal")
SMALL: dict[str, Any] = {
    "network": "mlp",
    "window": 10,
    "episode": 16,
    "n_envs": 32,
    "steps": 2048,
    "evaluations": 2,
    "settings": {"n_steps": 16, "batch": 256},
}


@pytest.fixture(scope="module")
def sp500() -> Market:
    return Market.from_prices(load_sp500())


def check_against_reference(market: Market, name: str) -> None:
    start = market.row("2013-01-02") - 1
    rule = baselines.get(name).bind(market, start)
    for cost, expected in zip((0.001, 0.0025), SP500[name], strict=True):
        sharpe = backtest(market, rule, buy=cost, sell=cost, start=start).metrics()["sharpe"]
        tolerance = 0.0105 if name in ("hrp", "olmar") else 0.0006
        assert sharpe == pytest.approx(expected, abs=tolerance), (name, cost)


@pytest.mark.parametrize("name", CHEAP)
def test_rivals_agree_with_the_reference(sp500: Market, name: str) -> None:
    check_against_reference(sp500, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SP500 if name not in CHEAP])
def test_optimisers_agree_with_the_reference(sp500: Market, name: str) -> None:
    check_against_reference(sp500, name)


def test_allocations_have_the_properties_that_define_them() -> None:
    rng = np.random.default_rng(0)
    returns = rng.multivariate_normal(np.full(4, 0.0005), np.diag([1, 2, 3, 4]) * 1e-4, 400)
    covariance = np.cov(returns.T)
    for name in baselines.ALLOCATORS:
        weights = baselines.allocate(name, returns)
        assert weights.sum() == pytest.approx(1.0)
        assert (weights >= 0).all()
    least = baselines.allocate("min_variance", returns)
    for name in baselines.ALLOCATORS:
        other = baselines.allocate(name, returns)
        assert least @ covariance @ least <= other @ covariance @ other * 1.02
    erc = baselines.allocate("erc", returns)
    contributions = erc * (covariance @ erc)
    assert contributions.max() / contributions.min() < 1.15  # equal for the shrunk covariance


def test_falling_markets_have_no_best_ratio() -> None:
    returns = -np.abs(np.random.default_rng(0).normal(0.001, 0.01, (100, 3)))
    with pytest.warns(DataWarning, match="no asset gained"):
        weights = baselines.allocate("max_sharpe", returns)
    np.testing.assert_allclose(weights, baselines.allocate("min_variance", returns))
    with pytest.raises(DataError, match="did not move"):
        baselines.allocate("inverse_volatility", np.zeros((50, 2)))


def test_best_constant_weights_meet_the_optimality_conditions() -> None:
    rng = np.random.default_rng(0)
    relatives = np.exp(rng.normal(0.001, 0.03, (300, 5)))
    best = best_constant_weights(relatives)
    gain = (relatives / (relatives @ best)[:, None]).mean(axis=0)
    assert gain.max() <= 1 + 1e-9
    growth = np.log(relatives @ best).sum()
    assert (growth >= np.log(relatives @ rng.dirichlet(np.ones(5), 500).T).sum(axis=0)).all()


def test_projection_is_the_nearest_point() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        point = rng.normal(0, 1, 4)
        nearest = project_to_simplex(point)
        others = rng.dirichlet(np.ones(4), 2000)
        assert nearest.sum() == pytest.approx(1.0)
        assert ((others - point) ** 2).sum(axis=1).min() >= ((nearest - point) ** 2).sum() - 1e-12


def test_base_path_is_the_backtest_of_the_allocation() -> None:
    market = iid_market(300, 3)
    held = baselines.path(market, "inverse_volatility", buy=0.001, sell=0.001, window=63)
    assert held.shape == (300, 4)
    np.testing.assert_allclose(held[63, 1:], baselines.allocate("inverse_volatility", market.returns[:63]))
    drifted = held[64] * market.relatives[64]
    np.testing.assert_allclose(held[65], drifted / drifted.sum())
    earlier = baselines.path(market[:200], "inverse_volatility", buy=0.001, sell=0.001, window=63)
    np.testing.assert_array_equal(earlier, held[:200])


def test_folds_leave_the_gap_and_cover_everything() -> None:
    market = iid_market(500, 2)
    spans = folds(market, train=100, test=90, purge=7, embargo=5)
    assert all(span.test_start - span.train_stop == 12 for span in spans)
    assert all(span.train_stop - span.train_start == 100 for span in spans)
    assert [s.test_stop for s in spans[:-1]] == [s.test_start for s in spans[1:]]
    assert spans[-1].test_stop == 499
    assert all(s.train_start == 0 for s in folds(market, train=100, test=90, expanding=True))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": (0, 300), "test": (200, 400)}, "inside or too close to the training set"),
        ({"train": (0, 300), "test": (302, 400), "embargo": 5}, "inside or too close"),
        ({"train": 100, "test": 50, "purge": -1}, "inside the training set"),
        ({"train": 600, "test": 50}, "need 600 closes"),
        ({"train": 0, "test": 50}, "train=0"),
        ({"train": (0, 300), "test": 50}, "both train and test as spans"),
    ],
)
def test_bad_splits(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        folds(iid_market(500, 2), **options)


def test_walk_forward_of_everything(tmp_path: Path) -> None:
    from skfolio.optimization import InverseVolatility

    market = iid_market(700, 4, seed=2)
    log = TrialLog(tmp_path / "trials.jsonl")
    models = {
        "agent": RLPortfolio(**SMALL, base="inverse_volatility", base_window=60),
        "free": RLPortfolio(**SMALL, base=None),
        "inverse_volatility": baselines.get("inverse_volatility", window=60),
        "skfolio": InverseVolatility(),
        "rule": lambda history, weights: [0.0, 0.25, 0.25, 0.25, 0.25] if len(history) % 5 == 0 else None,
        "best_crp": baselines.get("best_crp"),
    }
    result = walk_forward(
        models, market, train=300, test=150, embargo=5, seeds=[0, 3], costs=(0.001, 0.002), log=log
    )
    assert list(result.table.index) == [*models, "equal_monthly"]
    assert list(result.seed_sharpes.index) == [0, 3]
    assert len(result.returns) == 700 - 305 - 1
    assert result.bases == {"agent": "inverse_volatility", "free": ""}
    assert result.trials == len(log) == 4
    assert (
        result.table.loc["best_crp", "final_wealth"]
        >= 0.98 * result.table["final_wealth"].drop("best_crp").max()
    )
    assert any("agent" in s and "equal weight" in s for s in result.verdicts)
    again = Evaluation.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    pd.testing.assert_frame_equal(again.table, result.table)
    html = again._repr_html_()
    assert html.count("<svg") >= 5
    assert result.compare("agent", "equal_monthly").estimate == pytest.approx(
        result.table.loc["agent", "difference"]
    )
    with pytest.raises(DataError, match="'agents' was not evaluated"):
        result.compare("agents", "free")


@pytest.mark.slow
def test_number_of_workers_does_not_matter() -> None:
    models = {"free": RLPortfolio(**SMALL, base=None)}
    runs = [
        walk_forward(models, iid_market(500, 3), train=250, test=120, seeds=2, n_jobs=jobs).returns
        for jobs in (1, 2)
    ]
    pd.testing.assert_frame_equal(*runs)


def test_walk_forward_agents_never_see_the_test() -> None:
    from fisc.portfolio.selftests import with_other_future

    market = ar1_market(500, 3, seed=4)
    model = RLPortfolio(**SMALL, base=None)
    runs = [
        walk_forward({"a": model}, world, train=250, test=100, embargo=0, seeds=1).returns["a"]
        for world in (market, with_other_future(market, 400))
    ]
    same = runs[0].index <= market.dates[400]
    assert runs[0][same].equals(runs[1][same])
    assert not runs[0][~same].equals(runs[1][~same])


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({}, "nothing to evaluate"),
        (["hrpp"], "did you mean 'hrp'"),
        ([3.0], "is not a model"),
        (["eg", "eg"], "two models are called 'eg'"),
    ],
)
def test_bad_models(models: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        walk_forward(models, iid_market(300, 2), train=100, test=100)


def test_estimator_works_in_skfolio_beside_its_optimisers() -> None:
    from skfolio.model_selection import WalkForward, cross_val_predict
    from skfolio.optimization import EqualWeighted

    market = ar1_market(500, 3, phi=-0.3)
    returns = market.frame().pct_change().dropna()
    model = RLPortfolio(**SMALL, base=None, buy=0.0, sell=0.0)
    assert clone(model).get_params() == model.get_params()
    split = WalkForward(train_size=300, test_size=90)
    learned = cross_val_predict(model, returns, cv=split)
    plain = cross_val_predict(EqualWeighted(), returns, cv=split)
    assert len(learned.returns) == len(plain.returns) == 180
    assert list(learned.observations) == list(plain.observations)
    weights = learned.weights_per_observation
    assert weights.shape[0] == 180
    assert weights.nunique().min() > 10  # they change from day to day
    # The first fold by hand: history inherited, trained on the first 300 returns only.
    fitted = clone(model).fit(returns.iloc[:300])
    expected = fitted.predict(returns.iloc[300:390]).returns
    np.testing.assert_array_equal(learned.returns[:90], expected)
    whole = Market.from_returns(returns.iloc[:390])
    direct = backtest(whole, fitted.bind(whole, 300), buy=0.0, sell=0.0, start=300)
    np.testing.assert_allclose(expected, direct.net_returns, atol=1e-12)
    assert fitted.weights_.shape == (3,)
    assert fitted.score(returns.iloc[300:390]) == pytest.approx(expected.mean() / expected.std(ddof=1))


def test_estimator_saves_and_averages_seeds(tmp_path: Path) -> None:
    market = ar1_market(400, 3)
    model = RLPortfolio(**SMALL, n_seeds=2, evidence=1.0).fit(market)
    assert [agent.card.seed for agent in model.agents_] == [0, 1]
    held = np.array([0.1, 0.3, 0.3, 0.3])
    targets = [agent.bind(market, 200).decide(200, held) for agent in RLPortfolio.load(model.save(tmp_path))]
    np.testing.assert_allclose(model.bind(market, 200).decide(200, held), np.mean(targets, axis=0))
    with pytest.raises(DataError, match="there is no model"):
        RLPortfolio.load(tmp_path / "nothing")


def run_command(*arguments: str) -> Any:
    from typer.testing import CliRunner

    from fisc.cli.portfolio import app

    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def test_commands(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    ar1_market(420, 3).frame().rename_axis("date").to_csv(prices)
    out = tmp_path / "model"
    quick = ("--steps", "8192", "--window", "10")
    trained = run_command("train", str(prices), "--out", str(out), *quick, "--json")
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout)["assets"] == ["A00", "A01", "A02"]
    tested = run_command("backtest", str(prices), "--model", str(out), "--json")
    assert tested.exit_code == 0, tested.output
    assert json.loads(tested.stdout)["frequency"]["periods_per_year"] == 252
    report = run_command(
        "evaluate", str(prices), "--model", "equal_daily", "--model", "eg", "--train", "150", "--test", "100",
        "--out", str(tmp_path / "report"),
    )  # fmt: skip
    assert report.exit_code == 0, report.output
    assert "not distinguishable" in report.output or "than equal weight" in report.output
    assert (tmp_path / "report" / "report.html").is_file()
    both = run_command("backtest", str(prices), "--rule", "eg", "--model", str(out))
    assert isinstance(both.exception, DataError)
    leak = run_command("selftest", "--part", "leak", "--json")
    assert leak.exit_code == 0, leak.output
    assert SelfTest.from_dict(json.loads(leak.stdout)).passed


@pytest.mark.slow
def test_demo_section_has_a_verdict_and_pictures() -> None:
    from fisc.portfolio.demo import demo_section

    section = demo_section()
    assert "learned is not distinguishable from" in section.body
    assert len(section.figures) == 4
    assert len(section.tables) == 2


def test_package_is_light_and_names_what_it_has() -> None:
    import subprocess
    import sys

    code = (
        "import sys, fisc.portfolio as p; "
        "heavy = {'torch', 'pandas', 'skfolio', 'stable_baselines3', 'matplotlib', 'numba'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "assert all(getattr(p, name) is not None for name in p.__all__); "
        "assert callable(p.backtest) and callable(p.train) and callable(p.selftest)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_backtest_ties_a_strategy_to_the_market() -> None:
    market = Market.from_prices(np.cumprod(1 + np.random.default_rng(0).normal(0, 0.01, (60, 3)), axis=0))
    strategy = baselines.get("equal_monthly")
    by_hand = backtest(market, strategy.bind(market, 5), buy=0.001, sell=0.001, start=5)
    direct = backtest(market, strategy, buy=0.001, sell=0.001, start=5)
    assert direct.name == "equal_monthly"
    np.testing.assert_array_equal(direct.wealth, by_hand.wealth)


def test_an_evaluation_is_described_without_addresses() -> None:
    market = Market.from_prices(np.cumprod(1 + np.random.default_rng(0).normal(0, 0.01, (300, 3)), axis=0))
    models = {"erc": baselines.get("erc", window=50), "mine": lambda history: [0.0, 0.5, 0.25, 0.25]}
    found = walk_forward(models, market, train=100, test=100, draws=50)
    assert found.provenance is not None
    described = json.dumps(found.provenance.options)
    assert "erc" in described
    assert " at 0x" not in described
