"""Two applications on public data: governors and incomes, and what winning an election does to the next one."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from fisc.core import check_option
from fisc.core.frames import TableLike, as_frame
from fisc.data import load_governor_elections, load_governor_incomes

from .model import r3d
from .result import R3DResult

Term = Literal["next", "previous"]
ElectionCluster = Literal["state"]
IncomeCluster = Literal["election", "state"]

FIRST_YEAR = 1945
LONGEST_TERM = 4  # years between two elections of a state
FEWEST_COUNTIES = 5


def governor_incomes(*, cluster: IncomeCluster | None = "election", **options: Any) -> R3DResult:
    """Effect of a Democratic governor on the distribution of family incomes in the state.

    Units are state-years, 1998 to 2004; the running variable is the margin of the Democrat in the election of
    the governor in office. The question is that of van Dijcke (2026), the sample is another: see
    `fisc.data.load_governor_incomes`.

    Parameters
    ----------
    cluster : {"election", "state"}, optional
        State-years under one governor share a margin, so that they are clustered by election; None takes them as
        independent, as the paper does.
    **options
        Options of `r3d`; percentiles .05 to .95 and 90% bands by default.

    Returns
    -------
    R3DResult
        In multiples of the poverty threshold.

    Examples
    --------
    >>> fit = governor_incomes(cluster=None, random_state=0)
    >>> fit.n_minus + fit.n_plus
    231
    """
    if cluster is not None:
        check_option("cluster", cluster, get_args(IncomeCluster))
    table = load_governor_incomes()
    q = np.arange(5, 96) / 100
    curves = table[[f"q{k:02d}" for k in range(5, 96)]].to_numpy()
    labels = {"state": table["state"], "election": table["state"] + " " + table["election_year"].astype(str)}
    settings: dict[str, Any] = {
        "alpha": 0.1,
        "n_boot": 4999,
        "y_label": "family income (poverty line = 1)",
        "x_label": "Democrat's margin",
        "unit_label": "state and year",
        "support": (0.0, None),
        **options,
    }
    return r3d(
        quantile_matrix=curves,
        x=table["margin"].to_numpy(),
        unit=table["unit"].to_numpy(),
        cluster=None if cluster is None else labels[cluster].to_numpy(),
        quantiles=q,
        **settings,
    )


def governor_elections(
    returns: TableLike | None = None,
    *,
    term: Term = "next",
    cluster: ElectionCluster | None = "state",
    **options: Any,
) -> R3DResult:
    """Effect of winning the governor's office on how the counties of the state vote next time.

    Units are elections of governors since 1945, the running variable is the margin of the Democrat in the state,
    the outcome the distribution over counties, weighted by votes, of the Democrat's share in the next election.
    The previous election, which the winner cannot have changed, is the placebo.

    Parameters
    ----------
    returns : table, optional
        Votes by county as of `fisc.data.load_governor_elections`, which is called by default.
    term : {"next", "previous"}
        Election whose votes are the outcome.
    cluster : {"state"}, optional
        Elections of one state are clustered; None takes them as independent.
    **options
        Options of `r3d`; ventiles by default.

    Returns
    -------
    R3DResult
        In percentage points of the two parties' votes.

    Examples
    --------
    >>> fit = governor_elections(term="previous")  # doctest: +SKIP
    """
    if cluster is not None:
        check_option("cluster", cluster, get_args(ElectionCluster))
    votes = election_outcomes(load_governor_elections() if returns is None else returns, term)
    settings: dict[str, Any] = {
        "quantiles": np.arange(1, 20) / 20,
        "y_label": f"Democrat's share in the {term} election, %",
        "x_label": "Democrat's margin, points",
        "support": (0.0, 100.0),
        **options,
    }
    return r3d(votes, y="share", x="margin", unit="election", weights="votes", cluster=cluster, **settings)


def election_outcomes(returns: TableLike, term: Term = "next") -> pd.DataFrame:
    """Return one row a county of another election, with the margin of this one.

    Columns: election (state and year), state, margin (percentage points), share (per cent) and votes of the
    county in the `term` election, at most 4 years away. States with fewer than 5 counties are left out.

    Examples
    --------
    >>> votes = pd.DataFrame({"year": np.repeat([1950, 1954], 5), "state": "ME", "county_fips": [*range(5)] * 2,
    ...                       "democratic_votes": [60] * 5 + [70] * 5, "republican_votes": [40] * 5 + [30] * 5})
    >>> election_outcomes(votes).drop_duplicates().iloc[0].to_dict()
    {'election': 'ME 1950', 'state': 'ME', 'margin': 20.0, 'share': 70.0, 'votes': 100}
    """
    check_option("term", term, get_args(Term))
    rows = as_frame("returns", returns, what="votes by county")
    both = rows["democratic_votes"] + rows["republican_votes"]
    counties = rows[["state", "year"]].assign(
        share=100.0 * rows["democratic_votes"] / both, votes=both, lead=rows["democratic_votes"] * 2 - both
    )
    elections = counties.groupby(["state", "year"], as_index=False).agg(
        lead=("lead", "sum"), votes=("votes", "sum"), counties=("share", "size")
    )
    elections["margin"] = 100.0 * elections["lead"] / elections["votes"]
    other = elections.groupby("state")["year"].shift(-1 if term == "next" else 1)
    usable = (elections["year"] >= FIRST_YEAR) & (elections["counties"] >= FEWEST_COUNTIES)
    usable &= (other - elections["year"]).abs() <= LONGEST_TERM  # false where there is no other election
    chosen = elections.loc[usable, ["state", "margin"]].assign(
        election=elections["state"] + " " + elections["year"].astype(str), year=other[usable].astype(int)
    )
    joined = chosen.merge(counties[["state", "year", "share", "votes"]], on=["state", "year"])
    return joined[["election", "state", "margin", "share", "votes"]]
