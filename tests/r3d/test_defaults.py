"""What the defaults of `r3d` must not do: each test is a finding about earlier defaults."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError
from fisc.core.errors import DataWarning
from fisc.r3d import R3DResult, density_test, r3d, select_bandwidth, unit_quantiles

DECILES = np.arange(1, 10) / 10
Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.filterwarnings("ignore::fisc.core.errors.DataWarning")


def line(n: int, seed: int) -> tuple[Array, np.random.Generator]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, n), rng


def heard(**call: Any) -> tuple[R3DResult, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = r3d(call.pop("data", None), quantiles=call.pop("quantiles", DECILES), **call)
    return fit, " | ".join(str(w.message) for w in caught if issubclass(w.category, DataWarning))


@pytest.fixture(scope="module")
def zeros() -> R3DResult:
    x, rng = line(200, 0)
    return r3d([np.r_[np.zeros(30), 1 + rng.exponential(1, 70)] for _ in x], x=x, quantiles=DECILES)


def test_an_atom_is_neither_nan_nor_a_rejection(zeros: R3DResult) -> None:
    assert zeros.moving.tolist() == [False] * 2 + [True] * 7
    for name in ("nullity", "homogeneity"):
        for studentized in (True, False):
            test = zeros.test(name, studentized=studentized)  # type: ignore[arg-type]
            assert np.isfinite([test.statistic, test.critical_value, test.p_value]).all()
            assert not test.rejected
            assert "2 of 9 quantiles lie in an atom" in test.summary()
    assert np.isfinite([zeros.band_lower, zeros.band_upper]).all()
    with pytest.raises(DataError, match="atom"):
        zeros.test("nullity", interval=(0.1, 0.2))


def test_an_outcome_that_is_one_value_has_nothing_to_test_and_still_a_summary() -> None:
    x, _ = line(100, 1)
    fit = r3d([np.zeros(20) for _ in x], x=x, quantiles=DECILES)
    assert "Sharp" in fit.summary()
    assert not fit.moving.any()
    with pytest.raises(DataError, match="atom"):
        fit.test("nullity")


def test_a_skewed_running_variable_is_not_manipulated() -> None:
    for seed in range(4):
        assert density_test(np.exp(np.random.default_rng(seed).normal(0, 1.5, 16_000)) - 1).p_value > 0.01


@pytest.mark.parametrize("law", ["standard_normal", "standard_exponential"])
def test_sampling_more_people_above_is_no_effect(law: str) -> None:
    x, rng = line(2000, 2)
    data = [0.3 * v + rng.normal(0, 0.2) + getattr(rng, law)(30 if v >= 0 else 10) for v in x]
    fit, words = heard(data=data, x=x)
    assert fit.quantile_rule == "size_free"
    assert "unit sizes jump" in words
    for told in (fit.test("homogeneity").summary(), fit.section().body, fit.summary()):
        assert "unit sizes jump" in told
    assert fit.test("homogeneity").p_value > 0.05
    plain, words = heard(data=data, x=x, quantile_rule="linear")
    assert plain.quantile_rule == "linear"
    assert "size_free" in words
    assert plain.test("homogeneity").p_value < 0.05


def test_equal_sizes_keep_type_7() -> None:
    x, rng = line(100, 3)
    data = [rng.standard_normal(20) for _ in x]
    fit = r3d(data, x=x, quantiles=DECILES)
    assert fit.quantile_rule == "linear"
    np.testing.assert_array_equal(fit.tau, r3d(data, x=x, quantiles=DECILES, quantile_rule="linear").tau)


def test_files_too_large_for_memory_are_read_again_when_sizes_jump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, rng = line(200, 4)
    sizes = np.where(x >= 0, 30, 10)
    unit = np.repeat(np.arange(200), sizes)
    frame = pd.DataFrame({"unit": unit, "x": x[unit], "y": rng.exponential(1, unit.size)})
    frame.to_parquet(tmp_path / "rows.parquet")
    names: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": DECILES}
    whole = r3d(frame, **names)
    monkeypatch.setattr("fisc.r3d.files.ROWS_IN_MEMORY", 1000)
    streamed = r3d(tmp_path / "rows.parquet", **names)
    assert streamed.quantile_rule == whole.quantile_rule == "size_free"
    np.testing.assert_allclose(streamed.tau, whole.tau, rtol=1e-12)


def test_covariates_cost_degrees_of_freedom() -> None:
    x, rng = line(150, 5)
    z = rng.standard_normal((150, 15))
    matrix = np.sort(x[:, None] + rng.standard_normal((150, 1)) + rng.standard_normal((150, 9)), axis=1)
    call: dict[str, Any] = {"quantile_matrix": matrix, "x": x, "quantiles": DECILES, "bandwidth": 0.7}
    with_z, old = r3d(**call, covariates=z), r3d(**call, covariates=z, residuals="hc0")
    assert np.isinf(old.df_plus)
    assert 2.0 < with_z.df_plus < 20.0  # type: ignore[operator]
    used = 2 * 3 + 15  # coefficients, of some 105 units within the bandwidth
    assert (with_z.se > old.se * np.sqrt(1.0 + used / 150)).all()
    assert "both sides together" in with_z.summary()


def test_clusters_are_counted_and_few_of_them_are_said() -> None:
    rng = np.random.default_rng(6)
    group = np.repeat(np.arange(16), 12)
    x = np.repeat(np.linspace(-1, 1, 16), 12)
    matrix = np.sort(rng.standard_normal((192, 1)) + rng.standard_normal((192, 9)), axis=1)
    fit, words = heard(quantile_matrix=matrix, x=x, cluster=group, bandwidth=1.1)
    assert (fit.clusters_minus, fit.clusters_plus) == (8, 8)
    assert "8 below and 8 above" in words
    assert "degrees of freedom on a side" in words
    assert "consider cluster=" not in words  # it is what was given
    assert "clusters in bandwidth" in fit.summary()


def test_a_skewed_outcome_has_no_band_of_constant_width() -> None:
    x, rng = line(400, 7)
    data = [rng.lognormal(0, 1.5, 50) for _ in x]
    fit = r3d(data, x=x, quantiles=DECILES)
    half = (fit.band_upper - fit.band_lower) / 2
    assert half[0] < 0.2 * half[-1]
    assert half[4] < 0.5 * fit.band("constant").critical_value


def test_ten_values_are_enough_for_deciles() -> None:
    x, rng = line(100, 8)
    _, words = heard(data=[rng.standard_normal(10) for _ in x], x=x)
    assert "fewer than 10 values" not in words
    _, words = heard(data=[rng.standard_normal(9) for _ in x], x=x)
    assert "100 of 100 units have fewer than 10 values" in words


def test_a_grid_of_months_says_nothing_about_manipulation() -> None:
    x = np.arange(-48, 48) / 12
    rng = np.random.default_rng(9)
    fit = r3d([rng.standard_normal(20) for _ in x], x=x, quantiles=DECILES)
    table = fit.diagnose().table.set_index("check")
    assert table.loc["manipulation of x", "verdict"] == "not informative"


def test_a_heavy_tail_of_x_does_not_set_the_bandwidth() -> None:
    x = np.random.default_rng(10).standard_t(2, 2000)
    y = np.sin(3 * x) + np.random.default_rng(11).standard_normal(2000)
    h = float(select_bandwidth(quantile_matrix=y[:, None], x=x, quantiles=[0.5]))
    assert h < 0.9


def test_the_same_call_prints_the_same_numbers_in_any_order_of_rows() -> None:
    x, rng = line(80, 12)
    unit = np.repeat(np.arange(80), 15)
    frame = pd.DataFrame({"unit": unit, "x": np.round(x, 1)[unit], "y": rng.standard_normal(unit.size)})
    names: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": DECILES}
    one, two = r3d(frame, **names), r3d(frame, **names)
    shuffled = r3d(frame.sample(frac=1.0, random_state=1), **names)
    assert one.summary() == two.summary()
    assert one.process.seed == two.process.seed == shuffled.process.seed
    np.testing.assert_allclose(shuffled.band_upper, one.band_upper, rtol=1e-9)
    other = r3d(frame.assign(y=frame["y"] + 1e-3 * frame["unit"]), **names)
    assert other.process.seed != one.process.seed


def test_weighted_quantiles_do_not_depend_on_the_order_of_ties() -> None:
    rng = np.random.default_rng(13)
    frame = pd.DataFrame(
        {"u": np.repeat(np.arange(20), 30), "y": rng.integers(0, 5, 600) * 1.0, "w": rng.uniform(0.1, 9, 600)}
    )
    for rule in ("linear", "inverse_cdf", "weighted_hmisc", "size_free"):
        one, two = (
            unit_quantiles(f, y="y", unit="u", weights="w", quantiles=DECILES, rule=rule).sort_index()  # type: ignore[arg-type]
            for f in (frame, frame.sample(frac=1.0, random_state=1))
        )
        np.testing.assert_array_equal(one.to_numpy(), two.to_numpy(), err_msg=rule)


def test_effects_of_the_values_of_a_discrete_running_variable_turn_on_clusters() -> None:
    rng = np.random.default_rng(14)
    value = rng.integers(-10, 10, 400)
    x, own = value / 10 + 0.05, rng.normal(0, 1.0, 20)
    noise = rng.standard_normal((400, 1)) + rng.standard_normal((400, 9))
    fit, words = heard(quantile_matrix=np.sort(own[value + 10][:, None] + noise, axis=1), x=x)
    assert "errors are clustered by its value" in words
    assert fit.clusters_plus is not None
    alone = r3d(quantile_matrix=np.sort(noise, axis=1), x=x + rng.uniform(0, 0.01, 400), quantiles=DECILES)
    assert alone.clusters_plus is None


def test_power_grows_with_units_and_the_smallest_effect_has_the_power_asked_for() -> None:
    x, rng = line(300, 15)
    matrix = np.sort(x[:, None] + rng.standard_normal((300, 1)) + rng.standard_normal((300, 9)), axis=1)
    fit = r3d(quantile_matrix=matrix, x=x, quantiles=DECILES)
    rates = [fit.power(1.0, n) for n in (300, 1000, 4000)]
    assert rates == sorted(rates)
    assert rates[-1] > 0.9
    assert abs(fit.power(0.0) - 0.05) < 0.005
    effect = fit.mde(0.8, 1000)
    assert fit.power(effect, 1000) == pytest.approx(0.8, abs=0.01)
    top = np.where(DECILES > 0.65, 1.0, 0.0)
    assert fit.power(fit.mde(0.8, shape=top) * top) == pytest.approx(0.8, abs=0.01)
    with pytest.raises(DataError, match="power"):
        fit.mde(1.5)
    with pytest.raises(DataError, match="n="):
        fit.power(1.0, 0)
