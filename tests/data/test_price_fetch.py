"""fetch_prices against a stub of Yahoo's servers on this machine, through yfinance itself."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.parse
import warnings
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fisc.core.errors import DataError, DataWarning, MissingExtraError, OfflineError, OptionError
from fisc.core.history import provenance
from fisc.data.prices.cache import PriceCache
from fisc.data.prices.collect import PriceFetchError
from fisc.data.prices.fetch import fetch_prices
from fisc.data.prices.file_source import FileSource
from fisc.data.prices.price_set import PriceState, price_states, price_status, tradable
from fisc.data.prices.sources import Fetched, TickerStatus
from fisc.data.prices.yahoo import RetryPolicy, YahooSource

requests = pytest.importorskip("requests")
yfinance = pytest.importorskip("yfinance")

START, END = "2024-01-02", "2024-03-28"
NOW = dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC)


class Chart:
    """The history of one ticker, served as Yahoo serves it."""

    def __init__(self, days, closes, *, zone="America/New_York", hour=(9, 30), kind="EQUITY", volumes=None):
        self.days = [pd.Timestamp(day).date() for day in days]
        self.closes = [None if close is None else float(close) for close in closes]
        self.volumes = list(volumes) if volumes is not None else [1000] * len(self.days)
        self.zone, self.hour, self.kind = zone, hour, kind
        self.dividends, self.splits, self.gains = {}, {}, {}

    def stamp(self, day):
        return int(
            dt.datetime(day.year, day.month, day.day, *self.hour, tzinfo=ZoneInfo(self.zone)).timestamp()
        )

    def body(self, query):
        first = int(query.get("period1", ["0"])[0])
        last = int(query.get("period2", ["99999999999"])[0])
        inside = [i for i, day in enumerate(self.days) if first <= self.stamp(day) < last]
        if query.get("range") == ["1d"]:
            inside = inside[-1:]

        def pick(values):
            return [values[i] for i in inside]

        closes = pick(self.closes)
        events = {
            "dividends": {"amount": self.dividends},
            "capitalGains": {"amount": self.gains},
        }
        shown = {
            name: {
                str(self.stamp(day)): {"amount": value, "date": self.stamp(day)}
                for day, value in kind["amount"].items()
                if first <= self.stamp(day) < last
            }
            for name, kind in events.items()
        }
        shown["splits"] = {
            str(self.stamp(day)): {
                "date": self.stamp(day),
                "numerator": new,
                "denominator": old,
                "splitRatio": f"{new}:{old}",
            }
            for day, (new, old) in self.splits.items()
            if first <= self.stamp(day) < last
        }
        quote = {
            "open": closes,
            "high": [None if c is None else c * 1.01 for c in closes],
            "low": [None if c is None else c * 0.99 for c in closes],
            "close": closes,
            "volume": pick(self.volumes),
        }
        meta = {
            "currency": "USD",
            "symbol": "X",
            "instrumentType": self.kind,
            "exchangeTimezoneName": self.zone,
            "gmtoffset": -18000,
            "timezone": "EST",
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "5d", "1mo", "max"],
        }
        result = {"meta": meta, "indicators": {"quote": [quote], "adjclose": [{"adjclose": closes}]}}
        if inside:
            result["timestamp"] = [self.stamp(self.days[i]) for i in inside]
        else:
            result["indicators"] = {"quote": [{}], "adjclose": [{}]}
        result["events"] = {name: value for name, value in shown.items() if value}
        return json.dumps({"chart": {"result": [result], "error": None}}).encode()


class Stub:
    """A server that plays Yahoo: charts by ticker, and faults to play before them."""

    def __init__(self):
        self.charts = {}
        self.faults = {}  # ticker -> list of faults still to play, for requests with a period
        self.log = []
        self.no_crumb = False  # refuses the requests before the first chart
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                stub.answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def asked(self, ticker):
        """The periods that were asked for, as pairs of days."""
        return [
            tuple(
                dt.datetime.fromtimestamp(int(q[k][0]), dt.UTC).date().isoformat()
                for k in ("period1", "period2")
            )
            for name, q in self.log
            if name == ticker and "period1" in q
        ]

    def answer(self, handler):
        address = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(address.query)
        if not address.path.startswith("/v8/finance/chart/"):
            if self.no_crumb:
                return self.send(handler, 429, b"Too Many Requests")
            page = b"crumb" if "getcrumb" in address.path else b"<html><body>Consent</body></html>"
            return self.send(handler, 200, page)
        ticker = urllib.parse.unquote(address.path.rpartition("/")[2])
        self.log.append((ticker, query))
        faults = self.faults.get(ticker, [])
        fault = faults.pop(0) if faults and "period1" in query else None
        if fault == 429:
            return self.send(handler, 429, b"Too Many Requests")
        if fault == 500:
            return self.send(handler, 500, b"oops")
        if fault == "html":
            return self.send(handler, 200, b"<!doctype html><html><body>Consent</body></html>")
        if fault == "slow":
            time.sleep(2.5)
        if ticker not in self.charts:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return self.send(handler, 404, json.dumps({"chart": {"result": None, "error": error}}).encode())
        body = self.charts[ticker].body(query)
        if fault == "truncated":
            body = body[: len(body) // 2]
        if fault == "broken off":
            return self.send(handler, 200, body[: len(body) // 2], length=len(body))
        if fault == "shape":
            body = json.dumps({"chart": {"result": [{"meta": {}}], "error": None}}).encode()
        return self.send(handler, 200, body)

    def send(self, handler, status, body, length=None):
        with contextlib.suppress(ConnectionError):
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(length or len(body)))
            handler.end_headers()
            handler.wfile.write(body)


class ToStub(requests.adapters.HTTPAdapter):
    """Sends every request to the stub, whatever host it names."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, **options):
        parts = urllib.parse.urlsplit(request.url)
        request.url = f"{self.url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, **options)


