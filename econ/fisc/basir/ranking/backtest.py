"""Skill of a ranker on budgets it had not seen: walk-forward, or leaving one out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
from sklearn.base import clone

from fisc.basir.options import RelevanceKind, Scheme
from fisc.basir.ranking.ranker import LEAST_BUDGETS, SectorRanker
from fisc.basir.ranking.ranking_metrics import RankingScore, evaluate_ranking
from fisc.basir.ranking.signals import budget_names, returns_by_budget, signals_by_budget
from fisc.core import DataError, Provenance, TableLike, check_option, check_seed, check_whole, record, renamed
from fisc.report import Result, Section

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Backtest", "compare_rankers", "walk_forward"]


@dataclasses.dataclass(frozen=True)
class Backtest(Result):
    """Out-of-sample rankings and their skill.

    Attributes
    ----------
    score : RankingScore
    forecasts : DataFrame
        One row for each budget and sector: score, expected_pct, low_pct, high_pct, call, actual_pct (relative to the
        other sectors), trained_to (last budget learned from).
    coverage : float
        Share of outcomes inside their interval, 0..1.
    level : float
        Level of the intervals that was asked for.
    calls, right_calls : int
        Calls made, and those whose direction came true.
    scheme : {"walk_forward", "leave_one_out"}
    method : str
    provenance : Provenance
    """

    score: RankingScore
    forecasts: pd.DataFrame
    coverage: float
    level: float
    calls: int
    right_calls: int
    scheme: Scheme
    method: str
    provenance: Provenance

    def summary(self) -> str:
        """Return skill, coverage and calls."""
        tau = self.score.table.loc["kendall_tau"]
        calls = f"{self.right_calls} of {self.calls} calls right" if self.calls else "no call was made"
        return (
            f"{self.method}, {self.scheme.replace('_', ' ')} over {len(self.score.by_budget)} budgets: Kendall's tau "
            f"{tau['mean']:+.2f} [{tau.low:+.2f}, {tau.high:+.2f}], chance 0\n"
            f"  {self.coverage:.0%} of outcomes inside the {self.level:.0%} interval; {calls}\n{self.score.summary()}"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the forecasts."""
        return self.forecasts

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw skill budget by budget."""
        return self.score.plot(ax=ax)

    def section(self) -> Section:
        """Return the score's section with coverage and calls added."""
        base = self.score.section()
        body = (
            f"{base.body}\n\nMethod {self.method}, {self.scheme.replace('_', ' ')}. {self.coverage:.0%} "
            f"of the outcomes lay inside "
            f"the {self.level:.0%} interval; {self.calls} calls were made, {self.right_calls} of them right."
        )
        return dataclasses.replace(base, body=body, provenance=self.provenance)


@renamed(seed="random_state")
def walk_forward(
    ranker: SectorRanker,
    X: TableLike,
    y: pd.Series[float] | TableLike,
    *,
    first: int = 3,
    scheme: Scheme = "walk_forward",
    relevance_kind: RelevanceKind = "rank",
    random_state: int = 0,
) -> Backtest:
    """Rank each budget with a model learned from other budgets only.

    Parameters
    ----------
    ranker : SectorRanker
        Cloned for each budget.
    X : table
        Signals by (budget, sector); budgets are put in order of time.
    y : Series or table
        Abnormal returns, per cent.
    first : int
        Earlier budgets needed before the first one is ranked.
    scheme : {"walk_forward", "leave_one_out"}
        "walk_forward" learns from earlier budgets only; "leave_one_out" from all others, later ones too,
        which uses more data but could not have been done at the time.
    relevance_kind : str
        For the NDCG of the score.
    random_state : int
        Seed of the intervals over budgets.

    Returns
    -------
    Backtest

    Raises
    ------
    DataError
        If there are too few budgets.
    """
    check_option("scheme", scheme, get_args(Scheme))
    first, random_state = check_whole("first", first, least=0), check_seed("random_state", random_state)
    signals, returns = signals_by_budget(X), returns_by_budget(y)
    known = returns.reindex(signals.index).notna().to_numpy()
    frame, target = signals[known], returns.reindex(signals.index)[known]
    level = frame.index.get_level_values(0)
    budgets = sorted(level.unique())
    start = max(first, LEAST_BUDGETS) if scheme == "walk_forward" else 0
    if len(budgets) <= max(start, LEAST_BUDGETS):
        raise DataError(
            f"{len(budgets)} budgets with returns; {scheme} with first={first} needs at least "
            f"{max(start, LEAST_BUDGETS) + 1}"
        )
    parts = []
    for i, budget in enumerate(budgets[start:], start=start):
        learn = level.isin(budgets[:i]) if scheme == "walk_forward" else level != budget
        fitted = clone(ranker).fit(frame[learn], target[learn])
        now = frame[level == budget]
        ranked = fitted.rank(now).frame
        actual = target[level == budget].droplevel(0)
        part = ranked[["expected_pct", "low_pct", "high_pct", "call"]].copy()
        part["score"] = fitted.score_order(now).droplevel(0)
        part["actual_pct"] = actual - actual.mean()
        part["trained_to"] = fitted.budgets_[-1]
        part.index = pd.MultiIndex.from_product([budget_names([budget]), part.index])
        parts.append(part)
    forecasts = pd.concat(parts).rename_axis(["budget", "sector"])
    score = evaluate_ranking(
        forecasts["actual_pct"].to_numpy() / 100, forecasts["score"].to_numpy(), relevance_kind=relevance_kind,
        budgets=forecasts.index.get_level_values(0), random_state=random_state,
    )  # fmt: skip
    inside = (forecasts["actual_pct"] >= forecasts["low_pct"]) & (
        forecasts["actual_pct"] <= forecasts["high_pct"]
    )
    called = forecasts[forecasts["call"] != "no call"]
    right = np.sign(called["actual_pct"]) == np.where(called["call"] == "UP", 1, -1)
    history = record(
        options={"method": ranker.method, "scheme": scheme, "first": first, "relevance_kind": relevance_kind},
        inputs={"signals": frame.reset_index(), "returns": target.reset_index()}, seed=random_state,
    )  # fmt: skip
    return Backtest(
        score,
        forecasts,
        float(inside.mean()),
        ranker.level,
        len(called),
        int(right.sum()),
        scheme,
        ranker.method,
        history,
    )


def compare_rankers(
    methods: Sequence[str],
    X: TableLike,
    y: pd.Series[float] | TableLike,
    *,
    first: int = 3,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return one row for each method with its walk-forward skill, baselines beside the learned ones.

    Parameters
    ----------
    methods : sequence of str
        Methods of `SectorRanker`.
    X, y
        As in `walk_forward`.
    first : int
    random_state : int

    Returns
    -------
    DataFrame
        kendall_tau, low, high, ndcg_corrected, long_short_pct, coverage, calls, budgets. Choosing the best row of
        such a table makes it look better than it is; the number of rows tried is part of the result.
    """
    rows = {}
    for method in methods:
        test = walk_forward(
            SectorRanker(method, random_state=random_state), X, y, first=first, random_state=random_state
        )
        tau = test.score.table.loc["kendall_tau"]
        rows[method] = {
            "kendall_tau": tau["mean"], "low": tau.low, "high": tau.high,
            "ndcg_corrected": test.score.table.loc["ndcg_corrected", "mean"],
            "long_short_pct": test.score.table.loc["long_short_pct", "mean"],
            "coverage": test.coverage, "calls": test.calls, "budgets": len(test.score.by_budget),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
