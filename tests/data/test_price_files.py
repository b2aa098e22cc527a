"""read_prices: every layout, and every way a file can be wrong."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fisc.core.errors import CorruptFileError, DataError, DataWarning, OptionError
from fisc.core.history import provenance
from fisc.data.prices.files import read_prices
from fisc.data.prices.price_set import PriceState, price_states, price_status, tradable

DAYS = pd.bdate_range("2024-01-02", periods=4)
CLOSES = pd.DataFrame({"AAPL": [10.0, 11, 12, 13], "MSFT": [20.0, 21, 22, 23]}, index=DAYS)

WIDE = "date,AAPL,MSFT\n2024-01-02,10,20\n2024-01-03,11,21\n2024-01-04,12,22\n2024-01-05,13,23\n"
LONG = "Date,Symbol,Close\n" + "".join(
    f"{day:%Y-%m-%d},{name},{CLOSES.loc[day, name]}\n" for name in CLOSES for day in DAYS
)


@pytest.fixture
def write(tmp_path):
    def file(content, name="prices.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return file


def same(prices):
    assert prices.index.name == "date"
    assert prices.index.dtype == "datetime64[us]"
    assert (prices.dtypes == "float64").all()
    pd.testing.assert_frame_equal(prices, CLOSES, check_names=False, check_freq=False)


# --- layouts --------------------------------------------------------------------------------


def long_bars():
    rows = [
        {"ticker": name, "date": day, "open": p, "high": p + 1, "low": p - 1, "close": p, "volume": 5}
        for name in CLOSES
        for day, p in CLOSES[name].items()
    ]
    return pd.DataFrame(rows)


YFINANCE = "Price,Close,Close,Volume,Volume\nTicker,AAPL,MSFT,AAPL,MSFT\nDate,,,,\n" + "".join(
    f"{d:%Y-%m-%d},{a},{m},5,5\n" for d, a, m in CLOSES.itertuples()
)


@pytest.mark.parametrize(
    "text",
    [
        WIDE,
        WIDE.replace(",", ";"),
        WIDE.replace(",", "\t"),
        WIDE.replace("\n", "\r\n") + ",,\r\n",
        "\ufeff" + WIDE,
        WIDE.replace("date", ""),  # an index saved without a name
        LONG,
        LONG.replace("Symbol", "TICKER").replace("Close", "PRICE"),
        WIDE.replace("AAPL", "AAPL_Close").replace("MSFT", "MSFT_Close"),
        WIDE.replace("AAPL", "Close AAPL").replace("MSFT", "Close MSFT"),
        YFINANCE,
        YFINANCE.replace("Price,", "Ticker,", 1).replace("\nTicker,", "\nPrice,", 1),
        WIDE.replace("2024-01-0", "2024010").replace("-", ""),
        WIDE.replace("2024-01-0", "2024/01/0"),
        "".join([WIDE[:15], *(f"{d:%d-%b-%Y},{a},{m}\n" for d, a, m in CLOSES.itertuples())]),
        "".join([WIDE[:15], *(f"{d} 00:00:00-05:00,{a},{m}\n" for d, a, m in CLOSES.itertuples())]),
        "date;AAPL;MSFT\n"
        + "".join(
            f"{d:%d.%m.%Y};{a:.1f};{m:.1f}\n".replace(".0;", ",0;").replace(".0\n", ",0\n")
            for d, a, m in CLOSES.itertuples()
        ),
    ],
)
def test_every_layout_of_csv_gives_the_same_table(write, text):
    same(read_prices(write(text)))


def test_compression_is_seen_from_the_content_not_the_name(write):
    same(read_prices(write(gzip.compress(WIDE.encode()), "prices.csv")))
    same(read_prices(write(gzip.compress(WIDE.encode()), "prices.csv.gz")))
    same(read_prices(write(WIDE, "prices.csv.gz")))


@pytest.mark.parametrize("compressed", [False, True])
def test_parquet_wide_long_and_two_levels(tmp_path, compressed):
    two = pd.concat({"Close": CLOSES, "Volume": CLOSES * 0 + 5}, axis=1)
    tables = {
        "wide": CLOSES,
        "named": CLOSES.rename_axis("Date"),
        "long": long_bars(),
        "indexed": long_bars().set_index(["ticker", "date"]),
        "two": two,
        "aware": CLOSES.tz_localize("America/New_York"),
    }
    for name, table in tables.items():
        path = tmp_path / f"{name}.parquet"
        table.to_parquet(path)
        if compressed:
            path.write_bytes(gzip.compress(path.read_bytes()))
        same(read_prices(path))


def test_bars_of_one_asset_take_the_name_of_the_file(write):
    head = "Date,Open,High,Low,Close,Adj Close,Volume\n"
    text = head + "2024-01-02,9,11,8,10,9.5,100\n2024-01-03,10,12,9,11,10.5,0\n"
    path = write(text, "RELIANCE.NS.csv")
    prices = read_prices(path, full=True)
    assert list(prices.close.columns) == ["RELIANCE"]
    assert prices.close["RELIANCE"].tolist() == [10, 11]
    assert set(prices.fields) == {"open", "high", "low", "adj_close", "volume"}
    assert prices.states["RELIANCE"].tolist() == [PriceState.TRADED, PriceState.SUSPENDED]
    assert read_prices(path, field="adj_close", name="X")["X"].tolist() == [9.5, 10.5]


def test_tickers_that_are_words_for_fields_stay_tickers(write):
    prices = read_prices(write("date,LOW,OPEN\n2024-01-02,200,3\n2024-01-03,201,4\n"))
    assert list(prices.columns) == ["LOW", "OPEN"]


def test_columns_may_be_named_by_the_user(write):
    text = LONG.replace("Date", "d").replace("Symbol", "who").replace("Close", "px")
    same(read_prices(write(text), columns={"date": "d", "ticker": "who", "close": "px"}))


def test_selection_of_tickers_and_days(write):
    prices = read_prices(write(WIDE), tickers=["MSFT"], start="2024-01-03", end="2024-01-04")
    assert prices["MSFT"].tolist() == [21, 22]
    assert list(prices.columns) == ["MSFT"]


def test_columns_that_are_not_asked_for_may_hold_anything(write):
    path = write("date,A,remark\n2024-01-02,1,merger\n2024-01-03,2,\n")
    with pytest.raises(
        DataError, match=r"column 'remark': 1 cells are no numbers; .* pass tickers= to read other"
    ):
        read_prices(path)
    assert read_prices(path, tickers=["A"])["A"].tolist() == [1, 2]


def test_a_ticker_may_lack_a_field_that_others_have(write):
    text = "Price,Close,Close,Volume\nTicker,A,B,A\nDate,,,\n2024-01-02,1,2,0\n2024-01-03,1,3,4\n"
    prices = read_prices(write(text), tickers=["B", "A"], full=True)
    assert prices.fields["volume"]["B"].isna().all()
    assert prices.states.to_numpy().tolist() == [[0, PriceState.SUSPENDED], [0, 0]]


def test_numbers_with_thousands_and_words_for_nothing(write):
    prices = read_prices(
        write('date,A,B\n2024-01-02,"1,234.5",1\n2024-01-03,n/a,1\n2024-01-04,null,1\n2024-01-05,7,1\n')
    )
    assert prices["A"].tolist() == [1234.5, 1234.5, 1234.5, 7]
    assert price_states(prices)["A"].tolist() == [0, 1, 1, 0]


# --- what stands behind a cell --------------------------------------------------------------


def test_gaps_are_filled_so_far_and_marked_and_never_with_zero(write):
    cells = ["", "5", *[""] * 7, "6"]
    days = pd.bdate_range("2024-01-01", periods=10)
    other = "".join(f"{d:%Y-%m-%d},{c},1\n" for d, c in zip(days, cells, strict=True))
    prices = read_prices(write("date,A,B\n" + other))
    assert price_states(prices)["A"].tolist() == [4, 0, 1, 1, 1, 1, 1, 2, 2, 0]
    expected = [np.nan, 5, 5, 5, 5, 5, 5, np.nan, np.nan, 6]
    np.testing.assert_array_equal(prices["A"], expected)
    assert tradable(prices)["A"].sum() == 2
    repairs = provenance(prices).options["repairs"]
    assert (repairs["stale"], repairs["missing"], repairs["not_listed"]) == (5, 2, 1)
    unfilled = read_prices(write("date,A,B\n" + other), max_gap=0)
    assert unfilled["A"].isna().sum() == 8


def test_the_mask_survives_slicing_and_choosing(write):
    prices = read_prices(write("date,A,B\n2024-01-02,1,1\n2024-01-03,,2\n2024-01-04,3,3\n"))
    assert tradable(prices.loc["2024-01-03":, ["B", "A"]])["A"].tolist() == [False, True]
    assert tradable(prices[["A"]].iloc[::-1])["A"].tolist() == [True, False, True]


def test_the_mask_of_any_other_table_comes_from_its_nans():
    frame = CLOSES.copy()
    frame.iloc[0, 0] = np.nan
    frame.iloc[2, 1] = np.nan
    assert price_states(frame)["AAPL"].tolist() == [4, 0, 0, 0]
    assert price_states(frame)["MSFT"].tolist() == [0, 0, 2, 0]
    with pytest.raises(DataError, match="frame has no dates"):
        tradable(frame.reset_index(drop=True))
    with pytest.raises(DataError, match="no status per ticker"):
        price_status(frame)


def test_calendar_intersection_keeps_the_days_that_all_share(write):
    path = write("date,A,B\n2024-01-02,1,\n2024-01-03,2,2\n2024-01-04,,3\n2024-01-05,4,4\n")
    prices = read_prices(path, calendar="intersection")
    assert [f"{d:%d}" for d in prices.index] == ["03", "05"]
    with pytest.raises(DataError, match="no day on which all 2 assets"):
        read_prices(write("date,A,B\n2024-01-02,1,\n2024-01-03,,2\n"), calendar="intersection")


def test_empty_columns_and_empty_days_are_dropped_and_counted(write):
    path = write("date,A,B\n2024-01-02,1,\n2024-01-03,,\n2024-01-04,3,\n")
    with pytest.warns(DataWarning, match=r"prices.csv: assets without any price dropped \(B\): 1"):
        prices = read_prices(path)
    assert list(prices.columns) == ["A"]
    assert len(prices) == 2
    assert price_status(prices).loc["B", "outcome"] == "failed"
    with pytest.raises(DataError, match="no price at all is left"):
        read_prices(write("date,A\n2024-01-02,\n"))


# --- repairs, counted -----------------------------------------------------------------------


def test_unsorted_rows_are_sorted_and_counted(write):
    lines = WIDE.splitlines()
    path = write("\n".join([lines[0], lines[3], lines[1], lines[4], lines[2]]))
    prices = read_prices(path)
    same(prices)
    assert provenance(prices).options["repairs"]["unsorted"] == 2
    assert "rows out of order, sorted by date: 2" in provenance(prices).notes


def test_identical_rows_are_dropped_and_different_ones_refused(write):
    path = write(WIDE + "2024-01-05,13,23\n")
    with pytest.warns(DataWarning, match="rows that repeat another one dropped: 1"):
        same(read_prices(path))
    path = write(WIDE + "2024-01-05,14,23\n")
    with pytest.raises(
        DataError, match=r"1 dates appear more than once with different values, .* 2024-01-05"
    ):
        read_prices(path)
    with pytest.warns(DataWarning, match="rows dropped for the last one of their day: 1"):
        assert read_prices(path, on_duplicates="last")["AAPL"].iloc[-1] == 14
    with pytest.warns(DataWarning, match="rows dropped for the first one of their day: 1"):
        same(read_prices(path, on_duplicates="first"))
    path = write(LONG + "2024-01-04,MSFT,99\n")
    with pytest.raises(DataError, match=r"1 dates of one ticker appear .* MSFT on 2024-01-04"):
        read_prices(path)


@pytest.mark.parametrize("bad", ["0", "-3", "inf"])
def test_prices_that_cannot_be_are_refused_or_set_missing(write, bad):
    path = write(WIDE.replace(",21", f",{bad}"))
    with pytest.raises(DataError, match=r"1 prices \(close\) are zero, .* for MSFT on 2024-01-03"):
        read_prices(path)
    with pytest.warns(DataWarning, match=r"prices \(close\) that are not above zero set missing: 1"):
        prices = read_prices(path, on_bad="missing", full=True)
    assert prices.states["MSFT"].tolist() == [0, PriceState.STALE, 0, 0]
    assert prices.close["MSFT"].tolist() == [20, 20, 22, 23]
    assert prices.checks["check"].tolist() == ["not a price"]


def test_contradicting_bars_jumps_and_gaps_are_flagged(write):
    text = (
        "date,open,high,low,close\n2024-01-02,10,11,9,10\n2024-01-03,10,9,8,10\n"
        "2024-01-04,10,11,10.5,10\n2024-02-05,10,30,9,20\n2024-02-06,20,21,19,20\n"
    )
    checks = read_prices(write(text), full=True).checks.set_index("check")
    assert sorted(checks.index) == ["gap", "high", "jump", "low"]
    assert f"{checks.loc['high', 'date']:%m-%d}" == "01-03"
    assert f"{checks.loc['low', 'date']:%m-%d}" == "01-04"
    assert checks.loc["jump", "value"] == pytest.approx(np.log(2))
    assert checks.loc["gap", "value"] == 32


def test_dividends_and_splits_of_a_file_are_applied_if_asked(write):
    text = (
        "date,ticker,close,dividends,stock splits\n2024-01-02,A,100,0,0\n2024-01-03,A,50,0,2\n"
        "2024-01-04,A,45,5,1\n2024-01-05,A,45,0,0\n"
    )
    path = write(text)
    assert read_prices(path)["A"].tolist() == [100, 50, 45, 45]
    np.testing.assert_allclose(read_prices(path, adjust="splits")["A"], [50, 50, 45, 45])
    np.testing.assert_allclose(read_prices(path, adjust="total")["A"], [45, 45, 45, 45])
    with pytest.raises(OptionError, match=r"field='open' is not in prices\.csv; it has close"):
        read_prices(path, field="open")


# --- files that cannot be read --------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("date,A\n", "a header and no rows"),
        ("hello\nworld\n", "one column only"),
        ("<!DOCTYPE html><html>Sign in</html>", "is a web page, XML or JSON"),
        ('{"chart": 1}', "is a web page, XML or JSON"),
        (b"PK\x03\x04xxxx", "a zip archive or Excel workbook"),
        (b"\xff\xfe\x00d,a", "is not text in utf-8-sig"),
        ("A,B\n1,2\n", "no column of dates"),
        ("when,A\n2024-01-02,2\n", r"pass columns=\{'date': 'when'\}"),
        ("date,ticker,clsoe\n2024-01-02,A,2\n", r"pass columns=\{'close': 'clsoe'\}"),
        ("date,A\n2024-01-02,1\nyesterday,2\n", r"1 of 2 dates cannot be read .* 'yesterday' in data row 2"),
        ("date,A\n03/04/2024,1\n04/05/2024,2\n", "both as day/month and as month/day"),
        (
            "date,A\n2024-01-02,1\n2024-01-03,abc\n",
            r"column 'A': 1 cells are no numbers; .*'abc' in data row 2",
        ),
        ("date,A,A\n2024-01-02,1,2\n", "the column 'A' appears 2 times"),
        ("date,A\n2024-01-02,1,2,3\n", "rows have different numbers of columns"),
        ("date\n2024-01-02\n", "one column only"),
        ("date,ticker,close\n2024-01-02,A,1\n2024-01-02,,2\n", "1 rows have no ticker"),
        ("date,close,volume\n2024-01-02,1,-5\n", "1 volumes are negative"),
        (
            "date,tikcer,close\n2024-01-02,A,1\n2024-01-02,B,2\n2024-01-03,A,1\n2024-01-03,B,2\n",
            r"pass columns=\{'ticker': 'tikcer'\}",
        ),
        ("Price,Close\nTicker,A\nDate,\n2024-01-02,x\n", "column Close A: 1 cells are no numbers"),
        ("Price,Cluse\nTicker,A\nDate,\n2024-01-02,1\n", "neither of the two header lines"),
    ],
)
def test_a_file_that_cannot_be_understood_says_why(write, content, words):
    with pytest.raises(DataError, match=words):
        read_prices(write(content))


def test_dates_that_only_one_order_fits_need_no_format(write):
    prices = read_prices(write("date,A\n30/01/2024,1\n31/01/2024,2\n01/02/2024,3\n"))
    assert [f"{d:%m-%d}" for d in prices.index] == ["01-30", "01-31", "02-01"]
    path = write("date,A\n03/04/2024,1\n04/04/2024,2\n")
    assert read_prices(path, date_format="%d/%m/%Y").index[0] == pd.Timestamp("2024-04-03")
    with pytest.raises(DataError, match="cannot be read with date_format='%Y'"):
        read_prices(path, date_format="%Y")


def test_missing_files_folders_and_damage(tmp_path, write):
    path = write(WIDE)
    with pytest.raises(DataError, match=r"there is no file .*pricse\.csv; did you mean 'prices\.csv'"):
        read_prices(tmp_path / "pricse.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_prices(tmp_path)
    with pytest.raises(CorruptFileError, match="its gzip data end early"):
        read_prices(write(gzip.compress(WIDE.encode() * 50)[:-20], "cut.csv.gz"))
    CLOSES.to_parquet(path)
    with pytest.raises(CorruptFileError, match="not readable as Parquet"):
        read_prices(write(path.read_bytes()[:-30], "cut.parquet"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"field": "clsoe"}, "did you mean 'close'"),
        ({"on_bad": "drop"}, "on_bad='drop' is not an option"),
        ({"on_duplicates": "mean"}, "on_duplicates='mean' is not an option"),
        ({"calendar": "both"}, "calendar='both' is not an option"),
        ({"max_gap": 1.5}, "max_gap=1.5; give a whole number of at least 0"),
        ({"tickers": ["APPL"]}, "has no ticker 'APPL'; did you mean 'AAPL'"),
        ({"columns": {"clse": "AAPL"}}, "columns has the key 'clse'; did you mean 'close'"),
        ({"columns": {"date": "dat"}}, "there is no column 'dat' for date; did you mean 'date'"),
        ({"start": "2030-01-01"}, "has no rows from 2030-01-01 to None; it spans 2024-01-02 to 2024-01-05"),
        ({"field": "adj_close", "adjust": "total"}, "is not in prices.csv"),
    ],
)
def test_wrong_options_name_the_nearest(write, options, words):
    with pytest.raises(DataError, match=words):
        read_prices(write(WIDE), **options)


def test_adjusted_closes_are_not_adjusted_twice(write):
    path = write("date,close,adj close\n2024-01-02,10,9\n")
    with pytest.raises(OptionError, match="adjusted already"):
        read_prices(path, field="adj_close", adjust="total")


# --- invariants -----------------------------------------------------------------------------


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cells=st.lists(
        st.lists(st.one_of(st.none(), st.floats(0.01, 1e5)), min_size=3, max_size=3), min_size=2, max_size=12
    ),
    order=st.randoms(use_true_random=False),
)
def test_wide_long_and_shuffled_files_say_the_same(tmp_path, cells, order):
    days = pd.bdate_range("2024-01-02", periods=len(cells), name="date")
    table = pd.DataFrame(cells, index=days, columns=list("ABC"), dtype=float)
    table.iloc[0] = [1.0, 2.0, 3.0]
    table.to_csv(tmp_path / "wide.csv")
    rows = table.reset_index().melt("date", var_name="ticker", value_name="close")
    picks = list(range(len(rows)))
    order.shuffle(picks)
    rows.iloc[picks].to_csv(tmp_path / "long.csv", index=False)
    wide = read_prices(tmp_path / "wide.csv")
    long = read_prices(tmp_path / "long.csv", tickers=list("ABC"))
    pd.testing.assert_frame_equal(wide, long, check_freq=False)
    assert price_states(wide).equals(price_states(long))
    kept = table.loc[wide.index]
    np.testing.assert_array_equal(wide.to_numpy()[kept.notna()], kept.to_numpy()[kept.notna()])
    assert not (wide == 0).any(axis=None)
    assert not (tradable(wide) & kept.isna()).any(axis=None)


def test_a_set_round_trips_through_json(write):
    whole = read_prices(write(YFINANCE), full=True)
    again = type(whole).from_dict(json.loads(json.dumps(whole.to_dict())))
    pd.testing.assert_frame_equal(again.close, whole.close, check_freq=False)
    pd.testing.assert_frame_equal(
        again.fields["volume"], whole.fields["volume"], check_names=False, check_freq=False
    )
    assert again.summary() == whole.summary()


def test_the_picture_shows_each_state_where_it_is(write):
    whole = read_prices(
        write("date,A,B\n2024-01-02,,1\n2024-01-03,5,1\n2024-01-04,,1\n2024-01-05,6,1\n"), full=True
    )
    ax = whole.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["A", "B"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["traded", "stale", "not listed"]
    start = pd.Timestamp("2024-01-02").to_datetime64().astype("datetime64[D]").astype(float)
    spans = [path.get_extents() for bars in ax.collections for path in bars.get_paths()]
    assert [(s.x0 - start, s.x1 - start, round(s.y0)) for s in spans] == [
        (0, 4, 0),
        (0, 1, 0),
        (2, 3, 0),
        (0, 4, 1),
    ]
    ax.figure.canvas.draw()


def test_real_files_of_the_national_stock_exchange(shared):
    market = shared / "data" / "market"
    prices = read_prices(market / "nifty50_stocks_open_close_2000_2021.csv.gz")
    assert prices.shape[1] > 45
    assert not prices.isna().all().any()
    assert (prices.min() > 0).all()
    index = read_prices(
        market / "nifty_index_ohlc_2016_2021.csv.gz", columns={"ticker": "index"}, on_bad="missing"
    )
    assert "NIFTY_100" in index
