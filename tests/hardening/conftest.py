"""Hostile input: values, options and frames that no one should pass, and what must come of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import warnings
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from fisc.data import DataWarning, FiscError

NAN, INF = float("nan"), float("inf")
NUMBERS: tuple[Any, ...] = (
    *(
        NAN,
        INF,
        -INF,
        0,
        0.0,
        -0.0,
        -1,
        -0.5,
        0.5,
        1,
        2,
        3.7,
        1e-320,
        1e-300,
        1e300,
        -1e308,
        10**30,
        -(2**63),
    ),
    *(True, False, np.float32(0.1), np.int8(-3), np.bool_(True)),
)
OTHERS: tuple[Any, ...] = (
    *(
        None,
        "",
        "x",
        "1",
        "nan",
        "é\x00",
        b"x",
        [],
        [NAN],
        [[1.0], [2.0, 3.0]],
        ["a"],
        (),
        (1, 2),
        {},
        {"a": 1},
    ),
    *(Decimal("NaN"), 1j, pd.NA, pd.NaT, pd.Timestamp("2020-02-28")),
    *(
        dt.date(2020, 1, 1),
        np.array([]),
        np.array([[NAN]]),
        np.array(["a", None], dtype=object),
        object(),
        ...,
    ),
    *(pd.Series([NAN]), pd.DataFrame(), range(3), {1, 2}),
)
CELLS: tuple[Any, ...] = (
    *NUMBERS,
    None,
    "",
    "x",
    "1",
    "nan",
    pd.NA,
    pd.NaT,
    [1],
    {},
    1j,
    b"x",
    Decimal("NaN"),
)
NAMES: tuple[Any, ...] = (7, None, NAN, "", ("a", "b"), True, "<script>", pd.Timestamp("2020-01-01"), 1.5)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a call came to: a value, or a refusal in words; and what was counted on the way."""

    value: Any
    refusal: str = ""
    warned: tuple[str, ...] = ()


