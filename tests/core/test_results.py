"""Results to plain JSON and back: exactly, strictly, for every kind of field that an instrument uses."""

from __future__ import annotations

import collections.abc
import contextlib
import copy
import dataclasses
import datetime as dt
import enum
import json
import math
import random
from pathlib import Path
from typing import Any, Literal

import jsonschema
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fisc.core import DataError, Provenance, Record, Result, json_schema, record
from fisc.core.arrays import BoolArray, Float32Array, FloatArray, IntArray, ObjectArray
from fisc.core.encoding import check_depth, plain, restore, structure
from fisc.core.result import LATER


class Side(enum.Enum):
    LEFT = "l"
    RIGHT = "r"


@dataclasses.dataclass(frozen=True)
class Band(Record):
    """A band.

    Attributes
    ----------
    level : float
        Coverage of the band.
    limits : ndarray of float32, (q, 2)
        Its ends.
    """

    level: float
    limits: Float32Array


@dataclasses.dataclass(frozen=True)
class Inner(Result):
    value: float


@dataclasses.dataclass(frozen=True)
class Effect(Result, version=3):
    """An effect with a field of every kind."""

    name: str
    kernel: Literal["uniform", "triangular"]
    tau: FloatArray
    counts: IntArray
    used: BoolArray
    cells: ObjectArray
    days: npt.NDArray[np.datetime64]
    table: pd.DataFrame
    series: pd.Series
    dates: pd.DatetimeIndex
    band: Band
    nested: tuple[Inner, ...]
    pair: tuple[str, float]
    shares: dict[str, float]
    by_year: dict[int, float]
    free: dict[str, object]
    side: Side
    path: Path
    moment: pd.Timestamp
    day: dt.date
    provenance: Provenance
    maybe: float | None = None
    either: int | str | FloatArray = 0
    derived: int = dataclasses.field(init=False, default=3)

    def summary(self) -> str:
        return f"{self.name}: {self.tau[0, 0]:.2f}\nmore below"


def effect() -> Effect:
    table = pd.DataFrame(
        {
            "q": [0.1, np.nan, np.inf],
            "who": ["a", None, "c"],
            "n": pd.array([1, None, 3], dtype="Int64"),
            "o": [[1, 2], None, {"a/b": math.inf}],
            "z": pd.date_range("2026", periods=3, tz="Asia/Kolkata"),
            "small": np.array([1, 2, 3], dtype="int8"),
        },
        index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 3)], names=["u", None]),
    )
    table.attrs["history"] = {"seed": 1}
    return Effect(
        name="wages",
        kernel="uniform",
        tau=np.array([[1.0, np.nan], [np.inf, -0.0]]),
        counts=np.array([2**62, -1]),
        used=np.array([True, False]),
        cells=np.array([["x", None], [1.5, math.inf]], dtype=object),
        days=np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
        table=table,
        series=pd.Series([1.0, -np.inf], index=["x", "y"], name=("s", 1)),
        dates=pd.date_range("2026", periods=2, tz="Europe/Paris", name="day"),
        band=Band(0.9, np.zeros((0, 2), dtype=np.float32)),
        nested=(Inner(1.5), Inner(math.nan)),
        pair=("p", -math.inf),
        shares={"a/b~c": math.inf},
        by_year={2026: 1.0},
        free={"list": [1, None, {"x": math.nan}]},
        side=Side.RIGHT,
        path=Path("a/b.csv"),
        moment=pd.Timestamp("2026-01-01", tz="UTC"),
        day=dt.date(2026, 2, 28),
        provenance=record(options={"level": 0.9}, inputs={"x": [1.0]}, seed=3, notes=["one"]),
        maybe=math.nan,
        either=np.array([1.0]),
    )


def constant(text: str) -> float:
    raise AssertionError(f"{text} is not JSON")


def strictly(values: dict[str, Any]) -> dict[str, Any]:
    """Return the dictionary as a parser of strict JSON reads it."""
    held = json.loads(json.dumps(values, allow_nan=False), parse_constant=constant)
    assert held == values
    return held


