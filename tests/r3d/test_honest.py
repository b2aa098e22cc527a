"""Stretched residuals, degrees of freedom and studentised suprema: against dense algebra, exact laws, simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power
from scipy.stats import chi2, kstest
from scipy.stats import t as student

from fisc.core import DataError
from fisc.r3d.honest import (
    Hat,
    adjusted_errors,
    degrees_of_freedom,
    joint_hat,
    joint_scores,
    make_hat,
    side_scores,
)
from fisc.r3d.localpoly import fit_side
from fisc.r3d.process import Component
from fisc.r3d.studentised import (
    Spread,
    band,
    chi_square_ratio,
    constant_half_width,
    spread_of,
    sup_test,
    suprema,
    t_draws,
)

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)


def dense(hat: Hat) -> Array:
    """(I - H) written out."""
    return np.eye(hat.mass.size) - hat.basis @ (hat.mass[:, None] * hat.basis).T


def a_side(k: int = 30, p: int = 2) -> tuple[Hat, Array]:
    x = np.sort(np.random.default_rng(k).uniform(0.0, 1.0, k))
    hat, weights = make_hat(x[:, None] ** np.arange(p + 1), 1.0 - x)
    return hat, weights[0]


def dense_adjustment(hat: Hat, groups: Array) -> Array:
    covariance = dense(hat) @ dense(hat).T
    out = np.zeros_like(covariance)
    for g in np.unique(groups):
        block = np.ix_(groups == g, groups == g)
        out[block] = fractional_matrix_power(covariance[block], -0.5).real
    return out


def test_the_projection_reproduces_polynomials_and_its_weights_are_those_of_least_squares() -> None:
    hat, weights = a_side()
    x = np.sort(np.random.default_rng(30).uniform(0.0, 1.0, 30))
    np.testing.assert_allclose(dense(hat) @ (1.0 + x - 3.0 * x**2), 0.0, atol=1e-12)
    design, mass = x[:, None] ** np.arange(3), 1.0 - x
    expected = np.linalg.solve(design.T @ (mass[:, None] * design), (mass[:, None] * design).T)[0]
    np.testing.assert_allclose(weights, expected, atol=1e-12)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(10), 3), np.arange(30) % 7 * 11])
def test_adjustment_and_degrees_of_freedom_agree_with_dense_matrices(groups: Array | None) -> None:
    hat, weights = a_side()
    errors = dense(hat) @ RNG.normal(size=(30, 4))
    codes = np.arange(30) if groups is None else groups
    stretch = dense_adjustment(hat, codes)
    np.testing.assert_allclose(adjusted_errors(hat, errors, groups), stretch @ errors, atol=1e-9)
    moved = np.stack([(weights * (codes == g)) @ stretch @ dense(hat) for g in np.unique(codes)])
    gram = moved @ moved.T
    expected = np.trace(gram) ** 2 / (gram**2).sum()
    assert degrees_of_freedom(hat, weights, groups) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(10), 3)])
def test_the_variance_estimate_is_unbiased_and_spreads_as_its_degrees_of_freedom_say(
    groups: Array | None,
) -> None:
    hat, weights = a_side()
    noise = np.random.default_rng(1).normal(size=(30, 40_000))
    scores = weights[:, None] * adjusted_errors(hat, dense(hat) @ noise, groups)
    if groups is not None:
        scores = scores.reshape(10, 3, -1).sum(axis=1)
    ratio = (scores**2).sum(axis=0) / (weights @ weights)
    assert ratio.mean() == pytest.approx(1.0, abs=4.0 * ratio.std() / 200.0)
    assert 2.0 / ratio.var() == pytest.approx(degrees_of_freedom(hat, weights, groups), rel=0.06)


def test_an_equally_weighted_mean_has_the_degrees_of_freedom_of_students_t() -> None:
    hat, weights = make_hat(np.ones((9, 1)), np.ones(9))
    assert degrees_of_freedom(hat, weights[0]) == pytest.approx(8.0)
    # clusters of equal size: the number of clusters less one
    assert degrees_of_freedom(hat, weights[0], np.repeat([4, 1, 7], 3)) == pytest.approx(2.0)


def test_a_unit_that_determines_its_own_fit_adds_nothing() -> None:
    design = np.column_stack([np.ones(6), np.r_[np.zeros(5), 1.0]])
    hat, weights = make_hat(design, np.ones(6))
    scores = weights[0][:, None] * adjusted_errors(hat, dense(hat) @ RNG.normal(size=(6, 2)))
    np.testing.assert_allclose(scores[5], 0.0, atol=1e-7)
    assert np.isfinite(scores).all()


def both_sides(n: int = 90, seed: int = 2) -> tuple[Array, Any, Any, Array]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1.0, 1.0, n))
    curves = rng.normal(size=(n, 3)).cumsum(axis=1)
    h = np.array([0.8])
    minus, plus = (fit_side(x, curves, h, 2, "triangular", plus=side) for side in (False, True))
    return x, minus, plus, curves


def test_without_anything_in_common_the_joint_scores_are_those_of_the_sides() -> None:
    x, minus, plus, curves = both_sides()
    errors = [curves[fit.rows] - fit.fitted for fit in (minus, plus)]
    lower, upper, df = joint_scores(minus, plus, x, np.vstack(errors), 2)
    (low, df_low), (up, df_up) = (side_scores(f, x, e, 2) for f, e in zip((minus, plus), errors, strict=True))
    k = len(low)
    np.testing.assert_allclose(lower[:k], low, atol=1e-11)
    np.testing.assert_allclose(upper[k:], up, atol=1e-11)
    np.testing.assert_allclose(lower[k:], 0.0, atol=1e-11)
    v = [float((f.coefficient_weights**2).sum()) for f in (minus, plus)]
    assert df[0] == pytest.approx(sum(v) ** 2 / (v[0] ** 2 / df_low[0] + v[1] ** 2 / df_up[0]))


def test_slopes_at_the_cutoff_have_the_weights_of_the_fit() -> None:
    x, _, _, curves = both_sides()
    fits = [fit_side(x, curves, np.array([0.8]), 2, "triangular", plus=s, deriv=1) for s in (False, True)]
    errors = np.vstack([curves[f.rows] - f.fitted for f in fits])
    lower, _, df = joint_scores(*fits, x, errors, 2, deriv=1)
    alone, _ = side_scores(fits[0], x, errors[: len(curves[fits[0].rows])], 2)
    np.testing.assert_allclose(lower[: len(alone)], alone, atol=1e-10)
    assert 1.0 < df[0] < 60.0


def test_covariates_enter_leverage_and_weights() -> None:
    x, minus, plus, _ = both_sides()
    z = np.random.default_rng(3).normal(size=(90, 20))
    hat, weights = joint_hat(minus, plus, x, 2, z)
    jump = weights[3] - weights[0]
    near = np.vstack([z[minus.rows], z[plus.rows]])
    np.testing.assert_allclose(jump @ near, 0.0, atol=1e-10)  # covariates have no jump left
    for limit in (weights[0], weights[3]):  # at the covariates' means
        np.testing.assert_allclose(limit @ near, near.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(dense(hat) @ (near - near.mean(axis=0)), 0.0, atol=1e-10)
    _, bare = joint_hat(minus, plus, x, 2)
    assert jump @ jump > 1.2 * ((bare[3] - bare[0]) @ (bare[3] - bare[0]))  # 20 covariates cost precision


def test_bandwidths_that_differ_by_quantile_are_taken_one_by_one() -> None:
    x, _, _, curves = both_sides()
    h = np.array([0.5, 0.7, 0.9])
    fit = fit_side(x, curves, h, 2, "triangular", plus=True)
    own, df = side_scores(fit, x, curves[fit.rows] - fit.fitted, 2)
    single = fit_side(x, curves[:, [1]], h[[1]], 2, "triangular", plus=True)
    one, df_one = side_scores(single, x, curves[single.rows][:, [1]] - single.fitted, 2)
    np.testing.assert_allclose(own[: len(one), 1], one[:, 0], atol=1e-10)
    assert df[1] == pytest.approx(df_one[0])
    assert df[0] < df[1] < df[2]


# -- suprema ---------------------------------------------------------------------------------------------------


def test_one_quantile_with_one_component_is_students_t() -> None:
    spread = Spread(np.array([[4.0]]), np.array([[5.0]]))
    errors = 2.0 * np.random.default_rng(4).standard_normal((20_000, 1))
    assert kstest(suprema(errors, spread, seed=5, sign=1), student(5.0).cdf).pvalue > 0.001
    np.testing.assert_allclose(spread.t_quantiles(0.05), student.ppf(0.975, 5.0))
    assert spread.t_p_values(np.array([2.0]))[0] == pytest.approx(2.0 * student.sf(1.0, 5.0))


def test_degrees_of_freedom_of_a_sum_are_welchs() -> None:
    spread = Spread(np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[4.0, 4.0], [9.0, 9.0]]))
    np.testing.assert_allclose(spread.pooled_df, [16.0 / (1.0 / 4.0 + 1.0), 4.0])
    noise = spread.noise(200_000, seed=6)
    np.testing.assert_allclose(noise.mean(axis=0), 1.0, atol=0.01)
    np.testing.assert_allclose(2.0 / noise.var(axis=0), spread.pooled_df, rtol=0.03)


def test_chi_squares_with_differing_degrees_of_freedom_are_interpolated_closely() -> None:
    u, df = np.array([0.001, 0.3, 0.999]), np.linspace(3.0, 40.0, 25)
    np.testing.assert_allclose(chi_square_ratio(u, df), chi2.ppf(u[:, None], df) / df, rtol=0.03)
    np.testing.assert_array_equal(chi_square_ratio(u, np.array([np.inf])), 1.0)


def components() -> tuple[tuple[Component, ...], Array]:
    plus, minus = np.zeros((6, 6)), np.zeros((6, 6))
    plus[:3, :3], minus[3:, 3:] = np.diag([1.0, 2.0, 0.0]), 0.5 * np.eye(3) * [1.0, 1.0, 0.0]
    contrast = np.vstack([np.eye(3), -np.eye(3)])
    return (Component(plus, 6.0), Component(minus, np.array([3.0, 5.0, 5.0]))), contrast


def test_an_atom_takes_no_part_and_is_counted() -> None:
    parts, contrast = components()
    spread = spread_of(parts, contrast, level=1.0)
    assert spread.live.tolist() == [True, True, False]
    assert spread.n_atoms == 1
    errors = np.random.default_rng(7).standard_normal((999, 3)) * spread.se
    with np.errstate(all="raise"):
        test = sup_test(np.array([0.1, 0.1, 7.0]), errors, spread, 0.05, seed=8)
        lower, upper, c = band(np.array([0.1, 0.1, 7.0]), errors, spread, 0.05, seed=8)
    assert test.p_value > 0.5
    assert test.n_atoms == 1
    assert lower[2] == upper[2] == 7.0
    np.testing.assert_allclose((upper - lower)[:2], 2.0 * c * spread.se[:2])
    assert spread.t_p_values(np.ones(3))[2] == 1.0
    np.testing.assert_allclose(spread.df[1], [3.0, 5.0, 5.0])


def test_rounding_is_not_variance() -> None:
    spread = Spread(np.array([[1.0, 1e-26, 1e-20]]), np.full((1, 3), 9.0), level=1e5)
    assert spread.live.tolist() == [True, False, False]
    with pytest.raises(DataError, match="no quantile has a variance"):
        suprema(np.zeros((9, 2)), Spread(np.zeros((1, 2)), np.full((1, 2), 9.0)), seed=0)


def test_one_sided_suprema_and_the_constant_band() -> None:
    parts, contrast = components()
    spread = spread_of(parts, contrast)
    process = np.random.default_rng(9).standard_normal((50_000, 6)) * np.sqrt([1, 2, 0, 0.5, 0.5, 0])
    errors = process @ contrast
    two = sup_test(np.array([2.0, 0.0, 0.0]), errors, spread, 0.05, seed=1)
    up = sup_test(np.array([2.0, 0.0, 0.0]), errors, spread, 0.05, seed=1, sign=1)
    down = sup_test(np.array([2.0, 0.0, 0.0]), errors, spread, 0.05, seed=1, sign=-1)
    assert up.p_value < two.p_value < down.p_value
    noisy = t_draws(process, parts, seed=2)
    assert noisy[:, 0].var() == pytest.approx(6.0 / 4.0, rel=0.1)  # of a t with 6 degrees of freedom
    assert constant_half_width(process, contrast, parts, 0.05, seed=2) > np.quantile(
        np.abs(errors).max(axis=1), 0.95
    )
