"""Planners that see only published tables: what they reach, and that they see no more."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.economist import Criterion, TaxSchedule, Workers, respond, welfare
from fisc.economist.observation import Observation, WageClasses, observe
from fisc.economist.planners import (
    BehaviouralModel,
    EvolutionPlanner,
    FixedPlanner,
    GaussianProcessPlanner,
    HillClimbingPlanner,
    Planner,
    RandomPlanner,
    StructuralPlanner,
    Task,
)

PLANNERS: list[Planner] = [
    StructuralPlanner(),
    GaussianProcessPlanner(),
    EvolutionPlanner(),
    HillClimbingPlanner(),
    RandomPlanner(),
    FixedPlanner(),
]


def govern(workers: Workers, task: Task, planner: Planner) -> list[Observation]:
    classes = WageClasses.of(workers)
    past: list[Observation] = []
    rates = np.full(task.brackets, 0.5)
    for year in range(task.years):
        if year:
            rates = planner.decide(past, task, np.random.default_rng([task.random_state, year]))
        law = TaxSchedule(task.edges, rates)
        outcome = respond(workers, law)
        past.append(observe(year, law, outcome, classes, welfare(outcome, workers, task.criterion)))
    return past


def stored_task(case, years: int, seed: int = 0) -> Task:  # type: ignore[no-untyped-def]
    workers = case.workers
    edges = np.array(case.data["edges"])
    return Task(
        edges, Criterion(case.data["swf"]), years, max(1, years // 10), seed, 100.0, workers.hours_grid
    )


@pytest.mark.parametrize("name", ["GB2_1000_s21|US2024|log|calib", "ACS100_s11|US2024|invinc_fixed|paper"])
def test_the_bayesian_planner_closes_the_gap_from_tables_alone(cases: dict, name: str) -> None:
    case = cases[name]
    past = govern(case.workers, stored_task(case, 12), StructuralPlanner())
    assert case.gap(past[-1].welfare) >= 0.99


@pytest.mark.slow
def test_the_bayesian_planner_on_every_us_case(cases: dict) -> None:
    wanted = [
        c for c in cases.values() if c.usable and len(c.data["edges"]) == 7 and c.workers.hours_grid is None
    ]
    assert len(wanted) == 14
    for case in wanted:
        last = [
            case.gap(govern(case.workers, stored_task(case, 40, seed), StructuralPlanner())[-1].welfare)
            for seed in range(5)
        ]
        assert np.median(last) >= 0.99, case.name


def test_it_learns_the_curvature_and_the_costs(cases: dict) -> None:
    case = cases["GB2_1000_s21|US2024|log|calib"]
    task = stored_task(case, 6)
    model = BehaviouralModel.fit(govern(case.workers, task, StructuralPlanner()), task)
    assert model.delta == pytest.approx(3.5, abs=0.15)
    np.testing.assert_allclose(np.log(np.median(model.workers.cost) / case.workers.cost[0]), 0.0, atol=0.6)
    assert model.misfit < 0.2


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: p.name)
def test_every_planner_proposes_lawful_rates_and_repeats_itself(people, planner: Planner) -> None:  # type: ignore[no-untyped-def]
    task = Task(np.array([0.0, 30_000.0, 90_000.0]), Criterion("log"), 9, 1, random_state=2)
    one, two = govern(people(), task, planner), govern(people(), task, planner)
    for first, second in zip(one, two, strict=True):
        assert np.array_equal(first.rates, second.rates)
        assert ((first.rates >= 0.0) & (first.rates <= 1.0)).all()
    assert one[-1].welfare == max(seen.welfare for seen in one)  # the last year keeps the best law


@pytest.mark.parametrize(
    "planner", [StructuralPlanner(), EvolutionPlanner(), RandomPlanner()], ids=lambda p: p.name
)
def test_seeds_matter_and_nothing_else(people, planner: Planner) -> None:  # type: ignore[no-untyped-def]
    edges = np.array([0.0, 30_000.0, 90_000.0])
    one = govern(people(), Task(edges, Criterion("log"), 6, 0, random_state=1), planner)
    two = govern(people(), Task(edges, Criterion("log"), 6, 0, random_state=2), planner)
    assert not np.array_equal(one[-1].rates, two[-1].rates)


def test_planners_that_learn_beat_the_control(people) -> None:  # type: ignore[no-untyped-def]
    task = Task(np.array([0.0, 30_000.0, 90_000.0]), Criterion("inverse_income"), 20, 2, random_state=0)
    workers = people(300)
    reached = {p.name: govern(workers, task, p)[-1].welfare for p in PLANNERS if p.name != "gp"}
    assert reached["bayesian"] > reached["hill"] > reached["fixed"]
    assert reached["cmaes"] > reached["fixed"]
    assert reached["bayesian"] > reached["random"]


def test_observations_hold_tables_and_no_person(people) -> None:  # type: ignore[no-untyped-def]
    workers = people(5000)
    law = TaxSchedule.us_federal(2024)
    seen = observe(0, law, respond(workers, law), WageClasses.of(workers), 1.0)
    assert all(np.size(value) <= 41 for value in vars(seen).values())
    assert seen.class_count.sum() == seen.bracket_count.sum() == seen.income_count.sum() == 5000
    again = Observation.from_dict(seen.to_dict())
    assert np.array_equal(again.class_hours, seen.class_hours)
    total = np.sum(seen.class_count * seen.class_income)
    assert total == pytest.approx(5000 * seen.mean_income) == pytest.approx(seen.bracket_income.sum())
