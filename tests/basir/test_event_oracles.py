"""The event study against independent calculations, model by model and at its edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from fisc.basir import EventStudy, event_returns, event_study, placebo
from fisc.basir.market.event_tests import bmp_t, corrado_z, kolari_pynnonen_t, patell_z
from fisc.core import DataError, DataWarning, provenance

CLOSE = 1e-9  # the same sums by another route
BEGIN, END, AT = -120, -11, 200
MODELS = ("market", "mean_adjusted", "market_adjusted")


def _prices() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    market = rng.normal(0.001, 0.01, 230)
    own = market[:, None] * [0.4, 1.0, 1.7] + rng.normal(0, 0.006, (230, 3)) + [0.0, 0.002, -0.001]
    returns = np.column_stack([market, own])
    days = pd.bdate_range("2019-01-01", periods=230)
    return pd.DataFrame(50 * np.cumprod(1 + returns, axis=0), index=days, columns=["M", "A", "B", "C"])


PRICES = _prices()
RETURNS = 100 * PRICES.pct_change()


def _study(model: str, prices: pd.DataFrame = PRICES, window: tuple[int, int] = (-1, 2)) -> EventStudy:
    return event_study(
        prices, [PRICES.index[AT]], market="M", model=model, window=window, estimation=(BEGIN, END)
    )


def _oracle(model: str, asset: str) -> dict[str, object]:
    """Return least squares on the estimation window, and the prediction of the event window, by statsmodels."""
    learn, window = RETURNS.iloc[AT + BEGIN : AT + END + 1], RETURNS.iloc[AT - 1 : AT + 3]
    if model == "market_adjusted":  # nothing is estimated; the spread is that of the difference
        difference = learn[asset] - learn["M"]
        sigma = difference.std(ddof=1)
        abnormal = (window[asset] - window["M"]).to_numpy()
        alone, together = sigma * np.ones(4), sigma * 2.0
        return {"alpha": 0.0, "beta": 1.0, "sigma": sigma, "abnormal": abnormal, "se": alone, "se_sum": together,
                "residuals": difference.to_numpy(), "estimated": 1}  # fmt: skip
    design = [np.ones(len(learn)), learn["M"]] if model == "market" else [np.ones(len(learn))]
    x = np.column_stack(design)
    fit = sm.OLS(learn[asset].to_numpy(), x).fit()
    x0 = np.column_stack([np.ones(4), window["M"]] if model == "market" else [np.ones(4)])
    predicted = fit.get_prediction(x0)
    whole = x0.sum(axis=0)
    return {
        "alpha": fit.params[0], "beta": fit.params[1] if model == "market" else 0.0, "sigma": np.sqrt(fit.scale),
        "abnormal": window[asset].to_numpy() - predicted.predicted_mean, "se": predicted.se_obs,
        "se_sum": np.sqrt(4 * fit.scale + whole @ fit.cov_params() @ whole), "residuals": fit.resid,
        "estimated": x.shape[1],
    }  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_column_agrees_with_an_independent_calculation(model: str) -> None:
    study = _study(model)
    for i, asset in enumerate("ABC"):
        truth, rows = _oracle(model, asset), study.frame[study.frame["asset"] == asset]
        abnormal = np.asarray(truth["abnormal"])
        assert rows["day"].tolist() == [-1, 0, 1, 2]
        assert rows["date"].tolist() == PRICES.index[AT - 1 : AT + 3].tolist()
        assert (rows["event"] == PRICES.index[AT]).all()
        expected = {
            "raw_pct": RETURNS[asset].iloc[AT - 1 : AT + 3],
            "expected_pct": RETURNS[asset].iloc[AT - 1 : AT + 3] - abnormal,
            "abnormal_pct": abnormal,
            "car_pct": np.cumsum(abnormal),
            "sigma_pct": np.full(4, truth["sigma"]),
            "t": abnormal / truth["sigma"],
            "sar": abnormal / truth["se"],
            "alpha_pct": np.full(4, truth["alpha"]),
            "beta": np.full(4, truth["beta"]),
            "n_estimation": np.full(4, END - BEGIN + 1),
        }
        for column, values in expected.items():
            assert np.allclose(rows[column], values, rtol=CLOSE, atol=CLOSE), column
        assert np.allclose(study.window_abnormal[i], abnormal, atol=CLOSE)
        assert np.allclose(study.standardised[i], abnormal / truth["se"], atol=CLOSE)
        assert study.scar[i] == pytest.approx(abnormal.sum() / truth["se_sum"], rel=CLOSE)
        assert np.allclose(study.residuals[i], truth["residuals"], atol=CLOSE)


@pytest.mark.parametrize("model", MODELS)
def test_the_tests_are_those_of_the_oracle(model: str) -> None:
    truths = [_oracle(model, asset) for asset in "ABC"]
    scar = np.array([t["abnormal"].sum() / t["se_sum"] for t in truths])
    abnormal = np.array([t["abnormal"] for t in truths])
    residuals = np.array([t["residuals"] for t in truths])
    r = np.corrcoef(residuals)[np.triu_indices(3, 1)].mean()
    row = _study(model).tests().iloc[0]
    assert row["n"] == 3
    assert row["mean_car_pct"] == pytest.approx(abnormal.sum(axis=1).mean(), rel=CLOSE)
    assert row["mean_correlation"] == pytest.approx(r, rel=CLOSE)
    degrees = END - BEGIN + 1 - truths[0]["estimated"]
    assert row["patell_z"] == pytest.approx(patell_z(scar, degrees), rel=CLOSE)
    assert row["bmp_t"] == pytest.approx(bmp_t(scar), rel=CLOSE)
    assert row["kp_t"] == pytest.approx(kolari_pynnonen_t(scar, r), rel=CLOSE)
    assert row["kp_p"] == pytest.approx(2 * stats.t.sf(abs(row["kp_t"]), 2), rel=CLOSE)
    by_day = [corrado_z(residuals, abnormal[:, d]) for d in range(4)]
    assert row["corrado_z"] == pytest.approx(np.sum(by_day) / 2, rel=CLOSE)
    squares = [(t["abnormal"] / t["se"]) ** 2 for t in truths]
    assert row["variance_ratio"] == pytest.approx(np.mean(squares), rel=CLOSE)
    by_asset = _study(model).tests(by="asset")
    assert by_asset["mean_correlation"].tolist() == [0.0] * 3
    assert by_asset["n"].tolist() == [1] * 3
    assert by_asset["kp_p"].isna().all()  # one event has no spread


@pytest.mark.parametrize("model", MODELS)
def test_days_without_a_price_are_left_out_of_the_estimation(model: str) -> None:
    holes = PRICES.copy()
    holes.iloc[AT - 60, 2] = np.nan  # B: no return on that day and on the next
    study = _study(model, holes)
    learn = RETURNS[["B", "M"]].iloc[AT + BEGIN : AT + END + 1].drop(PRICES.index[[AT - 60, AT - 59]])
    row = study.frame[study.frame["asset"] == "B"].iloc[0]
    assert row["n_estimation"] == END - BEGIN + 1 - 2
    if model == "market":
        fit = sm.OLS(learn["B"].to_numpy(), sm.add_constant(learn["M"].to_numpy())).fit()
        assert row["sigma_pct"] == pytest.approx(np.sqrt(fit.scale), rel=CLOSE)
        assert row["beta"] == pytest.approx(fit.params[1], rel=CLOSE)
    else:
        values = learn["B"] - (learn["M"] if model == "market_adjusted" else 0)
        assert row["sigma_pct"] == pytest.approx(values.std(ddof=1), rel=CLOSE)
    assert np.isnan(study.residuals[1]).sum() == 2
    assert not np.isnan(study.residuals[0]).any()


def test_an_estimation_window_that_begins_before_the_prices_is_padded_in_front() -> None:
    short = PRICES.iloc[100:]
    study = event_study(short, [PRICES.index[AT]], market="M", estimation=(BEGIN, END))
    known = np.isfinite(study.residuals[0])
    assert study.residuals.shape == (3, END - BEGIN + 1)
    assert not known[:21].any()  # the first return is that of the second day
    assert known[21:].all()
    assert study.frame["n_estimation"].tolist() == [89] * 3


def test_the_summary_names_the_largest_moves_of_the_first_day_of_the_window() -> None:
    shaken = RETURNS.fillna(0) / 100
    shaken.iloc[AT - 1, 3] -= 0.30
    shaken.iloc[AT, 1] += 0.50
    prices = 100 * (1 + shaken).cumprod()
    said = _study("market", prices, window=(-1, 1)).summary().splitlines()
    assert said[0] == "market model: 1 events, 3 assets, 3 pairs (0 dropped)"
    moves = said[1].removeprefix("largest abnormal returns: ").split("; ")
    assert len(moves) == 3
    assert moves[0].startswith("C -")
    assert all(move.endswith(f"{PRICES.index[AT - 1]:%Y-%m-%d}") for move in moves)


@pytest.mark.parametrize(
    ("model", "column", "reason"),
    [
        ("market_adjusted", "M", "its price does not move in the estimation window"),
        ("mean_adjusted", None, "its price does not move in the estimation window"),
        ("market", None, "its price does not move in the estimation window"),
    ],
)
def test_an_asset_without_a_spread_is_dropped_with_the_reason(
    model: str, column: str | None, reason: str
) -> None:
    still = PRICES.assign(S=PRICES[column] if column else 10.0)
    with pytest.warns(DataWarning, match=r"1 of 4 \(event, asset\) pairs dropped.*first: S"):
        study = _study(model, still)
    assert study.dropped[["asset", "reason"]].to_numpy().tolist() == [["S", reason]]
    assert study.dropped["event"].tolist() == [PRICES.index[AT]]
    assert study.pairs["asset"].tolist() == ["A", "B", "C"]
    assert "1 of 4" in study.provenance.notes[0]


def test_a_market_that_stands_still_is_said_to() -> None:
    with pytest.raises(DataError, match="the market does not move in the estimation window"):
        _study("market", PRICES.assign(M=10.0))


@pytest.mark.parametrize(("usable", "kept"), [(30, True), (29, False)])
def test_thirty_usable_days_are_needed(usable: int, kept: bool) -> None:
    holes = PRICES.copy()
    holes.iloc[: AT + END - usable, 1] = np.nan  # A trades from then on; the first day has no return
    if kept:
        assert _study("market", holes).frame["n_estimation"].min() == 30
        return
    with pytest.warns(DataWarning, match="only 29 usable days in the estimation window, at least 30"):
        assert set(_study("market", holes).frame["asset"]) == {"B", "C"}


@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 2])
def test_a_hole_counts_only_in_the_window_and_on_the_day_before(offset: int) -> None:
    holes = PRICES.copy()
    holes.iloc[AT + offset, 1] = np.nan
    if offset in (-2, 2):  # two days before the first, one after the last: no return of the window needs it
        assert set(_study("market", holes, window=(0, 0)).frame["asset"]) == {"A", "B", "C"}
    elif offset == 1:
        assert len(_study("market", holes, window=(0, 0)).frame) == 3
    else:
        with pytest.warns(DataWarning, match="no price on a day of the event window or on the day before"):
            assert len(_study("market", holes, window=(0, 0)).frame) == 2


def test_windows_reach_to_the_ends_of_the_prices_and_no_further() -> None:
    last = len(PRICES) - 1
    assert event_returns(PRICES, [PRICES.index[last]], market="M")["date"].iloc[0] == PRICES.index[last]
    event_returns(PRICES, [PRICES.index[last - 2]], market="M", window=(0, 2))
    with pytest.raises(DataError, match=r"before day \+3 of the event"):
        event_returns(PRICES, [PRICES.index[last - 2]], market="M", window=(0, 3))
    with pytest.raises(DataError, match=r"prices begin on .* too late"):
        event_returns(PRICES, [PRICES.index[5]], market="M", window=(-5, 0), estimation=(-60, -6))
    with pytest.raises(DataError, match="reaches into the event window"):
        event_returns(PRICES, [PRICES.index[AT]], market="M", window=(-3, 0), estimation=(-60, -3))
    event_returns(PRICES, [PRICES.index[AT]], market="M", window=(-3, 0), estimation=(-60, -4))
    with pytest.raises(DataError, match="is not a window"):
        event_returns(PRICES, [PRICES.index[AT]], market="M", window=(2, 1))
    event_returns(PRICES, [PRICES.index[AT]], market="M", window=(2, 2))


def test_the_first_return_can_be_the_first_day_of_a_window() -> None:
    late = PRICES.iloc[AT - 40 :]
    with pytest.raises(DataError, match="too late"):
        event_returns(late, [late.index[39]], market="M", window=(-39, 0), estimation=(-80, -40))
    with pytest.raises(DataError, match="only 0 usable days"):
        event_returns(late, [late.index[39]], market="M", window=(-38, 0), estimation=(-80, -39))


def test_an_evening_event_needs_the_next_day_and_a_weekend_moves_without_it() -> None:
    def evening(day: pd.Timestamp) -> pd.DataFrame:
        return pd.DataFrame({"date": [day], "evening": [True]})

    with pytest.raises(DataError, match="the next day is needed"):
        event_returns(PRICES, evening(PRICES.index[-1]), market="M")
    out = event_returns(PRICES, evening(PRICES.index[-2]), market="M")
    assert out["date"].iloc[0] == PRICES.index[-1]
    saturday = PRICES.index[AT] + pd.Timedelta(days=5 - PRICES.index[AT].day_of_week)
    with pytest.warns(DataWarning, match="fell on days without trading"):
        out = event_returns(PRICES, evening(saturday), market="M")
    assert out["date"].iloc[0] == saturday + pd.Timedelta(days=2)  # Monday reacts first, evening or not
    assert not any("after the close" in note for note in provenance(out).notes)


def test_jumps_of_any_real_size_are_kept_and_impossible_ones_refused() -> None:
    for factor, fine in ((1e9, True), (1.1e9, False), (1e-9, True), (0.9e-9, False)):
        jumpy = pd.DataFrame({"M": PRICES["M"], "A": 1.0}, index=PRICES.index)
        jumpy.iloc[5:, 1] = factor
        jumpy["B"] = PRICES["B"]
        if fine:
            with pytest.warns(DataWarning, match="does not move"):
                event_returns(jumpy, [PRICES.index[AT]], market="M", estimation=(-60, -11))
        else:
            with pytest.raises(DataError, match="by a factor of more than 1e"):
                event_returns(jumpy, [PRICES.index[AT]], market="M", estimation=(-60, -11))


def test_the_market_can_be_a_series_or_a_table_of_its_own() -> None:
    event = [PRICES.index[AT]]
    truth = event_returns(PRICES, event, market="M")
    for market in (PRICES["M"], PRICES[["M"]], PRICES["M"].sample(frac=1, random_state=0)):
        assert event_returns(PRICES.drop(columns="M"), event, market=market).equals(truth)
    with pytest.raises(DataError, match="market has 2 columns"):
        event_returns(PRICES.drop(columns="M"), event, market=PRICES[["M", "A"]])
    with pytest.raises(DataError, match="holds the market and nothing else"):
        event_returns(PRICES[["M"]], event, market="M")
    with pytest.raises(DataError, match="market is of type int"):
        event_returns(PRICES, event, market=3)


def test_results_come_back_from_json() -> None:
    study = _study("market")
    again = EventStudy.from_dict(study.to_dict())
    assert again == study
    assert again.tests().equals(study.tests())
    found = placebo(PRICES, [PRICES.index[AT]], market="M", estimation=(-60, -11), draws=30)
    assert type(found).from_dict(found.to_dict()) == found


def test_placebo_days_are_ordinary_days_with_an_estimation_window() -> None:
    arguments = {"market": "M", "estimation": (-60, -11), "draws": 3000, "exclude": 10}
    found = placebo(PRICES, [PRICES.index[AT]], **arguments)
    free = [d for d in range(60, 229) if abs(d - AT) > 10]
    days = event_study(PRICES, PRICES.index[free], market="M", estimation=(-60, -11)).frame
    ratios = days.assign(square=days["sar"] ** 2).groupby("event")["square"].mean()
    assert len(found.draws) == 3000
    assert set(found.draws["variance_ratio"].round(9)) == set(ratios.round(9))
    spread = days.groupby("event")["abnormal_pct"].std(ddof=1)
    assert set(found.draws["spread_pct"].round(9)) == set(spread.round(9))
    p = (1 + (found.draws["variance_ratio"] >= found.table["variance_ratio"].iloc[0]).sum()) / 3001
    assert found.table["p_value"].iloc[0] == pytest.approx(p)
    assert placebo(PRICES, [PRICES.index[AT]], seed=0, **arguments).draws.equals(found.draws)


def test_by_default_the_estimation_ends_eleven_days_before_the_event() -> None:
    study = event_study(PRICES, [PRICES.index[AT]], market="M")
    assert study.residuals.shape == (3, 240)
    assert study.frame["n_estimation"].tolist() == [AT - 11] * 3  # the first day has no return
    assert event_returns(PRICES, [PRICES.index[AT]], market="M").equals(study.frame)


def test_rows_of_several_events_are_numbered_through() -> None:
    study = event_study(PRICES, PRICES.index[[AT, AT + 10]], market="M", window=(0, 1), estimation=(-60, -11))
    assert study.frame.index.tolist() == list(range(12))
    assert study.frame["event"].tolist() == [PRICES.index[AT]] * 6 + [PRICES.index[AT + 10]] * 6
    assert study.frame["asset"].tolist() == ["A", "A", "B", "B", "C", "C"] * 2
    assert len(study.tests()) == 2
