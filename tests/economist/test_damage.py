"""Run folders and results that were damaged, swapped or written by somebody else are refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fisc.data import CorruptFileError, DataError, FiscError
from fisc.economist import (
    Comparison,
    Criterion,
    Election,
    Optimum,
    Outcome,
    Persona,
    Simulation,
    SimulationConfig,
    SimulationResult,
    TaxSchedule,
    Workers,
    compare,
    respond,
)

OPTIONS = {
    "n": 40,
    "years": 4,
    "population": "acs",
    "planner": "elected",
    "workers": "bounded",
    "personas": True,
    "election": {"term": 2, "candidates": 3},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    Simulation(SimulationConfig(**OPTIONS, folder=str(folder))).run()
    return folder


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run, tmp_path / "run"))


def deep() -> str:
    return "[" * 100_000 + "]" * 100_000


DAMAGES: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "another type": lambda text: "[1, 2]",
    "null": lambda text: "null",
    "extra key": lambda text: json.dumps({**json.loads(text), "surprise": 1}),
    "missing keys": lambda text: "{}",
    "deep": lambda text: deep(),
    "deep inside": lambda text: '{"run": ' + deep() + "}",
    "huge number": lambda text: '{"run": 1' + "0" * 5000 + "}",
    "not UTF-8": lambda text: "\udcff",
    "words for numbers": lambda text: json.dumps(
        {
            key: "many" if isinstance(value, int | float | list) else value
            for key, value in json.loads(text).items()
        }
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["config.json", "population.json", "laws/0001.json", "laws/0003.json", "ledger.json"]
)
def test_damaged_files_of_a_run_are_errors_in_words(copy: Path, name: str, damage: str) -> None:
    text = (copy / name).read_text()
    (copy / name).write_bytes(DAMAGES[damage](text).encode(errors="surrogateescape"))
    with pytest.raises(FiscError) as caught:
        Simulation.resume(copy)
    assert len(str(caught.value)) < 1000


def test_columns_of_another_kind_are_errors_in_words(copy: Path) -> None:
    file = copy / "steps" / "0002-000.parquet"
    kept = pq.read_table(file)
    for table in (
        pa.table({"hours": ["many"] * 40}),
        pa.table({"ours": np.zeros(40)}),
        pa.table({"hours": np.zeros(3)}).replace_schema_metadata(kept.schema.metadata),
        pa.table({"hours": [[1.0]] * 40}),
    ):
        pq.write_table(table, file)
        with pytest.raises(DataError, match=r"0002-000\.parquet is (damaged|not of the run)"):
            Simulation.resume(copy)
    pq.write_table(
        pa.table({"hours": np.full(40, np.nan)}).replace_schema_metadata(kept.schema.metadata), file
    )
    with pytest.raises(DataError, match="hours must lie in"):
        Simulation.resume(copy)


def test_files_of_another_run_are_refused(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Simulation(SimulationConfig(**{**OPTIONS, "random_state": 1}, folder=str(other))).run()
    for name in (
        "config.json",
        "workers.parquet",
        "population.json",
        "laws/0002.json",
        "steps/0001-000.parquet",
    ):
        mixed = Path(shutil.copytree(copy, tmp_path / "mixed"))
        shutil.copy(other / name, mixed / name)
        with pytest.raises(
            DataError, match=r"is not of the run that config\.json and workers\.parquet describe"
        ):
            Simulation.resume(mixed)
        shutil.rmtree(mixed)
    for name in ("workers.parquet", "population.json"):
        mixed = Path(shutil.copytree(copy, tmp_path / "mixed"))
        (mixed / name).unlink()
        with pytest.raises(CorruptFileError, match=f"{name} is damaged .* put back a copy"):
            Simulation.resume(mixed)
        shutil.rmtree(mixed)


def test_a_run_with_weights_of_its_own_resumes_with_them(tmp_path: Path) -> None:
    workers = Workers.sample(60, population="acs")
    rich = Criterion("weighted", weights=workers.skill)
    config = SimulationConfig(
        n=60, years=4, planner="hill", criterion="weighted", folder=str(tmp_path / "run")
    )
    whole = Simulation(config, workers=workers, criterion=rich).run()
    assert whole.config["criterion"] == "weighted"
    for name in ("laws/0003.json", "steps/0003-000.parquet"):
        (tmp_path / "run" / name).unlink()
    assert Simulation.resume(tmp_path / "run").state_fingerprint() == whole.state_fingerprint()
    with pytest.raises(DataError, match="needs weights"):
        Simulation(config)
    with pytest.raises(DataError, match=r"names the criterion 'weighted' .* 'log'"):
        Simulation(config, workers=workers, criterion=Criterion("log"))


def test_an_election_of_few_workers_can_be_kept(tmp_path: Path) -> None:
    config = SimulationConfig(**{**OPTIONS, "n": 4}, folder=str(tmp_path / "run"))
    result = Simulation(config).run()
    assert np.isfinite(result.elections[0].gain_by_decile).all()
    assert Simulation.resume(tmp_path / "run").state_fingerprint() == result.state_fingerprint()


@pytest.fixture(scope="module")
def results(run: Path) -> list[object]:
    workers = Workers.sample(30, population="acs", personas=True)
    assert workers.personas is not None
    side_by_side = compare(workers, planners=("hill",), years=3, restarts=1)
    simulated = SimulationResult.from_dict(json.loads((run / "result.json").read_text()))
    law = TaxSchedule.us_federal(2024)
    found = [
        side_by_side,
        side_by_side.optimum,
        simulated,
        simulated.elections[0],
        respond(workers, law),
        law,
    ]
    return [*found, workers.personas[0]]


def test_every_result_survives_json_and_refuses_what_is_not_its_own(results: list[object]) -> None:
    kinds = (Comparison, Optimum, SimulationResult, Election, Outcome, TaxSchedule, Persona)
    for held, kind in zip(results, kinds, strict=True):
        values = json.loads(held.to_json())  # type: ignore[attr-defined]
        assert kind.from_dict(values) == held
        name = next(key for key in values if key != "schema" and not isinstance(values[key], dict))
        for bad in (
            {**values, "surprise": 1},
            {key: value for key, value in values.items() if key != name},
            {**values, name: {"no": "such"}},
            {**values, "schema": "fisc.economist.Nothing/1"},
            [],
            None,
        ):
            with pytest.raises(FiscError):
                kind.from_dict(bad)  # type: ignore[arg-type]


def test_schedules_are_read_from_what_people_write_by_hand() -> None:
    law = TaxSchedule.from_dict({"edges": [0, 10_000], "rates": [0, 0.5]})
    assert law == TaxSchedule([0.0, 10_000.0], [0.0, 0.5])
    with pytest.raises(DataError, match="edges must increase"):
        TaxSchedule.from_dict({"edges": [0, 0], "rates": [0, 0.5]})
