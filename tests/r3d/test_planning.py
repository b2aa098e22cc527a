"""Power and smallest effect: against noncentral t, in limits, and against simulated samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import nct
from scipy.stats import t as student

from fisc.core import DataError
from fisc.r3d import r3d
from fisc.r3d.bandwidth import Selection, select
from fisc.r3d.honest import side_scores
from fisc.r3d.localpoly import fit_side
from fisc.r3d.planning import bandwidth_growth, error_scale, power, smallest_effect
from fisc.r3d.process import Component
from fisc.r3d.studentised import Spread, spread_of, sup_test

Array = np.ndarray[Any, Any]
DECILES = np.arange(1, 10) / 10


def one_quantile(df: float = 8.0) -> tuple[Array, Spread]:
    errors = 0.5 * np.random.default_rng(0).standard_normal((60_000, 1))
    return errors, Spread(np.array([[0.25]]), np.array([[df]]))


@pytest.mark.parametrize("effect", [0.0, 0.7, 1.5, 3.0])
def test_one_quantile_is_a_noncentral_t(effect: float) -> None:
    errors, spread = one_quantile()
    c = student.ppf(0.975, 8.0)
    expected = nct.sf(c, 8.0, effect / 0.5) + nct.cdf(-c, 8.0, effect / 0.5)
    found = power(np.array([effect]), errors, spread, n0=100, n=100)
    assert found == pytest.approx(expected, abs=0.01)


def test_more_units_shrink_errors_and_add_degrees_of_freedom() -> None:
    errors, spread = one_quantile()
    assert error_scale(100, 400, growth=1.0) == 0.5
    c = student.ppf(0.975, 32.0)
    expected = nct.sf(c, 32.0, 2.8)
    found = power(np.array([0.7]), errors, spread, n0=100, n=400, growth=1.0)
    assert found == pytest.approx(expected, abs=0.01)
    assert found > power(np.array([0.7]), errors, spread, n0=100, n=400)  # a bandwidth that shrinks


def test_the_smallest_effect_has_the_power_asked_for() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(9, 9)) / 3.0
    errors = rng.standard_normal((4000, 9)) @ root
    spread = Spread((root**2).sum(axis=0)[None, :], np.full((1, 9), 15.0))
    shape = np.r_[np.zeros(6), 1.0, 2.0, 3.0]
    size = smallest_effect(shape, errors, spread, n0=200, n=500, power=0.8)
    assert power(size * shape, errors, spread, n0=200, n=500) == pytest.approx(0.8, abs=0.002)
    assert size < smallest_effect(shape, errors, spread, n0=200, n=500, power=0.9)
    assert size > smallest_effect(shape, errors, spread, n0=200, n=1000, power=0.8)


def test_atoms_are_left_out_and_what_cannot_be_found_is_said() -> None:
    errors = np.random.default_rng(2).standard_normal((2000, 2)) * [0.0, 1.0]
    spread = Spread(np.array([[0.0, 1.0]]), np.full((1, 2), 20.0))
    assert power(np.array([9.0, 0.0]), errors, spread, n0=50, n=50) == pytest.approx(0.05, abs=0.02)
    with pytest.raises(DataError, match="shape of the effect is zero"):
        smallest_effect(np.array([1.0, 0.0]), errors, spread, n0=50, n=50)
    with pytest.raises(DataError, match=r"power=0\.01"):
        smallest_effect(np.ones(2), errors, spread, n0=50, n=50, power=0.01)
    with pytest.raises(DataError, match="n=0 units"):
        power(np.ones(2), errors, spread, n0=50, n=0)


def selection(bias: float, noise: float) -> Selection:
    one = np.ones(1)
    return Selection(one, one, 1.0, 1.0, bias * one, one, noise * one)


def test_bandwidths_shrink_where_there_is_curvature_and_stay_where_there_is_none() -> None:
    assert bandwidth_growth(selection(1.0, 0.0), 100, 3200) == pytest.approx(0.5)
    assert bandwidth_growth(selection(0.1, 1.0), 100, 3200) == pytest.approx(1.0)
    assert bandwidth_growth(selection(0.0, 0.0), 100, 3200) == 1.0
    assert bandwidth_growth(selection(1.0, 0.0), 3200, 100, cap=1.2) == pytest.approx(1.2)  # the range of x


def a_fit(n: int, seed: list[int]) -> tuple[Array, Array, Spread, float]:
    """Effect, draws and spread of a sample without an effect, and the growth of its bandwidth from 300 units."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1.0, 1.0, n))
    scale = np.exp(rng.normal(0.0, 0.3, n))
    values = (x + rng.normal(0.0, 1.0, n))[:, None] + scale[:, None] * rng.exponential(1.0, (n, 40))
    curves = np.quantile(values, DECILES, axis=1).T
    chosen = select(x, curves, pool=np.full(9, 1.0 / 9.0))
    halves, parts = [], []
    for index, plus in enumerate((True, False)):
        fit = fit_side(x, curves, chosen.plus, 2, "triangular", plus=plus)
        own, df = side_scores(fit, x, curves[fit.rows] - fit.fitted, 2)
        covariance = np.zeros((18, 18))
        covariance[index * 9 : index * 9 + 9, index * 9 : index * 9 + 9] = own.T @ own
        parts.append(Component(covariance, float(df[0])))
        halves.append(fit.alpha[0])
    contrast = np.vstack([np.eye(9), -np.eye(9)])
    total = contrast.T @ (parts[0].covariance + parts[1].covariance) @ contrast
    values, vectors = np.linalg.eigh(total)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    errors = np.random.default_rng(1).standard_normal((999, 9)) @ root.T
    return (
        halves[0] - halves[1],
        errors,
        spread_of(tuple(parts), contrast),
        bandwidth_growth(chosen, 300, 1000, cap=1.0),
    )


@pytest.mark.slow
def test_predicted_power_is_simulated_power() -> None:
    pilots = [a_fit(300, [999, r]) for r in range(60)]
    shapes = (np.ones(9), np.r_[np.zeros(6), np.ones(3)])
    for n, slack in ((300, 0.05), (1000, 0.10)):
        samples = [a_fit(n, [r, n]) for r in range(250)]
        for shape in shapes:
            for size in (0.4, 0.8, 1.2):
                effect = size * shape
                found = np.mean(
                    [sup_test(t + effect, e, s, 0.05, 1).p_value <= 0.05 for t, e, s, _ in samples]
                )
                predicted = np.mean(
                    [power(effect, e, s, n0=300, n=n, growth=g if n > 300 else 1.0) for _, e, s, g in pilots]
                )
                assert predicted == pytest.approx(found, abs=slack + 0.03)  # and the error of 250 samples


def test_a_fit_of_r3d_has_what_planning_needs() -> None:
    x = np.random.default_rng(3).uniform(-1.0, 1.0, 200)
    curves = x[:, None] + np.random.default_rng(4).normal(size=(200, 1)) + np.arange(9.0)
    fit = r3d(quantile_matrix=curves, x=x, quantiles=DECILES, n_boot=499, random_state=0)
    spread = Spread((fit.se**2)[None, :], np.full((1, 9), 20.0), level=9.0)
    size = smallest_effect(np.ones(9), fit.draws, spread, n0=200, n=200)
    assert size == pytest.approx(2.95 * fit.se[0], rel=0.05)  # perfectly dependent quantiles: one t test
