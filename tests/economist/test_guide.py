"""The guide's numbers and code are those of the package."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fisc.economist import TaxSchedule, Workers, respond, welfare


@pytest.fixture
def guide(root: Path) -> str:
    return (root / "docs" / "guides" / "economist.md").read_text(encoding="utf-8")


def test_the_table_of_the_gameable_objective(guide: str) -> None:
    workers = Workers.sample(1000)
    edges = TaxSchedule.us_federal(2024).edges
    rows = re.findall(r"^\| (\d+) %[^|]*\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", guide, re.MULTILINE)
    assert len(rows) == 4
    for rate, *cells in rows:
        out = respond(workers, TaxSchedule(edges, [int(rate) / 100, *[0.5] * 6]))
        told = [float(re.sub(r"[^0-9.]", "", cell)) for cell in cells]
        found = [welfare(out, workers, name) for name in ("paper_live", "paper_live1000", "inverse_income")]
        np.testing.assert_allclose(told[:3], found, atol=0.6)
        assert told[3] == round(100 * np.mean(out.income == 0.0))


def test_the_papers_cost_leaves_no_choice(guide: str) -> None:
    hours = respond(Workers.sample(1000, calibration="paper"), TaxSchedule.flat(0.0)).hours.mean()
    assert f"# {hours:.0f} hours" in guide


def test_pictures_exist(guide: str, root: Path) -> None:
    named = re.findall(r"\(\.\./images/economist/(\w+\.png)\)", guide)
    assert len(named) >= 6
    for name in named:
        assert (root / "docs" / "images" / "economist" / name).stat().st_size > 5_000


@pytest.mark.slow
@pytest.mark.parametrize("page", ["economist", "optimal-tax-theory"])
def test_python_blocks_run(page: str, root: Path) -> None:
    text = (root / "docs" / "guides" / f"{page}.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(block, page, "exec"), names)
