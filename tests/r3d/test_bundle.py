"""A bundle repeats its fit, says what it is made with, and never replaces anybody's files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError, WriteError, read_folder
from fisc.r3d import R3DResult, r3d, simulate
from fisc.r3d.bundle import KIND

Q = np.arange(1, 10) / 10


def fit(name: str = "paper1", **options: Any) -> R3DResult:
    rows = simulate(name, n=150, random_state=3).data  # type: ignore[arg-type]
    rows = rows.assign(
        x=rows["x"] + 0.3, g=rows["unit"] // 3, z=np.sin(7.0 * rows["unit"]), w=1.0 + rows["unit"] % 2
    )
    own = {"y": "y", "x": "x", "unit": "unit", "cutoff": 0.3, "quantiles": Q, "random_state": 0}
    return r3d(rows, **{**own, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"y_label": 'what is "earned"', "support": (None, 1e6)},
        {"bandwidth": {"minus": 0.5, "plus": 0.6}, "cluster": "g", "covariates": ["z"], "unit_weights": "w"},
        {"name": "fuzzy1", "treatment": "t", "method": "simple"},
    ],
)
def test_the_script_repeats_the_numbers(
    tmp_path: Path, options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(**options).bundle(tmp_path / "bundle", robustness=False)
    script = tmp_path / "bundle" / "analysis.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300
    )
    assert "numbers are those of tables/effect.csv" in done.stdout, done.stderr
    broken = script.read_text().replace("random_state=0", "random_state=1").replace("s=1,", "s=0,")
    script.write_text(broken)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode != 0


def test_the_folder_is_whole_and_reads_back(tmp_path: Path) -> None:
    made = fit()
    files = read_folder(made.bundle(tmp_path / "bundle"), kind=KIND)
    assert R3DResult.from_dict(json.loads(files["fit.json"].read_text())) == made
    assert {
        "tables/effect.tex",
        "tables/robustness.csv",
        "figures/effect.pdf",
        "figures/densities.pdf",
    } <= set(files)
    assert files["figures/effect.pdf"].read_bytes().startswith(b"%PDF")
    assert {"python", "fisc", "numpy"} <= set(json.loads(files["versions.json"].read_text()))
    assert len(pd.read_parquet(files["units.parquet"])) == 150
    made.bundle(tmp_path / "bundle", robustness=False)  # replaces its own kind
    assert "tables/robustness.csv" not in read_folder(tmp_path / "bundle", kind=KIND)


def test_other_files_are_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WriteError):
        fit().bundle(tmp_path, robustness=False)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_print_figures_have_the_width_and_no_title(tmp_path: Path) -> None:
    from PIL import Image

    made = fit(y_label="weekly earnings of people who work in the town, in dollars of 2010")
    file = made.print_figure(tmp_path / "a.png", width="column")
    with Image.open(file) as picture:
        assert picture.size[0] == pytest.approx(3.4 * 300, abs=2)
    svg = made.print_figure(tmp_path / "a.svg", "rd", width=5.0, bins=5).read_text()
    assert "bin means" not in svg
    assert made.print_figure(tmp_path / "a.svg", "rd", width=5.0, bins=5).read_text() == svg
    for bad in ({"path": "a.docx"}, {"path": "a.pdf", "width": "wide"}, {"path": "a.pdf", "width": -1}):
        with pytest.raises(DataError):
            made.print_figure(tmp_path / bad.pop("path"), **bad)  # type: ignore[arg-type]
