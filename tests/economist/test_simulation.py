"""Simulations: determinism, the run folder, kill and resume, budgets, configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fisc.core import InUseError
from fisc.core.files import locked
from fisc.data import CorruptFileError, DataError, OptionError
from fisc.economist import Simulation, SimulationConfig, SimulationResult, TaxSchedule, Workers
from fisc.llm import Budget, BudgetError

SHORT = {"n": 60, "years": 5, "population": "acs"}
KINDS = {
    "bayesian": {"planner": "bayesian"},
    "elected, bounded": {
        "planner": "elected",
        "workers": "bounded",
        "personas": True,
        "steps_per_year": 3,
        "election": {"term": 2, "candidates": 3},
    },
    "language": {"planner": "language", "workers": "language", "personas": True, "steps_per_year": 2},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_changes_nothing_and_a_resumed_run_is_the_same(kind: str, tmp_path: Path) -> None:
    whole = Simulation(SimulationConfig(**SHORT, **KINDS[kind])).run()
    kept = Simulation(SimulationConfig(**SHORT, **KINDS[kind], folder=str(tmp_path / "run"))).run()
    assert kept.state_fingerprint() == whole.state_fingerprint()
    # Forget the second half, and half a year besides, as if the run had been killed there.
    for name in ("laws/0003.json", "laws/0004.json", "years/0002.json", "years/0003.json", "years/0004.json"):
        (tmp_path / "run" / name).unlink()
    for file in (tmp_path / "run" / "steps").glob("000[34]-*"):
        file.unlink()
    if kind != "bayesian":
        (tmp_path / "run" / "steps" / "0002-001.parquet").unlink()
    (tmp_path / "run" / "result.json").unlink()
    resumed = Simulation.resume(tmp_path / "run")
    assert resumed.state_fingerprint() == whole.state_fingerprint()
    assert [e.summary() for e in resumed.elections] == [e.summary() for e in whole.elections]


RUNNER = """
import sys
from fisc.economist import Simulation, SimulationConfig
config = SimulationConfig(n=400, years=80, population="acs", planner="hill", workers="bounded",
                          personas=True, steps_per_year=4, folder=sys.argv[1], seed=7)
