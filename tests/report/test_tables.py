"""Tables: numbers as a reader wants them, labels as they are, nothing lost in silence."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.core import DataError, FiscError, OptionError
from fisc.core.cells import cells
from fisc.report import Report, Section, Table, tables


def rows(table: Table, parse) -> list[list[str]]:
    """The texts of a rendered table, row by row, heads first."""
    html, _ = tables.render(table)
    found: list[list[str]] = []
    for element in parse(html).elements:
        if element.name == "tr":
            found.append([])
        elif element.name in ("th", "td"):
            found[-1].append(element.text.strip())
    return found


def aligned(table: Table, parse) -> list[str]:
    html, _ = tables.render(table)
    (first, *_) = [e for e in parse(html).elements if e.name == "tbody"]
    cells = [e for e in parse(html).elements if e.name == "td"]
    assert first
    return ["right" if "gt_right" in e.attributes["class"] else "left" for e in cells]


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (1234.5678, 2, "1,234.57"),
        (-0.5, 1, "−0.5"),
        (0.0, 3, "0.000"),
        (-0.0, 0, "0"),
        (0.0004, 3, "4.0e−04"),
        (-0.00002, 3, "−2.0e−05"),
        (0.0005, 3, "0.001"),
        (float("nan"), 3, "–"),
        (float("inf"), 3, "∞"),
        (float("-inf"), 3, "−∞"),
        (1e20, 2, "1.00e+20"),
    ],
)
def test_floats(value: float, decimals: int, shown: str) -> None:
    assert cells(pd.Series([value]), decimals) == [shown]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([2024, 1999], ["2024", "1999"]),
        ([9999, 10000], ["9,999", "10,000"]),
        ([-5], ["−5"]),
        ([True, False], ["yes", "no"]),
        (pd.array([1, None], dtype="Int64"), ["1", "–"]),
        (pd.array([True, None], dtype="boolean"), ["yes", "–"]),
        (["a", None], ["a", "–"]),
        (["a", float("nan")], ["a", "–"]),
        ([dt.date(2026, 3, 1)], ["2026-03-01"]),
        (pd.to_datetime(["2026-03-01", None]), ["2026-03-01", "–"]),
        (pd.to_datetime(["2026-03-01 10:30:05"]), ["2026-03-01 10:30:05"]),
        (pd.to_datetime(["2026-03-01 10:30"]).tz_localize("Asia/Kolkata"), ["2026-03-01 10:30 IST"]),
        (pd.Categorical(["u", "v"]), ["u", "v"]),
        (pd.period_range("2020Q1", periods=1, freq="Q"), ["2020Q1"]),
        ([2, "x", 0.5], ["2", "x", "0.500"]),
        ([10**5000], ["1.000e+5000"]),
        ([fractions.Fraction(1, 3), fractions.Fraction(-(10**400))], ["0.333", "−∞"]),
        ([decimal.Decimal("1.10")], ["1.10"]),
    ],
)
def test_other_kinds(values, shown: list[str]) -> None:
    assert cells(pd.Series(values)) == shown


def test_shares_in_per_cent() -> None:
    assert cells(pd.Series([0.1234, -1.0, 0.00001]), 1, percent=True) == [
        "12.3%",
        "−100.0%",
        "1.0e−03%",
    ]
    assert cells(pd.Series([1, 0]), 0, percent=True) == ["100%", "0%"]


def test_decimals_by_column_and_per_cent(parse) -> None:
    frame = pd.DataFrame({"a": [0.5], "b": [0.5], "c": [0.5]})
    table = Table(frame, decimals={"a": 1, "c": 0}, percent=["c"])
    assert rows(table, parse)[1] == ["0.5", "0.500", "50%"]
    assert rows(Table(frame[["a"]], decimals=0, percent="a"), parse)[1] == ["50%"]


def test_numbers_stand_right_and_words_left(parse) -> None:
    frame = pd.DataFrame({"n": [1], "x": [0.1], "w": ["a"], "o": pd.Series([1.5], dtype=object), "b": [True]})
    assert aligned(Table(frame), parse) == ["right", "right", "left", "right", "left"]


def test_row_labels_show_unless_they_only_count(parse) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    assert rows(Table(frame), parse) == [["a"], ["1"], ["2"]]
    named = frame.set_axis(pd.Index(["x", "y"], name="who"), axis=0)
    assert rows(Table(named), parse) == [["who", "a"], ["x", "1"], ["y", "2"]]
    assert rows(Table(named, index=False), parse) == [["a"], ["1"], ["2"]]


def test_two_levels_of_columns_and_of_rows(parse) -> None:
    columns = pd.MultiIndex.from_tuples([("u", "a"), ("u", "b"), ("v", "a"), ("u", "a")])
    index = pd.MultiIndex.from_tuples([("x", 1), ("x", 2)], names=["k", None])
    frame = pd.DataFrame(np.arange(8).reshape(2, 4), index=index, columns=columns)
    found = rows(Table(frame), parse)
    assert [cell for cell in found[0] if cell] == ["k", "u", "v", "u"] or found[0][-3:] == ["u", "v", "u"]
    assert found[1][-4:] == ["a", "b", "a", "a"]
    assert found[2] == ["x", "1", "0", "1", "2", "3"]


def test_columns_of_one_name_are_all_shown(parse) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert rows(Table(frame), parse) == [["a", "a"], ["1", "2"]]


def test_a_long_table_says_what_it_leaves_out(parse) -> None:
    table = Table(pd.DataFrame({"a": range(1000)}), max_rows=5)
    assert [row[0] for row in rows(table, parse)] == ["a", "0", "1", "2", "⋯", "998", "999"]
    text = parse(Report("R", [Section("S", tables=[table])]).to_html()).text
    assert "5 of 1,000 rows are shown." in text


def test_an_empty_table_says_so(parse) -> None:
    for frame, words in ((pd.DataFrame({"a": []}), "The table has no rows."), (pd.DataFrame(), "no columns")):
        assert words in parse(Report("R", [Section("S", tables=[Table(frame)])]).to_html()).text


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"a": [1, 2]}),
        pd.Series([1, 2], name="a"),
        {"a": [1, 2]},
        [{"a": 1}, {"a": 2}],
    ],
)
def test_what_a_table_is_made_of(data, parse) -> None:
    assert rows(Table(data), parse) == [["a"], ["1"], ["2"]]


DATED = pa.table({"day": [dt.date(2026, 3, 1), None], "a": [1.5, None], "who": ["x", None]})
LIBRARIES = {
    "pandas": lambda: DATED.to_pandas(date_as_object=False),
    "polars": lambda: pl.from_arrow(DATED),
    "polars lazy": lambda: pl.from_arrow(DATED).lazy(),
    "pyarrow": lambda: DATED,
    "duckdb": lambda: duckdb.from_arrow(DATED),
}
MATRIX = {"Table": lambda table, parse: rows(Table(table), parse)}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_table_of_any_library_is_shown_alike(library: str, parse) -> None:
    shown = [["day", "a", "who"], ["2026-03-01", "1.500", "x"], ["–", "–", "–"]]
    assert MATRIX["Table"](LIBRARIES[library](), parse) == shown


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Table(3), DataError, "a table was given an object of type int; expected a DataFrame"),
        (lambda: Table([]), DataError, "a table was given an object of type list"),
        (lambda: Table({"a": [1], "b": [1, 2]}), DataError, "do not form a rectangle"),
        (lambda: Table({"a": [1]}, decimals={"b": 2}), OptionError, "decimals names the column 'b'"),
        (lambda: Table({"a": [1]}, percent=["z"]), OptionError, "percent names the column 'z'.*it has 'a'"),
        (lambda: Table({"a": [1]}, percent="share"), OptionError, "percent names the column 'share'"),
        (lambda: Table({"a": [1]}, percent=[["a"]]), OptionError, r"percent names the column \['a'\]"),
        (lambda: Table({"a": [1]}, decimals=-1), DataError, "decimals=-1; expected a whole number"),
        (lambda: Table({"a": [1]}, decimals=True), DataError, "decimals=True"),
        (lambda: Table({"a": [1]}, decimals={"a": 1.5}), DataError, "decimals=1.5"),
        (lambda: Table({"a": [1]}, max_rows=1), DataError, "at least 2 rows"),
    ],
)
def test_bad_input_is_named(make, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


def test_a_wide_table_is_set_small_or_sideways_in_print(parse) -> None:
    for columns, layout in ((3, "short"), (10, "short dense"), (30, "short dense broad")):
        table = Table(pd.DataFrame([[1234.5] * columns], columns=[f"c{i}" for i in range(columns)]))
        page = parse(Report("R", [Section("S", tables=[table])]).to_html())
        assert page.all("figure")[0].attributes["class"] == f"data {layout}"


ANYTHING = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.binary(max_size=3)),
    *(st.complex_numbers(), st.decimals(), st.fractions(), st.dates(), st.datetimes(), st.timedeltas()),
    *(st.just(pd.NA), st.just(pd.NaT), st.just(10**5000), st.lists(st.integers(), max_size=2)),
)
LABELS = st.one_of(st.text(max_size=9), st.integers(), st.none(), st.floats(), st.tuples(st.text(max_size=3)))


@given(data=st.data(), columns=st.lists(LABELS, max_size=4), height=st.integers(0, 4))
@settings(max_examples=150, deadline=None)
def test_any_frame_is_shown_whole_or_named(data, columns, height: int, parse) -> None:
    cells = [[data.draw(ANYTHING) for _ in columns] for _ in range(height)]
    index = data.draw(st.lists(LABELS, min_size=height, max_size=height))
    frame = pd.DataFrame(cells, columns=pd.Index(columns, dtype=object), index=pd.Index(index, dtype=object))
    try:
        table = Table(frame, decimals=data.draw(st.integers(-1, 13)))
    except FiscError:
        return
    found = rows(table, parse)
    if columns:
        assert len(found) == height + 1
        assert {len(row) for row in found} == {len(columns) + 1}
