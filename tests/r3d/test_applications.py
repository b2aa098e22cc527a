"""The two applications on governors, against stored numbers and against what is known about them.

``FISC_STORE=1 python -m pytest tests/r3d/test_applications.py`` stores the numbers anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fisc.core import DataError
from fisc.data import load_governor_elections
from fisc.r3d import R3DResult, governor_elections, governor_incomes

STORED = Path(__file__).with_name("governors.json")
pytestmark = pytest.mark.filterwarnings("ignore::fisc.core.errors.DataWarning")


@pytest.fixture(scope="module")
def returns(shared: Path) -> pd.DataFrame:
    return load_governor_elections(shared / "data" / "elections" / "gov_county_1940_2018.parquet")


def numbers(fit: R3DResult) -> dict[str, object]:
    mean = fit.functional("mean")
    return {
        "bandwidth": fit.bandwidth,
        "tau": fit.tau.tolist(),
        "se": fit.se.tolist(),
        "band_lower": fit.band_lower.tolist(),
        "band_upper": fit.band_upper.tolist(),
        "mean": [mean.estimate, mean.se, mean.lower, mean.upper],
        "p_values": [fit.test("nullity").p_value, fit.test("homogeneity").p_value],
    }


def check(name: str, fit: R3DResult) -> None:
    found = numbers(fit)
    held = json.loads(STORED.read_text()) if STORED.exists() else {}
    if os.environ.get("FISC_STORE"):
        STORED.write_text(json.dumps({**held, name: found}, indent=1, sort_keys=True) + "\n")
        return
    assert held[name].keys() == found.keys()
    for key, value in held[name].items():
        np.testing.assert_allclose(found[key], value, rtol=1e-10, atol=1e-10, err_msg=f"{name}, {key}")


@pytest.mark.parametrize("cluster", [None, "election", "state"])
def test_incomes_under_governors_are_the_stored_numbers(cluster: str | None) -> None:
    check(f"incomes, {cluster}", governor_incomes(cluster=cluster, random_state=0))  # type: ignore[arg-type]


@pytest.mark.parametrize("cluster", [None, "state"])
@pytest.mark.parametrize("term", ["next", "previous"])
def test_elections_of_governors_are_the_stored_numbers(
    returns: pd.DataFrame, term: str, cluster: str | None
) -> None:
    fit = governor_elections(returns, term=term, cluster=cluster, random_state=0)  # type: ignore[arg-type]
    check(f"elections, {term}, {cluster}", fit)


@pytest.mark.xfail(
    strict=True,
    reason="7.34: the pilot near the cutoff selects a bandwidth of 20.4, and at the former 22.7 the effect is 7.03",
)
def test_winning_moves_the_next_election_by_seven_points(returns: pd.DataFrame) -> None:
    mean = governor_elections(returns, random_state=0).functional("mean")
    assert abs(mean.estimate - 7.0) < 0.3


def test_winning_moves_the_next_election_everywhere_and_the_previous_one_not(
    returns: pd.DataFrame,
) -> None:
    ahead = governor_elections(returns, random_state=0)
    assert (ahead.n_minus + ahead.n_plus, len(ahead.sample.means)) == (951, 951)  # type: ignore[arg-type]
    assert ahead.functional("mean").lower > 0.0
    assert ahead.test("nullity").rejected
    assert not ahead.test("homogeneity").rejected
    placebo = governor_elections(returns, term="previous", random_state=0)
    before = placebo.functional("mean")
    assert before.lower < 0.0 < before.upper
    assert not placebo.test("nullity").rejected


def test_incomes_have_the_sign_and_shape_of_the_paper_and_clusters_enlarge_the_error() -> None:
    alone = governor_incomes(cluster=None, random_state=0)
    grouped = governor_incomes(random_state=0)
    at = [int(np.argmin(np.abs(alone.quantiles - q))) for q in (0.1, 0.5, 0.9)]
    assert (np.diff(alone.tau[at]) < 0.0).all()
    assert alone.functional("mean").estimate < 0.0
    assert grouped.functional("mean").se > 1.5 * alone.functional("mean").se


def test_an_unknown_cluster_or_term_is_refused(returns: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="cluster"):
        governor_incomes(cluster="county")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="term"):
        governor_elections(returns, term="last")  # type: ignore[arg-type]
