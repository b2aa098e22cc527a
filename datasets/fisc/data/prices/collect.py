"""Getting the bars of each ticker of a call: from the cache, the source, or with a reason not."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import pandas as pd

from fisc.core.errors import DataError, OfflineError
from fisc.core.locations import offline
from fisc.data.prices.cache import OVERLAP_DAYS, Entry, PriceCache, compare_overlap, merge_overlap
from fisc.data.prices.price_set import STATUS_COLUMNS
from fisc.data.prices.sources import BAR_COLUMNS, Fetched, PriceSource, TickerStatus

__all__ = ["Collected", "Collector", "PriceFetchError", "report"]


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


@dataclasses.dataclass(frozen=True, eq=False)
class Collected:
    """Bars and reports of all tickers."""

    bars: dict[str, pd.DataFrame]
    status: dict[str, TickerStatus]
    checksums: dict[str, str]
    library: str
    fetched: str


class Collector:
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

    def collect(self, names: Sequence[str], *, refresh: bool) -> Collected:
        """Return what could be had, or raise as `fetch_prices` says."""
        if not self._source.remote:
            answer = self._fetch(names, self._first, self._last)
            self._raise_failures(answer.status)
            parts = {str(name): part for name, part in answer.bars.groupby("ticker", sort=False)}
            return Collected(parts, answer.status, {}, self._source.version, "")
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
        return Collected(
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
            held = self._cache.load(self._source.name, symbol, quiet=True)
            if held is None:
                return self._fetch_all(name, None, "fetched", "")
            if refresh:
                return self._fetch_all(name, held, "refetched", "refresh=True was asked for")
            if not self._lacks(held):
                return held, TickerStatus(name, "cached")
            if self._first < held.start:
                return self._fetch_all(name, held, "refetched", f"the cache began on {held.start}")
            since = max(held.start, held.last - dt.timedelta(days=OVERLAP_DAYS))
            bars, status = self._ask(symbol, since, self._last)
            if bars is None:
                return held, dataclasses.replace(status, ticker=name)
            changed = compare_overlap(held.bars[held.bars["date"] >= pd.Timestamp(since)], bars)
            if changed:
                entry, status = self._fetch_all(name, held, "refetched", changed)
                # what is held is known to be wrong: if the right one cannot be had, serve nothing
                return None if status.outcome == "failed" else entry, status
            entry = self._entry(symbol, merge_overlap(held.bars, bars), held.start, self._last, status)
            self._cache.store(entry)
            return entry, dataclasses.replace(status, ticker=name, outcome="refreshed")

    def _fetch_all(
        self, name: str, held: Entry | None, outcome: str, reason: str
    ) -> tuple[Entry | None, TickerStatus]:
        """Fetch the period asked for, and what was held besides; keep what is held if that fails."""
        start, last = self._first, self._last
        if held is not None:
            start, last = min(start, held.start), max(last, held.until - dt.timedelta(days=1))
        bars, status = self._ask(name.upper(), start, last)
        if bars is None:
            return held, dataclasses.replace(status, ticker=name)
        entry = self._entry(name.upper(), bars, start, last, status)
        self._cache.store(entry)
        return entry, dataclasses.replace(status, ticker=name, outcome=outcome, reason=reason)

    def _ask(self, symbol: str, start: dt.date, last: dt.date) -> tuple[pd.DataFrame | None, TickerStatus]:
        """Ask the source for one ticker."""
        answer = self._fetch([symbol], start, last)
        status = answer.status[symbol]
        if status.outcome == "failed":
            return None, status
        bars = answer.bars[answer.bars["ticker"] == symbol].drop(columns="ticker")
        return bars.sort_values("date", ignore_index=True), status

    def _fetch(self, names: Sequence[str], start: dt.date, last: dt.date) -> Fetched:
        """Ask the source, and hold it to what `PriceSource` promises."""
        answer = self._source.fetch(names, start, last)
        lacks = [column for column in BAR_COLUMNS if column not in answer.bars.columns]
        if lacks:
            raise DataError(
                f"source {self._source.name!r} returned bars without {', '.join(lacks)}; "
                f"expected the columns {', '.join(BAR_COLUMNS)}"
            )
        silent = [name for name in names if name not in answer.status]
        if silent:
            raise DataError(f"source {self._source.name!r} returned no status for {', '.join(silent)}")
        twice = answer.bars[answer.bars.duplicated(["ticker", "date"])]
        if len(twice):
            raise DataError(
                f"source {self._source.name!r} returned {len(twice)} days twice, the first is "
                f"{twice['date'].iloc[0]:%Y-%m-%d} of {twice['ticker'].iloc[0]}; expected one bar a day"
            )
        return answer

    def _entry(
        self, symbol: str, bars: pd.DataFrame, start: dt.date, last: dt.date, status: TickerStatus
    ) -> Entry:
        """Describe bars for the cache."""
        now = self._now().astimezone(dt.UTC)
        return Entry(
            bars=bars,
            source=self._source.name,
            library=self._source.version,
            ticker=symbol,
            start=start,
            until=status.complete_before or min(last + dt.timedelta(days=1), now.date()),
            fetched=f"{now:%Y-%m-%dT%H:%M:%SZ}",
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
        came = any(one.outcome in ("fetched", "refreshed", "refetched") for one in status.values())
        unreached = [one.reason for one in failed if one.kind == "network"]
        if unreached and not came and all(one.kind in ("network", "not tried") for one in failed):
            why = f"which cannot be reached ({unreached[0]})"
            raise OfflineError(self._would_fetch([one.ticker for one in failed], why))
        shown = "; ".join(f"{one.ticker}: {one.reason}" for one in failed[:20])
        more = f"; and {len(failed) - 20} more" if len(failed) > 20 else ""
        cure = "pass strict=False to go on without them" if len(failed) < len(status) else "check the tickers"
        raise PriceFetchError(
            f"{len(failed)} of {len(status)} tickers could not be had from {self._source.name} "
            f"({shown}{more}); what came is cached. Try again, or {cure}",
            report(status),
        )

    def _would_fetch(self, names: Sequence[str], why: str) -> str:
        """Say in one line what would be fetched from where."""
        shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        return (
            f"prices of {shown} from {self._first} to {self._last} would be fetched from "
            f"{self._source.address}, {why}; connect once to fill the cache, "
            "or use load_sp500() or read_prices()"
        )


def report(status: dict[str, TickerStatus]) -> pd.DataFrame:
    """Lay the reports out as a table."""
    rows = [
        (one.ticker, one.outcome, one.reason, one.rows, one.first, one.last, one.currency, one.attempts)
        for one in status.values()
    ]
    table = pd.DataFrame(rows, columns=list(STATUS_COLUMNS))
    for name in ("first", "last"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    return table.set_index("ticker")
