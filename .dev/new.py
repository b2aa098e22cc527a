"""A new piece of code with its entry, export, test and line in the reference: ./dev new KIND NAME.

A kind is one file of ``.dev/templates``: ``about`` and ``see`` (the piece to read first) in words, and a
list of steps. ``{name}`` is the name as written, ``{Name}`` in capitals and small letters, ``{dashed}`` with
dashes. A step is one of

``file``    a new file with ``text``
``entry``   ``text`` at the end of a list, table or ``Literal`` that is assigned to a name of a package
``before``  ``text`` before that assignment
``append``  ``text`` at the end of a file that is there
``imports`` an import among those of the module of such a name
``export``  ``text``, a line of the package's stub

A place is written ``package:Name``; whichever module of the package assigns the name is meant.
"""

from __future__ import annotations

import ast
import keyword
import subprocess
import sys
import tomllib
from pathlib import Path

import names

SOURCES = ("econ", "finance", "datasets", "reports")
TEMPLATES = Path(__file__).with_name("templates")


class NewError(Exception):
    """Something that the user can put right, in words."""


def kinds() -> dict[str, dict]:
    """Return what there is to make, by the name of its template."""
    return {
        file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(TEMPLATES.glob("*.toml"))
    }


def make(root: Path, kind: str, name: str) -> list[Path]:
    """Carry out the steps of a kind; return the files written. All is checked before anything is written."""
    known = kinds()
    if kind not in known:
        raise NewError(f"there is no kind {kind!r}; one of: {', '.join(known)}")
    name = name.replace("-", "_")
    if not (name.isidentifier() and name.islower()) or keyword.iskeyword(name):
        raise NewError(f"{name!r} cannot name a module; give small letters, digits and _, such as my_idea")
    words = {
        "name": name,
        "Name": "".join(part.capitalize() for part in name.split("_")),
        "dashed": name.replace("_", "-"),
        "words": name.replace("_", " "),
    }
    texts: dict[Path, str] = {}
    for step in known[kind]["steps"]:
        filled = {key: _fill(value, words) for key, value in step.items()}
        file, text = _carry_out(root, filled, texts)
        texts[file] = text
    for file, text in texts.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    names.main(root, ["--write"])
    _tidy(root, [file for file in texts if file.suffix in (".py", ".pyi")])
    return list(texts)


def _fill(text: str, words: dict[str, str]) -> str:
    for key, value in words.items():
        text = text.replace("{" + key + "}", value)
    return text


def _carry_out(root: Path, step: dict[str, str], texts: dict[Path, str]) -> tuple[Path, str]:
    """Return the file of a step and its text afterwards."""

    def read(file: Path) -> str:
        return texts[file] if file in texts else file.read_text(encoding="utf-8")

    if "file" in step:
        file = root / step["file"]
        if file.exists():
            raise NewError(f"{step['file']} is there already; choose another name")
        return file, step["text"].lstrip("\n")
    if "export" in step:
        file = names.stubs(root)[step["export"]]
        return file, read(file).rstrip("\n") + "\n" + step["text"] + "\n"
    if "append" in step:
        file = root / step["append"]
        return file, read(file).rstrip("\n") + "\n" + step["text"]
    file, node = _place(root, step.get("entry") or step.get("before") or step["imports"])
    text = read(file)
    node = _assignment(ast.parse(text), node)
    lines = text.splitlines(keepends=True)
    if "before" in step:
        start = node.lineno - 1
        while start and lines[start - 1].startswith("#"):
            start -= 1
        lines.insert(start, step["text"].strip("\n") + "\n\n\n")
    elif "imports" in step:
        first = next(n for n in ast.parse(text).body if isinstance(n, ast.Import | ast.ImportFrom))
        lines.insert(first.end_lineno or 0, step["text"] + "\n")
    else:
        return file, _enter(text, node, step["text"])
    return file, "".join(lines)


def _place(root: Path, place: str) -> tuple[Path, str]:
    """Return the module of a package that assigns a name, and the name."""
    package, _, wanted = place.partition(":")
    for source in SOURCES:
        folder = root / source / Path(*package.split("."))
        for file in sorted([*folder.rglob("*.py"), *folder.parent.glob(folder.name + ".py")]):
            for name in wanted.split("|"):  # a place may have had other names
                if _assignment(ast.parse(file.read_text(encoding="utf-8")), name) is not None:
                    return file, name
    raise NewError(f"no module of {package} assigns {wanted}; mend the template, which names this place")


def _assignment(tree: ast.Module, name: str) -> ast.Assign | ast.AnnAssign | None:
    """Return the statement that assigns a list, table or Literal to a name."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        whole = isinstance(
            getattr(node, "value", None), ast.Dict | ast.Tuple | ast.List | ast.Set | ast.Subscript
        )
        if whole and any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return node
    return None


def _enter(text: str, node: ast.Assign | ast.AnnAssign, entry: str) -> str:
    """Return the text with an entry before the closing bracket of what is assigned."""
    value = node.value
    lines = text.splitlines(keepends=True)
    end = sum(len(line.encode()) for line in lines[: value.end_lineno - 1]) + value.end_col_offset - 1
    head, tail = text.encode()[:end].decode(), text.encode()[end:].decode()
    body = head.rstrip()
    comma = "" if body.endswith((",", "[", "{", "(")) else ","
    return f"{body}{comma} {entry}{',' if head != body else ''}{head[len(body) :]}{tail}"


def _tidy(root: Path, files: list[Path]) -> None:
    """Sort imports and format, if ruff is there."""
    inside = root / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ruff = [str(inside if inside.exists() else sys.executable), "-m", "ruff"]
    for task in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        subprocess.run([*ruff, *task, *map(str, files)], cwd=root, check=False, capture_output=True)


def main(root: Path, arguments: list[str]) -> int:
    """Make what was asked for, or list the kinds."""
    if len(arguments) != 2:
        print("usage: ./dev new KIND NAME\n")
        for kind, held in kinds().items():
            print(f"  {kind:<10} {held['about']}")
        return 0 if not arguments else 2
    try:
        files = make(root, *arguments)
    except NewError as error:
        print(f"dev: {error}", file=sys.stderr)
        return 2
    held = kinds()[arguments[0]]
    print("\n".join(str(file.relative_to(root)) for file in files))
    print(f"\nRead first: {held['see']}\nThen write what the test asks for: ./dev test --changed")
    made = {
        root / step["file"].replace("{name}", arguments[1].replace("-", "_"))
        for step in held["steps"]
        if "file" in step
    }
    for file in made:
        if file.relative_to(root).parts[0] in SOURCES and file.suffix == ".py":
            package = ".".join(file.relative_to(root).parts[1:3])
            print(
                f'Give {file.stem} its floor under "Floors of {package}" in pyproject.toml, if there is one.'
            )
    return 0
