"""``--json`` is one language: strict JSON that equals the result's `to_dict`, on every command."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import fisc.cli.app as root
from fisc.core import Record

SIMULATION = """
n = 30
years = 2
planner = "hill"
"""


def strict(text: str) -> dict[str, object]:
    """Parse as the strictest reader would: no NaN, no infinity, nothing after the document."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    found: dict[str, object] = json.loads(text, parse_constant=refuse)
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2018-06-01", "2021-06-01")
    levels = 100 * np.cumprod(1 + rng.normal(0, 0.01, (len(days), 4)), axis=0)
    pd.DataFrame(levels, index=days, columns=list("MABC")).rename_axis("date").to_csv(folder / "prices.csv")
    x = np.repeat(rng.uniform(-1, 1, 80), 30)
    frame = pd.DataFrame(
        {"unit": np.repeat(np.arange(80), 30), "x": x, "y": rng.normal(size=2400) + (x >= 0)}
    )
    frame.to_parquet(folder / "micro.parquet")
    (folder / "speech.txt").write_text(
        "2. I propose to double the customs duty on steel to 10 per cent in the coming year.\n\n" * 9
    )
    (folder / "run.toml").write_text(SIMULATION)
    return folder


MICRO = ("{d}/micro.parquet", "--y", "y", "--x", "x", "--unit", "unit", "--quantiles", "0.25,0.5,0.75")
COMMANDS = [
    ("data", "list"),
    ("data", "show", "sp500"),
    ("data", "build", "sectors", "--out", "{d}/built"),
    ("data", "verify", "{d}/built"),
    ("data", "path"),
    ("r3d", "fit", *MICRO),
    ("r3d", "diagnose", *MICRO),
    ("r3d", "montecarlo", "--designs", "repo1", "--sizes", "60", "--reps", "2", "--n-boot", "99"),
    ("economist", "solve", "-n", "30", "--edges", "0,40000", "--restarts", "1"),
    ("economist", "run", "{d}/run.toml", "--out", "{d}/run"),
    ("economist", "run", "{d}/run.toml", "--dry-run"),
    ("economist", "resume", "{d}/run"),
    ("economist", "compare", "-n", "30", "--planner", "hill", "--years", "2"),
    ("basir", "classify", "{d}/speech.txt"),
    ("basir", "rank"),
    ("basir", "events", "{d}/prices.csv", "--market", "M", "--events", "2020-07-01"),
    ("basir", "evaluate", "--folds", "2"),
    ("basir", "train", "--method", "lexical", "--out", "{d}/model"),
    ("portfolio", "backtest", "{d}/prices.csv", "--rule", "equal_daily"),
    ("portfolio", "evaluate", "{d}/prices.csv", "--model", "equal_daily", "--train", "300", "--test", "100"),
    ("report", "runs"),
]


REFORM = ("economist", "reform", "--rates", "0.0,0.15,0.25,0.28,0.35,0.4,0.45", "--by", "filing_status")


@pytest.mark.parametrize(
    "arguments", [*COMMANDS, pytest.param(REFORM, marks=pytest.mark.slow)], ids=lambda a: " ".join(a[:2])
)
def test_json_is_strict_and_restores_the_result(
    arguments: tuple[str, ...], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if arguments is REFORM:
        pytest.importorskip("taxcalc")
    monkeypatch.setenv("FISC_HOME", str(files / "home"))
    root._assemble()
    done = CliRunner().invoke(root.app, [*(a.format(d=files) for a in arguments), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    found = strict(done.stdout)
    kind = record_named(str(found["schema"]))
    assert kind.from_dict(found).to_dict() == found


def record_named(schema: str) -> type[Record]:
    kinds = [Record]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return next(kind for kind in kinds if kind.schema() == schema)


def commands() -> Iterator[tuple[str, typer.models.CommandInfo]]:
    root._assemble()
    for group in root.app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            yield f"{group.name} {command.name or command.callback.__name__.strip('_')}", command


def test_every_command_that_finds_something_has_json() -> None:
    without = {
        name
        for name, command in commands()
        if "as_json" not in inspect.signature(command.callback).parameters
    }
    # These write a file, print what goes into another program, or run until they are stopped.
    pages = {"report site", "report serve"}
    assert without == {"report new", "report schedule", "report install", "report schema"} | pages


def test_options_have_one_name_each() -> None:
    app = get_command(root.app)
    allowed = {"--out": "folder", "--html": "page", "--csv": "table"}
    for name, group in app.commands.items():
        for command in getattr(group, "commands", {name: group}).values():
            for parameter in command.params:
                for option in set(parameter.opts) & set(allowed):
                    assert allowed[option] in (parameter.help or "").lower(), (name, command.name, option)
