"""Populations: what is drawn, calibrated and refused."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.data import DataError, OptionError
from fisc.economist import TaxSchedule, Workers, respond
from fisc.economist.earnings import acs_tail
from fisc.economist.personas import draw_personas, joint_shares


def test_the_median_worker_works_forty_hours_under_us_law() -> None:
    workers = Workers.sample(1001, calibration="common", seed=4)
    out = respond(workers, TaxSchedule.us_federal(2024))
    middle = int(np.argsort(out.income)[500])
    assert out.hours[middle] == pytest.approx(40.0, rel=1e-9)


def test_everybody_works_forty_hours_if_calibrated_one_by_one() -> None:
    workers = Workers.sample(400, calibration="individual", seed=4)
    hours = respond(workers, TaxSchedule.us_federal(2024)).hours
    np.testing.assert_allclose(hours, 40.0, rtol=1e-9)


@pytest.mark.parametrize("calibration", ["common", "individual"])
@pytest.mark.parametrize("elasticity", [0.25, 0.4])
@pytest.mark.parametrize(
    ("population", "quantiles", "mean"),
    [
        ("gb2", (6_851, 38_102, 124_509, 361_313), 59_100),  # of the published fit
        ("acs", (11_000, 50_000, 140_000, 420_000), 72_300),  # the anchors; the mean with the Pareto tail
    ],
)
def test_incomes_under_us_law_have_the_published_quantiles_and_mean(
    population: str, quantiles: tuple[float, ...], mean: float, elasticity: float, calibration: str
) -> None:
    workers = Workers.sample(
        200_000, population, random_state=1, calibration=calibration, delta=1.0 + 1.0 / elasticity
    )
    income = respond(workers, TaxSchedule.us_federal(2024)).income
    np.testing.assert_allclose(np.quantile(income, [0.1, 0.5, 0.9, 0.99]), quantiles, rtol=0.03)
    assert income.mean() == pytest.approx(mean, rel=0.03)


def test_incomes_have_a_pareto_tail() -> None:
    income = respond(Workers.sample(400_000, "acs"), TaxSchedule.us_federal(2024)).income
    for floor in (500_000.0, 1_000_000.0):  # mean above a floor over its excess: the Pareto index
        above = income[income > floor]
        assert above.mean() / (above.mean() - floor) == pytest.approx(acs_tail(), abs=0.25)


def test_same_seed_same_workers() -> None:
    one, two = Workers.sample(100, seed=3, personas=True), Workers.sample(100, seed=3, personas=True)
    assert np.array_equal(one.skill, two.skill)
    assert one.personas == two.personas
    assert not np.array_equal(one.skill, Workers.sample(100, seed=4).skill)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"skill": [], "cost": 1.0}, "the population is empty"),
        ({"skill": [1.0, 0.0], "cost": 1.0}, "skill must be positive, got 0 at position 1"),
        ({"skill": [1.0, -3.0], "cost": 1.0}, "skill must be positive, got -3"),
        ({"skill": [1.0, np.nan], "cost": 1.0}, "skill holds 1 value"),
        ({"skill": [1.0, 2.0], "cost": [1.0]}, "2 skills but 1 costs"),
        ({"skill": [1.0], "cost": [0.0]}, "cost must be positive"),
        ({"skill": [1.0], "cost": 1.0, "delta": 1.0}, "delta=1.0; give a number .* above 1"),
        (
            {"skill": [1.0], "cost": 1.0, "max_hours": 0.0},
            "max_hours=0.0; give a number of weekly hours above 0",
        ),
        ({"skill": [1.0], "cost": 1.0, "hours_grid": [10.0, 0.0]}, "hours_grid must increase"),
        ({"skill": [1.0], "cost": 1.0, "hours_grid": [0.0, 110.0]}, "hours_grid must increase within"),
        ({"skill": [1.0], "cost": 1.0, "personas": []}, "1 workers but 0 personas"),
    ],
)
def test_bad_workers_are_refused_in_words(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Workers(**arguments)  # type: ignore[arg-type]


def test_bad_samples_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="n=0; give a whole number of at least 1"):
        Workers.sample(0)
    with pytest.raises(OptionError, match="did you mean 'gb2'"):
        Workers.sample(5, population="gb22")
    with pytest.raises(OptionError, match="calibration='comon' is not an option; did you mean 'common'"):
        Workers.sample(5, calibration="comon")


def test_joint_shares_keep_the_published_margins() -> None:
    from fisc.data import load_occupations
    from fisc.data.population import load_employment_by_age

    _, _, table = joint_shares()
    ages = load_employment_by_age()["share_pct"].to_numpy() / 100.0
    women = load_occupations()["share_women_2022_pct"].to_numpy()
    np.testing.assert_allclose(table.sum(axis=(0, 1)), ages, atol=1e-9)
    np.testing.assert_allclose(table[1].sum(axis=1) / table[1].sum(), women / women.sum(), atol=1e-9)


def test_personas_agree_with_their_incomes() -> None:
    income = np.sort(Workers.sample(4000, population="acs", seed=0).standard_income)
    people = draw_personas(income, np.random.default_rng(0))
    managers = [i for i, p in enumerate(people) if p.occupation.startswith("Management")]
    service = [i for i, p in enumerate(people) if p.occupation == "Service"]
    assert np.median(income[managers]) > 2.0 * np.median(income[service])
    young = [i for i, p in enumerate(people) if p.age < 20]
    assert np.median(income[young]) < np.median(income)
    share = len([i for i in young if people[i].occupation.startswith(("Management", "Prof"))]) / len(young)
    assert share < 0.1
    assert {p.sex for p in people} == {"man", "woman"}
