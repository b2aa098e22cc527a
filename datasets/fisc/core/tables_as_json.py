"""Arrays and pandas objects as plain JSON and back.

Types of columns are text from a short list, so that nothing that a file names is looked up or imported.
Dates, times and tuples in a column of mixed objects come back as text and lists; tuples as labels stay.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from fisc.core.arrays import AnyArray
from fisc.core.errors import DataError

__all__ = ["READERS", "array_from_json", "array_to_json", "frame_to_json", "index_to_json", "series_to_json"]

Json: TypeAlias = Any

_UNITS = ("s", "ms", "us", "ns")
_NUMBERS = {f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)} | {
    *("float32", "float64", "bool"),
}
_NULLABLE = {f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)} | {
    *("Float32", "Float64", "boolean"),
}
_FRAME_KEYS = {"columns", "index", "data", "types", "names"}


def array_to_json(array: AnyArray, where: str, lost: dict[str, str]) -> Json:
    """Return nested lists; where lists do not tell the shape of an array, it stands beside them."""
    kind = array.dtype.kind
    if array.size == 0 and array.ndim > 1:
        return {"shape": list(array.shape)}
    if kind == "O" and array.ndim != 1:
        entries = _objects(array.ravel().tolist(), f"{where}/data", lost)
        return {"shape": list(array.shape), "data": entries}
    if kind == "f":
        return _floats(array, where, lost)
    if kind in "biuU":
        return array.tolist()
    if kind == "M":
        words = array.astype(str).astype(object)
        words[np.isnat(array)] = None
        return words.tolist()
    if kind == "O":
        return _objects(array.tolist(), where, lost)
    raise DataError(
        f"{where or 'the value'} is an array of {array.dtype}, which JSON cannot hold; convert it first"
    )


def escaped(key: str) -> str:
    """Return a key as a JSON pointer writes it."""
    return key.replace("~", "~0").replace("/", "~1")


def _objects(values: Sequence[object], where: str, lost: dict[str, str]) -> list[Json]:
    return [_cell(value, f"{where}/{i}", lost) for i, value in enumerate(values)]


def _cell(value: object, where: str, lost: dict[str, str]) -> Json:
    """Return what a cell of a column of objects may hold: scalars, dates, lists and mappings."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        lost[where] = repr(value)
        return None
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return _objects(value, where, lost)
    if isinstance(value, np.ndarray):
        return array_to_json(value, where, lost)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _cell(item, f"{where}/{escaped(key)}", lost) for key, item in value.items()}
    raise DataError(
        f"{where or 'the table'} holds a {type(value).__name__}, which JSON cannot hold; convert it first"
    )


def _floats(array: AnyArray, where: str, lost: dict[str, str]) -> Json:
    finite = np.isfinite(array)
    if finite.all():
        return array.tolist()
    for index in map(tuple, np.argwhere(np.isinf(array))):
        lost["/".join([where, *map(str, index)])] = "inf" if array[index] > 0 else "-inf"
    words = array.astype(object)
    words[~finite] = None
    return words.tolist()


def array_from_json(value: Json, dtype: np.dtype[Any] | None) -> AnyArray:
    """Return an array of `dtype`, or of the type that the values have if it is None."""
    if isinstance(value, Mapping):
        return _shaped(value, dtype)
    if not isinstance(value, list):
        return array_from_json([value], dtype).reshape(())
    if dtype is None or dtype.kind == "O":
        return _untyped(value, dtype)
    _check_entries(value, dtype)
    if dtype.kind == "M":
        dtype = _resolution(value, dtype)
    try:
        return np.array(value, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"the lists are not an array of {dtype} ({error})") from error


def _shaped(value: Mapping[str, Json], dtype: np.dtype[Any] | None) -> AnyArray:
    """Return an array without entries, or one of objects, from its shape."""
    shape, entries = value.get("shape"), value.get("data", [])
    if not set(value) <= {"shape", "data"} or not isinstance(shape, list) or not isinstance(entries, list):
        raise DataError("expected lists of numbers, or the shape of an array")
    if len(shape) > 8 or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise DataError(f"{shape!r:.60} is not the shape of an array")
    if math.prod(shape) != len(entries) or (entries and dtype is not None and dtype.kind != "O"):
        raise DataError(f"an array of shape {shape!r:.60} does not have {len(entries)} entries of this type")
    if not entries:
        return np.empty(tuple(shape), dtype=dtype or np.float64)
    return _untyped(entries, np.dtype(object)).reshape(shape)


