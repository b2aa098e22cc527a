"""The public names of every package, read from its stub: ./dev names [--write]."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCES = ("econ", "finance", "datasets", "reports")
STORED = Path("tests", "layout", "public_names.txt")


def stubs(root: Path) -> dict[str, Path]:
    """Return each package's stub by the package's name."""
    found = {}
    for source in SOURCES:
        for stub in sorted((root / source / "fisc").rglob("__init__.pyi")):
            found[".".join(stub.parent.relative_to(root / source).parts)] = stub
    return found


def names_of(stub: Path) -> list[str]:
    """Return the names that a stub exports."""
    return sorted(
        alias.asname or alias.name
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def public(root: Path) -> list[str]:
    """Return every public name with its package, sorted."""
    return sorted(f"{package}.{name}" for package, stub in stubs(root).items() for name in names_of(stub))


def main(root: Path, arguments: list[str]) -> int:
    """Print the names, or write them where the test compares them."""
    text = "\n".join(public(root)) + "\n"
    if "--write" in arguments:
        (root / STORED).write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0
