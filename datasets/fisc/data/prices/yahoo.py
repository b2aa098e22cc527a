"""Yahoo Finance as a source of prices, through yfinance: patience, reasons, complete days."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fisc.core.errors import DataError, MissingExtraError, require
from fisc.core.locations import cache_dir, data_home, forbid_offline
from fisc.data.prices.sources import BAR_COLUMNS, Fetched, TickerStatus

__all__ = ["RetryPolicy", "YahooSource"]

_YAHOO_NAMES = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Volume": "volume",
    "Dividends": "dividends",
    "Stock Splits": "splits",
    "Capital Gains": "capital_gains",
}
# What Yahoo's symbols are made of; anything else would end up inside an address.
_SYMBOL = re.compile(r"[A-Za-z0-9.^=&_+\-]{1,40}")


@dataclasses.dataclass
class RetryPolicy:
    """How often and how patiently to ask again.

    Attributes
    ----------
    rate_limit_retries : int
        Further tries of one ticker after "too many requests" (HTTP 429).
    other_retries : int
        Further tries after any other failure that may pass.
    base, cap : float
        Seconds before the first further try, doubled each time, and the most.
    breaker : int
        Stop asking after this many answers "too many requests" in a row, over all tickers.
    network_breaker : int
        Stop asking after this many tickers in a row that could not be reached.
    sleep : callable
        Takes seconds; tests pass their own.
    seed : int or None
        Of the jitter: each pause is multiplied by a number between 0.75 and 1.25, so that
        several processes do not ask in step.

    Examples
    --------
    >>> policy = RetryPolicy(seed=0)
    >>> [round(policy.pause(k)) for k in (0, 3, 9)]
    [1, 7, 60]
    """

    rate_limit_retries: int = 6
    other_retries: int = 2
    base: float = 1.0
    cap: float = 60.0
    breaker: int = 8
    network_breaker: int = 2
    sleep: Callable[[float], object] = time.sleep
    seed: int | None = None

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def pause(self, k: int) -> float:
        """Seconds to wait before further try number `k` (0 is the first)."""
        return float(min(self.cap, self.base * 2.0**k * self._random.uniform(0.75, 1.25)))


class YahooSource:
    """Yahoo Finance, through the library yfinance (extra ``prices``).

    Closes are as Yahoo serves them: divided by all splits up to now, not by dividends.
    Tickers are asked for one at a time, since yfinance's bulk download turns failures into
    empty columns. Once it has given up on the server, an instance asks for nothing more: make a
    new one.

    Parameters
    ----------
    session : requests.Session or curl_cffi Session, optional
        Makes the requests; a fresh one by default.
    retry : RetryPolicy, optional
        How often to ask again.
    timeout : float
        Seconds that one answer may take.
    now : callable, optional
        Returns the time, aware; tests pass their own.
    """

    name = "yahoo"
    address = "query2.finance.yahoo.com"
    remote = True
    split_adjusted: bool | None = True

    def __init__(
        self,
        session: object = None,
        *,
        retry: RetryPolicy | None = None,
        timeout: float = 10.0,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        if not timeout > 0:
            raise DataError(f"timeout={timeout!r} must be a number of seconds above 0")
        self._session = session
        self._retry = retry or RetryPolicy()
        self._timeout = timeout
        self._now = now or (lambda: dt.datetime.now(dt.UTC))
        self._limited = 0  # "too many requests" in a row, over all tickers
        self._unreached = 0  # tickers in a row that could not be reached
        self._stopped = ""

    @property
    def version(self) -> str:
        """Library and version that does the work."""
        return f"yfinance {_yfinance().__version__}"

    def fetch(self, tickers: Sequence[str], start: dt.date, end: dt.date) -> Fetched:
        """Return the bars of the days from `start` to `end`, both included.

        Parameters
        ----------
        tickers : sequence of str
            Yahoo's symbols, such as ``"AAPL"``, ``"RELIANCE.NS"`` or ``"^GSPC"``.
        start, end : date
            Days at the exchange.

        Returns
        -------
        Fetched
            The current day of the exchange is left out: its bar is not complete.

        Raises
        ------
        OfflineError
            If ``FISC_OFFLINE`` is set.
        MissingExtraError
            If yfinance is not installed.
        """
        forbid_offline(f"{', '.join(tickers)} from {start} to {end}", self.address)
        yfinance = _yfinance()
        if self._session is None:
            # Without one, yfinance goes on using whatever session was given to it last.
            self._session = _new_session()
        parts, status = [], {}
        for ticker in tickers:
            bars, status[ticker] = self._one(yfinance, ticker, start, end)
            if bars is not None:
                parts.append(bars)
        table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(BAR_COLUMNS))
        return Fetched(table, status)

    def _one(
        self, yfinance: ModuleType, ticker: str, start: dt.date, end: dt.date
    ) -> tuple[pd.DataFrame | None, TickerStatus]:
        """Fetch one ticker, asking again as the policy allows."""
        if not _SYMBOL.fullmatch(ticker):
            reason = "not a symbol that Yahoo can have (letters, digits and . ^ = & _ + -)"
            return None, TickerStatus(ticker, "failed", reason, "missing")
        if self._stopped:
            return None, TickerStatus(ticker, "failed", self._stopped, "not tried")
        limits = others = attempts = 0
        while True:
            attempts += 1
            try:
                bars, zone, currency = _history(yfinance, ticker, start, end, self._session, self._timeout)
            except _recoverable(yfinance) as error:
                kind, reason = _explain(yfinance, error)
            else:
                self._limited = self._unreached = 0
                return self._finish(ticker, bars, zone, currency, start, end, attempts)
            if kind == "rate limit":
                self._limited += 1
                if self._limited >= self._retry.breaker:
                    self._stopped = f"not tried: {self._limited} answers in a row were 'too many requests'"
                elif limits < self._retry.rate_limit_retries:
                    self._retry.sleep(self._retry.pause(limits))
                    limits += 1
                    continue
            else:
                self._limited = 0
                if kind != "missing" and others < self._retry.other_retries:
                    self._retry.sleep(self._retry.pause(others))
                    others += 1
                    continue
                self._unreached = self._unreached + 1 if kind == "network" else 0
                if self._unreached >= self._retry.network_breaker:
                    self._stopped = f"not tried: {self.address} could not be reached"
            return None, TickerStatus(ticker, "failed", reason, kind, attempts=attempts)

    def _finish(
        self,
        ticker: str,
        bars: pd.DataFrame,
        zone: str,
        currency: str,
        start: dt.date,
        end: dt.date,
        attempts: int,
    ) -> tuple[pd.DataFrame | None, TickerStatus]:
        """Keep the complete days of the period and report on them."""
        today = self._now().astimezone(ZoneInfo(zone)).date()
        final = min(end, today - dt.timedelta(days=1))
        inside = (bars["date"] >= pd.Timestamp(start)) & (bars["date"] <= pd.Timestamp(final))
        bars = bars[inside].assign(ticker=ticker)[list(BAR_COLUMNS)]
        closes = bars.loc[bars["close"].notna(), "date"]
        if closes.empty:
            reason = f"no closes between {start} and {final}"
            return None, TickerStatus(ticker, "failed", reason, "missing", attempts=attempts)
        status = TickerStatus(
            ticker,
            "fetched",
            rows=len(closes),
            first=closes.min().date(),
            last=closes.max().date(),
            attempts=attempts,
            complete_before=final + dt.timedelta(days=1),
            timezone=zone,
            currency=currency,
        )
        return bars, status


@functools.cache
def _prepare(home: str) -> None:
    """Keep yfinance's own small files (time zones, cookies) inside our cache folder.

    It takes effect only before yfinance first opens them in this process.
    """
    require("yfinance", extra="prices").set_tz_cache_location(str(cache_dir("prices", "yfinance")))
    # What it says there comes back as a reason in the report. Without any handler, Python would
    # print it to the terminal as well; a program that sets up logging still gets it.
    logging.getLogger("yfinance").addHandler(logging.NullHandler())


def _yfinance() -> ModuleType:
    """Import yfinance."""
    library = require("yfinance", extra="prices")
    _prepare(str(data_home()))
    return library


def _new_session() -> object:
    """Return a session of the kind that yfinance would make for itself."""
    try:
        return require("curl_cffi.requests", extra="prices").Session(impersonate="chrome")
    except MissingExtraError:
        return require("requests", extra="prices").Session()


def _history(
    yfinance: ModuleType, ticker: str, start: dt.date, end: dt.date, session: object, timeout: float
) -> tuple[pd.DataFrame, str, str]:
    """Ask yfinance once; return bars (without ``ticker``), time zone and currency.

    Raises whatever went wrong: by default yfinance logs it and returns an empty table.
    """
    # yfinance remembers answers about past days for the life of the process, also refusals and
    # broken ones, whatever the session: a second try would never reach the network.
    require("yfinance.data", extra="prices").YfData.cache_get.cache_clear()
    with _raising(yfinance), warnings.catch_warnings():
        # yfinance calls what pandas 3 deprecates, many times a ticker; its user can do nothing about it
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"yfinance\.")
        symbol = yfinance.Ticker(ticker, session=session)
        table = symbol.history(
            start=start, end=end + dt.timedelta(days=1), auto_adjust=False, actions=True, timeout=timeout
        )
        # one key at a time: taking all of them at once makes yfinance ask Yahoo for intraday data
        currency = symbol.history_metadata.get("currency") if len(table) else None
    zone = str(getattr(table.index, "tz", None) or "UTC")
    days = pd.DatetimeIndex(table.index)
    local = days if days.tz is None else days.tz_localize(None)
    bars = table.rename(columns=_YAHOO_NAMES).reindex(columns=list(BAR_COLUMNS[2:]))
    events = ["dividends", "splits", "capital_gains"]
    bars[events] = bars[events].fillna(0.0)
    bars = bars.astype("float64")
    # a row that only carries an event: yfinance gives it volume 0, which would mean suspended
    bars.loc[bars["close"].isna(), "volume"] = np.nan
    bars.insert(0, "date", local.normalize().as_unit("us"))
    return bars.reset_index(drop=True), zone, str(currency or "")


@contextmanager
def _raising(yfinance: ModuleType) -> Iterator[None]:
    """Make yfinance raise what it would otherwise hide; put its setting back afterwards."""
    debug = yfinance.config.debug
    before = debug.hide_exceptions
    debug.hide_exceptions = False
    try:
        yield
    finally:
        debug.hide_exceptions = before


def _recoverable(yfinance: ModuleType) -> tuple[type[Exception], ...]:
    """List what a bad answer can raise inside yfinance, which does not wrap it.

    Transport errors of requests and curl_cffi are OSErrors, broken JSON is a ValueError, and
    JSON of another shape breaks its parsing in these other ways. Its time zone file is SQLite
    through peewee.
    """
    peewee = require("peewee", extra="prices")
    return (
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        yfinance.exceptions.YFException,
        peewee.PeeweeException,
    )


def _explain(yfinance: ModuleType, error: Exception) -> tuple[str, str]:
    """Return the kind of a failure and a reason in words."""
    known = yfinance.exceptions
    words = " ".join(str(error).split()).partition(". See http")[0][:200]
    if isinstance(error, known.YFRateLimitError):
        return "rate limit", "too many requests (HTTP 429)"
    if isinstance(error, known.YFTzMissingError):
        return "missing", "Yahoo has no such symbol"
    if isinstance(error, known.YFPricesMissingError):
        stated = getattr(error, "yahoo_reason", None)
        return "missing", f"Yahoo says: {stated}" if stated else "Yahoo has no prices for this period"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status == 404:
        return "missing", "Yahoo has no such symbol (HTTP 404)"
    if status is not None and status >= 400:
        return "bad answer", f"HTTP status {status}"
    if isinstance(error, json.JSONDecodeError):
        return "bad answer", f"the answer is not JSON ({words})"
    if "timeout" in type(error).__name__.lower() or "timed out" in words.lower():
        return "network", "no answer in time"
    if isinstance(error, OSError) and "JSON" not in type(error).__name__:
        return "network", f"{type(error).__name__}: {words}"
    return "bad answer", f"{type(error).__name__}: {words}"
