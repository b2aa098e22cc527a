"""From raw prices to a checked set: holidays, gaps, states, flags and their limits."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from fisc.core.errors import DataError, DataWarning, OptionError
from fisc.core.history import provenance
from fisc.data.prices.checks import assemble, fill
from fisc.data.prices.options import Shape
from fisc.data.prices.price_set import PriceSet, PriceState
from fisc.data.prices.raw import RawPrices, no_events

NAN = float("nan")


def table(columns: dict[str, list[float]], days: pd.DatetimeIndex | None = None) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    index = pd.date_range("2024-01-01", periods=rows, unit="us") if days is None else days
    return pd.DataFrame(columns, index=index, dtype=float)


def checked(
    fields: dict[str, pd.DataFrame],
    events: pd.DataFrame | None = None,
    split_adjusted: bool | None = None,
    **shape,
) -> PriceSet:
    raw = RawPrices(fields, no_events() if events is None else events, split_adjusted)
    options = {"field": "close", "adjust": "none", "calendar": "union", "max_gap": 5, **shape}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        return assemble(
            raw, Shape(**options), status=pd.DataFrame(), options={}, inputs={}, source="test", warn_level=2
        )


def dates(prices: PriceSet) -> list[int]:
    return prices.close.index.day.tolist()


def checks(prices: PriceSet, kind: str) -> list[tuple[object, ...]]:
    rows = prices.checks[prices.checks["check"] == kind]
    return list(zip(rows["ticker"], rows["date"].dt.day, rows["value"].round(6), rows["action"], strict=True))


# --- holidays -------------------------------------------------------------------------------


def test_a_day_on_which_all_repeat_their_price_untraded_is_a_holiday() -> None:
    close = table({"A": [10, 10, 11], "B": [20, 20, 21]})
    volume = table({"A": [5, 0, 5], "B": [5, 0, 5]})
    prices = checked({"close": close, "volume": volume})
    assert dates(prices) == [1, 3]
    assert prices.provenance.options["repairs"]["holiday_rows"] == 1
    row = prices.checks.iloc[0]
    assert (row["check"], row["ticker"], row["date"].day, row["action"]) == ("holiday", "*", 2, "dropped")
    assert np.isnan(row["value"])


@pytest.mark.parametrize(
    ("close", "volume"),
    [
        (
            {"A": [10, 10.5, 11], "B": [20, 20.5, 21]},
            {"A": [5, 0, 5], "B": [5, 0, 5]},
        ),  # new prices, no volume
        ({"A": [10, 10, 11], "B": [20, 20, 21]}, {"A": [5, 5, 5], "B": [5, 5, 5]}),  # old prices, volume
        ({"A": [10, 10, 11], "B": [20, 20, 21]}, {"A": [5, 0, 5], "B": [5, 1, 5]}),  # one of them traded
        ({"A": [10, 10, 11], "B": [20, 20.1, 21]}, {"A": [5, 0, 5], "B": [5, 0, 5]}),  # one price is new
        ({"A": [10, 10, 11], "B": [20, 20, 21]}, {"A": [5, 0, 5], "B": [0, 0, 0]}),  # B never has a volume
        ({"A": [10, 10, 11], "B": [20, 20, 21]}, {"A": [5, NAN, 5], "B": [5, NAN, 5]}),  # volume not known
        ({"A": [10, 10, 11], "B": [20, NAN, 21]}, {"A": [5, 0, 5], "B": [5, NAN, 5]}),  # one alone repeats
        ({"A": [10, 10, 11]}, {"A": [5, 0, 5]}),  # a single asset may be suspended
    ],
)
def test_days_that_are_no_holiday_stay(close: dict[str, list[float]], volume: dict[str, list[float]]) -> None:
    prices = checked({"close": table(close), "volume": table(volume)})
    assert dates(prices) == [1, 2, 3]
    assert "holiday_rows" not in prices.provenance.options["repairs"]


def test_a_day_without_any_price_is_a_holiday_also_without_volumes() -> None:
    prices = checked({"close": table({"A": [10, NAN, 11], "B": [20, NAN, 21]})})
    assert dates(prices) == [1, 3]
    assert checked({"close": table({"A": [10, NAN, 11]})}).close["A"].tolist() == [10, 11]


def test_two_that_repeat_and_one_without_price_make_a_holiday() -> None:
    close = table({"A": [10, 10, 11], "B": [20, 20, 21], "C": [30, NAN, 31]})
    volume = table({"A": [5, 0, 5], "B": [5, 0, 5], "C": [5, NAN, 5]})
    assert dates(checked({"close": close, "volume": volume})) == [1, 3]


def test_a_price_is_compared_with_the_last_known_one_across_a_gap() -> None:
    close = table({"A": [10, NAN, 10, 11], "B": [20, 20.5, 20.5, 21]})
    volume = table({"A": [5, NAN, 0, 5], "B": [5, 5, 0, 5]})
    assert dates(checked({"close": close, "volume": volume})) == [1, 2, 4]


def test_holidays_are_dropped_from_every_field() -> None:
    close = table({"A": [10, NAN, 11], "B": [20, NAN, 21]})
    prices = checked({"close": close, "volume": table({"A": [5, 7, 5], "B": [5, 7, 5]})})
    assert prices.fields["volume"]["A"].tolist() == [5, 5]


def test_opens_alone_have_no_holidays() -> None:
    prices = checked({"open": table({"A": [10.0, 10.0], "B": [1.0, 1.0]})}, field="open")
    assert dates(prices) == [1, 2]


def test_fractional_volumes_are_volumes() -> None:
    close = table({"A": [10, 10, 11], "B": [20, 20, 21]})
    volume = table({"A": [0.5, 0, 0.5], "B": [0.5, 0, 0.5]})
    assert dates(checked({"close": close, "volume": volume})) == [1, 3]
    assert fill(close, volume, 0)[1]["A"].tolist() == [0, PriceState.SUSPENDED, 0]
    traded = table({"A": [5, 0.5, 5], "B": [5, 0.5, 5]})
    assert dates(checked({"close": close, "volume": traded})) == [1, 2, 3]


# --- gaps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0, 1, 2, 90, 91, 1000])
def test_exactly_max_gap_rows_are_filled(gap: int) -> None:
    prices = table({"A": [10.0, *[NAN] * 1200, 11.0]})
    close, states = fill(prices, None, gap)
    assert close["A"].notna().sum() == 2 + gap
    assert close["A"].iloc[: gap + 1].eq(10.0).all()
    assert (states["A"] == PriceState.STALE).sum() == gap
    assert (states["A"] == PriceState.MISSING).sum() == 1200 - gap


@pytest.mark.parametrize("gap", [5, 10**30])
def test_a_gap_limit_beyond_the_table_fills_all(gap: int) -> None:
    assert fill(table({"A": [10.0, NAN, NAN]}), None, gap)[0]["A"].tolist() == [10, 10, 10]


@pytest.mark.parametrize("gap", [-1, 1.5, True, "5", None, NAN])
def test_a_gap_limit_that_is_not_a_whole_number_is_refused(gap: object) -> None:
    with pytest.raises(DataError, match=r"max_gap=.*; give a whole number of at least 0"):
        Shape("close", "none", "union", gap)  # type: ignore[arg-type]
    assert Shape("close", "none", "union", np.int64(3)).max_gap == 3


def test_each_state_is_told() -> None:
    prices = table({"A": [NAN, 10.0, 10.0, NAN, NAN, 11.0], "I": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    volume = table({"A": [9, 9, 0, NAN, NAN, 9], "I": [0, 0, 0, 0, 0, 0]})
    close, states = fill(prices, volume, 1)
    names = [PriceState(code).name for code in states["A"]]
    assert names == ["NOT_LISTED", "TRADED", "SUSPENDED", "STALE", "MISSING", "TRADED"]
    assert (states["I"] == PriceState.TRADED).all()  # an index has no volume
    assert states.dtypes.eq("int8").all()
    assert close.dtypes.eq("float64").all()
    assert (close.index.name, close.columns.name) == ("date", "ticker")
    np.testing.assert_array_equal(close["A"], [NAN, 10, 10, 10, NAN, 11])


def test_a_volume_without_a_price_is_no_suspension() -> None:
    _, states = fill(table({"A": [10.0, NAN, 11.0]}), table({"A": [5.0, 0.0, 5.0]}), 0)
    assert states["A"].tolist() == [PriceState.TRADED, PriceState.MISSING, PriceState.TRADED]


def test_volumes_are_matched_by_name() -> None:
    _, states = fill(table({"A": [1.0, 1.0], "B": [1.0, 1.0]}), table({"B": [0.0, 9.0], "A": [9.0, 9.0]}), 0)
    assert states.to_numpy().tolist() == [[0, PriceState.SUSPENDED], [0, 0]]


# --- calendars and columns ------------------------------------------------------------------


def test_calendars() -> None:
    fields = {"close": table({"A": [NAN, 10.0, 11.0, 12.0], "B": [1.0, NAN, 2.0, 3.0]})}
    assert dates(checked(fields)) == [1, 2, 3, 4]
    common = checked(fields, calendar="intersection")
    assert dates(common) == [3, 4]
    assert common.provenance.options["repairs"]["days_without_common_price"] == 2
    assert "days_without_common_price" not in checked(fields).provenance.options["repairs"]
    with pytest.raises(DataError, match="no day on which all 2 assets have a price; pass calendar='union'"):
        checked({"close": table({"A": [NAN, 1.0], "B": [1.0, NAN]})}, calendar="intersection")


def test_an_asset_without_prices_is_dropped_by_name() -> None:
    prices = checked({"close": table({"A": [1.0, 2.0], "E": [NAN, NAN]})})
    assert list(prices.close) == ["A"]
    assert prices.provenance.options["repairs"]["empty_columns"] == 1
    row = prices.checks.iloc[0]
    assert (row["check"], row["ticker"], row["action"]) == ("no prices", "E", "dropped")
    assert prices.provenance.notes[0] == "assets without any price dropped (E): 1"


def test_ten_empty_assets_are_named_and_more_are_hinted_at() -> None:
    for number, end in ((10, "E09): 10"), (11, "E09 ...): 11")):
        empty = {f"E{i:02d}": [NAN, NAN] for i in range(number)}
        note = checked({"close": table({"A": [1.0, 2.0], **empty})}).provenance.notes[0]
        assert note.endswith(end)
    with pytest.raises(DataError, match=r"no price at all is left for E00, .*E09$"):
        checked({"close": table(empty)})


def test_fields_that_are_not_there_are_named() -> None:
    with pytest.raises(OptionError, match=r"field='open' is not in test; it has close$"):
        checked({"close": table({"A": [1.0, 2.0]})}, field="open")
    with pytest.raises(OptionError, match=r"field='close' is not in test; it has adj_close \(did you mean"):
        checked({"adj_close": table({"A": [1.0, 2.0]})})
    fields = {"close": table({"A": [1.0]}), "adj_close": table({"A": [1.0]})}
    with pytest.raises(OptionError, match="adjusted already"):
        checked(fields, field="adj_close", adjust="splits")
    assert checked(fields, field="adj_close").close["A"].tolist() == [1.0]
    with pytest.raises(DataError, match="needs closes"):
        checked({"open": table({"A": [1.0]})}, field="open", adjust="total")


# --- adjustment -----------------------------------------------------------------------------


def events(kind: str, day: int, value: float) -> pd.DataFrame:
    when = pd.DatetimeIndex([f"2024-01-{day:02d}"]).as_unit("us")
    return pd.DataFrame({"ticker": "A", "date": when, "kind": kind, "value": value})


def test_prices_are_adjusted_and_volumes_are_not() -> None:
    fields = {name: table({"A": [10.0, 10.0, 5.0]}) for name in ("open", "high", "low", "close")}
    fields["volume"] = table({"A": [7.0, 7.0, 7.0]})
    fields["adj_close"] = table({"A": [3.0, 3.0, 3.0]})
    prices = checked(fields, events("split", 3, 2.0), adjust="splits", split_adjusted=False)
    assert prices.close["A"].tolist() == [5, 5, 5]
    assert {name: frame["A"].iloc[0] for name, frame in prices.fields.items()} == {
        "open": 5, "high": 5, "low": 5, "volume": 7, "adj_close": 3,
    }  # fmt: skip
    assert "splits_applied" not in prices.provenance.options["repairs"]
    assert prices.events["kind"].tolist() == ["split"]


def test_a_split_left_out_is_repaired_and_said() -> None:
    fields = {"close": table({"A": [10.0, 10.0, 5.0]})}
    prices = checked(fields, events("split", 3, 2.0), adjust="splits", split_adjusted=True)
    assert prices.close["A"].tolist() == [5, 5, 5]
    assert checks(prices, "split") == [("A", 3, 2.0, "repaired")]


def test_capital_gains_are_said_and_counted_only_for_total_returns() -> None:
    fields = {"close": table({"A": [10.0, 10.0, 10.0]})}
    for adjust, counted in (("total", True), ("splits", False)):
        prices = checked(fields, events("capital gain", 2, 0.5), adjust=adjust)
        assert checks(prices, "capital gain") == [("A", 2, 0.5, "left out")]
        assert ("capital_gains" in prices.provenance.options["repairs"]) is counted
    assert checks(checked(fields, events("capital gain", 2, 0.5)), "capital gain") == []


def test_events_of_assets_that_were_dropped_go_with_them() -> None:
    fields = {"close": table({"A": [NAN, NAN], "B": [1.0, 2.0]})}
    assert len(checked(fields, events("split", 2, 2.0)).events) == 0


# --- flags ----------------------------------------------------------------------------------


def test_moves_above_half_a_log_are_flagged() -> None:
    limit = float(np.exp(0.5))
    close = table({"A": [1.0, limit * 0.999, NAN, limit**2 * 1.001], "B": [1.0, 0.7, 0.3, 0.3]})
    prices = checked({"close": close})
    found = checks(prices, "jump")
    assert [(t, d) for t, d, _, _ in found] == [("B", 3), ("A", 4)]
    assert found[0][2] == pytest.approx(np.log(0.3 / 0.7), abs=1e-6)
    assert {action for *_, action in found} == {"flagged"}
    assert prices.provenance.options["repairs"]["jump_flags"] == 2


@pytest.mark.parametrize(
    ("bar", "high", "low"),
    [
        ({"open": 10.0, "high": 11.0, "low": 9.0, "close": 10.5}, None, None),
        ({"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0}, None, None),
        ({"open": 10.0, "high": 10.0, "low": 10.0, "close": 10.0005}, None, None),  # rounded apart
        ({"open": 12.0, "high": 11.0, "low": 9.0, "close": 10.5}, 12 / 11 - 1, None),
        ({"open": 10.0, "high": 11.0, "low": 9.0, "close": 11.5}, 11.5 / 11 - 1, None),
        ({"open": 10.0, "high": 11.0, "low": 10.2, "close": 10.5}, None, 10.2 / 10 - 1),
        ({"open": 10.0, "high": 9.0, "low": 9.5, "close": 9.8}, 10 / 9 - 1, 9.5 / 9 - 1),
        ({"high": 10.0, "low": 11.0, "close": 10.0}, 0.1, 0.1),
        ({"high": 10.0, "close": 11.0}, 0.1, None),
        ({"low": 11.0, "close": 10.0}, None, 0.1),
        ({"open": NAN, "high": 10.0, "low": 9.0, "close": 11.0}, 0.1, None),
        ({"open": 11.0, "high": 10.0, "low": NAN, "close": 9.0}, 0.1, None),
    ],
)
def test_highs_and_lows_that_contradict_their_bar_are_flagged(
    bar: dict[str, float], high: float | None, low: float | None
) -> None:
    prices = checked({name: table({"A": [value, value]}) for name, value in bar.items()})
    for kind, excess in (("high", high), ("low", low)):
        found = checks(prices, kind)
        assert len(found) == (0 if excess is None else 2)
        assert prices.provenance.options["repairs"].get(f"{kind}_flags", 0) == len(found)
        if excess is not None:
            assert found[0] == ("A", 1, pytest.approx(excess, abs=1e-6), "flagged")


def test_what_lies_on_a_limit_is_not_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fisc.data.prices.checks._RANGE_TOLERANCE", 0.25)
    monkeypatch.setattr("fisc.data.prices.checks.JUMP", float(np.log(2.0)))
    bars = {"close": [4.0, 8.0, 4.0], "high": [3.2, 8.0, 4.0], "low": [4.0, 10.0, 4.0]}
    assert checked({name: table({"A": values}) for name, values in bars.items()}).checks.empty
    bars["close"][1] = 8.1
    bars["high"][0] = 3.1
    bars["low"][1] = 10.2
    kinds = checked({name: table({"A": values}) for name, values in bars.items()}).checks["check"]
    assert set(kinds) == {"jump", "high", "low"}


def test_ranges_without_a_body_are_not_judged() -> None:
    prices = checked({"high": table({"A": [1.0, 1.0]}), "low": table({"A": [2.0, 2.0]})}, field="high")
    assert prices.checks.empty


@pytest.mark.parametrize(("gap", "flagged"), [(10, False), (11, True)])
def test_gaps_of_a_daily_calendar_are_flagged_from_eleven_days_on(gap: int, flagged: bool) -> None:
    days = pd.DatetimeIndex(
        np.array([0, 1, 2, 2 + gap, 3 + gap]).astype("datetime64[D]").astype("datetime64[us]")
    )
    prices = checked({"close": table({"A": [1.0] * 5}, days)})
    found = prices.checks[prices.checks["check"] == "gap"]
    assert found["value"].tolist() == ([gap] if flagged else [])
    assert found["date"].tolist() == ([days[3]] if flagged else [])
    assert prices.provenance.options["repairs"].get("calendar_gaps", 0) == int(flagged)


@pytest.mark.parametrize(("step", "flagged"), [(3, True), (4, False)])
def test_weekly_prices_have_no_gaps(step: int, flagged: bool) -> None:
    counts = np.cumsum([0, step, step, step, 30])
    days = pd.DatetimeIndex(counts.astype("datetime64[D]").astype("datetime64[us]"))
    prices = checked({"close": table({"A": [1.0] * 5}, days)})
    assert ("gap" in prices.checks["check"].tolist()) is flagged


def test_one_day_is_enough() -> None:
    assert checked({"close": table({"A": [1.0]})}).close.shape == (1, 1)


# --- what is said ---------------------------------------------------------------------------


def test_states_are_counted() -> None:
    close = table({"A": [NAN, NAN, 10, 10, NAN, NAN, NAN], "B": [1.0] * 7})
    volume = table({"A": [0, 0, 9, 0, 0, 0, 0], "B": [9.0] * 7})
    prices = checked({"close": close, "volume": volume}, max_gap=1)
    assert prices.provenance.options["repairs"] == {
        "stale": 1,
        "missing": 2,
        "suspended": 1,
        "not_listed": 2,
    }


def test_repairs_are_warned_about_at_the_callers_line() -> None:
    raw = RawPrices({"close": table({"A": [1.0, 2.0], "E": [NAN, NAN]})})
    shape = Shape("close", "none", "union", 5)
    with pytest.warns(DataWarning, match=r"^test: assets without any price dropped \(E\): 1$") as told:
        assemble(raw, shape, status=pd.DataFrame(), options={}, inputs={}, source="test", warn_level=2)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is only counted is not warned about
        raw = RawPrices({"close": table({"A": [1.0, 5.0, NAN]})})
        assemble(raw, shape, status=pd.DataFrame(), options={}, inputs={}, source="test", warn_level=2)


def test_options_and_data_stand_in_the_history() -> None:
    prices = checked({"close": table({"A": [1.0, 2.0]}), "volume": table({"A": [1.0, 2.0]})})
    held = provenance(prices.to_frame())
    assert held.source == "test"
    assert {"field", "adjust", "calendar", "max_gap", "repairs"} <= set(held.options)
    assert set(held.inputs) == {"closes"}
    assert set(prices.fields) == {"volume"}
    assert prices.fields["volume"].dtypes.eq("float64").all()
