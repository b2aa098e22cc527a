"""Embedded data sets: what their cards promise, and figures that can be checked elsewhere."""

from __future__ import annotations

import re
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import fisc.data as data
from fisc.data import DataError
from fisc.data.taxes import FilingStatus

EMBEDDED = [card.name for card in data.catalogue() if card.kind == "embedded"]


def load(name: str) -> pd.DataFrame:
    frame: pd.DataFrame = getattr(data, data.card(name).loader)()
    return frame


def test_catalogue_is_complete() -> None:
    cards = data.catalogue()
    assert len(cards) >= 12
    text = str(cards)
    for card in cards:
        assert card.name in text
        assert card.source
        assert card.licence
        assert card.span
        assert card.columns
        assert callable(getattr(data, card.loader))


@pytest.mark.parametrize("name", EMBEDDED)
def test_card_agrees_with_the_data(name: str) -> None:
    card, frame = data.card(name), load(name)
    assert len(frame) == card.rows
    described = set(card.columns)
    index = {frame.index.name} - {None}
    wildcards = {c for c in described if c.isupper()} - set(frame.columns)
    if not wildcards:
        assert described == set(frame.columns) | index
    assert card.start is not None
    assert card.end is not None
    if isinstance(frame.index, pd.DatetimeIndex):
        assert str(frame.index[0].date()) == card.start
        assert str(frame.index[-1].date()) == card.end
    elif "year" in frame:
        assert (str(frame["year"].min()), str(frame["year"].max())) == (card.start, card.end)


@pytest.mark.parametrize("name", EMBEDDED)
def test_loading_twice_gives_the_same_and_a_copy(name: str) -> None:
    first, second = load(name), load(name)
    pd.testing.assert_frame_equal(first, second)
    assert data.provenance(first) == data.provenance(second)
    first.iloc[:, 0] = first.iloc[0, 0]
    pd.testing.assert_frame_equal(second, load(name))


def test_sp500() -> None:
    prices = data.load_sp500()
    assert prices.shape == (5785, 20)
    assert prices.index.is_monotonic_increasing
    assert prices.index.is_unique
    assert (prices > 0).all().all()
    assert prices.index.name == "date"
    assert prices.loc["2022-12-28", "AAPL"] == 125.674
    early = data.load_sp500(start=None)
    assert str(early.index[0].date()) == "1990-01-02"
    some = data.load_sp500("2010-01-01", "2010-12-31", tickers=["XOM", "AAPL"])
    assert list(some.columns) == ["XOM", "AAPL"]
    assert some.index.year.unique().tolist() == [2010]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tickers": ["APPL"]}, "did you mean 'AAPL'"),
        ({"tickers": []}, "asks for nothing"),
        ({"start": "not a day"}, "give dates like"),
        ({"start": "2023-01-01"}, "no trading day between"),
        ({"start": "2010-01-01", "end": "2009-01-01"}, "no trading day between"),
    ],
)
def test_sp500_bad_options(options: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        data.load_sp500(**options)  # type: ignore[arg-type]


def test_sp500_without_skfolio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(data.MissingExtraError, match=r"fisc\[portfolio\]"):
        data.load_sp500()


def test_tax_schedules() -> None:
    law = data.load_tax_schedules(status=None)
    assert set(law.groupby(["year", "filing_status"]).size()) == {7}
    assert len(law) == 14 * 5 * 7
    for _, rows in law.groupby(["year", "filing_status"]):
        edges, rates = rows["lower_edge_usd"].to_numpy(), rows["rate"].to_numpy()
        assert edges[0] == 0
        assert (np.diff(edges) > 0).all()
        assert (np.diff(rates) > 0).all()
    # Tax on 100 000 USD of taxable income in 2024, from the published computation worksheet:
    # 0.22 x 100 000 - 4 947.
    edges, rates = (data.load_tax_schedules(2024)[c].to_numpy() for c in ("lower_edge_usd", "rate"))
    tax = (np.clip(100_000 - edges, 0, np.append(np.diff(edges), np.inf)) * rates).sum()
    assert tax == pytest.approx(100_000 * 0.22 - 4_947.0, abs=0.01)


# Tax Rate Schedules X, Y-1, Y-2 and Z of the years, as printed by the Internal Revenue Service: tax due at
# the lower edge of the last bracket.
@pytest.mark.parametrize(
    ("year", "status", "due"),
    [
        (2013, "single", 116_163.75),
        (2017, "single", 121_505.25),
        (2017, "married_joint", 131_628.00),
        (2018, "single", 150_689.50),
        (2018, "head_of_household", 149_298.00),
        (2023, "married_joint", 186_601.50),
        (2024, "single", 183_647.25),
        (2024, "married_joint", 196_669.50),
        (2025, "single", 188_769.75),
    ],
)
def test_tax_at_the_last_edge_is_the_printed_one(year: int, status: FilingStatus, due: float) -> None:
    law = data.load_tax_schedules(year, status)
    edges, rates = law["lower_edge_usd"].to_numpy(), law["rate"].to_numpy()
    assert (np.diff(edges) * rates[:-1]).sum() == pytest.approx(due, abs=0.005)


def test_every_schedule_is_that_of_tax_calculator() -> None:
    taxcalc = pytest.importorskip("taxcalc")
    policy = taxcalc.Policy()
    for year, rows in data.load_tax_schedules(status=None).groupby("year"):
        policy.set_year(year)
        for column, status in enumerate(get_args(FilingStatus)):
            law = rows[rows["filing_status"] == status]
            edges = [0.0] + [getattr(policy, f"II_brk{k}")[0][column] for k in range(1, 7)]
            assert law["lower_edge_usd"].tolist() == edges
            assert law["rate"].tolist() == [getattr(policy, f"II_rt{k}")[0] for k in range(1, 8)]
            assert set(law["standard_deduction_usd"]) == {policy.STD[0][column]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"year": 1999}, "2013 to 2026"),
        ({"year": 2013.5}, "2013 to 2026"),
        ({"status": "maried_joint"}, "married_joint"),
        ({"country": "UK"}, "'US'"),
    ],
)
def test_a_schedule_that_is_not_there_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        data.load_tax_schedules(**given)


