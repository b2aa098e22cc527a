"""Tests, functionals, bands, diagnostics and pictures of a fit, against closed forms and simulations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm, norm
from scipy.stats import t as student

from fisc.data import DataError, DataWarning
from fisc.r3d import (
    R3DResult,
    balance,
    density_test,
    placebo_cutoffs,
    r3d,
    select_bandwidth,
    simulate,
    unit_quantiles,
)
from fisc.r3d.inequality import gini, top_share, variance
from fisc.r3d.kernels import boundary_constants
from fisc.r3d.process import critical_value, draw_multipliers, holm, p_value

FINE = np.arange(1, 10_000) / 10_000
Q = np.arange(1, 20) / 20

pytestmark = pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")


@pytest.fixture(scope="module")
def sharp() -> R3DResult:
    sim = simulate("paper1", n=300, seed=2)
    return r3d(sim.data, y="y", x="x", unit="unit", quantiles=Q, random_state=0, n_boot=4999)


@pytest.fixture(scope="module")
def fuzzy() -> R3DResult:
    sim = simulate("fuzzy1", n=300, seed=2)
    return r3d(sim.data, y="y", x="x", unit="unit", treatment="t", quantiles=Q, random_state=0, n_boot=4999)


class TestProcess:
    def test_shortcut_and_multipliers_agree(self) -> None:
        """Gaussian multipliers given the data are N(0, D'D): same sup quantiles up to simulation error."""
        sim = simulate("fuzzy1", n=200, seed=1)
        options: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "treatment": "t", "quantiles": Q}
        exact = r3d(sim.data, **options, n_boot=20_000, random_state=0)
        simulated = r3d(sim.data, **options, n_boot=20_000, random_state=1, multipliers="normal")
        np.testing.assert_allclose(exact.se, simulated.se, rtol=1e-12)
        np.testing.assert_allclose(exact.draws.std(axis=0), exact.se, rtol=0.03)
        np.testing.assert_allclose(simulated.draws.std(axis=0), exact.se, rtol=0.03)
        assert exact.critical_value == pytest.approx(simulated.critical_value, rel=0.03)
        correlation = np.corrcoef(exact.draws[:, 0], exact.draws[:, -1])[0, 1]
        assert correlation == pytest.approx(
            np.corrcoef(simulated.draws[:, 0], simulated.draws[:, -1])[0, 1], abs=0.03
        )

    @pytest.mark.parametrize("law", ["normal", "mammen", "rademacher"])
    def test_multipliers_have_mean_zero_and_variance_one(self, law: Any) -> None:
        xi = draw_multipliers(law, 500, 400, seed=0)
        assert abs(xi.mean()) < 0.01
        assert xi.var() == pytest.approx(1.0, abs=0.02)
        if law == "mammen":
            assert (xi**3).mean() == pytest.approx(1.0, abs=0.05)  # the third moment is what it is chosen for

    def test_critical_value_rule(self) -> None:
        draws = np.random.default_rng(0).permutation(np.arange(1.0, 200.0))
        assert critical_value(draws, 0.05) == 190.0  # ceil(.95 * 200)
        assert critical_value(np.arange(1.0, 6.0), 0.05) == 5.0  # clipped at B
        assert p_value(190.0, draws) == (1 + 10) / 200
        assert p_value(1e9, draws) == 1 / 200

    def test_cluster_multipliers_are_shared(self) -> None:
        sim = simulate("paper1", n=120, seed=1)
        data = sim.data.assign(g=sim.data["unit"] // 4)
        options: dict[str, Any] = {
            "y": "y",
            "x": "x",
            "unit": "unit",
            "cluster": "g",
            "quantiles": Q,
            "n_boot": 20_000,
        }
        simulated = r3d(data, **options, multipliers="rademacher", random_state=0)
        np.testing.assert_allclose(simulated.draws.std(axis=0), simulated.se, rtol=0.03)


class TestBands:
    def test_pointwise(self, sharp: R3DResult) -> None:
        band = sharp.band("pointwise", alpha=0.1)
        c = sharp.process.covariance
        variances = np.diag(c)[: Q.size], np.diag(c)[Q.size :]
        df = sum(variances) ** 2 / (variances[0] ** 2 / sharp.df_plus + variances[1] ** 2 / sharp.df_minus)
        np.testing.assert_allclose(band.upper - sharp.tau, student.ppf(0.95, df) * sharp.se, rtol=1e-12)

    def test_widths(self, sharp: R3DResult) -> None:
        constant, studentized, point = (sharp.band(k) for k in ("constant", "studentized", "pointwise"))
        assert np.ptp(constant.upper - constant.lower) == pytest.approx(0.0, abs=1e-12)
        ratio = (studentized.upper - studentized.lower) / sharp.se
        assert np.ptp(ratio) == pytest.approx(0.0, abs=1e-9)
        assert (studentized.upper - studentized.lower > point.upper - point.lower).all()
        wide = sharp.band("constant", alpha=0.01)
        assert wide.critical_value > constant.critical_value

    def test_uniform_band_and_nullity_test_agree(self, sharp: R3DResult) -> None:
        test = sharp.test("nullity")
        outside = bool((sharp.band_lower > 0).any() or (sharp.band_upper < 0).any())
        assert test.rejected == outside
        assert test.critical_value == pytest.approx(sharp.critical_value, rel=1e-12)

    def test_anderson_rubin_inverts_the_test(self, fuzzy: R3DResult) -> None:
        """At the ends of the set the studentised statistic equals the critical value."""
        band = fuzzy.band("anderson_rubin")
        m, half = Q.size, fuzzy.process.covariance.shape[0] // 2
        c = fuzzy.process.covariance
        for q in (0, 9, 18):
            for end in (band.lower[q], band.upper[q]):
                row = np.zeros(2 * half)
                row[q], row[half + q], row[m], row[half + m] = 1.0, -1.0, -end, end
                statistic = (fuzzy.q_plus[q] - fuzzy.q_minus[q] - end * fuzzy.first_stage) / np.sqrt(
                    row @ c @ row
                )
                assert abs(statistic) == pytest.approx(band.critical_value, rel=1e-9)
        assert (band.lower < fuzzy.tau).all()
        assert (fuzzy.tau < band.upper).all()

    def test_anderson_rubin_is_unbounded_without_a_first_stage(self) -> None:
        sim = simulate("paper1", n=200, seed=2)
        coin = pd.Series(np.random.default_rng(0).integers(0, 2, 200), name="coin")
        with pytest.warns(DataWarning, match="first stage is weak"):
            weak = r3d(
                sim.data.join(coin, on="unit"),
                y="y",
                x="x",
                unit="unit",
                treatment="coin",
                quantiles=Q,
                random_state=0,
            )
        band = weak.band("anderson_rubin")
        assert np.isinf(band.lower).all()
        assert np.isinf(band.upper).all()
        assert weak.plot().get_xlabel() == "quantile of y"


class TestTests:
    def test_one_sided(self, sharp: R3DResult) -> None:
        up, down = (sharp.test("nullity", alternative=a) for a in ("greater", "less"))
        assert up.statistic == pytest.approx((sharp.tau / sharp.se).max(), rel=1e-12)
        assert down.statistic == pytest.approx((-sharp.tau / sharp.se).max(), rel=1e-12)
        plain = sharp.test("nullity", alternative="greater", studentized=False)
        assert plain.statistic == sharp.tau.max()
        assert up.p_value < 0.05 < down.p_value

    def test_given_curve(self, sharp: R3DResult) -> None:
        assert sharp.test("nullity", null=sharp.tau).statistic == 0.0
        assert sharp.test("nullity", null=sharp.tau).p_value == 1.0
        assert sharp.test("nullity", null=1.14).p_value > 0.05

    def test_homogeneity_is_centred_by_the_trapezoid_mean(self, sharp: R3DResult) -> None:
        mean = np.trapezoid(sharp.tau, Q) / (Q[-1] - Q[0])
        test = sharp.test("homogeneity", studentized=False)
        assert test.statistic == pytest.approx(np.abs(sharp.tau - mean).max(), rel=1e-12)

    def test_interval_ends_are_included(self, sharp: R3DResult) -> None:
        assert sharp.test("nullity", interval=(0.3, 0.7)).interval == pytest.approx((0.3, 0.7))
        assert sharp.test("nullity", interval=(0.1 + 0.2, 0.7)).interval[0] == pytest.approx(0.3)

    def test_table_with_holm(self, sharp: R3DResult) -> None:
        table = sharp.tests([(0.05, 0.5), (0.5, 0.95)])
        assert table["test"].tolist() == ["nullity"] * 2 + ["homogeneity"] * 2
        np.testing.assert_allclose(table["p_holm"][:2], holm(table["p_value"][:2]))
        assert (table["p_holm"] >= table["p_value"]).all()

    def test_gini_test_finds_a_difference(self) -> None:
        """The R package's uncentred test has p near one half here."""
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, 200)
        y = np.exp((0.3 + 0.4 * (x >= 0))[:, None] * rng.standard_normal((200, 100)))
        arrays = list(y)
        fit = r3d(arrays, x=x, quantiles=np.arange(1, 100) / 100, random_state=0)
        assert fit.test("gini").p_value < 0.01
        old = r3d(
            arrays, x=x, quantiles=np.arange(1, 100) / 100, bandwidth=0.7, compat="r3d-0.1", random_state=0
        )
        assert old.test("gini").p_value > 0.2


