"""Bounded curvature: against RDHonest, against linear programming, and the coverage of known curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from fisc.core import DataError
from fisc.r3d import CurvatureIntervals, r3d
from fisc.r3d.curvature import bounded_curvature, curvature_bound, folded_quantile, worst_bias

Array = np.ndarray[Any, Any]

# rdhonest 0.0.1 (PyPI): rd_honest(y, x, M=, kern=, h=, se_method="EHW"): estimate, maximum.bias
ORACLE = {
    ("triangular", 1, 5.2, 0.05): (0.7605283147470435, 0.14608312058006426),
    ("triangular", 2, 8.0, 0.02): (-0.5179834146583859, 0.12970929163953482),
    ("uniform", 1, 5.2, 0.05): (0.5908468245215646, 0.20185599115616887),
    ("uniform", 2, 8.0, 0.02): (-0.5700300168285597, 0.1986176320639865),
}
RULE_OF_THUMB = 0.537113949210621  # its M for seed 2
CRITICAL = [1.95996398, 2.18147744, 2.64614555, 3.64485371]  # its CVb at 0, .5, 1, 2


def discrete(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    x = np.sort(rng.integers(-12, 12, 240) + 0.5)
    y = 0.3 * x - 0.02 * x**2 * (x < 0) + 0.5 * (x > 0) + rng.normal(0, 1, 240)
    return x, y[:, None]


@pytest.mark.parametrize("case", ORACLE)
def test_estimate_and_largest_bias_are_those_of_rdhonest(case: tuple[Any, int, float, float]) -> None:
    kernel, seed, h, bound = case
    x, y = discrete(seed)
    fit = bounded_curvature(x, y, bound=bound, bandwidth=h, kernel=kernel)
    np.testing.assert_allclose([fit.tau[0], fit.bias[0]], ORACLE[case], rtol=1e-10)


def test_rule_of_thumb_and_critical_values_are_those_of_rdhonest() -> None:
    x, y = discrete(2)
    assert curvature_bound(x, y)[0] == pytest.approx(RULE_OF_THUMB, rel=1e-9)
    found = folded_quantile(np.array([0.0, 0.5, 1.0, 2.0]), 0.05, np.full(4, np.inf))
    np.testing.assert_allclose(found, CRITICAL, atol=1e-7)
    few = folded_quantile(np.array([1.0]), 0.05, np.array([6.0]))[0]
    draws = np.random.default_rng(0)
    ratio = (draws.standard_normal(400_000) + 1.0) / np.sqrt(draws.chisquare(6.0, 400_000) / 6.0)
    assert np.mean(np.abs(ratio) > few) == pytest.approx(0.05, abs=0.002)


def test_the_largest_bias_solves_the_linear_program() -> None:
    rng = np.random.default_rng(1)
    distance = np.sort(rng.choice(np.arange(1, 60), 12, replace=False)) / 20.0
    raw = rng.normal(size=12)
    design = np.column_stack([np.ones(12), distance])
    # weights that reproduce lines: sum w = 1, sum w d = 0
    weights = raw - design @ np.linalg.solve(design.T @ design, design.T @ raw - np.array([1.0, 0.0]))
    grid = np.linspace(0.0, 3.0, 601)
    step = grid[1]
    # f'' on cells of the grid, f(0) = f'(0) = 0
    middle = 0.5 * (grid[1:] + grid[:-1])
    effect = np.maximum(distance[:, None] - middle, 0.0).T @ weights * step
    found = linprog(-effect, bounds=[(-1.0, 1.0)] * effect.size)
    assert worst_bias(distance, weights) == pytest.approx(-found.fun, rel=1e-3)


def test_a_line_has_no_bias_and_a_parabola_the_largest() -> None:
    x = np.repeat(np.arange(-6.0, 6.0) + 0.5, 10)
    line = bounded_curvature(x, (2.0 + 3.0 * x + (x > 0))[:, None], bound=0.0)
    assert line.tau[0] == pytest.approx(1.0)
    assert line.bias[0] == 0.0
    assert line.bandwidth > 5.0  # nothing speaks against all the data
    bent = bounded_curvature(x, (0.5 * x * np.abs(x))[:, None], bound=1.0, bandwidth=4.0)
    assert abs(bent.tau[0]) == pytest.approx(bent.bias[0], rel=1e-9)


def test_a_tighter_bound_gives_a_wider_window_and_a_narrower_interval() -> None:
    x, y = discrete(3)
    fits = [bounded_curvature(x, y, bound=b) for b in (0.01, 0.1, 1.0)]
    widths = [float(np.ptp([f.interval()[0][0], f.interval()[1][0]])) for f in fits]
    assert fits[0].bandwidth > fits[1].bandwidth >= fits[2].bandwidth
    assert widths[0] < widths[1] < widths[2]


def test_a_quantile_in_an_atom_has_its_bias_only() -> None:
    x, y = discrete(4)
    fit = bounded_curvature(x, np.hstack([np.zeros_like(y), y]), bound=0.05)
    with np.errstate(all="raise"):
        (low, high), (below, above) = fit.interval(), fit.band()
    assert high[0] - low[0] == pytest.approx(2.0 * fit.bias[0])
    assert above[1] - below[1] > high[1] - low[1] > above[0] - below[0]


def test_what_cannot_be_done_is_said() -> None:
    x = np.repeat([-2.0, -1.0, 0.0, 1.0, 2.0], 20)
    with pytest.raises(DataError, match="takes 2 and 3 values"):
        bounded_curvature(x, x[:, None])
    x, y = discrete(5)
    with pytest.raises(DataError, match="bound=-1"):
        bounded_curvature(x, y, bound=-1.0)
    with pytest.raises(DataError, match="both sides"):
        bounded_curvature(x, y, clusters=np.arange(x.size) % 5)


@pytest.mark.slow
@pytest.mark.parametrize("points", [6, 12])
def test_curves_within_the_bound_are_covered_at_every_quantile_and_as_a_whole(points: int) -> None:
    q = np.arange(1, 10) / 10
    tau = 0.3 * q
    single, whole, repeats = [], 0, 300
    for r in range(repeats):
        rng = np.random.default_rng([r, points])
        x = np.sort((rng.integers(-points, points, 300) + 0.5) / points)
        centre = np.cos(2.5 * x) + rng.normal(0.0, 0.4, 300)  # |f''| <= 6.25
        values = centre[:, None] + np.exp(0.2 * rng.normal(size=300))[:, None] * rng.normal(size=(300, 40))
        curves = np.quantile(values, q, axis=1).T + tau * (x > 0)[:, None]
        fit = bounded_curvature(x, curves, bound=6.25, n_draws=499, seed=r)
        (low, high), (below, above) = fit.interval(), fit.band()
        single.append(np.mean((low <= tau) & (tau <= high)))
        whole += bool(((below <= tau) & (tau <= above)).all())
    assert np.mean(single) >= 0.93
    assert whole / repeats >= 0.93


def test_a_fit_gives_the_intervals_of_its_own_units() -> None:
    x, y = discrete(1)
    rng = np.random.default_rng(3)
    values = [float(level) + rng.normal(0.0, 1.0, 40) for level in y[:, 0]]
    fit = r3d(values, x=x, quantiles=[0.25, 0.5, 0.75], kernel="uniform", random_state=0)
    found = fit.bounded_curvature(bound=0.05, bandwidth=5.2)
    alone = bounded_curvature(
        fit.sample.x, fit.sample.curves, bound=0.05, bandwidth=5.2, kernel="uniform",
        clusters=fit.sample.clusters,
    )  # fmt: skip
    np.testing.assert_array_equal(found.tau, alone.tau)
    np.testing.assert_allclose(found.upper - found.tau, alone.interval(fit.alpha)[1] - alone.tau)
    assert (found.band_lower <= found.lower).all()
    assert (found.upper <= found.band_upper).all()
    wide = fit.bounded_curvature(bound=0.5, bandwidth=5.2)
    assert (wide.upper - wide.lower > found.upper - found.lower).all()
    assert "leaves out zero at" in found.summary()
    assert CurvatureIntervals.from_dict(found.to_dict()) == found
    assert found.section().tables


def test_designs_without_such_intervals_are_refused() -> None:
    x, y = discrete(1)
    rng = np.random.default_rng(3)
    values = [float(level) + rng.normal(0.0, 1.0, 20) for level in y[:, 0]]
    taken = np.where(rng.uniform(size=x.size) < 0.9, x > 0, x < 0).astype(float)
    fuzzy = r3d(values, x=x, treatment=taken, quantiles=[0.5], random_state=0)
    with pytest.raises(DataError, match="sharp jumps without covariates"):
        fuzzy.bounded_curvature()
    covariates = r3d(values, x=x, covariates=rng.normal(size=(x.size, 1)), quantiles=[0.5], random_state=0)
    with pytest.raises(DataError, match="sharp jumps without covariates"):
        covariates.bounded_curvature()