def test_a_result_with_a_field_of_every_kind_comes_back_as_it_was() -> None:
    one = effect()
    other = Effect.from_dict(strictly(one.to_dict()))
    assert other == one
    for name in ("tau", "counts", "used", "days"):
        found, expected = getattr(other, name), getattr(one, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    assert np.signbit(other.tau[1, 1])
    assert other.cells.shape == (2, 2)
    assert other.cells.tolist() == one.cells.tolist()
    assert other.band.limits.shape == (0, 2)
    assert other.band.limits.dtype == np.float32
    pd.testing.assert_frame_equal(other.table, one.table)
    assert other.table.attrs == one.table.attrs
    pd.testing.assert_series_equal(other.series, one.series)
    pd.testing.assert_index_equal(other.dates, one.dates, check_freq=False)
    assert [type(n) for n in other.nested] == [Inner, Inner]
    assert other.nested[0].value == 1.5
    assert math.isnan(other.nested[1].value)
    assert math.isnan(other.maybe)
    assert math.isnan(other.free["list"][2]["x"])
    same = ("pair", "shares", "by_year", "side", "path", "moment", "day", "provenance", "kernel")
    assert [getattr(other, name) for name in same] == [getattr(one, name) for name in same]
    np.testing.assert_array_equal(other.either, one.either)


def test_the_json_is_plain_and_names_its_schema_first() -> None:
    held = effect().to_dict()
    assert next(iter(held)) == "schema"
    assert held["schema"].endswith(".Effect/3")
    assert held["tau"] == [[1.0, None], [None, -0.0]]
    assert held["nested"] == [{"value": 1.5}, {"value": None}]
    assert held["side"] == "r"
    assert held["moment"] == "2026-01-01T00:00:00+00:00"
    assert held["not_finite"]["/tau/1/0"] == "inf"
    assert held["not_finite"]["/shares/a~1b~0c"] == "inf"
    assert "/tau/0/1" not in held["not_finite"]  # NaN in arrays and tables is simply null

    def keys(value: object) -> list[str]:
        if isinstance(value, dict):
            return [*value, *(k for v in value.values() for k in keys(v))]
        return [k for v in value for k in keys(v)] if isinstance(value, list) else []

    assert not [key for key in keys(held) if key.startswith("$")]
    assert json.loads(effect().to_json())["name"] == "wages"


def test_a_finite_result_has_no_list_of_what_is_not_finite() -> None:
    assert Inner(1.0).to_dict() == {"schema": Inner.schema(), "value": 1.0}


def test_equality_looks_into_arrays_and_tables() -> None:
    one = effect()
    assert one == dataclasses.replace(one, tau=one.tau.copy(), table=one.table.copy())
    assert one != dataclasses.replace(one, tau=one.tau + 1)
    assert one != dataclasses.replace(one, table=one.table.assign(small=[1, 2, 4]))
    assert one != Inner(1.0)
    assert Inner(math.nan) == Inner(math.nan)
    assert Inner(math.inf) != Inner(math.nan)


def test_repr_is_one_short_line() -> None:
    assert repr(effect()) == "<Effect: wages: 1.00>"
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
    assert Own.from_dict(Own(2.0).to_dict()).value == 2.0


def test_a_record_written_by_hand_needs_no_schema_and_a_result_does() -> None:
    assert Band.from_dict({"level": 0.9, "limits": [[0, 1]]}).limits.dtype == np.float32
    with pytest.raises(DataError, match="have no schema; expected"):
        Inner.from_dict({"value": 1.0})


def test_data_from_before_a_field_came_are_read_with_its_default() -> None:
    @dataclasses.dataclass(frozen=True)
    class Wide(Record):
        low: float
        high: float = dataclasses.field(default=1.0, metadata=LATER)
        name: str = "none"

    assert Wide.from_dict({"low": 0.5, "name": "a"}) == Wide(0.5, 1.0, "a")
    assert Wide.from_dict({"low": 0.5, "high": 2.0, "name": "a"}).high == 2.0
    with pytest.raises(DataError, match="Wide lacks name"):
        Wide.from_dict({"low": 0.5})


def changed(**values: object) -> dict[str, object]:
    return {**effect().to_dict(), **values}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (changed(extra=1), "Effect has no field extra"),
        ({k: v for k, v in changed().items() if k != "tau"}, "Effect lacks tau"),
        (changed(schema="fisc.core.Inner/1"), "another version"),
        (changed(schema=3), "not "),
        (changed(name=3), "name.*expected text, got 3"),
        (changed(name=None), "name"),
        (changed(kernel="cosine"), "kernel.*'cosine' is not one of"),
        (changed(tau="1"), "tau"),
        (changed(tau=[["1.0"]], not_finite={}), "tau.*'1.0'"),
        (changed(tau=[[1.0, 2.0], [3.0]]), "tau"),
        (changed(tau=[True], not_finite={}), "tau"),
        (changed(counts=[1.5]), "counts"),
        (changed(counts=[10**30]), "counts"),
        (changed(used=[1]), "used"),
        (changed(days=[20000]), "days"),
        (changed(days=["yesterday"]), "days"),
        (changed(cells={"shape": [3], "data": [1]}), "cells"),
        (changed(cells={"shape": [2**40, 0]}), "cells"),
        (changed(cells={"shape": [-1, 0]}), "cells"),
        (changed(pair=["p"]), "pair"),
        (changed(pair=["p", 1.0, 2.0]), "pair"),
        (changed(shares=[1.0]), "shares"),
        (changed(shares={"a": "b"}), "shares"),
        (changed(by_year={"x": 1.0}), "by_year"),
        (changed(nested=[{"value": "x"}]), "nested"),
        (changed(nested=[{"value": 1.0, "more": 2}]), "nested"),
        (changed(band=None), "band"),
        (changed(side="up"), "side"),
        (changed(path=3), "path"),
        (changed(moment="noon"), "moment.*not a date"),
        (changed(day="2026-02-30"), "day.*not a date"),
        (changed(provenance={}), "provenance"),
        (changed(maybe="1"), "maybe"),
        (changed(either={"a": 1}), "either"),
        (changed(not_finite=["/maybe"]), "not_finite"),
        (changed(not_finite={"maybe": "nan"}), "not_finite"),
        (changed(not_finite={"/maybe": "huge"}), "not_finite"),
        (changed(not_finite={"/nowhere/3": "nan"}), "not in the data"),
        (changed(not_finite={"/tau/-1/0": "inf"}), "not in the data"),
        (changed(not_finite={"/tau": "inf", "/tau/0/1": "inf"}), "not_finite"),
        (changed(not_finite={"/name": "inf"}), "in place of null"),
    ],
)
def test_a_missing_unknown_or_mistyped_value_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Effect.from_dict(values)