class TestFunctionals:
    def test_gini_closed_forms(self) -> None:
        assert float(gini(FINE, FINE)) == pytest.approx(1 / 3, abs=1e-4)
        assert float(gini(lognorm.ppf(FINE, 1.0), FINE)) == pytest.approx(
            2 * norm.cdf(1 / np.sqrt(2)) - 1, abs=2e-3
        )
        assert float(gini(np.full(9, 3.0), Q[:9])) == pytest.approx(0.0, abs=1e-12)
        assert np.isnan(gini(FINE - 2, FINE))

    def test_top_share_and_variance_closed_forms(self) -> None:
        assert float(top_share(FINE, FINE, 0.1)) == pytest.approx(0.19, abs=1e-4)
        assert float(variance(norm.ppf(FINE, 3.0, 2.0), FINE)) == pytest.approx(4.0, rel=0.01)

    def test_top_share_between_grid_points(self) -> None:
        q, curve = np.array([0.2, 0.4, 0.6, 0.8]), np.array([1.0, 2.0, 4.0, 9.0])
        fine = (np.arange(200_000) + 0.5) / 200_000
        values = np.interp(fine, q, curve)
        for top in (0.07, 0.33, 0.5, 0.95):
            assert float(top_share(curve, q, top)) == pytest.approx(
                values[fine > 1 - top].sum() / values.sum(), abs=1e-4
            )

    def test_linear_functionals(self, sharp: R3DResult, fuzzy: R3DResult) -> None:
        for fit in (sharp, fuzzy):
            mean = fit.functional("mean")
            assert mean.estimate == pytest.approx(np.trapezoid(fit.tau, Q) / 0.9, rel=1e-12)
            weights = np.full(19, 1 / 18)
            weights[[0, -1]] = 1 / 36
            assert (fit.draws @ weights).std() == pytest.approx(mean.se, rel=0.05)
            iqr = fit.functional("iqr")
            assert iqr.estimate == pytest.approx(fit.tau[14] - fit.tau[4], rel=1e-9)
            assert mean.lower < mean.estimate < mean.upper
        assert sharp.functional("mean", interval=(0.05, 0.5)).estimate == pytest.approx(
            np.trapezoid(sharp.tau[:10], Q[:10]) / 0.45, rel=1e-12
        )

    def test_nonlinear_functionals(self, sharp: R3DResult) -> None:
        for name in ("gini", "top_share", "variance"):
            found = sharp.functional(name)  # type: ignore[arg-type]
            assert found.estimate == pytest.approx(found.plus - found.minus, rel=1e-12)
            assert found.lower < found.estimate < found.upper
            assert found.se > 0
        distance = sharp.functional("w2")
        assert distance.estimate == pytest.approx(np.sqrt(np.trapezoid(sharp.tau**2, Q) / 0.9), rel=1e-12)
        assert 0 <= distance.lower <= distance.estimate
        assert distance.to_frame().loc["w2", "estimate"] == distance.estimate

    def test_wasserstein_interval_covers_zero_distance(self) -> None:
        """No effect at all: the interval must begin at zero in nearly all samples."""
        covered = []
        for seed in range(40):
            rng = np.random.default_rng(seed)
            x = rng.uniform(-1, 1, 120)
            matrix = rng.standard_normal(120)[:, None] + norm.ppf(Q)
            fit = r3d(quantile_matrix=matrix, x=x, quantiles=Q, random_state=seed, n_boot=499)
            covered.append(fit.functional("w2").lower == 0.0)
        assert np.mean(covered) >= 0.85

    def test_interpolation_outside_the_grid(self, sharp: R3DResult) -> None:
        with pytest.raises(DataError, match=r"wanted at 0.99, but the quantiles span 0.05..0.95"):
            sharp.functional("iqr", interval=(0.05, 0.99))


