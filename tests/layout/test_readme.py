"""The README's examples run as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fisc.data


def blocks(root: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(), flags=re.DOTALL)


def test_python_examples(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fisc.data.load_sp500().to_csv("my_prices.csv")

    def fetched(tickers: list[str], start: str, end: str) -> pd.DataFrame:
        assert tickers
        return fisc.data.load_sp500(start, end, tickers)

    monkeypatch.setattr(fisc.data, "fetch_prices", fetched, raising=False)
    names: dict[str, Any] = {}
    examples = blocks(root, "python")
    assert len(examples) >= 3
    for example in examples:
        exec(compile(example, "README.md", "exec"), names)
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_the_two_commands_exist(root: Path) -> None:
    text = (root / "README.md").read_text()
    assert "./dev demo" in text
    assert "./dev test" in text
    assert (root / "dev").stat().st_mode & 0o111
    for image in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
        assert (root / image).is_file(), image
