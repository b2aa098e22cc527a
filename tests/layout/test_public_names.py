"""The public names are those that are written down, and no two things share one."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

HOW = "if that is meant, run `./dev names --write` and say in CHANGELOG.md what was added, renamed or removed"


@pytest.fixture(scope="module")
def names(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_names", root / ".dev" / "names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_public_names_are_those_written_down(root: Path, names: ModuleType) -> None:
    stored = (root / names.STORED).read_text(encoding="utf-8").split()
    found = names.public(root)
    gone, new = sorted(set(stored) - set(found)), sorted(set(found) - set(stored))
    assert not gone, f"no longer public: {', '.join(gone)}; {HOW}"
    assert not new, f"public and not written down: {', '.join(new)}; {HOW}"
    assert stored == found, f"{names.STORED} is not sorted, or names something twice; {HOW}"


def test_every_public_name_can_be_had(root: Path, names: ModuleType) -> None:
    for package, stub in names.stubs(root).items():
        exported = importlib.import_module(package).__all__
        assert sorted(exported) == names.names_of(stub), package


def test_no_public_name_is_that_of_a_module(root: Path, names: ModuleType) -> None:
    # `from fisc.r3d import fit` would give the module or the function, as others have imported before.
    for package, stub in names.stubs(root).items():
        modules = {
            path.stem
            for path in stub.parent.iterdir()
            if path.suffix == ".py" or (path / "__init__.py").exists()
        } - {"__init__"}
        imported_as_module = {
            alias
            for alias in names.names_of(stub)
            if f"from . import {alias} as {alias}" in stub.read_text(encoding="utf-8")
        }
        both = set(names.names_of(stub)) & modules - imported_as_module
        assert not both, f"{package} has a module and a name {', '.join(sorted(both))}; rename the module"
