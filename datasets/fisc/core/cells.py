"""Values as a reader wants them: decimals, thousands, one minus sign, a dash for what is missing."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import numbers
from collections.abc import Callable
from typing import Any, SupportsFloat

import numpy as np
import pandas as pd

__all__ = ["MISSING", "cells", "is_numeric", "places"]

MISSING = "–"
_ENDLESS = 10**40
_MOST_PLACES = 4


def cells(column: pd.Series[Any], decimals: int = 3, percent: bool = False) -> list[str]:
    """Write the values of a column as text, not escaped; `percent` shows shares in per cent.

    A float that would round to zero keeps two digits, as a power of ten. Thousands are separated from 10 000 on,
    so that years stay years.

    Examples
    --------
    >>> import pandas as pd
    >>> cells(pd.Series([1234.5, -0.00002, float("nan")]), decimals=1)
    ['1,234.5', '−2.0e−05', '–']
    """
    write = _writer(column, decimals, percent)
    return [write(value) for value in column.tolist()]


def _writer(column: pd.Series[Any], decimals: int, percent: bool) -> Callable[[Any], str]:
    whole = [v for v in column.tolist() if type(v) is int]
    separated = any(abs(v) >= 10_000 for v in whole)

    def write(value: object) -> str:
        if value is None or value is pd.NaT or value is pd.NA:
            return MISSING
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, numbers.Integral) and not percent:
            return _whole(int(value), separated)
        if isinstance(value, numbers.Real):
            return _real(_as_float(value), decimals, percent)
        if isinstance(value, (dt.datetime, dt.date)):
            return _date(value)
        return str(value)

    return write


def _whole(value: int, separated: bool) -> str:
    if abs(value) >= _ENDLESS:  # a sum gone wild; Python refuses to print the largest at all
        return _minus(f"{decimal.Decimal(value):.3e}")
    return _minus(f"{value:,}" if separated else str(value))


def _as_float(value: SupportsFloat) -> float:
    try:
        return float(value)
    except OverflowError:  # a fraction beyond the range of floats
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _real(value: float, decimals: int, percent: bool) -> str:
    if math.isnan(value):
        return MISSING
    sign = "%" if percent else ""
    value = (100 * value if percent else value) + 0.0  # adding 0 turns −0 into 0
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value != 0 and abs(value) < 0.5 * 10.0**-decimals:
        return _minus(f"{value:.1e}") + sign
    if abs(value) >= 1e15:
        return _minus(f"{value:.{max(decimals, 1)}e}") + sign
    text = f"{value:,.{decimals}f}"
    return _minus(text) + sign


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _date(value: dt.date) -> str:
    if not isinstance(value, dt.datetime):
        return value.isoformat()
    day = value.strftime("%Y-%m-%d")
    if value.time() == dt.time():
        return day
    zone = value.tzname() if value.tzinfo is not None else ""
    return f"{day} {value:%H:%M}{':' + format(value, '%S') if value.second else ''} {zone}".rstrip()


def is_numeric(column: pd.Series[Any]) -> bool:
    """Tell whether a column holds numbers, which stand at the right; truth values are words."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    held = [v for v in column.tolist() if v is not None]
    return bool(held) and all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in held)


def places(column: pd.Series[Any]) -> int:
    """Return the decimals that show three digits of a typical value, and none that all lack.

    Examples
    --------
    >>> [places(pd.Series(v)) for v in ([0.05, 0.5, 0.95], [1234.56, 2.0], [0.01234, 1 / 30], [3.0, 4.0])]
    [2, 0, 4, 0]
    """
    values = np.abs(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return 0
    typical = int(np.clip(2 - math.floor(math.log10(float(np.median(values)))), 0, _MOST_PLACES))
    for fewer in range(typical):
        if np.allclose(values, np.round(values, fewer), rtol=1e-9, atol=0):
            return fewer
    return typical
