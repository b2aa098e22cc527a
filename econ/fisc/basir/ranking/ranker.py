"""Ranking sectors after a budget, with intervals and the right to make no call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from fisc.core import DataError, Provenance, nearest, record, require
from fisc.report import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

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
        (conformal interval), rank_low and rank_high (same coverage), call ("UP", "DOWN", "no call"), why.
    budget : str
    method : str
    coverage : float
        Nominal coverage of the intervals, 0..1.
    trained_to : str
        Last budget that was learned from.
    provenance : Provenance
    """

    frame: pd.DataFrame
    budget: str
    method: str
    coverage: float
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
        """Return one row a sector, best first."""
        return self.frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw expected abnormal returns with their intervals."""
        from fisc.basir.plots import plot_ranking

        return plot_ranking(self.frame, ax=ax)

    def section(self) -> Section:
        """Return a report section with the figure and the table."""
        from fisc.report import Figure, Section, Table

        calls = int((self.frame["call"] != "no call").sum())
        return Section(
            f"Ranking for {self.budget}",
            f"{len(self.frame)} sectors, {calls} calls; the rest is no call, because the "
            f"{self.coverage:.0%} interval covers "
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
    coverage : float
        Nominal coverage of the intervals, 0..1.
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

    def __init__(
        self,
        method: str = "surprise",
        features: Sequence[str] | None = None,
        coverage: float = 0.9,
        random_state: int = 0,
    ):
        self.method = method
        self.features = features
        self.coverage = coverage
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: pd.Series) -> SectorRanker:
        """Learn from past budgets.

        Parameters
        ----------
        X : DataFrame
            Signals, indexed by (budget, sector); see `fisc.basir.ranking.signals.ranking_signals`.
        y : Series
            Abnormal return of the same rows, per cent; rows without one are left out.

        Returns
        -------
        SectorRanker
            Itself.

        Raises
        ------
        DataError
            If there are fewer than two budgets, or the index or a column is not as expected.
        """
        import pandas as pd

        frame = self._signals(X)
        target = y.reindex(X.index)
        known = target.notna().to_numpy()
        if not 0 < self.coverage < 1:
            raise DataError(f"coverage={self.coverage} is not between 0 and 1; 0.9 is usual")
        frame, target = frame[known], target[known].astype(float)
        groups = _budgets(frame)
        self.budgets_ = list(dict.fromkeys(groups.tolist()))
        if len(self.budgets_) < LEAST_BUDGETS:
            raise DataError(
                f"{len(self.budgets_)} past budgets with returns; at least {LEAST_BUDGETS} are needed to learn"
            )
        values = _standardised(frame, groups)
        relative = _centred(target.to_numpy(), groups)
        scale = self._scale(X)[known]
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
            slope = (
                _slope(raw_left_out[~test], relative[~test], groups[~test]) if self.method != "ridge" else 1.0
            )
            left_out[test] = slope * _within(raw_left_out[test], self.method)
        self.slope_ = _slope(raw_left_out, relative, groups) if self.method != "ridge" else 1.0
        residual = relative - left_out
        self.residuals_ = pd.DataFrame(
            {
                "budget": groups,
                "sector": frame.index.get_level_values(1),
                "residual": residual,
                "scale": scale,
            }
        )
        self.quantile_ = _conformal_quantile(np.abs(residual) / scale, self.coverage)
        self.model_ = self._learn(values, relative, groups)
        return self

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return the expected abnormal return relative to the other sectors, per cent.

        Parameters
        ----------
        X : DataFrame
            Signals, indexed by (budget, sector).

        Returns
        -------
        Series
        """
        import pandas as pd

        raw, groups = self._scores(X)
        out = np.zeros(len(raw))
        for budget in dict.fromkeys(groups.tolist()):
            out[groups == budget] = self.slope_ * _within(raw[groups == budget], self.method)
        return pd.Series(out, index=X.index, name="expected_pct")

    def score_order(self, X: pd.DataFrame) -> pd.Series:
        """Return the score that orders the sectors, also where the expected returns are all zero."""
        import pandas as pd

        return pd.Series(self._scores(X)[0], index=X.index, name="score")

    def rank(self, X: pd.DataFrame) -> Ranking:
        """Rank the sectors of one budget.

        Parameters
        ----------
        X : DataFrame
            Signals of one budget, indexed by (budget, sector).

        Returns
        -------
        Ranking

        Raises
        ------
        DataError
            If the signals are of several budgets.
        """
        import pandas as pd

        groups = _budgets(self._signals(X))
        if len(set(groups.tolist())) != 1:
            raise DataError(
                f"rank takes the signals of one budget, these are of {len(set(groups.tolist()))}; select one"
            )
        expected = self.predict(X).to_numpy()
        score = self.score_order(X).to_numpy()
        half = self.quantile_ * self._scale(X)
        low_rank, high_rank = self._rank_interval(expected, self._scale(X))
        frame = pd.DataFrame(
            {
                "rank": (-score).argsort(kind="stable").argsort(kind="stable") + 1,
                "expected_pct": expected,
                "low_pct": expected - half,
                "high_pct": expected + half,
                "rank_low": low_rank,
                "rank_high": high_rank,
                "call": np.select([expected - half > 0, expected + half < 0], ["UP", "DOWN"], "no call"),
                "why": self._why(X, groups),
            },
            index=pd.Index(X.index.get_level_values(1), name="sector"),
        ).sort_values("rank")
        history = record(
            options={"method": self.method, "coverage": self.coverage, "columns": self.columns_},
            inputs={"signals": X.reset_index(), "residuals": self.residuals_}, seed=self.random_state,
        )  # fmt: skip
        return Ranking(frame, groups[0], self.method, self.coverage, self.budgets_[-1], history)

    def _signals(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns in use, or say what is wrong with the table."""
        if getattr(X.index, "nlevels", 1) != 2:
            raise DataError(
                "signals must be indexed by (budget, sector); set_index(['budget', 'sector']) first"
            )
        if X.index.has_duplicates:
            raise DataError(
                f"{int(X.index.duplicated().sum())} (budget, sector) rows occur twice in the signals; keep one"
            )
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

    def _scores(self, X: pd.DataFrame) -> tuple[Any, Any]:
        if not hasattr(self, "model_"):
            raise DataError("this SectorRanker is not fitted; call fit(X, y) first")
        frame = self._signals(X)
        groups = _budgets(frame)
        return self._raw(self.model_, _standardised(frame, groups)), groups

    def _scale(self, X: pd.DataFrame) -> Any:
        """Return each row's volatility, or 1 where the signals have none."""
        if "volatility" not in X.columns:
            return np.ones(len(X))
        volatility = X["volatility"].to_numpy(dtype=float)
        return np.where(np.isfinite(volatility) & (volatility > 0), volatility, np.nanmedian(volatility))

    def _learn(self, values: Any, target: Any, groups: Any) -> Any:
        if self.method == "ridge":
            return _ridge(values, target, float(self.penalty_ or 0.0))
        if self.method == "lambdamart":
            return _lambdamart(values, target, groups, self.random_state)
        return np.ones(1)

    def _raw(self, model: Any, values: Any) -> Any:
        return model.predict(values) if self.method == "lambdamart" else values @ model

    def _best_penalty(self, values: Any, target: Any, groups: Any) -> float:
        """Choose the ridge penalty by leaving budgets out; the largest if none beats expecting nothing."""
        best, least = RIDGE_GRID[-1], float((target**2).sum())
        for penalty in reversed(RIDGE_GRID):
            error = 0.0
            for budget in self.budgets_:
                test = groups == budget
                error += float(
                    ((target[test] - values[test] @ _ridge(values[~test], target[~test], penalty)) ** 2).sum()
                )
            if error < least:
                best, least = penalty, error
        return best

    def _rank_interval(self, expected: Any, scale: Any) -> tuple[Any, Any]:
        """Return the interval of ranks when residuals of past budgets strike the sectors at random."""
        rng = np.random.default_rng(self.random_state)
        pool = (self.residuals_["residual"] / self.residuals_["scale"]).to_numpy()
        drawn = expected + scale * rng.choice(pool, size=(RANK_DRAWS, len(expected)))
        ranks = (-drawn).argsort(axis=1).argsort(axis=1) + 1
        tail = (1 - self.coverage) / 2
        return tuple(np.quantile(ranks, q, axis=0, method="nearest").astype(int) for q in (tail, 1 - tail))

    def _why(self, X: pd.DataFrame, groups: Any) -> list[str]:
        """Name the signal that moves each sector most, with its standard score."""
        frame = self._signals(X)
        values = _standardised(frame, groups)
        weight = self.model_ if self.method == "ridge" else np.ones(values.shape[1])
        top = np.abs(values * weight).argmax(axis=1)
        return [f"{frame.columns[k]} {values[i, k]:+.1f} sd" for i, k in enumerate(top)]


def _budgets(frame: pd.DataFrame) -> Any:
    return np.array([str(getattr(b, "date", lambda b=b: b)()) for b in frame.index.get_level_values(0)])


def _standardised(frame: pd.DataFrame, groups: Any) -> Any:
    """Return signals as standard scores within each budget; a missing signal becomes 0, the average."""
    values = frame.to_numpy(dtype=float).copy()
    for budget in dict.fromkeys(groups.tolist()):
        rows = groups == budget
        block = values[rows]
        known = np.isfinite(block)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, block, 0.0).sum(axis=0) / count
        centred = np.where(known, block - mean, 0.0)
        spread = np.sqrt((centred**2).sum(axis=0) / count)
        values[rows] = centred / np.where(spread > 1e-12, spread, 1.0)
    return values


