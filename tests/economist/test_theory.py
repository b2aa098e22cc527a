"""Optimal-tax theory against the search, which knows no theory: each is the other's independent source."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fisc.core.errors import DataError
from fisc.economist.gradient_search import FoundRates, find_rates
from fisc.economist.sorted_population import SortedPopulation
from fisc.economist.sorted_welfare import SortedWelfare
from fisc.economist.theory import LognormalPareto, bracket_rates, flat_rate, mirrlees, top_rate

#: Points of a percentage between the formula and the best brackets.
POINT = 0.1
COST = 1e-3


def skill_of(free_income: np.ndarray, elasticity: float) -> np.ndarray:
    """Return skills of people who would earn these incomes without tax."""
    return np.asarray(
        (free_income * (COST * (1.0 + 1.0 / elasticity)) ** elasticity) ** (1.0 / (1.0 + elasticity))
    )


def tail_grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shares (0, 1) and masses, even in the body and even in logs far into the tail."""
    above = np.concatenate(
        [np.linspace(1.0, 0.02, n // 2), np.geomspace(0.02, 1e-13, n - n // 2 + 1)[1:], [0.0]]
    )
    return 1.0 - (above[1:] + above[:-1])[:-1] / 2.0, -np.diff(above)[:-1] / -np.diff(above)[:-1].sum()


def best(skill: np.ndarray, elasticity: float, edges: object, code: str, **options: object) -> FoundRates:
    weights = options.pop("mass", None)
    people = SortedPopulation.of(
        skill, np.full(skill.size, COST), 1.0 + 1.0 / elasticity, 1e9, weights=weights
    )  # type: ignore[arg-type]
    welfare = SortedWelfare(people, np.asarray(edges, dtype=float), code, **options)  # type: ignore[arg-type]
    return find_rates(welfare, rng=np.random.default_rng(0))


@pytest.mark.parametrize("elasticity", [0.125, 0.25, 0.4, 0.5, 1.0])
def test_rate_that_raises_most_revenue(elasticity: float) -> None:
    skill = np.append(
        1e-3, np.random.default_rng(0).lognormal(6.0, 0.5, 4_000)
    )  # the poorest live on the rebate
    assert best(skill, elasticity, [0.0], "rawls").rates[0] == pytest.approx(flat_rate(elasticity), abs=2e-4)


@pytest.mark.parametrize(
    ("tail", "elasticity"), [(1.5, 0.25), (2.0, 0.25), (1.5, 0.4), (2.0, 0.5), (3.0, 0.4)]
)
def test_top_rate_of_a_pareto_tail(tail: float, elasticity: float) -> None:
    share, mass = tail_grid(60_000)
    skill = skill_of(30_000.0 * (1.0 - share) ** (-1.0 / tail), elasticity)
    rates = best(skill, elasticity, [0.0, 40_000.0, 100_000.0], "rawls", mass=mass).rates
    assert rates[2] == pytest.approx(top_rate(elasticity, tail), abs=1e-3)


@pytest.mark.parametrize("criterion", ["fixed weights", "log"])
def test_thirty_brackets_follow_the_abc_formula(criterion: str) -> None:
    elasticity, delta = 0.25, 5.0
    incomes = LognormalPareto(np.log(38_000.0), 0.75, 150_000.0, 2.0)
    share, mass = tail_grid(1_000_000)
    free = incomes.quantile(share)
    skill = skill_of(free, elasticity)
    edges = np.concatenate([[0.0], np.geomspace(8_000.0, 1_500_000.0, 29)])
    fixed = 1.0 / np.maximum(free, 5_000.0)
    log_density = incomes.log_density(free) * (1.0 + elasticity)
    if criterion == "log":
        truth = mirrlees(skill, mass, log_density, COST, delta, lambda utility: 1.0 / utility)
        found = best(skill, elasticity, edges, "log", mass=mass)
        ceiling = float(np.sum(mass * np.log(truth.utility)))
    else:
        truth = mirrlees(skill, mass, log_density, COST, delta, fixed)
        found = best(skill, elasticity, edges, "weighted", weights=fixed, mass=mass)
        ceiling = float(np.sum(mass * fixed * truth.utility) / np.sum(mass * fixed))
    formula = bracket_rates(edges, truth, mass)
    at_threshold = truth.income[np.searchsorted(free, incomes.threshold) + np.array([-1, 0])]
    kink = np.searchsorted(edges, at_threshold, side="right") - 1  # brackets that hold the kink of the tail
    away = ~np.isin(np.arange(edges.size), np.arange(kink.min(), kink.max() + 1))
    assert away.sum() >= 27
    assert 100.0 * np.abs(found.rates - formula)[away].max() <= POINT
    assert found.welfare <= ceiling * (1.0 + 1e-6)  # no brackets beat the schedule without brackets
    lowest = int(formula.argmin())
    if criterion == "fixed weights":  # the U that Diamond found
        assert formula[0] > formula[lowest] + 0.2
        assert formula[-1] > formula[lowest] + 0.08
    assert formula[-1] == pytest.approx(top_rate(elasticity, 2.0), abs=0.01)


def test_nobody_is_taxed_at_a_bounded_top() -> None:
    n, elasticity = 100_000, 0.4
    skill = np.linspace(300.0, 3_000.0, n)
    mass = np.full(n, 1.0 / n)
    truth = mirrlees(skill, mass, skill / 2_700.0, COST, 3.5, lambda utility: 1.0 / utility)
    assert truth.monotone
    assert truth.rates[-1] < 1e-4
    assert truth.rates[0] < 1e-3  # nor at the bottom, where everybody works
    edges = np.concatenate(
        [[0.0], np.quantile(truth.income, np.linspace(0.02, 0.98, 40)), [0.995 * truth.income[-1]]]
    )
    found = best(skill, elasticity, edges, "log").rates
    assert found[-1] < 0.03 < found[-8]
    formula = bracket_rates(edges, truth, mass)
    assert np.median(np.abs(found - formula)) < 2e-3


def test_lognormal_with_pareto_tail_is_a_distribution() -> None:
    incomes = LognormalPareto(10.0, 0.8, 90_000.0, 1.8)
    share = np.array([0.01, 0.3, incomes.body - 1e-9, incomes.body + 1e-9, 0.999])
    value = incomes.quantile(share)
    assert value[:2] == pytest.approx(stats.lognorm.ppf(share[:2], 0.8, scale=np.exp(10.0)))
    assert value[3] == pytest.approx(90_000.0, rel=1e-6)
    assert value[4] == pytest.approx(90_000.0 * (0.001 / (1.0 - incomes.body)) ** (-1 / 1.8))
    assert incomes.log_density(value[:2]) == pytest.approx(
        value[:2] * stats.lognorm.pdf(value[:2], 0.8, scale=np.exp(10.0))
    )
    step = 1e-7  # density is the slope of the distribution function, on both sides of the joint
    for p in (0.5, 0.9999):
        low, high = incomes.quantile(np.array([p - step, p + step]))
        middle = incomes.log_density(np.array([(low + high) / 2.0]))[0]
        assert 2.0 * step / np.log(high / low) == pytest.approx(middle, rel=1e-3)


def test_rates_below_zero_and_no_rate_at_all() -> None:
    assert flat_rate(0.5, 1.2) == pytest.approx(-0.2 / 0.3)
    assert top_rate(0.25, 2.0, 1.0) == 0.0
    with pytest.raises(DataError, match=r"must stay below 1 \+ 0.5"):
        flat_rate(0.5, 1.5)
    with pytest.raises(DataError, match="rates still move"):
        mirrlees(np.array([1.0, 2.0]), np.full(2, 0.5), np.ones(2), 0.1, 3.0, lambda u: 1.0 / u, rounds=1)
