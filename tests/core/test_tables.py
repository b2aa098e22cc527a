"""One door for tables: whatever library holds a table, the same DataFrame comes out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fisc.core import DataError, as_dated, as_frame, is_table

DAYS = [dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 5)]
ARROW = pa.table(
    {
        "day": pa.array(DAYS),
        "A": pa.array([1.0, None, 0.1 + 0.2]),
        "B": pa.array([1, 2, 3]),
        "name": pa.array(["x", None, "é"]),
        "ok": pa.array([True, False, True]),
        "at": pa.array([dt.datetime(2024, 1, 2, 12)] * 3, type=pa.timestamp("ns", "Asia/Kolkata")),
    }
)


def relation() -> object:
    arrow = ARROW  # noqa: F841 (DuckDB finds it by its name)
    return duckdb.connect().sql("select * from arrow")


LIBRARIES: dict[str, Callable[[], object]] = {
    "polars": lambda: pl.from_arrow(ARROW),
    "polars lazy": lambda: pl.from_arrow(ARROW).lazy(),
    "pyarrow": lambda: ARROW,
    "pyarrow batch": lambda: ARROW.to_batches()[0],
    "pyarrow reader": lambda: ARROW.to_reader(),
    "duckdb": relation,
}


MATRIX: dict[str, Callable[[object], pd.DataFrame]] = {
    "as_frame": lambda table: as_frame("x", table),
    "as_dated": lambda table: as_dated("x", table, what="prices"),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("call", MATRIX)
def test_every_library_gives_the_same_bits(call: str, library: str) -> None:
    expected, found = (
        MATRIX[call](table) for table in (ARROW.to_pandas(date_as_object=False), LIBRARIES[library]())
    )
    if library == "duckdb":  # it keeps moments, not where they were told
        found["at"] = found["at"].dt.tz_convert("Asia/Kolkata")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_gives_the_same_table(library: str) -> None:
    found = as_frame("x", LIBRARIES[library]())
    assert list(found.columns) == ARROW.column_names
    assert found["day"].dtype == "datetime64[us]"
    assert found["day"].dt.date.tolist() == DAYS
    assert found["A"].to_numpy().tobytes() == np.array([1.0, np.nan, 0.1 + 0.2]).tobytes()
    assert found["B"].tolist() == [1, 2, 3]
    assert found["B"].dtype == "int64"
    assert found["ok"].dtype == "bool"
    assert found["name"].isna().tolist() == [False, True, False]
    assert found["name"].dtype == "str"
    assert found["at"].dt.tz_convert("UTC").iloc[0] == pd.Timestamp("2024-01-02 12:00", tz="UTC")
    assert isinstance(found.index, pd.RangeIndex)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_column_of_dates_becomes_the_index(library: str) -> None:
    found = as_dated("x", LIBRARIES[library](), what="prices by day")
    assert found.index.name == "day"
    assert found.index.dtype == "datetime64[us]"
    assert "day" not in found.columns


def test_a_pandas_frame_in_which_nothing_changes_is_returned_itself() -> None:
    frame = pd.DataFrame({"a": [1.0]})
    assert as_frame("x", frame) is frame


def test_dates_count_in_microseconds_whatever_they_counted_in() -> None:
    frame = pd.DataFrame({"t": np.array(["2024-01-02"], dtype="datetime64[ns]"), "a": [1]})
    frame.index = pd.DatetimeIndex(np.array(["2024-01-02"], dtype="datetime64[s]"), name="day")
    kept = frame.copy()
    found = as_frame("x", frame)
    assert (found["t"].dtype, found.index.dtype) == ("datetime64[us]", "datetime64[us]")
    assert found.index.name == "day"
    pd.testing.assert_frame_equal(frame, kept)  # what was given stays as it was


def test_an_index_that_pandas_wrote_into_an_arrow_table_comes_back() -> None:
    frame = pd.DataFrame({"A": [1.0, 2.0]}, index=pd.DatetimeIndex(DAYS[:2], name="day"))
    found = as_dated("x", pa.Table.from_pandas(frame), what="prices")
    pd.testing.assert_frame_equal(found, as_frame("x", frame), check_freq=False)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"A": [1.0, 2.0]}, index=DAYS[:2]),
        pd.DataFrame({"A": [1.0, 2.0]}, index=["2024-01-02", "2024-01-03"]),
        pd.DataFrame({"A": [1.0, 2.0], "day": pd.to_datetime(["2024-01-02", "2024-01-03"])}),
        pd.DataFrame({"day": ["2024-01-02", "2024-01-03"], "A": [1.0, 2.0]}),
        pd.DataFrame({"day": DAYS[:2], "A": [1.0, 2.0]}),
        pd.DataFrame({"A": [1.0, 2.0]}, index=pd.PeriodIndex(["2024-01-02", "2024-01-03"], freq="D")),
    ],
    ids=["dates", "text", "column", "first column of text", "first column of dates", "periods"],
)
def test_dates_are_found_where_they_are(frame: pd.DataFrame) -> None:
    found = as_dated("x", frame, what="prices")
    assert list(found.columns) == ["A"]
    assert found.index.dtype == "datetime64[us]"
    assert [day.date() for day in found.index] == DAYS[:2]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"A": [1.0, 2.0]}),
        pd.DataFrame({"A": ["x", "y"], "B": ["2024-01-02", "2024-01-03"]}),
        pd.DataFrame({"A": [20240102, 20240103]}, index=[20240102, 20240103]),
        pl.DataFrame({"A": [1.0]}),
        pd.DataFrame(),
    ],
    ids=range(5),
)
def test_a_table_without_dates_is_refused_with_the_cure(table: object) -> None:
    with pytest.raises(DataError, match=r"x has no dates.*set_index"):
        as_dated("x", table, what="prices")


@pytest.mark.parametrize("data", [None, 3, "x", [1], {"a": [1]}, np.zeros(2), pd.Series([1]), pl.Series([1])])
def test_what_is_not_a_table_is_refused_by_its_type(data: object) -> None:
    assert not is_table(data)
    with pytest.raises(DataError, match=r"x is of type .*; give a table"):
        as_frame("x", data)


def test_a_lazy_frame_that_cannot_be_computed_is_a_data_error() -> None:
    with pytest.raises(DataError, match="LazyFrame"):
        as_frame("x", pl.DataFrame({"a": [1]}).lazy().select("b"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_library_is_known_as_a_table(library: str) -> None:
    assert is_table(LIBRARIES[library]())
