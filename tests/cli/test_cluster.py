"""The parallel work of the instruments on a local Dask cluster: the same numbers, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def tasks_done(client: Any) -> int:
    return len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.transition_log)))


def test_monte_carlo(cluster: Any) -> None:
    from fisc.r3d import monte_carlo

    work = {"designs": ["repo1"], "sizes": [100], "methods": ["simple"], "reps": 6, "n_boot": 99, "seed": 3}
    here = monte_carlo(**work)
    before = tasks_done(cluster)
    with joblib.parallel_config(backend="dask"):
        there = monte_carlo(**work)
    assert tasks_done(cluster) > before
    pd.testing.assert_frame_equal(here.to_frame(), there.to_frame(), check_exact=True)


def test_multi_start_search(cluster: Any) -> None:
    from fisc.economist import Workers, optimal_schedule

    workers = Workers.sample(60, seed=1)
    edges = [0.0, 50_000.0]
    here = optimal_schedule(workers, edges, "log", seed=2, restarts=2)
    before = tasks_done(cluster)
    with joblib.parallel_config(backend="dask"):
        there = optimal_schedule(workers, edges, "log", seed=2, restarts=2)
    assert tasks_done(cluster) > before
    assert here.schedule == there.schedule
    assert here.welfare == there.welfare


def test_walk_forward(cluster: Any) -> None:
    pytest.importorskip("torch")
    from fisc.data import load_sp500
    from fisc.portfolio import Market, RLPortfolio, walk_forward

    market = Market.from_prices(load_sp500("2015-01-01", "2017-12-31", tickers=["AAPL", "XOM", "KO"]))
    models = {"agent": RLPortfolio(steps=1024, n_envs=8, episode=32, window=20)}
    work = {"train": 252, "test": 126, "purge": 5, "embargo": 5, "seeds": 2, "costs": 0.001, "draws": 50}
    here = walk_forward(models, market, **work)
    before = tasks_done(cluster)
    with joblib.parallel_config(backend="dask"):
        there = walk_forward(models, market, **work)
    assert tasks_done(cluster) > before
    assert np.array_equal(here.to_frame().to_numpy(), there.to_frame().to_numpy(), equal_nan=True)