@pytest.mark.parametrize(
    ("value", "kind", "words"),
    [
        ("fisc!", tuple[str, ...], "expected a list, got 'fisc!'"),
        ("ab", list[str], "expected a list"),
        ("ab", set[str], "expected a list"),
        ("ab", collections.abc.Sequence[str], "expected a list"),
        ({"a": 1}, tuple[str, ...], "expected a list"),
        (3, list[int], "expected a list"),
        (["a", "bc", 3], tuple[str, ...], "entry 2: expected text, got 3"),
        (["ab"], tuple[tuple[str, str], ...], "entry 0: expected a list"),
        (["a"], tuple[str, float], "expected a list of 2, got 1"),
    ],
)
def test_only_a_list_is_read_as_a_list(value: object, kind: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        structure(value, kind)
    assert structure("ab", list[str] | str) == "ab"


def test_anything_but_a_mapping_is_refused() -> None:
    for values in (None, 3, "x", [], [("schema", Inner.schema())]):
        with pytest.raises(DataError, match="as a mapping"):
            Inner.from_dict(values)


TABLE = changed()["table"]


@pytest.mark.parametrize(
    "table",
    [
        None,
        [],
        {},
        {**TABLE, "extra": 1},
        {**TABLE, "data": TABLE["data"][:-1]},
        {**TABLE, "data": [row[:-1] for row in TABLE["data"]]},
        {**TABLE, "data": None},
        {**TABLE, "data": [None] * 3},
        {**TABLE, "index": None},
        {**TABLE, "index": [1, 2, 3]},
        {**TABLE, "columns": 3},
        {**TABLE, "columns": [[], {}, 1, 2, 3, 4]},
        {**TABLE, "names": {}},
        {**TABLE, "names": {"columns": [{}], "index": ["u", None]}},
        {**TABLE, "types": None},
        {**TABLE, "types": {**TABLE["types"], "index": ["range"]}},
        {**TABLE, "types": {**TABLE["types"], "data": ["float64"]}},
        {**TABLE, "types": {**TABLE["types"], "data": ["float64"] * 6}},
        {**TABLE, "types": {**TABLE["types"], "data": ["os.system", *TABLE["types"]["data"][1:]]}},
        {**TABLE, "types": {**TABLE["types"], "data": [["str"], *TABLE["types"]["data"][1:]]}},
        {**TABLE, "types": {**TABLE["types"], "data": [*TABLE["types"]["data"][:4], "datetime64[us, X/Y]", "int8"]}},
        {**TABLE, "types": {**TABLE["types"], "data": [*TABLE["types"]["data"][:4], "datetime64[fortnight]", "int8"]}},
        {**TABLE, "types": {**TABLE["types"], "data": [*TABLE["types"]["data"][:5], "bool"]}},
        {**TABLE, "types": {**TABLE["types"], "data": ["Int64", *TABLE["types"]["data"][1:]]}},
        {**TABLE, "attrs": 3},
        {**TABLE, "attrs": [[1]]},
    ],
)  # fmt: skip
def test_a_damaged_table_is_refused(table: object) -> None:
    values = changed(table=table, not_finite={})
    with pytest.raises(DataError, match="table"):
        Effect.from_dict(values)


def places(value: Any, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Return the way to every part of a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in pairs for place in places(item, (*path, key)))]


