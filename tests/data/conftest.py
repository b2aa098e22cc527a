"""Yahoo's servers on this machine, for the tests of prices that are fetched through yfinance itself."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import json
import threading
import time
import urllib.parse
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from fisc.data.prices.fetch import fetch_prices
from fisc.data.prices.yahoo import RetryPolicy

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

    Chart = Chart

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

    @staticmethod
    def session_to(url):
        """A session that sends every request to `url`, whatever host it names."""
        requests = pytest.importorskip("requests")

        class ToStub(requests.adapters.HTTPAdapter):
            def send(self, request, **options):
                parts = urllib.parse.urlsplit(request.url)
                request.url = f"{url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
                return super().send(request, **options)

        session = requests.Session()
        session.trust_env = False
        session.mount("https://", ToStub())
        session.mount("http://", ToStub())
        return session


def forget_yfinance():
    """Reset what yfinance keeps for the life of a process."""
    pytest.importorskip("yfinance")
    import yfinance.base
    import yfinance.cache
    import yfinance.data

    yfinance.data.SingletonMeta._instances.clear()
    yfinance.data.YfData.cache_get.cache_clear()
    yfinance.base._tz_info_fetch_ctr = 0
    for manager, slot in (("_TzCacheManager", "_tz_cache"), ("_CookieCacheManager", "_Cookie_cache")):
        setattr(getattr(yfinance.cache, manager), slot, None)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An own cache, and a yfinance that remembers nothing."""
    monkeypatch.setenv("FISC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FISC_OFFLINE", raising=False)
    forget_yfinance()
    yield tmp_path / "home"
    forget_yfinance()


@pytest.fixture
def stub(home):
    server = Stub()
    days = pd.bdate_range(START, END)
    server.charts["AAA"] = Chart(days, 100 + np.arange(len(days)))
    server.charts["BBB"] = Chart(days, 50 + np.sin(np.arange(len(days))))
    yield server
    server.close()


@pytest.fixture
def fetch(stub):
    """fetch_prices with the stub's session, a clock that stands still, and no waiting."""

    def call(tickers=("AAA", "BBB"), start=START, end=END, **options):
        patient = RetryPolicy(sleep=lambda seconds: None, seed=0)
        options = {"session": stub.session_to(stub.url), "retry": patient, "now": lambda: NOW, **options}
        return fetch_prices(tickers, start, end, **options)

    return call
