"""Safe rates: closed forms, and an independent search over all worlds at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from fisc.core.errors import DataError
from fisc.economist import TaxSchedule, Workers, optimal_schedule
from fisc.economist.earnings import ACS_INCOME, ACS_PROBABILITY
from fisc.economist.gradient_search import find_rates
from fisc.economist.least_regret import World, least_regret
from fisc.economist.objective import WelfareOfRates
from fisc.economist.search import differential_evolution, pattern_search
from fisc.economist.sorted_population import SortedPopulation
from fisc.economist.sorted_welfare import SortedWelfare

LAW = TaxSchedule.us_federal(2024)
ELASTICITIES = (0.1, 0.15, 0.25, 0.4, 0.6, 0.8)


def observed_at_forty_hours(elasticity: float, n: int = 800) -> Workers:
    """Return people of given incomes at 40 hours, for whom these hours are right under the law in force."""
    knots, logs = ndtri(np.array(ACS_PROBABILITY)), np.log(np.array(ACS_INCOME))
    score = np.random.default_rng(0).standard_normal(n)
    above = logs[-1] + (score - knots[-1]) * (logs[-1] - logs[-2]) / (knots[-1] - knots[-2])  # lognormal
    below = logs[0] + (score - knots[0]) * (logs[1] - logs[0]) / (knots[1] - knots[0])
    inner = np.interp(score, knots, logs)
    skill = np.exp(np.where(score < knots[0], below, np.where(score > knots[-1], above, inner))) / 40.0
    delta = 1.0 + 1.0 / elasticity
    keep = 1.0 - LAW.marginal_rate(40.0 * skill)
    return Workers(skill, keep * skill / (delta * 40.0 ** (delta - 1.0)), delta)


def sorted_log(workers: Workers) -> SortedWelfare:
    people = SortedPopulation.of(workers.skill, workers.cost, workers.delta, workers.max_hours)
    return SortedWelfare(people, LAW.edges, "log")


def world_of(elasticity: float) -> World:
    welfare = sorted_log(observed_at_forty_hours(elasticity))
    best = find_rates(welfare, rng=np.random.default_rng(0)).rates
    return World(f"e={elasticity}", welfare, best, welfare.gradient)


def at_law(worlds: list[World]) -> np.ndarray:
    return np.array([world.welfare(LAW.rates[None, :])[0] for world in worlds])


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    return [world_of(elasticity) for elasticity in ELASTICITIES]


def test_worst_regret_over_elasticities(worlds: list[World]) -> None:
    safe = least_regret(worlds, at_law(worlds), first=2)
    assert safe.own[2, 5] > 3.0  # the optimum for .25 where .8 is true: far worse than the law in force
    assert safe.regrets.max() < 0.40
    assert safe.active == ("e=0.25", "e=0.8", "e=0.1")
    assert np.abs(np.diag(safe.own)).max() == 0.0
    assert safe.own.max(axis=1).min() > safe.regrets.max()  # no single world's optimum is as safe
    others = [least_regret(worlds, at_law(worlds), first=k).regrets.max() for k in (0, 5)]
    assert others == pytest.approx([safe.regrets.max()] * 2, abs=3e-3)


@pytest.mark.slow
def test_a_search_over_all_worlds_at_once_finds_nothing_safer(worlds: list[World]) -> None:
    safe = least_regret(worlds, at_law(worlds), first=2)
    start = at_law(worlds)
    best = np.array([world.welfare(world.optimum[None, :])[0] for world in worlds])

    def safety(points: np.ndarray) -> np.ndarray:
        values = np.column_stack([world.welfare(points) for world in worlds])
        return -((best - values) / (best - start)).max(axis=1)

    rng = np.random.default_rng(1)
    points, values = differential_evolution(safety, rng.uniform(size=(60, 7)), rng, generations=600)
    assert (
        pattern_search(safety, points[values.argmax()], step=0.01, smallest=1e-5)[1]
        <= -safe.regrets.max() + 2e-3
    )


@pytest.mark.slow
def test_worst_regret_where_the_optima_come_from_the_exact_kernel() -> None:
    worlds = []
    for elasticity in (0.1, 0.25, 0.8):
        workers = observed_at_forty_hours(elasticity)
        best = optimal_schedule(workers, LAW.edges, "log", restarts=1).schedule.rates
        worlds.append(World(str(elasticity), WelfareOfRates(workers, LAW.edges, "log"), best))  # no gradient
    safe = least_regret(worlds, at_law(worlds), first=1)
    assert safe.regrets.max() < 0.405
    assert safe.own[1, 2] > 3.0


def test_two_quadratic_worlds_are_balanced() -> None:
    def world(best: float, curvature: float) -> World:
        return World(str(best), lambda rates: -curvature * (rates[:, 0] - best) ** 2, np.array([best]))

    # regrets ((t - .2) / .7)^2 and ((t - .6) / .3)^2 are equal at t = (.3 * .2 + .7 * .6) / 1
    safe = least_regret([world(0.2, 1.0), world(0.6, 50.0)], np.array([-(0.7**2), -50.0 * 0.3**2]))
    assert safe.rates[0] == pytest.approx(0.48, abs=1e-4)
    assert safe.regrets == pytest.approx([0.16, 0.16], abs=1e-3)
    assert safe.own == pytest.approx(np.array([[0.0, 16.0 / 9.0], [16.0 / 49.0, 0.0]]))


def test_one_world_is_its_own_answer() -> None:
    only = world_of(0.4)
    safe = least_regret([only], at_law([only]))
    assert np.array_equal(safe.rates, only.optimum)
    assert safe.active == ("e=0.4",)
    assert safe.regrets.tolist() == [0.0]


def test_nothing_to_regret_is_refused() -> None:
    only = world_of(0.4)
    with pytest.raises(DataError, match="no gain to regret"):
        least_regret([only], only.welfare(only.optimum[None, :]))
    with pytest.raises(DataError, match="no world"):
        least_regret([], np.empty(0))
