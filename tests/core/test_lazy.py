"""Public names of a package: written once in its stub, imported when asked for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fisc.core import MissingExtraError, lazy

STUB = """\
from . import inner as inner
from .inner import Thing as Thing
from .inner import make as build
from math import pi as pi
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a stub, not yet imported."""
    folder = tmp_path / "lazily"
    folder.mkdir()
    folder.joinpath("__init__.pyi").write_text(STUB)
    folder.joinpath("inner.py").write_text("class Thing: ...\n\n\ndef make(): return Thing()\n")
    folder.joinpath("__init__.py").write_text(
        "from fisc.core import lazy\n\n__getattr__, __dir__, __all__ = lazy.attach(__name__, __file__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazily"
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazily"]:
        del sys.modules[name]


def load(package: str) -> ModuleType:
    __import__(package)
    return sys.modules[package]


def test_a_name_is_imported_when_it_is_first_asked_for(package: str) -> None:
    module = load(package)
    assert "lazily.inner" not in sys.modules
    assert module.__all__ == ["Thing", "build", "inner", "pi"]
    assert {"Thing", "build", "inner", "pi"} <= set(dir(module))
    assert isinstance(module.build(), module.Thing)
    assert module.inner is sys.modules["lazily.inner"]
    assert round(module.pi, 2) == 3.14
    assert "Thing" in vars(module)  # found without asking the next time


def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="module 'lazily' has no attribute 'nothing'"):
        _ = load(package).nothing


def test_a_missing_library_names_its_extra(package: str) -> None:
    load(package)
    file = Path(str(sys.modules[package].__file__))
    get, _, _ = lazy.attach(package, str(file), needs={"inner": ("word", "no_such_library")})
    with pytest.raises(
        MissingExtraError, match=r"no_such_library is not installed; pip install 'fisc\[word\]'"
    ):
        get("Thing")
    assert get("pi")  # the other names do not need it


@pytest.mark.parametrize(
    "package", ["core", "data", "llm", "report", "r3d", "portfolio", "basir", "economist"]
)
def test_every_public_name_of_every_package_exists(package: str) -> None:
    module = load(f"fisc.{package}")
    missing = []
    for name in module.__all__:
        try:
            getattr(module, name)
        except MissingExtraError:
            continue
        except (AttributeError, ImportError) as error:
            missing.append((name, error))
    assert not missing


def test_importing_the_ground_floor_imports_neither_pandas_nor_numpy() -> None:
    code = "import sys, fisc.core; print([m for m in ('numpy', 'pandas', 'pyarrow', 'cattrs') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
