"""Every public function that takes a table gives the same bits whatever library holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.data import DataError
from fisc.r3d import balance, governor_elections, r3d, select_bandwidth, simulate, unit_quantiles
from fisc.r3d.demo import crossing_data

Q = [0.1, 0.25, 0.5, 0.75, 0.9]
LONG: dict[str, Any] = {"y": "y", "x": "x", "unit": "unit", "quantiles": Q}

LIBRARIES = ("polars", "polars lazy", "pyarrow", "duckdb", "parquet")


def held(frame: pd.DataFrame, library: str, tmp_path: Path) -> Any:
    """Return the frame as another library holds it."""
    import duckdb
    import polars as pl
    import pyarrow as pa

    if library == "parquet":
        frame.to_parquet(tmp_path / "data.parquet")
        return tmp_path / "data.parquet"
    if library == "duckdb":
        return duckdb.connect().from_df(frame)
    if library == "pyarrow":
        return pa.Table.from_pandas(frame, preserve_index=False)
    return pl.from_pandas(frame).lazy() if library == "polars lazy" else pl.from_pandas(frame)


def numbers(fit: Any) -> np.ndarray:
    return np.concatenate([fit.tau, fit.se, fit.band_lower, fit.band_upper, fit.q_minus, fit.draws.ravel()])


MATRIX: dict[str, Callable[[Any], Any]] = {
    "r3d": lambda d: numbers(
        r3d(d, **LONG, treatment="t", weights="w", unit_weights="v", cluster="state", random_state=0)
    ),
    "r3d, with covariates": lambda d: numbers(r3d(d, **LONG, covariates=["z"], random_state=0)),
    "select_bandwidth": lambda d: select_bandwidth(d, **LONG, treatment="t").to_frame(),
    "unit_quantiles": lambda d: unit_quantiles(d, y="y", unit="town", weights="w"),
    "unit_quantiles, by day": lambda d: unit_quantiles(d, y="y", unit="day", quantiles=Q),
    "balance": lambda d: balance(d, ["z", "y"], x="x", unit="unit", quantiles=Q),
    "governor_elections": lambda d: numbers(governor_elections(d, random_state=0)),
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Units lie together; labels are numbers, text and dates; some values are missing."""
    frame = simulate("fuzzy1", n=120, random_state=4, unit_size=40).data
    rng = np.random.default_rng(0)
    unit = frame["unit"].to_numpy()
    frame["w"] = rng.uniform(0.5, 2.0, len(frame))
    frame["v"] = rng.uniform(0.5, 2.0, 120)[unit]
    frame["z"] = rng.standard_normal(120)[unit]
    frame["state"] = np.array([f"état {k}" for k in rng.integers(0, 30, 120)])[unit]
    frame["town"] = np.array([f"town {k}" for k in range(120)])[unit]
    frame["day"] = (pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(120), unit="D"))[unit]
    frame.loc[[5, 700], "y"] = np.nan
    return frame


def votes() -> pd.DataFrame:
    """Votes for governors in 6 counties each of 12 states in 8 elections."""
    rng = np.random.default_rng(2)
    index = pd.MultiIndex.from_product(
        [range(1950, 1982, 4), [f"S{k}" for k in range(12)], range(6)], names=["year", "state", "county_fips"]
    )
    share = np.clip(rng.normal(0.5, 0.05, len(index)), 0.05, 0.95)
    return pd.DataFrame(
        {
            "democratic_votes": (1000 * share).astype(int),
            "republican_votes": (1000 * (1 - share)).astype(int),
        },
        index=index,
    ).reset_index()


@pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")
@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", MATRIX)
def test_the_library_does_not_change_a_bit(
    data: pd.DataFrame, name: str, library: str, tmp_path: Path
) -> None:
    table = votes() if name == "governor_elections" else data
    if (name, library) != (
        "governor_elections",
        "parquet",
    ):  # the one that is given votes, not a file of them
        _same(MATRIX[name](held(table, library, tmp_path)), MATRIX[name](table))


@pytest.mark.filterwarnings("ignore::fisc.data.DataWarning")
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("library", ["polars lazy", "duckdb", "parquet"])
def test_what_is_larger_than_memory_is_streamed_and_not_pulled_whole(
    data: pd.DataFrame, library: str, shuffled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fisc.r3d import files, segments

    rows: list[int] = []
    whole = segments.as_frame

    def counted(name: str, table: Any) -> pd.DataFrame:
        frame = whole(name, table)
        rows.append(len(frame))
        return frame

    data = data.sample(frac=1.0, random_state=0, ignore_index=True) if shuffled else data
    expected = [unit_quantiles(data, y="y", unit=unit, quantiles=Q) for unit in ("unit", "town", "day")]
    fitted = MATRIX["r3d"](data)
    monkeypatch.setattr(files, "ROWS_IN_MEMORY", 800)
    monkeypatch.setattr(segments, "as_frame", counted)
    table = held(data, library, tmp_path)
    for unit, frame in zip(("unit", "town", "day"), expected, strict=True):
        _same(unit_quantiles(table, y="y", unit=unit, quantiles=Q), frame)
    np.testing.assert_allclose(MATRIX["r3d"](table), fitted, rtol=1e-9, atol=1e-9)
    assert 0 < max(rows) < len(data) / 2


@pytest.mark.parametrize("library", LIBRARIES[:-1])
def test_matrices_and_prices_may_be_tables(library: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, 80)
    matrix = pd.DataFrame(
        np.sort(rng.standard_normal((80, 5)), axis=1) + (x >= 0)[:, None], columns=list("abcde")
    )
    z = pd.DataFrame({"z": rng.standard_normal(80)})

    def fit(q: Any, covariates: Any) -> np.ndarray:
        return numbers(
            r3d(quantile_matrix=q, x=x, quantiles=Q, covariates=covariates, bandwidth=0.9, random_state=0)
        )

    _same(fit(held(matrix, library, tmp_path), held(z, library, tmp_path)), fit(matrix.to_numpy(), z))
    days = pd.bdate_range("2020-01-01", periods=40, name="day", unit="us")
    prices = pd.DataFrame(np.exp(rng.normal(0, 0.01, (40, 3)).cumsum(0)), index=days, columns=list("ABC"))
    _same(crossing_data(held(prices.reset_index(), library, tmp_path), 2, 3), crossing_data(prices, 2, 3))


def test_prices_without_dates_are_refused() -> None:
    with pytest.raises(DataError, match="has no dates"):
        crossing_data(pd.DataFrame({"A": [1.0, 2.0, 3.0]}), 1, 1)


def test_a_lazy_frame_that_cannot_be_computed_is_an_error_in_words() -> None:
    import polars as pl

    lazy = pl.LazyFrame({"unit": [1, 2], "y": ["a", "b"]}).with_columns(pl.col("y").cast(pl.Float64))
    with pytest.raises(DataError, match="lazy frame cannot be computed"):
        unit_quantiles(lazy, y="y", unit="unit")
    with pytest.raises(DataError, match=r"y='yy' is not a column of the data; did you mean 'y'"):
        unit_quantiles(lazy, y="yy", unit="unit")


def _same(found: Any, expected: Any) -> None:
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    else:
        np.testing.assert_array_equal(found, expected)
