"""The cache of fetched prices: one Parquet file a ticker, with its own history inside."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fisc.core.errors import DataWarning
from fisc.core.files import atomic_write, locked
from fisc.core.locations import cache_dir, data_home
from fisc.data.prices.sources import BAR_COLUMNS

__all__ = ["Entry", "PriceCache", "compare_overlap", "merge_overlap"]

OVERLAP_DAYS = 30
_TOLERANCE = 1e-4  # relative; the sources round prices to about 1e-7
_FORMAT = 1
_KEY = b"fisc_prices"
_VALUES = list(BAR_COLUMNS[2:])


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """What the cache holds of one ticker.

    `bars` has the columns `BAR_COLUMNS` without ``ticker``, ascending unique dates and raw closes. The
    period asked for so far is all complete days from `start` up to, not including, `until`.
    """

    bars: pd.DataFrame
    source: str
    library: str
    ticker: str
    start: dt.date
    until: dt.date
    fetched: str
    timezone: str = ""
    currency: str = ""

    @property
    def last(self) -> dt.date:
        """The last day with a close."""
        return pd.Timestamp(self.bars.loc[self.bars["close"].notna(), "date"].max()).date()

    @property
    def sha256(self) -> str:
        """Checksum of the bars, the same on every platform and version of pandas."""
        digest = hashlib.sha256()
        digest.update(self.bars["date"].to_numpy().astype("datetime64[D]").astype("<i8").tobytes())
        digest.update(np.ascontiguousarray(self.bars[_VALUES].to_numpy("<f8") + 0.0).tobytes())
        return digest.hexdigest()


class PriceCache:
    """The folder of cached prices.

    Parameters
    ----------
    root : path-like, optional
        ``prices`` in fisc's cache folder by default.
    """

    def __init__(self, root: Path | None = None) -> None:
        # Named without being made: reading a cache that is not there must not need a writable disk.
        self.root = data_home() / "cache" / "prices" if root is None else Path(root)

    def path(self, source: str, ticker: str) -> Path:
        """Return the file of one ticker; characters that a file name cannot have are escaped."""
        return self.root / quote(source, safe="") / f"{quote(ticker, safe='')}.parquet"

    @contextmanager
    def hold(self, source: str, ticker: str) -> Iterator[None]:
        """Hold one ticker's lock, so that of two processes one fetches and the other reads."""
        if self.root == data_home() / "cache" / "prices":
            cache_dir("prices")
        with locked(self.path(source, ticker)):
            yield

    def load(self, source: str, ticker: str, *, quiet: bool = False) -> Entry | None:
        """Return what is cached, or None; a damaged file counts as missing.

        With a warning, unless `quiet` says that it has been given.
        """
        path = self.path(source, ticker)
        if not path.is_file():
            return None
        try:
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[_KEY])
            entry = _entry(table, about)
            if entry.sha256 != about["sha256"]:
                raise ValueError("its checksum does not fit its content")
        except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
            if not quiet:
                warnings.warn(
                    f"the cache file {path} is damaged ({' '.join(str(error).split())[:120]}); it is treated "
                    "as missing and fetched again",
                    DataWarning,
                    stacklevel=4,  # the caller of fetch_prices
                )
            return None
        return entry

    def store(self, entry: Entry) -> None:
        """Write an entry: whole, or not at all."""
        about = {
            "format": _FORMAT,
            "source": entry.source,
            "library": entry.library,
            "ticker": entry.ticker,
            "start": entry.start.isoformat(),
            "until": entry.until.isoformat(),
            "fetched": entry.fetched,
            "timezone": entry.timezone,
            "currency": entry.currency,
            "sha256": entry.sha256,
        }
        table = pa.Table.from_pandas(entry.bars, preserve_index=False)
        table = table.replace_schema_metadata({_KEY: json.dumps(about).encode()})
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        with atomic_write(self.path(entry.source, entry.ticker), "wb") as handle:
            handle.write(buffer.getvalue())


def _entry(table: pa.Table, about: dict[str, Any]) -> Entry:
    """Build an entry from its file's content."""
    if about["format"] != _FORMAT:
        raise ValueError(f"its format is {about['format']}, this version of fisc reads {_FORMAT}")
    bars = table.to_pandas()[["date", *_VALUES]]
    bars["date"] = bars["date"].astype("datetime64[us]")
    return Entry(
        bars=bars,
        source=about["source"],
        library=about["library"],
        ticker=about["ticker"],
        start=dt.date.fromisoformat(about["start"]),
        until=dt.date.fromisoformat(about["until"]),
        fetched=about["fetched"],
        timezone=about["timezone"],
        currency=about["currency"],
    )


def compare_overlap(held: pd.DataFrame, fresh: pd.DataFrame) -> str:
    """Say whether a source has changed days that are cached.

    Parameters
    ----------
    held, fresh : DataFrame
        Cached bars, and bars fetched now that reach back into them.

    Returns
    -------
    str
        Empty if they agree: the closes of the days that both have differ by at most 1e-4 of
        their value, and `fresh` holds no split that `held` does not know. Else, what differs.
        Days that only one of the two has are no disagreement; `merge_overlap` keeps both.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=2)
    >>> held = pd.DataFrame({"date": days, "close": [10.0, 11.0], "splits": 0.0})
    >>> compare_overlap(held, held)
    ''
    >>> compare_overlap(held, held.assign(close=[5.0, 5.5]))
    '2 of 2 closes in the overlap changed, by up to 50.00%'
    """
    both = held.merge(fresh, on="date", suffixes=("", "_now"))
    both = both[both["close"].notna() & both["close_now"].notna()]
    change = (both["close_now"] / both["close"] - 1).abs()
    changed = int((change > _TOLERANCE).sum())
    if changed:
        return f"{changed} of {len(both)} closes in the overlap changed, by up to {change.max():.2%}"
    if both.empty:
        return "the source no longer has any day of the overlap"
    known = set(held.loc[held["splits"] > 0, "date"])
    new = sorted(set(fresh.loc[fresh["splits"] > 0, "date"]) - known)
    return f"a new split on {new[0]:%Y-%m-%d} rescales the history" if new else ""


def merge_overlap(held: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """Join cached and fresh bars; of a day in both, the fresh values count where there are any.

    A source that now lacks a day it once gave has lost it far more often than corrected it,
    so the cached bar stays.
    """
    joined = fresh.set_index("date").combine_first(held.set_index("date"))
    return joined.reset_index()[["date", *_VALUES]]
