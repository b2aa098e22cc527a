"""Options stand in one list, defaults agree wherever they are written, and nothing but its module knows `compat`."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest

import fisc.r3d
from fisc.data import DataError, OptionError
from fisc.r3d import density_test, monte_carlo, r3d, select_bandwidth, simulate, unit_quantiles
from fisc.r3d import options as lists
from fisc.r3d.options import Options
from fisc.r3d.result import R3DResult

HOUSE = Path(fisc.r3d.__file__).parent
LISTS = {
    name: set(get_args(kind))
    for name, kind in vars(lists).items()
    if str(get_origin(kind)) == "typing.Literal" and len(get_args(kind)) > 1
}
ROLES = {
    "method": "Method",
    "kernel": "Kernel",
    "selector": "Selector",
    "residuals": "Residuals",
    "band": "Band",
    "quantile_rule": "QuantileRule",
    "rule": "Rule",
    "missing": "Missing",
    "deriv": "Deriv",
    "design": "DesignName",
    "name": ("TestName", "FunctionalName"),
    "alternative": "Alternative",
    "kind": ("Band", "PlotKind", "DiagnosisPicture"),
    "compat": "Compat",
}


def test_no_list_of_options_stands_twice() -> None:
    assert len(LISTS) >= 14
    for path in HOUSE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if path.name != "options.py" and isinstance(node, (ast.Tuple, ast.List, ast.Set)):
                held = {
                    e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)
                }
                assert held not in LISTS.values(), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    "function",
    [
        r3d,
        unit_quantiles,
        density_test,
        simulate,
        R3DResult.band,
        R3DResult.test,
        R3DResult.functional,
        R3DResult.plot,
    ],
)
def test_the_documented_values_are_those_of_the_list(function: Any) -> None:
    found = re.findall(r"^\s*(\w+) : \{(.+?)\}", inspect.getdoc(function) or "", flags=re.M)
    assert found
    for name, words in found:
        wanted = ROLES[name] if isinstance(ROLES[name], tuple) else (ROLES[name],)
        values = set(ast.literal_eval(f"[{words}]"))
        assert any(values == set(get_args(getattr(lists, kind))) for kind in wanted), (name, values)


def test_defaults_agree() -> None:
    ours = {f.name: f.default for f in fields(Options)}
    call = inspect.signature(r3d).parameters
    assert {name: call[name].default for name in ours} == ours
    choosing = inspect.signature(select_bandwidth).parameters
    assert {n: p.default for n, p in choosing.items()} == {n: call[n].default for n in choosing}
    assert inspect.signature(monte_carlo).parameters["alpha"].default == ours["alpha"]


def test_every_option_is_checked_where_options_are_made() -> None:
    for name in ("method", "kernel", "selector", "residuals", "band", "compat"):
        with pytest.raises(OptionError, match=name):
            Options(**{name: "frechett"})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="deriv=2"):
        Options(deriv=2)
    with pytest.raises(DataError, match="p=True"):
        Options(p=True)
    assert type(Options(p=np.int64(3), s=np.int32(2), n_boot=np.int64(99)).p) is int


def test_only_its_own_module_asks_for_compat() -> None:
    for path in HOUSE.glob("*.py"):
        if path.name == "compat.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, (ast.Compare, ast.BoolOp)):
                names = {getattr(n, "attr", getattr(n, "id", "")) for n in ast.walk(node)}
                assert "compat" not in names, f"{path.name}:{node.lineno}"


def test_seeds_are_taken_under_the_older_name() -> None:
    old, new = simulate("lee", 30, seed=7), simulate("lee", 30, random_state=7)  # type: ignore[call-arg]
    np.testing.assert_array_equal(old.data, new.data)
    assert not np.array_equal(old.data, simulate("lee", 30, 8).data)
    runs = [
        monte_carlo(["repo1"], [30], ["simple"], reps=2, **s).table
        for s in ({"seed": 3}, {"random_state": 3})
    ]
    assert runs[0].equals(runs[1])
    with pytest.raises(TypeError, match="twice"):
        simulate("lee", 30, seed=7, random_state=7)  # type: ignore[call-arg]
