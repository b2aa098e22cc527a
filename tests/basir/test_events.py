"""The event study: hand calculation, statsmodels, size under the null, hostile input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from fisc.basir import budget_calendar, event_returns, event_study, placebo, sector_returns
from fisc.basir.market.event_tests import bmp_t, corrado_z, kolari_pynnonen_t, patell_z
from fisc.core import DataError, DataWarning, OptionError, provenance
from fisc.data import load_budget_returns

CLOSE = 1e-9  # the same least squares by another route


def _prices(n: int = 400, assets: int = 4, seed: int = 0, common: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    market = rng.normal(0.0003, 0.01, n)
    shared = rng.normal(0, common, (n, 1))
    own = rng.normal(0, 0.008, (n, assets)) + shared
    beta = np.linspace(0.5, 1.5, assets)
    returns = np.column_stack([market, market[:, None] * beta + own])
    days = pd.bdate_range("2018-01-01", periods=n)
    return pd.DataFrame(
        100 * np.cumprod(1 + returns, axis=0), index=days, columns=["M", *[f"A{j}" for j in range(assets)]]
    )


@pytest.fixture(scope="module")
def prices() -> pd.DataFrame:
    return _prices()


def test_market_model_agrees_with_statsmodels(prices: pd.DataFrame) -> None:
    event = prices.index[350]
    out = event_returns(prices, [event], market="M", window=(-1, 3), estimation=(-200, -11)).set_index(
        ["asset", "day"]
    )
    returns = 100 * prices.pct_change()
    rows = slice(350 - 200, 350 - 10)
    for asset in ("A0", "A3"):
        fit = sm.OLS(returns[asset].iloc[rows], sm.add_constant(returns["M"].iloc[rows])).fit()
        assert abs(out.loc[(asset, 0), "alpha_pct"] - fit.params["const"]) < CLOSE
        assert abs(out.loc[(asset, 0), "beta"] - fit.params["M"]) < CLOSE
        assert abs(out.loc[(asset, 0), "sigma_pct"] - np.sqrt(fit.scale)) < CLOSE
        frame = fit.get_prediction(sm.add_constant(returns[["M"]].iloc[349:354])).summary_frame()
        ar = returns[asset].iloc[349:354] - frame["mean"]
        assert np.allclose(out.loc[asset, "abnormal_pct"], ar, atol=CLOSE)
        assert np.allclose(out.loc[asset, "car_pct"], ar.cumsum(), atol=CLOSE)
        # Prediction standard error = half the 95 % prediction interval over its t quantile.
        from scipy import stats

        half = (frame["obs_ci_upper"] - frame["mean"]) / stats.t.ppf(0.975, fit.df_resid)
        assert np.allclose(out.loc[asset, "sar"], ar / half, atol=1e-7)


def test_the_standardised_car_uses_the_variance_of_a_sum_of_predictions(prices: pd.DataFrame) -> None:
    study = event_study(prices, [prices.index[350]], market="M", window=(0, 4), estimation=(-200, -11))
    returns = 100 * prices.pct_change()
    rows, window = slice(150, 340), slice(350, 355)
    x = sm.add_constant(returns["M"].iloc[rows]).to_numpy()
    x0 = sm.add_constant(returns["M"].iloc[window], has_constant="add").to_numpy().sum(axis=0)
    inverse = np.linalg.inv(x.T @ x)
    for i in range(4):
        row = study.frame[study.frame["asset"] == f"A{i}"]
        variance = row["sigma_pct"].iloc[0] ** 2 * (5 + x0 @ inverse @ x0)
        assert study.scar[i] == pytest.approx(row["abnormal_pct"].sum() / np.sqrt(variance), rel=1e-9)


def test_other_models_by_hand(prices: pd.DataFrame) -> None:
    event = prices.index[350]
    returns = 100 * prices.pct_change()
    mean = event_returns(
        prices, [event], market="M", model="mean_adjusted", estimation=(-200, -11)
    ).set_index("asset")
    assert mean.loc["A1", "abnormal_pct"] == pytest.approx(
        returns["A1"].iloc[350] - returns["A1"].iloc[150:340].mean()
    )
    adjusted = event_returns(
        prices, [event], market="M", model="market_adjusted", estimation=(-200, -11)
    ).set_index("asset")
    assert adjusted.loc["A1", "abnormal_pct"] == pytest.approx(
        returns["A1"].iloc[350] - returns["M"].iloc[350]
    )
    assert adjusted.loc["A1", "beta"] == 1.0


def test_scaling_prices_changes_nothing_and_the_order_of_columns_neither(prices: pd.DataFrame) -> None:
    event = prices.index[350]
    one = event_returns(prices, [event], market="M").set_index("asset")["abnormal_pct"]
    two = event_returns(7 * prices[["A3", "M", "A0", "A2", "A1"]], [event], market="M").set_index("asset")[
        "abnormal_pct"
    ]
    assert np.allclose(one, two.reindex(one.index))


def test_statistics_by_hand() -> None:
    scar = np.array([1.0, 2.0, -0.5, 0.7])
    assert patell_z(scar, 100) == pytest.approx(scar.sum() / np.sqrt(4 * 100 / 98))
    t = scar.mean() / (scar.std(ddof=1) / 2)
    assert bmp_t(scar) == pytest.approx(t)
    assert kolari_pynnonen_t(scar, 0.2) == pytest.approx(t * np.sqrt(0.8 / 1.6))
    assert kolari_pynnonen_t(scar, 0.0) == pytest.approx(t)


def test_corrado_is_the_rank_of_the_day() -> None:
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(6, 99))
    high = corrado_z(residuals, np.full(6, 10.0))
    assert high > 3.5
    assert corrado_z(residuals, np.full(6, -10.0)) == pytest.approx(-high, rel=0.05)
    assert abs(corrado_z(residuals, np.median(residuals, axis=1))) < 0.3
    assert corrado_z(residuals**3, np.full(6, 10.0) ** 3) == pytest.approx(high)  # only ranks matter


def test_tests_have_the_right_size_when_sectors_move_together() -> None:
    rejected = {"bmp_t": 0, "kp_t": 0, "corrado_z": 0}
    trials = 0
    for seed in range(12):
        prices = _prices(n=460, assets=12, seed=100 + seed, common=0.006)
        events = prices.index[260:455:6]
        tests = event_study(prices, events, market="M", estimation=(-200, -11)).tests()
        assert tests["mean_correlation"].between(0.2, 0.55).all()
        trials += len(tests)
        for name in rejected:
            rejected[name] += int((tests[name].abs() > 2.2).sum())  # t with 11 degrees, 5 %
    shares = {name: count / trials for name, count in rejected.items()}
    assert shares["bmp_t"] > 0.15, shares  # ignores the correlation: rejects far too often
    assert shares["kp_t"] < 0.10, shares
    assert shares["corrado_z"] < 0.12, shares


def test_placebo_tells_a_shaken_day_from_ordinary_ones() -> None:
    prices = _prices(n=500, assets=8, seed=5)
    returns = prices.pct_change()
    returns.iloc[400, 1:] += np.linspace(-0.05, 0.05, 8)
    shaken = 100 * (1 + returns.fillna(0)).cumprod()
    found = placebo(shaken, [shaken.index[400], shaken.index[430]], market="M", draws=200)
    assert found.table["p_value"].iloc[0] == pytest.approx(1 / 201)
    assert found.table["p_value"].iloc[1] > 0.05
    assert found.draws.equals(
        placebo(shaken, [shaken.index[400], shaken.index[430]], market="M", draws=200).draws
    )
    assert "1 of 2 events" in found.summary()


def test_holidays_evenings_and_special_sessions(prices: pd.DataFrame) -> None:
    saturday = prices.index[350] + pd.Timedelta(days=(5 - prices.index[350].day_of_week))
    with pytest.warns(DataWarning, match="1 of 1 events fell on days without trading"):
        moved = event_returns(prices, [saturday], market="M")
    assert moved["date"].iloc[0].day_of_week == 0
    assert moved["event"].iloc[0] == saturday
    session = prices.copy()
    session.loc[saturday] = session.asof(saturday) * 1.01
    held = event_returns(session.sort_index(), [saturday], market="M")
    assert held["date"].iloc[0] == saturday
    evening = event_returns(
        prices, pd.DataFrame({"date": [prices.index[350]], "evening": [True]}), market="M"
    )
    assert evening["date"].iloc[0] == prices.index[351]
    assert "after the close" in provenance(evening).notes[0]


def test_what_cannot_be_computed_is_dropped_and_counted(prices: pd.DataFrame) -> None:
    holes = prices.copy()
    holes.loc[holes.index[:330], "A0"] = np.nan
    holes.loc[holes.index[350], "A1"] = np.nan
    with pytest.warns(DataWarning, match=r"2 of 4 \(event, asset\) pairs dropped"):
        out = event_returns(holes, [prices.index[350]], market="M")
    assert set(out["asset"]) == {"A2", "A3"}
    assert {d["asset"] for d in out.attrs["dropped"]} == {"A0", "A1"}


def test_hostile_input_is_explained(prices: pd.DataFrame) -> None:
    event = prices.index[350]
    with pytest.raises(DataError, match=r"prices end on .* before the event"):
        event_returns(prices, ["2030-02-01"], market="M")
    with pytest.raises(DataError, match=r"before day \+5 of the event"):
        event_returns(prices, [prices.index[-2]], market="M", window=(0, 5))
    with pytest.raises(DataError, match="reaches into the event window"):
        event_returns(prices, [event], market="M", estimation=(-100, 0))
    with pytest.raises(DataError, match="did you mean 'M'"):
        event_returns(prices, [event], market="m")
    with pytest.raises(OptionError, match="did you mean 'market_adjusted'"):
        event_returns(prices, [event], market="M", model="market-adjusted")
    with pytest.raises(DataError, match="1 prices are zero or negative"):
        event_returns(prices.replace(prices.iloc[3, 2], 0.0), [event], market="M")
    with pytest.raises(DataError, match="days occur twice"):
        event_returns(pd.concat([prices, prices.iloc[:3]]), [event], market="M")
    with pytest.raises(DataError, match="'soon' is not a date"):
        event_returns(prices, ["soon"], market="M")
    with pytest.raises(DataError, match="no events were given"):
        event_returns(prices, [], market="M")
    with pytest.raises(DataError, match="needs a column 'date'"):
        event_returns(prices, pd.DataFrame({"day": [event]}), market="M")


def test_sector_returns_equal_and_by_value() -> None:
    days = pd.bdate_range("2020-01-01", periods=3)
    stocks = pd.DataFrame(
        {"A": [10, 11, 11.0], "B": [20, 20, 22.0], "C": [5, 5, 5.0], "D": [1, 2, 3.0]}, index=days
    )
    with pytest.warns(DataWarning, match="1 of 2 sectors have fewer than 3 constituents"):
        equal = sector_returns(stocks, {"A": "Steel", "B": "Steel", "C": "Steel", "D": "Cement"})
    assert equal.columns.tolist() == ["Steel"]
    assert equal.attrs["dropped"] == {"Cement": 1}
    assert equal["Steel"].pct_change().iloc[1:].tolist() == pytest.approx([0.1 / 3, 0.1 / 3])
    value = pd.DataFrame(100.0, index=days, columns=list("ABC"))
    value["A"] = 200.0
    weighted = sector_returns(stocks[list("ABC")], dict.fromkeys("ABC", "Steel"), weights=value)
    assert weighted["Steel"].pct_change().iloc[1] == pytest.approx(0.1 * 0.5)
    with pytest.raises(DataError, match="no sector has 3 constituents"):
        sector_returns(stocks, dict.fromkeys("AB", "Steel"))


def test_the_calendar_knows_evenings_and_kinds() -> None:
    table = budget_calendar().set_index("date")
    assert table["kind"].value_counts().to_dict() == {"full": 76, "interim": 13, "supplementary": 4}
    assert not table.loc["1999-02-27", "evening"]
    assert table.loc["1998-06-01", "evening"]


def test_real_budget_days_are_reproduced(shared) -> None:
    frame = pd.read_csv(
        shared / "data" / "market" / "nifty_index_ohlc_2016_2021.csv.gz", parse_dates=["Date"]
    )
    closes = frame.pivot_table(index="Date", columns="index", values="Close").rename(
        columns=lambda c: c.replace("_", " ")
    )
    reference = load_budget_returns()
    known = [c for c in closes.columns if c in set(reference["index"])]
    out = event_returns(closes[[*known, "NIFTY 500"]], sorted(reference["date"].unique()), market="NIFTY 500")
    both = out.merge(reference, left_on=["event", "asset"], right_on=["date", "index"], suffixes=("", "_ref"))
    assert len(both) == 72
    gap = (both["abnormal_pct"] - both["abnormal_pct_ref"]).abs()
    # The reference was made from another vendor's file, which begins two months earlier: its first event has a
    # longer estimation window, and single closes differ.
    later = both["event"] > pd.Timestamp("2018-01-01")
    assert (gap[later] < 0.02).mean() >= 0.94
    assert gap[later].max() < 0.06
    assert gap.median() < 0.01
