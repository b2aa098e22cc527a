"""Tables as HTML: numbers as a reader wants them, great-tables for the table itself."""

from __future__ import annotations

import datetime as dt
import decimal
import html
import math
import numbers
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fisc.core import DataError

if TYPE_CHECKING:
    import pandas as pd

    from fisc.report.blocks import Table

__all__ = ["as_frame", "cells", "render"]

_DEFAULT_DECIMALS = 3
_MISSING = "–"
_ENDLESS = 10**40


def as_frame(data: Any) -> pd.DataFrame:
    """Return tabular data as a pandas DataFrame.

    Parameters
    ----------
    data : DataFrame, Series, mapping of columns, list of mappings, or a frame of another library

    Returns
    -------
    DataFrame

    Raises
    ------
    DataError
        If it is none of these, or its columns differ in length.

    Examples
    --------
    >>> as_frame({"a": [1, 2]}).shape
    (2, 1)
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame(data.name if data.name is not None else "value")
    try:
        if isinstance(data, Mapping) or (isinstance(data, (list, tuple)) and data):
            return pd.DataFrame(data)
        if hasattr(data, "__dataframe__"):
            return pd.api.interchange.from_dataframe(data)
    except (ValueError, TypeError) as error:
        raise DataError(f"the table's data do not form a rectangle ({error})") from error
    raise DataError(
        f"a table was given a {type(data).__name__}; expected a DataFrame, a Series, a dictionary "
        "of columns or a list of dictionaries"
    )


def cells(column: pd.Series[Any], decimals: int = _DEFAULT_DECIMALS, percent: bool = False) -> list[str]:
    """Write the values of a column as text.

    Parameters
    ----------
    column : Series
    decimals : int
        Of floats. A number that would round to zero keeps two digits, as a power of ten.
    percent : bool
        Whether the values are shares to be shown in per cent.

    Returns
    -------
    list of str
        Not escaped. Thousands are separated from 10 000 on, so that years stay years.

    Examples
    --------
    >>> import pandas as pd
    >>> cells(pd.Series([1234.5, -0.00002, float("nan")]), decimals=1)
    ['1,234.5', '−2.0e−05', '–']
    """
    write = _writer(column, decimals, percent)
    return [write(value) for value in column.tolist()]


def _writer(column: pd.Series[Any], decimals: int, percent: bool) -> Callable[[Any], str]:
    import pandas as pd

    whole = [v for v in column.tolist() if type(v) is int]
    separated = any(abs(v) >= 10_000 for v in whole)

    def write(value: Any) -> str:
        if value is None or value is pd.NaT or value is pd.NA:
            return _MISSING
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


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # a fraction beyond the range of floats
        return math.inf if value > 0 else -math.inf


def _real(value: float, decimals: int, percent: bool) -> str:
    if math.isnan(value):
        return _MISSING
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


def _numeric(column: pd.Series[Any]) -> bool:
    import pandas as pd

    if pd.api.types.is_bool_dtype(column.dtype):
        return False
    if pd.api.types.is_numeric_dtype(column.dtype):
        return True
    held = [v for v in column.tolist() if v is not None]
    return bool(held) and all(isinstance(v, numbers.Real) and not isinstance(v, bool) for v in held)


def render(table: Table) -> tuple[str, int]:
    """Return the ``<table>`` element of a table, and how many letters wide it is.

    Parameters
    ----------
    table : Table

    Returns
    -------
    html : str
        Everything from the data is escaped.
    across : int
        Letters of the widest cells side by side, with three a column for the space between.
    """
    import great_tables
    import pandas as pd

    frame = table.frame
    if frame.shape[1] == 0:
        return '<p class="empty">The table has no columns.</p>', 0
    shown, gap = _shortened(frame, table.max_rows)
    labels, stub = _row_labels(shown, table)
    columns: dict[str, list[str]] = {f"r{i}": values for i, (_, values) in enumerate(labels)}
    titles: dict[str, str] = {f"r{i}": title for i, (title, _) in enumerate(labels)}
    numeric: set[str] = set()
    percent = set(table.percent)
    for i, label in enumerate(frame.columns):
        column = shown.iloc[:, i]
        key = f"c{i}"
        columns[key] = cells(column, _decimals(table, label), label in percent)
        titles[key] = _label(label, shown.columns.nlevels)
        if _numeric(frame.iloc[:, i]):
            numeric.add(key)
    if gap is not None:
        for values in columns.values():
            values.insert(gap, "⋯")
    # Escaped here, and passed through untouched, so that no version of the library decides.
    escaped = pd.DataFrame({k: [html.escape(v) for v in values] for k, values in columns.items()})
    gt = great_tables.GT(escaped, id="table", rowname_col="r0" if stub else None)
    shown_keys = [key for key in columns if not (stub and key == "r0")]
    gt = gt.fmt_passthrough(columns=list(columns), escape=False)
    heads: dict[str, Any] = {key: _verbatim(titles[key]) for key in shown_keys}
    gt = gt.cols_label(**heads)
    if stub:
        gt = gt.tab_stubhead(label=_verbatim(titles["r0"]))
    gt = gt.cols_align("right", columns=[k for k in shown_keys if k in numeric])
    gt = gt.cols_align("left", columns=[k for k in shown_keys if k not in numeric])
    if frame.columns.nlevels == 2:
        for place, (title, keys) in enumerate(_groups(frame)):
            gt = gt.tab_spanner(_verbatim(title), columns=keys, id=f"s{place}", gather=False)
    text = gt.as_raw_html()
    text = text[text.index("<table") : text.rindex("</table>") + len("</table>")]
    across = sum(
        3 + max(map(len, [*values, *titles[key].split()]), default=0) for key, values in columns.items()
    )
    # Its ids are made from labels, and so may clash; the scopes of headers say the same.
    return re.sub(r'\s(?:data-quarto-[a-z-]+|style|id|headers)="[^"]*"', "", text), across


def _verbatim(words: str) -> Any:
    """Return a label that is shown as it stands: braces would be read as a notation of units."""
    import great_tables

    return great_tables.html(html.escape(words).replace("{", "&#123;").replace("}", "&#125;"))


def _shortened(frame: pd.DataFrame, most: int) -> tuple[pd.DataFrame, int | None]:
    """Return the rows to show, and where rows were left out."""
    import pandas as pd

    if len(frame) <= most:
        return frame, None
    head = math.ceil(most / 2)
    return pd.concat([frame.iloc[:head], frame.iloc[len(frame) - (most - head) :]]), head


def _row_labels(frame: pd.DataFrame, table: Table) -> tuple[list[tuple[str, list[str]]], bool]:
    """Return titles and texts of the columns made from the index, and whether one is a stub."""
    import pandas as pd

    index = frame.index
    counts = isinstance(table.frame.index, pd.RangeIndex) and index.name is None
    if not table.index or counts:
        return [], False
    names = ["" if name is None else str(name) for name in index.names]
    levels = [index.get_level_values(i).to_series() for i in range(index.nlevels)]
    return [(name, cells(level)) for name, level in zip(names, levels, strict=True)], len(names) == 1


def _decimals(table: Table, label: Any) -> int:
    if isinstance(table.decimals, Mapping):
        return int(table.decimals.get(label, _DEFAULT_DECIMALS))
    return int(table.decimals)


def _label(label: Any, levels: int) -> str:
    if levels == 1:
        return str(label)
    return str(label[-1]) if levels == 2 else " · ".join(str(part) for part in label if str(part))


def _groups(frame: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """Return runs of columns that share the upper of two labels."""
    runs: list[tuple[str, list[str]]] = []
    for i, upper in enumerate(frame.columns.get_level_values(0)):
        if runs and runs[-1][0] == str(upper):
            runs[-1][1].append(f"c{i}")
        else:
            runs.append((str(upper), [f"c{i}"]))
    return [run for run in runs if run[0]]
