"""Which column of a price file is what: dates, tickers, prices."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from fisc.core.errors import DataError, OptionError, nearest

__all__ = ["ROLES", "Layout", "find_layout", "split_names"]

_DATES = (
    "date",
    "dates",
    "datetime",
    "timestamp",
    "trade date",
    "trading date",
    "day",
    "time",
    "dt",
    "timestamp utc",
)
_TICKERS = ("ticker", "symbol", "tic", "sym", "asset", "security", "instrument", "stock", "permno", "code")
_FIELDS = {
    "open": ("open", "open price", "opening price", "px open"),
    "high": ("high", "high price", "px high"),
    "low": ("low", "low price", "px low"),
    "close": ("close", "close price", "closing price", "price", "last", "last price", "px last", "prc"),
    "adj_close": ("adj close", "adjclose", "adjusted close", "adj close price", "close adj"),
    "volume": ("volume", "vol", "shares traded", "total traded quantity", "ttl trd qnty", "tottrdqty"),
    "dividends": ("dividends", "dividend"),
    "splits": ("stock splits", "splits", "split", "split ratio"),
    "capital_gains": ("capital gains",),
}
ROLES = ("date", "ticker", *_FIELDS)
_BY_NAME = {name: field for field, names in _FIELDS.items() for name in names}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a table of prices is laid out.

    `kind` is ``wide`` (a column a ticker; `cells` has column name, field and ticker of each), ``long``
    (a row a ticker and day) or ``single`` (the bars of one asset; `fields` maps fields to columns).
    """

    kind: str
    date: object
    ticker: object = None
    fields: Mapping[str, object] = dataclasses.field(default_factory=dict)
    cells: tuple[tuple[object, str, str], ...] = ()


def find_layout(table: pd.DataFrame, columns: Mapping[str, str] | None, where: str) -> Layout:
    """Say what each column of a table is; `columns` maps roles (`ROLES`) to names that do not tell."""
    given = _given(table, columns or {}, where)
    if isinstance(table.columns, pd.MultiIndex):
        return _two_levels(table, given, where)
    names: dict[object, str] = {column: _plain(column) for column in table.columns}
    date = given.get("date", _first(names, _DATES))
    if date is None:
        date = _unnamed_date(table, names)
    if date is None:
        listed = ", ".join(map(str, table.columns[:12]))
        raise DataError(
            f"{where}: no column of dates (columns: {listed}); name it 'date', or pass "
            f"columns={{'date': {_guess('date', list(table.columns))!r}}}"
        )
    rest = [column for column in table.columns if column != date]
    ticker = given.get("ticker", _first({column: names[column] for column in rest}, _TICKERS))
    fields = _fields(names, rest, given)
    if ticker is not None:
        if not any(name in fields for name in ("close", "adj_close", "open")):
            listed = ", ".join(map(str, rest))
            raise DataError(
                f"{where}: no column of closes (columns: {date}, {listed}); name it 'close', or pass "
                f"columns={{'close': {_guess('close', [c for c in rest if c != ticker])!r}}}"
            )
        return Layout("long", date, ticker, fields)
    if "close" in fields or "adj_close" in fields:
        return Layout("single", date, None, fields)
    if not rest:
        raise DataError(f"{where}: there is no column beside the dates; expected prices")
    split = split_names([str(column) for column in rest])
    if split is not None:
        values = tuple((c, field, name) for c, (field, name) in zip(rest, split, strict=True))
        return Layout("wide", date, cells=values)
    return Layout("wide", date, cells=tuple((column, "close", str(column)) for column in rest))


