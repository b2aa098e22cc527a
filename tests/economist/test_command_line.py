"""The command group `fisc economist`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fisc.cli.economist import app
from fisc.data import DataError
from fisc.economist import Workers, respond, welfare
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
    from fisc.economist import Optimum

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
        (("run", "nowhere.toml"), "there is no file nowhere.toml"),
    ],
)
def test_bad_calls_are_explained(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(*arguments)


def test_unknown_names_are_refused_with_those_that_exist() -> None:
    result = CliRunner().invoke(app, ["solve", "--criterion", "rawl"])
    assert result.exit_code == 2
    assert "'rawls'" in result.output