class TestBandwidth:
    def test_constants_are_exact(self) -> None:
        assert boundary_constants("triangular", 1) == pytest.approx((-0.1, 4.8), rel=1e-12)
        assert boundary_constants("uniform", 1) == pytest.approx((-1 / 6, 4.0), rel=1e-12)
        assert boundary_constants("epanechnikov", 1)[1] == pytest.approx(56832 / 12635, rel=1e-9)

    def test_floor_and_cap(self) -> None:
        """The bandwidth never exceeds the data, and holds 10 (p + 1) units a side however steep the curve."""
        x = np.linspace(-1, 1, 201)
        noisy = [
            float(
                select_bandwidth(
                    quantile_matrix=np.random.default_rng(i).standard_normal((201, 1)), x=x, quantiles=[0.5]
                )
            )
            for i in range(40)
        ]
        assert max(noisy) <= 1.001
        flat = select_bandwidth(quantile_matrix=np.tile([0.0, 1.0], (201, 1)), x=x, quantiles=[0.4, 0.6])
        assert float(flat) == pytest.approx(1.0, rel=1e-3)  # no curvature and no noise: all the data, no more
        wavy = np.sin(40 * np.abs(x) ** 1.5)[:, None] + [[0.0, 1.0]]
        curved = select_bandwidth(quantile_matrix=wavy, x=x, quantiles=[0.4, 0.6])
        assert np.count_nonzero((x >= 0) & (x < float(curved))) >= 30

    def test_selectors(self) -> None:
        data = simulate("lee", n=500, seed=0).data
        options: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": Q}
        mse = float(select_bandwidth(data, **options))
        cer = float(select_bandwidth(data, **options, selector="cer"))
        assert cer == pytest.approx(mse * 500 ** (-1 / 20), rel=1e-12)
        both = select_bandwidth(data, **options, selector="msetwo")
        assert both.bandwidth.shape == (2,)
        assert both.bandwidth_minus != both.bandwidth_plus
        with pytest.raises(DataError, match="there are 2 bandwidths"):
            float(both)
        fit = r3d(data, **options, selector="msetwo", random_state=0)
        np.testing.assert_array_equal(fit.bandwidth, both.bandwidth)
        assert both.to_frame().shape == (19, 6)

    def test_clusters_mean_more_smoothing(self) -> None:
        """Noise shared by neighbours counts once, so that the variance to balance is larger."""
        rng = np.random.default_rng(0)
        x = np.sort(rng.uniform(-1, 1, 400))
        group = np.arange(400) // 20
        matrix = (np.sin(4 * x) + rng.standard_normal(20)[group] + 0.3 * rng.standard_normal(400))[:, None]
        alone = float(select_bandwidth(quantile_matrix=matrix, x=x, quantiles=[0.5]))
        joint = float(select_bandwidth(quantile_matrix=matrix, x=x, quantiles=[0.5], cluster=group))
        assert joint > 1.05 * alone

    def test_more_noise_means_more_smoothing(self) -> None:
        rng = np.random.default_rng(0)
        x = np.sort(rng.uniform(-1, 1, 400))
        noise = rng.standard_normal(400)
        h = [
            float(
                select_bandwidth(quantile_matrix=(np.sin(4 * x) + s * noise)[:, None], x=x, quantiles=[0.5])
            )
            for s in (0.05, 0.5)
        ]
        assert h[0] < h[1]


