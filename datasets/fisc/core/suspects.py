"""Columns that are no prices though they are numbers: row numbers, years, volumes, rates, logarithms."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from fisc.core.arrays import FloatArray

__all__ = ["looks_like_logs", "numbers_rows", "why_no_price"]

_FEW = 5  # fewer rows prove nothing
_MANY = 20
_VOLUMES = {"volume", "vol", "volumes", "shares traded", "turnover", "open interest", "traded quantity"}
_RATES = {
    "rf",
    "risk free",
    "riskfree",
    "risk free rate",
    "rate",
    "interest rate",
    "return",
    "returns",
    "ret",
}
_PARTS = {"year", "month", "day", "weekday", "dow"}
_ORDERS = {
    "row",
    "rowid",
    "row id",
    "row number",
    "rownum",
    "rn",
    "no",
    "nr",
    "n",
    "id",
    "index",
    "sno",
    "s no",
}


def numbers_rows(values: FloatArray, *, named: bool = True) -> bool:
    """Tell whether values (n,) count the rows: one more each time, from 0 or 1, or from anywhere over many rows.

    Examples
    --------
    >>> numbers_rows(np.arange(1.0, 9.0)), numbers_rows(np.array([10.0, 11.0, 12.0, 13.0, 14.0]))
    (True, False)
    """
    least = _FEW if named else 2
    if len(values) < least or not np.isfinite(values).all() or not (np.diff(values) == 1.0).all():
        return False
    return values[0] in (0.0, 1.0) or len(values) >= _MANY or not named


def why_no_price(name: object, values: FloatArray, dates: pd.Index[Any]) -> str | None:
    """Say what a column (n,) is if it cannot be prices, else return None; `dates` are those of its rows.

    Examples
    --------
    >>> why_no_price("Volume", np.array([1e6, 2e6]), pd.RangeIndex(2))
    'volumes, by its name'
    """
    plain = re.sub(r"[^a-z0-9]+", " ", str(name).lower()).strip()
    unnamed = plain in ("", "nan", "none") or plain.startswith("unnamed")
    if numbers_rows(values, named=not (unnamed or plain in _ORDERS)):
        return "row numbers"
    if plain in _VOLUMES:
        return "volumes, by its name"
    if re.match(r"(?:log|ln)(?:[ _.(]|price|close)", str(name).lower()):
        return "logarithms of prices, by its name"
    held = values[np.isfinite(values)]
    if plain in _RATES and held.size and (float(np.abs(held).max()) < 1.0 or not str(name).isupper()):
        return "rates or returns, by its name"
    if isinstance(dates, pd.DatetimeIndex) and len(values) >= _FEW:
        written = dates.year * 10_000 + dates.month * 100 + dates.day
        if plain in _PARTS or plain == "date" or (values == dates.year).all() or (values == written).all():
            for part in ("year", "month", "day", "day_of_week"):
                if (values == getattr(dates, part)).all():
                    return f"the {part.replace('_', ' ')} of its date"
            if (values == written).all():
                return "dates written as numbers"
    return None


def looks_like_logs(prices: FloatArray) -> bool:
    """Tell whether a table (n, assets) looks like logarithms: all between 1 and 15, and hardly moving.

    The logarithm of a share of 100 is 4.6, and moves by a hundredth a day, which is 0.2 % of itself.
    """
    if len(prices) < 60 or not prices.size or not ((prices > 1.0) & (prices < 15.0)).all():
        return False
    moves = np.std(np.diff(prices, axis=0) / prices[:-1], axis=0)
    return bool((moves < 0.006).all() and (np.std(np.diff(prices, axis=0), axis=0) > 0.005).all())
