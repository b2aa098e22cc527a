"""Outcomes with atoms: no standard error is made where no unit moves, and no true null is rejected."""

from __future__ import annotations

from typing import Any

import numpy as np

from fisc.r3d.atoms import MOVING_MIN, has_spread, moving_units
from fisc.r3d.honest import side_scores
from fisc.r3d.localpoly import fit_side
from fisc.r3d.process import Component
from fisc.r3d.projection import cell_widths, isotonic_rows
from fisc.r3d.studentised import Spread, band, spread_of, sup_test

Array = np.ndarray[Any, Any]
Q = np.arange(1, 10) / 10


def test_units_off_the_common_value_are_counted() -> None:
    curves = np.random.default_rng(0).normal(size=(500, 4))
    curves[:, 0] = 7.0
    curves[:470, 1] = 0.0
    curves[:200, 2] = 0.0  # 40 of 100 share a value: no atom of the average
    assert moving_units(curves).tolist() == [0, 30, 500, 500]
    assert moving_units(curves[:6]).tolist()[0] == 0


def test_a_few_moving_units_are_too_few() -> None:
    below, above = np.zeros((60, 3)), np.zeros((60, 3))
    below[: MOVING_MIN - 1, 1] = np.arange(1.0, MOVING_MIN)
    below[: MOVING_MIN - 1, 2] = above[0, 2] = 1.0 + np.arange(MOVING_MIN)[:-1].max()
    below[: MOVING_MIN - 1, 2] += np.arange(MOVING_MIN - 1)
    assert has_spread(below, above).tolist() == [False, False, True]


def a_sample() -> tuple[Array, Array]:
    """No unit has an income at the three lowest quantiles; the fourth extrapolates below zero above the cutoff."""
    rng = np.random.default_rng(1)
    x = np.sort(rng.uniform(-1.0, 1.0, 300))
    curves = np.zeros((300, 9))
    curves[:, 3] = np.where(x > 0.2, 0.5 + rng.uniform(0.0, 0.02, 300), rng.uniform(0.0, 0.02, 300))
    curves[:, 4:] = 1.0 + rng.exponential(1.0, (300, 5)).cumsum(axis=1)
    return x, curves


def jump_of(x: Array, curves: Array, moving: bool) -> tuple[Array, Array, Array, Spread]:
    """Projected jump, raw jump, draws and spread, as a fit with monotone limits has them."""
    m, sides, parts, masks = Q.size, [], [], []
    for index, plus in enumerate((True, False)):
        fit = fit_side(x, curves, np.array([0.9]), 2, "triangular", plus=plus)
        widths = cell_widths(Q)
        own, df = side_scores(fit, x, curves[fit.rows] - isotonic_rows(fit.fitted, widths), 2)
        covariance = np.zeros((2 * m, 2 * m))
        covariance[index * m : (index + 1) * m, index * m : (index + 1) * m] = own.T @ own
        parts.append(Component(covariance, float(df[0])))
        sides.append((fit.alpha[0], isotonic_rows(fit.alpha[:1], widths)[0]))
        masks.append(curves[fit.rows])
    contrast = np.vstack([np.eye(m), -np.eye(m)])
    total = contrast.T @ (parts[0].covariance + parts[1].covariance) @ contrast
    values, vectors = np.linalg.eigh(total)
    errors = (
        np.random.default_rng(1).standard_normal((499, m)) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    )
    spread = spread_of(
        tuple(parts), contrast, float(np.abs(curves).max()), has_spread(*masks) if moving else None
    )
    return sides[0][1] - sides[1][1], sides[0][0] - sides[1][0], errors, spread


def test_a_projection_makes_no_effect_in_an_atom() -> None:
    x, curves = a_sample()
    tau, raw, errors, naive = jump_of(x, curves, moving=False)
    assert tau[0] < -0.02  # pulled below zero by the fourth quantile, with a variance of its own
    assert raw[0] == 0.0
    assert np.abs(tau[0]) > 4.0 * naive.se[0] > 0.0
    tau, raw, errors, spread = jump_of(x, curves, moving=True)
    assert spread.live.tolist() == [False] * 3 + [True] * 6
    lower, upper, _ = band(tau, errors, spread, 0.05, seed=0, raw=raw)
    assert (lower[:3] < 0.0).all()
    assert (upper[:3] >= 0.0).all()
    high = np.r_[False, False, False, False, np.ones(5, dtype=bool)]
    kept = Spread(spread.variances, spread.df, spread.level, spread.moving & high)
    assert sup_test(tau, errors, kept, 0.05, seed=0).n_atoms == 4


def test_the_band_reaches_to_the_raw_curve_where_a_quantile_is_left_out() -> None:
    spread = Spread(np.array([[1e-6, 1.0]]), np.full((1, 2), 12.0), moving=np.array([False, True]))
    errors = np.random.default_rng(2).standard_normal((499, 2)) * spread.se
    lower, upper, _ = band(np.array([-0.8, 0.5]), errors, spread, 0.05, seed=0, raw=np.array([0.0, 9.0]))
    assert lower[0] < -0.8
    assert upper[0] == 0.0
    assert upper[1] < 9.0
    assert spread.n_atoms == 1
