"""One door for tables: every library's table gives the same bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

import fisc.data as data
from fisc.data import DataError

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
duckdb = pytest.importorskip("duckdb")

LIBRARIES: dict[str, Callable[[pd.DataFrame], object]] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "duckdb": lambda frame: duckdb.from_arrow(pa.Table.from_pandas(frame, preserve_index=False)),
}
WIDE = pd.DataFrame(
    {
        "date": pd.date_range("2024-01-02", periods=5),
        "A": [np.nan, 10.1, np.nan, 10.3, 10.2],
        "B": [5.0, 5.1, 5.2, 5.3, np.nan],
    }
)
LONG = WIDE.melt("date", var_name="ticker", value_name="close").assign(volume=100.0)
TEXTS = pd.DataFrame({"text": ["Duty.", "duty", "Tax."], "split": ["train", "test", "test"]})


def status(table: object) -> pd.DataFrame:
    """Return what is told of a table without a report by ticker, which only `read_prices` attaches."""
    with pytest.raises(DataError, match="carries no status per ticker") as caught:
        data.price_status(table)
    return pd.DataFrame({"said": [str(caught.value)]})


def converted(table: object) -> pd.DataFrame:
    """Return what is told of a table without currencies, which only a fetch attaches."""
    with pytest.raises(DataError, match="is not known") as caught:
        data.in_currency(table, "USD", {})  # type: ignore[arg-type]
    return pd.DataFrame({"said": [str(caught.value)]})


MATRIX: dict[str, tuple[Callable[..., pd.DataFrame], pd.DataFrame]] = {
    "read_prices": (data.read_prices, WIDE),
    "read_prices, long": (data.read_prices, LONG),
    "price_states": (data.price_states, WIDE),
    "tradable": (data.tradable, WIDE),
    "leakage": (data.leakage, TEXTS),
    "price_status": (status, WIDE),
    "in_currency": (converted, WIDE),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("function", MATRIX)
def test_the_library_of_a_table_does_not_matter(function: str, library: str) -> None:
    ask, table = MATRIX[function]
    expected, found = ask(table), ask(LIBRARIES[library](table))
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_table_without_dates_is_refused(library: str) -> None:
    table = LIBRARIES[library](WIDE[["A", "B"]])
    with pytest.raises(DataError, match="no column of dates"):
        data.read_prices(table)
    with pytest.raises(DataError, match="has no dates"):
        data.tradable(table)


@pytest.mark.parametrize("table", [3, None, [1, 2], {"A": [1.0]}])
def test_what_is_neither_file_nor_table_is_refused(table: object) -> None:
    with pytest.raises(DataError, match="give the path of a file, or prices as a DataFrame"):
        data.read_prices(table)  # type: ignore[call-overload]


def test_an_index_of_dates_is_read_as_their_column() -> None:
    pd.testing.assert_frame_equal(data.read_prices(WIDE.set_index("date")), data.read_prices(WIDE))


def test_the_history_of_a_table_names_it_and_its_content() -> None:
    first, second = data.read_prices(WIDE), data.read_prices(WIDE.assign(A=1.0))
    assert data.provenance(first).source == "the table"
    assert data.provenance(first).inputs["table"] != data.provenance(second).inputs["table"]
