"""Sections of a notebook: its code runs from top to bottom, and the values that its cells end with are shown."""

from __future__ import annotations

import ast
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from fisc.core import DataError
from fisc.report import Section

__all__ = ["run_notebook"]


def run_notebook(path: Path, parameters: Mapping[str, object]) -> list[object]:
    """Run the code cells of a notebook and return the sections and results that cells end with.

    Parameters
    ----------
    path : pathlib.Path
        A Jupyter notebook, format 4. No kernel is started; magics are refused.
    parameters : mapping of str to object
        Variables, set after the cell with the tag ``parameters``, or before the first cell.

    Raises
    ------
    DataError
        If it cannot be read, holds magics, or shows no section.
    """
    cells = _code(path)
    start = next((i + 1 for i, (_, tags) in enumerate(cells) if "parameters" in tags), 0)
    space: dict[str, object] = {"__name__": "__main__"}
    shown: list[object] = []
    with contextlib.chdir(path.parent):
        for number in range(len(cells) + 1):
            if number == start:
                space.update(parameters)
            if number < len(cells):
                value = _run(cells[number][0], f"{path.name}, cell {number + 1}", space)
                items = value if isinstance(value, list | tuple) else [value]
                shown.extend(
                    v for v in items if isinstance(v, Section) or callable(getattr(v, "section", None))
                )
    if not shown:
        raise DataError(f"{path} shows no section; end a cell with one, or with a result that has section()")
    return shown


def _code(path: Path) -> list[tuple[str, list[str]]]:
    """Return source and tags of the code cells."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["nbformat"] != 4:
            raise DataError(f"{path} is of notebook format {held['nbformat']!r}; save it as format 4")
        return [
            ("".join(cell["source"]), list(cell.get("metadata", {}).get("tags", [])))
            for cell in held["cells"]
            if cell["cell_type"] == "code"
        ]
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a notebook ({type(error).__name__}: {error})") from error


def _run(source: str, place: str, space: dict[str, object]) -> object:
    """Run one cell; return the value of the expression that it ends with, or None."""
    try:
        tree = ast.parse(source, place)
    except SyntaxError as error:
        raise DataError(
            f"{place} is not Python ({error.msg}, line {error.lineno}); magics are not run"
        ) from error
    last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    if last is not None:
        tree.body.pop()
    exec(compile(tree, place, "exec"), space)  # nosec B102: whoever gave the command allowed it
    if last is None:
        return None
    value: object = eval(compile(ast.Expression(last.value), place, "eval"), space)  # nosec B307: likewise
    return value
