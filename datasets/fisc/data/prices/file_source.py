"""A price file of the user as a source for `fetch_prices`."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from typing import Unpack

import pandas as pd

from fisc.data.prices.files import read_raw
from fisc.data.prices.options import FileOptions
from fisc.data.prices.raw import RawPrices
from fisc.data.prices.sources import BAR_COLUMNS, EVENT_KINDS, Fetched, TickerStatus

__all__ = ["FileSource"]


class FileSource:
    """A price file of the user, as a source for `fetch_prices`.

    Parameters
    ----------
    path : path-like
        CSV or Parquet, as `read_prices` reads it.
    **options
        Those of `read_prices` that say how to understand a file, such as ``date_format``.
    """

    name = "file"
    remote = False
    split_adjusted: bool | None = None

    def __init__(self, path: str | os.PathLike[str], **options: Unpack[FileOptions]) -> None:
        self._path = path
        self._options = options
        self.address = os.fspath(path)
        self.version = "fisc"

    def fetch(self, tickers: Sequence[str], start: dt.date, end: dt.date) -> Fetched:
        """Return the bars of the days from `start` to `end`, both included."""
        raw = read_raw(self._path, **self._options)
        parts, status = [], {}
        for ticker in tickers:
            bars = _bars_of(raw, ticker, start, end)
            if bars is None:
                known = ", ".join(map(str, raw.main.columns[:8]))
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


def _bars_of(raw: RawPrices, ticker: str, start: dt.date, end: dt.date) -> pd.DataFrame | None:
    """Return one asset's columns as tidy bars; None if it has no close there."""
    if "close" not in raw.fields or ticker not in raw.fields["close"].columns:
        return None
    bars = pd.DataFrame({name: frame[ticker] for name, frame in raw.fields.items()})
    bars = bars.reindex(columns=list(BAR_COLUMNS[2:7]))
    own = raw.events[raw.events["ticker"] == ticker]
    for column, kind in EVENT_KINDS.items():
        values = own[own["kind"] == kind].set_index("date")["value"]
        bars = bars.reindex(bars.index.union(values.index))
        bars[column] = values.reindex(bars.index).fillna(0.0)
    bars = bars.loc[pd.Timestamp(start) : pd.Timestamp(end)]
    if bars["close"].notna().sum() == 0:
        return None
    bars.index.name = "date"
    return bars.reset_index().assign(ticker=ticker)[list(BAR_COLUMNS)]
