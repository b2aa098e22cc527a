"""How well sectors were ranked, budget by budget, each figure beside its chance level."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from fisc.basir.options import RelevanceKind
from fisc.basir.plots import plot_skill
from fisc.basir.ranking.chance import RELEVANCE_KINDS, chance_corrected_ndcg, gains, ndcg, ndcg_expectation
from fisc.basir.ranking.signals import budget_names
from fisc.core import (
    DataError,
    DataWarning,
    FloatArray,
    Provenance,
    TableLike,
    align,
    as_dated,
    as_frame,
    check_array,
    check_option,
    check_seed,
    check_table,
    check_whole,
    is_table,
    record,
    renamed,
)
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = ["RankingScore", "evaluate_ranking"]

LEAST_ITEMS = 3


@dataclasses.dataclass(frozen=True)
class RankingScore(Result):
    """Skill of rankings, with intervals over budgets.

    Attributes
    ----------
    table : DataFrame
        One row for each metric: mean over budgets, low and high (95 % interval by resampling budgets), chance
        (what a random ranking scores), budgets (that the metric could be computed for).
    by_budget : DataFrame
        One row for each budget: items, ndcg, ndcg_chance, ndcg_corrected, kendall_tau, spearman, precision_k and
        their chance levels, sign_accuracy, long_short_pct.
    relevance_kind : str
        How returns became gains; see `fisc.basir.ranking.chance.gains`.
    dropped : int
        Items without a score or a return.
    provenance : Provenance
    """

    table: pd.DataFrame
    by_budget: pd.DataFrame
    relevance_kind: RelevanceKind
    dropped: int
    provenance: Provenance

    def summary(self) -> str:
        """Return the metrics with their intervals and chance levels."""
        lines = [f"{len(self.by_budget)} budgets, relevance: {self.relevance_kind}"]
        for name, row in self.table.iterrows():
            chance = f"{row.chance:.3f}" if np.isfinite(row.chance) else "-"
            lines.append(
                f"  {name:<18} {row['mean']:+.3f}  [{row.low:+.3f}, {row.high:+.3f}]  chance {chance}"
            )
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each budget."""
        return self.by_budget

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw skill budget by budget against chance."""
        return plot_skill(self.by_budget, self.table, ax=ax)

    def section(self) -> Section:
        """Return a report section with the figure and the two tables."""
        tau = self.table.loc["kendall_tau"]
        return Section(
            "Skill against chance",
            f"{len(self.by_budget)} budgets; the budget is the unit, so that intervals are wide. "
            f"Chance-corrected NDCG is 0 "
            "for a random ranking and 1 for the perfect one.",
            figures=(
                Figure.from_matplotlib(
                    self.plot(), caption="Kendall's tau of each budget", alt="Skill by budget"
                ),
            ),
            tables=(
                Table(self.table, caption="Mean over budgets with 95 % intervals"),
                Table(self.by_budget, caption="Budget by budget"),
            ),
            provenance=self.provenance,
            finding=f"Kendall's tau {tau['mean']:+.2f} [{tau.low:+.2f}, {tau.high:+.2f}] over {len(self.by_budget)} "
            "budgets; chance is 0.",
        )


@renamed(seed="random_state")
def evaluate_ranking(
    returns: npt.ArrayLike | TableLike,
    scores: npt.ArrayLike | TableLike,
    *,
    relevance_kind: RelevanceKind,
    budgets: Iterable[object] | None = None,
    k: Sequence[int] = (3, 5, 10),
    ends: int = 5,
    draws: int = 2000,
    random_state: int = 0,
) -> RankingScore:
    """Compare rankings of sectors with what came out, budget by budget.

    Parameters
    ----------
    returns : table (n_budgets, n_sectors), or array_like (n_items,)
        Realised returns as fractions (0.01 is one per cent), abnormal ones for preference.
    scores : as `returns`
        Higher means expected to do better; its sign is the call for the sign accuracy.
    relevance_kind : str
        How returns become gains for NDCG; mandatory, see `fisc.basir.ranking.chance.gains`.
    budgets : array_like, optional
        Budget of each item, if `returns` and `scores` are vectors; by default all are one budget.
    k : sequence of int
        Lengths for precision at k: the share of the k highest scored among the k best returns.
    ends : int
        Sectors held long at the top and short at the bottom (at most a third of the list each).
    draws : int
        Resamples of budgets for the intervals.
    random_state : int
        Seed of the resamples.

    Returns
    -------
    RankingScore

    Raises
    ------
    DataError
        If shapes differ, or no budget has three sectors with score and return.

    Notes
    -----
    Items without a score or a return are dropped and counted. With one budget the intervals are missing.

    Examples
    --------
    >>> import pandas as pd
    >>> out = pd.DataFrame([[0.02, 0.01, -0.01, 0.0]], index=["2019-07-05"], columns=list("ABCD"))
    >>> float(evaluate_ranking(out, out, relevance_kind="rank").table.loc["ndcg_corrected", "mean"])
    1.0
    """
    check_option("relevance_kind", relevance_kind, RELEVANCE_KINDS)
    if not isinstance(k, (tuple, list)):
        raise DataError(f"k={k!r:.80}; give a tuple of numbers of positions such as (3, 5, 10)")
    k = tuple(check_whole("a number of positions of k", n, least=1) for n in k)
    ends, draws = check_whole("ends", ends, least=1), check_whole("draws", draws, least=1)
    random_state = check_seed("random_state", random_state)
    groups, total = _groups(returns, scores, budgets)
    rows, dropped = {}, total
    for name, (y, s) in groups.items():
        ok = np.isfinite(y) & np.isfinite(s)
        if ok.sum() >= LEAST_ITEMS:
            dropped -= int(ok.sum())
            rows[name] = _one_budget(y[ok], s[ok], relevance_kind, tuple(k), ends)
    if not rows:
        raise DataError(
            f"no budget has {LEAST_ITEMS} sectors with both a score and a return; check that columns and dates match"
        )
    notes = []
    if dropped:
        notes.append(f"{dropped} of {total} items have no score or no return and are left out")
        warnings.warn(notes[0], DataWarning, stacklevel=2)
    by_budget = pd.DataFrame.from_dict(rows, orient="index").rename_axis("budget")
    table = _table(by_budget, tuple(k), draws, random_state)
    history = record(
        options={"relevance_kind": relevance_kind, "k": list(k), "ends": ends, "draws": draws},
        inputs={"returns": np.concatenate([g[0] for g in groups.values()]),
                "scores": np.concatenate([g[1] for g in groups.values()])},
        seed=random_state, notes=notes,
    )  # fmt: skip
    return RankingScore(table, by_budget, relevance_kind, dropped, history)


def _groups(
    returns: npt.ArrayLike | TableLike, scores: npt.ArrayLike | TableLike, budgets: Iterable[object] | None
) -> tuple[dict[str, tuple[FloatArray, FloatArray]], int]:
    """Return (returns, scores) of each budget, and the number of items."""
    if is_table(returns) != is_table(scores):
        raise DataError("returns and scores must both be tables (budgets by sectors) or both be vectors")
    if is_table(returns) and is_table(scores):
        out, said = _budget_rows("returns", returns), _budget_rows("scores", scores)
        shared = out.index.intersection(said.index), out.columns.intersection(said.columns)
        if not len(shared[0]) or not len(shared[1]):
            raise DataError(
                "returns and scores share no budgets or no sectors; their indexes and columns must match"
            )
        y = out.loc[shared[0], shared[1]].to_numpy(dtype=float)
        s = said.loc[shared[0], shared[1]].to_numpy(dtype=float)
        return {name: (y[i], s[i]) for i, name in enumerate(budget_names(shared[0]))}, int(y.size)
    if isinstance(budgets, pd.Series):
        budgets = align(returns, budgets, ("returns", "budgets"))
    scores = align(returns, scores, ("returns", "scores"))
    y = check_array("returns", returns, what="one return for each item", missing=True)
    s = check_array("scores", scores, what="one score for each item", missing=True)
    if y.ndim != 1 or y.shape != s.shape:
        raise DataError(
            f"returns has shape {y.shape} and scores {s.shape}; expected two vectors of one length"
        )
    if budgets is not None and (isinstance(budgets, (str, bytes)) or not isinstance(budgets, Iterable)):
        raise DataError(f"budgets={budgets!r:.80}; give the budget of each item")
    labels = np.asarray(["all"] * len(y) if budgets is None else [str(b) for b in budgets])
    if len(labels) != len(y):
        raise DataError(f"{len(y)} items but {len(labels)} budgets; give the budget of each item")
    return {str(b): (y[labels == b], s[labels == b]) for b in dict.fromkeys(labels.tolist())}, int(y.size)


def _budget_rows(name: str, table: TableLike) -> pd.DataFrame:
    """Return a row for each budget, by the table's dates where it has any."""
    what = f"{name}, budgets by sectors"
    frame = as_frame(name, table, what=what)
    if (frame.dtypes == "datetime64[us]").any():
        frame = as_dated(name, frame, what=what)
    frame = check_table(name, frame, what=what)
    if frame.index.has_duplicates:
        raise DataError(f"a budget occurs twice in {name}; keep one row for each budget")
    return frame


