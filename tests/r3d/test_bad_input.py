"""Everything that can be wrong with the data: a clear error or a counted warning, never a silent number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.data import DataError, DataWarning, OptionError
from fisc.r3d import r3d, simulate, unit_quantiles

Q = [0.25, 0.5, 0.75]


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulate("fuzzy1", n=60, seed=1).data.rename(columns={"t": "took"})


def fit(data: Any, **changes: Any) -> Any:
    options: dict[str, Any] = {
        "y": "y",
        "x": "x",
        "unit": "unit",
        "quantiles": Q,
        "bandwidth": 0.9,
        "random_state": 0,
    }
    return r3d(data, **{**options, **changes})


def changed(data: pd.DataFrame, column: str, rows: Any, value: Any) -> pd.DataFrame:
    out = data.copy()
    if not isinstance(value, (int, float)):
        out[column] = out[column].astype(object)
    out.loc[rows, column] = value
    return out


Change = Callable[[pd.DataFrame], Any]
ERRORS: dict[str, tuple[Change, str]] = {
    "x infinite": (lambda d: fit(changed(d, "x", d["unit"] == 3, np.inf)), r"'x' is infinite for units 3"),
    "x missing": (
        lambda d: fit(changed(d, "x", d["unit"] == 3, np.nan)),
        r"'x' is missing in 50 rows of units 3.*dropna",
    ),
    "x varies": (lambda d: fit(changed(d, "x", 10, 0.5)), r"'x' varies inside unit 0"),
    "y infinite": (lambda d: fit(changed(d, "y", 160, -np.inf)), r"'y' is infinite in 1 rows \(units 3\)"),
    "y text": (
        lambda d: fit(changed(d, "y", 5, "n/a")),
        r"'y' holds 1 entries that are not numbers \(first: 'n/a'\)",
    ),
    "x a date": (
        lambda d: fit(d.assign(x=pd.Timestamp("2020-01-01") + pd.to_timedelta(d["unit"], unit="D"))),
        r"'x' holds dates or durations",
    ),
    "multipliers differ in a cluster": (
        lambda d: fit(
            d.assign(g=d["unit"] // 2), cluster="g", multipliers=np.arange(60 * 99.0).reshape(60, 99)
        ),
        r"units of a cluster share their multipliers",
    ),
    "covariates collinear": (
        lambda d: fit(d.assign(a=d["unit"] * 1.0, b=2.0 * d["unit"]), covariates=["a", "b"]),
        r"collinear within the bandwidth \(rank 1\)",
    ),
    "covariate constant": (lambda d: fit(d.assign(a=1.0), covariates="a"), r"a covariate does not vary"),
    "unit missing": (lambda d: fit(changed(d, "unit", 7, np.nan)), r"'unit' \(unit\) is missing in 1 rows"),
    "treatment missing": (
        lambda d: fit(changed(d, "took", d["unit"] == 4, np.nan), treatment="took", bandwidth_treatment=0.9),
        r"'took' is missing in 50 rows of units 4",
    ),
    "treatment not binary": (
        lambda d: fit(d.assign(took=d["took"] * 3), treatment="took", bandwidth_treatment=0.9),
        r"'took' takes values other than 0 and 1 \(first: 3\).*continuous_treatment=True",
    ),
    "treatment constant": (
        lambda d: fit(d.assign(took=1), treatment="took", bandwidth_treatment=0.9),
        r"'took' is 1 for every unit: there is no first stage",
    ),
    "bandwidth of no treatment": (lambda d: fit(d, bandwidth_treatment=0.5), r"without treatment="),
    "one side empty": (lambda d: fit(d[d["x"] < 0]), r"no unit lies at or above the cutoff 0 \('x' spans"),
    "cutoff outside": (lambda d: fit(d, cutoff=-7), r"no unit lies below the cutoff -7"),
    "window too small": (
        lambda d: fit(d, bandwidth=0.01),
        r"bandwidth 0.01 leaves . units with positive weight",
    ),
    "window just short": (lambda d: fit(d, bandwidth=_holding(d, 3)), r"holds 3 units|leaves . units"),
    "n = 8, automatic": (
        lambda d: fit(d[d["unit"].isin(_few(d, 4))], bandwidth=None),
        r"only 4 units lie below the cutoff; an automatic bandwidth with p=2 needs at least 8",
    ),
    "x constant on a side": (
        lambda d: fit(d.assign(x=np.where(d["x"] < 0, -0.5, d["x"]))),
        r"below the cutoff within bandwidth 0.9 do not identify a polynomial of order 2",
    ),
    "p fractional": (lambda d: fit(d, p=2.7), r"p=2.7; give a whole number of at least 0"),
    "p huge": (lambda d: fit(d, p=25), r"p=25|polynomial of order 25"),
    "s negative": (lambda d: fit(d, s=-1), r"s=-1; give a whole number"),
    "quantiles twice": (lambda d: fit(d, quantiles=[0.2, 0.5, 0.5]), r"contain 0.5 twice"),
    "quantiles unsorted": (lambda d: fit(d, quantiles=[0.5, 0.2]), r"must ascend, but 0.2 follows 0.5"),
    "quantile 0": (
        lambda d: fit(d, quantiles=[0.0, 0.5]),
        r"contain 0; they must lie strictly inside \(0, 1\)",
    ),
    "quantile 1": (lambda d: fit(d, quantiles=[0.5, 1.0]), r"contain 1; they must lie strictly inside"),
    "quantiles in per cent": (lambda d: fit(d, quantiles=[10, 50]), r"look like percentages: divide by 100"),
    "quantiles empty": (lambda d: fit(d, quantiles=[]), r"non-empty"),
    "quantiles text": (lambda d: fit(d, quantiles=["low"]), r"are not numbers"),
    "weights negative": (
        lambda d: fit(d.assign(w=np.where(d.index == 3, -1.0, 1.0)), weights="w"),
        r"1 weights are negative or infinite \(first: -1 in unit 0\)",
    ),
    "weights infinite": (lambda d: fit(d.assign(w=np.inf), weights="w"), r"weights are negative or infinite"),
    "weights a number": (lambda d: fit(d, weights=1.0), r"weights=1.0 is not a column name"),
    "unit weights zero": (
        lambda d: fit(d.assign(w=0.0), unit_weights="w"),
        r"unit_weights of units .* not positive",
    ),
    "column misspelt": (lambda d: fit(d, y="yy"), r"y='yy' is not a column of the data; did you mean 'y'\?"),
    "column left out": (lambda d: fit(d, unit=None), r"unit= is missing"),
    "no rows": (lambda d: fit(d.iloc[:0]), r"the data have no rows"),
    "all missing": (lambda d: fit(d.assign(y=np.nan)), r"no unit has a usable value of 'y'"),
    "bandwidth negative": (
        lambda d: fit(d, bandwidth=-0.1),
        r"bandwidth=-0.1; it must be a positive distance",
    ),
    "bandwidth NaN": (lambda d: fit(d, bandwidth=np.nan), r"bandwidth=nan; it must be a positive distance"),
    "bandwidth text": (lambda d: fit(d, bandwidth="wide"), r"bandwidth='wide' is not a number"),
    "bandwidth vector, frechet": (
        lambda d: fit(d, bandwidth=[0.7, 0.8, 0.9]),
        r"varies over quantiles, which only method='simple' allows",
    ),
    "bandwidth of wrong length": (
        lambda d: fit(d, bandwidth=[0.7, 0.8], method="simple"),
        r"bandwidth has shape \(2,\); expected one number, or 3",
    ),
    "kernel": (lambda d: fit(d, kernel="triangle"), r"did you mean 'triangular'"),
    "method": (lambda d: fit(d, method="frechett"), r"did you mean 'frechet'"),
    "selector": (lambda d: fit(d, selector="cerrd"), r"selector='cerrd' is not an option"),
    "residuals": (lambda d: fit(d, residuals="hc4"), r"residuals='hc4' is not an option"),
    "quantile rule": (lambda d: fit(d, quantile_rule="type7"), r"quantile_rule='type7' is not an option"),
    "compat": (lambda d: fit(d, compat="r3d"), r"compat='r3d' is not an option"),
    "compat with clusters": (
        lambda d: fit(d, compat="r3d-0.1", cluster="unit"),
        r"without unit weights, clusters",
    ),
    "alpha": (lambda d: fit(d, alpha=5), r"alpha=5; give a level such as 0.05, above 0 and below 1"),
    "too few draws": (
        lambda d: fit(d, n_boot=15),
        r"n_boot: 15 draws cannot give a 95% band; use at least 19",
    ),
    "multipliers of wrong shape": (
        lambda d: fit(d, multipliers=np.ones((59, 99))),
        r"multipliers have shape \(59, 99\); expected \(60, B\)",
    ),
    "multipliers unknown": (
        lambda d: fit(d, multipliers="gaussian"),
        r"multipliers='gaussian' is not an option",
    ),
    "multipliers NaN": (lambda d: fit(d, multipliers=np.full((60, 99), np.nan)), r"NaN or infinite"),
    "seed": (lambda d: fit(d, random_state=-3), r"random_state=-3"),
    "donut negative": (lambda d: fit(d, donut=-1), r"donut=-1"),
    "donut too wide": (lambda d: fit(d, donut=5.0), r"leaves no unit on one side"),
    "deriv": (lambda d: fit(d, deriv=2), r"deriv=2 is not an option"),
    "Anderson-Rubin, sharp": (lambda d: fit(d, band="anderson_rubin"), r"for fuzzy designs"),
    "cutoff NaN": (lambda d: fit(d, cutoff=np.nan), r"cutoff=nan"),
    "a scalar as data": (lambda d: fit(3.0), r"data is of type float; give a table"),
    "no data": (lambda d: fit(None), r"no data: give a long DataFrame"),
    "numeric array": (
        lambda d: fit(np.ones((4, 3))),
        r"quantile_matrix=, if they are micro values pass list\(data\)",
    ),
    "no such file": (lambda d: fit("nowhere.parquet"), r"there is no file 'nowhere.parquet'"),
}


def _few(data: pd.DataFrame, each: int) -> list[int]:
    units = data.drop_duplicates("unit")
    return [*units[units["x"] < 0]["unit"].head(each), *units[units["x"] >= 0]["unit"].head(each)]


def _holding(data: pd.DataFrame, count: int) -> float:
    """A bandwidth with `count` units below the cutoff."""
    distance = np.sort(-data.loc[data["x"] < 0].drop_duplicates("unit")["x"].to_numpy())
    return float(0.5 * (distance[count - 1] + distance[count]))


@pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")
@pytest.mark.parametrize("name", ERRORS)
def test_error_says_what_is_wrong(data: pd.DataFrame, name: str) -> None:
    change, words = ERRORS[name]
    with pytest.raises(DataError, match=words):
        change(data)


def test_missing_values_are_dropped_with_a_count(data: pd.DataFrame) -> None:
    broken = changed(data, "y", [0, 1, 60], np.nan)
    with pytest.warns(DataWarning, match="dropped 3 missing values of 'y' of 3000 rows"):
        found = fit(broken)
    np.testing.assert_array_equal(found.tau, fit(data.drop(index=[0, 1, 60])).tau)
    assert "dropped 3 missing values of 'y' of 3000 rows" in found.warnings
    assert found.provenance.notes == found.warnings
    with pytest.raises(DataError, match="3 missing values of 'y'; clean them or pass missing='drop'"):
        fit(broken, missing="raise")


def test_units_without_values_are_left_out_by_name(data: pd.DataFrame) -> None:
    broken = changed(data, "y", data["unit"] == 7, np.nan)
    with pytest.warns(DataWarning, match=r"leaves 1 units without values: 7"):
        found = fit(broken, multipliers=np.random.default_rng(0).standard_normal((60, 99)))
    assert found.n_minus + found.n_plus == 59
    # Multipliers still belong to the units they were given for.
    kept = np.delete(np.random.default_rng(0).standard_normal((60, 99)), 7, axis=0)
    again = fit(data[data["unit"] != 7], multipliers=kept)
    np.testing.assert_allclose(found.band_upper, again.band_upper, rtol=1e-12)


def test_zero_and_missing_weights_are_dropped_with_a_count(data: pd.DataFrame) -> None:
    weights = np.ones(len(data))
    weights[3], weights[4] = 0.0, np.nan
    with pytest.warns(DataWarning, match="dropped 2 rows with weight missing or 0"):
        fit(data.assign(w=weights), weights="w")


def test_no_bias_correction_is_warned(data: pd.DataFrame) -> None:
    with pytest.warns(DataWarning, match="p=1 is not above s=1: the estimate is not bias-corrected"):
        fit(data, p=1)


def test_small_units_and_weak_first_stage_are_warned(data: pd.DataFrame) -> None:
    with pytest.warns(DataWarning, match="fewer than 100 values"):
        fit(data, quantiles=[0.01, 0.5])
    rng = np.random.default_rng(3)
    took = pd.Series(rng.integers(0, 2, 60), name="coin")
    with pytest.warns(DataWarning, match=r"the first stage is weak .*anderson_rubin"):
        fit(data.join(took, on="unit"), treatment="coin", bandwidth_treatment=0.9)


def test_few_values_of_x_are_warned(data: pd.DataFrame) -> None:
    with pytest.warns(DataWarning, match="takes only 5 values below the cutoff"):
        fit(data.assign(x=np.floor(data["x"] * 5) / 5 + 0.1), bandwidth=2.0)


class TestLists:
    def units(self) -> list[np.ndarray[Any, Any]]:
        rng = np.random.default_rng(0)
        return [rng.standard_normal(20) for _ in range(40)]

    x = np.linspace(-1, 1, 40)

    def fit(self, units: Any, **options: Any) -> Any:
        return r3d(units, **{"x": self.x, "quantiles": Q, "bandwidth": 1.0, "random_state": 0, **options})

    def test_weights_of_wrong_length(self) -> None:
        units = self.units()
        weights = [np.ones(20) for _ in units]
        weights[5] = np.ones(19)
        with pytest.raises(DataError, match="unit 5 has 20 values but 19 weights"):
            self.fit(units, weights=weights)

    def test_weights_not_a_list(self) -> None:
        with pytest.raises(DataError, match="weights must be a list with one array per unit"):
            self.fit(self.units(), weights=np.ones(7))

    def test_x_of_wrong_length(self) -> None:
        with pytest.raises(
            DataError, match=r"x has shape \(39,\); expected one entry for each of the 40 units"
        ):
            self.fit(self.units(), x=self.x[:-1])

    def test_x_missing(self) -> None:
        with pytest.raises(DataError, match=r"x is missing for 1 units \(positions 0\)"):
            self.fit(self.units(), x=np.r_[np.nan, self.x[1:]])
        with pytest.raises(DataError, match="x= is missing"):
            self.fit(self.units(), x=None)

    def test_column_name_with_a_list(self) -> None:
        with pytest.raises(DataError, match="x='x' is a column name, but the data are not a table"):
            self.fit(self.units(), x="x")

    def test_empty_unit(self) -> None:
        with pytest.raises(DataError, match="units 2 are empty"):
            self.fit([*self.units()[:2], [], *self.units()[3:]])

    def test_nested_unit(self) -> None:
        with pytest.raises(DataError, match=r"unit 0 is an array of shape \(4, 5\)"):
            self.fit([np.ones((4, 5)), *self.units()[1:]])

    def test_empty_list(self) -> None:
        with pytest.raises(DataError, match="data is an empty list"):
            self.fit([])


class TestMatrix:
    x = np.linspace(-1, 1, 30)
    matrix = np.sort(np.random.default_rng(0).standard_normal((30, 3)), axis=1)

    def fit(self, matrix: Any, **options: Any) -> Any:
        return r3d(quantile_matrix=matrix, **{"x": self.x, "quantiles": Q, "bandwidth": 1.0, **options})

    def test_columns_do_not_match(self) -> None:
        with pytest.raises(DataError, match="has 2 columns but quantiles has 3 entries"):
            self.fit(self.matrix[:, :2])
        with pytest.raises(DataError, match="quantiles= was not given"):
            self.fit(self.matrix, quantiles=None)

    def test_not_finite(self) -> None:
        broken = self.matrix.copy()
        broken[4, 1] = np.nan
        with pytest.raises(DataError, match="not finite in rows 4"):
            self.fit(broken)

    def test_descending_rows_are_warned(self) -> None:
        with pytest.warns(DataWarning, match="30 of 30 rows of quantile_matrix descend"):
            self.fit(self.matrix[:, ::-1])

    def test_data_and_matrix(self) -> None:
        with pytest.raises(DataError, match="both data and quantile_matrix"):
            r3d([np.ones(3)], quantile_matrix=self.matrix, x=self.x, quantiles=Q)

    def test_micro_columns_and_matrix(self) -> None:
        with pytest.raises(DataError, match="y= and weights= describe micro-data"):
            self.fit(self.matrix, y="wage")


BROKEN_FILES: dict[str, tuple[str, str]] = {
    "no such column": ("unit,x,wage\n1,0.1,2\n", r"y='y' is not a column of 'data.csv'"),
    "text in y": ("unit,x,y\n1,-0.1,two\n2,0.1,3\n", r"'y' holds 1 entries that are not numbers"),
    "empty": ("unit,x,y\n", r"the data have no rows"),
    "x missing": ("unit,x,y\n1,,2\n2,0.1,3\n", r"'x' is missing in 1 rows of units 1"),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_broken_files(tmp_path: Path, name: str) -> None:
    content, words = BROKEN_FILES[name]
    path = tmp_path / "data.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=words):
        r3d(path, y="y", x="x", unit="unit", quantiles=Q)


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    damaged = tmp_path / "data.parquet"
    damaged.write_bytes(b"PAR1 but no more")
    with pytest.raises(DataError, match=r"'data.parquet' cannot be read"):
        unit_quantiles(damaged, y="y", unit="unit")
    foreign = tmp_path / "data.xlsx"
    foreign.write_bytes(b"")
    with pytest.raises(DataError, match="not a file type that can be read"):
        unit_quantiles(foreign, y="y", unit="unit")


def test_options_are_option_errors(data: pd.DataFrame) -> None:
    with pytest.raises(OptionError):
        simulate("paper3")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="n=0; give a whole number of at least 1"):
        simulate("paper1", n=0)
    found = fit(data)
    with pytest.raises(OptionError, match="did you mean 'nullity'"):
        found.test("null")
    with pytest.raises(DataError, match=r"holds none of the quantiles, which span 0.25..0.75"):
        found.test("nullity", interval=(0.8, 0.9))
    with pytest.raises(DataError, match=r"give a pair \(low, high\)"):
        found.test("nullity", interval=(0.9, 0.2))
    with pytest.raises(OptionError, match="functional='median'"):
        found.functional("median")
    with pytest.raises(OptionError, match="kind='curve'"):
        found.plot(kind="curve")
