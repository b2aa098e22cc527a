"""Tables and columns of any library give the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fisc.economist import Criterion, TaxSchedule, Workers, respond, score_reform

polars = pytest.importorskip("polars")
arrow = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")

SKILL = [200.0, 500.0, 1000.0, 3000.0]


SURVEY = pd.DataFrame(
    {"wages": [20_000.0, 60_000.0, 9_000.0], "people": [900.0, 300.0, 50.0], "rate": [0.2, 0.3, 0.1]}
)
LIBRARIES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": polars.from_pandas,
    "polars lazy": lambda frame: polars.from_pandas(frame).lazy(),
    "pyarrow": arrow.Table.from_pandas,
    "duckdb": lambda frame: duckdb.from_arrow(arrow.Table.from_pandas(frame)),
}
COLUMNS = {"income": "wages", "weight": "people", "marginal_rate": "rate"}
LAWS = (TaxSchedule([0.0, 20_000.0], [0.1, 0.2]), TaxSchedule([0.0, 40_000.0], [0.1, 0.3]))
MATRIX: dict[str, Callable[[Any], Any]] = {
    "Workers.from_frame": lambda table: Workers.from_frame(table, **COLUMNS).to_frame(),
    "score_reform": lambda table: score_reform(table, *LAWS, **COLUMNS).to_frame(),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("call", MATRIX)
def test_the_library_of_a_table_does_not_matter(call: str, library: str) -> None:
    found, expected = MATRIX[call](LIBRARIES[library](SURVEY)), MATRIX[call](SURVEY)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize("kind", [np.array, pd.Series, polars.Series, arrow.array, tuple])
def test_columns_give_the_same_bits(kind) -> None:  # type: ignore[no-untyped-def]
    law = TaxSchedule(kind([0.0, 20_000.0]), kind([0.1, 0.4]))
    workers = Workers(kind(SKILL), kind([0.02, 0.02, 0.03, 0.03]), hours_grid=kind([0.0, 20.0, 40.0]))
    expected = respond(
        Workers(SKILL, [0.02, 0.02, 0.03, 0.03], hours_grid=[0.0, 20.0, 40.0]),
        TaxSchedule([0.0, 20_000.0], [0.1, 0.4]),
    )
    assert respond(workers, law) == expected
    assert np.array_equal(law.tax(kind([1e4, 5e4])), [1000.0, 14_000.0])
    assert Criterion("weighted", weights=kind([1.0, 1.0, 2.0, 4.0])).weights is not None
