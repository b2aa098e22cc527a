"""How-to pages run as they are written, where they need nothing but fisc."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import fisc.cli.app as command_line


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_results_in_scripts_and_papers(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("docx")
    monkeypatch.chdir(tmp_path)
    page = root / "docs" / "how-to" / "results.md"
    names: dict[str, Any] = {}
    for example in blocks(page, "python"):
        exec(compile(example, page.name, "exec"), names)
    written = {"fit.json", "effects.tex", "effects.docx", "comparison.tex"}
    assert {p.name for p in tmp_path.iterdir()} == written
    assert r"\label{tab:effects}" in (tmp_path / "effects.tex").read_text()
    assert "Quantile by quantile" in (tmp_path / "comparison.tex").read_text()
    command_line._assemble()
    (commands,) = blocks(page, "console")
    said = [CliRunner().invoke(command_line.app, shlex.split(line)[1:]) for line in commands.splitlines()]
    assert [answer.exit_code for answer in said] == [0, 0]
    assert "R3DResult" in said[0].output
    assert set(names["fit"].to_dict()) - {"not_finite"} <= set(json.loads(said[1].output)["properties"])
