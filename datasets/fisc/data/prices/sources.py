"""What a source of prices is: its bars, its answer, and its report on each ticker."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import pandas as pd

__all__ = ["BAR_COLUMNS", "EVENT_KINDS", "Fetched", "PriceSource", "TickerStatus"]

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
