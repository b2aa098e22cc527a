"""Well-formed price files of many habits are read, every one as the same table."""

from __future__ import annotations

import gzip
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.core.errors import DataError, DataWarning
from fisc.data.prices.files import read_prices

DAYS = pd.bdate_range("2023-12-20", periods=30, name="date")
CLOSES = pd.DataFrame(
    np.round(
        np.exp(np.random.default_rng(5).normal(0, 0.02, (30, 3)).cumsum(axis=0)) * [95.0, 1450.0, 12.0], 2
    ),
    index=DAYS,
    columns=["AAPL", "TCS", "VOD"],
)

DATE_STYLES: dict[str, Callable[[pd.Timestamp], str]] = {
    "ISO": lambda d: f"{d:%Y-%m-%d}",
    "ISO with time": lambda d: f"{d:%Y-%m-%dT00:00:00}",
    "ISO, close in UTC": lambda d: f"{d:%Y-%m-%d}T21:00:00Z",
    "New York midnight": lambda d: f"{d:%Y-%m-%d} 00:00:00-05:00",
    "day first": lambda d: f"{d:%d/%m/%Y}",
    "month first": lambda d: f"{d:%m/%d/%Y}",
    "month first, short": lambda d: f"{d.month}/{d.day}/{d.year}",
    "day first, two digits": lambda d: f"{d:%d/%m/%y}",
    "day first, with time": lambda d: f"{d:%d/%m/%Y} 16:00",
    "month first, with half-days": lambda d: f"{d:%m/%d/%Y} 4:00:00 PM",
    "German": lambda d: f"{d:%d.%m.%Y}",
    "German, two digits": lambda d: f"{d:%d.%m.%y}",
    "dashes": lambda d: f"{d:%d-%m-%Y}",
    "NSE": lambda d: f"{d:%d-%b-%Y}",
    "NSE capitals": lambda d: f"{d:%d-%b-%Y}".upper(),
    "short month, two digits": lambda d: f"{d:%d-%b-%y}",
    "Stata": lambda d: f"{d:%d%b%Y}".lower(),
    "investing.com": lambda d: f"{d:%b %d, %Y}",
    "long month": lambda d: f"{d:%d %B %Y}",
    "with weekday": lambda d: f"{d:%a, %d %b %Y}",
    "figures": lambda d: f"{d:%Y%m%d}",
    "slashes, year first": lambda d: f"{d:%Y/%m/%d}",
    "points, year first": lambda d: f"{d:%Y.%m.%d}",
    "Tokyo midnight in UTC": lambda d: f"{d - pd.Timedelta(hours=9):%Y-%m-%dT%H:%M:%SZ}",
}
NUMBER_STYLES: dict[str, tuple[str, Callable[[float], str]]] = {
    "plain": (",", lambda v: f"{v:.2f}"),
    "long": (",", lambda v: repr(float(v))),
    "quoted thousands": (",", lambda v: f'"{v:,.2f}"'),
    "dollars": (",", lambda v: f'"${v:,.2f}"'),
    "rupees": (",", lambda v: f"₹{v:.2f}"),
    "scientific": (",", lambda v: f"{v:.10e}"),
    "tab": ("\t", lambda v: f"{v:.2f}"),
    "bar": ("|", lambda v: f"{v:.2f}"),
    "semicolon, point": (";", lambda v: f"{v:.2f}"),
    "European": (";", lambda v: f"{v:.2f}".replace(".", ",")),
    "European thousands": (";", lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,"))),
    "French": (";", lambda v: f"{v:,.2f}".translate(str.maketrans({",": " ", ".": ","}))),
    "French, narrow blanks": (";", lambda v: f"{v:,.2f}".translate(str.maketrans({",": "\u202f", ".": ","}))),
    "Swiss": (";", lambda v: f"{v:,.2f}".replace(",", "'")),
    "European, tab": ("\t", lambda v: f"{v:.2f}".replace(".", ",")),
}


def wide(date: str = "ISO", number: str = "plain", corner: str = "Date", **how: str) -> str:
    mark, write = NUMBER_STYLES[number]
    end = how.get("end", "\n")
    written = {day: DATE_STYLES[date](day) for day in DAYS}
    if mark in ", ":
        written = {day: f'"{text}"' if "," in text else text for day, text in written.items()}
    lines = [mark.join([corner, *CLOSES])]
    lines += [
        mark.join([written[day], *(write(v) for v in row)])
        for day, row in zip(DAYS, CLOSES.to_numpy(), strict=True)
    ]
    return how.get("before", "") + end.join(line + how.get("after", "") for line in lines) + end


def long(header: str = "date,ticker,close") -> str:
    rows = itertools.product(DAYS, CLOSES)
    return header + "\n" + "".join(f"{d:%Y-%m-%d},{t},{CLOSES.loc[d, t]}\n" for d, t in rows)


def kinds() -> Iterator[tuple[str, bytes]]:
    for date in DATE_STYLES:
        yield f"dates: {date}", wide(date).encode()
        yield f"dates: {date}, European", wide(date, "European").encode()
    for number in NUMBER_STYLES:
        yield f"numbers: {number}", wide(number=number).encode()
        yield f"numbers: {number}, day first", wide("day first", number).encode()
    yield "mark of order", b"\xef\xbb\xbf" + wide().encode()
    yield "Excel's Unicode text", wide(number="tab").encode("utf-16")
    yield "Excel's declared separator", wide(number="European", before="sep=;\n").encode()
    yield "Windows", wide(end="\r\n").encode()
    yield "old Mac", wide(end="\r").encode()
    yield "ends with separators", wide(after=",").encode()
    yield "lines above", wide(before="Prices of three shares\nDownloaded on 2024-02-01\n\n").encode()
    yield "compressed", gzip.compress(wide().encode())
    yield "empty lines at the end", (wide() + ",,,\n,,,\n").encode()
    yield "a pandas index", wide(corner="").encode()
    yield (
        "a pandas row number",
        ("," + "\n".join(f"{i - 1},{x}" if i else x for i, x in enumerate(wide().splitlines()))).encode(),
    )
    numbered = enumerate(wide().splitlines())
    yield "R's row names", "\n".join(f'"{i}",{x}' if i else f'"",{x}' for i, x in numbered).encode()
    numbered = enumerate(wide().splitlines())
    yield "a numbered column", "\n".join(f"{i},{x}" if i else f"row,{x}" for i, x in numbered).encode()
    yield "Bloomberg's names", wide(corner="Dates").encode()
    yield "Stata's long table", long("date,permno,prc").encode()
    yield "R's long table", long('"date","symbol","close"').encode()
    yield "capitals", long("DATE,TICKER,CLOSE").encode()
    yield "Refinitiv", long("Trade Date,Instrument,Close Price").encode()
    for field in ("Close", "Adj Close", "PX_LAST"):
        named = (
            wide()
            .replace("AAPL", f"{field} AAPL")
            .replace("TCS", f"{field} TCS")
            .replace("VOD", f"{field} VOD")
        )
        yield f"field and name: {field}", named.encode()
    head = "Price,Close,Close,Close,Volume,Volume,Volume\nTicker,AAPL,TCS,VOD,AAPL,TCS,VOD\nDate,,,,,,\n"
    body = "".join(f"{d:%Y-%m-%d},{','.join(map(str, CLOSES.loc[d]))},5,5,5\n" for d in DAYS)
    yield "yfinance", (head + body).encode()


KINDS = dict(kinds())
READ_WITH = {"field and name: Adj Close": {"field": "adj_close"}}
SAID = ("row numbers", "midnights east of UTC")  # what is repaired is said, and nothing else


def test_there_are_as_many_habits_as_promised() -> None:
    assert len(KINDS) >= 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_every_habit_is_the_same_table(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "prices[1].csv"
    path.write_bytes(KINDS[kind])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", DataWarning)
        read = read_prices(path, **READ_WITH.get(kind, {}))  # type: ignore[call-overload]
    assert all(any(words in str(one.message) for words in SAID) for one in said), [
        str(s.message) for s in said
    ]
    pd.testing.assert_frame_equal(read[list(CLOSES)], CLOSES, check_names=False, check_freq=False)
    assert list(read.columns) == list(CLOSES) or kind.startswith(
        ("Stata", "R's long", "capitals", "Refinitiv")
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("date,A\n03/04/2024,1\n04/05/2024,2\n", "both as day/month and as month/day"),
        ("date,A\n03/04/24,1\n04/05/24,2\n", "both as day/month and as month/day"),
        ("date,A\n201211,1\n201212,2\n", "both as a month .* and as a day"),
        ("date,A\n43831,1\n43832,2\n", "serial numbers of days"),
        ("date,A\n1704067200,1\n1704153600,2\n", "seconds since 1970"),
        ("date;A\n2024-01-02;1.234\n2024-01-03;1.255\n", r"pass decimal='\.' or decimal=','"),
        ('date,A\n2024-01-02,"10,125"\n2024-01-03,"10,150"\n', r"pass decimal='\.' or decimal=','"),
        ("date,A,Volume\n2024-01-02,10,1e6\n2024-01-03,11,2e6\n", "column 'Volume' holds volumes"),
        ("date,A,rf\n2024-01-02,10,.01\n2024-01-03,11,.02\n", "column 'rf' holds rates"),
        ("date,A,log_price\n2024-01-02,10,4.1\n2024-01-03,11,4.2\n", "column 'log_price' holds logarithms"),
        (
            "date,A,year\n" + "".join(f"2024-01-{d:02d},{d + 9},2024\n" for d in range(2, 9)),
            "column 'year' holds the year of its date",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_or_is_no_price_is_asked_about(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_prices(path)


def test_the_user_may_say_what_a_file_does_not(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("date;A\n03/04/2024;1.234\n04/05/2024;1.255\n", encoding="utf-8")
    read = read_prices(path, date_format="%d/%m/%Y", decimal=",")
    assert read["A"].tolist() == [1234.0, 1255.0]
    assert read.index[0] == pd.Timestamp("2024-04-03")


def test_months_end_on_their_last_day_and_two_digits_are_no_future_year(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("month,A\n202411,1\n202412,2\n", encoding="utf-8")
    read = read_prices(path, columns={"date": "month"})
    assert read.index.strftime("%Y-%m-%d").tolist() == ["2024-11-30", "2024-12-31"]
    path.write_text("date,A\n02-Jan-57,1\n03-Jan-57,2\n31-Dec-68,3\n02-Jan-69,4\n", encoding="utf-8")
    assert read_prices(path).index.year.tolist() == [1957, 1957, 1968, 1969]
