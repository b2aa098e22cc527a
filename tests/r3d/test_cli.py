"""The command line: numbers on standard output, files in a folder, one clear line for each broken input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fisc.cli.r3d import app, parse_quantiles
from fisc.data import FiscError
from fisc.r3d import R3DResult, r3d, simulate

NAMES = ["--y", "y", "--x", "x", "--unit", "unit"]

pytestmark = pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("r3d")
    data = simulate("fuzzy1", n=80, seed=1).data
    data.to_csv(folder / "good.csv", index=False)
    data.to_parquet(folder / "good.parquet")
    data.assign(x=np.where(data.index == 3, 9.0, data["x"])).to_csv(folder / "varies.csv", index=False)
    data.assign(x=np.abs(data["x"])).to_csv(folder / "one_side.csv", index=False)
    data.assign(y=np.where(data.index == 3, "many", data["y"].astype(str))).to_csv(
        folder / "text.csv", index=False
    )
    data.assign(y=np.where(data["unit"] == 2, np.inf, data["y"])).to_csv(folder / "infinite.csv", index=False)
    data.assign(t=data["t"] * 2).to_csv(folder / "dose.csv", index=False)
    data.assign(w=-1.0).to_csv(folder / "weights.csv", index=False)
    data[data["unit"] < 8].to_csv(folder / "few.csv", index=False)
    (folder / "empty.csv").write_text("unit,x,y\n")
    (folder / "broken.parquet").write_bytes(b"PAR1....")
    return folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_fit_prints_the_summary(folder: Path) -> None:
    out = run("fit", str(folder / "good.csv"), *NAMES, "--treatment", "t", "--quantiles", "0.1:0.9:0.1")
    assert "Fuzzy distributional regression discontinuity" in out
    assert "nullity on [0.1, 0.9]" in out


def test_fit_json_holds_the_numbers(folder: Path) -> None:
    out = json.loads(
        run(
            *("fit", str(folder / "good.parquet"), *NAMES, "--quantiles", "0.25,0.5,0.75"),
            *("--random-state", "0", "--json"),
        )
    )
    data = pd.read_parquet(folder / "good.parquet")
    fit = r3d(data, y="y", x="x", unit="unit", quantiles=[0.25, 0.5, 0.75], random_state=0)
    back = R3DResult.from_dict(out)
    np.testing.assert_array_equal(back.tau, fit.tau)
    assert back.critical_value == fit.critical_value


def test_fit_writes_everything(folder: Path, tmp_path: Path) -> None:
    run("fit", str(folder / "good.csv"), *NAMES, "--out", str(tmp_path / "new" / "out"))
    out = tmp_path / "new" / "out"
    names = {p.name for p in out.iterdir()}
    assert names == {
        "table.csv",
        "result.json",
        "report.html",
        "effect.png",
        "limits.png",
        "rd.png",
        "running.png",
        "densities.png",
    }
    back = R3DResult.from_dict(json.loads((out / "result.json").read_text()))
    np.testing.assert_allclose(pd.read_csv(out / "table.csv")["tau"], back.tau)
    assert "<svg" in (out / "report.html").read_text()


def test_diagnose(folder: Path, tmp_path: Path) -> None:
    out = run("diagnose", str(folder / "good.csv"), *NAMES, "--out", str(tmp_path))
    assert "placebo cutoffs" in out
    assert (tmp_path / "report.html").exists()
    rows = json.loads(run("diagnose", str(folder / "good.csv"), *NAMES, "--json"))
    assert rows["table"]["columns"] == ["check", "finding", "p_value", "verdict"]


def test_montecarlo(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    out = run(
        "montecarlo",
        "--designs",
        "repo1",
        "--sizes",
        "100",
        "--reps",
        "5",
        "--n-boot",
        "99",
        "--csv",
        str(path),
    )
    assert "2 cells" in out
    assert pd.read_csv(path)["reps"].tolist() == [5, 5]


BROKEN = {
    "nowhere.csv": ("there is no file", []),
    "varies.csv": ("'x' varies inside unit 0", []),
    "one_side.csv": ("no unit lies below the cutoff 0", []),
    "text.csv": ("'y' holds 1 entries that are not numbers (first: 'many')", []),
    "infinite.csv": ("'y' is infinite in 50 rows (units 2)", []),
    "dose.csv": ("'t' takes values other than 0 and 1 (first: 2)", ["--treatment", "t"]),
    "weights.csv": ("weights are negative or infinite", ["--weights", "w"]),
    "few.csv": ("an automatic bandwidth with p=2 needs at least 8 on each side", []),
    "empty.csv": ("the data have no rows", []),
    "broken.parquet": ("'broken.parquet' cannot be read", []),
    "good.csv": ("unit='town' is not a column of 'good.csv'", ["--unit", "town"]),
    "good.parquet": ("--quantiles '5%': give 0.1,0.5,0.9", ["--quantiles", "5%"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input(folder: Path, name: str) -> None:
    words, extra = BROKEN[name]
    with pytest.raises(FiscError) as caught:
        CliRunner().invoke(app, ["fit", str(folder / name), *NAMES, *extra], catch_exceptions=False)
    assert words in str(caught.value)


def test_quantiles() -> None:
    assert parse_quantiles("0.05:0.95:0.05")[-1] == 0.95
    for bad in ("0.1:0.9", "a,b", "0.1:0.9:0", ""):
        with pytest.raises(FiscError, match="--quantiles"):
            parse_quantiles(bad)


def test_help_is_light() -> None:
    code = (
        "import sys; import fisc.cli.r3d; "
        "print([m for m in ('numpy', 'pandas', 'matplotlib', 'torch', 'rdrobust') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
