"""The cache of fetched prices: refreshed, damaged, shared by processes, and all there is offline."""

from __future__ import annotations

import datetime as dt
import inspect
import os
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from fisc.core.errors import DataWarning, MissingExtraError, OfflineError
from fisc.core.history import provenance
from fisc.data.prices.cache import PriceCache
from fisc.data.prices.collect import PriceFetchError
from fisc.data.prices.price_set import price_status, tradable
from fisc.data.prices.yahoo import RetryPolicy, YahooSource

requests = pytest.importorskip("requests")
yfinance = pytest.importorskip("yfinance")

pytestmark = pytest.mark.usefixtures("home")
START, END = "2024-01-02", "2024-03-28"


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
    assert [one.filename for one in told] == [inspect.getsourcefile(fetch)]  # who called fetch_prices
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
    nowhere = stub.session_to("http://127.0.0.1:9")  # the discard port: nothing listens
    waits = []
    with pytest.raises(OfflineError) as caught:
        fetch(list("ABCDEFGH"), session=nowhere, retry=RetryPolicy(sleep=waits.append, seed=0))
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


def test_without_yfinance_the_cache_still_serves(fetch, monkeypatch):
    fetch(["AAA"])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "yfinance", None)
        assert len(fetch(["AAA"])) == 63
        with pytest.raises(MissingExtraError, match=r"pip install 'fisc\[prices\]'"):
            fetch(["BBB"])
