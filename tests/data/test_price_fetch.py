"""fetch_prices against a stub of Yahoo's servers: what comes back, what fails, and other sources."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from fisc.core.errors import DataError, DataWarning, OptionError
from fisc.core.history import provenance
from fisc.data.prices.cache import PriceCache
from fisc.data.prices.collect import PriceFetchError
from fisc.data.prices.fetch import fetch_prices
from fisc.data.prices.file_source import FileSource
from fisc.data.prices.price_set import PriceState, price_states, price_status, tradable
from fisc.data.prices.sources import Fetched, TickerStatus
from fisc.data.prices.yahoo import RetryPolicy

requests = pytest.importorskip("requests")
yfinance = pytest.importorskip("yfinance")

pytestmark = pytest.mark.usefixtures("home")
START, END = "2024-01-02", "2024-03-28"
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)


# --- what comes back ------------------------------------------------------------------------


def test_closes_in_the_order_asked_with_naive_days(fetch):
    prices = fetch(["BBB", "AAA"])
    assert list(prices.columns) == ["BBB", "AAA"]
    assert prices.index.name == "date"
    assert prices.index.tz is None
    assert (prices.index == prices.index.normalize()).all()
    assert prices.index.is_monotonic_increasing
    assert prices.index.is_unique
    assert (prices.dtypes == "float64").all()
    days = pd.bdate_range(START, END)
    assert list(prices.index) == list(days)
    np.testing.assert_allclose(prices["AAA"], 100 + np.arange(len(days)))
    assert tradable(prices).all(axis=None)


def test_both_ends_are_included(fetch):
    prices = fetch(["AAA"], "2024-01-04", "2024-01-09")
    assert [f"{day:%m-%d}" for day in prices.index] == ["01-04", "01-05", "01-08", "01-09"]


def test_provenance_names_source_options_and_data(fetch):
    held = provenance(fetch())
    assert held.options["adjust"] == "total"
    assert held.options["library"].startswith("yfinance ")
    assert held.options["fetched"] == "2024-06-03T12:00:00Z"
    assert held.source == "yahoo (query2.finance.yahoo.com)"
    assert set(held.inputs) == {"raw", "closes"}


def test_columns_keep_the_spelling_of_the_user(fetch):
    assert list(fetch("aaa, BBB").columns) == ["aaa", "BBB"]


def test_the_answer_can_be_saved_and_joined(fetch, tmp_path):
    prices = fetch()
    prices.to_parquet(tmp_path / "p.parquet")
    back = pd.read_parquet(tmp_path / "p.parquet")
    assert tradable(back).equals(tradable(prices))
    assert pd.concat([prices, prices.add_suffix("2")], axis=1).shape[1] == 4


def test_full_set_round_trips_and_tells_its_story(fetch, stub):
    stub.charts["AAA"].dividends[dt.date(2024, 2, 1)] = 1.0
    whole = fetch(full=True)
    assert set(whole.fields) == {"open", "high", "low", "volume"}
    assert "2 assets x 63 days" in whole.summary()
    assert "1 dividend" in whole._repr_html_()
    assert repr(whole) == "<PriceSet: 2 assets x 63 days, 2024-01-02 to 2024-03-28>"
    again = type(whole).from_dict(json.loads(json.dumps(whole.to_dict())))
    pd.testing.assert_frame_equal(again.to_frame(), whole.to_frame(), check_freq=False)
    pd.testing.assert_frame_equal(again.events, whole.events)
    pd.testing.assert_frame_equal(again.status, whole.status)
    assert again.provenance == whole.provenance


# --- dividends and splits -------------------------------------------------------------------


def test_dividend_is_kept_raw_in_the_cache_and_applied_when_read(fetch, stub):
    stub.charts["AAA"] = stub.Chart(pd.bdate_range(START, periods=4), [10, 10, 9, 9])
    stub.charts["AAA"].dividends[dt.date(2024, 1, 4)] = 1.0
    np.testing.assert_allclose(fetch(["AAA"])["AAA"], [9, 9, 9, 9])
    np.testing.assert_allclose(fetch(["AAA"], adjust="splits")["AAA"], [10, 10, 9, 9])
    np.testing.assert_allclose(fetch(["AAA"], adjust="none")["AAA"], [10, 10, 9, 9])
    assert len(stub.asked("AAA")) == 1
    held = PriceCache().load("yahoo", "AAA").bars
    assert held["close"].tolist() == [10, 10, 9, 9]
    assert held["dividends"].tolist() == [0, 0, 1, 0]


def test_dividend_after_the_period_changes_nothing(fetch, stub):
    stub.charts["AAA"].dividends[dt.date(2024, 3, 1)] = 5.0
    np.testing.assert_allclose(fetch(["AAA"])["AAA"].iloc[-1], 162)
    early = fetch(["AAA"], START, "2024-02-01")["AAA"]
    assert early.iloc[0] == 100


def test_split_that_yahoo_has_applied_is_not_applied_again(fetch, stub):
    stub.charts["AAA"].splits[dt.date(2024, 2, 1)] = (2, 1)
    prices = fetch(["AAA"], full=True)
    assert prices.close["AAA"].iloc[0] == 100
    assert prices.events["kind"].tolist() == ["split"]


def test_split_that_yahoo_has_left_out_is_applied_and_counted(fetch, stub):
    days = pd.bdate_range(START, periods=4)
    stub.charts["AAA"] = stub.Chart(days, [100, 102, 51, 52])
    stub.charts["AAA"].splits[days[2].date()] = (2, 1)
    with pytest.warns(DataWarning, match="splits that the source had left out of its history applied: 1"):
        prices = fetch(["AAA"])
    np.testing.assert_allclose(prices["AAA"], [50, 51, 51, 52])
    assert provenance(prices).options["repairs"]["splits_applied"] == 1


def test_capital_gains_of_a_fund_are_reported_and_left_out(fetch, stub):
    stub.charts["AAA"].kind = "MUTUALFUND"
    stub.charts["AAA"].gains[dt.date(2024, 2, 1)] = 2.0
    with pytest.warns(DataWarning, match="capital gains of funds left out of the adjustment: 1"):
        prices = fetch(["AAA"], full=True)
    assert prices.close["AAA"].iloc[0] == 100
    assert "capital gain" in set(prices.checks["check"])


def test_dividend_above_the_price_is_refused(fetch, stub):
    stub.charts["AAA"].dividends[dt.date(2024, 2, 1)] = 500.0
    with pytest.raises(DataError, match=r"AAA: the dividend of 2024-02-01 is 500 but the close before"):
        fetch(["AAA"])


# --- days -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "hour"), [("Asia/Tokyo", (0, 0)), ("Australia/Sydney", (10, 0)), ("America/Sao_Paulo", (0, 0))]
)
def test_days_are_those_of_the_exchange(fetch, stub, zone, hour):
    stub.charts["T"] = stub.Chart(pd.bdate_range(START, periods=5), [1, 2, 3, 4, 5], zone=zone, hour=hour)
    prices = fetch(["T"], full=True)
    assert list(prices.close.index) == list(pd.bdate_range(START, periods=5))


def test_the_current_day_is_left_out_and_comes_the_day_after(fetch, stub):
    days = pd.bdate_range("2024-05-27", "2024-06-04")
    stub.charts["AAA"] = stub.Chart(days, np.arange(1.0, 8.0))
    # 2024-06-04 02:00 in London is still 2024-06-03 in New York
    night = dt.datetime(2024, 6, 4, 1, tzinfo=dt.UTC)
    prices = fetch(["AAA"], "2024-05-27", None, now=lambda: night)
    assert prices.index[-1] == pd.Timestamp("2024-05-31")
    prices = fetch(["AAA"], "2024-05-27", None, now=lambda: night + dt.timedelta(days=1))
    assert prices.index[-1] == pd.Timestamp("2024-06-03")
    assert price_status(prices).loc["AAA", "outcome"] == "refreshed"


def test_rows_without_any_trade_are_dropped_as_holidays(fetch, stub):
    days = pd.bdate_range(START, periods=5)
    for name in ("AAA", "BBB"):  # the third day repeats the second without volume, as Yahoo does
        stub.charts[name] = stub.Chart(days, [10, 11, 11, 12, None], volumes=[5, 5, 0, 5, None])
    prices = fetch(full=True)
    assert list(prices.close.index) == list(days[[0, 1, 3]])
    assert prices.provenance.options["repairs"]["holiday_rows"] == 1
    assert prices.checks.loc[prices.checks["check"] == "holiday", "date"].tolist() == [days[2]]
    alone = price_states(fetch(["AAA"]))["AAA"]
    assert alone.tolist() == [0, 0, PriceState.SUSPENDED, 0]


def test_bars_of_none_become_stale_and_untradable(fetch, stub):
    closes = list(stub.charts["AAA"].closes)
    closes[3] = closes[4] = None
    stub.charts["AAA"].closes = closes
    prices = fetch()
    assert prices["AAA"].iloc[2:6].tolist() == [102, 102, 102, 105]
    assert price_states(prices)["AAA"].iloc[2:6].tolist() == [0, PriceState.STALE, PriceState.STALE, 0]
    assert not tradable(prices)["AAA"].iloc[3]
    assert provenance(prices).options["repairs"]["stale"] == 2


def test_long_gap_is_filled_only_so_far(fetch, stub):
    stub.charts["AAA"].closes[10:20] = [None] * 10
    prices = fetch(max_gap=3)
    states = price_states(prices)["AAA"].iloc[9:21]
    assert states.tolist() == [0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 0]
    assert prices["AAA"].iloc[13:20].isna().all()
    assert not (prices == 0).any(axis=None)


def test_late_listing_and_suspension_are_marked(fetch, stub):
    days = pd.bdate_range(START, END)
    stub.charts["NEW"] = stub.Chart(
        days[5:], np.arange(5.0, len(days)), volumes=[9, 0, *[9] * (len(days) - 7)]
    )
    prices = fetch(["AAA", "NEW"])
    states = price_states(prices)["NEW"].tolist()
    assert states[:7] == [4, 4, 4, 4, 4, 0, PriceState.SUSPENDED]
    assert prices["NEW"].iloc[6] == 6
    assert list(fetch(["AAA", "NEW"], calendar="intersection").index) == list(days[5:])


def test_an_index_without_volume_is_not_suspended(fetch, stub):
    stub.charts["AAA"].volumes = [0] * len(stub.charts["AAA"].days)
    assert tradable(fetch(["AAA"])).all(axis=None)


def test_a_price_of_zero_is_set_missing_and_counted(fetch, stub):
    stub.charts["AAA"].closes[4] = 0.0
    with pytest.warns(DataWarning, match=r"prices \(close\) that are not above zero set missing: 1"):
        prices = fetch()
    assert price_states(prices)["AAA"].iloc[4] == PriceState.STALE


def test_a_jump_is_flagged(fetch, stub):
    stub.charts["AAA"].closes[30:] = [10 * c for c in stub.charts["AAA"].closes[30:]]
    checks = fetch(full=True).checks
    assert checks["check"].tolist() == ["jump"]
    assert checks["value"].iloc[0] == pytest.approx(np.log(10 * 130 / 129))


# --- failures -------------------------------------------------------------------------------


def test_strict_names_each_failed_ticker_and_keeps_the_others(fetch, stub):
    with pytest.raises(PriceFetchError, match=r"2 of 3 tickers .*NOPE: Yahoo .*ZZZ: Yahoo") as caught:
        fetch(["AAA", "NOPE", "ZZZ"])
    assert caught.value.status.loc["AAA", "outcome"] == "fetched"
    asked = len(stub.asked("AAA"))
    fetch(["AAA"])
    assert len(stub.asked("AAA")) == asked


def test_not_strict_returns_the_rest_without_empty_columns(fetch):
    prices = fetch(["AAA", "NOPE", "BBB"], strict=False)
    assert list(prices.columns) == ["AAA", "BBB"]
    assert not prices.isna().all().any()
    report = price_status(prices)
    assert report["outcome"].tolist() == ["fetched", "failed", "fetched"]
    assert "Yahoo" in report.loc["NOPE", "reason"]


def test_all_failed_raises_also_when_not_strict(fetch):
    with pytest.raises(PriceFetchError, match="1 of 1 tickers could not be had"):
        fetch(["NOPE"], strict=False)


def test_rate_limit_is_waited_out(fetch, stub):
    stub.faults["AAA"] = [429] * 6  # yfinance asks twice each time
    waits = []
    prices = fetch(["AAA"], retry=RetryPolicy(sleep=waits.append, seed=1))
    assert len(prices) == 63
    assert price_status(prices).loc["AAA", "attempts"] == 4
    assert len(waits) == 3
    for wait, expected in zip(waits, (1, 2, 4), strict=True):
        assert 0.75 * expected <= wait <= 1.25 * expected


def test_rate_limit_without_end_opens_the_circuit(fetch, stub):
    for name in ("AAA", "BBB"):
        stub.faults[name] = [429] * 100
    stub.charts["CCC"] = stub.charts["AAA"]
    waits = []
    with pytest.raises(PriceFetchError) as caught:
        fetch(["AAA", "BBB", "CCC"], retry=RetryPolicy(sleep=waits.append, seed=1))
    words = str(caught.value)
    assert "AAA: too many requests (HTTP 429)" in words
    assert "CCC: not tried: 8 answers in a row were 'too many requests'" in words
    assert caught.value.status["attempts"].tolist() == [7, 1, 0]
    assert len(waits) == 6
    assert max(waits) <= 60
    assert not stub.asked("CCC")


@pytest.mark.parametrize("fault", ["html", "truncated", "broken off", 500, "shape"])
def test_a_broken_answer_is_asked_for_again(fetch, stub, fault):
    stub.faults["AAA"] = [fault] * (2 if fault == 500 else 1)
    waits = []
    prices = fetch(["AAA"], retry=RetryPolicy(sleep=waits.append, seed=1))
    assert len(prices) == 63
    assert price_status(prices).loc["AAA", "attempts"] == 2
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [("html", "not JSON"), ("truncated", "not JSON"), ("slow", "no answer in time")],
)
def test_three_broken_answers_are_enough(fetch, stub, fault, words):
    stub.faults["AAA"] = [fault] * 3
    prices = fetch(strict=False, timeout=1.0)
    report = price_status(prices)
    assert list(prices.columns) == ["BBB"]
    assert words in report.loc["AAA", "reason"]
    assert report.loc["AAA", "attempts"] == 3


def test_one_slow_ticker_is_no_missing_network(fetch, stub):
    stub.faults["BBB"] = ["slow"] * 3
    with pytest.raises(PriceFetchError, match=r"1 of 2 tickers .*BBB: no answer in time"):
        fetch(timeout=1.0)


def test_a_period_without_prices_is_no_empty_column(fetch):
    with pytest.raises(PriceFetchError, match="AAA: Yahoo"):
        fetch(["AAA"], "2023-01-02", "2023-01-31")


def test_yfinance_setting_is_put_back_and_the_session_is_ours(fetch, stub):
    yfinance.config.debug.hide_exceptions = True
    with pytest.raises(PriceFetchError):
        fetch(["NOPE"])
    assert yfinance.config.debug.hide_exceptions is True
    other = type(stub)()
    other.charts["AAA"] = stub.Chart(pd.bdate_range(START, END), np.full(63, 7.0))
    try:
        assert (fetch(["AAA"], refresh=True, session=stub.session_to(other.url)) == 7).all(axis=None)
    finally:
        other.close()


# --- arguments and other sources ------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tickers": []}, "no tickers were given"),
        ({"tickers": ["AAA", "aaa"]}, "'aaa' was given twice"),
        ({"tickers": ["AAA", 3]}, "must be texts such as 'AAPL', got 3"),
        ({"start": "soon"}, "start='soon' is not a day"),
        ({"start": "2024-03-01", "end": "2024-02-01"}, "start=2024-03-01 is after the last day"),
        ({"start": "2030-01-01", "end": None}, "is after the last day that can be had, 2024-06-03"),
        ({"source": "yaho"}, "did you mean 'yahoo'"),
        ({"adjust": "totl"}, "did you mean 'total'"),
        ({"field": "clsoe"}, "did you mean 'close'"),
        ({"calendar": "unoin"}, "did you mean 'union'"),
        ({"max_gap": -1}, "max_gap=-1; give a whole number of at least 0"),
        ({"timeout": 0}, "timeout=0 must be"),
        ({"source": object()}, "neither 'yahoo', nor a path"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(fetch, stub, options, words):
    with pytest.raises(DataError, match=words):
        fetch(**options)
    assert not stub.log


def test_a_file_is_a_source_like_any_other(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("date,A,B\n2024-01-02,10,20\n2024-01-03,11,\n2024-01-04,12,22\n")
    prices = fetch_prices(["B", "A"], "2024-01-03", "2024-01-04", source=path)
    assert list(prices.columns) == ["B", "A"]
    assert price_status(prices)["outcome"].tolist() == ["read", "read"]
    with pytest.raises(PriceFetchError, match=r"C: no closes .*it has A, B"):
        fetch_prices(["A", "C"], "2024-01-03", "2024-01-04", source=FileSource(path))
    assert not PriceCache().path("file", "A").exists()
    with pytest.raises(OptionError, match="session="):
        fetch_prices(["A"], "2024-01-03", "2024-01-04", source=FileSource(path), session=object())


class Own:
    """A source that a user might write."""

    name, address, version, remote, split_adjusted = "own", "prices.example", "own 1", True, False

    def __init__(self):
        self.asked = []

    def fetch(self, tickers, start, end):
        self.asked.append((tuple(tickers), start, end))
        days = pd.bdate_range(start, end)
        bars = pd.DataFrame({"ticker": tickers[0], "date": days, "close": 8.0})
        bars[["open", "high", "low", "volume"]] = np.nan
        bars[["dividends", "splits", "capital_gains"]] = 0.0
        bars.loc[3, "splits"] = 2.0
        return Fetched(bars, {tickers[0]: TickerStatus(tickers[0], "fetched", rows=len(days))})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a: Fetched(a.bars.drop(columns="splits"), a.status), "returned bars without splits"),
        (lambda a: Fetched(a.bars, {}), "returned no status for A"),
        (
            lambda a: Fetched(pd.concat([a.bars, a.bars]), a.status),
            "63 days twice, the first is 2024-01-02 of A",
        ),
    ],
)
def test_a_source_that_breaks_its_promises_is_told(spoil, words):
    source = Own()
    good = source.fetch
    source.fetch = lambda *asked: spoil(good(*asked))
    with pytest.raises(DataError, match=words):
        fetch_prices(["A"], START, END, source=source, now=lambda: NOW)


def test_a_source_of_the_users_own_is_cached_like_yahoo():
    source = Own()
    for _ in range(2):
        prices = fetch_prices(["A"], START, END, source=source, now=lambda: NOW)
    assert len(source.asked) == 1
    assert prices["A"].iloc[[0, 2, 3]].tolist() == [4, 4, 8]
    assert provenance(prices).source == "own (prices.example)"
    assert PriceCache().load("own", "A").library == "own 1"
