"""Results to JSON and back: exactly, for every kind of field that an instrument may use."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import json
import math
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fisc.data import DataError, Provenance, record
from fisc.report import Result, Section, Table
from fisc.report.codec import decode, encode


def there_and_back(value: Any) -> Any:
    return decode(json.loads(json.dumps(encode(value), allow_nan=False)))


class Side(enum.Enum):
    LEFT = "l"
    RIGHT = "r"


@dataclasses.dataclass(frozen=True)
class Band:
    level: float
    limits: np.ndarray


@dataclasses.dataclass(frozen=True)
class Effect(Result):
    name: str
    tau: np.ndarray
    table: pd.DataFrame
    band: Band
    nested: tuple[Inner, ...]
    provenance: Provenance
    maybe: float | None = None
    derived: int = dataclasses.field(init=False, default=3)

    def summary(self) -> str:
        return f"{self.name}: {self.tau.mean():.2f}\nmore below"

    def section(self) -> Section:
        return Section(self.name, self.summary(), tables=[Table(self.table)], provenance=self.provenance)


@dataclasses.dataclass(frozen=True)
class Inner(Result):
    value: float


def effect() -> Effect:
    frame = pd.DataFrame(
        {"q": [0.1, np.nan], "who": ["a", None]}, index=pd.date_range("2026", periods=2, name="day")
    )
    history = record(
        options={"level": 0.9, "odd": float("nan")}, inputs={"prices": frame}, seed=3, notes=["one"]
    )
    return Effect(
        name="wages",
        tau=np.array([[1.0, np.nan], [np.inf, -0.0]]),
        table=frame,
        band=Band(0.9, np.zeros((0, 2), dtype=np.float32)),
        nested=(Inner(1.5), Inner(float("nan"))),
        provenance=history,
    )


def test_a_result_comes_back_as_it_was() -> None:
    one = effect()
    other = Effect.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False)))
    assert other == one
    assert other is not one
    assert type(other.nested[0]) is Inner
    assert math.isnan(other.provenance.options.pop("odd"))
    assert math.isnan(one.provenance.options.pop("odd"))
    assert other.provenance == one.provenance
    np.testing.assert_array_equal(other.tau, one.tau)
    assert np.signbit(other.tau[1, 1])
    assert other.band.limits.shape == (0, 2)
    assert other.band.limits.dtype == np.float32
    pd.testing.assert_frame_equal(other.table, one.table, check_freq=True)


def test_plain_fields_stay_plain_for_scripts() -> None:
    held = effect().to_dict()
    assert held["name"] == "wages"
    assert held["maybe"] is None
    assert held["nested"]["$tuple"][0]["value"] == 1.5
    assert held["tau"]["data"] == [[1.0, "nan"], ["inf", -0.0]]


def test_equality_looks_into_arrays() -> None:
    one = effect()
    assert one == dataclasses.replace(one, tau=one.tau.copy(), table=one.table.copy())
    assert one != dataclasses.replace(one, tau=one.tau + 1)
    assert one != Inner(1.0)
    assert Inner(float("nan")) == Inner(float("nan"))


def test_repr_is_one_short_line() -> None:
    assert repr(effect()).startswith("<Effect: wages:")
    assert "\n" not in repr(effect())
    assert repr(Inner(1.0)) == "<Inner>"


def test_a_class_may_keep_its_own_repr_and_equality() -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(Result):
        value: float

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    assert repr(Own(1.0)) == "mine"
    assert Own(1.0) == 3
    assert Own.from_dict(Own(2.0).to_dict()).value == 2.0  # found though it is defined in a function


def test_a_notebook_shows_the_section(parse) -> None:
    page = parse(effect()._repr_html_())
    assert page.all("h2")[0].text == "wages"
    assert page.all("details")


def test_the_section_of_a_plain_result_is_its_summary(parse) -> None:
    @dataclasses.dataclass(frozen=True)
    class TaxGain(Result):
        value: float

        def summary(self) -> str:
            return f"gain   {self.value}\n<b> _x_"

    page = parse(TaxGain(1.0)._repr_html_())
    assert page.all("h2")[0].text == "Tax Gain"
    assert page.all("pre")[0].text.strip() == "gain   1.0\n<b> _x_"


ZONE = zoneinfo.ZoneInfo("Asia/Kolkata")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        2**80,
        -1.5,
        "é\x00😀",
        b"\x00\xff",
        1 - 2j,
        (1, (2, [3, {"a": (4,)}])),
        {"a": 1, 2: "b", (3, 4): None},
        {"$type": "not a type"},
        {1, "a"},
        frozenset({1.5}),
        range(2, 9, 3),
        decimal.Decimal("1.10"),
        fractions.Fraction(1, 3),
        Path("a/b.csv"),
        Side.RIGHT,
        dt.date(2026, 2, 28),
        dt.time(12, 30, 1, 5),
        dt.timedelta(days=-1, microseconds=7),
        dt.datetime(2026, 2, 28, 12, 0, 0, 5),
        dt.datetime(2026, 2, 28, tzinfo=dt.UTC),
        dt.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Paris"), fold=1),
        pd.Timestamp("2026-01-01 00:00:00.000000001", tz=ZONE),
        pd.Timestamp("2026-01-01"),
        pd.Timedelta("1ns"),
        pd.Period("2026Q1"),
        pd.Interval(0, 1.5, closed="both"),
        np.datetime64("2026-01-01"),
        np.timedelta64(3, "D"),
        Inner(2.0),
        record(seed=1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scalars_and_containers(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.0])
def test_odd_floats(value: float) -> None:
    found = there_and_back(value)
    assert math.isnan(found) if math.isnan(value) else found == value
    assert math.copysign(1, found) == math.copysign(1, value) or math.isnan(value)


def test_missing_values_of_pandas_come_back_as_themselves() -> None:
    assert there_and_back(pd.NA) is pd.NA
    assert there_and_back(pd.NaT) is pd.NaT


@pytest.mark.parametrize(
    "value", [np.float64(0.1), np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("a")]
)
def test_numpy_scalars_come_back_as_the_python_value_they_equal(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) in (float, int, bool, str)


def test_the_zone_of_a_time_comes_back() -> None:
    moment = dt.datetime(2026, 2, 28, tzinfo=ZONE)
    assert there_and_back(moment).tzinfo is ZONE
    assert str(there_and_back(pd.Timestamp(moment)).tz) == "Asia/Kolkata"


DTYPES = st.one_of(
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(),
    hnp.boolean_dtypes(),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.datetime64_dtypes(max_period="D", min_period="ns"),
    hnp.unicode_string_dtypes(min_len=1, max_len=5),
    hnp.byte_string_dtypes(min_len=1, max_len=5),
)


@given(array=DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))))
@settings(max_examples=300, deadline=None)
def test_any_array_comes_back_bit_for_bit(array: np.ndarray) -> None:
    array = (
        np.where(np.isnan(array), np.array(np.nan, array.dtype), array).astype(array.dtype)
        if (array.dtype.kind in "f")
        else array
    )
    found = there_and_back(array)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    if array.dtype.kind in "c":
        np.testing.assert_array_equal(found, array)
    else:
        assert found.tobytes() == np.ascontiguousarray(array).tobytes()
    found[...] = found  # and may be written to


def test_arrays_of_objects_and_sliced_arrays() -> None:
    objects = np.array([None, (1, 2), "a", np.nan], dtype=object)
    found = there_and_back(objects)
    assert list(found[:3]) == list(objects[:3])
    assert math.isnan(found[3])
    sliced = np.asfortranarray(np.arange(12.0).reshape(3, 4))[::-1, ::2]
    np.testing.assert_array_equal(there_and_back(sliced), sliced)


FRAME = pd.DataFrame(
    {
        "f": [1.5, np.nan, np.inf],
        "i": np.array([1, 2, 3], dtype="int8"),
        "s": ["x", None, "z"],
        "o": [(1, 2), None, {"a": 1}],
        "z": pd.date_range("2026", periods=3, tz="Asia/Kolkata"),
        "t": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
        "d": pd.to_timedelta([1, None, 3], unit="D"),
        "c": pd.Categorical(["u", None, "u"], categories=["v", "u"], ordered=True),
        "n": pd.array([1, None, 3], dtype="Int64"),
        "b": pd.array([True, None, False], dtype="boolean"),
        "p": pd.period_range("2026-01", periods=3, freq="M"),
        "v": pd.interval_range(0, 3),
        "a": pd.array([1, None, 3], dtype="int64[pyarrow]"),
        "y": pd.array(["x", None, "z"], dtype="string[python]"),
        ("tuple", 1): [True, False, True],
    }
)
INDEXES = [
    pd.RangeIndex(2, 8, 2, name="k"),
    pd.Index([3, 1, 2], dtype="int32"),
    pd.Index(["a", None, "c"], name=("u", 1)),
    pd.Index([(1, 2), (3, 4), (5, 6)], tupleize_cols=False),
    pd.Index(["a", 1, None], dtype=object),
    pd.bdate_range("2026-01-01", periods=3),
    pd.DatetimeIndex(["2026-01-01", "2026-01-05", "2026-01-06"], tz="Europe/Paris"),
    pd.timedelta_range("1h", periods=3),
    pd.CategoricalIndex(["a", "b", "a"]),
    pd.IntervalIndex.from_breaks([0.0, 1.0, 2.0, 3.0]),
    pd.period_range("2026Q1", periods=3, freq="Q"),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 3)], names=["u", None]),
]


@pytest.mark.parametrize("index", INDEXES, ids=lambda i: type(i).__name__)
def test_frames_and_series_with_any_index(index: pd.Index) -> None:
    frame = FRAME.set_axis(index, axis=0)
    frame.attrs["history"] = {"seed": (1, 2)}
    found = there_and_back(frame)
    pd.testing.assert_frame_equal(
        found, frame, check_freq=True, check_index_type="exact", check_column_type="exact"
    )
    assert found.attrs == frame.attrs
    pd.testing.assert_index_equal(there_and_back(index), index, exact=True)
    for column in ("f", "s", "z"):
        series = frame[column]
        pd.testing.assert_series_equal(there_and_back(series), series, check_freq=True)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.DataFrame({"a": pd.Series(dtype="float32")}),
        pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("u", "a"), ("u", "b")])),
    ],
)
def test_frames_of_odd_shapes(frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(there_and_back(frame), frame)


def test_what_cannot_be_held_is_named_with_its_place() -> None:
    @dataclasses.dataclass(frozen=True)
    class Holder(Result):
        inside: Any

    with pytest.raises(DataError, match=r"inside\[1\]\.f is a function, which cannot be written as JSON"):
        Holder([1, {"f": test_odd_floats}]).to_dict()
    with pytest.raises(DataError, match=r"inside is an array of .*convert it first"):
        Holder(np.zeros(2, dtype=[("a", float)])).to_dict()
    with pytest.raises(DataError, match=r"Effect\.maybe|maybe is a generator"):
        dataclasses.replace(effect(), maybe=(i for i in range(3))).to_dict()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"$type": "os:system", "x": 1}, "'os:system', which this program does not know"),
        ({"$type": "subprocess:Popen", "args": "x"}, "does not know"),
        ({"$type": "nowhere.at.all:Class"}, "does not know"),
        ({"$type": "fisc.nowhere:Class"}, "does not know"),
        ({"$enum": "os:path", "name": "x"}, "does not know"),
        ({"$nonsense": 1}, "no kind that fisc writes"),
        ({"$array": "<f8", "shape": [3], "data": [1.0]}, "is damaged"),
        ({"$array": "<f8", "shape": [1]}, "is damaged"),
        ({"$float": "seven"}, "is damaged"),
        ({"$missing": "x"}, "missing value"),
        ({"value": 1.0}, "describe a dict, not a Inner"),
    ],
)
def test_damaged_or_hostile_data_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Inner.from_dict(values)


def test_another_class_or_version_is_named() -> None:
    with pytest.raises(DataError, match="describe a Inner, not a Effect"):
        Effect.from_dict(Inner(1.0).to_dict())
    with pytest.raises(DataError, match="Inner has no field 'extra'"):
        Inner.from_dict({**Inner(1.0).to_dict(), "extra": 1})
    with pytest.raises(DataError, match="damaged"):
        Inner.from_dict({"$type": Inner(1.0).to_dict()["$type"]})