class TestDiagnostics:
    def test_clean_design(self, sharp: R3DResult) -> None:
        found = sharp.diagnose()
        verdicts = found.table.set_index("check")["verdict"]
        for check in (
            "placebo cutoffs",
            "mass points below",
            "unit sizes",
            "monotone limit curves",
        ):
            assert verdicts[check] == "ok", check
        assert verdicts["manipulation of x"] == "not informative"  # 158 + 142 units find no ratio below four
        assert found.summary().splitlines()[0].startswith(("no check", "1 of", "2 of"))
        assert len(found.section().figures) == 3
        for kind in ("placebo", "running", "sensitivity"):
            assert found.plot(kind=kind).get_xlabel()  # type: ignore[arg-type]

    def test_manipulation_is_found(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, 3000)
        assert density_test(x).p_value > 0.05
        pushed = np.where((x < 0) & (x > -0.25) & (rng.random(3000) < 0.5), -x, x)
        assert density_test(pushed).p_value < 0.01
        # Units do not matter.
        assert density_test(50 + 10 * pushed, 50).statistic == pytest.approx(
            density_test(pushed).statistic, rel=1e-9
        )

    def test_density_of_known_laws(self) -> None:
        """On average right, and the standard error the sampling one."""
        rng = np.random.default_rng(1)
        tests = [density_test(rng.normal(0.3, 1.0, 800)) for _ in range(200)]
        values = np.array([(t.density_minus, t.density_plus) for t in tests])
        errors = np.array([(t.se_minus, t.se_plus) for t in tests])
        np.testing.assert_allclose(values.mean(axis=0), norm.pdf(0.3), rtol=0.1)
        np.testing.assert_allclose(values.std(axis=0), errors.mean(axis=0), rtol=0.2)
        assert np.mean([t.p_value < 0.05 for t in tests]) < 0.12

    def test_jump_in_sizes_and_covariates_is_found(self) -> None:
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, 300)
        sizes = np.where(x >= 0, 80, 40) + rng.integers(0, 10, 300)
        arrays = [rng.standard_normal(size) for size in sizes]
        z = (x >= 0) + 0.3 * rng.standard_normal(300)
        fit = r3d(arrays, x=x, covariates=z, quantiles=Q, random_state=0)
        found = fit.diagnose().table.set_index("check")
        assert found.loc["jump in unit sizes", "verdict"] == "look"
        assert found.loc["covariates", "verdict"] == "look"

    def test_placebo_cutoffs_lie_on_one_side(self, sharp: R3DResult) -> None:
        table = placebo_cutoffs(sharp)
        assert (table.loc[~table["placebo"], "cutoff"] == 0).all()
        assert (table.loc[table["placebo"], "p_holm"] > 0.05).all()
        assert table["p_nullity"].idxmin() == table.index[~table["placebo"]].item()

    def test_the_true_jump_does_not_leak_into_placebos(self) -> None:
        data = simulate("paper1", n=200, seed=2).data
        options: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": Q, "random_state": 0}
        small = placebo_cutoffs(r3d(data, **options))
        large = placebo_cutoffs(r3d(data.assign(y=data["y"] + 1000.0 * (data["x"] >= 0)), **options))
        chosen = small["placebo"].to_numpy()
        np.testing.assert_allclose(
            small["mean_effect"][chosen], large["mean_effect"][chosen], rtol=1e-6, atol=1e-8
        )
        assert large["mean_effect"][~chosen].item() > 900

    def test_balance(self) -> None:
        data = simulate("paper1", n=300, seed=5).data
        rng = np.random.default_rng(0)
        data["age"] = 40 + 10 * rng.standard_normal(len(data))
        data["y"] += 3.0 * (data["x"] >= 0)
        table = balance(data, ["age", "y"], x="x", unit="unit", quantiles=Q).set_index("outcome")
        assert table.loc["y", "p_holm"] < 0.05 < table.loc["age", "p_holm"]
        with pytest.raises(DataError, match="give a list of column names"):
            balance(data, "age", x="x", unit="unit")

    def test_sensitivity(self, fuzzy: R3DResult) -> None:
        found = fuzzy.sensitivity([0.005, 1.0, 1.5])
        assert found.tau.shape == (3, 19)
        np.testing.assert_allclose(found.tau[1], fuzzy.tau, rtol=1e-12)
        np.testing.assert_allclose(found.band_upper[1], fuzzy.band_upper, rtol=1e-12)
        assert "leaves" in found.table["note"].iloc[0]
        assert np.isnan(found.tau[0]).all()

    def test_mean_effect_is_rdrobust(self, sharp: R3DResult) -> None:
        from rdrobust import rdrobust

        found = sharp.mean_effect()
        out = rdrobust(sharp.sample.means, sharp.sample.x, masspoints="off")
        assert found.estimate == pytest.approx(out.coef.loc["Robust"].iloc[0], rel=1e-12)
        assert found.se == pytest.approx(out.se.loc["Robust"].iloc[0], rel=1e-12)
        assert "rdrobust on unit means" in sharp.summary()

    def test_without_a_scalar_companion(self, sharp: R3DResult, monkeypatch: pytest.MonkeyPatch) -> None:
        """What rdrobust refuses is said; a fault that is none of the data's is not hidden."""
        import rdrobust as package

        def refuse(*_: Any, **__: Any) -> None:
            raise Exception("Not enough variability")

        monkeypatch.setattr(package, "rdrobust", refuse)
        assert "no scalar companion: rdrobust cannot estimate" in sharp.summary()

        def fault(*_: Any, **__: Any) -> None:
            raise TypeError("a fault")

        monkeypatch.setattr(package, "rdrobust", fault)
        with pytest.raises(TypeError, match="a fault"):
            sharp.summary()


