"""How the package hangs together, counted over its syntax trees: circles, late imports, types."""

from __future__ import annotations

import ast
import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

SOURCES = ("econ", "finance", "datasets", "reports")
MOST_LATE_IMPORTS = 200
MOST_ANY_PER_CENT = 1.0
LONGEST_MODULE = 600


@dataclasses.dataclass(frozen=True)
class Module:
    """A module of the package and what its text says."""

    name: str
    file: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def imported(self, known: set[str]) -> set[str]:
        """Modules of the package that this one imports, anywhere in its text and for any purpose."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = self.package.split(".")[: self.package.count(".") + 2 - node.level]
                    base = ".".join([*above, base] if base else above)
                names = {f"{base}.{alias.name}" for alias in node.names}
                found |= (names & known) or {base}
        return (found & known) - {self.name}


@functools.cache
def modules(root: Path) -> tuple[Module, ...]:
    found = []
    for source in SOURCES:
        for file in sorted((root / source / "fisc").rglob("*.py")):
            parts = file.relative_to(root / source).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, file, ast.parse(file.read_text(encoding="utf-8"))))
    return tuple(found)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that reach each other (strongly connected, by Tarjan's algorithm)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        path.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in number:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in path:
                lowest[node] = min(lowest[node], number[other])
        if lowest[node] == number[node]:
            members = path[path.index(node) :]
            del path[path.index(node) :]
            if len(members) > 1:
                found.append(sorted(members))

    for node in edges:
        if node not in number:
            visit(node)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_relative_imports_are_resolved() -> None:
    text = "from . import x\nfrom .y import f\nfrom ..q import g\nfrom fisc.a import b\n"
    module = Module("fisc.a.m", Path("m.py"), ast.parse(text))
    known = {"fisc.a.x", "fisc.a.y", "fisc.q", "fisc.a.b", "fisc.a", "fisc.a.m"}
    assert module.imported(known) == {"fisc.a.x", "fisc.a.y", "fisc.q", "fisc.a.b"}


def test_no_module_reaches_itself(root: Path) -> None:
    # Imports for type checkers and inside functions count: a reader follows them too.
    known = {module.name for module in modules(root)}
    found = circles({module.name: module.imported(known) for module in modules(root)})
    assert not found, "cut these circles: " + "; ".join(" <-> ".join(circle) for circle in found)


def test_imports_inside_functions_are_for_what_is_heavy_and_optional(root: Path) -> None:
    late: dict[str, int] = {}
    for module in modules(root):
        inside = {
            node
            for function in module.functions()
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        late[module.name] = len(inside)
    most = sorted(late.items(), key=lambda item: -item[1])[:8]
    assert sum(late.values()) <= MOST_LATE_IMPORTS, (
        f"{sum(late.values())} imports inside functions, at most {MOST_LATE_IMPORTS}; move them to the top "
        f"of their modules. Most are in {', '.join(f'{name} ({count})' for name, count in most)}"
    )


def test_parameters_have_types(root: Path) -> None:
    count, untyped = 0, []
    for module in modules(root):
        for function in module.functions():
            signature = function.args
            for a in (
                *signature.posonlyargs, *signature.args, *signature.kwonlyargs, signature.vararg, signature.kwarg
            ):  # fmt: skip
                if a is None or a.arg in ("self", "cls"):
                    continue
                count += 1
                if isinstance(a.annotation, ast.Name) and a.annotation.id == "Any":
                    untyped.append(f"{module.name}.{function.name}({a.arg})")
    share = 100 * len(untyped) / count
    assert share <= MOST_ANY_PER_CENT, (
        f"{share:.1f} % of {count} parameters are typed Any, at most {MOST_ANY_PER_CENT} %: give the array, "
        f"frame or class that is meant, for instance in {', '.join(untyped[:8])}"
    )


def test_a_module_tells_its_subject_in_one_sentence_of_its_own(root: Path) -> None:
    first: dict[str, str] = {}
    for module in modules(root):
        said = (ast.get_docstring(module.tree) or "").strip().partition("\n")[0]
        if module.file.name == "__init__.py" and not said:
            continue
        assert said.endswith((".", ":", ";")), f"{module.name} does not open with a sentence: {said!r}"
        assert said not in first, f"{module.name} and {first[said]} open with the same sentence"
        first[said] = module.name


def test_no_module_is_a_monster(root: Path) -> None:
    for module in modules(root):
        length = len(module.file.read_text(encoding="utf-8").splitlines())
        assert length <= LONGEST_MODULE, f"{module.name} has {length} lines and wants a seam"
