"""Weighted workers: whole weights give what repeated workers give, everywhere; bad weights are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError, DataWarning, OptionError
from fisc.economist import (
    Criterion,
    Simulation,
    SimulationConfig,
    TaxSchedule,
    Workers,
    hold_election,
    optimal_schedule,
    paper_saez_schedule,
    respond,
    saez_schedule,
    welfare,
)
from fisc.economist.arrays import mean_by_decile
from fisc.economist.elections import count_votes, platform
from fisc.economist.objective import WelfareOfRates
from fisc.economist.observation import WageClasses, observe

LAW = TaxSchedule([0.0, 12_000.0, 50_000.0], [0.1, 0.45, 0.3])
NAMES = ("inverse_income", "log", "utilitarian", "rawls", "crra", "paper_live", "paper_live1000")
GRIDS = (None, np.arange(0.0, 101.0, 10.0))


def pair(grid: np.ndarray | None = None, n: int = 60) -> tuple[Workers, Workers, np.ndarray]:
    """Return weighted workers, the same people one by one, and who is who."""
    rng = np.random.default_rng(7)
    skill = np.exp(rng.normal(6.8, 0.9, n))
    skill[0] = 1.0  # the poorest of all, whom nobody is
    cost = 0.02 * np.exp(rng.normal(0.0, 0.3, n))
    weights = rng.integers(0, 5, n).astype(float)
    weights[0] = 0.0
    people = np.repeat(np.arange(n), weights.astype(int))
    weighted = Workers(skill, cost, hours_grid=grid, weights=weights)
    return weighted, Workers(skill[people], cost[people], hours_grid=grid), people


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("engine", ["compiled", "numpy"])
def test_the_outcome_is_that_of_the_people_one_by_one(grid: np.ndarray | None, engine: str) -> None:
    weighted, each, people = pair(grid)
    one, many = respond(weighted, LAW, engine=engine), respond(each, LAW, engine=engine)
    assert one.rebate == pytest.approx(many.rebate, rel=1e-13)
    np.testing.assert_allclose(one.utility[people], many.utility, rtol=1e-13)
    for name in ("hours", "income", "tax", "utility"):
        assert one.mean(name) == pytest.approx(many.mean(name), rel=1e-13)
    assert one.not_working == pytest.approx(many.not_working)
    assert one.summary().split(";")[1:] == many.summary().split(";")[1:]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", NAMES)
def test_welfare_is_that_of_the_people_one_by_one(name: str, grid: np.ndarray | None) -> None:
    weighted, each, _ = pair(grid)
    value = welfare(respond(each, LAW), each, name)
    assert welfare(respond(weighted, LAW), weighted, name) == pytest.approx(value, rel=1e-12)
    assert WelfareOfRates(weighted, LAW.edges, name)(LAW.rates[None])[0] == pytest.approx(value, rel=1e-12)


def test_weights_of_an_own_criterion_are_for_each_person() -> None:
    weighted, each, people = pair()
    own = np.linspace(0.0, 2.0, weighted.n)
    one, many = Criterion("weighted", own), Criterion("weighted", own[people])
    value = welfare(respond(each, LAW), each, many)
    assert welfare(respond(weighted, LAW), weighted, one) == pytest.approx(value, rel=1e-12)
    assert WelfareOfRates(weighted, LAW.edges, one)(LAW.rates[None])[0] == pytest.approx(value, rel=1e-12)
    nobody = Criterion("weighted", np.eye(weighted.n)[0])
    with pytest.raises(DataError, match="weighs nobody who is there"):
        welfare(respond(weighted, LAW), weighted, nobody)


def test_deciles_hold_a_tenth_of_the_people() -> None:
    weighted, each, people = pair()
    gain = np.sin(np.arange(weighted.n))
    one = mean_by_decile(gain, weighted.skill, weighted.weights)
    np.testing.assert_allclose(one, mean_by_decile(gain[people], each.skill), rtol=1e-12)
    assert mean_by_decile(np.arange(40.0), np.arange(40.0)).tolist() == (1.5 + 4 * np.arange(10)).tolist()


@pytest.mark.parametrize("rule", ["plurality", "borda"])
def test_a_worker_votes_for_everybody_it_stands_for(rule: str) -> None:
    weighted, _, people = pair()
    utility = np.random.default_rng(0).integers(0, 3, (4, weighted.n)).astype(float)
    np.testing.assert_allclose(
        count_votes(utility, rule, weighted.weights), count_votes(utility[:, people], rule), rtol=1e-12
    )


@pytest.mark.parametrize("motive", ["selfish", "benevolent"])
def test_a_candidate_promises_what_the_people_want(motive: str) -> None:
    weighted, each, people = pair()
    position = 17
    options = {"criterion": Criterion("log"), "motive": motive}
    one = platform(weighted, LAW.edges, LAW.rates, int(people[position]), **options)
    np.testing.assert_allclose(one, platform(each, LAW.edges, LAW.rates, position, **options), atol=1e-9)


def test_nobody_stands_who_is_not_there() -> None:
    weighted, _, _ = pair()
    absent = np.flatnonzero(weighted.weights == 0.0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        held = hold_election(weighted, LAW, Criterion("log"), rng, candidates=3)
        assert not set(held.candidates) & set(absent.tolist())
        assert held.scores.sum() == pytest.approx(weighted.people)
    two = weighted.with_weights([1.0, 1.0, *np.zeros(weighted.n - 2)])
    with pytest.raises(DataError, match=r"candidates=3; .* at most 2"):
        hold_election(two, LAW, Criterion("log"), np.random.default_rng(0), candidates=3)


def test_what_is_published_of_a_year_counts_people() -> None:
    weighted, each, _ = pair()
    one, many = (
        observe(3, LAW, respond(held, LAW), WageClasses.of(held), 1.0).to_dict() for held in (weighted, each)
    )
    for name, value in many.items():
        if name != "schema":
            np.testing.assert_allclose(one[name], value, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("elasticity", ["measured", 0.3])
@pytest.mark.parametrize("name", ["inverse_income", "log", "rawls"])
def test_saez_rates_are_those_of_the_people_one_by_one(name: str, elasticity: float) -> None:
    weighted, each, _ = pair()
    one, many = (saez_schedule(held, LAW.edges, name, elasticity=elasticity) for held in (weighted, each))
    np.testing.assert_allclose(one.rates, many.rates, atol=1e-9)
    np.testing.assert_allclose(
        paper_saez_schedule(weighted, LAW.edges).rates, paper_saez_schedule(each, LAW.edges).rates, atol=1e-9
    )


def test_the_optimum_is_that_of_the_people_one_by_one() -> None:
    weighted, each, _ = pair()
    one, many = (optimal_schedule(held, [0.0, 30_000.0], "log", restarts=1) for held in (weighted, each))
    np.testing.assert_allclose(one.schedule.rates, many.schedule.rates, atol=1e-5)
    assert one.welfare == pytest.approx(many.welfare, rel=1e-10)


@pytest.mark.parametrize("planner", ["bayesian", "elected", "hill"])
def test_a_simulation_of_weighted_workers_counts_people_and_resumes(planner: str, tmp_path: Path) -> None:
    weighted, each, _ = pair()
    config = {"years": 4, "planner": planner, "election": {"term": 2, "candidates": 3}}
    folder = tmp_path / "run"
    result = Simulation(SimulationConfig(n=weighted.n, **config, folder=str(folder)), workers=weighted).run()
    (folder / "years" / "0003.json").unlink()
    (folder / "steps" / "0003-000.parquet").unlink()
    assert Simulation.resume(folder).state_fingerprint() == result.state_fingerprint()
    if planner != "elected":  # candidates are drawn from other lists
        many = Simulation(SimulationConfig(n=each.n, **config), workers=each).run()
        np.testing.assert_allclose(result.welfare, many.welfare, rtol=1e-7)


def test_workers_can_be_picked_by_truth_values_and_keep_their_weights() -> None:
    weighted, _, _ = pair()
    rich = weighted.skill > np.median(weighted.skill)
    held = weighted.subset(rich)
    assert np.array_equal(held.skill, weighted.skill[rich])
    assert held.people == weighted.weights[rich].sum()
    assert held.to_frame()["weight"].sum() == held.people
    drawn = Workers.sample(6, personas=True)
    assert drawn.subset(np.arange(6) > 3).personas == drawn.personas[4:]


def test_the_old_places_of_arguments_keep_working() -> None:
    workers = Workers([500.0], [0.02], 3.0, 80.0, [0.0, 40.0])
    assert (workers.delta, workers.max_hours, workers.weights, workers.people) == (3.0, 80.0, None, 1.0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -2.0], "weights must not be negative, got -2 at position 1"),
        ([1.0, np.nan], r"weights holds 1 value\(s\) that are NaN"),
        ([0.0, 0.0], "weights add up to 0"),
        ([1.0], "1 weights for 2 workers"),
        ([[1.0, 2.0]], "one dimension"),
        (["a", "b"], "weights"),
    ],
)
def test_bad_weights_are_refused_in_words(weights: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Workers([500.0, 900.0], 0.02, weights=weights)


SURVEY = pd.DataFrame(
    {
        "wages": [8_000.0, 30_000.0, 47_500.0, 200_000.0],
        "people": [3.0, 4.0, 2.0, 1.0],
        "rate": [0.1, 0.12, 0.22, 0.32],
    }
)


@pytest.mark.parametrize("calibration", ["common", "individual"])
@pytest.mark.parametrize("elasticity", [0.1, 0.25, 0.8])
def test_people_of_a_survey_choose_what_was_observed(calibration: str, elasticity: float) -> None:
    law = TaxSchedule.us_federal(2024)
    workers = Workers.from_frame(
        SURVEY, income="wages", weight="people", schedule=law, elasticity=elasticity, calibration=calibration
    )
    out = respond(workers, law)
    np.testing.assert_allclose(out.income, SURVEY["wages"], rtol=1e-9)
    assert workers.elasticity == pytest.approx(elasticity)
    assert workers.people == 10.0
    hours = out.hours if calibration == "individual" else out.hours[[1]]  # of the median person
    np.testing.assert_allclose(hours, 40.0, rtol=1e-9)


def test_rates_of_a_survey_stand_for_the_law() -> None:
    by_rate = Workers.from_frame(SURVEY, income="wages", weight="people", marginal_rate="rate")
    by_law = Workers.from_frame(
        SURVEY, income="wages", weight="people", schedule=TaxSchedule.us_federal(2024)
    )
    np.testing.assert_allclose(by_rate.free_income, by_law.free_income, rtol=1e-12)
    subsidised = Workers.from_frame(SURVEY.assign(rate=-0.34), income="wages", marginal_rate="rate")
    assert (subsidised.free_income < SURVEY["wages"]).all()


def test_incomes_at_kinks_and_in_holes_are_counted() -> None:
    law = TaxSchedule([0.0, 10_000.0, 20_000.0], [0.1, 0.5, 0.1])
    survey = pd.DataFrame({"wages": [5_000.0, 10_000.0, 19_999.0]})
    with pytest.warns(DataWarning, match=r"of 3 incomes 1 lie at a kink .* and 1 where nobody would choose"):
        workers = Workers.from_frame(survey, income="wages", schedule=law)
    income = respond(workers, law).income
    np.testing.assert_allclose(income[:2], survey["wages"][:2], rtol=1e-9)
    assert income[2] != pytest.approx(19_999.0, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (
            {"wages": [8e3, -1.0, 4e4, 2e5]},
            {},
            "wages must be above 0, got -1 in row 1 .* leave out who does not work",
        ),
        ({"wages": [8e3, 0.0, 4e4, 2e5]}, {}, "wages must be above 0, got 0 in row 1"),
        ({"wages": [8e3, np.nan, 4e4, 2e5]}, {}, r"wages holds 1 value\(s\) that are NaN"),
        ({"wages": ["a", "b", "c", "d"]}, {}, "wages"),
        ({"rate": [0.1, 1.0, 0.2, 0.2]}, {}, "rate must be below 1"),
        ({"rate": [0.1, np.nan, 0.2, 0.2]}, {}, r"rate holds 1 value\(s\) that are NaN"),
        ({"people": [1.0, -1.0, 1.0, 1.0]}, {}, "weights must not be negative"),
        ({"people": 0.0}, {}, "weights add up to 0"),
        ({}, {"elasticity": 0.0}, "elasticity=0.0; give a finite number above 0 and at most 10"),
        ({}, {"elasticity": 10.5}, "elasticity=10.5"),
        ({}, {"income": "wage"}, "frame has no column 'wage'; did you mean 'wages'"),
        ({}, {"weight": "zz"}, "frame has no column 'zz'; it has wages, people, rate"),
        ({}, {"marginal_rate": None}, "give either marginal_rate, .* or schedule"),
        ({}, {"schedule": LAW}, "give either marginal_rate, .* or schedule"),
        ({}, {"marginal_rate": None, "schedule": 3}, "schedule is of type int, not TaxSchedule"),
        ({}, {"max_hours": 0.0}, "max_hours=0.0"),
    ],
)
def test_bad_surveys_are_refused_in_words(
    change: dict[str, object], options: dict[str, object], message: str
) -> None:
    columns = {"income": "wages", "weight": "people", "marginal_rate": "rate"}
    with pytest.raises(DataError, match=message):
        Workers.from_frame(SURVEY.assign(**change), **{**columns, **options})
    with pytest.raises(OptionError, match="calibration='paper' is not an option"):
        Workers.from_frame(SURVEY, **columns, calibration="paper")
