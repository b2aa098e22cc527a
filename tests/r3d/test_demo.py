"""The demonstration on stock returns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fisc.r3d.demo import crossing_data, demo_section

skfolio = pytest.importorskip("skfolio", reason="the twenty stocks ship with skfolio (extra 'portfolio')")


def test_section_is_the_same_twice() -> None:
    first, second = demo_section(seed=1), demo_section(seed=1)
    assert first.body == second.body
    assert first.tables[0].frame.equals(second.tables[0].frame)
    assert [f.svg for f in first.figures] == [f.svg for f in second.figures]
    assert "95% band" in first.finding
    assert len(first.figures) == 2


def test_data_looks_ahead_by_the_horizon_only() -> None:
    days = pd.bdate_range("2020-01-01", periods=60, name="date")
    rng = np.random.default_rng(0)
    prices = pd.DataFrame(
        np.exp(rng.standard_normal((60, 3)).cumsum(axis=0) / 50), index=days, columns=list("ABC")
    )
    data = crossing_data(prices, horizon=5, average=20)
    row = data.iloc[40]
    at = days.get_loc(row["day"])
    later = prices[row["ticker"]].iloc[at + 5] / prices[row["ticker"]].iloc[at] - 1
    assert row["next_return"] == pytest.approx(later)
    index = (1 + prices.pct_change().mean(axis=1).fillna(0)).cumprod()
    assert row["distance"] == pytest.approx(np.log(index.iloc[at] / index.iloc[at - 19 : at + 1].mean()))
    assert data["day"].nunique() == 60 - 20 - 5
    assert not data.isna().any().any()
