"""The margin of work: Saez's formulas against welfare that is maximised without them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from fisc.core.errors import DataError
from fisc.economist.participation import extensive_taxes, participation_tax, participation_welfare


def test_taxes_of_jobs_maximise_welfare() -> None:
    gross = np.array([8_000.0, 15_000.0, 30_000.0, 80_000.0])
    people = np.array([0.3, 0.3, 0.3, 0.1])
    elasticity = np.array([0.5, 0.4, 0.3, 0.2])
    weight = np.array([1.3, 1.1, 0.9, 0.1])
    weight = weight / np.sum(people * weight)
    ceiling = 3.0 * gross

    def loss(tax: np.ndarray) -> float:
        gain = np.maximum(gross - tax, 0.0)
        working = (gain / ceiling) ** elasticity
        surplus = gain * working / (1.0 + elasticity)  # mean of what is left over the fixed cost
        return -float(np.sum(people * (working * tax + weight * surplus))) / 1_000.0

    found = minimize(
        loss, 0.1 * gross, method="Nelder-Mead", options={"maxiter": 40_000, "xatol": 1e-4, "fatol": 1e-14}
    )
    formula = extensive_taxes(gross, elasticity, weight)
    assert found.x == pytest.approx(formula, abs=2.0)
    assert formula[0] < 0.0 < formula[-1]  # the poorest workers are paid for working


@pytest.mark.parametrize("elasticity", [0.3, 0.5])
def test_the_schedule_with_both_margins_is_the_best_of_brackets(elasticity: float) -> None:
    n, brackets, delta, cost = 4_000, 14, 5.0, 1e-3
    span = np.log(10.0)
    skill = np.exp(np.log(300.0) + span * (np.arange(n) + 0.5) / n)
    mass, weight = np.full(n, 1.0 / n), 1.0 / skill
    ceiling = np.full(n, 3.0 * skill[-1] * (skill[-1] / (cost * delta)) ** 0.25)
    truth = participation_tax(skill, mass, np.full(n, 1.0 / span), cost, delta, weight, elasticity, ceiling)
    edges = np.concatenate(
        [[0.0, 0.98 * truth.income[0]], np.quantile(truth.income, np.arange(1, 13) / 13.0)]
    )

    def loss(rates: np.ndarray) -> tuple[float, np.ndarray]:
        steps = 1e-4 * np.eye(brackets)
        policies = np.concatenate([rates[None, :], rates + steps, rates - steps])
        values = participation_welfare(
            skill, np.full(n, cost), delta, mass, weight, elasticity, ceiling, edges, policies
        )  # fmt: skip
        return -values[0] / 1e3, -(values[1 : brackets + 1] - values[brackets + 1 :]) / 2e-1

    best = np.full(brackets, 0.2)
    for _ in range(4):
        best = minimize(loss, best, jac=True, method="L-BFGS-B", bounds=[(-6.0, 0.95)] * brackets).x
    assert best[0] * edges[1] == pytest.approx(truth.tax[0], rel=0.03)  # a credit for any work
    assert truth.tax[0] < -5_000.0
    bracket = np.searchsorted(edges, truth.income, side="right") - 1
    formula = np.array([truth.rates[bracket == k].mean() for k in range(3, brackets)])
    assert np.median(np.abs(best[3:] - formula)) < 0.02
    assert (np.diff(truth.working) > 0.0).all()


def test_participation_is_simulated_as_described() -> None:
    rng = np.random.default_rng(0)
    skill, elasticity, ceiling, rate = 500.0, 0.7, 60_000.0, 0.3
    fixed = ceiling * rng.uniform(size=400_000) ** (1.0 / elasticity)
    cost, delta = 0.02, 3.0
    income = skill * (skill / (cost * delta)) ** 0.5 * (1.0 - rate) ** 0.5
    gain = income * (1.0 - rate) - cost * (income / skill) ** delta
    working = fixed < gain
    simulated = working.mean() * rate * income + np.where(working, gain - fixed, 0.0).mean()
    one = np.ones(1)
    found = participation_welfare(
        skill * one, cost * one, delta, one, one, elasticity, ceiling * one, np.zeros(1), np.array([[rate]])
    )
    assert found[0] == pytest.approx(simulated, rel=5e-3)


def test_what_has_no_best_schedule_is_refused() -> None:
    with pytest.raises(DataError, match="weight exceeds 1"):
        extensive_taxes(np.ones(1), np.full(1, 0.2), np.full(1, 1.3))
    n = 500
    skill = np.geomspace(50.0, 5_000.0, n)
    common = skill, np.full(n, 1.0 / n), np.full(n, 1.0 / np.log(100.0)), 1e-3, 5.0, 1.0 / skill
    with pytest.raises(DataError, match="no tax on the lowest type is best"):
        participation_tax(*common, 2.0, np.full(n, 1e6))
    with pytest.raises(DataError, match="raise the ceiling"):
        participation_tax(*common, 0.05, np.full(n, 1.0))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"elasticity": np.array([0.0, 0.5])}, "elasticities above 0"),
        ({"weight": np.ones(3)}, "one length"),
        ({"gross": np.array([np.nan, 1.0])}, "NaN"),
    ],
)
def test_jobs_that_cannot_be_are_refused(bad: dict, words: str) -> None:
    given = {"gross": np.full(2, 1e4), "elasticity": np.full(2, 0.5), "weight": np.full(2, 0.9), **bad}
    with pytest.raises(DataError, match=words):
        extensive_taxes(**given)


def test_types_that_cannot_be_are_refused() -> None:
    one, two = np.ones(1), np.ones(2)
    schedule = (np.zeros(1), np.zeros((1, 1)))
    with pytest.raises(DataError, match="above 0 for every type"):
        participation_welfare(-one, one, 3.0, one, one, 1.0, one, *schedule)
    with pytest.raises(DataError, match="one length"):
        participation_welfare(two, one, 3.0, one, one, 1.0, one, *schedule)
    with pytest.raises(DataError, match=r"delta=.*above 1"):
        participation_tax(one, one, one, 1.0, 1.0, one, 1.0, one)