Simulation(config).run()
"""


def test_kill_minus_nine_at_a_random_step_then_resume(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(folder)])
    wanted = int(rng.integers(3, 250))
    deadline = time.monotonic() + 120.0
    while len(list((folder / "steps").glob("*.parquet"))) < wanted:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run does not get anywhere"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists()
    resumed = Simulation.resume(folder)
    config = SimulationConfig(**{**resumed.config, "folder": None})
    assert resumed.state_fingerprint() == Simulation(config).run().state_fingerprint()


def test_same_seed_same_bits_other_seed_others() -> None:
    one = Simulation(SimulationConfig(**SHORT, planner="random", seed=1)).run()
    two = Simulation(SimulationConfig(**SHORT, planner="random", seed=1)).run()
    other = Simulation(SimulationConfig(**SHORT, planner="random", seed=2)).run()
    assert one.state_fingerprint() == two.state_fingerprint() != other.state_fingerprint()


def test_rates_keep_to_their_grid_and_their_pace() -> None:
    config = SimulationConfig(**SHORT, planner="random", rate_step=0.1, max_change=0.2)
    rates = Simulation(config).run().rates
    np.testing.assert_allclose(rates * 10, np.round(rates * 10), atol=1e-9)
    assert np.abs(np.diff(rates, axis=0)).max() <= 0.2 + 1e-9


def test_the_first_law_and_the_warm_up() -> None:
    config = SimulationConfig(**SHORT, planner="random", initial="us", warmup_years=3, settled=0.0)
    rates = Simulation(config).run().rates
    for year in range(3):
        np.testing.assert_array_equal(rates[year], TaxSchedule.us_federal(2024).rates)
    assert not np.array_equal(rates[3], rates[2])
    given = SimulationConfig(**SHORT, edges=(0.0, 50_000.0), initial=(0.1, 0.2), planner="fixed")
    np.testing.assert_array_equal(Simulation(given).run().rates, [[0.1, 0.2]] * 5)


def test_a_population_of_ones_own(tmp_path: Path) -> None:
    workers = Workers([300.0, 900.0, 2500.0], 0.02, hours_grid=[0.0, 20.0, 40.0, 60.0])
    config = SimulationConfig(years=3, planner="hill", folder=str(tmp_path / "own"))
    result = Simulation(config, workers=workers).run()
    assert set(result.outcome.hours) <= {0.0, 20.0, 40.0, 60.0}
    (tmp_path / "own" / "years" / "0002.json").unlink()
    (tmp_path / "own" / "steps" / "0002-000.parquet").unlink()
    assert Simulation.resume(tmp_path / "own").state_fingerprint() == result.state_fingerprint()


def test_a_budget_stops_the_run_cleanly_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    options = {**SHORT, "planner": "hill", "workers": "language", "years": 6}
    whole = Simulation(SimulationConfig(**options)).run()
    limited = {**options, "folder": str(tmp_path / "run"), "model": {"budget_requests": 10}}
    stopped = Simulation(SimulationConfig(**limited)).run()
    assert stopped.status == "stopped"
    assert "budget of 10 requests reached" in stopped.fault
    assert 1 <= stopped.years < 6
    resumed = Simulation.resume(tmp_path / "run", budget=Budget())
    assert resumed.status == "done"
    assert resumed.state_fingerprint() == whole.state_fingerprint()
    assert resumed.ledger is not None
    assert whole.ledger is not None
    assert resumed.ledger["requests"] == whole.ledger["requests"]


def test_a_budget_too_small_for_one_year_is_an_error() -> None:
    config = SimulationConfig(**SHORT, workers="language", planner="hill", model={"budget_tokens": 50})
    with pytest.raises(BudgetError, match="budget of 50 tokens reached"):
        Simulation(config).run()


def test_an_estimate_asks_nothing_and_is_about_right() -> None:
    config = SimulationConfig(
        **SHORT, **KINDS["language"], model={"price_prompt": 1.0, "price_completion": 2.0}
    )
    estimate = Simulation(config).estimate()
    ledger = Simulation(config).run().ledger
    assert ledger is not None
    assert abs(estimate.requests - ledger["requests"]) <= 1
    assert estimate.prompt_tokens == pytest.approx(ledger["prompt_tokens"], rel=0.3)
    assert estimate.cost == pytest.approx((estimate.prompt_tokens + 2 * estimate.completion_tokens) / 1e6)
    assert Simulation(SimulationConfig(**SHORT)).estimate().requests == 0


def test_results_go_to_json_and_back_and_know_their_gap(tmp_path: Path) -> None:
    config = SimulationConfig(**SHORT, planner="bayesian", reference=True, folder=str(tmp_path / "run"))
    result = Simulation(config).run()
    again = SimulationResult.from_dict(json.loads((tmp_path / "run" / "result.json").read_text()))
    assert again.state_fingerprint() == result.state_fingerprint()
    assert again.summary() == result.summary()
    assert result.gap_closed().max() <= 1.001
    assert "gap closed" in result.summary()
    assert len(result.to_frame()) == 5
    plain = Simulation(SimulationConfig(**SHORT, planner="fixed")).run()
    with pytest.raises(DataError, match="reference=True"):
        plain.gap_closed()


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    config = SimulationConfig(**SHORT, planner="fixed", folder=str(tmp_path / "run"))
    Simulation(config).run()
    with pytest.raises(DataError, match=r"already holds a run; resume it"):
        Simulation(config).run()
    with pytest.raises(DataError, match="holds no run"):
        Simulation.resume(tmp_path / "other")
    (tmp_path / "run" / "steps" / "0001-000.parquet").write_bytes(b"half a file")
    with pytest.raises(CorruptFileError, match=r"0001-000\.parquet is damaged"):
        Simulation.resume(tmp_path / "run")


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    Simulation(SimulationConfig(**SHORT, planner="fixed", folder=str(tmp_path / "run"))).run()
    with (
        locked(tmp_path / "run" / "config.json"),
        pytest.raises(InUseError, match="in use by another process"),
    ):
        Simulation.resume(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plannr = 'gp'", "plannr is not a key of the configuration; did you mean 'planner'"),
        ("[model]\ntemprature = 0", "model.temprature is not a key .* did you mean 'temperature'"),
        ("[election]\nterms = 3", "election.terms is not a key .* did you mean 'term'"),
        ("planner = 'gpt'", "planner='gpt' in the configuration"),
        ("years = 0", "years=0 in the configuration"),
        ("years = 'many'", "years='many' in the configuration"),
        ("years = ", "is not valid TOML"),
    ],
)
def test_bad_configurations_are_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        SimulationConfig.from_toml(file)


def test_configurations_that_make_no_sense_together() -> None:
    with pytest.raises(DataError, match="there is no file"):
        SimulationConfig.from_toml("nowhere.toml")
    with pytest.raises(OptionError, match="did you mean 'log'"):
        Simulation(SimulationConfig(criterion="lgo"))
    with pytest.raises(DataError, match="candidates=5 exceeds the 3 workers"):
        Simulation(SimulationConfig(n=3, planner="elected"))
    with pytest.raises(DataError, match="7 edges but 2 rates"):
        Simulation(SimulationConfig(initial=(0.1, 0.2)))
