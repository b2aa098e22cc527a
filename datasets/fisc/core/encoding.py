"""Values as plain JSON and back: numbers, text, lists and objects, without type tags.

`plain` writes by value, `structure` reads by the annotations of the class. NaN and infinity are null;
`NotFinite` lists by JSON pointer which nulls stand for an infinity, or for a NaN outside arrays and
tables. A DataFrame is ``{"columns", "index", "data", "types", "names"}`` with a row of ``data`` for
each row, as pandas calls ``orient="split"``.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime as dt
import enum
import functools
import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import cattrs
import numpy as np
import pandas as pd

from fisc.core import tables_as_json
from fisc.core.errors import DataError

__all__ = [
    "Json",
    "NotFinite",
    "check_depth",
    "check_fields",
    "field_names",
    "plain",
    "restore",
    "structure",
    "type_hints",
]

T = TypeVar("T")
Json: TypeAlias = Any  # None, bool, int, finite float, str, list or dict of these
NotFinite: TypeAlias = dict[str, str]

DEEPEST = 64
_FAULTS = (cattrs.BaseValidationError, TypeError, ValueError, KeyError, ArithmeticError)
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_PLACE = re.compile("[0-9]{1,9}")
_SEQUENCES = {kind: kind for kind in (list, tuple, set, frozenset)} | {collections.abc.Sequence: tuple}


def plain(value: object, where: str = "", lost: NotFinite | None = None) -> Json:
    """Return a value, nested at will, in types that JSON knows; a function or the like is a DataError.

    `where` is the JSON pointer to it; `lost` takes, for each number that became null, its pointer and the word
    nan, inf or -inf.

    Examples
    --------
    >>> plain({"a": (1, np.array([1.5, np.nan]))})
    {'a': [1, [1.5, None]]}
    """
    lost = {} if lost is None else lost
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return _finite(float(value), where, lost)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}/{i}", lost) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        keyed = {_key(key, where): item for key, item in value.items()}
        return {k: plain(v, f"{where}/{tables_as_json.escaped(k)}", lost) for k, v in keyed.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f: plain(getattr(value, f), f"{where}/{f}", lost) for f in field_names(type(value))}
    if isinstance(value, np.ndarray):
        return tables_as_json.array_to_json(value, where, lost)
    if isinstance(value, np.generic):
        return plain(value.item(), where, lost) if value.dtype.kind not in "mM" else _moment(value)
    if isinstance(value, pd.DataFrame):
        return tables_as_json.frame_to_json(value, where, lost)
    if isinstance(value, pd.Series):
        return tables_as_json.series_to_json(value, where, lost)
    if isinstance(value, pd.Index):
        return tables_as_json.index_to_json(value, where, lost)
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return plain(value.value, where, lost)
    if isinstance(value, int | str):  # subclasses
        return int(value) if isinstance(value, int) else str(value)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted((plain(item, where, lost) for item in value), key=repr)
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(), where, lost)
    raise DataError(
        f"{where or 'the value'} is of type {type(value).__name__}, which cannot be written as JSON; expected "
        "numbers, text, dates, lists, mappings, arrays, tables or dataclasses of these"
    )


def field_names(kind: type) -> list[str]:
    """Return the fields of a dataclass that its constructor takes."""
    return [field.name for field in dataclasses.fields(kind) if field.init]


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return str(int(key))
    if isinstance(key, dt.date):
        return key.isoformat()
    raise DataError(f"{where or 'the value'} has the key {key!r}; JSON takes only text as keys")


def _finite(value: float, where: str, lost: NotFinite) -> float | None:
    if math.isfinite(value):
        return value
    lost[where] = repr(value)
    return None


def _moment(value: np.generic) -> str | None:
    return None if np.isnat(value) else str(value)


def check_depth(value: Json, deepest: int = DEEPEST) -> None:
    """Refuse JSON that is nested more deeply than any result of fisc is."""
    level = [value]
    for _ in range(deepest):
        below: list[Json] = []
        for item in level:
            if isinstance(item, Mapping):
                below.extend(item.values())
            elif isinstance(item, list | tuple):
                below.extend(i for i in item if isinstance(i, Mapping | list | tuple))
        if not below:
            return
        level = below
    raise DataError(f"the data are nested more than {deepest} levels deep; fisc writes nothing like that")


def restore(value: Json, lost: Mapping[str, str]) -> Json:
    """Return JSON with the nulls that `lost` names turned into the numbers that they stand for."""
    tree: dict[str, Json] = {}
    for pointer, word in lost.items():
        if not str(pointer).startswith("/") or not isinstance(word, str) or word not in _WORDS:
            raise DataError(
                f"not_finite holds {pointer!r:.60}: {word!r:.60}; expected a pointer and nan, inf or -inf"
            )
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        branch = tree
        for key in above:
            branch = branch.setdefault(key, {})
            if not isinstance(branch, dict):
                raise DataError(f"not_finite names {pointer!r:.60} and a place above it")
        branch[last] = _WORDS[word]
    return _restored(value, tree, "")


def _restored(value: Json, tree: Mapping[str, Json], where: str) -> Json:
    """Return a copy of `value` with the numbers of `tree` in their places."""
    copied: Json = (
        list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else None
    )
    for key, below in tree.items():
        here = f"{where}/{key}"
        at: int | str = int(key) if isinstance(value, list) and _PLACE.fullmatch(key) else key
        if copied is None or not (at < len(copied) if isinstance(at, int) else at in copied):
            raise DataError(f"not_finite names {here!r:.60}, which is not in the data")
        if isinstance(below, dict):
            copied[at] = _restored(copied[at], below, here)
        elif copied[at] is not None:
            raise DataError(
                f"not_finite names {here!r:.60}, where there is {copied[at]!r:.40} in place of null"
            )
        else:
            copied[at] = below
    return copied


def structure(values: Json, kind: type[T]) -> T:
    """Return an object of `kind` from what `plain` gave.

    Raises
    ------
    DataError
        If a key is missing, unknown or misspelled, or a value is of another type; nothing is converted
        but lists, dates and what JSON cannot tell apart.

    Examples
    --------
    >>> structure([[1, 2], None], tuple[list[int], float])
    ([1, 2], nan)
    """
    try:
        return _converter().structure(values, kind)
    except cattrs.BaseValidationError as error:
        said = cattrs.transform_error(error, format_exception=_said)
        raise DataError(f"the data do not describe a {_name(kind)}: {'; '.join(said[:3])}") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the data do not describe a {_name(kind)}: {error}") from error


def _said(error: BaseException, kind: type | None) -> str:
    return str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"


def _name(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


@functools.cache
def _converter() -> cattrs.Converter:
    """Return the one converter: strict about scalars, open to arrays, tables and unions."""
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind in (bool, int, str, float):
        converter.register_structure_hook(kind, _scalar)
    converter.register_structure_hook_func(lambda t: t is Any or t is object, lambda v, _: v)
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_func(_is_union, lambda v, t: _union(converter, v, t))
    converter.register_structure_hook_func(
        lambda t: dataclasses.is_dataclass(t), lambda v, t: _dataclass(converter, v, t)
    )
    converter.register_structure_hook_func(_is_mapping, lambda v, t: _mapping(converter, v, t))
    converter.register_structure_hook_func(_is_sequence, lambda v, t: _sequence(converter, v, t))
    converter.register_structure_hook_func(
        _is_array, lambda v, t: tables_as_json.array_from_json(v, *_dtype(t))
    )
    for pandas_kind, read in tables_as_json.READERS.items():
        converter.register_structure_hook_func(functools.partial(_derived, pandas_kind), read)
    for moment in (pd.Timestamp, dt.datetime, dt.date, dt.time):
        converter.register_structure_hook(moment, _date)
    converter.register_structure_hook_func(lambda t: t in (Path, PurePath), lambda v, t: t(_scalar(v, str)))
    converter.register_structure_hook_func(
        lambda t: hasattr(t, "model_validate"), lambda v, t: t.model_validate(v)
    )
    return converter


def _derived(kind: type, asked: object) -> bool:
    origin = get_origin(asked) or asked
    return isinstance(origin, type) and issubclass(origin, kind)


def _is_literal(asked: object) -> bool:
    return get_origin(asked) is Literal


def _is_union(asked: object) -> bool:
    return get_origin(asked) in (Union, types.UnionType)


def _is_mapping(asked: object) -> bool:
    return get_origin(asked) in (dict, collections.abc.Mapping) or asked in (dict, Mapping)


def _is_sequence(asked: object) -> bool:
    return (get_origin(asked) or asked) in _SEQUENCES


def _is_array(asked: object) -> bool:
    return (get_origin(asked) or asked) is np.ndarray


def _dtype(asked: object) -> tuple[np.dtype[Any] | None]:
    """Return the dtype that an annotation of an array names, None for any."""
    arguments = get_args(asked)
    scalar = get_args(arguments[1])[0] if len(arguments) == 2 and get_args(arguments[1]) else None
    return (np.dtype(scalar) if isinstance(scalar, type) else None,)


def _scalar(value: Json, kind: Any) -> Any:
    if kind is float and value is None:
        return math.nan
    if type(value) is kind or (kind is float and type(value) is int):
        return kind(value)
    raise DataError(f"expected {'text' if kind is str else f'a {kind.__name__}'}, got {value!r:.60}")


def _literal(value: Json, kind: object) -> Any:
    for allowed in get_args(kind):
        if type(allowed) is type(value) and allowed == value:
            return value
    raise DataError(f"{value!r:.60} is not one of {', '.join(map(repr, get_args(kind)))}")


def _union(converter: cattrs.Converter, value: Json, kind: object) -> Any:
    members = get_args(kind)
    if value is None and types.NoneType in members:
        return None
    faults = []
    for member in members:
        if member is types.NoneType:
            continue
        try:
            return converter.structure(value, member)
        except _FAULTS as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    raise DataError(f"{value!r:.60} is not one of {', '.join(_name(m) for m in members)}")


def _mapping(converter: cattrs.Converter, value: Json, kind: object) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"expected an object, got {value!r:.60}")
    key_kind, value_kind = get_args(kind) or (str, Any)
    numbers = key_kind is int
    return {
        (int(key) if numbers else converter.structure(key, key_kind)): converter.structure(item, value_kind)
        for key, item in value.items()
    }


def _sequence(converter: cattrs.Converter, value: Json, kind: Any) -> Any:
    """Build a list, tuple or set from a list; a text is not a list of its letters, nor an object of its keys."""
    if not isinstance(value, list | tuple):
        raise DataError(f"expected a list, got {value!r:.60}")
    kinds = get_args(kind) or (Any,)
    if (get_origin(kind) or kind) is tuple and get_args(kind) and kinds[-1] is not Ellipsis:
        if len(value) != len(kinds):
            raise DataError(f"expected a list of {len(kinds)}, got {len(value)} entries")
    else:
        kinds = (kinds[0],) * len(value)
    made = [_part(converter, v, k, f"entry {i}") for i, (v, k) in enumerate(zip(value, kinds, strict=True))]
    return _SEQUENCES[get_origin(kind) or kind](made)


def _part(converter: cattrs.Converter, value: Json, kind: Any, where: str) -> Any:
    """Build a part of something, with its place in the message if that fails."""
    try:
        return converter.structure(value, kind)
    except _FAULTS as error:
        raise DataError(f"{where}: {_first(error)}") from error


def _dataclass(converter: cattrs.Converter, value: Json, kind: type) -> Any:
    """Build a dataclass whose keys are all there, and no others."""
    if not isinstance(value, Mapping):
        raise DataError(f"expected an object of {kind.__name__}, got {value!r:.60}")
    names, hints = check_fields(value, kind), type_hints(kind)
    return kind(**{n: _part(converter, value[n], hints[n], f"{kind.__name__}.{n}") for n in names})


def check_fields(value: Mapping[str, Json], kind: type) -> list[str]:
    """Return the names of the fields of a dataclass in `value`, or raise if it has others or lacks some.

    Fields that came later (``metadata=LATER``) may be missing; they keep their defaults.
    """
    names = field_names(kind)
    later = {field.name for field in dataclasses.fields(kind) if "later" in field.metadata}
    if missing := [name for name in names if name not in value and name not in later]:
        raise DataError(f"{kind.__name__} lacks {', '.join(missing[:5])}")
    if unknown := [str(key) for key in value if key not in names]:
        raise DataError(f"{kind.__name__} has no field {', '.join(unknown[:5])}")
    return [name for name in names if name in value]


def _first(error: BaseException) -> str:
    if isinstance(error, cattrs.BaseValidationError):
        return next(iter(cattrs.transform_error(error, format_exception=_said)), str(error))
    return _said(error, None)


@functools.cache
def type_hints(kind: type) -> dict[str, Any]:
    """Return the annotations of a class as types."""
    return typing.get_type_hints(kind)


def _date(value: Json, kind: Any) -> Any:
    if value is None and kind is pd.Timestamp:
        return pd.NaT
    text = _scalar(value, str)
    try:
        return kind(text) if kind is pd.Timestamp else kind.fromisoformat(text)
    except ValueError as error:
        raise DataError(f"{text!r:.60} is not a date") from error