def attempt(call: Callable[[], Any]) -> Answer:
    """Make the call; any warning but ours is a failure, and so is any error that is not a `FiscError`."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("error")
        warnings.simplefilter("always", DataWarning)
        try:
            value = call()
        except FiscError as error:
            refusal = str(error).strip()
        else:
            return Answer(value, "", tuple(str(w.message) for w in seen))
    if len(refusal) <= 10:
        pytest.fail(f"refused in too few words: {refusal!r}")
    return Answer(None, refusal)


def unfinished(value: Any, path: str = "") -> list[str]:
    """Where NaN or infinity stands in a value of numbers, arrays, frames, mappings and sequences."""
    if isinstance(value, bool | str | bytes | type(None)):
        return []
    if isinstance(value, int | float | np.number):
        return [] if np.isfinite(float(value)) else [f"{path}={value}"]
    if isinstance(value, pd.DataFrame):
        return [
            bad for i, c in enumerate(value.columns) for bad in unfinished(value.iloc[:, i], f"{path}.{c}")
        ]
    if isinstance(value, pd.Series | pd.Index):
        return unfinished(value.to_numpy(), path)
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "fc":
            count = int((~np.isfinite(value)).sum())
            return [f"{path}: {count} of {value.size}"] if count else []
        if value.dtype == object:
            return [bad for i, v in enumerate(value.ravel()) for bad in unfinished(v, f"{path}[{i}]")]
        return []
    if isinstance(value, Mapping):
        return [bad for k, v in value.items() for bad in unfinished(v, f"{path}.{k}")]
    if isinstance(value, list | tuple | set | frozenset):
        return [bad for i, v in enumerate(value) for bad in unfinished(v, f"{path}[{i}]")]
    return []


def spoil(data: st.DataObject, frame: pd.DataFrame) -> Any:
    """Draw one or two things that are wrong with a copy of `frame`."""
    out: Any = frame.copy()
    for _ in range(data.draw(st.integers(1, 2), label="faults")):
        if not isinstance(out, pd.DataFrame) or out.empty:
            break
        out = data.draw(st.sampled_from(FAULTS), label="fault")(data, out)
    return out


def _cells(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    value = data.draw(st.sampled_from(CELLS), label="cell")
    rows = data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=3), label="rows")
    column = data.draw(st.integers(0, frame.shape[1] - 1), label="column")
    filled = frame.iloc[:, column].astype(object).to_list()
    for row in rows:
        filled[row] = value
    return _replaced(frame, column, pd.Series(filled, index=frame.index, dtype=object))


def _numeric_cells(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    """Spoil cells of a column that stays a column of floats."""
    numeric = [i for i in range(frame.shape[1]) if frame.dtypes.iloc[i].kind == "f"]
    if not numeric:
        return frame
    column = data.draw(st.sampled_from(numeric), label="column")
    values = frame.iloc[:, column].to_numpy(copy=True)
    row = data.draw(st.integers(0, len(frame) - 1), label="row")
    length = data.draw(st.sampled_from([1, 2, len(frame)]), label="length")
    values[row : row + length] = data.draw(
        st.sampled_from([NAN, INF, -INF, 0.0, -1.0, 1e300, -1e300, 1e-300, 1e-320]), label="value"
    )
    return _replaced(frame, column, pd.Series(values, index=frame.index))


def _replaced(frame: pd.DataFrame, column: int, series: pd.Series) -> pd.DataFrame:
    parts = [series if i == column else frame.iloc[:, i] for i in range(frame.shape[1])]
    return pd.concat(parts, axis=1).set_axis(frame.columns, axis=1)


def _scaled(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    numeric = [i for i in range(frame.shape[1]) if frame.dtypes.iloc[i].kind == "f"]
    if not numeric:
        return frame
    column = data.draw(st.sampled_from(numeric), label="column")
    factor = data.draw(st.sampled_from([1e300, 1e-300, 1e150, 1e-160, 0.0, -1.0]), label="factor")
    with np.errstate(over="ignore"):
        return _replaced(frame, column, frame.iloc[:, column] * factor)


def _renamed(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    names: list[Any] = list(frame.columns)
    column = data.draw(st.integers(0, len(names) - 1), label="column")
    names[column] = data.draw(st.sampled_from([*NAMES, names[0], names[-1]]), label="name")
    return frame.set_axis(pd.Index(names, dtype=object, tupleize_cols=False), axis=1)


def _rows(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    n = len(frame)
    rows = data.draw(
        st.sampled_from([[], [0], [0, n - 1], list(range(n))[::-1], [*range(n), *range(n)], [0] * n]),
        label="rows",
    )
    return frame.iloc[rows]


def _columns(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    last = frame.shape[1] - 1
    keep = data.draw(
        st.sampled_from([[], [0], list(range(last)), list(range(1, last + 1)), [*range(last + 1), 0]]),
        label="columns",
    )
    return frame.iloc[:, keep]


def _index(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    n = len(frame)
    days = pd.date_range("2020-01-01", periods=n)
    with_nat = pd.DatetimeIndex([pd.NaT, *days[1:]])
    mixed = pd.Index([("a", 1)] + [f"r{i}" for i in range(n - 1)], dtype=object, tupleize_cols=False)
    pairs = pd.MultiIndex.from_arrays([np.zeros(n, dtype=int), np.arange(n)])
    choices = (
        *(days[::-1], days.tz_localize("Asia/Kolkata"), with_nat, days.astype(str), pd.RangeIndex(n)),
        *(pd.Index([0] * n), pd.Index(np.full(n, NAN)), mixed, pairs, pd.Index(np.arange(n) / 7)),
    )
    return frame.set_axis(data.draw(st.sampled_from(choices), label="index"), axis=0)


def _typed(data: st.DataObject, frame: pd.DataFrame) -> pd.DataFrame:
    kind = data.draw(
        st.sampled_from([object, "str", "category", "string[pyarrow]", "complex"]), label="dtype"
    )
    try:
        return frame.astype(kind)
    except (TypeError, ValueError, OverflowError):
        return frame.astype(object)


def _no_frame(data: st.DataObject, frame: pd.DataFrame) -> Any:
    other = data.draw(
        st.sampled_from(
            [
                lambda f: f.to_numpy(),
                lambda f: f.to_numpy().tolist(),
                lambda f: f.to_dict("list") if f.columns.is_unique else None,
                lambda f: f.iloc[:, 0] if f.shape[1] else None,
                lambda f: [[1.0], [2.0, [3.0]]],
                *(lambda f, v=v: v for v in OTHERS),
            ]
        ),
        label="instead",
    )
    return other(frame)


FAULTS = (
    *(_cells, _cells, _numeric_cells, _numeric_cells, _numeric_cells, _scaled, _scaled),
    *(_renamed, _rows, _columns, _index, _typed, _no_frame),
)


def options(data: st.DataObject, good: Mapping[str, Any], **extra: tuple[Any, ...]) -> dict[str, Any]:
    """Draw keyword arguments: those of a good call, of which one or two are hostile.

    `extra` names arguments that the good call leaves out, or further values to try.
    """
    out = dict(good)
    names = sorted({*good, *extra})
    for name in data.draw(
        st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True), label="which"
    ):
        pool = (*NUMBERS, *OTHERS, *extra.get(name, ()), *extra.get(name, ()))
        out[name] = data.draw(st.sampled_from(pool), label=name)
    return out


class Hostile:
    """What the tests of this folder share."""

    numbers = NUMBERS
    others = OTHERS
    cells = CELLS
    attempt = staticmethod(attempt)
    unfinished = staticmethod(unfinished)
    spoil = staticmethod(spoil)
    options = staticmethod(options)


@pytest.fixture(scope="session")
def hostile() -> Hostile:
    """Strategies and checks; a fixture, because test modules here import nothing from each other."""
    return Hostile()
