"""The tests of what differs from main: ./dev test --changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

SOURCES = ("econ", "finance", "datasets", "reports")


def changed(root: Path) -> list[str]:
    """Return the files that differ from where this branch left main, also those not yet committed."""
    base = _git(root, "merge-base", "main", "HEAD") or ["HEAD"]
    committed = _git(root, "diff", "--name-only", "--no-renames", base[0])
    return sorted({*committed, *_git(root, "ls-files", "--others", "--exclude-standard")})


def chosen(root: Path, files: list[str] | None = None) -> list[str]:
    """Return the arguments for pytest: the tests and examples of the packages, and the layout.

    A change below all packages (``fisc.core``, the fixtures, what is installed) asks for everything.
    """
    found = {"tests/layout"}
    for name in changed(root) if files is None else files:
        parts = Path(name).parts
        if name in ("pyproject.toml", "constraints.txt", "tests/conftest.py") or parts[1:3] == (
            "fisc",
            "core",
        ):
            return ["tests", *SOURCES]
        if parts[0] in SOURCES and len(parts) > 3:
            package = parts[2]
            found |= {f"{parts[0]}/fisc/{package}", f"tests/{package}", f"tests/hardening/test_{package}.py"}
        elif parts[0] == "tests" and len(parts) > 2:
            found.add(name if parts[-1].startswith("test_") and name.endswith(".py") else f"tests/{parts[1]}")
    there = {path for path in found if (root / path).exists()}
    return sorted(p for p in there if not any(str(above) in there for above in Path(p).parents))


def _git(root: Path, *arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[:-1] if done.returncode == 0 else []
