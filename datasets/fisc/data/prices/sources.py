"""Where prices come from: the interface of a source, and the source that is a file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import pandas as pd

__all__ = ["BAR_COLUMNS", "EVENT_KINDS", "Fetched", "FileSource", "PriceSource", "TickerStatus"]

# A tidy table of bars: one row a ticker and day. ``dividends`` and ``capital_gains`` are money
# a share on the ex-date, ``splits`` new shares per old one; all three are 0 on other days.
BAR_COLUMNS = (
    "ticker",
    "date",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "dividends",
    "splits",
    "capital_gains",
)

EVENT_KINDS = {"dividends": "dividend", "splits": "split", "capital_gains": "capital gain"}


@dataclasses.dataclass(frozen=True)
class TickerStatus:
    """What became of one ticker.

    Attributes
    ----------
    ticker : str
        As the user wrote it.
    outcome : str
        ``fetched`` (all of it), ``refreshed`` (only new days), ``refetched`` (all of it again:
        the source had changed its history), ``cached`` (no network used), ``stale`` (cached
        days returned where newer ones could not be fetched), ``read`` (from a file) or
        ``failed``.
    reason : str
        Why it failed or was fetched again, in words; else empty.
    kind : str
        Class of a failure: ``missing``, ``rate limit``, ``network``, ``bad answer``,
        ``not tried``; else empty.
    rows : int
        Days with a close.
    first, last : date or None
        Span of those days.
    attempts : int
        Requests made, counting those that were repeated.
    complete_before : date or None
        Every day before this one was over at the exchange when the source answered.
    timezone : str
        IANA name of the exchange's time zone, if known.
    currency : str
        Currency of the prices, if known.
    """

    ticker: str
    outcome: str
    reason: str = ""
    kind: str = ""
    rows: int = 0
    first: dt.date | None = None
    last: dt.date | None = None
    attempts: int = 0
    complete_before: dt.date | None = None
    timezone: str = ""
    currency: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Fetched:
    """A source's answer.

    Attributes
    ----------
    bars : DataFrame
        Tidy, columns `BAR_COLUMNS`; naive exchange-local dates; only of tickers that came.
    status : dict of str to TickerStatus
        One entry for every ticker that was asked for.
    """

    bars: pd.DataFrame
    status: dict[str, TickerStatus]


@runtime_checkable
class PriceSource(Protocol):
    """What `fetch_prices` needs from a source of prices."""

    @property
    def name(self) -> str:
        """Short name, used as the folder of the cache."""
        ...

    @property
    def address(self) -> str:
        """The host or file, for messages."""
        ...

    @property
    def version(self) -> str:
        """Library and version that does the work."""
        ...

    @property
    def remote(self) -> bool:
        """True if it needs the network; such sources are cached."""
        ...

    @property
    def split_adjusted(self) -> bool | None:
        """Whether its closes are divided by later splits; None: not known."""
        ...

    def fetch(self, tickers: Sequence[str], start: dt.date, end: dt.date) -> Fetched:
        """Return the bars of the days from `start` to `end`, both included."""
        ...


class FileSource:
    """A price file of the user, as a source for `fetch_prices`.

    Parameters
    ----------
    path : path-like
        CSV or Parquet, as `read_prices` reads it.
    **options
        Passed to `read_prices`.
    """

    name = "file"
    remote = False
    split_adjusted: bool | None = None

    def __init__(self, path: str | os.PathLike[str], **options: Any) -> None:
        self._path = path
        self._options = options
        self.address = os.fspath(path)
        self.version = "fisc"

    def fetch(self, tickers: Sequence[str], start: dt.date, end: dt.date) -> Fetched:
        """Return the bars of the days from `start` to `end`, both included."""
        from fisc.data.prices.files import read_raw

        raw = read_raw(self._path, **self._options)
        parts, status = [], {}
        for ticker in tickers:
            bars = _bars_of(raw.fields, raw.events, ticker, start, end)
            if bars is None:
                known = ", ".join(map(str, raw.fields["close"].columns[:8]))
                reason = f"no closes between {start} and {end} in {self.address} (it has {known} ...)"
                status[ticker] = TickerStatus(ticker, "failed", reason, "missing")
                continue
            parts.append(bars)
            closes = bars.loc[bars["close"].notna(), "date"]
            status[ticker] = TickerStatus(
                ticker, "read", rows=len(closes), first=closes.min().date(), last=closes.max().date()
            )
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(BAR_COLUMNS))
        return Fetched(table, status)


def _bars_of(
    fields: dict[str, pd.DataFrame], events: pd.DataFrame, ticker: str, start: dt.date, end: dt.date
) -> pd.DataFrame | None:
    """Turn one asset's columns of a panel into tidy bars; None if it has no close there."""
    if "close" not in fields or ticker not in fields["close"].columns:
        return None
    bars = pd.DataFrame({name: frame[ticker] for name, frame in fields.items()})
    bars = bars.reindex(columns=list(BAR_COLUMNS[2:7]))
    own = events[events["ticker"] == ticker]
    for column, kind in EVENT_KINDS.items():
        values = own[own["kind"] == kind].set_index("date")["value"]
        bars = bars.reindex(bars.index.union(values.index))
        bars[column] = values.reindex(bars.index).fillna(0.0)
    bars = bars.loc[pd.Timestamp(start) : pd.Timestamp(end)]
    if bars["close"].notna().sum() == 0:
        return None
    bars.index.name = "date"
    return bars.reset_index().assign(ticker=ticker)[list(BAR_COLUMNS)]
