"""The one door for tables: pandas, polars, Arrow and DuckDB in, a pandas DataFrame out.

Anything that offers the Arrow C stream is read through it, so that dates stay dates, names stay names,
and the same table gives the same bits whatever library holds it. Dates count in microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

import numpy as np
import pandas as pd

from fisc.core.dates import NotDatesError, read_dates
from fisc.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TableLike", "as_dated", "as_frame", "is_table"]

_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?"


class _ArrowStream(Protocol):
    """A table of polars, pyarrow, DuckDB or anything else that speaks Arrow."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


class _Lazy(Protocol):
    """A lazy frame, which becomes a table by ``collect``."""

    def collect(self) -> object: ...


TableLike: TypeAlias = pd.DataFrame | _ArrowStream | _Lazy


def is_table(data: object) -> TypeGuard[TableLike]:
    """Tell whether `as_frame` can read `data`.

    Examples
    --------
    >>> is_table(pd.DataFrame()), is_table([1, 2]), is_table(pd.Series())
    (True, False, False)
    """
    if isinstance(data, pd.DataFrame):
        return True
    kind = type(data)
    if isinstance(data, pd.Series) or kind.__name__ in ("Series", "ChunkedArray", "Array"):
        return False
    return hasattr(kind, "__arrow_c_stream__") or (hasattr(kind, "collect") and hasattr(kind, "columns"))


def as_frame(name: str, data: TableLike, *, what: str = "a table") -> pd.DataFrame:
    """Return a table of any library as a pandas DataFrame.

    Parameters
    ----------
    name : str
        Name of the argument, for the message.
    data : table
        A DataFrame of pandas or polars, a polars LazyFrame, a pyarrow Table or RecordBatchReader, a
        DuckDB relation, or anything else with ``__arrow_c_stream__``.
    what : str
        What was expected, for the message.

    Returns
    -------
    DataFrame
        With the index that pandas gave it, else with row numbers. Dates are in
        microseconds. A DataFrame of pandas in which nothing has to change is returned itself.

    Raises
    ------
    DataError
        If it is not a table.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_frame("prices", pa.table({"A": [1.0, 2.0]}))["A"].tolist()
    [1.0, 2.0]
    """
    if isinstance(data, pd.DataFrame):
        return _in_microseconds(data)
    if not is_table(data):
        raise DataError(
            f"{name} is of type {type(data).__name__}; give {what} as a DataFrame (pandas or polars), "
            "an Arrow table or a DuckDB relation"
        )
    return _in_microseconds(arrow_table(name, data).to_pandas(date_as_object=False))


def arrow_table(name: str, data: TableLike) -> pa.Table:
    """Return a table of any library but pandas as an Arrow table."""
    import pyarrow as pa

    try:
        whole = data if hasattr(data, "__arrow_c_stream__") else data.collect()
        return pa.RecordBatchReader.from_stream(whole).read_all()
    except Exception as error:  # each library has a family of errors of its own
        raise DataError(
            f"{name} is of type {type(data).__name__} and Arrow cannot read it ({error!s:.300})"
        ) from error


def as_dated(name: str, data: TableLike, *, what: str) -> pd.DataFrame:
    """Return a table of any library with its dates as the index.

    The dates are the index where it holds dates, else the first column of dates, else a first column
    of text that reads as dates throughout.

    Raises
    ------
    DataError
        If there is no such column; row numbers are not dates.

    Examples
    --------
    >>> import datetime as dt
    >>> import pyarrow as pa
    >>> table = pa.table({"day": [dt.date(2024, 1, 2), dt.date(2024, 1, 3)], "A": [1.0, 2.0]})
    >>> as_dated("prices", table, what="prices by day").index
    DatetimeIndex(['2024-01-02', '2024-01-03'], dtype='datetime64[us]', name='day', freq=None)
    """
    frame = as_frame(name, data, what=what)
    if isinstance(frame.index, pd.DatetimeIndex):
        return frame
    if isinstance(frame.index, pd.PeriodIndex):
        return frame.set_axis(frame.index.to_timestamp().as_unit("us"))
    if (dates := _read_dates(frame.index.to_series())) is not None:
        return frame.set_axis(pd.DatetimeIndex(dates, name=frame.index.name))
    dated = [i for i, kind in enumerate(frame.dtypes) if pd.api.types.is_datetime64_any_dtype(kind)]
    for i in dated or range(min(1, frame.shape[1])):
        column = frame.iloc[:, i]
        if (dates := column if dated else _read_dates(column)) is not None:
            rest = frame.drop(columns=frame.columns[i])
            return rest.set_axis(pd.DatetimeIndex(dates, name=column.name))
    raise DataError(
        f"{name} has no dates: neither its index nor a column of it holds any; give {what} with a column of "
        "dates, or set_index() to the dates"
    )


def _read_dates(values: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return text or dates as moments, or None if there are others among them."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind not in ("string", "date", "datetime", "datetime64"):
        return None
    try:
        if kind != "string" or values.str.fullmatch(_ISO).all():  # these may carry a time of day
            moments: pd.Series[Any] = pd.to_datetime(values).dt.as_unit("us")
            return moments
        return read_dates(values, where=f"the dates in {values.name!r}" if values.name else "the dates")
    except NotDatesError:
        return None
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        return None


def _unit(kind: Any) -> str:
    return str(kind.unit) if isinstance(kind, pd.DatetimeTZDtype) else str(np.datetime_data(kind)[0])


def _in_microseconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with every date in microseconds; the frame itself if they are."""
    index = frame.index
    coarse = {
        i: frame.iloc[:, i]
        for i, kind in enumerate(frame.dtypes)
        if pd.api.types.is_datetime64_any_dtype(kind) and _unit(kind) != "us"
    }
    dated = isinstance(index, pd.DatetimeIndex) and index.unit != "us"
    if not coarse and not dated:
        return frame
    changed = frame.copy(deep=False)
    for i, column in coarse.items():
        changed.isetitem(i, column.dt.as_unit("us"))
    if isinstance(index, pd.DatetimeIndex) and dated:
        changed.index = index.as_unit("us")
    return changed
