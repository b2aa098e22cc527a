"""The gradient search: closed forms, exhaustive grids, and the search that uses no gradient."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fisc.core.errors import DataError
from fisc.economist import TaxSchedule, Workers, optimal_schedule
from fisc.economist.criteria import criterion_of
from fisc.economist.gradient_search import Nearby, find_rates
from fisc.economist.objective import WelfareOfRates
from fisc.economist.sorted_population import SortedPopulation
from fisc.economist.sorted_welfare import SortedWelfare


def objective(workers: Workers, edges: object, criterion: str, **options: object) -> SortedWelfare:
    rule = criterion_of(criterion)
    people = SortedPopulation.of(workers.skill, workers.cost, workers.delta, workers.max_hours, **options)  # type: ignore[arg-type]
    return SortedWelfare(
        people,
        np.asarray(edges, dtype=float),
        rule.code,
        weights=rule.fixed_weights(workers),
        scale=rule.scale,
    )


def found(welfare: SortedWelfare, **options: object):  # type: ignore[no-untyped-def]
    return find_rates(welfare, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("favour", [-1.0, 0.05])
@pytest.mark.parametrize("elasticity", [0.1, 0.4, 1.0])
def test_flat_rate_is_the_formula_also_where_it_is_negative(favour: float, elasticity: float) -> None:
    # (1 - g) / (1 - g + e) with g the income-weighted mean of welfare weights: below 0 if g > 1
    skill = np.random.default_rng(0).lognormal(6.0, 0.7, 5_000)
    workers = Workers(skill, 1e-3, 1.0 + 1.0 / elasticity, max_hours=1e9)
    weights = workers.free_income**favour
    people = SortedPopulation.of(workers.skill, workers.cost, workers.delta, workers.max_hours)
    welfare = SortedWelfare(people, np.zeros(1), "weighted", weights=weights)
    share = float((weights * workers.free_income).mean() / workers.free_income.mean() / weights.mean())
    formula = (1.0 - share) / (1.0 - share + elasticity)
    lowest = -0.95
    assert (formula < 0.0) == (favour > 0.0)
    assert found(welfare, lowest=lowest).rates[0] == pytest.approx(formula, abs=1e-4)


def test_utilitarians_neither_tax_nor_pay_for_work() -> None:
    welfare = objective(
        Workers.sample(5_000, seed=1, max_hours=1000.0),
        [0.0, 20_000.0, 60_000.0],
        "utilitarian",
        lowest_rate=-0.5,
    )
    assert np.abs(found(welfare, lowest=-0.5).rates).max() < 2e-3


@pytest.mark.parametrize("criterion", ["inverse_income", "log", "crra", "rawls"])
def test_no_point_of_a_grid_is_better(criterion: str) -> None:
    workers = Workers.sample(5_000, "acs", seed=2)
    edges = [0.0, 30_000.0, 90_000.0]
    welfare = objective(workers, edges, criterion)
    best = found(welfare)
    grid = np.array(list(itertools.product(np.linspace(0.0, 1.0, 26), repeat=3)))
    values = welfare(grid)
    spread = values.max() - values.min()
    assert best.welfare >= values.max() - 1e-9 * spread
    assert best.welfare == pytest.approx(
        WelfareOfRates(workers, edges, criterion)(best.rates[None, :])[0], rel=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["inverse_income", "log"])
def test_it_reaches_the_search_without_gradient(criterion: str) -> None:
    workers = Workers.sample(10_000, "gb2", seed=3)
    law = TaxSchedule.us_federal(2024)
    slow = optimal_schedule(workers, law.edges, criterion)
    welfare = objective(workers, law.edges, criterion)
    fast = found(welfare)
    gap = slow.welfare - float(welfare(law.rates[None, :])[0])
    assert fast.welfare >= slow.welfare - 1e-3 * gap
    assert fast.worst_nearby >= slow.certificate.worst_nearby - 1e-3 * gap


@pytest.mark.parametrize("criterion", ["inverse_income", "log"])
def test_certificate_of_a_large_weighted_population(criterion: str) -> None:
    n = 60_000
    workers = Workers.sample(n, "gb2", seed=4)
    weights = np.random.default_rng(4).uniform(0.2, 3.0, n)
    law = TaxSchedule.us_federal(2024)
    welfare = objective(workers, law.edges, criterion, weights=weights)
    best = found(welfare)
    spread = best.supremum - float(welfare(np.zeros((1, 7)))[0])
    assert (best.supremum - np.array(best.restarts)).max() <= 1e-3 * spread  # all starts end at one summit
    assert 0.0 <= best.welfare - best.worst_nearby <= 1e-4 * spread
    assert best.local_gain <= 1e-5 * spread
    moved = np.clip(best.rates + np.random.default_rng(5).uniform(-1e-4, 1e-4, size=(2000, 7)), 0.0, 1.0)
    assert welfare(moved).min() >= best.worst_nearby - 1e-4 * spread


def test_same_seed_same_rates() -> None:
    workers = Workers.sample(3_000, seed=1)
    first, second = (found(objective(workers, [0.0, 50_000.0], "log"), restarts=6) for _ in range(2))
    assert np.array_equal(first.rates, second.rates)
    assert len(first.restarts) == 6
    assert first.evaluations == second.evaluations > 100


def test_a_corner_once_found_is_watched() -> None:
    # welfare falls only where all rates move together, in a direction that no single rate shows
    def welfare(points: np.ndarray) -> np.ndarray:
        signs = np.sign(np.round(points - 0.5, 9))
        return np.where((signs == [1.0, -1.0, 1.0]).all(axis=1), 0.0, 1.0)

    nearby = Nearby(welfare, 3, 0.01, 0.0)
    point = np.full(3, 0.5)
    assert nearby(point[None, :])[0] == 1.0
    assert nearby.worst(point) == 0.0
    assert nearby.learn(point)
    assert nearby(point[None, :])[0] == 0.0
    assert not nearby.learn(point)


def test_a_lowest_rate_beyond_reason_is_refused() -> None:
    with pytest.raises(DataError, match=r"lie in \[-1, 1\)"):
        found(objective(Workers.sample(100), [0.0], "log"), lowest=1.0)


def test_live_criteria_are_refused() -> None:
    with pytest.raises(DataError, match="use differential evolution"):
        found(objective(Workers.sample(100), [0.0], "paper_live"))


class Cliff:
    """Welfare that rises to a rate of one half and falls off behind it, as where somebody stops working."""

    edges = np.zeros(1)
    evaluations = 0
    has_gradient = True

    def __call__(self, rates: np.ndarray) -> np.ndarray:
        return np.where(rates[:, 0] <= 0.5, rates[:, 0], 0.7 - rates[:, 0])

    def gradient(self, rates: np.ndarray) -> np.ndarray:
        return np.where(rates <= 0.5, 1.0, -1.0)


def test_the_optimum_keeps_its_distance_from_a_cliff() -> None:
    best = find_rates(Cliff(), rng=np.random.default_rng(0), tolerance=1e-3)  # type: ignore[arg-type]
    assert 0.5 - 2e-3 <= best.rates[0] <= 0.5 - 1e-3
    assert best.worst_nearby >= 0.5 - 4e-3