class TestPresentation:
    def test_every_picture(self, sharp: R3DResult, fuzzy: R3DResult) -> None:
        for fit in (sharp, fuzzy):
            for kind in ("effect", "limits", "densities", "rd", "sensitivity", "running"):
                ax = fit.plot(kind=kind)  # type: ignore[arg-type]
                assert ax.get_title(loc="left")
                assert ax.get_xlabel()
                assert ax.get_ylabel()
                assert ax.get_legend() is not None
        mine = sharp.plot().get_figure().subplots()
        assert sharp.plot(mine) is mine

    def test_effect_picture_shows_the_curve_and_the_band(self, sharp: R3DResult) -> None:
        ax = sharp.plot()
        drawn = [line.get_ydata() for line in ax.lines]
        assert any(np.array_equal(y, sharp.tau) for y in drawn)
        low, high = ax.get_ylim()
        assert low < sharp.band_lower.min()
        assert high > sharp.band_upper.max()

    def test_section_and_frame(self, sharp: R3DResult) -> None:
        section = sharp.section()
        assert len(section.figures) == 2
        assert "band lies above zero" in section.body or "holds zero" in section.body
        frame = sharp.to_frame()
        np.testing.assert_array_equal(frame["tau"], sharp.tau)
        assert "300" in repr(sharp) or "units" in repr(sharp)
        assert sharp._repr_html_().startswith("<")

    def test_kink_and_one_quantile(self) -> None:
        sim = simulate("paper1", n=200, seed=1)
        kink = r3d(sim.data, y="y", x="x", unit="unit", quantiles=Q, deriv=1, bandwidth=0.9, random_state=0)
        assert "kink" in kink.summary()
        with pytest.raises(DataError, match="limits of slopes"):
            kink.plot(kind="densities")
        with pytest.raises(DataError, match="limits of slopes"):
            kink.functional("gini")
        median = r3d(sim.data, y="y", x="x", unit="unit", quantiles=[0.5], random_state=0)
        assert "homogeneity" not in median.summary()
        assert median.plot().get_xlabel() == "quantile of y"
        with pytest.raises(DataError, match="at least two"):
            median.test("homogeneity")

    def test_no_torch(self) -> None:
        import subprocess
        import sys

        heavy = "('torch', 'pandas', 'matplotlib', 'rdrobust')"
        code = f"import sys, fisc.r3d; print([m for m in {heavy} if m in sys.modules])"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert out.stdout.strip() == "[]"