DEEP: list[Any] = []
for _ in range(100):
    DEEP = [DEEP]
PUTS = (
    *(None, True, -1, 2**70, 1e300, "x", "nan", [], {}, [None], {"$type": "os:system"}, [[1], 2]),
    *("9999999-01-01", "range", "datetime64[us, ../../etc/passwd]", {"shape": [2**31 - 1] * 8}, DEEP),
)


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_document_is_refused_in_words_or_still_whole(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(25):
        held: Any = copy.deepcopy(effect().to_dict())
        for _ in range(draw.randint(1, 2)):
            *way, last = draw.choice(places(held)[1:])
            part = held
            for key in way:
                part = part[key]
            if draw.random() < 0.3:
                del part[last]
            else:
                part[last] = copy.deepcopy(draw.choice(PUTS))
        with contextlib.suppress(DataError):
            found = Effect.from_dict(held)
            assert Effect.from_dict(found.to_dict()) == found


def test_deep_nesting_is_refused_without_recursion() -> None:
    with pytest.raises(DataError, match="more than 64 levels deep"):
        Effect.from_dict(changed(free={"x": DEEP}, not_finite={}))
    check_depth([[[1]]], 3)
    with pytest.raises(DataError, match="levels deep"):
        check_depth([[[1]]], 2)


def test_what_cannot_be_held_is_named_with_its_place() -> None:
    def free(value: object) -> dict[str, Any]:
        return dataclasses.replace(effect(), free={"x": [1, value]}).to_dict()

    with pytest.raises(DataError, match=r"/free/x/1 is of type function, which cannot be written as JSON"):
        free(free)
    with pytest.raises(DataError, match=r"/free/x/1 is an array of .*convert it first"):
        free(np.zeros(2, dtype=[("a", float)]))
    with pytest.raises(DataError, match=r"/free/x/1.* column of category"):
        free(pd.DataFrame({"c": pd.Categorical(["a"])}))
    with pytest.raises(DataError, match=r"/free/x/1 has the key \(1, 2\)"):
        free({(1, 2): 3})


@pytest.mark.parametrize("kind", [Effect, Inner, Provenance])
def test_the_schema_describes_what_is_written(kind: type[Record]) -> None:
    value = {Effect: effect(), Inner: Inner(math.inf), Provenance: record(seed=1)}[kind]
    schema = json_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    held = strictly(value.to_dict())
    validator.validate(held)
    assert not validator.is_valid({**held, "extra": 1})
    assert not validator.is_valid({**held, "schema": "x/1"})
    first = dataclasses.fields(kind)[0].name
    assert not validator.is_valid({key: item for key, item in held.items() if key != first})
    assert not validator.is_valid({**held, first: {"a": 1}})


def test_the_schema_tells_what_the_docstring_says_of_a_field() -> None:
    properties = json_schema(Effect)["$defs"]["Band"]["properties"]
    assert properties["level"]["description"] == "Coverage of the band."
    assert json_schema(Effect)["properties"]["kernel"]["enum"] == ["uniform", "triangular"]


INDEXES = [
    pd.RangeIndex(2, 8, 2, name="k"),
    pd.Index([3, 1, 2], dtype="int32"),
    pd.Index(["a", None, "c"], name=("u", 1)),
    pd.Index([(1, 2), (3, 4), (5, 6)], tupleize_cols=False),
    pd.Index(["a", 1, None], dtype=object),
    pd.Index([1.5, np.inf, np.nan]),
    pd.Index([True, False, True]),
    pd.bdate_range("2026-01-01", periods=3),
    pd.DatetimeIndex(["2026-01-01", "2026-01-05", None], tz="Europe/Paris"),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 3)], names=["u", None]),
    pd.MultiIndex.from_tuples([("a", np.inf), ("b", 2.0), ("a", np.nan)]),
]