def _centred(target: Any, groups: Any) -> Any:
    out = np.asarray(target, dtype=float).copy()
    for budget in dict.fromkeys(groups.tolist()):
        out[groups == budget] -= out[groups == budget].mean()
    return out


def _within(raw: Any, method: str) -> Any:
    """Return scores of one budget as they enter the expected return: standardised unless ridge."""
    if method == "ridge":
        return raw - raw.mean()
    spread = raw.std()
    return (raw - raw.mean()) / spread if spread > 1e-12 else np.zeros_like(raw)


def _slope(raw: Any, target: Any, groups: Any) -> float:
    """Return the return per standard score, not below 0: a signal is not turned round by its own past."""
    z = np.concatenate([_within(raw[groups == b], "") for b in dict.fromkeys(groups.tolist())])
    y = np.concatenate([target[groups == b] for b in dict.fromkeys(groups.tolist())])
    return max(float(z @ y / max(z @ z, 1e-12)), 0.0)


def _ridge(values: Any, target: Any, penalty: float) -> Any:
    p = values.shape[1]
    return np.linalg.solve(values.T @ values + penalty * np.eye(p), values.T @ target)


def _lambdamart(values: Any, target: Any, groups: Any, seed: int) -> Any:
    """Fit boosted trees for the order within budgets; labels are quintiles of the return."""
    lightgbm = require("lightgbm", extra="basir")
    order = np.argsort(groups, kind="stable")
    sizes = np.unique(groups[order], return_counts=True)[1]
    grades = np.zeros(len(target), dtype=int)
    for budget in np.unique(groups):
        rows = np.flatnonzero(groups == budget)
        position = target[rows].argsort(kind="stable").argsort(kind="stable")
        grades[rows] = 5 * position // len(rows)
    model = lightgbm.LGBMRanker(
        objective="lambdarank", n_estimators=30, learning_rate=0.05, num_leaves=7, min_child_samples=20,
        reg_lambda=10.0, label_gain=[0, 1, 3, 7, 15], random_state=seed, deterministic=True, force_row_wise=True,
        n_jobs=1, verbose=-1,
    )  # fmt: skip
    booster = model.fit(values[order], grades[order], group=sizes.tolist()).booster_
    return booster


def _conformal_quantile(sizes: Any, coverage: float) -> float:
    """Return the ceil((n + 1) coverage)-th smallest residual size; the largest if n is too small."""
    ordered = np.sort(sizes)
    k = int(np.ceil((len(ordered) + 1) * coverage))
    return float(ordered[min(k, len(ordered)) - 1])
