"""AGENTS.md names what is there, and knows every kind of `./dev new`."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = ("econ", "finance", "datasets", "reports")


def test_every_path_is_there(root: Path) -> None:
    text = (root / "AGENTS.md").read_text(encoding="utf-8")
    paths = {
        word for word in re.findall(r"`([\w./-]+)`", text) if "/" in word.rstrip("/") and "--" not in word
    }
    assert len(paths) > 15
    gone = sorted(p for p in paths if not (root / p).exists())
    assert not gone, f"AGENTS.md names {', '.join(gone)}; say where it is now"


def test_every_name_is_there(root: Path) -> None:
    text = (root / "AGENTS.md").read_text(encoding="utf-8")
    table = text[text.index("| kind |") : text.index("An option with")]
    code = "\n".join(
        file.read_text(encoding="utf-8") for source in SOURCES for file in (root / source).rglob("*.py")
    )
    kinds = {file.stem for file in (root / ".dev" / "templates").glob("*.toml")}
    names = set(re.findall(r"`([A-Za-z_]\w+)`", table)) - kinds
    gone = sorted(n for n in names if not re.search(rf"\b{n}\b", code))
    assert not gone, f"AGENTS.md names {', '.join(gone)}, which no code does any more"


def test_every_kind_has_its_row(root: Path) -> None:
    text = (root / "AGENTS.md").read_text(encoding="utf-8")
    kinds = {file.stem for file in (root / ".dev" / "templates").glob("*.toml")}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", text, flags=re.MULTILINE)) >= kinds


def test_a_change_asks_for_its_own_tests(root: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("dev_changed", root / ".dev" / "changed.py")
    assert spec is not None
    assert spec.loader is not None
    changed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(changed)
    assert changed.chosen(root, []) == ["tests/layout"]
    assert changed.chosen(root, ["docs/index.md"]) == ["tests/layout"]
    assert changed.chosen(root, ["econ/fisc/r3d/model.py"]) == [
        "econ/fisc/r3d", "tests/hardening/test_r3d.py", "tests/layout", "tests/r3d",
    ]  # fmt: skip
    assert changed.chosen(root, ["tests/data/test_files.py"]) == ["tests/data/test_files.py", "tests/layout"]
    assert changed.chosen(root, ["tests/data/conftest.py"]) == ["tests/data", "tests/layout"]
    assert "tests" in changed.chosen(root, ["datasets/fisc/core/errors.py"])
    assert "tests" in changed.chosen(root, ["pyproject.toml"])
