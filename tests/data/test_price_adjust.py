"""Adjustment for dividends and splits, gaps and states: closed forms and invariants."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.core.dates import read_date
from fisc.core.errors import DataError, OptionError
from fisc.data.prices.adjust import adjustment_factors
from fisc.data.prices.cache import compare_overlap, merge_overlap
from fisc.data.prices.checks import fill
from fisc.data.prices.price_set import PriceState

EXACT = 1e-12  # sums and products of a few dozen numbers


def history(closes, *events, start="2024-01-01"):
    days = pd.bdate_range(start, periods=len(closes))
    frame = pd.DataFrame({"A": np.array(closes, dtype=float)}, index=days)
    rows = [("A", days[k], kind, value) for k, kind, value in events]
    return frame, pd.DataFrame(rows, columns=["ticker", "date", "kind", "value"])


def adjusted(closes, *events, **options):
    frame, table = history(closes, *events)
    factors, repaired = adjustment_factors(frame, table, **options)
    return (frame * factors)["A"].to_numpy(), repaired


def test_two_dividends_by_hand():
    closes = [24.96, 24.95, 25.00, 24.90]
    values, _ = adjusted(closes, (1, "dividend", 0.08), (3, "dividend", 0.10))
    second, first = 1 - 0.10 / 25.00, 1 - 0.08 / 24.96
    np.testing.assert_allclose(
        values, [24.96 * first * second, 24.95 * second, 25 * second, 24.90], rtol=EXACT
    )


@given(
    closes=st.lists(st.floats(5, 500), min_size=3, max_size=30),
    share=st.floats(0, 0.9),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_the_return_over_an_ex_date_and_all_other_returns(closes, share, data):
    k = data.draw(st.integers(1, len(closes) - 1))
    paid = share * closes[k - 1]
    values, _ = adjusted(closes, (k, "dividend", paid))
    raw = np.array(closes)
    ratios = raw[1:] / raw[:-1]
    ratios[k - 1] = raw[k] / (raw[k - 1] - paid)
    np.testing.assert_allclose(values[1:] / values[:-1], ratios, rtol=1e-9)
    assert values[-1] == raw[-1]


def test_split_and_dividend_on_one_day():
    # 100 before a 2-for-1 split and 1 of dividend per new share: 50 before it in new shares
    values, _ = adjusted([100, 49, 49], (1, "dividend", 1.0), (1, "split", 2.0), split_adjusted=False)
    np.testing.assert_allclose(values, [49, 49, 49], rtol=EXACT)


@pytest.mark.parametrize(
    ("closes", "expected"), [([100, 50, 50], [50, 50, 50]), ([50, 50, 50], [50, 50, 50])]
)
def test_a_split_is_recognised_in_the_closes_where_nothing_is_known(closes, expected):
    values, _ = adjusted(closes, (1, "split", 2.0), split_adjusted=None)
    np.testing.assert_allclose(values, expected, rtol=EXACT)


def test_a_reverse_split_left_out_is_repaired_and_told():
    values, repaired = adjusted([1, 10.2, 10], (1, "split", 0.1), split_adjusted=True)
    np.testing.assert_allclose(values, [10, 10.2, 10], rtol=EXACT)
    assert repaired == [("A", pd.Timestamp("2024-01-02"), 0.1)]


def test_a_crash_on_the_day_of_a_split_is_not_taken_for_it():
    values, repaired = adjusted([100, 75, 75], (1, "split", 2.0), split_adjusted=True)
    assert values.tolist() == [100, 75, 75]
    assert repaired == []


def test_events_between_before_and_after_the_closes():
    frame, table = history([10, np.nan, 9, 9], (1, "dividend", 1.0))
    factors, _ = adjustment_factors(frame, table)
    np.testing.assert_allclose((frame * factors)["A"], [9, np.nan, 9, 9], rtol=EXACT)
    frame, _ = history([10, 10, 10])
    for day in ("2023-12-29", "2024-01-01", "2024-02-01"):
        outside = pd.DataFrame(
            {"ticker": ["A"], "date": [pd.Timestamp(day)], "kind": ["dividend"], "value": [1.0]}
        )
        assert (adjustment_factors(frame, outside)[0] == 1).all(axis=None)


def test_refusals():
    with pytest.raises(DataError, match="the split of 2024-01-02 has ratio -1"):
        adjusted([1, 1], (1, "split", -1.0))
    with pytest.raises(DataError, match="dividend of 2024-01-02 is -1 but the close before it is 1"):
        adjusted([1, 1], (1, "dividend", -1.0))
    with pytest.raises(OptionError, match="did you mean 'splits'"):
        adjusted([1, 1], adjust="split")


@given(
    cells=st.lists(st.one_of(st.none(), st.floats(1, 9)), min_size=1, max_size=30),
    max_gap=st.integers(0, 6),
)
@settings(max_examples=100, deadline=None)
def test_filling_agrees_with_a_walk_through_the_days(cells, max_gap):
    days = pd.bdate_range("2024-01-01", periods=len(cells))
    frame = pd.DataFrame({"A": np.array(cells, dtype=float)}, index=days)
    last, age, expected = np.nan, 0, []
    for cell in cells:
        if cell is not None:
            last, age = cell, 0
            expected.append((cell, PriceState.TRADED))
        elif np.isnan(last):
            expected.append((np.nan, PriceState.NOT_LISTED))
        else:
            age += 1
            expected.append((last, PriceState.STALE) if age <= max_gap else (np.nan, PriceState.MISSING))
    close, states = fill(frame, None, max_gap)
    np.testing.assert_array_equal(close["A"], [value for value, _ in expected])
    assert states["A"].tolist() == [state for _, state in expected]


def bars(closes, start="2024-01-01", splits=None):
    days = pd.bdate_range(start, periods=len(closes))
    table = pd.DataFrame({"date": days, "close": np.array(closes, dtype=float)})
    for name in ("open", "high", "low"):
        table[name] = table["close"]
    table["volume"] = np.where(table["close"].isna(), np.nan, 5.0)
    table[["dividends", "splits", "capital_gains"]] = 0.0
    if splits is not None:
        table.loc[splits[0], "splits"] = splits[1]
    return table


def test_overlap_agrees_up_to_a_hundredth_of_a_percent():
    held = bars([10, 11, 12])
    assert compare_overlap(held, bars([10, 11, 12 * 1.00009, 13])) == ""
    assert "1 of 3 closes" in compare_overlap(held, bars([10, 11, 12 * 1.00011, 13]))
    assert compare_overlap(held, bars([np.nan, 11, 12])) == ""
    assert "no longer has any day" in compare_overlap(held, bars([1.0], start="2025-01-01"))
    assert "a new split on 2024-01-04" in compare_overlap(held, bars([10, 11, 12, 13], splits=(3, 2.0)))


def test_merging_keeps_lost_days_and_takes_new_values_and_events():
    fresh = bars([np.nan, 11.5, 12, 13], start="2024-01-01")
    fresh.loc[0, "dividends"] = 0.5
    merged = merge_overlap(bars([10, 11, 12]), fresh)
    assert merged["close"].tolist() == [10, 11.5, 12, 13]
    assert merged["volume"].tolist() == [5, 5, 5, 5]
    assert merged["dividends"].tolist() == [0.5, 0, 0, 0]
    assert list(merged.columns) == [
        "date",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "dividends",
        "splits",
        "capital_gains",
    ]


@pytest.mark.parametrize("value", ["2024-13-01", "soon", 20240101, None, "", pd.NaT, np.datetime64("NaT")])
def test_what_is_no_day_is_refused(value):
    with pytest.raises(DataError, match=r"start=.* is not a day"):
        read_date("start", value)


def test_days_come_in_many_types():
    wanted = read_date("start", "2024-01-31")
    for value in (
        pd.Timestamp("2024-01-31 15:00"),
        np.datetime64("2024-01-31"),
        wanted,
        " 2024-01-31T10:00 ",
    ):
        assert read_date("start", value) == wanted
