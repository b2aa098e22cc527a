"""The optimum: against the stored ones, closed forms, and its own certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from fisc.data import DataError
from fisc.economist import Criterion, Optimum, TaxSchedule, Workers, optimal_schedule, respond, welfare
from fisc.economist.evolution_search import evolve_rates
from fisc.economist.objective import WelfareOfRates
from fisc.economist.options import CriterionName

#: Share of the gap from US law to the stored robust optimum.
TARGET = 0.999
QUICK = (
    "N2_a|two_5000|invinc_fixed|paper",
    "ACS100_s11|US2024|invinc_fixed|calib",
    "ACS100_s11|US2024|rawls|invert",
    "ACS100_s11|US2024|log|calib|grid10",
    "GB2_100_s42|three|log|paper",
)


def closed(case, best: Optimum) -> float:  # type: ignore[no-untyped-def]
    again = welfare(respond(case.workers, best.schedule), case.workers, case.data["swf"])
    assert again == best.welfare
    return float(case.gap(again))


@pytest.mark.parametrize("name", QUICK)
def test_stored_optima_are_reached(cases: dict, name: str) -> None:
    case = cases[name]
    best = optimal_schedule(case.workers, case.data["edges"], case.data["swf"])
    assert closed(case, best) >= TARGET
    assert case.gap(best.certificate.worst_nearby) >= TARGET - 5e-4  # as robust as the stored one


@pytest.mark.slow
def test_all_stored_optima_are_reached(cases: dict) -> None:
    usable = [case for case in cases.values() if case.usable]
    assert len(usable) == 24
    for case in usable:
        best = optimal_schedule(case.workers, case.data["edges"], case.data["swf"])
        assert closed(case, best) >= TARGET, case.name


def test_flat_optima_in_closed_form(vectors: Path) -> None:
    stored = json.loads((vectors / "n2_closed_form.json").read_text())
    workers = Workers(stored["skills"], stored["c"], stored["delta"])
    for criterion, rate, value in (
        ("inverse_income", "t_star_invinc_fixed", "W_star_invinc_fixed"),
        ("log", "t_star_log", "W_star_log"),
        ("utilitarian", "t_star_utilitarian", "W_star_utilitarian"),
        ("rawls", "t_star_rawls", None),
    ):
        best = optimal_schedule(workers, [0.0], criterion, restarts=2)
        assert best.schedule.rates[0] == pytest.approx(stored[rate], abs=1e-5)
        if value is not None:
            assert best.welfare == pytest.approx(stored[value], rel=1e-9)


def test_the_optimum_is_the_same_whatever_the_number_of_jobs(people) -> None:  # type: ignore[no-untyped-def]
    one = optimal_schedule(people(), [0, 40_000], "log", restarts=2, n_jobs=1)
    two = optimal_schedule(people(), [0, 40_000], "log", restarts=2, n_jobs=2)
    assert one.schedule == two.schedule
    assert one.certificate == two.certificate


def test_the_certificate_holds(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(100)
    best = optimal_schedule(workers, [0, 30_000, 90_000], "inverse_income")
    proof = best.certificate
    assert proof.grid_best is not None
    assert best.welfare >= proof.grid_best
    assert proof.agreeing >= 2
    assert proof.worst_nearby <= best.welfare <= proof.supremum
    rng = np.random.default_rng(0)
    for _ in range(200):
        moved = np.clip(best.schedule.rates + rng.uniform(-1e-4, 1e-4, 3), 0.0, 1.0)
        value = welfare(respond(workers, best.schedule.with_rates(moved)), workers, "inverse_income")
        assert value >= proof.worst_nearby - 1e-3 * abs(best.welfare - proof.worst_nearby) - 1e-6


def test_large_populations_are_searched_by_sample_and_polished_whole() -> None:
    workers = Workers.sample(5000, population="acs", seed=1)
    best = optimal_schedule(workers, [0, 30_000, 90_000], "inverse_income", restarts=1)
    flat = max(
        welfare(respond(workers, TaxSchedule.flat(r, [0, 30_000, 90_000])), workers, "inverse_income")
        for r in np.linspace(0.5, 0.8, 16)
    )
    assert best.welfare > flat


def test_results_go_to_json_and_back(people) -> None:  # type: ignore[no-untyped-def]
    best = optimal_schedule(people(20), [0.0], "rawls", restarts=1)
    again = Optimum.from_dict(json.loads(json.dumps(best.to_dict())))
    assert again == best
    assert "restarts agree" in best.summary()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"restarts": 0}, "restarts=0; give a whole number of at least 1"),
        ({"tolerance": 0.0}, "tolerance=0.0; give a change of each rate, a number above 0"),
    ],
)
def test_bad_options_are_refused(people, options: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(DataError, match=message):
        optimal_schedule(people(5), [0.0], "log", **options)
    with pytest.raises(DataError, match="edges must start at 0"):
        optimal_schedule(people(5), [10.0], "log")


@pytest.mark.parametrize("criterion", ["inverse_income", "log"])
def test_the_gradient_finds_what_evolution_finds(criterion: str) -> None:
    people = Workers.sample(25_000, "acs").with_weights(np.random.default_rng(0).uniform(0.2, 3.0, 25_000))
    edges = [0.0, 15_000.0, 60_000.0, 200_000.0]
    best = optimal_schedule(people, edges, criterion)
    objective = WelfareOfRates(people, edges, criterion)
    other, _, _ = evolve_rates(objective, 0, restarts=1, tolerance=1e-4)
    none = objective(np.zeros((1, 4)))[0]
    assert best.welfare - none >= (1 - 1e-5) * (other.welfare - none)
    assert best.certificate.agreeing >= 2
    assert best.certificate.worst_nearby <= best.welfare
    assert best.certificate.supremum >= best.welfare


def test_the_result_says_how_welfare_was_computed() -> None:
    workers = Workers.sample(60)
    best = optimal_schedule(workers, [0.0], "log", restarts=1)
    assert best.path == "sums over sorted workers"
    assert best.path in best.summary()
    on_grid = Workers.sample(60, hours_grid=np.arange(0.0, 101.0, 10.0))
    path = optimal_schedule(on_grid, [0.0], "log", restarts=1).path
    assert path == "every worker asked: hours come from a grid"
    two = Workers([500.0, 3000.0], [0.02, 1e-5])  # the second reaches the cap
    assert "1 workers would reach the cap" in optimal_schedule(two, [0.0], "log", restarts=1).path
    older = {key: value for key, value in best.to_dict().items() if key != "path"}
    assert Optimum.from_dict(older).path == ""


def test_credits_on_earnings_are_found_where_they_are_allowed() -> None:
    workers = Workers.sample(300, "acs", max_hours=1e4)
    income = respond(workers, TaxSchedule.us_federal(2024)).income
    middle = Criterion("weighted", ((income > 20_000.0) & (income < 60_000.0)).astype(float))
    edges = [0.0, 20_000.0, 60_000.0]
    zero = optimal_schedule(workers, edges, middle, restarts=2)
    assert zero.schedule.rates.min() == 0.0
    paid = optimal_schedule(workers, edges, middle, restarts=2, lowest_rate=-0.5)
    assert paid.schedule.rates.min() < -0.05
    assert paid.welfare > zero.welfare
    assert paid.schedule.lowest == -0.5
    assert Optimum.from_dict(paid.to_dict()) == paid
    with pytest.raises(DataError, match=r"lowest_rate=0.2; give a finite number"):
        optimal_schedule(workers, edges, middle, lowest_rate=0.2)


@pytest.mark.parametrize("n", [100, 3_000, 100_000])
@pytest.mark.parametrize("population", ["gb2", "acs"])
def test_sums_over_sorted_workers_are_what_asking_each_gives(population: str, n: int) -> None:
    rng = np.random.default_rng(n)
    weights = rng.uniform(0.0, 3.0, n)
    weights[rng.uniform(size=n) < 0.1] = 0.0
    workers = Workers.sample(n, population).with_weights(weights)
    rates = rng.uniform(size=(8 if n > 50_000 else 60, 7))
    for criterion in get_args(CriterionName):
        objective = WelfareOfRates(workers, TaxSchedule.us_federal(2024).edges, criterion)
        assert objective.sorted is not None
        np.testing.assert_allclose(objective(rates), objective.by_asking(rates), rtol=1e-11)
