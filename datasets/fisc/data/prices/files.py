"""Reading the user's own price files: CSV or Parquet, wide or long, closes or whole bars."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Unpack, get_args, overload

import numpy as np
import pandas as pd

from fisc.core.arguments import check_is
from fisc.core.dates import read_date, read_dates
from fisc.core.errors import DataError, check_option, nearest
from fisc.core.frames import TableLike, as_frame
from fisc.core.numbers import read_numbers
from fisc.core.suspects import why_no_price
from fisc.data.prices.checks import assemble
from fisc.data.prices.columns import Layout, find_layout
from fisc.data.prices.options import (
    PRICES,
    Adjustment,
    Calendar,
    Decimal,
    FileOptions,
    OnBad,
    OnDuplicates,
    PriceField,
    ReadOptions,
    Shape,
)
from fisc.data.prices.price_set import PriceSet
from fisc.data.prices.raw import RawPrices, bad_bars, set_aside
from fisc.data.prices.sources import EVENT_KINDS
from fisc.data.prices.tables import index_to_columns, read_table

__all__ = ["read_prices", "read_raw"]


@overload
def read_prices(
    path: str | os.PathLike[str] | TableLike, *, full: Literal[False] = False, **options: Unpack[ReadOptions]
) -> pd.DataFrame: ...


@overload
def read_prices(
    path: str | os.PathLike[str] | TableLike, *, full: Literal[True], **options: Unpack[ReadOptions]
) -> PriceSet: ...


def read_prices(
    path: str | os.PathLike[str] | TableLike,
    *,
    field: PriceField = "close",
    adjust: Adjustment = "none",
    tickers: Sequence[str] | None = None,
    start: object = None,
    end: object = None,
    calendar: Calendar = "union",
    max_gap: int = 5,
    on_bad: OnBad = "raise",
    on_duplicates: OnDuplicates = "raise",
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    name: str | None = None,
    encoding: str = "utf-8-sig",
    full: bool = False,
) -> pd.DataFrame | PriceSet:
    r"""Read daily prices from a file or a table.

    The content says what the file is: CSV (separated by comma, semicolon, tab or bar) or
    Parquet, either compressed with gzip or not; one column a ticker, or one row a ticker and
    day, or the bars of a single asset, or the two-line header that yfinance writes.

    Parameters
    ----------
    path : path-like or table
        The file; or a table of pandas, polars, Arrow or DuckDB, laid out as such a file.
    field : {"close", "open", "high", "low", "adj_close"}
        Which price becomes the table.
    adjust : {"none", "splits", "total"}
        Adjust for splits, or splits and dividends, if the file has columns of them.
    tickers : sequence of str, optional
        Keep only these, in this order.
    start, end : date or str, optional
        Keep only these days, both included.
    calendar : {"union", "intersection"}
        Days on which any asset has a price, or only those on which all have one.
    max_gap : int
        Carry the last price forward over at most this many rows; the cells are marked as stale.
        Nothing is ever filled with 0.
    on_bad : {"raise", "missing"}
        What to do with prices that are zero, negative or infinite: an error, or count them and
        treat them as missing.
    on_duplicates : {"raise", "first", "last"}
        What to do with rows of one ticker and day that differ. Identical ones are dropped and
        counted in any case.
    columns : mapping, optional
        Column names for ``date``, ``ticker``, ``close``, ``open``, ``high``, ``low``,
        ``adj_close``, ``volume``, ``dividends``, ``splits``, where they do not tell themselves.
    date_format : str, optional
        A format of `strptime`, such as ``"%d/%m/%Y"``.
    decimal : {".", ","}, optional
        The sign before the decimals of a text file, where its numbers do not tell ("1.234").
    name : str, optional
        Ticker of a file with the bars of a single asset; the file's name by default.
    encoding : str
        Of a CSV file.
    full : bool
        True: return a `PriceSet` (states, other fields, events, checks) and not only closes.

    Returns
    -------
    DataFrame of float64, (days, tickers) or PriceSet
        Index ``date``: naive, ascending, unique. `fisc.data.tradable` gives the mask of what
        was suspended, missing, stale or not yet listed; `fisc.data.provenance` the counted
        repairs.

    Raises
    ------
    DataError
        If the file is missing or cannot be understood, or holds prices that cannot be.
    CorruptFileError
        If it is damaged.
    OptionError
        If an option or a ticker is not one of those that exist.

    Warns
    -----
    DataWarning
        If anything was dropped or repaired, with counts.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "prices.csv"
    ...     _ = file.write_text("date,A,B\n2024-01-02,10,\n2024-01-03,11,5\n")
    ...     read_prices(file)
    ticker         A    B
    date
    2024-01-02  10.0  NaN
    2024-01-03  11.0  5.0
    """
    shape = Shape(field, adjust, calendar, max_gap)
    options = FileOptions(
        tickers=tickers,
        start=start,
        end=end,
        on_bad=on_bad,
        on_duplicates=on_duplicates,
        columns=columns,
        date_format=date_format,
        decimal=decimal,
        name=name,
        encoding=encoding,
    )
    raw = read_raw(path, **options)
    prices = assemble(
        raw,
        shape,
        status=_report(raw),
        options=options,
        inputs={"file": Path(path)} if isinstance(path, str | os.PathLike) else {"table": _table(path)},
        source=_where(path),
        warn_level=3,
    )
    return prices if full else prices.to_frame()


def read_raw(
    path: str | os.PathLike[str] | TableLike,
    *,
    tickers: Sequence[str] | None = None,
    start: object = None,
    end: object = None,
    on_bad: OnBad = "raise",
    on_duplicates: OnDuplicates = "raise",
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: Decimal | None = None,
    name: str | None = None,
    encoding: str = "utf-8-sig",
) -> RawPrices:
    """Read prices as they are: nothing adjusted, filled or left out unasked."""
    check_is("encoding", encoding, str, how="give a name such as 'utf-8'")
    if date_format is not None:
        check_is("date_format", date_format, str, how="give a pattern such as '%Y-%m-%d'")
    if columns is not None and not isinstance(columns, Mapping):
        raise DataError(
            f"columns is of type {type(columns).__name__}; give a mapping such as {{'Day': 'date'}}"
        )
    if decimal is not None:
        check_option("decimal", decimal, get_args(Decimal))
    check_option("on_bad", on_bad, get_args(OnBad))
    check_option("on_duplicates", on_duplicates, get_args(OnDuplicates))
    wanted = _wanted(tickers)
    where = _where(path)
    if isinstance(path, str | os.PathLike):
        table, sign = read_table(Path(path), encoding, decimal)
    else:
        table, sign = index_to_columns(_table(path)), decimal or "."
    layout = find_layout(table, columns, where)
    if not len(table):
        raise DataError(f"{where}: a header and no rows; expected prices")
    days = read_dates(table[layout.date], where=where, date_format=date_format)
    raw = RawPrices()
    if layout.kind == "wide":
        known = list(dict.fromkeys(ticker for _, _, ticker in layout.cells))
        _check_tickers(wanted, known, where)
        if wanted is not None:  # other columns may hold anything
            layout = dataclasses.replace(layout, cells=tuple(c for c in layout.cells if c[2] in wanted))
        _read_wide(raw, table, layout, days, on_duplicates, where, sign)
    else:
        alone = name or where.split(".")[0] or where
        _read_rows(raw, table, layout, days, on_duplicates, alone, where, sign)
    _select(raw, wanted, start, end, where)
    _check_values(raw, on_bad, where)
    return raw


def _where(path: str | os.PathLike[str] | TableLike) -> str:
    """Name a file or table in messages."""
    return Path(path).name if isinstance(path, str | os.PathLike) else "the table"


def _table(data: TableLike) -> pd.DataFrame:
    """Return a table of any library as a DataFrame."""
    return as_frame("path", data, what="the path of a file, or prices")


def _wanted(tickers: object) -> list[str] | None:
    """Return the tickers asked for; None for all."""
    if tickers is None or isinstance(tickers, str):
        return None if tickers is None else [tickers]
    if isinstance(tickers, bytes) or not isinstance(tickers, Iterable):
        raise DataError(f"tickers={tickers!r:.80}; give a list of names such as ['AAPL', 'MSFT']")
    if not (names := [check_is("a ticker", t, str, how="give names such as 'AAPL'") for t in tickers]):
        raise DataError("tickers=[] asks for nothing; leave it out for all")
    return names


def _read_wide(
    raw: RawPrices,
    table: pd.DataFrame,
    layout: Layout,
    days: pd.Series,
    on_duplicates: str,
    where: str,
    decimal: str,
) -> None:
    """Read a table with a column a ticker (and field)."""
    by_field: dict[str, dict[str, pd.Series]] = {}
    for column, field, ticker in layout.cells:
        numbers = read_numbers(table[column], f"{where}, column {_named(column)}", decimal=decimal)
        if field == "close" and (why := why_no_price(column, numbers.to_numpy(), pd.DatetimeIndex(days))):
            _set_column_aside(raw, column, why, where)
            continue
        by_field.setdefault(field, {})[ticker] = numbers
    if not by_field:
        raise DataError(f"{where}: no column holds prices; {'; '.join(raw.warn)}")
    joined = pd.concat({key: pd.DataFrame(series) for key, series in by_field.items()}, axis=1)
    joined.index = pd.DatetimeIndex(days, name="date")
    joined = _one_row_a_day(raw, joined, on_duplicates, where, "")
    for field in by_field:
        frame = pd.DataFrame({ticker: joined[(field, ticker)] for ticker in by_field[field]}).sort_index()
        frame.columns.name = "ticker"
        if field in EVENT_KINDS:
            _add_events(raw, frame, field)
        else:
            raw.fields[field] = frame


def _set_column_aside(raw: RawPrices, column: object, why: str, where: str) -> None:
    """Leave out row numbers that a program wrote beside the table, and refuse whatever else is no price."""
    if why == "row numbers":
        raw.count("row_numbers", 1, f"column {_named(column)} holds row numbers and is left out", loud=True)
        return
    raise DataError(
        f"{where}: column {_named(column)} holds {why}, not prices; leave it out of the file, or pass tickers= to "
        "read the others only"
    )


def _read_rows(
    raw: RawPrices,
    table: pd.DataFrame,
    layout: Layout,
    days: pd.Series,
    on_duplicates: str,
    name: str,
    where: str,
    decimal: str,
) -> None:
    """Read a table with a row a day (and ticker)."""
    fields = {
        field: read_numbers(table[column], f"{where}, column {column!r}", decimal=decimal)
        for field, column in layout.fields.items()
    }
    rows = pd.DataFrame(fields)
    rows.insert(0, "date", days)
    if layout.kind == "long":
        tickers = table[layout.ticker].astype("str").str.strip()
        unnamed = (tickers == "") | table[layout.ticker].isna()
        if unnamed.any():
            row = int(np.flatnonzero(unnamed.to_numpy())[0])
            raise DataError(
                f"{where}: {int(unnamed.sum())} rows have no ticker in column {layout.ticker!r}, the first "
                f"is data row {row + 1}"
            )
        rows.insert(0, "ticker", tickers)
    else:
        rows.insert(0, "ticker", name)
        _explain_repeats(rows, table, layout, where)
    rows = _one_row_a_day(raw, rows.set_index(["ticker", "date"]), on_duplicates, where, "of one ticker ")
    column_of, order = pd.factorize(rows.index.get_level_values("ticker").to_numpy())
    every_day, row_of = np.unique(rows.index.get_level_values("date").to_numpy(), return_inverse=True)
    for field in fields:
        cells = np.full((len(every_day), len(order)), np.nan)
        cells[row_of, column_of] = rows[field].to_numpy()
        frame = pd.DataFrame(
            cells, index=pd.DatetimeIndex(every_day, name="date"), columns=pd.Index(order, name="ticker")
        )
        if field in EVENT_KINDS:
            _add_events(raw, frame, field)
        else:
            raw.fields[field] = frame


def _explain_repeats(rows: pd.DataFrame, table: pd.DataFrame, layout: Layout, where: str) -> None:
    """Where the dates of a "single" asset repeat with different rows, find the tickers."""
    if not rows["date"].duplicated().any() or not rows.duplicated("date").sum() > rows.duplicated().sum():
        return
    used = {layout.date, *layout.fields.values()}
    for column in table.columns:
        if column not in used:
            pairs = pd.DataFrame({"date": rows["date"], "name": table[column]})
            if not pairs.duplicated().any() and pairs["name"].duplicated().any():
                raise DataError(
                    f"{where}: dates repeat, and column {column!r} looks as if it names the tickers; "
                    f"pass columns={{'ticker': {column!r}}}"
                )


def _one_row_a_day(
    raw: RawPrices, table: pd.DataFrame, on_duplicates: str, where: str, of_what: str
) -> pd.DataFrame:
    """Drop repeated rows, and count rows that were out of order."""
    key = table.index.get_level_values("date")
    groups = (
        pd.Series(key).groupby(table.index.get_level_values(0), sort=False)
        if isinstance(table.index, pd.MultiIndex)
        else None
    )
    last = groups.cummax() if groups is not None else pd.Series(key).cummax()
    behind = int((pd.Series(key).to_numpy() < last.to_numpy()).sum())
    raw.count("unsorted", behind, "rows out of order, sorted by date")
    repeated = table.index.duplicated(keep=False)
    if not repeated.any():
        return table
    flat = table.reset_index()
    identical = flat.duplicated().to_numpy()
    raw.count("duplicates", int(identical.sum()), "rows that repeat another one dropped", loud=True)
    table = table[~identical]
    differ = table.index.duplicated(keep=False)
    if differ.any():
        if on_duplicates == "raise":
            first = table[differ].index[:1]
            day = first.get_level_values("date")[0]
            which = "" if groups is None else f"{first.get_level_values('ticker')[0]} on "
            raise DataError(
                f"{where}: {len(table.index[differ].unique())} dates {of_what}appear more than once "
                f"with different values, the first is {which}{day:%Y-%m-%d}; correct them (intraday data? "
                "keep one row a day), or pass on_duplicates='first' or 'last'"
            )
        out = table.index.duplicated(keep="first" if on_duplicates == "first" else "last")
        raw.count(
            "conflicts", int(out.sum()), f"rows dropped for the {on_duplicates} one of their day", loud=True
        )
        table = table[~out]
    return table


def _add_events(raw: RawPrices, frame: pd.DataFrame, field: str) -> None:
    """Turn a table of dividends or splits into events; a split of 0 or 1 is left out."""
    values = frame.to_numpy()
    there = ~np.isnan(values) & (values != 0) & ~((values == 1) & (field == "splits"))
    rows, columns = np.nonzero(there)
    if len(rows):
        new = pd.DataFrame(
            {
                "ticker": frame.columns.to_numpy()[columns],
                "date": frame.index.to_numpy()[rows],
                "kind": EVENT_KINDS[field],
                "value": values[there],
            }
        )
        raw.events = pd.concat([raw.events, new], ignore_index=True) if len(raw.events) else new


def _check_tickers(tickers: Sequence[str] | None, known: Sequence[str], where: str) -> None:
    """Refuse tickers that a file does not have."""
    for ticker in tickers or ():
        if ticker not in known:
            guess = nearest(ticker, known)
            raise DataError(
                f"{where} has no ticker {ticker!r}"
                + (f"; did you mean {guess!r}?" if guess else "")
                + f" (it has {len(known)}: {', '.join(known[:8])}{' ...' if len(known) > 8 else ''})"
            )


def _select(raw: RawPrices, tickers: Sequence[str] | None, start: object, end: object, where: str) -> None:
    """Keep the tickers and days that were asked for."""
    if tickers is not None:
        _check_tickers(tickers, list(raw.main.columns), where)
        raw.fields = {name: frame.reindex(columns=list(tickers)) for name, frame in raw.fields.items()}
    first = None if start is None else pd.Timestamp(read_date("start", start))
    last = None if end is None else pd.Timestamp(read_date("end", end))
    if first is not None or last is not None:
        days = next(iter(raw.fields.values())).index
        raw.fields = {name: frame.loc[first:last] for name, frame in raw.fields.items()}
        if not len(next(iter(raw.fields.values()))):
            raise DataError(
                f"{where} has no rows from {start} to {end}; it spans {days[0]:%Y-%m-%d} to "
                f"{days[-1]:%Y-%m-%d}"
            )


def _check_values(raw: RawPrices, on_bad: str, where: str) -> None:
    """Refuse or set aside prices that cannot be; refuse volumes below zero."""
    for field in [name for name in PRICES if name in raw.fields]:
        frame = raw.fields[field]
        rows, columns = np.nonzero(bad_bars(frame).to_numpy())
        if len(rows) and on_bad == "raise":
            i, j = int(rows[0]), int(columns[0])
            raise DataError(
                f"{where}: {len(rows)} prices ({field}) are zero, negative or infinite; the first is "
                f"{frame.to_numpy()[i, j]:g} for {frame.columns[j]} on {frame.index[i]:%Y-%m-%d}. Correct "
                "them, or pass on_bad='missing' to treat them as missing"
            )
        set_aside(raw, field)
    volume = raw.fields.get("volume")
    if volume is not None and (volume < 0).to_numpy().any():
        raise DataError(
            f"{where}: {int((volume < 0).to_numpy().sum())} volumes are negative; correct the file"
        )


def _report(raw: RawPrices) -> pd.DataFrame:
    """Report on the assets of a file in the shape of a fetch's report."""
    frame = raw.main
    known = frame.notna()
    rows = known.sum()
    table = pd.DataFrame(
        {
            "outcome": np.where(rows > 0, "read", "failed"),
            "reason": np.where(rows > 0, "", "no prices"),
            "rows": rows.to_numpy(),
            "first": [frame[ticker].first_valid_index() for ticker in frame.columns],
            "last": [frame[ticker].last_valid_index() for ticker in frame.columns],
            "currency": "",
            "attempts": 0,
        },
        index=pd.Index(frame.columns, name="ticker"),
    )
    return table.astype({"first": "datetime64[us]", "last": "datetime64[us]"})


def _named(column: object) -> str:
    """Write a column's name, also one of two levels."""
    return " ".join(map(str, column)) if isinstance(column, tuple) else repr(column)
