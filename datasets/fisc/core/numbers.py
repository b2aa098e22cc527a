"""The one reader of numbers: which sign stands before the decimals is decided by a table as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from fisc.core.errors import DataError

__all__ = ["decimal_sign", "read_numbers"]

# What tables write for "nothing here"; anything else that is no number is an error.
_NOTHING = {
    "", "na", "n/a", "nan", "null", "none", "-", "--", ".", "..", "...", "#n/a", "#n/a n/a", "nat", "<na>", "–",
    "—", "nil",
}  # fmt: skip
_CURRENCY = r"(?:US\$|Rs\.?|INR|USD|EUR|GBP|[$€£₹¥])"
_BLANK = r"[ \u00a0\u2009\u202f]"
_SAMPLE = 2000


def read_numbers(column: pd.Series[Any], where: str, *, decimal: str = ".") -> pd.Series[Any]:
    """Read a column as numbers; blanks and the usual words for "nothing" become NaN.

    Parameters
    ----------
    column : Series
        Numbers, or texts with thousands apart (by the other of "." and ",", a space or an apostrophe; Indian
        grouping too), a sign of currency, accountants' parentheses for what is negative.
    where : str
        Names the column in messages.
    decimal : {".", ","}
        The decimal sign; see `decimal_sign`.

    Returns
    -------
    Series of float64

    Raises
    ------
    DataError
        If a cell is something else, or the column holds truth values, dates or lengths of time.

    Examples
    --------
    >>> read_numbers(pd.Series(["1,234.5", "n/a", "1,50,000", "$ 3"]), "x.csv, column A").tolist()
    [1234.5, nan, 150000.0, 3.0]
    """
    kind = column.dtype
    if (
        pd.api.types.is_bool_dtype(kind)
        or pd.api.types.is_datetime64_any_dtype(kind)
        or pd.api.types.is_timedelta64_dtype(kind)
        or pd.api.types.is_complex_dtype(kind)
    ):
        raise DataError(f"{where}: expected numbers, found {kind}; leave this column out")
    if pd.api.types.is_numeric_dtype(kind):
        return column.astype("float64")
    texts = column.astype("str").str.strip()
    empty = texts.str.lower().isin(_NOTHING) | column.isna()
    numbers = pd.to_numeric(texts.where(~empty), errors="coerce").astype("float64")
    if decimal == ",":  # what pandas reads with a point is thousands here
        numbers = numbers.where(~texts.str.contains(".", regex=False))
    doubtful = numbers.isna() & ~empty
    if doubtful.any():
        numbers = numbers.fillna(_written(texts[doubtful], decimal))
    bad = (numbers.isna() & ~empty).to_numpy()
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{where}: {int(bad.sum())} cells are no numbers; the first is {column.iloc[row]!r} in "
            f"data row {row + 1}. Correct it, leave it empty if there is no price, or pass tickers= "
            "to read other columns only"
        )
    return numbers


def _written(texts: pd.Series[Any], decimal: str) -> pd.Series[Any]:
    """Read numbers as people write them; NaN for what is none."""
    thousands = "," if decimal == "." else "."
    bare = texts.str.replace(rf"^([-+(]?)\s*{_CURRENCY}\s*|\s*{_CURRENCY}$", r"\1", regex=True)
    bare = bare.str.replace("−", "-", regex=False)
    negative = bare.str.fullmatch(r"\(.*\)")
    bare = bare.str.strip("()")
    marks = (rf"\{thousands}", _BLANK, "['’]")
    groups = "|".join(rf"\d{{1,3}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}" for mark in marks)
    pattern = rf"[-+]?(?:{groups}|\d+)?(?:\{decimal}\d*)?(?:[eE][-+]?\d+)?"
    fits = bare.str.fullmatch(pattern) & bare.str.contains(r"\d")
    plain = bare.where(fits).str.replace(rf"[\{thousands}'’]|{_BLANK}", "", regex=True)
    read = pd.to_numeric(plain.str.replace(decimal, ".", regex=False), errors="coerce").astype("float64")
    return read.where(~negative, -read)


def decimal_sign(columns: Iterable[pd.Series[Any]], *, separator: str, where: str) -> str:
    """Return the decimal sign of a table of texts, "." or ",".

    A number with both signs tells, and one with a sign that does not stand before three last figures.

    Raises
    ------
    DataError
        If the cells tell both, or every sign stands before three figures, so that 1.234 may be a little more
        than one or more than a thousand.

    Examples
    --------
    >>> decimal_sign([pd.Series(["1.234,5", "7"])], separator=";", where="x.csv")
    ','
    """
    texts = [column.dropna().astype("str").head(_SAMPLE) for column in columns]
    cells = pd.concat(texts).str.strip() if texts else pd.Series(dtype="str")
    cells = cells[
        cells.str.fullmatch(rf"[-+(]?\s*(?:{_CURRENCY})?\s*(?:[\d.,'’]|{_BLANK})*\d\)?(?:[eE][-+]?\d+)?")
    ]
    cells = cells.str.replace(_CURRENCY, "", regex=True)
    cells = cells[cells.str.contains(r"[.,]")]
    told = {sign: _tells(cells, sign) for sign in ".,"}
    if any(told.values()):
        return max(told, key=lambda sign: told[sign])
    if cells.empty or (separator == "," and not cells.str.contains(",").any()):
        return "."
    raise DataError(
        f"{where}: numbers such as {cells.iloc[0]!r} read both with {cells.iloc[0][-4]!r} before the decimals "
        "and with it between thousands; pass decimal='.' or decimal=','"
    )


def _tells(cells: pd.Series[Any], sign: str) -> int:
    """Count the numbers that can be read in no other way than with `sign` before the decimals."""
    other, this = re.escape("," if sign == "." else "."), re.escape(sign)
    patterns = (
        rf"[^{this}]*{other}[^{this}]*{this}\d*.*",  # 1,234.5
        rf"[^{other}]*{other}\d+(?:{other}\d+)+[^{other}]*",  # 1,234,567
        rf"[^{this}{other}]*{this}(?:\d{{1,2}}|\d{{4,}})(?:[)eE].*)?",  # 1.5
        rf"\D*(?:0|0\d+|\d{{4,}}){this}\d+.*",  # 0.123, 1234.567
    )
    if not len(cells):
        return 0
    return int(np.logical_or.reduce([cells.str.fullmatch(pattern) for pattern in patterns]).sum())
