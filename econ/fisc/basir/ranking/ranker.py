"""Ranking sectors after a budget, with intervals and the right to make no call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from fisc.basir.plots import plot_ranking
from fisc.basir.ranking.relative import (
    centred,
    conformal_quantile,
    lambdamart,
    ridge,
    slope,
    standardised,
    within,
)
from fisc.basir.ranking.signals import budget_names, returns_by_budget, signals_by_budget
from fisc.core import (
    DataError,
    FloatArray,
    IntArray,
    ObjectArray,
    Provenance,
    TableLike,
    check_number,
    nearest,
    record,
    renamed,
)
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from lightgbm import Booster
    from matplotlib.axes import Axes


__all__ = ["BASELINES", "Ranking", "SectorRanker"]

BASELINES = ("momentum", "beta", "last_budget", "attention", "surprise")
LEARNED = ("ridge", "lambdamart")
RIDGE_GRID = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
LEAST_BUDGETS = 2
RANK_DRAWS = 2000


@dataclasses.dataclass(frozen=True)
class Ranking(Result):
    """A ranking of sectors for one budget.

    Attributes
    ----------
    frame : DataFrame
        Indexed by sector, best first: rank, expected_pct (abnormal return, per cent), low_pct and high_pct
        (conformal interval), rank_low and rank_high (same level), call ("UP", "DOWN", "no call"), why.
    budget : str
    method : str
    level : float
        Level of the intervals, 0..1.
    trained_to : str
        Last budget that was learned from.
    provenance : Provenance
    """

    frame: pd.DataFrame
    budget: str
    method: str
    level: float
    trained_to: str
    provenance: Provenance

    def summary(self) -> str:
        """Return the number of calls and the ends of the list."""
        calls = self.frame[self.frame["call"] != "no call"]
        head = (
            f"{self.budget}: {len(self.frame)} sectors, {len(calls)} calls, {len(self.frame) - len(calls)} no call "
            f"({self.method}, learned to {self.trained_to})"
        )
        rows = [
            f"  {int(r['rank']):>3} {name:<34} {r.expected_pct:+.2f} % [{r.low_pct:+.2f}, {r.high_pct:+.2f}] {r.call}"
            for name, r in self.frame.iloc[
                [0, 1, 2, -3, -2, -1] if len(self.frame) >= 6 else slice(None)
            ].iterrows()
        ]
        return "\n".join([head, *rows])

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each sector, best first."""
        return self.frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw expected abnormal returns with their intervals."""
        return plot_ranking(self.frame, ax=ax)

    def section(self) -> Section:
        """Return a report section with the figure and the table."""
        calls = int((self.frame["call"] != "no call").sum())
        return Section(
            f"Ranking for {self.budget}",
            f"{len(self.frame)} sectors, {calls} calls; the rest is left open, because the "
            f"{self.level:.0%} interval covers "
            f"zero. Method {self.method}, learned from budgets to {self.trained_to} and from nothing later.",
            figures=(
                Figure.from_matplotlib(
                    self.plot(), caption="Expected abnormal return and interval", alt="Ranking"
                ),
            ),
            tables=(Table(self.frame, decimals=2),),
            notes=(
                "Intervals hold if this budget is like the past ones, which is doubtful with so few of them.",
            ),
            provenance=self.provenance,
        )


class SectorRanker(BaseEstimator):  # type: ignore[misc]
    """Rank sectors by what they are expected to do after a budget.

    A baseline ranks by one signal as it stands: "momentum", "beta", "last_budget", "attention" or
    "surprise" (the name of a column). "ridge" is a linear model of all signals, shrunk as leaving one
    budget out advises; "lambdamart" are boosted trees for the order (lightgbm). All see signals only
    relative to the other sectors of the same budget, because the market's own move is not the question.

    Parameters
    ----------
    method : str
        One of the above, or the name of any column of the signals.
    features : sequence of str, optional
        Columns that the learned methods use; all by default.
    level : float
        Level of the intervals, 0..1.
    random_state : int

    Attributes
    ----------
    budgets_ : list of str
        Budgets learned from, in order.
    residuals_ : DataFrame
        budget, sector, residual (per cent, of a model fitted without that budget), scale.
    quantile_ : float
        Half width of the interval in units of the scale.

    Notes
    -----
    Intervals are split-conformal over residuals of left-out budgets (Vovk et al., 2005; Lei et al., 2018),
    scaled by the column ``volatility`` where there is one. Their promise rests on exchangeable budgets,
    and residuals of one budget move together: with thirty budgets in all, read them as a sober guess. A
    call is made only if the interval lies on one side of zero.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> index = pd.MultiIndex.from_product([range(2001, 2013), list("ABCDEFGH")], names=["budget", "sector"])
    >>> X = pd.DataFrame({"surprise": rng.normal(size=96)}, index=index)
    >>> y = 3 * X["surprise"] + rng.normal(0, 0.2, 96)
    >>> ranking = SectorRanker("ridge").fit(X.loc[:2011], y.loc[:2011]).rank(X.loc[[2012]])
    >>> ranking.frame["call"].iloc[0], ranking.frame["call"].iloc[-1]
    ('UP', 'DOWN')
    """

    @renamed(coverage="level")
    def __init__(
        self,
        method: str = "surprise",
        features: Sequence[str] | None = None,
        level: float = 0.9,
        random_state: int = 0,
    ):
        self.method = method
        self.features = features
        self.level = level
        self.random_state = random_state

    def fit(self, X: TableLike, y: pd.Series[float] | TableLike) -> SectorRanker:
        """Learn from past budgets.

        Parameters
        ----------
        X : table
            Signals by (budget, sector), as the index or as columns; see `fisc.basir.ranking_signals`.
        y : Series or table
            Abnormal return of the same rows, per cent; rows without one are left out. A table has the
            columns budget, sector and one of returns.

        Returns
        -------
        SectorRanker
            Itself.

        Raises
        ------
        DataError
            If there are fewer than two budgets, or the index or a column is not as expected.
        """
        check_number("level", self.level, above=0, below=1)
        signals = signals_by_budget(X)
        frame = self._chosen(signals)
        target = returns_by_budget(y).reindex(signals.index)
        known = target.notna().to_numpy()
        frame, target = frame[known], target[known].astype(float)
        groups = _budgets(frame)
        self.budgets_ = list(dict.fromkeys(groups.tolist()))
        if len(self.budgets_) < LEAST_BUDGETS:
            raise DataError(
                f"{len(self.budgets_)} past budgets with returns; at least {LEAST_BUDGETS} are needed to learn"
            )
        values = standardised(frame, groups)
        relative = centred(np.asarray(target, dtype=np.float64), groups)
        scale = _scale(signals)[known]
        self.columns_ = list(frame.columns)
        self.penalty_ = self._best_penalty(values, relative, groups) if self.method == "ridge" else None
        left_out = np.zeros(len(relative))
        raw_left_out = np.zeros(len(relative))
        for budget in self.budgets_:
            test = groups == budget
            raw_left_out[test] = self._raw(
                self._learn(values[~test], relative[~test], groups[~test]), values[test]
            )
        for budget in self.budgets_:
            test = groups == budget
            rest = (
                slope(raw_left_out[~test], relative[~test], groups[~test]) if self.method != "ridge" else 1.0
            )
            left_out[test] = rest * within(raw_left_out[test], self.method)
        self.slope_ = slope(raw_left_out, relative, groups) if self.method != "ridge" else 1.0
        residual = relative - left_out
        self.residuals_ = pd.DataFrame(
            {
                "budget": groups,
                "sector": frame.index.get_level_values(1),
                "residual": residual,
                "scale": scale,
            }
        )
        self.quantile_ = conformal_quantile(np.abs(residual) / scale, self.level)
        self.model_ = self._learn(values, relative, groups)
        return self

    def predict(self, X: TableLike) -> pd.Series[float]:
        """Return the expected abnormal return relative to the other sectors, per cent.

        Parameters
        ----------
        X : table
            Signals by (budget, sector).
        """
        signals = signals_by_budget(X)
        raw, groups = self._scores(signals)
        out = np.zeros(len(raw))
        for budget in dict.fromkeys(groups.tolist()):
            out[groups == budget] = self.slope_ * within(raw[groups == budget], self.method)
        return pd.Series(out, index=signals.index, name="expected_pct")

    def score_order(self, X: TableLike) -> pd.Series[float]:
        """Return the score that orders the sectors, also where the expected returns are all zero."""
        signals = signals_by_budget(X)
        return pd.Series(self._scores(signals)[0], index=signals.index, name="score")

    def rank(self, X: TableLike) -> Ranking:
        """Rank the sectors of one budget.

        Parameters
        ----------
        X : table
            Signals of one budget, by (budget, sector).

        Raises
        ------
        DataError
            If the signals are of several budgets.
        """
        signals = signals_by_budget(X)
        score, groups = self._scores(signals)
        if len(set(groups.tolist())) != 1:
            raise DataError(
                f"rank takes the signals of one budget, these are of {len(set(groups.tolist()))}; select one"
            )
        expected = np.asarray(self.predict(signals), dtype=np.float64)
        scale = _scale(signals)
        half = self.quantile_ * scale
        low_rank, high_rank = self._rank_interval(expected, scale)
        frame = pd.DataFrame(
            {
                "rank": (-score).argsort(kind="stable").argsort(kind="stable") + 1,
                "expected_pct": expected,
                "low_pct": expected - half,
                "high_pct": expected + half,
                "rank_low": low_rank,
                "rank_high": high_rank,
                "call": np.select([expected - half > 0, expected + half < 0], ["UP", "DOWN"], "no call"),
                "why": self._why(signals, groups),
            },
            index=pd.Index(signals.index.get_level_values(1), name="sector"),
        ).sort_values("rank")
        history = record(
            options={"method": self.method, "level": self.level, "columns": self.columns_},
            inputs={"signals": signals.reset_index(), "residuals": self.residuals_},
            seed=self.random_state,
        )
        return Ranking(frame, groups[0], self.method, self.level, self.budgets_[-1], history)

    def _chosen(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns in use, or raise if the signals lack them."""
        if self.method not in LEARNED:
            if self.method not in X.columns:
                guess = nearest(self.method, [*map(str, X.columns), *LEARNED])
                hint = f"; did you mean {guess!r}?" if guess else ""
                raise DataError(
                    f"method={self.method!r} is neither 'ridge', 'lambdamart' nor a column of the signals "
                    f"({', '.join(map(str, X.columns))}){hint}"
                )
            return X[[self.method]]
        columns = (
            list(self.features) if self.features is not None else [c for c in X.columns if c != "volatility"]
        )
        missing = [c for c in columns if c not in X.columns]
        if missing or not columns:
            raise DataError(
                f"signals lack {missing or 'any column'}; they have {', '.join(map(str, X.columns))}"
            )
        return X[columns]

    def _scores(self, X: pd.DataFrame) -> tuple[FloatArray, ObjectArray]:
        if not hasattr(self, "model_"):
            raise DataError("this SectorRanker is not fitted; call fit(X, y) first")
        frame = self._chosen(X)
        groups = _budgets(frame)
        return self._raw(self.model_, standardised(frame, groups)), groups

    def _learn(self, values: FloatArray, target: FloatArray, groups: ObjectArray) -> FloatArray | Booster:
        if self.method == "ridge":
            return ridge(values, target, float(self.penalty_ or 0.0))
        if self.method == "lambdamart":
            return lambdamart(values, target, groups, self.random_state)
        return np.ones(1)

    def _raw(self, model: FloatArray | Booster, values: FloatArray) -> FloatArray:
        raw = values @ model if isinstance(model, np.ndarray) else model.predict(values)
        return np.asarray(raw, dtype=float)

    def _best_penalty(self, values: FloatArray, target: FloatArray, groups: ObjectArray) -> float:
        """Choose the ridge penalty by leaving budgets out; the largest if none beats expecting nothing."""
        best, least = RIDGE_GRID[-1], float((target**2).sum())
        for penalty in reversed(RIDGE_GRID):
            error = 0.0
            for budget in self.budgets_:
                test = groups == budget
                error += float(
                    ((target[test] - values[test] @ ridge(values[~test], target[~test], penalty)) ** 2).sum()
                )
            if error < least:
                best, least = penalty, error
        return best

    def _rank_interval(self, expected: FloatArray, scale: FloatArray) -> tuple[IntArray, IntArray]:
        """Return the interval of ranks when residuals of past budgets strike the sectors at random."""
        rng = np.random.default_rng(self.random_state)
        pool = (self.residuals_["residual"] / self.residuals_["scale"]).to_numpy()
        drawn = expected + scale * rng.choice(pool, size=(RANK_DRAWS, len(expected)))
        ranks = (-drawn).argsort(axis=1).argsort(axis=1) + 1
        tail = (1 - self.level) / 2
        low, high = np.quantile(ranks, [tail, 1 - tail], axis=0, method="nearest").astype(int)
        return low, high

    def _why(self, X: pd.DataFrame, groups: ObjectArray) -> list[str]:
        """Name the signal that moves each sector most, with its standard score."""
        frame = self._chosen(X)
        values = standardised(frame, groups)
        weight = self.model_ if isinstance(self.model_, np.ndarray) else np.ones(values.shape[1])
        top = np.abs(values * weight).argmax(axis=1)
        return [f"{frame.columns[k]} {values[i, k]:+.1f} sd" for i, k in enumerate(top)]


def _budgets(frame: pd.DataFrame) -> ObjectArray:
    """Return the name of each row's budget."""
    return np.array(budget_names(frame.index.get_level_values(0)), dtype=object)


def _scale(signals: pd.DataFrame) -> FloatArray:
    """Return each row's volatility, or 1 where the signals have none."""
    if "volatility" not in signals.columns:
        return np.ones(len(signals))
    volatility = signals["volatility"].to_numpy(dtype=float)
    usable = np.isfinite(volatility) & (volatility > 0)
    if not usable.any():
        raise DataError("volatility is missing or zero throughout; drop the column")
    return np.where(usable, volatility, np.nanmedian(volatility))
