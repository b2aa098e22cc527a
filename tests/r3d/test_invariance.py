"""What must not matter does not: units, order, weight scale, the form of the data, the number of workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.r3d import R3DResult, monte_carlo, r3d, select_bandwidth, simulate, unit_quantiles

RTOL = 1e-10
Q = np.arange(1, 20) / 20

pytestmark = pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")


@pytest.fixture(scope="module", params=["simple", "frechet"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    out = simulate("fuzzy1", n=160, seed=4, unit_size=40).data
    rng = np.random.default_rng(0)
    out["w"] = rng.uniform(0.5, 2.0, len(out))
    out["u"] = rng.uniform(0.5, 2.0, 160)[out["unit"]]
    out["g"] = [f"state {code}" for code in rng.integers(0, 40, 160)[out["unit"]]]
    return out


def fit(data: Any, method: str, **options: Any) -> R3DResult:
    defaults: dict[str, Any] = {
        "y": "y",
        "x": "x",
        "unit": "unit",
        "treatment": "t",
        "weights": "w",
        "unit_weights": "u",
        "cluster": "g",
        "quantiles": Q,
        "method": method,
        "random_state": 0,
    }
    return r3d(data, **{**defaults, **options})


def curves(fit: R3DResult) -> np.ndarray[Any, Any]:
    return np.stack([fit.tau, fit.q_plus, fit.q_minus, fit.se, fit.band_lower, fit.band_upper])


@pytest.mark.parametrize("scale", [1e-3, 7.0, 1e4])
def test_units_of_the_running_variable(data: pd.DataFrame, method: str, scale: float) -> None:
    base = fit(data, method)
    moved = fit(data.assign(x=scale * data["x"] + 3.0), method, cutoff=3.0)
    np.testing.assert_allclose(moved.bandwidth, scale * np.asarray(base.bandwidth), rtol=RTOL)
    np.testing.assert_allclose(moved.bandwidth_treatment, scale * base.bandwidth_treatment, rtol=RTOL)
    np.testing.assert_allclose(curves(moved), curves(base), rtol=RTOL, atol=RTOL)


def test_units_of_the_outcome(data: pd.DataFrame, method: str) -> None:
    base = fit(data, method)
    moved = fit(data.assign(y=250.0 * data["y"] + 40.0), method)
    np.testing.assert_allclose(moved.bandwidth, base.bandwidth, rtol=RTOL)
    np.testing.assert_allclose(moved.tau, 250.0 * base.tau, rtol=RTOL)
    np.testing.assert_allclose(moved.band_upper, 250.0 * base.band_upper, rtol=RTOL)
    np.testing.assert_allclose(moved.q_plus, 250.0 * base.q_plus + 40.0, rtol=RTOL)
    assert moved.test("homogeneity").p_value == base.test("homogeneity").p_value


def test_order_of_rows_and_units(data: pd.DataFrame, method: str) -> None:
    base = fit(data, method)
    shuffled = data.sample(frac=1.0, random_state=1)
    np.testing.assert_allclose(curves(fit(shuffled, method)), curves(base), rtol=RTOL, atol=RTOL)
    by_unit = data.sort_values("unit", ascending=False, kind="stable")
    np.testing.assert_allclose(curves(fit(by_unit, method)), curves(base), rtol=RTOL, atol=RTOL)
    renamed = data.assign(unit=[f"town {u}" for u in data["unit"]])
    np.testing.assert_allclose(curves(fit(renamed, method)), curves(base), rtol=RTOL, atol=RTOL)


def test_ties_in_x_do_not_depend_on_the_order(method: str) -> None:
    data = simulate("paper1", n=120, seed=3).data
    data["x"] = np.round(data["x"] * 15) / 15 + 0.01
    plain: dict[str, Any] = {"treatment": None, "weights": None, "unit_weights": None, "cluster": None}
    for residuals in ("hc3", "nn"):
        base = fit(data, method, residuals=residuals, **plain)
        shuffled = fit(data.sample(frac=1.0, random_state=2), method, residuals=residuals, **plain)
        np.testing.assert_allclose(curves(shuffled), curves(base), rtol=RTOL, atol=RTOL)


def test_scale_of_weights(data: pd.DataFrame, method: str) -> None:
    base = fit(data, method)
    scaled = fit(data.assign(w=1e3 * data["w"], u=1e-4 * data["u"]), method)
    np.testing.assert_allclose(curves(scaled), curves(base), rtol=RTOL, atol=RTOL)


def test_equal_weights_are_no_weights(data: pd.DataFrame, method: str) -> None:
    base = fit(data, method, weights=None, unit_weights=None)
    for rule in ("linear", "weighted_hmisc"):
        equal = fit(data.assign(w=0.3, u=2.0), method, quantile_rule=rule)
        np.testing.assert_allclose(curves(equal), curves(base), rtol=1e-9, atol=1e-9)


def test_multipliers_belong_to_units_in_order_of_appearance(data: pd.DataFrame, method: str) -> None:
    xi = np.random.default_rng(5).standard_normal((160, 199))
    plain: dict[str, Any] = {"cluster": None}
    base = fit(data, method, multipliers=xi, **plain)
    order = np.random.default_rng(6).permutation(160)
    rows = np.concatenate([np.flatnonzero(data["unit"] == u) for u in order])
    moved = fit(data.iloc[rows], method, multipliers=xi[order], **plain)
    assert moved.critical_value == pytest.approx(base.critical_value, rel=RTOL)


def test_all_forms_of_data_agree(data: pd.DataFrame, method: str, tmp_path: Path) -> None:
    import duckdb
    import pyarrow as pa

    plain: dict[str, Any] = {"unit_weights": None, "cluster": None, "weights": None}
    base = fit(data, method, **plain)
    units = data.drop_duplicates("unit")
    arrays = [part.to_numpy() for _, part in data.groupby("unit", sort=False)["y"]]
    listed = r3d(arrays, x=units["x"], treatment=units["t"], quantiles=Q, method=method, random_state=0)
    matrix = unit_quantiles(data, y="y", unit="unit", quantiles=Q)
    direct = r3d(
        quantile_matrix=matrix, x=units["x"], treatment=units["t"], quantiles=Q, method=method, random_state=0
    )
    data.to_parquet(tmp_path / "data.parquet")
    data.to_csv(tmp_path / "data.csv.gz", index=False)
    relation = duckdb.from_df(data)
    others = [
        listed,
        direct,
        fit(tmp_path / "data.parquet", method, **plain),
        fit(str(tmp_path / "data.csv.gz"), method, **plain),
        fit(pa.table(data), method, **plain),
        fit(relation.to_arrow_table(), method, **plain),
    ]
    for other in others:
        np.testing.assert_allclose(curves(other), curves(base), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shuffled", [False, True])
def test_files_larger_than_memory(
    data: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shuffled: bool
) -> None:
    """The same numbers when the file is processed in blocks of a few hundred rows."""
    data = data.sample(frac=1.0, random_state=0) if shuffled else data
    path = tmp_path / "data.parquet"
    data.to_parquet(path)
    xi = np.random.default_rng(0).standard_normal((160, 99))
    whole = fit(data, "frechet", multipliers=xi, cluster=None)
    clustered = fit(data, "frechet")
    monkeypatch.setattr("fisc.r3d.files.ROWS_IN_MEMORY", 500)
    blocks = fit(path, "frechet", multipliers=xi, cluster=None)
    np.testing.assert_allclose(curves(blocks), curves(whole), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(curves(fit(path, "frechet")), curves(clustered), rtol=1e-10, atol=1e-10)
    frame = unit_quantiles(path, y="y", unit="unit", quantiles=Q)
    pd.testing.assert_frame_equal(frame, unit_quantiles(data, y="y", unit="unit", quantiles=Q))


def test_same_seed_same_bits(data: pd.DataFrame, method: str) -> None:
    for multipliers in (None, "normal", "mammen", "rademacher"):
        first = fit(data, method, multipliers=multipliers, n_boot=99)
        second = fit(data, method, multipliers=multipliers, n_boot=99)
        np.testing.assert_array_equal(first.draws, second.draws)
        other = fit(data, method, multipliers=multipliers, n_boot=99, random_state=1)
        assert not np.array_equal(first.draws, other.draws)
    fresh = fit(data, method, random_state=None)
    again = fit(data, method, random_state=fresh.provenance.seed)
    np.testing.assert_array_equal(fresh.band_upper, again.band_upper)


def test_monte_carlo_does_not_depend_on_workers() -> None:
    one = monte_carlo(["paper1"], [100], ["frechet"], reps=30, n_boot=99, n_jobs=1)
    two = monte_carlo(["paper1"], [100], ["frechet"], reps=30, n_boot=99, n_jobs=2)
    pd.testing.assert_frame_equal(one.table, two.table)


def test_monte_carlo_replications_are_simulations() -> None:
    table = monte_carlo(["paper1"], [100], ["frechet"], reps=2, n_boot=99, seed=7).table
    errors = []
    for seed in (7, 8):
        sim = simulate("paper1", n=100, seed=seed)
        errors.append(r3d(sim.data, y="y", x="x", unit="unit", quantiles=sim.quantiles).tau - sim.truth)
    assert table["rmse"].item() == pytest.approx(np.sqrt(np.mean(np.square(errors))), rel=1e-12)


def test_json_round_trip(data: pd.DataFrame, method: str) -> None:
    for options in ({}, {"multipliers": "rademacher", "n_boot": 99}, {"treatment": None}):
        base = fit(data, method, **options)
        back = R3DResult.from_dict(json.loads(json.dumps(base.to_dict(), allow_nan=False)))
        np.testing.assert_array_equal(curves(back), curves(base))
        assert back.test("nullity") == base.test("nullity")
        assert back.functional("mean") == base.functional("mean")
        assert back.provenance == base.provenance
        assert "Uniform" in back.summary() or "uniform" in back.summary()
        with pytest.raises(ValueError, match="read back without its data"):
            back.sensitivity()


def test_select_bandwidth_is_what_r3d_uses(data: pd.DataFrame, method: str) -> None:
    chosen = select_bandwidth(
        data,
        y="y",
        x="x",
        unit="unit",
        treatment="t",
        weights="w",
        unit_weights="u",
        cluster="g",
        quantiles=Q,
        method=method,
    )
    base = fit(data, method)
    np.testing.assert_array_equal(chosen.bandwidth, base.bandwidth)
    assert chosen.bandwidth_treatment == base.bandwidth_treatment


def test_streamed_blocks_end_where_units_end(
    data: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import duckdb

    from fisc.r3d import files

    data.to_parquet(tmp_path / "data.parquet", row_group_size=300)
    monkeypatch.setattr(files, "ROWS_IN_MEMORY", 700)
    with duckdb.connect() as connection:
        rows = connection.sql(f"SELECT unit, y FROM read_parquet('{tmp_path / 'data.parquet'}')")
        blocks = list(files._stream(rows, "unit", rows_at_once=130))
    units = [set(block["unit"]) for block in blocks]
    assert len(blocks) > 5
    assert sum(len(u) for u in units) == len(set().union(*units)) == 160
    np.testing.assert_array_equal(pd.concat(blocks)["y"], data["y"])


def test_level_of_covariates_does_not_matter(data: pd.DataFrame, method: str) -> None:
    """Limit curves are those of units with average covariates, wherever the covariates are counted from."""
    z = np.random.default_rng(3).standard_normal(160)[data["unit"]]
    base = fit(data.assign(z=z), method, covariates="z")
    moved = fit(data.assign(z=10.0 * z + 500.0), method, covariates="z")
    np.testing.assert_allclose(curves(moved), curves(base), rtol=1e-9, atol=1e-9)