def test_pooled_quantiles_are_another_estimand() -> None:
    """On paper2 the quantile RD of pooled values is far from the effect on unit quantiles, and ours is not."""
    from fisc.r3d.designs import truth

    q = np.array([0.1, 0.5, 0.9])
    errors = []
    for seed in range(8):
        sim = simulate("paper2", n=1500, seed=seed, quantiles=q)
        errors.append(r3d(sim.data, y="y", x="x", unit="unit", quantiles=q, n_boot=99).tau - sim.truth)
    assert np.abs(np.mean(errors, axis=0)).max() < 0.6
    rng = np.random.default_rng(0)
    # Population quantiles of the pool just above and below: units differ in location by U(-5, 5).
    pools = []
    for above in (0.0, 1.0):
        rate = rng.uniform(0.5, 1.5, 400_000) + 0.5 * above
        pools.append(
            rng.uniform(-5, 5, 400_000)
            + 1.86 * above
            + rng.standard_normal(400_000)
            + 2 * rng.standard_exponential(400_000) / rate
        )
    pooled = np.quantile(pools[1], q) - np.quantile(pools[0], q)
    assert np.abs(pooled - truth("paper2", q)).max() > 0.25


def test_inverse_cdf_and_weights_by_hand() -> None:
    y, w = np.array([1.0, 2.0, 3.0, 4.0, 10.0]), [np.array([1.0, 1.0, 3.0, 1.0, 2.0])]
    q = [0.1, 0.25, 0.5, 0.75, 0.9]
    expanded = np.repeat(y, [1, 1, 3, 1, 2])
    found = unit_quantiles([y], quantiles=q, rule="inverse_cdf", weights=w).to_numpy()[0]
    np.testing.assert_array_equal(found, np.quantile(expanded, q, method="inverted_cdf"))
    hmisc = unit_quantiles([y], quantiles=q, rule="weighted_hmisc", weights=w).to_numpy()[0]
    np.testing.assert_allclose(hmisc, [2.4, 3, 3, 10, 10])
    flipped = unit_quantiles([-y], quantiles=q, weights=w).to_numpy()[0]
    np.testing.assert_allclose(flipped, -unit_quantiles([y], quantiles=q, weights=w).to_numpy()[0][::-1])
    for rule in ("linear", "inverse_cdf"):
        method = "linear" if rule == "linear" else "inverted_cdf"
        np.testing.assert_allclose(
            unit_quantiles([y], quantiles=q, rule=rule).to_numpy()[0], np.quantile(y, q, method=method)
        )


def test_whole_positions_survive_rounding() -> None:
    """0.07 * 100 is 7.000000000000001: the smallest value whose share reaches .07 is still the seventh."""
    y = np.arange(1.0, 101.0)
    found = unit_quantiles([y], quantiles=np.arange(1, 100) / 100, rule="inverse_cdf").to_numpy()[0]
    np.testing.assert_array_equal(found, np.arange(1.0, 100.0))
    weighted = unit_quantiles(
        [y], quantiles=np.arange(1, 100) / 100, rule="inverse_cdf", weights=[np.full(100, 0.1)]
    ).to_numpy()[0]
    np.testing.assert_array_equal(weighted, found)