def session_to(url):
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", ToStub(url))
    session.mount("http://", ToStub(url))
    return session


def forget_yfinance():
    """Reset what yfinance keeps for the life of a process."""
    import yfinance.base
    import yfinance.cache
    import yfinance.data

    yfinance.data.SingletonMeta._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    yfinance.base._tz_info_fetch_ctr = 0
    for manager, slot in (("_TzCacheManager", "_tz_cache"), ("_CookieCacheManager", "_Cookie_cache")):
        setattr(getattr(yfinance.cache, manager), slot, None)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FISC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FISC_OFFLINE", raising=False)
    forget_yfinance()
    yield tmp_path / "home"
    forget_yfinance()


@pytest.fixture
def stub():
    server = Stub()
    days = pd.bdate_range(START, END)
    server.charts["AAA"] = Chart(days, 100 + np.arange(len(days)))
    server.charts["BBB"] = Chart(days, 50 + np.sin(np.arange(len(days))))
    yield server
    server.close()


class Sleeps(list):
    """Stands in for time.sleep, and remembers."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def fetch(stub):
    """fetch_prices with the stub's session, a clock that stands still, and no waiting."""

    def call(tickers=("AAA", "BBB"), start=START, end=END, **options):
        options = {"session": session_to(stub.url), "retry": RetryPolicy(sleep=Sleeps(), seed=0), **options}
        return fetch_prices(tickers, start, end, **{"now": lambda: NOW, **options})

    return call


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
    stub.charts["AAA"] = Chart(pd.bdate_range(START, periods=4), [10, 10, 9, 9])
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
    stub.charts["AAA"] = Chart(days, [100, 102, 51, 52])
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
    stub.charts["T"] = Chart(pd.bdate_range(START, periods=5), [1, 2, 3, 4, 5], zone=zone, hour=hour)
    prices = fetch(["T"], full=True)
    assert list(prices.close.index) == list(pd.bdate_range(START, periods=5))


