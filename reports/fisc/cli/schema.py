"""``fisc schema``: what a script may expect of a result's JSON."""

from __future__ import annotations

import importlib
import json
from typing import Annotated

import typer

from fisc.core import MissingExtraError, OptionError, Record, nearest

__all__ = ["schema"]

_PACKAGES = ("core", "data", "report", "basir", "r3d", "portfolio", "economist", "llm")


def schema(
    name: Annotated[str | None, typer.Argument(help="Class of the result, like R3DResult.")] = None,
) -> None:
    """Print the JSON Schema of a result, or list the results."""
    if name is None:
        for package in _PACKAGES:
            for found in _records(package):
                typer.echo(f"{found.__name__:24}{found.schema()}")
        return
    for package in _PACKAGES:
        module = importlib.import_module(f"fisc.{package}")
        if name in module.__all__:
            kind = getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, Record):
                from fisc.core import json_schema

                typer.echo(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))
                return
    known = [found.__name__ for package in _PACKAGES for found in _records(package)]
    guess = nearest(name, known)
    raise OptionError(
        f"there is no result {name!r}; {f'did you mean {guess!r}? ' if guess else ''}`fisc schema` lists all"
    )


def _records(package: str) -> list[type[Record]]:
    """Return the public results of a package; those that need an absent extra are left out."""
    module = importlib.import_module(f"fisc.{package}")
    found = []
    for name in module.__all__:
        if not name[0].isupper() or name.endswith(("Error", "Warning")):
            continue
        try:
            kind = getattr(module, name)
        except MissingExtraError:
            continue
        if isinstance(kind, type) and issubclass(kind, Record) and name not in ("Record", "Result"):
            found.append(kind)
    return found
