"""Fetching prices: the network once, then the cache, and a report on every ticker."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload
from zoneinfo import ZoneInfo

import pandas as pd

from fisc.data.errors import DataError, OfflineError, OptionError, check_option
from fisc.data.locations import offline
from fisc.data.price_adjust import ADJUSTMENTS
from fisc.data.price_cache import OVERLAP_DAYS, Entry, PriceCache, compare_overlap, merge_overlap
from fisc.data.price_checks import (
    CALENDARS,
    PRICES,
    RawPrices,
    assemble,
    check_max_gap,
    no_events,
    parse_day,
    set_aside,
)
from fisc.data.price_set import PriceSet
from fisc.data.price_sources import (
    EVENT_KINDS,
    Fetched,
    FileSource,
    PriceSource,
    RetryPolicy,
    TickerStatus,
    YahooSource,
)

__all__ = ["PriceFetchError", "fetch_prices"]


class PriceFetchError(DataError):
    """Some tickers could not be fetched.

    Attributes
    ----------
    status : DataFrame
        The report on every ticker, as `price_status` gives it.
    """

    def __init__(self, message: str, status: pd.DataFrame | None = None) -> None:
        super().__init__(message)
        self.status = status


@overload
def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | PriceSource = "yahoo",
    strict: bool = True,
    session: Any = None,
    *,
    field: str = "close",
    adjust: str = "total",
    calendar: str = "union",
    max_gap: int = 5,
    refresh: bool = False,
    retry: RetryPolicy | None = None,
    timeout: float = 10.0,
    now: Callable[[], dt.datetime] | None = None,
    full: Literal[False] = False,
) -> pd.DataFrame: ...


@overload
def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | PriceSource = "yahoo",
    strict: bool = True,
    session: Any = None,
    *,
    field: str = "close",
    adjust: str = "total",
    calendar: str = "union",
    max_gap: int = 5,
    refresh: bool = False,
    retry: RetryPolicy | None = None,
    timeout: float = 10.0,
    now: Callable[[], dt.datetime] | None = None,
    full: Literal[True],
) -> PriceSet: ...


def fetch_prices(
    tickers: str | Sequence[str],
    start: object,
    end: object = None,
    source: str | PriceSource = "yahoo",
    strict: bool = True,
    session: Any = None,
    *,
    field: str = "close",
    adjust: str = "total",
    calendar: str = "union",
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
    source : {"yahoo"} or PriceSource
        Where from. `fisc.data.price_sources.FileSource` serves a file of the user.
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
        Carry the last price forward over at most so many rows; the cells are marked as stale.
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
    fisc.data.errors.OptionError: source='yaho' is not an option; did you mean 'yahoo'? (one of: 'yahoo')
    """
    names = _tickers(tickers)
    clock = now or (lambda: dt.datetime.now(dt.UTC))
    first = parse_day("start", start)
    # the furthest any place on earth has come is UTC+14, so no exchange is past this day
    newest = (clock() + dt.timedelta(hours=14)).date() - dt.timedelta(days=1)
    last = newest if end is None else min(parse_day("end", end), newest)
    if first > last:
        raise DataError(
            f"start={first} is after the last day that can be had, {last}; "
            "give an earlier start, or a later end"
        )
    check_option("field", field, [name for name in PRICES if name != "adj_close"])
    check_option("adjust", adjust, ADJUSTMENTS)
    check_option("calendar", calendar, CALENDARS)
    check_max_gap(max_gap)
    origin = _source(source, session, retry, timeout, clock)
    got = _Collector(origin, PriceCache(), first, last, clock, strict).collect(names, refresh=refresh)
    prices = assemble(
        _raw(got.bars, names, origin.split_adjusted),
        field=field,
        adjust=adjust,
        calendar=calendar,
        max_gap=max_gap,
        status=_report(got.status),
        options={
            "tickers": names,
            "start": first,
            "end": last,
            "source": origin.name,
            "library": got.library,
            "field": field,
            "adjust": adjust,
            "calendar": calendar,
            "max_gap": max_gap,
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
    source: str | PriceSource,
    session: Any,
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
    if session is not None:
        raise OptionError("session= goes with source='yahoo'; give this source its own session")
    return source


@dataclasses.dataclass(frozen=True, eq=False)
class _Collected:
    """Bars and reports of all tickers."""

    bars: dict[str, pd.DataFrame]
    status: dict[str, TickerStatus]
    checksums: dict[str, str]
    library: str
    fetched: str


class _Collector:
    """Gets the bars of each ticker of one call, from the cache or the source."""

    def __init__(
        self,
        source: PriceSource,
        cache: PriceCache,
        first: dt.date,
        last: dt.date,
        now: Callable[[], dt.datetime],
        strict: bool,
    ) -> None:
        self._source = source
        self._cache = cache
        self._first = first
        self._last = last
        self._now = now
        self._strict = strict

    def collect(self, names: Sequence[str], *, refresh: bool) -> _Collected:
        """Return what could be had, or raise as `fetch_prices` says."""
        if not self._source.remote:
            answer = self._source.fetch(names, self._first, self._last)
            self._raise_failures(answer.status)
            parts = {str(name): part for name, part in answer.bars.groupby("ticker", sort=False)}
            return _Collected(parts, answer.status, {}, self._source.version, "")
        held: dict[str, Entry] = {}
        status: dict[str, TickerStatus] = {}
        for name in names:
            entry = None if refresh else self._cache.load(self._source.name, name.upper())
            if entry is not None:
                held[name] = entry
        lacking = [name for name in names if name not in held or self._lacks(held[name])]
        if lacking and offline():
            if self._strict or not held:
                raise OfflineError(self._would_fetch(lacking, "but FISC_OFFLINE forbids the network"))
            for name in lacking:
                status[name] = TickerStatus(name, "failed", "FISC_OFFLINE forbids the network", "network")
        else:
            for name in lacking:
                entry, status[name] = self._update(name, refresh=refresh)
                if entry is None:
                    held.pop(name, None)
                else:
                    held[name] = entry
        bars: dict[str, pd.DataFrame] = {}
        for name in names:
            if name in held:
                bars[name], status[name] = self._serve(name, held[name], status.get(name))
        status = {name: status[name] for name in names}
        self._raise_failures(status)
        bars = {name: part for name, part in bars.items() if status[name].outcome != "failed"}
        return _Collected(
            bars,
            status,
            {name: held[name].sha256 for name in bars},
            ", ".join(sorted({held[name].library for name in bars})),
            max(held[name].fetched for name in bars),
        )

    def _lacks(self, entry: Entry) -> bool:
        """Say whether an entry does not cover the period, as far as it is over by now."""
        zone = ZoneInfo(entry.timezone or "UTC")
        today = self._now().astimezone(zone).date()
        return self._first < entry.start or min(self._last + dt.timedelta(days=1), today) > entry.until

    def _update(self, name: str, *, refresh: bool) -> tuple[Entry | None, TickerStatus]:
        """Bring one ticker's entry up to date, alone among all processes."""
        symbol = name.upper()
        with self._cache.hold(self._source.name, symbol):
            # another process may have done it while this one waited for the lock
            held = None if refresh else self._cache.load(self._source.name, symbol)
            if held is not None and not self._lacks(held):
                return held, TickerStatus(name, "cached")
            start, outcome, reason = self._first, "fetched", ""
            if held is not None and self._first >= held.start:
                since = max(held.start, held.last - dt.timedelta(days=OVERLAP_DAYS))
                bars, status = self._ask(symbol, since)
                if bars is None:
                    return held, dataclasses.replace(status, ticker=name)
                changed = compare_overlap(held.bars[held.bars["date"] >= pd.Timestamp(since)], bars)
                if not changed:
                    entry = self._entry(symbol, merge_overlap(held.bars, bars), held.start, status)
                    self._cache.store(entry)
                    return entry, dataclasses.replace(status, ticker=name, outcome="refreshed")
                start, outcome, reason = held.start, "refetched", changed
            elif held is not None:
                outcome, reason = "refetched", f"the cache began on {held.start}"
            last = self._last if held is None else max(self._last, held.until - dt.timedelta(days=1))
            bars, status = self._ask(symbol, start, last)
            if bars is None:
                # changed history: what is held is known to be wrong, so it must not be served
                kept = None if outcome == "refetched" and start == getattr(held, "start", None) else held
                return kept, dataclasses.replace(status, ticker=name)
            entry = self._entry(symbol, bars, start, status)
            self._cache.store(entry)
            return entry, dataclasses.replace(status, ticker=name, outcome=outcome, reason=reason)

    def _ask(
        self, symbol: str, start: dt.date, last: dt.date | None = None
    ) -> tuple[pd.DataFrame | None, TickerStatus]:
        """Ask the source for one ticker."""
        answer: Fetched = self._source.fetch([symbol], start, last or self._last)
        status = answer.status[symbol]
        if status.outcome == "failed":
            return None, status
        bars = answer.bars[answer.bars["ticker"] == symbol].drop(columns="ticker")
        return bars.sort_values("date", ignore_index=True), status

    def _entry(self, symbol: str, bars: pd.DataFrame, start: dt.date, status: TickerStatus) -> Entry:
        """Describe bars for the cache."""
        return Entry(
            bars=bars,
            source=self._source.name,
            library=self._source.version,
            ticker=symbol,
            start=start,
            until=status.complete_before or self._last + dt.timedelta(days=1),
            fetched=f"{self._now().astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}",
            timezone=status.timezone,
            currency=status.currency,
        )

    def _serve(
        self, name: str, entry: Entry, status: TickerStatus | None
    ) -> tuple[pd.DataFrame, TickerStatus]:
        """Cut the period out of an entry and report on it."""
        days = entry.bars["date"]
        bars = entry.bars[(days >= pd.Timestamp(self._first)) & (days <= pd.Timestamp(self._last))]
        closes = bars.loc[bars["close"].notna(), "date"]
        status = status or TickerStatus(name, "cached")
        if status.outcome == "failed" and self._strict:
            return bars, status
        if closes.empty:
            words = status.reason or f"no closes between {self._first} and {self._last}"
            return bars, dataclasses.replace(
                status, outcome="failed", reason=words, kind=status.kind or "missing"
            )
        if status.outcome == "failed":
            status = dataclasses.replace(
                status,
                outcome="stale",
                reason=f"cached from {entry.start} to {entry.last} only; {status.reason}",
            )
        return bars, dataclasses.replace(
            status,
            rows=len(closes),
            first=closes.min().date(),
            last=closes.max().date(),
            timezone=entry.timezone,
            currency=entry.currency,
        )

    def _raise_failures(self, status: dict[str, TickerStatus]) -> None:
        """Raise if anything failed and must not, with one line a reason."""
        failed = [one for one in status.values() if one.outcome == "failed"]
        if not failed or (not self._strict and len(failed) < len(status)):
            return
        unreached = [one for one in failed if one.kind in ("network", "not tried")]
        if len(unreached) == len(failed) and any(one.kind == "network" for one in failed):
            reasons = next(one.reason for one in failed if one.kind == "network")
            raise OfflineError(
                self._would_fetch([one.ticker for one in failed], f"which cannot be reached ({reasons})")
            )
        shown = "; ".join(f"{one.ticker}: {one.reason}" for one in failed[:20])
        more = f"; and {len(failed) - 20} more" if len(failed) > 20 else ""
        cure = "pass strict=False to go on without them" if len(failed) < len(status) else "check the tickers"
        raise PriceFetchError(
            f"{len(failed)} of {len(status)} tickers could not be had from {self._source.name} "
            f"({shown}{more}); what came is cached. Try again, or {cure}",
            _report(status),
        )

    def _would_fetch(self, names: Sequence[str], why: str) -> str:
        """Say in one line what would be fetched from where."""
        shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        return (
            f"prices of {shown} from {self._first} to {self._last} would be fetched from "
            f"{self._source.address}, {why}; connect once to fill the cache, "
            "or use load_sp500() or read_prices()"
        )


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


def _report(status: dict[str, TickerStatus]) -> pd.DataFrame:
    """Lay the reports out as a table."""
    rows = [
        (one.ticker, one.outcome, one.reason, one.rows, one.first, one.last, one.attempts)
        for one in status.values()
    ]
    columns = ["ticker", "outcome", "reason", "rows", "first", "last", "attempts"]
    table = pd.DataFrame(rows, columns=columns)
    for name in ("first", "last"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    return table.set_index("ticker")
