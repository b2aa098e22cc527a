"""Fetching prices: the network once, then the cache, and a report on every ticker."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from typing import Literal, Unpack, overload

import pandas as pd

from fisc.core.dates import read_date
from fisc.core.errors import DataError, OptionError, check_option
from fisc.data.prices.cache import PriceCache
from fisc.data.prices.checks import assemble
from fisc.data.prices.collect import Collector, report
from fisc.data.prices.file_source import FileSource
from fisc.data.prices.options import PRICES, Adjustment, Calendar, PriceField, Shape, ShapeOptions
from fisc.data.prices.price_set import PriceSet
from fisc.data.prices.raw import RawPrices, no_events, set_aside
from fisc.data.prices.sources import EVENT_KINDS, PriceSource
from fisc.data.prices.yahoo import RetryPolicy, YahooSource

__all__ = ["fetch_prices"]


class FetchOptions(ShapeOptions, total=False):
    """Options of `fetch_prices` that are given by name."""

    refresh: bool
    retry: RetryPolicy | None
    timeout: float
    now: Callable[[], dt.datetime] | None


@overload
def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | os.PathLike[str] | PriceSource = "yahoo",
    strict: bool = True,
    session: object = None,
    *,
    full: Literal[False] = False,
    **options: Unpack[FetchOptions],
) -> pd.DataFrame: ...


@overload
def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | os.PathLike[str] | PriceSource = "yahoo",
    strict: bool = True,
    session: object = None,
    *,
    full: Literal[True],
    **options: Unpack[FetchOptions],
) -> PriceSet: ...


def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | os.PathLike[str] | PriceSource = "yahoo",
    strict: bool = True,
    session: object = None,
    *,
    field: PriceField = "close",
    adjust: Adjustment = "total",
    calendar: Calendar = "union",
    max_gap: int = 5,
    refresh: bool = False,
    retry: RetryPolicy | None = None,
    timeout: float = 10.0,
    now: Callable[[], dt.datetime] | None = None,
    full: bool = False,
) -> pd.DataFrame | PriceSet:
    """Fetch daily prices of some tickers, or take them from the cache.

    Parameters
    ----------
    tickers : str or sequence of str
        Symbols as the source writes them; one text may hold several, with spaces or commas.
        They become the columns, spelled and ordered as given.
    start, end : date or str
        First and last day wanted, both included, such as ``"2015-01-01"``. `end` None means
        up to the last complete day. The current day is never returned: its bar is not complete.
    source : {"yahoo"}, path-like or PriceSource
        Where from: Yahoo, a file of your own (a `Path`), or an object such as `FileSource`.
    strict : bool
        True: raise if any ticker cannot be had, naming each with the reason. False: return
        the others; `fisc.data.price_status` of the answer says what became of each.
    session : requests.Session, optional
        Makes the requests, for proxies and tests.
    field : {"close", "open", "high", "low"}
        Which price of the day.
    adjust : {"total", "splits", "none"}
        Adjust for dividends and splits, for splits only, or give the source's raw prices
        (Yahoo's are always divided by splits). Computed now, from the raw prices and events in
        the cache and of the period asked for, so that a fixed period gives the same returns
        next year.
    calendar : {"union", "intersection"}
        Days on which any of the tickers has a price, or only those on which all have one.
    max_gap : int
        Carry the last price forward over at most this many rows; the cells are marked as stale.
    refresh : bool
        Fetch all of it again, whatever is cached.
    retry : RetryPolicy, optional
        How often and how patiently to ask again.
    timeout : float
        Seconds that one answer may take.
    now : callable, optional
        Returns the time, aware; for tests.
    full : bool
        True: return a `PriceSet` (states, other fields, events, checks) and not only closes.

    Returns
    -------
    DataFrame of float64, (days, tickers) or PriceSet
        Index ``date``: naive days at the exchange. `fisc.data.tradable` gives the mask,
        `fisc.data.provenance` the options, fingerprints and counted repairs.

    Raises
    ------
    OfflineError
        If something must be fetched, and the network is forbidden (``FISC_OFFLINE``) or cannot
        be reached.
    PriceFetchError
        If a ticker fails and `strict` is true, or all fail.
    OptionError, DataError
        If an argument cannot be used.
    MissingExtraError
        If yfinance is not installed.

    Warns
    -----
    DataWarning
        If prices were dropped or repaired, with counts.

    Notes
    -----
    Each ticker has one file in the cache, with raw prices, dividends and splits. A later call
    fetches only what is missing, reaching back 30 days into what is cached; where the closes
    there have changed by more than 1e-4 of their value, or a split is new, all of it is fetched
    again. Several processes may fetch the same tickers at once.

    Examples
    --------
    >>> fetch_prices(["AAPL"], "2024-01-01", "2024-06-30", source="yaho")
    Traceback (most recent call last):
    ...
    fisc.core.errors.OptionError: source='yaho' is not an option; did you mean 'yahoo'? (one of: 'yahoo')
    """
    names = _tickers(tickers)
    clock = now or (lambda: dt.datetime.now(dt.UTC))
    first = read_date("start", start)
    # the furthest any place on earth has come is UTC+14, so no exchange is past this day
    newest = (clock() + dt.timedelta(hours=14)).date() - dt.timedelta(days=1)
    last = newest if end is None else min(read_date("end", end), newest)
    if first > last:
        raise DataError(
            f"start={first} is after the last day that can be had, {last}; "
            "give an earlier start, or a later end"
        )
    check_option("field", field, [name for name in PRICES if name != "adj_close"])
    shape = Shape(field, adjust, calendar, max_gap)
    origin = _source(source, session, retry, timeout, clock)
    got = Collector(origin, PriceCache(), first, last, clock, strict).collect(names, refresh=refresh)
    prices = assemble(
        _raw(got.bars, names, origin.split_adjusted),
        shape,
        status=report(got.status),
        options={
            "tickers": names,
            "start": first,
            "end": last,
            "source": origin.name,
            "library": got.library,
            "fetched": got.fetched,
        },
        inputs={"raw": got.checksums},
        source=f"{origin.name} ({origin.address})",
        warn_level=3,
    )
    return prices if full else prices.to_frame()


def _tickers(tickers: str | Sequence[str]) -> list[str]:
    """Return the tickers as a list of distinct names."""
    names = tickers.replace(",", " ").split() if isinstance(tickers, str) else list(tickers)
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong:
        raise DataError(f"tickers must be texts such as 'AAPL', got {wrong[0]!r}")
    names = [name.strip() for name in names]
    if not names:
        raise DataError("no tickers were given; give at least one, such as ['AAPL']")
    seen: set[str] = set()
    for name in names:
        if name.upper() in seen:
            raise DataError(f"ticker {name!r} was given twice; give each once")
        seen.add(name.upper())
    return names


def _source(
    source: str | os.PathLike[str] | PriceSource,
    session: object,
    retry: RetryPolicy | None,
    timeout: float,
    now: Callable[[], dt.datetime],
) -> PriceSource:
    """Return the source that was named or given."""
    if isinstance(source, str):
        check_option("source", source, ("yahoo",))
        return YahooSource(session, retry=retry, timeout=timeout, now=now)
    if isinstance(source, os.PathLike):
        return FileSource(source)
    if not isinstance(source, PriceSource):
        raise OptionError(
            f"source={source!r} is neither 'yahoo', nor a path, nor an object with name, address, version, "
            "remote, split_adjusted and fetch(tickers, start, end)"
        )
    if session is not None or retry is not None:
        raise OptionError("session= and retry= go with source='yahoo'; give this source its own")
    return source


def _raw(bars: dict[str, pd.DataFrame], names: Sequence[str], split_adjusted: bool | None) -> RawPrices:
    """Turn bars by ticker into a panel, without prices that cannot be."""
    present = [name for name in names if name in bars]
    days = sorted(set().union(*(set(part["date"]) for part in bars.values())))
    index = pd.DatetimeIndex(days, name="date").as_unit("us")
    indexed = {name: bars[name].set_index("date") for name in present}
    fields = {
        field: pd.DataFrame({name: part[field] for name, part in indexed.items()}, index=index)
        for field in ("open", "high", "low", "close", "volume")
    }
    fields = {name: frame for name, frame in fields.items() if frame.notna().to_numpy().any()}
    parts = [no_events()]
    for name in present:
        for column, kind in EVENT_KINDS.items():
            own = bars[name].loc[bars[name][column] != 0, ["date", column]]
            parts.append(own.rename(columns={column: "value"}).assign(ticker=name, kind=kind))
    events = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    raw = RawPrices(fields, events[list(no_events().columns)], split_adjusted=split_adjusted)
    for field in [name for name in PRICES if name in raw.fields]:
        set_aside(raw, field)
    return raw
