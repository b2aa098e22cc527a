"""Columns of any table library are arrays to the planner: the same bits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fisc.economist import Criterion, TaxSchedule, Workers, respond

polars = pytest.importorskip("polars")
arrow = pytest.importorskip("pyarrow")

SKILL = [200.0, 500.0, 1000.0, 3000.0]


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
