"""Every public callable that takes a table is tried with every table library, and nothing else is listed."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("core", "data", "report", "basir", "portfolio", "r3d", "economist")
NONE_TAKEN = ("llm",)
# A report's table is made of anything that forms a rectangle, so that its annotation names what it becomes.
BY_OTHER_MEANS = {"report": {"Table"}}


@functools.cache
def table_types() -> frozenset[str]:
    """`TableLike` and every alias that it is part of."""
    aliases: dict[str, str] = {}
    for source in ("datasets", "econ", "finance", "reports"):
        for path in (ROOT / source / "fisc").rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
                    aliases[ast.unparse(node.target)] = ast.unparse(node.value) if node.value else ""
    found = {"TableLike"}
    while more := {name for name, meant in aliases.items() if _names(meant) & found} - found:
        found |= more
    return frozenset(found)


def _names(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _takes_a_table(function: Callable[..., object]) -> bool:
    return any(
        _names(str(parameter.annotation)) & table_types()
        for parameter in inspect.signature(function).parameters.values()
    )


def takers(package: ModuleType) -> Iterator[str]:
    """Public functions, classes and methods of a package that have a parameter for a table."""
    for name in package.__all__:
        value = getattr(package, name)
        if inspect.isfunction(value) and _takes_a_table(value):
            yield name
        elif inspect.isclass(value) and value.__module__.startswith("fisc."):
            for method in ("__init__", *(m for m in dir(value) if not m.startswith("_"))):
                held = inspect.getattr_static(value, method)
                function = getattr(held, "__func__", held)
                if inspect.isfunction(function) and _takes_a_table(function):
                    yield name if method == "__init__" else f"{name}.{method}"


def matrix(package: str) -> set[str]:
    """The callables that the matrix of a package's own tests names, without what tells two calls apart."""
    path = ROOT / "tests" / package / "test_tables.py"
    spec = importlib.util.spec_from_file_location(f"tables_of_{package}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {call.partition(",")[0] for call in module.MATRIX}


@pytest.mark.parametrize("package", PACKAGES)
def test_the_matrix_of_a_package_names_what_takes_a_table(package: str) -> None:
    taking = set(takers(importlib.import_module(f"fisc.{package}")))
    assert matrix(package) == taking | BY_OTHER_MEANS.get(package, set())


@pytest.mark.parametrize("package", NONE_TAKEN)
def test_a_package_without_a_matrix_takes_no_table(package: str) -> None:
    assert not set(takers(importlib.import_module(f"fisc.{package}")))
