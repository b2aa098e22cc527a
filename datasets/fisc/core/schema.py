"""JSON Schemas of results: what a script may expect of `to_dict`, from the annotations of the class."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import types
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import pandas as pd

from fisc.core.encoding import field_names, type_hints
from fisc.core.result import Record

__all__ = ["json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCALARS: dict[object, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    # NaN and infinity are null; not_finite says which.
    float: {"type": ["number", "null"]},
    types.NoneType: {"type": "null"},
    dt.date: {"type": "string", "format": "date"},
    dt.datetime: {"type": "string", "format": "date-time"},
    pd.Timestamp: {"type": "string", "format": "date-time"},
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_LABELS = {"type": "array"}
_FRAME = {
    "type": "object",
    "description": "a table: one list in data for each row, labels in index and columns",
    "properties": {
        "columns": _LABELS,
        "index": _LABELS,
        "data": {"type": "array", "items": {"type": "array"}},
        "types": {"type": "object", "additionalProperties": _TEXTS},
        "names": {"type": "object"},
        "attrs": {"type": "object"},
    },
    "required": ["columns", "index", "data", "types", "names"],
    "additionalProperties": False,
}
_SERIES = {
    "type": "object",
    "properties": {
        "name": {},
        "index": _LABELS,
        "data": {"type": "array"},
        "types": {"type": "object"},
        "names": {},
    },
    "required": ["name", "index", "data", "types", "names"],
    "additionalProperties": False,
}
_INDEX = {
    "type": "object",
    "properties": {"data": {"type": "array"}, "types": _TEXTS, "names": {"type": "array"}},
    "required": ["data", "types", "names"],
    "additionalProperties": False,
}
_ARRAY = {"type": ["array", "object", "number", "boolean", "null"], "description": "an array as nested lists"}


def json_schema(kind: type[Record]) -> dict[str, Any]:
    """Return the JSON Schema of a result's `to_dict`.

    Parameters
    ----------
    kind : type
        A class of results.

    Returns
    -------
    dict
        JSON Schema, draft 2020-12.

    Examples
    --------
    >>> from fisc.core import Provenance
    >>> json_schema(Provenance)["properties"]["seed"]["anyOf"]
    [{'type': 'integer'}, {'type': 'null'}]
    """
    definitions: dict[str, Any] = {}
    own = _object(kind, definitions)
    properties = {
        "schema": {"const": kind.schema()},
        **own["properties"],
        "not_finite": {
            "type": "object",
            "description": "JSON pointers to the nulls that stand for these numbers",
            "additionalProperties": {"enum": ["nan", "inf", "-inf"]},
        },
    }
    schema = {
        "$schema": _DIALECT,
        "title": kind.__name__,
        **own,
        "properties": properties,
        "required": ["schema", *own["required"]],
    }
    definitions.pop(kind.__name__, None)
    return {**schema, "$defs": definitions} if definitions else schema


def _object(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints, notes = type_hints(kind), _attributes(kind)
    properties = {}
    for name in field_names(kind):
        properties[name] = _of(hints[name], definitions)
        if name in notes:
            properties[name] = {**properties[name], "description": notes[name]}
    first = next(iter((kind.__doc__ or "").strip().splitlines()), "")
    return {
        "type": "object",
        "description": first,
        "properties": properties,
        "required": field_names(kind),
        "additionalProperties": False,
    }


def _attributes(kind: type) -> dict[str, str]:
    """Return what the docstring says of each attribute."""
    body = re.split(r"\n\s*Attributes\n\s*-+\n", kind.__doc__ or "")
    if len(body) < 2:
        return {}
    section = re.split(r"\n\s*\n|\n\s*\w+\n\s*-{3,}\n", body[1])[0]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if head := re.match(r"\s{4}(\w[\w, ]*?) ?:", line):
            names = [name.strip() for name in head.group(1).split(",")]
        elif names and line.strip():
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def _of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(member, definitions) for member in arguments]}
    kind = origin or hint
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, np.ndarray):
        return dict(_ARRAY)
    for table, described in ((pd.DataFrame, _FRAME), (pd.Series, _SERIES), (pd.Index, _INDEX)):
        if issubclass(kind, table):
            return dict(described)
    if issubclass(kind, PurePath):
        return {"type": "string"}
    if dataclasses.is_dataclass(kind):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            definitions[kind.__name__] = _object(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    if issubclass(kind, Mapping):
        return {
            "type": "object",
            **({"additionalProperties": _of(arguments[1], definitions)} if arguments else {}),
        }
    if issubclass(kind, tuple) and arguments and arguments[-1] is not Ellipsis:
        items = [_of(a, definitions) for a in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if issubclass(kind, list | tuple | set | frozenset):
        return {"type": "array", **({"items": _of(arguments[0], definitions)} if arguments else {})}
    if hasattr(kind, "model_json_schema"):
        return {"type": "object", "description": f"a {kind.__name__}"}
    return {}