def _resolution(value: list[Json], dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of dates as fine as they are written, unless `dtype` says how fine."""
    if np.datetime_data(dtype)[0] != "generic":
        return dtype
    return dtype if any(value) else np.dtype("datetime64[us]")


def _check_entries(value: list[Json], dtype: np.dtype[Any]) -> None:
    """Refuse what numpy would convert: text as a number, a number as true or false."""
    allowed: tuple[type, ...] = {
        "f": (float, int, type(None)), "i": (int,), "u": (int,), "b": (bool,), "U": (str,),
        "M": (str, type(None)),
    }[dtype.kind]  # fmt: skip
    for item in value:
        if isinstance(item, list):
            _check_entries(item, dtype)
        elif not isinstance(item, allowed) or (isinstance(item, bool) and dtype.kind != "b"):
            raise DataError(f"{item!r:.60} is not an entry of an array of {dtype}")


def _untyped(value: list[Json], dtype: np.dtype[Any] | None) -> AnyArray:
    if dtype is None and value and not any(isinstance(v, list | Mapping | str) or v is None for v in value):
        return np.asarray(value)
    if dtype is None and value and all(isinstance(v, list) for v in value):
        return np.asarray(value, dtype=np.float64 if any(None in v for v in value) else None)
    array = np.empty(len(value), dtype=object)
    array[:] = value
    return array


def frame_to_json(frame: pd.DataFrame, where: str, lost: dict[str, str]) -> Json:
    """Return a frame row by row, with the types of its columns and of its labels."""
    columns = [column_to_json(frame.iloc[:, i], f"{where}/data", lost, i) for i in range(frame.shape[1])]
    index, index_types = _labels(frame.index, f"{where}/index", lost)
    names, name_types = _labels(frame.columns, f"{where}/columns", lost)
    held: dict[str, Json] = {
        "columns": names,
        "index": index,
        "data": [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in index],
        "types": {
            "columns": name_types,
            "index": index_types,
            "data": [_type(kind, where) for kind in frame.dtypes],
        },
        "names": {
            "columns": _objects(frame.columns.names, "", {}),
            "index": _objects(frame.index.names, "", {}),
        },
    }
    if frame.attrs:
        held["attrs"] = _cell(frame.attrs, f"{where}/attrs", lost)
    return held


def column_to_json(
    column: pd.Series[Any] | pd.Index[Any], where: str, lost: dict[str, str], place: int | None = None
) -> list[Json]:
    """Return the values of one column; `place` is its position where rows are lists."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        column = (column.dt if isinstance(column, pd.Series) else column).tz_convert("UTC")  # type: ignore[union-attr]
        column = (column.dt if isinstance(column, pd.Series) else column).tz_localize(None)  # type: ignore[union-attr]
        dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "fbiuM":
        found: dict[str, str] = {}
        values: list[Json] = array_to_json(column.to_numpy(), "", found)
    else:
        found = {}
        text = isinstance(dtype, pd.StringDtype) or str(dtype) in _NULLABLE
        items = [None if text and item is pd.NA else item for item in column.tolist()]
        if isinstance(dtype, pd.StringDtype):
            values = [item if isinstance(item, str) else None for item in items]
        else:
            values = _objects(items, "", found)
    for pointer, word in found.items():
        row, _, rest = pointer[1:].partition("/")
        inside = f"/{rest}" if rest else ""
        lost[f"{where}/{row}{'' if place is None else f'/{place}'}{inside}"] = word
    return values


def _type(dtype: Any, where: str) -> str:
    name = str(dtype)
    if isinstance(dtype, pd.StringDtype):
        return "str" if dtype.na_value is not pd.NA else "string"
    if name in _NUMBERS | _NULLABLE | {"object"} or name.startswith("datetime64["):
        return name
    raise DataError(
        f"{where or 'the table'} has a column of {name}, which JSON cannot hold; convert it first"
    )


def _labels(index: pd.Index[Any], where: str, lost: dict[str, str]) -> tuple[list[Json], list[str]]:
    if isinstance(index, pd.MultiIndex):
        levels = [index.get_level_values(i) for i in range(index.nlevels)]
        columns = [column_to_json(level, where, lost, i) for i, level in enumerate(levels)]
        return [list(row) for row in zip(*columns, strict=True)], [
            _type(level.dtype, where) for level in levels
        ]
    kind = "range" if isinstance(index, pd.RangeIndex) else _type(index.dtype, where)
    return column_to_json(index, where, lost), [kind]


def series_to_json(series: pd.Series[Any], where: str, lost: dict[str, str]) -> Json:
    """Return a series as its name, labels and values, with their types."""
    index, index_types = _labels(series.index, f"{where}/index", lost)
    return {
        "name": _cell(series.name, f"{where}/name", lost),
        "index": index,
        "data": column_to_json(series, f"{where}/data", lost),
        "types": {"index": index_types, "data": _type(series.dtype, where)},
        "names": _objects(series.index.names, "", {}),
    }


def index_to_json(index: pd.Index[Any], where: str, lost: dict[str, str]) -> Json:
    """Return labels as their values, with their types and names."""
    labels, kinds = _labels(index, f"{where}/data", lost)
    return {"data": labels, "types": kinds, "names": _objects(index.names, "", {})}


def _column(values: Json, kind: Json, what: str) -> Any:
    """Return the values of a column as an array of the type that `kind` names."""
    if not isinstance(values, list) or not isinstance(kind, str):
        raise DataError(f"the {what} of a table are damaged")
    if kind in _NUMBERS:
        return array_from_json(values, np.dtype(kind))
    if kind.startswith("datetime64["):
        return _moments(values, kind)
    if kind in ("str", "string"):
        if not all(v is None or isinstance(v, str) for v in values):
            raise DataError(f"the {what} of a table hold something other than text")
        missing = np.nan if kind == "str" else pd.NA
        return pd.array([missing if v is None else v for v in values], dtype=pd.StringDtype(na_value=missing))
    if kind in _NULLABLE:
        return pd.array([pd.NA if v is None else v for v in values], dtype=kind)  # type: ignore[call-overload]
    if kind == "object":
        return _untyped(values, np.dtype(object))
    raise DataError(f"the {what} of a table are of type {kind!r:.40}, which fisc does not write")


def _moments(values: list[Json], kind: str) -> Any:
    unit, _, zone = kind[len("datetime64[") : -1].partition(", ")
    if (
        unit not in _UNITS
        or not kind.endswith("]")
        or not all(v is None or isinstance(v, str) for v in values)
    ):
        raise DataError(f"dates of type {kind!r:.40} are damaged")
    moments = pd.DatetimeIndex(np.array([v or "NaT" for v in values], dtype=f"datetime64[{unit}]"))
    return moments.tz_localize("UTC").tz_convert(zone) if zone else moments


def _hashable(label: Json) -> Hashable:
    """Return a label; a list was a tuple."""
    if isinstance(label, list):
        return tuple(_hashable(part) for part in label)
    if isinstance(label, Mapping):
        raise DataError("the labels of a table are damaged")
    return label  # type: ignore[no-any-return]


def _index(values: Json, kinds: Json, given: Json) -> pd.Index[Any]:
    """Return row or column labels."""
    if not isinstance(kinds, list) or not isinstance(given, list) or len(kinds) != len(given) or not kinds:
        raise DataError("the labels of a table are damaged")
    if not isinstance(values, list):
        raise DataError("the labels of a table are damaged")
    names = [_hashable(name) for name in given]
    if len(kinds) == 1:
        if kinds[0] == "range":
            step = values[1] - values[0] if len(values) > 1 else 1
            start = values[0] if values else 0
            if (
                not isinstance(step, int)
                or not step
                or values != list(range(start, start + step * len(values), step))
            ):
                raise DataError("the labels of a table are not the row numbers that they are said to be")
            return pd.RangeIndex(start, start + step * len(values), step, name=names[0])
        if kinds[0] == "object":
            values = [_hashable(label) for label in values]
        array = _column(values, kinds[0], "labels")
        if isinstance(array, pd.DatetimeIndex):
            return array.rename(names[0])
        dtype = object if kinds[0] == "object" else None
        return pd.Index(array, dtype=dtype, name=names[0], tupleize_cols=False)
    if not all(isinstance(row, list) and len(row) == len(kinds) for row in values):
        raise DataError("the labels of a table are damaged")
    levels = [_column([row[i] for row in values], kind, "labels") for i, kind in enumerate(kinds)]
    return pd.MultiIndex.from_arrays(levels, names=names)


def frame_from_json(value: Json, _: object = None) -> pd.DataFrame:
    """Return the frame that `frame_to_json` described."""
    if not isinstance(value, Mapping) or not _FRAME_KEYS <= set(value) <= _FRAME_KEYS | {"attrs"}:
        raise DataError(f"expected a table with {', '.join(sorted(_FRAME_KEYS))}, got {value!r:.60}")
    types, names, rows = value["types"], value["names"], value["data"]
    columns = _index(value["columns"], types["columns"], names["columns"])
    index = _index(value["index"], types["index"], names["index"])
    if not isinstance(rows, list) or len(rows) != len(index) or len(types["data"]) != len(columns):
        raise DataError("a table has more rows or columns than labels, or fewer")
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows):
        raise DataError("a row of a table is longer or shorter than its columns")
    arrays = {i: _column([row[i] for row in rows], kind, "columns") for i, kind in enumerate(types["data"])}
    frame = pd.DataFrame(arrays, index=index) if arrays else pd.DataFrame(index=index)
    frame.columns = columns
    frame.attrs.update(value.get("attrs", {}))
    return frame


def series_from_json(value: Json, _: object = None) -> pd.Series[Any]:
    """Return the series that `series_to_json` described."""
    if not isinstance(value, Mapping) or set(value) != {"name", "index", "data", "types", "names"}:
        raise DataError(f"expected a series with name, index, data, types and names, got {value!r:.60}")
    index = _index(value["index"], value["types"]["index"], value["names"])
    return pd.Series(
        _column(value["data"], value["types"]["data"], "values"), index=index, name=_hashable(value["name"])
    )


def index_from_json(value: Json, _: object = None) -> pd.Index[Any]:
    """Return the labels that `index_to_json` described."""
    if not isinstance(value, Mapping) or set(value) != {"data", "types", "names"}:
        raise DataError(f"expected labels with data, types and names, got {value!r:.60}")
    return _index(value["data"], value["types"], value["names"])


READERS: dict[type, Callable[[Json, object], Any]] = {
    pd.DataFrame: frame_from_json,
    pd.Series: series_from_json,
    pd.Index: index_from_json,
}
