"""People behind incomes: whoever is inferred must choose what was observed, by the exact response."""

from __future__ import annotations

import numpy as np
import pytest

from fisc.core.errors import DataError, OptionError
from fisc.data import GB2
from fisc.economist import TaxSchedule, Workers, respond
from fisc.economist.earnings import ACS_INCOME, ACS_PROBABILITY, acs_quantile, acs_tail
from fisc.economist.inversion import (
    Inversion,
    chosen_income,
    free_income_at_rates,
    invert_schedule,
    skill_and_cost,
)
from fisc.economist.sorted_population import why_not_sorted

US = TaxSchedule.us_federal(2024)


def people_of(income: np.ndarray, delta: float, calibration: str) -> Workers:
    found = invert_schedule(income, US.edges, US.rates, delta)
    return Workers(*skill_and_cost(found, delta, 100.0, calibration=calibration), delta, 100.0)


@pytest.mark.parametrize("calibration", ["common", "individual"])
@pytest.mark.parametrize("delta", [3.5, 5.0, 2.0])
def test_everybody_chooses_the_observed_income_kinks_included(calibration: str, delta: float) -> None:
    income = np.concatenate([acs_quantile((np.arange(20_000) + 0.5) / 20_000), np.repeat(US.edges[1:], 50)])
    workers = people_of(income, delta, calibration)
    assert respond(workers, US).income == pytest.approx(income, rel=1e-9)
    # and still under no tax at all nobody is held back by the cap, so that all sums can be sorted
    assert respond(workers, TaxSchedule.flat(0.0)).hours.max() < 100.0
    assert why_not_sorted(workers.skill, workers.cost, delta, 100.0) is None


@pytest.mark.parametrize("calibration", ["common", "individual"])
@pytest.mark.parametrize("delta", [3.5, 5.0])
def test_income_under_us_law_has_the_published_quantiles(calibration: str, delta: float) -> None:
    n = 400_000
    gb2 = GB2.us_2023()
    income = respond(people_of(gb2.sample(n, 0), delta, calibration), US).income
    assert np.quantile(income, [0.1, 0.5, 0.9, 0.99]) == pytest.approx(
        gb2.quantile([0.1, 0.5, 0.9, 0.99]), rel=0.03
    )
    assert np.quantile(income, [0.1, 0.5, 0.9, 0.99]) == pytest.approx(
        [6_900, 38_000, 124_500, 359_500], rel=0.03
    )
    assert income.mean() == pytest.approx(59_100, rel=0.03)
    drawn = acs_quantile(np.random.default_rng(0).uniform(size=n))
    income = respond(people_of(drawn, delta, calibration), US).income
    assert np.quantile(income, ACS_PROBABILITY[2:]) == pytest.approx(ACS_INCOME[2:], rel=0.03)
    top = np.sort(income)[-n // 200 :]
    assert 1.0 / np.log(top / top[0]).mean() == pytest.approx(acs_tail(), rel=0.08)  # Hill


def test_the_median_worker_works_forty_hours() -> None:
    workers = people_of(acs_quantile((np.arange(1_001) + 0.5) / 1_001), 3.5, "common")
    hours = respond(workers, US).hours
    assert hours[500] == pytest.approx(40.0)
    assert np.ptp(workers.cost[:950]) <= 1e-12 * workers.cost[0]
    everybody = respond(people_of(np.array([3_000.0, 90_000.0]), 3.5, "individual"), US).hours
    assert everybody == pytest.approx(40.0)


def test_weights_move_the_median_and_spread_people_over_a_kink() -> None:
    edges, rates = np.array([0.0, 10_000.0]), np.array([0.0, 0.5])
    income = np.array([5_000.0, 10_000.0, 10_000.0, 10_000.0, 30_000.0])
    weights = np.array([1.0, 1.0, 2.0, 1.0, 20.0])
    found = invert_schedule(income, edges, rates, 2.0, weights=weights)
    assert found.at_kink.tolist() == [False, True, True, True, False]
    assert found.income == pytest.approx(income)
    # types from 10 000 (whom the kink just stops) to 20 000 (who is about to leave it), even in logs
    assert np.log2(found.free_income[1:4] / 10_000.0) == pytest.approx([1 / 8, 1 / 2, 7 / 8])
    skill, cost = skill_and_cost(found, 2.0, 1e9, weights=weights)
    assert skill[4] == pytest.approx(30_000.0 / 40.0)  # most people: the median
    assert np.ptp(cost) <= 1e-12 * cost[0]


def test_incomes_that_nobody_chooses_are_named_and_moved_to_the_nearer_end() -> None:
    edges, rates, delta = np.array([0.0, 10_000.0, 20_000.0]), np.array([0.1, 0.7, 0.2]), 3.0
    types = np.geomspace(3_000.0, 80_000.0, 200_001)
    reached = np.unique(chosen_income(types, edges, rates, delta))
    hole = reached[np.diff(reached).argmax() + np.array([0, 1])]
    assert hole[1] > 1.3 * hole[0]
    income = np.array([5_000.0, hole[0] * 1.05, hole[1] * 0.95, 60_000.0])
    found = invert_schedule(income, edges, rates, delta)
    assert found.unexplained.tolist() == [False, True, True, False]
    assert found.income == pytest.approx([5_000.0, hole[0], hole[1], 60_000.0], rel=1e-3)


def test_rates_of_each_person_invert_alone() -> None:
    rng = np.random.default_rng(0)
    income, rate, elasticity = (
        rng.lognormal(10.0, 1.0, 50),
        rng.uniform(-0.4, 0.9, 50),
        rng.uniform(0.1, 1.0, 50),
    )
    free = free_income_at_rates(income, rate, elasticity)
    for z, tau, e, a in zip(income, rate, elasticity, free, strict=True):
        assert chosen_income(np.array([a]), np.zeros(1), np.array([tau]), 1.0 + 1.0 / e)[0] == pytest.approx(
            z
        )


@pytest.mark.parametrize(
    ("income", "rate", "elasticity", "message"),
    [
        (
            [0.0, 1.0],
            [0.1, 0.1],
            0.3,
            "income must be above 0; leave out who does not work; got 0 at position 0",
        ),
        ([1.0, np.nan], [0.1, 0.1], 0.3, "got nan at position 1"),
        ([1.0, 1.0], [0.1, 1.0], 0.3, "rate must be below 1"),
        ([1.0, 1.0], [0.1, 0.1], 0.0, "elasticity must be above 0 and at most 10"),
        ([1.0, 1.0], [0.1, 0.1], 11.0, "elasticity must be above 0 and at most 10"),
    ],
)
def test_what_cannot_be_inverted_is_refused(
    income: list, rate: list, elasticity: float, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        free_income_at_rates(np.array(income), np.array(rate), elasticity)


def test_other_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be raised to the power -99"):
        chosen_income(np.array([1.0, 1e9]), np.zeros(1), np.zeros(1), 100.0)
    with pytest.raises(DataError, match="shares must lie in"):
        acs_quantile(np.array([0.0]))
    one = np.ones(1)
    with pytest.raises(OptionError, match="calibration"):
        skill_and_cost(Inversion(one, one, one > 2, one > 2), 3.0, 100.0, calibration="paper")


def test_acs_quantiles_meet_at_the_last_anchor() -> None:
    below, above = acs_quantile(np.array([0.99 - 1e-9, 0.99 + 1e-9]))
    assert below == pytest.approx(above, rel=1e-5)
    assert acs_quantile(np.array([0.999]))[0] == pytest.approx(420_000.0 * 10.0 ** (1.0 / acs_tail()))
