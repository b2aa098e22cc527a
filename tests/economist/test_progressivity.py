"""Log-linear schedules: closed forms, and workers who search their best hours one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from fisc.core.errors import DataError
from fisc.economist.progressivity import best_progressivity, log_linear, lognormal_progressivity

POINTS = 20_001
SCORES = ndtri((np.arange(POINTS) + 0.5) / POINTS)
EVEN = np.full(POINTS, 1.0 / POINTS)


@pytest.mark.parametrize("gamma", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("tau", [-0.3, 0.0, 0.181])
def test_everybody_works_the_best_hours_and_the_budget_balances(gamma: float, tau: float) -> None:
    wage, mass = np.array([0.4, 1.0, 5.0]), np.array([0.3, 0.5, 0.2])
    found = log_linear(wage, mass, tau, sigma=2.0, gamma=gamma, spending=0.2)
    for w, hours in zip(wage, found.hours, strict=True):

        def loss(h: float, w: float = w) -> float:
            c = found.level * (w * h) ** (1.0 - tau)
            return -(np.log(c) if gamma == 1.0 else c ** (1.0 - gamma) / (1.0 - gamma)) + h**3 / 3.0

        assert minimize_scalar(loss, bounds=(1e-3, 10.0), method="bounded").x == pytest.approx(
            hours, rel=1e-3
        )
    assert np.sum(mass * found.consumption) == pytest.approx(0.8 * np.sum(mass * found.income), rel=1e-12)
    assert (np.diff(found.hours) * np.sign(1.0 - gamma) >= 0.0).all()  # the rich work less where gamma > 1
    assert np.ptp(found.hours) > 0.05 or gamma == 1.0


@pytest.mark.parametrize(("variance", "sigma"), [(0.1, 2.0), (0.4, 2.0), (0.4, 0.5)])
def test_best_progressivity_of_lognormal_wages_is_the_closed_form(variance: float, sigma: float) -> None:
    wage = np.exp(np.sqrt(variance) * SCORES)
    spread = np.var(np.log(wage))
    found = best_progressivity(wage, EVEN, sigma=sigma)
    assert found.progressivity == pytest.approx(lognormal_progressivity(spread, sigma), abs=5e-4)
    x = 1.0 - found.progressivity  # the first-order condition
    assert 1.0 / x - 1.0 == pytest.approx((1.0 + sigma) * spread * x, rel=5e-3)


def test_progressivity_falls_with_elasticity_and_does_not_depend_on_spending() -> None:
    wage = np.exp(0.6 * SCORES)
    tau = [best_progressivity(wage, EVEN, sigma=sigma).progressivity for sigma in (0.5, 2.0, 5.0)]
    assert tau[0] < tau[1] < tau[2]
    assert best_progressivity(wage, EVEN, spending=0.3).progressivity == pytest.approx(tau[1], abs=1e-5)
    assert best_progressivity(wage, EVEN, gamma=2.0).progressivity > tau[1]  # more averse to inequality


def test_equal_wages_need_no_progressivity() -> None:
    assert best_progressivity(np.ones(2), np.full(2, 0.5)).progressivity == pytest.approx(0.0, abs=1e-4)
    assert lognormal_progressivity(1e-9) == pytest.approx(3e-9, rel=1e-3)
    one = log_linear(np.ones(1), np.ones(1), 0.0)
    assert one.equivalent == pytest.approx(np.exp(-1 / 3))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"sigma": 0.0}, "sigma=.*above 0"),
        ({"gamma": -1.0}, "gamma=.*above 0"),
        ({"spending": 1.0}, "spending=.*below 1"),
        ({"progressivity": 1.0}, "progressivity=.*below 1"),
        ({"wage": np.array([1.0, -1.0])}, "wages above 0"),
        ({"mass": np.array([0.5, 0.6])}, "sum to 1.1"),
        ({"mass": np.ones(1)}, "of one length"),
    ],
)
def test_bad_parameters_are_refused(bad: dict, words: str) -> None:
    given = {"wage": np.ones(2), "mass": np.array([0.5, 0.5]), "progressivity": 0.1, **bad}
    with pytest.raises(DataError, match=words):
        log_linear(**given)


def test_a_negative_variance_is_refused() -> None:
    with pytest.raises(DataError, match=r"variance=.*at least 0"):
        lognormal_progressivity(-1.0)
