"""Every door for micro-data gives the same curve, and what cannot be read is refused with the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.feather
import pytest

from fisc.core import DataError
from fisc.r3d import R3DResult, r3d, simulate, unit_quantiles

Q = [0.25, 0.5, 0.75]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulate("paper1", n=120, random_state=1).data


def fit(data: Any, **options: Any) -> R3DResult:
    return r3d(data, **{"y": "y", "x": "x", "unit": "unit", "quantiles": Q, "random_state": 0, **options})


@pytest.fixture(scope="module")
def tau(data: pd.DataFrame) -> Any:
    return fit(data).tau


@pytest.fixture(scope="module")
def folder(data: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("doors")
    data.to_stata(place / "d.dta", write_index=False)
    pyarrow.feather.write_feather(data, place / "d.feather")
    data.to_csv(place / "comma.csv", sep=";", decimal=",", index=False)
    data.to_csv(place / "comma.csv.gz", sep=";", decimal=",", index=False)
    data.to_csv(place / "point.csv", sep=";", index=False)
    data.to_csv(place / "odd[1]*.csv", index=False)
    (place / "parts" / "more").mkdir(parents=True)
    data.iloc[:3000].to_parquet(place / "parts" / "a.parquet")
    data.iloc[3000:].to_parquet(place / "parts" / "more" / "b.parquet")
    data.to_parquet(place / "odd?.parquet")
    data.iloc[:10].to_parquet(place / "oddx.parquet")
    return place


@pytest.mark.parametrize(
    "name",
    ["d.dta", "d.feather", "comma.csv", "comma.csv.gz", "point.csv", "odd[1]*.csv", "parts", "odd?.parquet"],
)
def test_files_and_folders_give_the_curve_of_the_table(folder: Path, tau: Any, name: str) -> None:
    np.testing.assert_allclose(fit(folder / name).tau, tau, rtol=1e-12)


def test_a_pattern_is_one_only_when_asked(folder: Path, tau: Any) -> None:
    pattern = folder / "parts" / "**" / "*.parquet"
    with pytest.raises(DataError, match="glob=True"):
        fit(pattern)
    np.testing.assert_array_equal(fit(pattern, glob=True).tau, tau)
    with pytest.raises(DataError, match="no Parquet file"):
        fit(folder / "none*.parquet", glob=True)
    with pytest.raises(DataError, match="narrow the pattern"):
        fit(folder / "comma*", glob=True)


def test_damaged_and_unknown_files_are_refused(folder: Path) -> None:
    for name in ("bad.dta", "bad.feather"):
        (folder / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DataError, match="cannot be read"):
            fit(folder / name)
    (folder / "d.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"\.dta, \.feather"):
        fit(folder / "d.xlsx")
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(DataError, match="no Parquet file"):
        fit(folder / "empty")


@pytest.mark.parametrize("form", ["table", "parts", "lazy", "relation"])
def test_a_subset_is_the_same_through_every_door(data: pd.DataFrame, folder: Path, form: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    expected = fit(data[(data["x"] > -0.8) & (data["unit"] != 3)])
    given: Any = {
        "table": lambda: data,
        "parts": lambda: folder / "parts",
        "lazy": lambda: polars.scan_parquet(folder / "parts" / "**" / "*.parquet"),
        "relation": lambda: duckdb.from_df(data),
    }[form]()
    found = fit(given, subset="x > -0.8 and unit <> 3")
    np.testing.assert_array_equal(found.tau, expected.tau)


def test_a_mask_is_a_subset_and_other_things_are_not(data: pd.DataFrame) -> None:
    mask = (data["x"] > -0.8).to_numpy()
    np.testing.assert_array_equal(fit(data, subset=mask).tau, fit(data[mask]).tau)
    assert len(unit_quantiles(data, y="y", unit="unit", subset="unit < 7")) == 7
    for bad, message in (
        (mask[:5], "truth values"),
        ("wages > 3", "not a condition"),
        ("x > 99", "no row is left"),
    ):
        with pytest.raises(DataError, match=message):
            fit(data, subset=bad)
    with pytest.raises(DataError, match="leave units out yourself"):
        r3d(quantile_matrix=np.zeros((3, 3)), x=[-1, 0, 1], quantiles=Q, subset="x > 0")


def test_sizes_and_means_beside_a_matrix_stand_for_the_micro_data(data: pd.DataFrame) -> None:
    whole = fit(data)
    groups = data.groupby("unit", sort=False)
    matrix = unit_quantiles(data, y="y", unit="unit", quantiles=Q)
    options: dict[str, Any] = {"x": groups["x"].first().to_numpy(), "quantiles": Q, "random_state": 0}
    told = r3d(
        quantile_matrix=matrix, sizes=groups.size().to_numpy(), means=groups["y"].mean().to_numpy(), **options
    )
    np.testing.assert_array_equal(told.tau, whole.tau)
    assert told.mean_effect().estimate == pytest.approx(whole.mean_effect().estimate, rel=1e-12)
    np.testing.assert_array_equal(told.sample.sizes, whole.sample.sizes)  # type: ignore[arg-type]
    for bad, message in (({"sizes": [0.5] * 120}, "whole numbers"), ({"means": [1.0]}, "one entry for each")):
        with pytest.raises(DataError, match=message):
            r3d(quantile_matrix=matrix, **options, **bad)
    with pytest.raises(DataError, match="micro-data tell them"):
        fit(data, sizes=groups.size())


def test_a_column_in_place_of_its_name_is_told_its_name(data: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"unit= is a Series.*unit='unit'") as caught:
        fit(data, unit=data["unit"])
    assert len(str(caught.value)) < 250


def test_shares_treated_within_units_are_used_when_asked(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    took = (rng.random(len(data)) < np.where(data["x"] >= 0, 0.8, 0.2)).astype(float)
    varied = data.assign(took=took, w=rng.uniform(1, 2, len(data)))
    with pytest.raises(DataError, match="continuous_treatment=True"):
        fit(varied, treatment="took")
    shares = varied.groupby("unit")["took"].mean()
    by_hand = fit(varied.assign(took=varied["unit"].map(shares)), treatment="took", continuous_treatment=True)
    found = fit(varied, treatment="took", continuous_treatment=True)
    np.testing.assert_allclose(found.tau, by_hand.tau, rtol=1e-10)
    assert any("varies within" in message for message in found.warnings)
    weighted = varied.groupby("unit").apply(
        lambda g: np.average(g["took"], weights=g["w"]), include_groups=False
    )
    mapped = varied.assign(took=varied["unit"].map(weighted))
    by_hand = fit(mapped, treatment="took", continuous_treatment=True, weights="w")
    shuffled = varied.sample(frac=1.0, random_state=1)
    found = fit(shuffled, treatment="took", continuous_treatment=True, weights="w")
    np.testing.assert_allclose(found.tau, by_hand.tau, rtol=1e-8)