def _one_budget(
    y: FloatArray, s: FloatArray, kind: RelevanceKind, ks: tuple[int, ...], ends: int
) -> dict[str, float]:
    n = len(y)
    gain = gains(y, kind)
    usable = bool((gain > 0).any() and np.ptp(gain) > 0)
    moved = bool(np.ptp(y) > 0 and np.ptp(s) > 0)
    row: dict[str, float] = {
        "items": n,
        "ndcg": ndcg(gain, s) if usable else float("nan"),
        "ndcg_chance": ndcg_expectation(y, relevance_kind=kind).mean if usable else float("nan"),
        "ndcg_corrected": chance_corrected_ndcg(y, s, relevance_kind=kind) if usable else float("nan"),
        "kendall_tau": float(stats.kendalltau(y, s).statistic) if moved else 0.0,
        "spearman": float(stats.spearmanr(y, s).statistic) if moved else 0.0,
    }
    for k in ks:
        if k < n:
            row[f"precision_{k}"] = float(_in_first(-s, k) @ _in_first(-y, k)) / k
            row[f"precision_{k}_chance"] = k / n
    called = s != 0
    row["sign_accuracy"] = (
        float((np.sign(s[called]) == np.sign(y[called])).mean()) if called.any() else float("nan")
    )
    up, said_up = (
        (y[called] > 0).mean() if called.any() else 0.0,
        (s[called] > 0).mean() if called.any() else 0.0,
    )
    row["sign_accuracy_chance"] = float(up * said_up + (1 - up) * (1 - said_up))
    width = max(1, min(ends, n // 3))
    row["long_short_pct"] = 100 * float((_in_first(-s, width) - _in_first(s, width)) @ y) / width
    return row


def _in_first(values: FloatArray, k: int) -> FloatArray:
    """Return for each item (n,) how probably it is among the k least, ties broken at random."""
    edge = np.partition(values, k - 1)[k - 1]
    below, at = values < edge, values == edge
    chance: FloatArray = below + at * ((k - int(below.sum())) / int(at.sum()))
    return chance


def _table(by_budget: pd.DataFrame, ks: tuple[int, ...], draws: int, random_state: int) -> pd.DataFrame:
    names = ["ndcg_corrected", "ndcg", "kendall_tau", "spearman"]
    names += [f"precision_{k}" for k in ks if f"precision_{k}" in by_budget] + [
        "sign_accuracy",
        "long_short_pct",
    ]
    rng = np.random.default_rng(random_state)
    n = len(by_budget)
    picks = rng.integers(0, n, (draws, n))
    rows = {}
    for name in names:
        values = by_budget[name].to_numpy(dtype=float)
        known = np.isfinite(values)
        low = high = float("nan")
        mean = float(values[known].mean()) if known.any() else float("nan")
        if n > 1 and known.any():
            with warnings.catch_warnings():
                # A resample may hold only budgets without the figure; its mean is left out below.
                warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
                low, high = np.nanquantile(np.nanmean(values[picks], axis=1), [0.025, 0.975])
        chance = by_budget[f"{name}_chance"].mean() if f"{name}_chance" in by_budget else 0.0
        rows[name] = {
            "mean": mean,
            "low": float(low),
            "high": float(high),
            "chance": float(chance),
            "budgets": int(known.sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