def test_the_current_day_is_left_out_and_comes_the_day_after(fetch, stub):
    days = pd.bdate_range("2024-05-27", "2024-06-04")
    stub.charts["AAA"] = Chart(days, np.arange(1.0, 8.0))
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
        stub.charts[name] = Chart(days, [10, 11, 11, 12, None], volumes=[5, 5, 0, 5, None])
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
    stub.charts["NEW"] = Chart(days[5:], np.arange(5.0, len(days)), volumes=[9, 0, *[9] * (len(days) - 7)])
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
    waits = Sleeps()
    prices = fetch(["AAA"], retry=RetryPolicy(sleep=waits, seed=1))
    assert len(prices) == 63
    assert price_status(prices).loc["AAA", "attempts"] == 4
    assert len(waits) == 3
    for wait, expected in zip(waits, (1, 2, 4), strict=True):
        assert 0.75 * expected <= wait <= 1.25 * expected


def test_rate_limit_without_end_opens_the_circuit(fetch, stub):
    for name in ("AAA", "BBB"):
        stub.faults[name] = [429] * 100
    stub.charts["CCC"] = stub.charts["AAA"]
    waits = Sleeps()
    with pytest.raises(PriceFetchError) as caught:
        fetch(["AAA", "BBB", "CCC"], retry=RetryPolicy(sleep=waits, seed=1))
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
    waits = Sleeps()
    prices = fetch(["AAA"], retry=RetryPolicy(sleep=waits, seed=1))
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
    other = Stub()
    other.charts["AAA"] = Chart(pd.bdate_range(START, END), np.full(63, 7.0))
    try:
        assert (fetch(["AAA"], refresh=True, session=session_to(other.url)) == 7).all(axis=None)
    finally:
        other.close()


# --- the cache ------------------------------------------------------------------------------


def test_second_call_asks_nothing_and_says_the_same(fetch, stub):
    first = fetch()
    asked = len(stub.log)
    second = fetch()
    assert len(stub.log) == asked
    pd.testing.assert_frame_equal(first, second, check_freq=False)
    assert price_status(second)["outcome"].tolist() == ["cached", "cached"]
    assert provenance(first).inputs == provenance(second).inputs