def split_names(columns: Sequence[str]) -> list[tuple[str, str]] | None:
    """Take apart names such as ``"Close_AAPL"`` or ``"AAPL Adj Close"``, if all are such.

    Returns
    -------
    list of (field, ticker), or None

    Examples
    --------
    >>> split_names(["AAPL_Close", "AAPL_Volume"])
    [('close', 'AAPL'), ('volume', 'AAPL')]
    >>> split_names(["AAPL", "MSFT_Close"]) is None
    True
    """
    words = "|".join(
        sorted((re.escape(name).replace(r"\ ", "[ _]") for name in _BY_NAME), key=len, reverse=True)
    )
    before = re.compile(rf"(?P<field>{words})[ _.:|](?P<name>\S+)", re.IGNORECASE)
    after = re.compile(rf"(?P<name>\S+?)[ _.:|](?P<field>{words})", re.IGNORECASE)
    for pattern in (before, after):
        matches = [pattern.fullmatch(column) for column in columns]
        found = [(_BY_NAME[_plain(m["field"])], m["name"]) for m in matches if m is not None]
        if len(found) == len(columns) and any(field in ("close", "adj_close") for field, _ in found):
            return found
    return None


def _plain(name: object) -> str:
    """Write a column name in lower case, with single spaces between its words."""
    return re.sub(r"[^a-z0-9]+", " ", str(name).lower()).strip()


def _given(table: pd.DataFrame, columns: Mapping[str, str], where: str) -> dict[str, object]:
    """Check the user's own naming of columns."""
    known = [str(column) for column in table.columns]
    for role, column in columns.items():
        if role not in ROLES:
            guess = nearest(role, ROLES)
            raise OptionError(
                f"columns has the key {role!r}; "
                + (f"did you mean {guess!r}? " if guess else "")
                + f"(one of: {', '.join(ROLES)})"
            )
        if str(column) not in known:
            guess = nearest(column, known)
            raise DataError(
                f"{where}: there is no column {column!r} for {role}"
                + (f"; did you mean {guess!r}?" if guess else "")
                + f" (columns: {', '.join(known[:12])})"
            )
    return {role: table.columns[known.index(str(column))] for role, column in columns.items()}


def _first(names: Mapping[object, str], wanted: Sequence[str]) -> object:
    """Return the column with the first of the wanted names, or None."""
    for want in wanted:
        for column, name in names.items():
            if name == want:
                return column
    return None


def _unnamed_date(table: pd.DataFrame, names: Mapping[object, str]) -> object:
    """Return the first column if it holds dates under no name, as a saved index does."""
    column = table.columns[0]
    if pd.api.types.is_datetime64_any_dtype(table[column]):
        return column
    unnamed = names[column] in ("", "index") or names[column].startswith("unnamed") or names[column] == "none"
    sample = table[column].dropna().astype(str).head(20)
    dated = len(sample) > 0 and sample.str.contains(r"\d[-/.]\d|\d{8}", regex=True).all()
    return column if unnamed and dated else None


def _fields(
    names: Mapping[object, str], rest: Sequence[object], given: Mapping[str, object]
) -> dict[str, object]:
    """Return the column of each field, the user's own naming first."""
    fields = {role: column for role, column in given.items() if role in _FIELDS}
    for field, aliases in _FIELDS.items():
        if field not in fields:
            found = _first({column: names[column] for column in rest}, aliases)
            if found is not None:
                fields[field] = found
    return fields


def _two_levels(table: pd.DataFrame, given: Mapping[str, object], where: str) -> Layout:
    """Read a header of two levels, as yfinance writes it."""
    date = given.get("date")
    if date is None:
        date = next((c for c in table.columns if any(_plain(part) in _DATES for part in c)), None)
    if date is None:
        raise DataError(f"{where}: no column of dates under the two header lines; name it 'Date'")
    rest = [column for column in table.columns if column != date]
    for level in (0, 1):
        fields = [_BY_NAME.get(_plain(column[level])) for column in rest]
        if all(fields) and any(field in ("close", "adj_close") for field in fields):
            values = tuple(
                (column, str(field), str(column[1 - level]))
                for column, field in zip(rest, fields, strict=True)
            )
            return Layout("wide", date, cells=values)
    raise DataError(
        f"{where}: neither of the two header lines names fields such as Close (they are {rest[:3]} ...)"
    )


def _guess(role: str, columns: Sequence[object]) -> str:
    """Return the column most like a role, for an example in a message."""
    names = [str(column) for column in columns]
    return nearest(role, names) or (names[0] if names else "...")
