"""Independent answers: rdrobust column by column, exact polynomials, equivalences between options."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rdrobust import rdrobust

from fisc.r3d import r3d, simulate, unit_quantiles
from fisc.r3d.projection import isotonic_rows

EXACT = 1e-10
Q = [0.1, 0.25, 0.5, 0.75, 0.9]

pytestmark = pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")


@pytest.fixture(scope="module")
def design() -> dict[str, Any]:
    """A quantile matrix with unit-level variables."""
    sim = simulate("fuzzy1", n=240, seed=11)
    matrix = unit_quantiles(sim.data, y="y", unit="unit", quantiles=Q).to_numpy()
    units = sim.data.drop_duplicates("unit")
    rng = np.random.default_rng(1)
    return {
        "matrix": matrix,
        "x": units["x"].to_numpy(),
        "t": units["t"].to_numpy(),
        "w": rng.uniform(0.5, 2.0, 240),
        "z": np.column_stack([rng.standard_normal(240), matrix.mean(axis=1) + rng.standard_normal(240)]),
        "g": rng.integers(0, 60, 240),
    }


def fit(design: dict[str, Any], **options: Any) -> Any:
    defaults: dict[str, Any] = {
        "x": design["x"],
        "quantiles": Q,
        "method": "simple",
        "bandwidth": 0.6,
        "residuals": "hc0",
        "random_state": 0,
    }
    return r3d(quantile_matrix=design["matrix"], **{**defaults, **options})


def scalar(design: dict[str, Any], column: int, **options: Any) -> tuple[float, float]:
    """rdrobust of one quantile at h = b = 0.6 and order 2: estimate and standard error."""
    defaults: dict[str, Any] = {
        "p": 2,
        "h": 0.6,
        "b": 0.6,
        "vce": "hc0",
        "kernel": "tri",
        "masspoints": "off",
    }
    out = rdrobust(design["matrix"][:, column], design["x"], **{**defaults, **options})
    return float(out.coef.loc["Conventional"].iloc[0]), float(out.se.loc["Conventional"].iloc[0])


@pytest.mark.parametrize("kernel", ["triangular", "epanechnikov", "uniform"])
def test_every_quantile_is_a_bias_corrected_scalar_rd(design: dict[str, Any], kernel: str) -> None:
    # Order s + 1 at h equals rdrobust's bias-corrected estimate of order s with b = h.
    found = fit(design, kernel=kernel)
    for j in range(len(Q)):
        out = rdrobust(
            design["matrix"][:, j],
            design["x"],
            p=1,
            h=0.6,
            b=0.6,
            vce="hc0",
            kernel=kernel[:3],
            masspoints="off",
        )
        assert found.raw_plus[j] - found.raw_minus[j] == pytest.approx(
            out.coef.loc["Robust"].iloc[0], rel=EXACT
        )
        assert found.se[j] == pytest.approx(out.se.loc["Robust"].iloc[0], rel=EXACT)


@pytest.mark.parametrize("residuals", ["hc0", "hc1", "hc3"])
def test_residual_corrections(design: dict[str, Any], residuals: str) -> None:
    found = fit(design, residuals=residuals)
    for j in range(len(Q)):
        estimate, se = scalar(design, j, vce=residuals)
        assert found.tau[j] == pytest.approx(estimate, rel=EXACT)
        assert found.se[j] == pytest.approx(se, rel=EXACT)


def test_nearest_neighbour_residuals(design: dict[str, Any]) -> None:
    # rdrobust looks for neighbours inside the window only; a window with all units makes the two agree.
    found = fit(design, residuals="nn", bandwidth=1.1)
    for j in range(len(Q)):
        assert found.se[j] == pytest.approx(scalar(design, j, vce="nn", h=1.1, b=1.1)[1], rel=EXACT)


def test_fuzzy_ratio(design: dict[str, Any]) -> None:
    found = fit(design, treatment=design["t"], bandwidth_treatment="common")
    for j in range(len(Q)):
        estimate, se = scalar(design, j, fuzzy=design["t"])
        assert found.tau[j] == pytest.approx(estimate, rel=EXACT)
        assert found.se[j] == pytest.approx(se, rel=1e-9)


def test_unit_weights(design: dict[str, Any]) -> None:
    found = fit(design, unit_weights=design["w"])
    for j in range(len(Q)):
        estimate, se = scalar(design, j, weights=design["w"])
        assert found.tau[j] == pytest.approx(estimate, rel=EXACT)
        assert found.se[j] == pytest.approx(se, rel=EXACT)


def test_covariates(design: dict[str, Any]) -> None:
    found = fit(design, covariates=design["z"])
    for j in range(len(Q)):
        estimate, se = scalar(design, j, covs=design["z"])
        assert found.tau[j] == pytest.approx(estimate, rel=1e-9)
        assert found.se[j] == pytest.approx(se, rel=1e-9)
    assert found.covariate_coefficients.shape == (2, len(Q))
    assert found.se.mean() < fit(design).se.mean()


def test_covariates_in_a_fuzzy_design(design: dict[str, Any]) -> None:
    found = fit(design, covariates=design["z"], treatment=design["t"], bandwidth_treatment="common")
    for j in range(len(Q)):
        estimate, se = scalar(design, j, covs=design["z"], fuzzy=design["t"])
        assert found.tau[j] == pytest.approx(estimate, rel=1e-9)
        assert found.se[j] == pytest.approx(se, rel=1e-8)


def test_kink(design: dict[str, Any]) -> None:
    found = fit(design, deriv=1)
    for j in range(len(Q)):
        estimate, se = scalar(design, j, deriv=1)
        assert found.tau[j] == pytest.approx(estimate, rel=1e-9)
        assert found.se[j] == pytest.approx(se, rel=1e-9)


def test_clusters_of_one_are_no_clusters(design: dict[str, Any]) -> None:
    for residuals in ("hc0", "hc2", "hc3"):
        alone = fit(design, cluster=np.arange(240), residuals=residuals)
        np.testing.assert_allclose(alone.se, fit(design, residuals=residuals).se, rtol=EXACT)


def test_cluster_scores_are_summed(design: dict[str, Any]) -> None:
    """CR0 and CR3 against the textbook matrices of one side."""
    h, p, g = 0.6, 2, design["g"]
    for power, residuals in ((0.0, "hc0"), (-1.0, "hc3")):
        total = np.zeros((60, len(Q)))
        for sign in (1.0, -1.0):
            rows = (sign * design["x"] >= 0) & (np.abs(design["x"]) < h)
            u = design["x"][rows] / h
            root = np.sqrt(1 - np.abs(u))[:, None]
            design_matrix = root * u[:, None] ** np.arange(p + 1)
            inverse = np.linalg.inv(design_matrix.T @ design_matrix)
            errors = root * design["matrix"][rows]
            errors = errors - design_matrix @ inverse @ design_matrix.T @ errors
            for group in range(60):
                own = g[rows] == group
                if own.any():
                    part = design_matrix[own]
                    values, vectors = np.linalg.eigh(np.eye(own.sum()) - part @ inverse @ part.T)
                    fixed = vectors @ np.diag(values**power) @ vectors.T @ errors[own]
                    total[group] += sign * (inverse @ part.T @ fixed)[0]
        se = np.sqrt((total**2).sum(axis=0))
        np.testing.assert_allclose(fit(design, cluster=g, residuals=residuals).se, se, rtol=1e-9)


def test_vector_bandwidth_is_column_by_column(design: dict[str, Any]) -> None:
    h = [0.5, 0.55, 0.6, 0.65, 0.7]
    for residuals in ("hc0", "hc1", "hc2", "hc3", "nn"):
        joint = fit(design, bandwidth=h, residuals=residuals)
        for j, single in enumerate(h):
            alone = fit(design, bandwidth=single, residuals=residuals)
            np.testing.assert_allclose(joint.raw_plus[j], alone.raw_plus[j], rtol=EXACT)
            np.testing.assert_allclose(joint.se[j], alone.se[j], rtol=EXACT)
    for cluster in ("hc2", "hc3"):
        joint = fit(design, bandwidth=h, residuals=cluster, cluster=design["g"])
        alone = fit(design, bandwidth=h[1], residuals=cluster, cluster=design["g"])
        np.testing.assert_allclose(joint.se[1], alone.se[1], rtol=EXACT)


def test_bandwidth_by_side(design: dict[str, Any]) -> None:
    found = fit(design, bandwidth={"minus": 0.5, "plus": 0.7})
    np.testing.assert_allclose(found.raw_minus, fit(design, bandwidth=0.5).raw_minus, rtol=1e-13)
    np.testing.assert_allclose(found.raw_plus, fit(design, bandwidth=0.7).raw_plus, rtol=1e-13)
    np.testing.assert_array_equal(found.bandwidth, [0.5, 0.7])


def test_doubled_weight_is_a_doubled_unit(design: dict[str, Any]) -> None:
    weights = np.ones(240)
    weights[:20] = 2.0
    twice = np.r_[np.arange(240), np.arange(20)]
    weighted = fit(design, unit_weights=weights)
    repeated = r3d(
        quantile_matrix=design["matrix"][twice],
        x=design["x"][twice],
        quantiles=Q,
        method="simple",
        bandwidth=0.6,
    )
    np.testing.assert_allclose(weighted.tau, repeated.tau, rtol=1e-10)


def test_polynomials_of_the_fitted_order_are_exact() -> None:
    x = np.linspace(-1, 1, 80)
    q = np.array([0.25, 0.5, 0.75])
    base = 3 + x + 2 * x**2
    matrix = base[:, None] + np.array([-1.0, 0.0, 1.0]) + (x >= 0)[:, None] * np.array([0.5, 1.0, 2.0])
    for method in ("simple", "frechet"):
        found = r3d(quantile_matrix=matrix, x=x, quantiles=q, method=method, bandwidth=0.7, random_state=0)
        np.testing.assert_allclose(found.tau, [0.5, 1.0, 2.0], rtol=1e-11)
        np.testing.assert_allclose(found.se, 0.0, atol=1e-12)


def test_sharp_design_as_fuzzy_with_full_compliance(design: dict[str, Any]) -> None:
    sharp = fit(design)
    took = (design["x"] >= 0).astype(float)
    fuzzy = fit(design, treatment=took, bandwidth_treatment=0.6)
    assert fuzzy.first_stage == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(fuzzy.tau, sharp.tau, rtol=1e-10)
    np.testing.assert_allclose(fuzzy.se, sharp.se, rtol=1e-10)


def test_one_quantile_is_a_scalar_rd(design: dict[str, Any]) -> None:
    for method in ("simple", "frechet"):
        found = r3d(
            quantile_matrix=design["matrix"][:, [2]],
            x=design["x"],
            quantiles=[0.5],
            method=method,
            bandwidth=0.6,
        )
        assert found.tau[0] == pytest.approx(scalar(design, 2)[0], rel=EXACT)
        assert found.tau.shape == (1,)
        assert np.isfinite(found.critical_value)


def test_isotonic_projection_is_the_constrained_minimum() -> None:
    rng = np.random.default_rng(0)
    rows, widths = rng.standard_normal((40, 9)).cumsum(axis=1) + np.arange(9) * 0.2, rng.uniform(0.5, 2.0, 9)
    found = isotonic_rows(rows, widths)
    assert (np.diff(found, axis=1) >= -1e-12).all()
    # Greatest convex minorant: max over starts of min over ends of weighted means.
    for row, projected in zip(rows, found, strict=True):
        sums = np.r_[0, np.cumsum(widths * row)]
        mass = np.r_[0, np.cumsum(widths)]
        mean = np.array(
            [
                [(sums[b + 1] - sums[a]) / (mass[b + 1] - mass[a]) if b >= a else np.inf for b in range(9)]
                for a in range(9)
            ]
        )
        minmax = [max(mean[a, j:].min() for a in range(j + 1)) for j in range(9)]
        np.testing.assert_allclose(projected, minmax, rtol=1e-10, atol=1e-10)


def test_crossing_curves_are_sorted_or_pooled() -> None:
    """Ten noisy units a side extrapolate to limit curves that descend somewhere; the methods mend them."""
    rng = np.random.default_rng(4)
    x = np.linspace(-1, 1, 20)
    matrix = np.sort(rng.standard_normal((20, 9)), axis=1)
    q = np.arange(1, 10) / 10
    sorted_, pooled = (
        r3d(quantile_matrix=matrix, x=x, quantiles=q, method=m, bandwidth=0.9, random_state=0)
        for m in ("simple", "frechet")
    )
    assert (np.diff(sorted_.raw_plus) < 0).any()
    np.testing.assert_array_equal(sorted_.q_plus, np.sort(sorted_.raw_plus))
    np.testing.assert_allclose(pooled.q_plus, isotonic_rows(pooled.raw_plus[None, :], np.ones(9))[0])
    np.testing.assert_allclose(pooled.raw_plus, sorted_.raw_plus, rtol=1e-10)
    assert max(pooled.projection_active) > 0
    assert "made monotone" in pooled.summary()
    # Projected fitted curves leave other residuals than the raw ones.
    assert not np.allclose(pooled.se, sorted_.se, rtol=1e-6)


def test_unequal_grids_are_weighted_by_their_cells() -> None:
    """On an uneven grid the projection minimises the integral of the squared distance, not the sum."""
    rng = np.random.default_rng(4)
    x = np.linspace(-1, 1, 20)
    matrix = np.sort(rng.standard_normal((20, 9)), axis=1)
    q = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.52, 0.54, 0.9, 0.99])
    found = r3d(quantile_matrix=matrix, x=x, quantiles=q, bandwidth=0.9, random_state=0)
    raw = found.raw_plus[None, :]
    widths = np.r_[0.1, (q[2:] - q[:-2]) / 2, 0.09]
    np.testing.assert_allclose(found.q_plus, isotonic_rows(raw, widths)[0], rtol=1e-10)
    assert not np.allclose(found.q_plus, isotonic_rows(raw, np.ones(9))[0], rtol=1e-6)


def test_monotone_curves_are_left_alone(design: dict[str, Any]) -> None:
    found = fit(design)
    np.testing.assert_array_equal(found.q_plus, found.raw_plus)
    assert found.projection_active == (0.0, 0.0)


def test_donut_leaves_units_out(design: dict[str, Any]) -> None:
    near = np.abs(design["x"]) < 0.05
    without = r3d(
        quantile_matrix=design["matrix"][~near],
        x=design["x"][~near],
        quantiles=Q,
        bandwidth=0.6,
        random_state=0,
    )
    found = r3d(
        quantile_matrix=design["matrix"],
        x=design["x"],
        quantiles=Q,
        bandwidth=0.6,
        donut=0.05,
        random_state=0,
    )
    np.testing.assert_array_equal(found.band_upper, without.band_upper)
    one_sided = r3d(
        quantile_matrix=design["matrix"],
        x=design["x"],
        quantiles=Q,
        bandwidth=0.6,
        donut=(0.05, 0.0),
        random_state=0,
    )
    np.testing.assert_array_equal(one_sided.raw_minus, without.raw_minus)
    assert one_sided.n_plus == int((design["x"] >= 0).sum())