def test_gb2_against_the_published_quantiles() -> None:
    income = data.GB2.us_2023()
    published = {0.1: 6851, 0.25: 17393, 0.5: 38102, 0.75: 72159, 0.9: 124509, 0.95: 175432, 0.99: 361313}
    for probability, value in published.items():
        assert float(income.quantile(probability)) == pytest.approx(value, abs=0.6)


def test_gb2_is_one_distribution() -> None:
    income = data.GB2(50_000.0, 2.5, 0.7, 1.9)
    x = np.array([1e3, 2e4, 5e4, 2e5])
    np.testing.assert_allclose(income.quantile(income.cdf(x)), x, rtol=1e-9)
    for value in x:
        area, _ = integrate.quad(lambda t: float(income.pdf(t)), 0, value, limit=200)
        assert area == pytest.approx(float(income.cdf(value)), abs=1e-7)
    # sigma = 1 is a scaled beta-prime distribution, whose mean is nu / (tau - 1).
    assert data.GB2(3.0, 1.0, 2.0, 3.0).mean() == pytest.approx(3.0)
    assert data.GB2(1.0, 1.0, 2.0, 0.9).mean() == np.inf
    draws = income.sample(20_000, seed=1)
    assert stats.kstest(draws, income.cdf).pvalue > 0.01
    np.testing.assert_array_equal(draws, income.sample(20_000, seed=1))


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf"), "2"])
def test_gb2_rejects_bad_parameters(bad: object) -> None:
    with pytest.raises(DataError, match="every parameter must be a finite number above 0"):
        data.GB2(1.0, bad, 1.0, 1.0)  # type: ignore[arg-type]


def test_gb2_rejects_bad_arguments() -> None:
    income = data.GB2.us_2023()
    with pytest.raises(DataError, match="probabilities must lie in"):
        income.quantile([0.5, 1.5])
    with pytest.raises(DataError, match="probabilities must lie in"):
        income.quantile(float("nan"))
    with pytest.raises(DataError, match="at least 1"):
        income.sample(0)
    with pytest.raises(DataError, match="above 0"):
        income.pdf(-1.0)


def test_population_tables_add_up() -> None:
    occupations = data.load_occupations()
    shares = occupations.filter(like="_pct").sum()
    assert ((shares - 100).abs() < 0.35).all()
    # Men and women together give the total, within the rounding of the shares.
    men, women, total = 84_203, 74_089, 158_291
    mixed = (men * occupations["share_men_2022_pct"] + women * occupations["share_women_2022_pct"]) / total
    assert (mixed - occupations["share_2022_pct"]).abs().max() < 0.15
    ages = data.load_employment_by_age()
    assert ages["share_pct"].sum() == pytest.approx(100)
    assert (ages["age_from"].iloc[1:].to_numpy() == ages["age_to"].iloc[:-1].to_numpy() + 1).all()


def test_sector_names_agree_everywhere() -> None:
    sectors = data.load_sectors()
    names = set(sectors["sector"])
    assert len(names) == 81
    assert all(isinstance(k, list) and k and all(k) for k in sectors["keywords"])
    assert set(data.load_budget_attention().columns) == names
    excerpts = data.load_budget_excerpts()
    labels = {label for row in excerpts["sectors"] for label in row}
    assert labels == names
    assert (excerpts["sectors"].str.len() == 0).sum() == 11
    assert excerpts["text"].is_unique


def test_budget_returns_are_consistent() -> None:
    returns = data.load_budget_returns()
    assert (returns["t"] - returns["abnormal_pct"] / returns["sigma_pct"]).abs().max() < 0.02
    assert not returns.duplicated(["date", "index"]).any()


def test_nse_levels_are_nested() -> None:
    nse = data.load_nse_industries()
    assert nse["code"].is_unique
    assert (nse["macro_economic_sector"].nunique(), nse["sector"].nunique(), len(nse)) == (12, 22, 59)
    assert len(nse[["sector", "macro_economic_sector"]].drop_duplicates()) == 22


def test_provenance_needs_a_history() -> None:
    with pytest.raises(DataError, match="carries no provenance"):
        data.provenance(pd.DataFrame({"a": [1]}))
    kept = data.provenance(data.load_sp500().loc["2010":])
    assert kept.inputs["sp500_dataset.csv.gz"].startswith("sha256:")
    assert data.Provenance.from_dict(kept.to_dict()) == kept
