"""Welfare from sums over sorted workers: against the kernel that asks every worker, and differences."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fisc.core.errors import DataError, OptionError
from fisc.economist import Criterion, TaxSchedule, Workers, kernels
from fisc.economist.criteria import criterion_of
from fisc.economist.sorted_population import SortedPopulation, why_not_sorted
from fisc.economist.sorted_welfare import SortedWelfare

#: Relative difference between two orders of adding up a million numbers.
ORDER_OF_SUMS = 1e-11
CRITERIA = (
    "inverse_income", "utilitarian", "log", "rawls", "crra", Criterion("crra", gamma=0.5),
    Criterion("crra", gamma=3.3), "paper_live", "paper_live1000",
)  # fmt: skip
US = TaxSchedule.us_federal(2024).edges


def asked(
    workers: Workers, edges: np.ndarray, rates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return income, tax and value of each worker, whatever the rates."""
    income, tax, value = np.empty((3, workers.n))
    kernels.best_response(
        workers.skill, workers.cost, workers.free_income, workers.kink_weight, edges, rates,
        workers.delta, workers.max_hours, income, tax, value,
    )  # fmt: skip
    return income, tax, value


def objective(
    workers: Workers, edges: np.ndarray, criterion: str | Criterion, **options: object
) -> SortedWelfare:
    rule = criterion_of(criterion)
    people = SortedPopulation.of(workers.skill, workers.cost, workers.delta, workers.max_hours, **options)  # type: ignore[arg-type]
    return SortedWelfare(
        people, edges, rule.code, weights=rule.fixed_weights(workers), gamma=rule.gamma, scale=rule.scale
    )


def schedules(rng: np.random.Generator, brackets: int, n: int, lowest: float = 0.0) -> np.ndarray:
    """Draw rates of every kind: any, rising, falling, equal in runs, 0, 1."""
    rates = rng.uniform(lowest, 1.0, size=(n, brackets))
    rates[1::5] = np.sort(rates[1::5], axis=1)
    rates[2::5] = np.sort(rates[2::5], axis=1)[:, ::-1]
    rates[3::5] = np.round(rates[3::5], 1)
    rates[:3] = np.array([lowest, 0.5, 1.0])[:, None]
    return rates


def differences(
    workers: Workers,
    edges: np.ndarray,
    policies: np.ndarray,
    criteria: tuple[str | Criterion, ...] = CRITERIA,
) -> Iterator[float]:
    """Yield the relative difference of each criterion under each schedule."""
    rules = [criterion_of(criterion) for criterion in criteria]
    weights = [rule.fixed_weights(workers) for rule in rules]
    lowest = float(policies.min())
    found = np.array([objective(workers, edges, rule, lowest_rate=lowest)(policies) for rule in rules])
    for p, rates in enumerate(policies):
        income, tax, value = asked(workers, edges, rates)
        for c, rule in enumerate(rules):
            true = rule.value(value + tax.mean(), income, weights[c])
            yield abs(found[c, p] - true) / max(abs(true), 1e-3)


@pytest.mark.parametrize("population", ["gb2", "acs"])
@pytest.mark.parametrize("n", [1, 2, 100, 1_000, 5_000])
def test_welfare_is_that_of_asking_everybody(population: str, n: int) -> None:
    rng = np.random.default_rng(n)
    workers = Workers.sample(n, population, seed=n)
    assert max(differences(workers, US, schedules(rng, 7, 150))) <= ORDER_OF_SUMS


@pytest.mark.slow
@pytest.mark.parametrize("population", ["gb2", "acs"])
def test_welfare_of_a_million_is_that_of_asking_everybody(population: str) -> None:
    workers = Workers.sample(1_000_000, population, seed=1)
    policies = schedules(np.random.default_rng(1), 7, 60)
    assert max(differences(workers, US, policies)) <= ORDER_OF_SUMS


@pytest.mark.parametrize("delta", [1.2, 2.0, 3.5, 11.0])
def test_the_cap_on_hours_and_negative_rates_are_exact(delta: float) -> None:
    rng = np.random.default_rng(4)
    skill = rng.lognormal(6.0, 1.0, 400)
    workers = Workers(skill, 400.0 / (delta * 40.0 ** (delta - 1.0)), delta, max_hours=45.0)
    edges = np.array([0.0, 5_000.0, 16_000.0, 20_000.0, 60_000.0])
    policies = schedules(rng, 5, 200, lowest=-0.8)
    capped = asked(workers, edges, policies[0])[0] == workers.skill * 45.0
    assert 0.1 < capped.mean() < 1.0  # the cap binds for some, not for all
    assert max(differences(workers, edges, policies)) <= ORDER_OF_SUMS


def test_costs_that_differ_are_exact_where_nobody_reaches_the_cap() -> None:
    workers = Workers.sample(2_000, "gb2", seed=2, calibration="individual")
    policies = schedules(np.random.default_rng(2), 7, 150)
    assert max(differences(workers, US, policies)) <= ORDER_OF_SUMS


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_schedule_of_any_brackets_is_exact(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    n, brackets = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 60))
    workers = Workers(
        rng.lognormal(6.0, 1.5, n), data.draw(st.floats(1e-6, 1.0)), data.draw(st.floats(1.05, 20.0)),
        max_hours=data.draw(st.floats(1.0, 200.0)),
    )  # fmt: skip
    edges = np.concatenate([[0.0], np.cumsum(rng.lognormal(8.0, 1.5, brackets - 1))])
    assert max(differences(workers, edges, schedules(rng, brackets, 4))) <= ORDER_OF_SUMS


