"""Public names of a package, written once in its stub and imported when first asked for.

A package's ``__init__.pyi`` lists its names as relative or absolute imports, which is what type
checkers and editors read; `attach` reads the same file and imports each name on first use (PEP 562),
so that importing a package does not import what it could need.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["attach"]


def attach(
    package: str, file: str, *, needs: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package from its stub.

    Parameters
    ----------
    package, file : str
        The package's ``__name__`` and ``__file__``; the stub lies beside the file.
    needs : mapping of str to tuple of str, optional
        For each module that cannot be imported without an extra, the extra and the libraries that
        it brings, so that `MissingExtraError` is raised for what is absent.

    Returns
    -------
    tuple of (function, function, list of str)

    Examples
    --------
    >>> import fisc.r3d
    >>> "r3d" in dir(fisc.r3d)
    True
    """
    origins = _origins(package, Path(file).with_suffix(".pyi"))

    def get(name: str) -> object:
        if name not in origins:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = origins[name]
        extra, *libraries = (needs or {}).get(module.rpartition(".")[2], ("",))
        for library in libraries:
            from fisc.core.errors import require

            require(library, extra=extra)
        found = importlib.import_module(module)
        value: object = getattr(found, attribute) if attribute else found
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *origins})

    return get, names, sorted(origins)


def _origins(package: str, stub: Path) -> dict[str, tuple[str, str]]:
    """Return for each name its module and its name there; modules themselves have an empty name."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            inside = f"{package}.{node.module}" if node.module else package
            module = inside if node.level else str(node.module)
            for alias in node.names:
                name = alias.asname or alias.name
                submodule = module == package
                found[name] = (f"{package}.{alias.name}", "") if submodule else (module, alias.name)
    return found
