"""The command group `fisc economist`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from fisc.cli.economist import app
from fisc.data import DataError
from fisc.economist import Optimum, Workers, respond, welfare
from fisc.economist.schedule import TaxSchedule

CONFIG = """
n = 60
years = 4
planner = "hill"
workers = "language"
[model]
batch = 10
price_prompt = 1.0
"""


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_solve_prints_what_the_library_finds(tmp_path: Path) -> None:
    options = ("solve", "-n", "50", "--edges", "0,40000", "--criterion", "log", "--restarts", "1")
    found = json.loads(call(*options, "--json"))
    page = tmp_path / "optimum.html"
    text = call(*options, "--html", str(page))
    assert "1 of 1 restarts agree" in text
    assert "<svg" in page.read_text()
    best = Optimum.from_dict(found)
    workers = Workers.sample(50)
    assert best.welfare == welfare(respond(workers, best.schedule), workers, "log")
    assert best.schedule.edges.tolist() == [0.0, 40_000.0]


def test_run_stop_and_resume(tmp_path: Path) -> None:
    file, folder = tmp_path / "run.toml", tmp_path / "run"
    file.write_text(CONFIG)
    estimate = json.loads(call("run", str(file), "--dry-run", "--json"))
    assert estimate["requests"] == 4 * 6
    assert not folder.exists()
    whole = json.loads(call("run", str(file), "--json"))
    file.write_text(CONFIG + "budget_requests = 9\n")
    stopped = json.loads(call("run", str(file), "--out", str(folder), "--json"))
    assert stopped["status"] == "stopped"
    assert "budget of 9 requests" in stopped["fault"]
    resumed = json.loads(call("resume", str(folder), "--budget-tokens", "1000000", "--json"))
    assert resumed["status"] == "done"
    assert resumed["schedule"] == whole["schedule"]
    assert resumed["welfare"] == whole["welfare"]


def test_compare_shows_every_schedule() -> None:
    found = json.loads(call("compare", "-n", "60", "--planner", "hill", "--years", "3", "--json"))
    assert {"US 2024", "hill", "Saez, measured", "optimum"} <= set(found["schedules"])
    assert TaxSchedule.from_dict(found["schedules"]["US 2024"]) == TaxSchedule.us_federal(2024)
    assert "Saez, measured" in call("compare", "-n", "60", "--planner", "random", "--years", "2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("solve", "--edges", "a,b"), "--edges must be numbers with commas"),
        (("solve", "--edges", "10,20"), "edges must start at 0"),
        (("resume", "nowhere"), "nowhere holds no run"),
        (
            ("solve", "--population", "nowhere.parquet", "--income", "wages"),
            "there is no file nowhere.parquet",
        ),
        (("solve", "--population", "cps"), "--population='cps' is not an option"),
        (("solve", "--population", __file__, "--income", "wages"), "cannot be read as a table"),
        (("solve", "--population", __file__), "which column of .* holds the earnings"),
        (("solve", "--population", __file__, "-n", "5"), "--workers draws a sample"),
        (("solve", "--income", "wages"), "are columns of a file"),
        (("solve", "--elasticity", "0"), "--elasticity=0"),
        (("solve", "--lowest-rate", "0.1"), "lowest_rate=0.1"),
        (("compare", "--planner", "nobody"), "planners='nobody' is not an option"),
        (("run", "nowhere.toml"), "there is no file nowhere.toml"),
    ],
)
def test_bad_calls_are_explained(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(*arguments)


def survey(tmp_path: Path, suffix: str) -> Path:
    frame = pd.DataFrame(
        {"wages": [9e3, 3e4, 6e4, 2e5], "people": [4, 3, 2, 1], "rate": [0.1, 0.12, 0.22, 0.32]}
    )
    file = tmp_path / f"survey{suffix}"
    if suffix == ".csv":
        frame.to_csv(file, index=False)
    else:
        frame.to_parquet(file)
    return file


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_people_come_from_a_survey(tmp_path: Path, suffix: str) -> None:
    file = survey(tmp_path, suffix)
    options = ("--income", "wages", "--weight", "people", "--marginal-rate", "rate", "--elasticity", "0.25")
    rest = ("--edges", "0", "--criterion", "log", "--restarts", "1")
    best = Optimum.from_dict(json.loads(call("solve", "--population", str(file), *options, *rest, "--json")))
    frame = pd.read_csv(file) if suffix == ".csv" else pd.read_parquet(file)
    workers = Workers.from_frame(
        frame, income="wages", weight="people", marginal_rate="rate", elasticity=0.25
    )
    assert best.welfare == welfare(respond(workers, best.schedule), workers, "log")
    assert "4 workers for 10 people" in call("solve", "--population", str(file), *options, *rest)


def test_the_elasticity_and_the_lowest_rate_are_those_asked_for() -> None:
    rest = ("-n", "40", "--edges", "0,30000", "--criterion", "utilitarian", "--restarts", "1")
    text = call("solve", "--elasticity", "0.25", "--lowest-rate", "-0.5", *rest)
    assert "elasticity 0.25" in text
    assert "sums over sorted workers" in text


def test_any_planner_can_be_compared() -> None:
    planners = [part for name in ("language", "elected", "fixed") for part in ("--planner", name)]
    found = json.loads(call("compare", "-n", "40", *planners, "--years", "3", "--json"))
    assert {"language", "elected", "fixed"} <= set(found["schedules"])


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    result = CliRunner().invoke(app, ["solve", "--criterion", "rawl"])
    assert result.exit_code == 2
    assert "'rawls'" in result.output