def test_refresh_fetches_only_the_new_days_and_an_overlap(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    prices = fetch(["AAA"], START, END)
    assert stub.asked("AAA")[1] == ("2024-01-31", "2024-03-29")
    np.testing.assert_allclose(prices["AAA"], 100 + np.arange(63))
    assert price_status(prices).loc["AAA", "outcome"] == "refreshed"


def test_changed_history_is_noticed_and_fetched_again(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    stub.charts["AAA"].closes = [c / 2 for c in stub.charts["AAA"].closes]
    prices = fetch(["AAA"], START, END)
    np.testing.assert_allclose(prices["AAA"], (100 + np.arange(63)) / 2)
    report = price_status(prices).loc["AAA"]
    assert report["outcome"] == "refetched"
    assert "closes in the overlap changed, by up to 50.00%" in report["reason"]
    assert len(stub.asked("AAA")) == 3


def test_a_change_within_rounding_is_none(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    stub.charts["AAA"].closes = [c * (1 + 5e-5) for c in stub.charts["AAA"].closes]
    assert price_status(fetch(["AAA"])).loc["AAA", "outcome"] == "refreshed"


def test_a_new_split_fetches_all_again(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    stub.charts["AAA"].splits[dt.date(2024, 3, 13)] = (101, 100)
    report = price_status(fetch(["AAA"])).loc["AAA"]
    assert (report["outcome"], report["reason"]) == (
        "refetched",
        "a new split on 2024-03-13 rescales the history",
    )


def test_a_refresh_that_fails_raises_or_serves_what_is_held(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    stub.faults["AAA"] = ["html"] * 3
    with pytest.raises(PriceFetchError, match=r"1 of 1 tickers .*AAA: the answer is not JSON"):
        fetch(["AAA"])
    stub.faults["AAA"] = ["html"] * 3
    prices = fetch(["AAA"], strict=False)
    assert prices.index[-1] == pd.Timestamp("2024-03-01")
    assert price_status(prices).loc["AAA", "outcome"] == "stale"
    assert len(fetch(["AAA"])) == 63


def test_changed_history_that_cannot_be_fetched_again_is_not_served(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    stub.charts["AAA"].closes = [c / 2 for c in stub.charts["AAA"].closes]
    good = [None]
    stub.faults["AAA"] = good + ["html"] * 3
    with pytest.raises(PriceFetchError, match="not JSON"):
        fetch(["AAA"], strict=False)


def test_a_day_that_the_source_has_lost_stays(fetch, stub):
    fetch(["AAA"], START, "2024-03-01")
    lost = stub.charts["AAA"].days.index(dt.date(2024, 2, 21))
    stub.charts["AAA"].closes[lost] = stub.charts["AAA"].volumes[lost] = None
    stub.charts["AAA"].dividends[dt.date(2024, 2, 21)] = 1e-9  # a row with an event and no prices
    prices = fetch(["AAA"])
    assert prices.loc["2024-02-21", "AAA"] == pytest.approx(100 + lost)
    assert tradable(prices).all(axis=None)


def test_an_earlier_start_fetches_all_again(fetch, stub):
    fetch(["AAA"], "2024-02-01", END)
    prices = fetch(["AAA"], START, "2024-03-01")
    assert len(prices) == 44
    assert stub.asked("AAA")[1] == ("2024-01-02", "2024-03-29")
    assert len(fetch(["AAA"])) == 63
    assert len(stub.asked("AAA")) == 2


def test_refresh_fetches_all_that_is_held_again(fetch, stub):
    fetch(["AAA"])
    stub.charts["AAA"].closes = [c / 2 for c in stub.charts["AAA"].closes]
    prices = fetch(["AAA"], "2024-02-01", "2024-03-01", refresh=True)
    assert stub.asked("AAA")[1] == ("2024-01-02", "2024-03-29")
    assert price_status(prices).loc["AAA", ["outcome", "currency"]].tolist() == ["refetched", "USD"]
    assert fetch(["AAA"])["AAA"].iloc[0] == 50


@pytest.mark.parametrize("damage", ["value", "cut", "empty", "text"])
def test_a_damaged_cache_file_is_fetched_again_with_a_warning(fetch, stub, damage):
    before = fetch(["AAA"])
    path = PriceCache().path("yahoo", "AAA")
    if damage == "value":  # a readable file in which one number is not what was written
        table = pq.read_table(path)
        closes = table["close"].to_numpy().copy()
        closes[5] += 1e-9
        pq.write_table(table.set_column(table.column_names.index("close"), "close", [closes]), path)
    else:
        path.write_bytes({"cut": path.read_bytes()[:-40], "empty": b"", "text": b"hello"}[damage])
    with pytest.warns(DataWarning, match=r"AAA\.parquet is damaged .*fetched again") as told:
        after = fetch(["AAA"])
    assert [one.filename for one in told] == [__file__]
    pd.testing.assert_frame_equal(before, after, check_freq=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fetch(["AAA"])


def test_tickers_cannot_leave_the_cache_folder(home):
    path = PriceCache().path("yahoo", "../../x")
    assert path.parent == home / "cache" / "prices" / "yahoo"
    assert "/" not in path.name


def test_a_symbol_that_cannot_be_is_not_asked_for(fetch, stub):
    with pytest.raises(PriceFetchError, match="not a symbol that Yahoo can have"):
        fetch(["../v1"])
    assert not stub.log


# --- without a network ----------------------------------------------------------------------


def test_offline_serves_the_cache_and_names_what_it_lacks(fetch, stub, monkeypatch):
    fetch(["AAA"])
    monkeypatch.setenv("FISC_OFFLINE", "1")
    asked = len(stub.log)
    assert len(fetch(["AAA"], "2024-02-01", END)) == 41
    with pytest.raises(OfflineError) as caught:
        fetch(["AAA", "BBB"])
    words = str(caught.value)
    assert "\n" not in words
    assert (
        "prices of BBB from 2024-01-02 to 2024-03-28 would be fetched from query2.finance.yahoo.com" in words
    )
    assert "FISC_OFFLINE forbids the network" in words
    partial = fetch(["AAA", "BBB"], strict=False)
    assert list(partial.columns) == ["AAA"]
    with pytest.raises(OfflineError):
        fetch(["BBB"], strict=False)
    assert len(stub.log) == asked


def test_offline_and_not_strict_says_that_the_cache_ends_early(fetch, monkeypatch):
    fetch(["AAA"], START, "2024-03-01")
    monkeypatch.setenv("FISC_OFFLINE", "1")
    prices = fetch(["AAA"], strict=False)
    assert prices.index[-1] == pd.Timestamp("2024-03-01")
    report = price_status(prices).loc["AAA"]
    assert report["outcome"] == "stale"
    assert "cached from 2024-01-02 to 2024-03-01 only" in report["reason"]


def test_the_source_itself_keeps_offline(monkeypatch):
    monkeypatch.setenv("FISC_OFFLINE", "1")
    with pytest.raises(OfflineError, match="FISC_OFFLINE"):
        YahooSource().fetch(["AAA"], dt.date(2024, 1, 2), dt.date(2024, 1, 3))


def test_no_network_is_one_line_and_stops_early(fetch, stub):
    nowhere = session_to("http://127.0.0.1:9")  # the discard port: nothing listens
    waits = Sleeps()
    with pytest.raises(OfflineError) as caught:
        fetch(list("ABCDEFGH"), session=nowhere, retry=RetryPolicy(sleep=waits, seed=0))
    words = str(caught.value)
    assert "\n" not in words
    assert "prices of A, B, C, D, E, F, G, H from 2024-01-02 to 2024-03-28 would be fetched from" in words
    assert "which cannot be reached" in words
    assert len(waits) == 4


def test_yfinance_does_not_write_to_the_terminal(stub):
    stub.no_crumb = True  # makes it log a warning
    one = child(stub.url)
    answer, errors = one.communicate(timeout=120)
    assert answer.startswith("(63, 2)")
    assert errors == ""


# --- several processes ----------------------------------------------------------------------

CHILD = """
import datetime as dt, sys, urllib.parse
import requests
from fisc.data.prices.fetch import fetch_prices
from fisc.data.prices.file_source import FileSource

class ToStub(requests.adapters.HTTPAdapter):
    def send(self, request, **options):
        parts = urllib.parse.urlsplit(request.url)
        request.url = sys.argv[1] + parts.path + ("?" + parts.query if parts.query else "")
        return super().send(request, **options)

session = requests.Session()
session.trust_env = False
session.mount("https://", ToStub())
{before}
prices = fetch_prices(["AAA", "BBB"], "2024-01-02", "2024-03-28", session=session,
                      now=lambda: dt.datetime(2024, 6, 3, 12, tzinfo=dt.UTC))
print(prices.shape, float(prices.to_numpy().sum()))
"""


def child(url, before=""):
    script = textwrap.dedent(CHILD).replace("{before}", before)
    return subprocess.Popen(
        [sys.executable, "-c", script, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_two_processes_at_once_fetch_once(fetch, stub):
    both = [child(stub.url), child(stub.url)]
    answers = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert answers[0][0].startswith("(63, 2)")
    assert len(stub.asked("AAA")) == len(stub.asked("BBB")) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_in_the_middle_of_writing_leaves_no_half_file(fetch, stub, home):
    # the child writes half of the file and then waits to be killed
    slow = """
import os, time
real = os.fsync
def stall(descriptor):
    os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
    print("writing", flush=True)
    time.sleep(60)
os.fsync = stall
"""
    one = child(stub.url, slow)
    assert one.stdout.readline() == "writing\n"
    one.send_signal(signal.SIGKILL)
    one.communicate(timeout=30)
    assert not PriceCache().path("yahoo", "AAA").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fetch()) == 63
    assert PriceCache().load("yahoo", "AAA") is not None


def test_an_unwritable_cache_says_so(fetch, tmp_path, monkeypatch):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("FISC_HOME", str(blocked))
    with pytest.raises(OSError, match="FISC_HOME"):
        fetch(["AAA"])


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


def test_without_yfinance_the_cache_still_serves(fetch, monkeypatch):
    fetch(["AAA"])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "yfinance", None)
        assert len(fetch(["AAA"])) == 63
        with pytest.raises(MissingExtraError, match=r"pip install 'fisc\[prices\]'"):
            fetch(["BBB"])
