"""pandas objects as JSON and back: the part of `fisc.report.codec` that needs pandas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fisc.core import DataError
from fisc.report import codec

__all__ = ["DECODERS", "encode"]


def encode(value: Any, where: str) -> dict[str, Any] | None:
    """Encode a pandas object, or return None if it is none.

    Parameters
    ----------
    value : object
    where : str
        How an error message calls the value.

    Returns
    -------
    dict or None
    """
    if value is pd.NA:
        return {"$missing": "NA"}
    if value is pd.NaT:
        return {"$missing": "NaT"}
    if isinstance(value, pd.DataFrame):
        columns = [_array(value.iloc[:, i].array, f"{where}[{c!r}]") for i, c in enumerate(value.columns)]
        return {
            "$frame": columns,
            "columns": _index(value.columns, f"{where}.columns"),
            "index": _index(value.index, f"{where}.index"),
            **_attributes(value, where),
        }
    if isinstance(value, pd.Series):
        return {
            "$series": _array(value.array, where),
            "index": _index(value.index, f"{where}.index"),
            "name": codec.encode(value.name, f"{where}.name"),
            **_attributes(value, where),
        }
    if isinstance(value, pd.Index):
        return _index(value, where)
    if isinstance(value, pd.Timestamp):
        zone = None if value.tz is None else str(value.tz)
        return {
            "$timestamp": value.as_unit(value.unit).asm8.view("i8").item(),
            "unit": value.unit,
            "zone": zone,
        }
    if isinstance(value, pd.Timedelta):
        return {"$pandas_timedelta": value.asm8.view("i8").item(), "unit": value.unit}
    if isinstance(value, pd.Period):
        return {"$period": value.ordinal, "dtype": f"period[{value.freqstr}]"}
    if isinstance(value, pd.Interval):
        ends = [codec.encode(value.left, where), codec.encode(value.right, where)]
        return {"$interval": ends, "closed": value.closed}
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return _array(value, where)
    return None


def _attributes(value: Any, where: str) -> dict[str, Any]:
    return {"attrs": codec.encode(dict(value.attrs), f"{where}.attrs")} if value.attrs else {}


def _array(array: Any, where: str) -> dict[str, Any]:
    """Encode the values of a column or an index."""
    dtype = array.dtype
    if not isinstance(dtype, pd.api.extensions.ExtensionDtype):
        encoded: dict[str, Any] = codec.encode(array.to_numpy(), where)
        return encoded
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "$categorical": array.codes.tolist(),
            "categories": _index(array.categories, where),
            "ordered": bool(array.ordered),
        }
    if isinstance(dtype, pd.DatetimeTZDtype):
        return {"$zoned": array.asi8.tolist(), "unit": dtype.unit, "zone": str(dtype.tz)}
    if isinstance(dtype, pd.PeriodDtype):
        return {"$periods": array.asi8.tolist(), "dtype": str(dtype)}
    if isinstance(dtype, pd.IntervalDtype):
        ends = [_index(array.left, where), _index(array.right, where)]
        return {"$intervals": ends, "closed": dtype.closed}
    if isinstance(dtype, pd.StringDtype):
        missing = "nan" if dtype.na_value is not pd.NA else "NA"
        values = [None if pd.isna(item) else str(item) for item in array]
        return {"$strings": values, "storage": dtype.storage, "missing": missing}
    # Nullable numbers and Arrow types: each value is a scalar or missing.
    values = [None if item is pd.NA else codec.encode(item, where) for item in array]
    return {"$extension": values, "dtype": str(dtype)}


def _index(index: pd.Index, where: str) -> dict[str, Any]:
    """Encode row or column labels, with their names."""
    if isinstance(index, pd.MultiIndex):
        return {
            "$multi_index": [_index(level, where) for level in index.levels],
            "codes": [level.tolist() for level in index.codes],
            "names": [codec.encode(name, where) for name in index.names],
        }
    named = {"name": codec.encode(index.name, where)}
    if isinstance(index, pd.RangeIndex):
        return {"$range_index": [index.start, index.stop, index.step], **named}
    freq = (
        getattr(index, "freqstr", None) if isinstance(index, (pd.DatetimeIndex, pd.TimedeltaIndex)) else None
    )
    return {"$index": _array(index.array, where), **named, **({"freq": freq} if freq else {})}


def _strings(value: Mapping[str, Any]) -> Any:
    missing = np.nan if value["missing"] == "nan" else pd.NA
    dtype = pd.StringDtype(storage=value["storage"], na_value=missing)
    return pd.array([missing if item is None else item for item in value["$strings"]], dtype=dtype)


def _zoned(value: Mapping[str, Any]) -> Any:
    moments = np.array(value["$zoned"], dtype="i8").view(f"M8[{value['unit']}]")
    return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(value["zone"]).array


def _frame(value: Mapping[str, Any]) -> pd.DataFrame:
    index = codec.decode(value["index"])
    columns = dict(enumerate(codec.decode(value["$frame"])))
    frame = pd.DataFrame(columns, index=index) if columns else pd.DataFrame(index=index)
    frame.columns = codec.decode(value["columns"])
    frame.attrs.update(codec.decode(value.get("attrs", {})))
    return frame


def _series(value: Mapping[str, Any]) -> pd.Series[Any]:
    name, index = codec.decode(value["name"]), codec.decode(value["index"])
    series = pd.Series(codec.decode(value["$series"]), index=index, name=name)
    series.attrs.update(codec.decode(value.get("attrs", {})))
    return series


def _plain_index(value: Mapping[str, Any]) -> pd.Index:
    array = codec.decode(value["$index"])
    # Without the dtype, pandas would turn an index of objects into one of text.
    dtype = object if isinstance(array, np.ndarray) and array.dtype == np.dtype(object) else None
    index = pd.Index(array, dtype=dtype, name=codec.decode(value["name"]), tupleize_cols=False)
    if value.get("freq"):
        index.freq = value["freq"]  # type: ignore[attr-defined]
    return index


def _multi_index(value: Mapping[str, Any]) -> pd.MultiIndex:
    return pd.MultiIndex(
        levels=codec.decode(value["$multi_index"]), codes=value["codes"], names=codec.decode(value["names"])
    )


def _timestamp(value: Mapping[str, Any]) -> Any:
    moment = pd.Timestamp(np.datetime64(value["$timestamp"], value["unit"]))
    return moment if value["zone"] is None else moment.tz_localize("UTC").tz_convert(value["zone"])


def _timedelta(value: Mapping[str, Any]) -> Any:
    return pd.Timedelta(np.timedelta64(value["$pandas_timedelta"], value["unit"]))


def _range_index(value: Mapping[str, Any]) -> pd.RangeIndex:
    start, stop, step = value["$range_index"]
    return pd.RangeIndex(start, stop, step, name=codec.decode(value["name"]))


def _interval(value: Mapping[str, Any]) -> Any:
    left, right = codec.decode(value["$interval"])
    return pd.Interval(left, right, closed=value["closed"])


def _intervals(value: Mapping[str, Any]) -> Any:
    left, right = codec.decode(value["$intervals"])
    return pd.arrays.IntervalArray.from_arrays(left, right, closed=value["closed"])


def _periods(value: Mapping[str, Any]) -> Any:
    freq = _period_freq(value)
    ordinals = np.array(value["$periods"], dtype="i8")
    return pd.PeriodIndex([pd.Period(ordinal=n, freq=freq) for n in ordinals.tolist()], freq=freq).array


def _period_freq(value: Mapping[str, Any]) -> Any:
    dtype = pd.api.types.pandas_dtype(value["dtype"])
    if not isinstance(dtype, pd.PeriodDtype):
        raise DataError(f"{value['dtype']!r} is no type of periods")
    return dtype.freq


def _missing(value: Mapping[str, Any]) -> Any:
    kinds = {"NA": pd.NA, "NaT": pd.NaT}
    if value["$missing"] not in kinds:
        raise DataError(f"a missing value is marked {value['$missing']!r}; expected one of {sorted(kinds)}")
    return kinds[value["$missing"]]


DECODERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "$missing": _missing,
    "$frame": _frame,
    "$series": _series,
    "$index": _plain_index,
    "$multi_index": _multi_index,
    "$range_index": _range_index,
    "$timestamp": _timestamp,
    "$pandas_timedelta": _timedelta,
    "$period": lambda v: pd.Period(ordinal=v["$period"], freq=_period_freq(v)),
    "$interval": _interval,
    "$categorical": lambda v: pd.Categorical.from_codes(
        v["$categorical"], categories=codec.decode(v["categories"]), ordered=v["ordered"]
    ),
    "$zoned": _zoned,
    "$periods": _periods,
    "$intervals": _intervals,
    "$strings": _strings,
    "$extension": lambda v: pd.array(codec.decode(v["$extension"]), dtype=v["dtype"]),
}