@pytest.mark.parametrize("criterion", CRITERIA)
def test_whole_weights_count_as_that_many_workers(criterion: str | Criterion) -> None:
    rng = np.random.default_rng(7)
    weights = rng.integers(0, 4, 300)
    workers = Workers.sample(300, "acs", seed=7)
    repeated = workers.subset(np.repeat(np.arange(300), weights))
    policies = schedules(rng, 7, 40)
    rule = criterion_of(criterion)
    if rule.name == "crra" and rule.gamma == 0.5:
        rule = Criterion("weighted", weights=rng.uniform(size=300))
    people = SortedPopulation.of(workers.skill, workers.cost, 3.5, 100.0, weights=weights.astype(float))
    found = SortedWelfare(
        people, US, rule.code, weights=rule.fixed_weights(workers), gamma=rule.gamma, scale=rule.scale
    )(policies)  # fmt: skip
    again = rule
    if rule.name == "weighted":
        assert rule.weights is not None
        again = Criterion("weighted", weights=np.repeat(rule.weights, weights))
    true = objective(repeated, US, again)(policies)
    assert np.allclose(found, true, rtol=1e-12, atol=0.0)


def test_revenue_is_the_mean_tax() -> None:
    workers = Workers.sample(1_000, seed=3)
    policies = schedules(np.random.default_rng(3), 7, 50)
    revenue = objective(workers, US, "log").with_revenue(policies)[1]
    assert np.allclose(
        revenue, [asked(workers, US, rates)[1].mean() for rates in policies], rtol=1e-12, atol=1e-9
    )


@pytest.mark.parametrize("criterion", CRITERIA[:7])
@pytest.mark.parametrize("max_hours", [30.0, 1e6])
def test_gradient_is_the_difference_quotient_where_rates_rise(
    criterion: str | Criterion, max_hours: float
) -> None:
    rng = np.random.default_rng(5)
    workers = Workers(rng.lognormal(6.0, 0.8, 4_000), 0.02, 3.5, max_hours=max_hours)
    edges = np.array([0.0, 6_000.0, 15_000.0, 20_000.0, 60_000.0])
    welfare = objective(workers, edges, criterion)
    rates = np.array([0.1, 0.25, 0.4, 0.55, 0.7])
    step = 1e-6 * np.eye(5)
    numeric = (welfare(rates + step) - welfare(rates - step)) / 2e-6
    found = welfare.gradient(rates)
    assert np.abs(found - numeric).max() <= 2e-5 * np.abs(numeric).max()


@pytest.mark.parametrize("criterion", ["inverse_income", "log", "crra"])
def test_gradient_counts_the_jumps_of_a_large_population_where_rates_fall(criterion: str) -> None:
    n = 400_000
    skill = np.exp(6.0 + np.linspace(-2.0, 2.0, n))  # even in logs: no noise in the density
    workers = Workers(skill, 0.02, 3.5, max_hours=1e6)
    edges = np.array([0.0, 6_000.0, 15_000.0, 40_000.0])
    welfare = objective(workers, edges, criterion)
    rates = np.array([0.7, 0.3, 0.6, 0.35])
    step = 1e-3 * np.eye(4)
    numeric = (welfare(rates + step) - welfare(rates - step)) / 2e-3
    size = np.abs(numeric).max()
    assert np.abs(welfare.gradient(rates) - numeric).max() <= 4e-3 * size
    assert np.abs(welfare.gradient(rates, jumps=False) - numeric).max() > 3e-2 * size


def test_reasons_against_sorting_are_given() -> None:
    workers = Workers.sample(500, calibration="individual")
    given_ = workers.skill, workers.cost, 3.5
    assert why_not_sorted(*given_, 100.0) is None
    assert "cap of 41 hours at a rate of 0" in str(why_not_sorted(*given_, 41.0))
    assert "at a rate of -5" in str(why_not_sorted(*given_, 60.0, lowest_rate=-5.0))
    assert "grid" in str(why_not_sorted(*given_, 100.0, hours_grid=np.arange(10.0)))
    with pytest.raises(DataError, match="cannot be sorted by one type: costs of hours differ"):
        SortedPopulation.of(*given_, 41.0)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_that_are_no_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(DataError, match="2 finite numbers of people"):
        SortedPopulation.of(np.ones(2), np.ones(2), 3.5, 100.0, weights=np.array(weights))


def test_weights_of_nobody_policies_and_criteria_are_refused() -> None:
    with pytest.raises(DataError, match="nobody is represented"):
        SortedPopulation.of(np.ones(2), np.ones(2), 3.5, 100.0, weights=np.zeros(2))
    people = SortedPopulation.of(np.ones(2), np.ones(2), 3.5, 100.0)
    with pytest.raises(OptionError, match="code must be one of"):
        SortedWelfare(people, np.zeros(1), "nash")
    with pytest.raises(DataError, match=r"shape \(P, 1\)"):
        SortedWelfare(people, np.zeros(1), "log")(np.zeros((1, 2)))
    with pytest.raises(DataError, match="no envelope gradient"):
        SortedWelfare(people, np.zeros(1), "live").gradient([0.1])
