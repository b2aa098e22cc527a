"""Python values as JSON and back, exactly: what `Result.to_dict` and `Result.from_dict` use.

Plain JSON types stand for themselves. Everything else becomes an object with one key that
begins with ``$`` and names the kind: ``{"$tuple": [...]}``, ``{"$float": "nan"}``,
``{"$array": "<f8", "shape": [2, 3], "data": [...]}``, ``{"$type": "module:Class", ...}``.
NaN and infinities are written as text, so that ``json.dumps(..., allow_nan=False)`` accepts
the answer. NumPy scalars come back as the Python numbers that they equal.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import importlib
import math
import sys
import zoneinfo
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from fisc.core import DataError

__all__ = ["decode", "encode"]


def encode(value: Any, where: str = "value") -> Any:
    """Turn a value into JSON types.

    Parameters
    ----------
    value : object
        None, numbers, text, bytes, dates, paths, enumerations, lists, tuples, sets,
        dictionaries, NumPy arrays, pandas objects, dataclasses; nested at will.
    where : str
        How an error message calls the value.

    Returns
    -------
    object
        None, bool, int, finite float, str, list or dict.

    Raises
    ------
    DataError
        If something in it is of another kind, for instance a function.

    Examples
    --------
    >>> encode((1, float("nan")))
    {'$tuple': [1, {'$float': 'nan'}]}
    >>> decode(encode((1, 2.5)))
    (1, 2.5)
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if type(value) is dict:
        return _encode_dict(value, where)
    if type(value) is tuple:
        return {"$tuple": [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}
    # An object of numpy or pandas can only be here if its library has been imported.
    if "numpy" in sys.modules and (found := _encode_numpy(value, where)) is not None:
        return found[0]
    if "pandas" in sys.modules:
        from fisc.report import codec_pandas

        if (tagged := codec_pandas.encode(value, where)) is not None:
            return tagged
    return _encode_object(value, where)


def _encode_dict(value: dict[Any, Any], where: str) -> dict[str, Any]:
    if all(type(key) is str and not key.startswith("$") for key in value):
        return {key: encode(item, f"{where}.{key}") for key, item in value.items()}
    pairs = [[encode(k, f"a key of {where}"), encode(v, f"{where}[{k!r}]")] for k, v in value.items()]
    return {"$dict": pairs}


def _encode_numpy(value: Any, where: str) -> tuple[Any] | None:
    """Return the encoded value in a tuple of one, or None if it is not numpy's."""
    import numpy as np

    if isinstance(value, np.ndarray) and type(value) is np.ndarray:
        return (_encode_array(value, where),)
    if not isinstance(value, np.generic):
        return None
    if isinstance(value, (np.datetime64, np.timedelta64, np.void)) or value.dtype.char in "gG":
        array = _encode_array(np.asarray(value), where)
        return ({"$scalar": array},)
    return (encode(value.item(), where),)


def _encode_array(array: Any, where: str) -> dict[str, Any]:
    import numpy as np

    kind = array.dtype.kind
    data: Any
    if kind == "V" or array.dtype.char in "gG":
        raise DataError(
            f"{where} is an array of {array.dtype}, which JSON cannot hold exactly; convert it first"
        )
    if kind == "O":
        data = [encode(item, where) for item in array.ravel().tolist()]
    elif kind in "mM":
        data = array.astype(array.dtype.newbyteorder("=")).view("i8").tolist()
    elif kind == "c":
        real = np.ascontiguousarray(array).view(array.real.dtype).reshape((*array.shape, 2))
        data = _floats(real)
    elif kind == "f":
        data = _floats(array)
    elif kind == "S":
        data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    else:
        data = array.tolist()
    return {"$array": array.dtype.str, "shape": list(array.shape), "data": data}


def _floats(array: Any) -> Any:
    """Return nested lists of finite floats and of the words nan, inf and -inf."""
    import numpy as np

    if np.isfinite(array).all():
        return array.tolist()
    words = array.astype(object)
    for index in map(tuple, np.argwhere(~np.isfinite(array))):  # () in an array without dimensions
        words[index] = repr(float(array[index]))
    return words.tolist()


def _encode_object(value: Any, where: str) -> dict[str, Any]:
    """Encode what is neither plain JSON nor numpy's nor pandas'."""
    if isinstance(value, enum.Enum):
        return {"$enum": _name(type(value)), "name": value.name}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        where = type(value).__qualname__ if where == "value" else where
        return {
            "$type": _name(type(value)),
            **{name: encode(getattr(value, name), f"{where}.{name}") for name in fields},
        }
    for kind, (tag, write, _) in _SIMPLE.items():
        if isinstance(value, kind):
            return {tag: write(value)}
    if isinstance(value, dt.datetime):
        zone = {"zone": value.tzinfo.key} if isinstance(value.tzinfo, zoneinfo.ZoneInfo) else {}
        return {"$datetime": value.isoformat(), "fold": value.fold, **zone}
    if isinstance(value, dt.date):
        return {"$date": value.isoformat()}
    if isinstance(value, (set, frozenset)):
        items = [encode(item, where) for item in value]
        return {"$set" if isinstance(value, set) else "$frozenset": sorted(items, key=repr)}
    if isinstance(value, Mapping):
        return _encode_dict(dict(value), where)
    raise DataError(
        f"{where} is a {type(value).__name__}, which cannot be written as JSON; expected numbers, text, "
        "dates, lists, tuples, dictionaries, arrays, pandas objects or dataclasses of these"
    )


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _resolve(name: str) -> type:
    """Return the class that `_name` named, importing nothing from outside fisc."""
    module, _, path = name.partition(":")
    found: Any = None
    for candidate in _subclasses():
        if _name(candidate) == name:
            found = candidate
    if found is None and (module in sys.modules or module.partition(".")[0] == "fisc"):
        try:
            found = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
    if not isinstance(found, type) or not (dataclasses.is_dataclass(found) or issubclass(found, enum.Enum)):
        raise DataError(
            f"the data describe an object of type {name!r}, which this program does not know; "
            "import the module that defines it first, or check that the versions of fisc agree"
        )
    return found


def _subclasses() -> list[type]:
    """Return every class derived from Result, wherever it was defined (a function, a notebook)."""
    from fisc.report.result import Result

    found: list[type] = []
    unseen: list[type] = [Result]
    while unseen:
        children: list[type] = unseen.pop().__subclasses__()
        found += children
        unseen += children
    return found


def decode(value: Any) -> Any:
    """Turn what `encode` gave back into the value.

    Parameters
    ----------
    value : object
        JSON types, as `encode` or ``json.loads`` gave them.

    Returns
    -------
    object

    Raises
    ------
    DataError
        If the kind is unknown or the description is damaged.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    tag = next((key for key in value if isinstance(key, str) and key.startswith("$")), None)
    if tag is None:
        return {key: decode(item) for key, item in value.items()}
    try:
        if tag in _DECODERS:
            return _DECODERS[tag](value)
        if tag in _READERS:
            return _READERS[tag](value[tag])
        from fisc.report import codec_pandas

        if tag in codec_pandas.DECODERS:
            return codec_pandas.DECODERS[tag](value)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"a value marked {tag!r} is damaged ({type(error).__name__}: {error})") from error
    raise DataError(
        f"a value is marked {tag!r}, which is no kind that fisc writes; was it made by a newer version?"
    )


def _decode_array(value: Mapping[str, Any]) -> Any:
    import numpy as np

    dtype, shape, data = np.dtype(value["$array"]), tuple(value["shape"]), value["data"]
    if dtype.kind == "O":
        array = np.empty(len(data), dtype=object)
        for i, item in enumerate(data):
            array[i] = decode(item)
    elif dtype.kind in "mM":
        array = np.array(data, dtype="i8").view(dtype.newbyteorder("=")).astype(dtype)
    elif dtype.kind == "c":
        array = np.array(data, dtype=np.empty(0, dtype).real.dtype).ravel().view(dtype)
    elif dtype.kind == "S":
        array = np.frombuffer(base64.b64decode(data), dtype=dtype).copy()
    else:
        array = np.array(data, dtype=dtype)
    return array.reshape(shape)


def _decode_object(value: Mapping[str, Any]) -> Any:
    kind = _resolve(value["$type"])
    given = {key: decode(item) for key, item in value.items() if key != "$type"}
    known = {field.name for field in dataclasses.fields(kind) if field.init}
    if extra := sorted(set(given) - known):
        raise DataError(
            f"{kind.__name__} has no field {extra[0]!r} (it has {', '.join(sorted(known))}); "
            "was it made by another version of fisc?"
        )
    return kind(**given)


def _decode_datetime(value: Mapping[str, Any]) -> dt.datetime:
    moment = dt.datetime.fromisoformat(value["$datetime"])
    if "zone" in value:
        moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(value["zone"]))
    return moment.replace(fold=value.get("fold", 0))


# Kinds that one function writes and one reads: class, tag, writer, reader.
_SIMPLE: dict[type, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = {
    bytes: ("$bytes", lambda v: base64.b64encode(v).decode(), base64.b64decode),
    complex: ("$complex", lambda v: [encode(v.real), encode(v.imag)], lambda v: complex(*map(decode, v))),
    decimal.Decimal: ("$decimal", str, decimal.Decimal),
    fractions.Fraction: ("$fraction", str, fractions.Fraction),
    PurePath: ("$path", str, Path),
    dt.time: ("$time", dt.time.isoformat, dt.time.fromisoformat),
    dt.timedelta: (
        "$timedelta",
        lambda v: [v.days, v.seconds, v.microseconds],
        lambda v: dt.timedelta(*v),
    ),
    range: ("$range", lambda v: [v.start, v.stop, v.step], lambda v: range(*v)),
}

_READERS = {tag: read for tag, _, read in _SIMPLE.values()}

_DECODERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "$float": lambda v: float(v["$float"]),
    "$tuple": lambda v: tuple(decode(item) for item in v["$tuple"]),
    "$dict": lambda v: {decode(key): decode(item) for key, item in v["$dict"]},
    "$set": lambda v: {decode(item) for item in v["$set"]},
    "$frozenset": lambda v: frozenset(decode(item) for item in v["$frozenset"]),
    "$date": lambda v: dt.date.fromisoformat(v["$date"]),
    "$datetime": _decode_datetime,
    "$enum": lambda v: getattr(_resolve(v["$enum"]), v["name"]),
    "$array": _decode_array,
    "$scalar": lambda v: _decode_array(v["$scalar"])[()],
    "$type": _decode_object,
}
