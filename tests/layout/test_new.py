"""`./dev new KIND NAME` on a clean tree: code that the checkers accept, and tests that say what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

SOURCES = ("econ", "finance", "datasets", "reports")
KINDS = (
    "baseline", "command", "data-set", "kernel", "network", "planner", "result", "reward", "section", "selector",
)  # fmt: skip
# What the tests of a new piece say: a thing to do, and mostly where.
ASKED = re.compile(r"\b(write|compare|fill in|give|put|describe|set|send|name)\b.{10}", re.IGNORECASE)
FLAGS = ["-p", "no:cacheprovider", "-q", "-n0"]


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(tree / source) for source in SOURCES)
    return subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def tree(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with one new piece of every kind."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in (*SOURCES, ".dev", "tests", "docs/reference"):
        ignored = shutil.ignore_patterns("__pycache__", "vectors", "*.parquet")
        shutil.copytree(root / name, copy / name, ignore=ignored)
    for name in ("dev", "pyproject.toml"):
        shutil.copy(root / name, copy / name)
    made = []
    for kind in KINDS:
        said = run(copy, "dev", "new", kind, name_of(kind))
        assert said.returncode == 0, f"./dev new {kind}: {said.stderr}"
        assert "Read first: " in said.stdout
        made += said.stdout.partition("\n\n")[0].splitlines()
    (copy / "made.txt").write_text("\n".join(made))
    return copy


@pytest.fixture(scope="module")
def complaints(tree: Path) -> dict[str, list[str]]:
    """What the tests of each new piece complain of, by kind."""
    files = {kind: next((tree / "tests").rglob(f"test_*{name_of(kind)}*.py")) for kind in KINDS}
    run(tree, "-m", "pytest", *FLAGS, "--junitxml=said.xml", *map(str, files.values()))
    said: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for case in ET.parse(tree / "said.xml").iter("testcase"):
        kind = next(k for k in KINDS if name_of(k) in str(case.get("classname")))
        said[kind] += [str(bad.get("message")) for bad in case if bad.tag in ("failure", "error")]
    return said


def name_of(kind: str) -> str:
    return f"brand_new_{kind.replace('-', '_')}"


def test_every_kind_is_listed_and_tried(root: Path) -> None:
    listed = run(root, "dev", "new")
    assert listed.returncode == 0
    assert tuple(line.split()[0] for line in listed.stdout.splitlines()[2:]) == KINDS


def test_what_cannot_be_made_is_refused_in_words(root: Path) -> None:
    for arguments, words in (
        (("rewrad", "x"), "there is no kind 'rewrad'; one of: baseline"),
        (("reward", "My Idea"), "cannot name a module; give small letters"),
        (("reward", "import"), "cannot name a module"),
        (("command", "data"), "is there already; choose another name"),
    ):
        refused = run(root, "dev", "new", *arguments)
        assert refused.returncode == 2
        assert words in refused.stderr


def test_the_new_code_is_in_the_house_style(tree: Path) -> None:
    made = [name for name in (tree / "made.txt").read_text().split() if name.endswith((".py", ".pyi"))]
    for command in (["check", "--no-cache"], ["format", "--no-cache", "--check"]):
        said = run(tree, "-m", "ruff", *command, *made)
        assert said.returncode == 0, said.stdout + said.stderr


def test_the_house_holds_with_it(tree: Path) -> None:
    said = run(
        tree, "-m", "pytest", *FLAGS, "tests/layout/test_public_names.py", "tests/layout/test_structure.py"
    )
    assert said.returncode == 0, said.stdout[-3000:]


@pytest.mark.parametrize("kind", KINDS)
def test_its_tests_say_what_is_missing(complaints: dict[str, list[str]], kind: str) -> None:
    assert complaints[kind], f"the tests of a new {kind} pass before anything is written"
    assert any(ASKED.search(words) for words in complaints[kind]), "\n".join(complaints[kind])


@pytest.mark.slow
def test_the_types_of_the_new_code_are_right(tree: Path) -> None:
    said = run(tree, "-m", "mypy")
    wrong = [
        line
        for line in said.stdout.splitlines()
        if "brand_new" in line.partition(":")[0] or "BrandNew" in line
    ]
    assert not wrong, "\n".join(wrong)