def there_and_back(value: Any, kind: Any) -> Any:
    lost: dict[str, str] = {}
    held = strictly({"value": plain({"value": value}, "", lost)["value"]})
    return structure(restore(held, lost)["value"], kind)


@pytest.mark.parametrize("index", INDEXES, ids=range(len(INDEXES)))
def test_tables_series_and_labels_with_any_index(index: pd.Index) -> None:
    frame = effect().table.set_axis(index, axis=0)
    pd.testing.assert_frame_equal(
        there_and_back(frame, pd.DataFrame), frame, check_freq=False, check_index_type="exact"
    )
    pd.testing.assert_index_equal(there_and_back(index, pd.Index), index, exact=True, check_freq=False)
    for column in ("q", "who", "z", "n"):
        series = frame[column]
        pd.testing.assert_series_equal(there_and_back(series, pd.Series), series, check_freq=False)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.DataFrame({"a": pd.Series(dtype="float32")}),
        pd.DataFrame({"a": []}, index=pd.DatetimeIndex([], name="day")),
        pd.DataFrame({"a": []}, index=pd.MultiIndex.from_arrays([[], []], names=["x", "y"])),
        pd.DataFrame([[1, 2.5]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("u", "a"), ("u", "b")])),
        pd.DataFrame([[1, 2]], columns=[("tuple", 1), "b"]),
        pd.DataFrame([[1, 2]], columns=pd.date_range("2026", periods=2)),
    ],
    ids=range(9),
)
def test_frames_of_odd_shapes(frame: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(there_and_back(frame, pd.DataFrame), frame, check_freq=False)


DTYPES = st.one_of(
    hnp.floating_dtypes(sizes=(32, 64), endianness="="),
    hnp.integer_dtypes(endianness="="),
    hnp.unsigned_integer_dtypes(endianness="="),
    hnp.boolean_dtypes(),
    hnp.datetime64_dtypes(max_period="D", min_period="ns", endianness="="),
)


def moments(kind: np.dtype) -> st.SearchStrategy[np.datetime64]:
    """Return dates of one resolution, of the years that text writes with four digits."""
    return st.integers(-(10**6), 10**6).map(lambda n: np.datetime64(n, np.datetime_data(kind)[0]))


ARRAYS = DTYPES.flatmap(
    lambda kind: hnp.arrays(
        kind,
        hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
        elements=moments(kind) if kind.kind == "M" else None,
    )
)


@given(array=ARRAYS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_array_comes_back_by_the_type_of_its_field(array: np.ndarray) -> None:
    found = there_and_back(array, npt.NDArray[array.dtype.type])
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype.kind == array.dtype.kind
    if array.dtype.kind == "f":
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(
            np.signbit(found[~np.isnan(found)]), np.signbit(array[~np.isnan(array)])
        )


CELLS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.text(max_size=5))
FREE = st.recursive(
    CELLS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@given(free=st.dictionaries(st.text(max_size=4), FREE, max_size=4))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_free_json_comes_back_with_its_infinities(free: dict[str, object]) -> None:
    assert repr(there_and_back(free, dict[str, object])) == repr(free)
