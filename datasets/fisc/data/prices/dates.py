"""Dates and numbers of a text file, read without guessing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fisc.core.errors import DataError

__all__ = ["parse_dates", "parse_numbers"]

# What tables write for "nothing here"; anything else that is not a number is an error.
_NOTHING = {"", "na", "n/a", "nan", "null", "none", "-", "--", ".", "#n/a", "nat", "<na>"}
_FORMATS = ("%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%y", "%d.%m.%Y")
_TWO_WAYS = (("%d/%m/%Y", "%m/%d/%Y"), ("%d-%m-%Y", "%m-%d-%Y"))


def parse_dates(column: pd.Series, date_format: str | None, where: str) -> pd.Series:
    """Read a column as naive days.

    A time of day and an offset from UTC are left out without converting: the day is the one
    that is written, which is the day at the exchange.

    Without `date_format` (of `strptime`), the usual formats are tried, each on all rows. A row that is no
    date, and days that cannot be told from months, are errors that name `where`.

    Examples
    --------
    >>> parse_dates(pd.Series(["2024-01-31 00:00:00-05:00"]), None, "x.csv").dt.strftime("%d %b").tolist()
    ['31 Jan']
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        naive = column.dt.tz_localize(None) if column.dt.tz is not None else column
        return _days(naive, column, where)
    if pd.api.types.is_float_dtype(column) and column.notna().all() and (column % 1 == 0).all():
        column = column.astype("int64")
    # a long file repeats each day for every ticker: read each text once
    codes, distinct = pd.factorize(column.astype("str").str.strip())
    parsed = _read(pd.Series(distinct, dtype="str"), date_format, where)
    return _days(parsed.iloc[codes].set_axis(column.index), column, where, date_format)


def _read(texts: pd.Series, date_format: str | None, where: str) -> pd.Series:
    """Read texts in the one format that fits all of them; NaT where the best one fails."""
    if date_format is not None:
        return pd.to_datetime(texts, format=date_format, errors="coerce")
    iso = texts.str.extract(r"^(\d{4}-\d{1,2}-\d{1,2})(?:[T ].*)?$")[0]
    best = pd.to_datetime(iso, format="%Y-%m-%d", errors="coerce")
    for pattern in _FORMATS:
        if best.notna().all():
            return best
        tried = pd.to_datetime(texts, format=pattern, errors="coerce")
        best = tried if tried.notna().sum() > best.notna().sum() else best
    for patterns in _TWO_WAYS:
        ways = [pd.to_datetime(texts, format=pattern, errors="coerce") for pattern in patterns]
        whole = [way for way in ways if way.notna().all()]
        if len(whole) == 2 and not whole[0].equals(whole[1]):
            raise DataError(
                f"{where}: dates such as {texts.iloc[0]!r} read both as day/month and as month/day; "
                f"pass date_format={patterns[0]!r} or date_format={patterns[1]!r}"
            )
        best = max([best, *ways], key=lambda way: int(way.notna().sum()))
    return best


def _days(parsed: pd.Series, column: pd.Series, where: str, date_format: str | None = None) -> pd.Series:
    """Return whole days, or say which rows are no dates."""
    bad = parsed.isna()
    if bad.any():
        row = int(np.flatnonzero(bad.to_numpy())[0])
        how = f"date_format={date_format!r}" if date_format else "a format such as 2024-01-31"
        raise DataError(
            f"{where}: {int(bad.sum())} of {len(parsed)} dates cannot be read with {how}; the first is "
            f"{column.iloc[row]!r} in data row {row + 1}. Correct it, or pass date_format="
        )
    days: pd.Series = parsed.dt.normalize().astype("datetime64[us]")
    return days


def parse_numbers(column: pd.Series, where: str, *, decimal: str = ".") -> pd.Series:
    """Read a column as numbers; blanks and the usual words for "nothing" become NaN.

    `decimal` is the decimal sign; the other of "." and "," may separate thousands. A cell that is something
    else is an error that names `where`.

    Examples
    --------
    >>> parse_numbers(pd.Series(["1,234.5", "n/a"]), "x.csv, column A").tolist()
    [1234.5, nan]
    """
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        raise DataError(f"{where}: expected numbers, found {column.dtype}; leave this column out")
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    doubtful = numbers.isna()
    if decimal == "," or doubtful.any():
        texts = column.astype("str").str.strip()
        empty = texts.str.lower().isin(_NOTHING) | column.isna()
        thousands = "," if decimal == "." else "."
        pattern = rf"[-+]?\d{{1,3}}(?:\{thousands}\d{{3}})+(?:\{decimal}\d+)?"
        if decimal == ",":
            pattern += r"|[-+]?\d*,?\d+(?:[eE][-+]?\d+)?"
        rewritten = texts.where(texts.str.fullmatch(pattern), None)
        rewritten = rewritten.str.replace(thousands, "", regex=False).str.replace(decimal, ".", regex=False)
        read = pd.to_numeric(rewritten, errors="coerce")
        numbers = read.astype("float64") if decimal == "," else numbers.fillna(read.astype("float64"))
        bad = (numbers.isna() & ~empty).to_numpy()
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise DataError(
                f"{where}: {int(bad.sum())} cells are no numbers; the first is {column.iloc[row]!r} in "
                f"data row {row + 1}. Correct it, leave it empty if there is no price, or pass tickers= "
                "to read other columns only"
            )
    return numbers
