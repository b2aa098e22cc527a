"""How well sectors were found: multi-label metrics with bootstrap intervals over texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import KFold

from fisc.basir.options import Method
from fisc.basir.plots import plot_f1_by_sector
from fisc.basir.sectors.taxonomy import Taxonomy
from fisc.core import (
    BoolArray,
    DataError,
    FloatArray,
    IntArray,
    Provenance,
    TableLike,
    as_frame,
    check_array,
    check_seed,
    check_whole,
    is_table,
    record,
    renamed,
)
from fisc.report import Figure, Result, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = [
    "ClassificationScore",
    "coverage_error",
    "cross_validate",
    "evaluate_classification",
    "f1_macro",
    "f1_micro",
    "f1_samples",
    "lrap",
]


def f1_micro(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return F1 over all (text, sector) pairs: 2 TP / (2 TP + FP + FN); 0 if nothing is positive."""
    t, p = np.asarray(truth, dtype=bool), np.asarray(predicted, dtype=bool)
    positive = t.sum() + p.sum()
    return float(2 * (t & p).sum() / positive) if positive else 0.0


def f1_macro(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mean over sectors of F1, taken as 0 for a sector that neither has nor gets a text."""
    return float(_f1_by(truth, predicted, axis=0, empty=0.0).mean())


def f1_samples(truth: npt.ArrayLike, predicted: npt.ArrayLike, *, empty: float = 1.0) -> float:
    """Return the mean over texts of F1.

    A text without a sector that gets none is right and scores `empty`; scikit-learn scores it 0
    unless told otherwise by ``zero_division``.
    """
    return float(_f1_by(truth, predicted, axis=1, empty=empty).mean())


def _f1_by(truth: npt.ArrayLike, predicted: npt.ArrayLike, *, axis: int, empty: float) -> FloatArray:
    t, p = np.asarray(truth, dtype=bool), np.asarray(predicted, dtype=bool)
    positive = t.sum(axis=axis) + p.sum(axis=axis)
    return np.where(positive > 0, 2 * (t & p).sum(axis=axis) / np.maximum(positive, 1), empty)


def lrap(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the label ranking average precision over texts that have a sector.

    For each true sector, the share of true ones among all sectors that score at least as high; the
    mean over the true sectors of a text, then over texts. Texts without a sector are left out
    (scikit-learn counts them as 1, which flatters).
    """
    t, s = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=float)
    values = _lrap_rows(t, s)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def _lrap_rows(t: BoolArray, s: FloatArray) -> FloatArray:
    out = np.full(len(t), np.nan)
    for i in np.flatnonzero(t.any(axis=1)):
        own = s[i, t[i]]
        above = (s[i][None, :] >= own[:, None]).sum(axis=1)
        above_true = (own[None, :] >= own[:, None]).sum(axis=1)
        out[i] = (above_true / above).mean()
    return out


def coverage_error(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return how far down the ranking one must go to cover all true sectors, on average over texts.

    Ties count against the ranking; a text without a sector counts 0, as in scikit-learn.
    """
    t, s = np.asarray(truth, dtype=bool), np.asarray(scores, dtype=float)
    least = np.where(t, s, np.inf).min(axis=1, keepdims=True)
    return float((s >= least).sum(axis=1).mean())


@dataclasses.dataclass(frozen=True)
class ClassificationScore(Result):
    """Multi-label scores with bootstrap intervals over texts.

    Attributes
    ----------
    table : DataFrame
        One row for each metric: value, low, high (95 % interval). Macro-F1 is over the sectors that occur.
    by_sector : DataFrame
        One row for each sector: texts, found, precision, recall, f1.
    texts, without_sector : int
        Number of texts, and of those without a sector.
    wrongly_labelled : float
        Share of the texts without a sector that got one, 0..1; missing if there are none.
    method : str
        How the predictions were made.
    provenance : Provenance
    """

    table: pd.DataFrame
    by_sector: pd.DataFrame
    texts: int
    without_sector: int
    wrongly_labelled: float
    method: str
    provenance: Provenance

    def summary(self) -> str:
        """Return the scores as text."""
        lines = [f"{self.method}: {self.texts} texts, {self.without_sector} without a sector"]
        lines += [
            f"  {name:<16} {r.value:.3f}  [{r.low:.3f}, {r.high:.3f}]" for name, r in self.table.iterrows()
        ]
        lines.append(f"  texts without a sector that got one: {self.wrongly_labelled:.2f}")
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Return the table of metrics."""
        return self.table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw F1 of the sectors that occur, worst at the bottom."""
        return plot_f1_by_sector(self.by_sector, ax=ax)

    def section(self) -> Section:
        """Return a report section with the table and the figure."""
        return Section(
            f"How well sectors are found ({self.method})",
            f"{self.texts} texts, {self.without_sector} of them without a sector. Intervals come from "
            "resampling the texts.",
            figures=(
                Figure.from_matplotlib(self.plot(), caption="F1 by sector", alt="Bars of F1 by sector"),
            ),
            tables=(Table(self.table, caption="Scores with 95 % intervals"),),
            provenance=self.provenance,
        )


@renamed(seed="random_state")
def evaluate_classification(
    truth: npt.ArrayLike | TableLike,
    scores: npt.ArrayLike | TableLike,
    predicted: npt.ArrayLike | TableLike,
    *,
    sectors: Sequence[str],
    method: str = "predictions",
    draws: int = 1000,
    random_state: int = 0,
) -> ClassificationScore:
    """Score predictions of sectors.

    Parameters
    ----------
    truth : array_like of 0/1 or table, shape (n_texts, n_sectors)
    scores : array_like or table, shape (n_texts, n_sectors)
        Higher means likelier.
    predicted : array_like of 0/1 or table, shape (n_texts, n_sectors)
    sectors : sequence of str
        Names of the columns.
    method : str
        A word for the table.
    draws : int
        Bootstrap resamples of texts.
    random_state : int
        Seed of the resamples.

    Returns
    -------
    ClassificationScore

    Raises
    ------
    DataError
        If shapes differ, or values are missing.

    Examples
    --------
    >>> truth = [[1, 0], [0, 1]]
    >>> scores = [[0.9, 0.2], [0.1, 0.8]]
    >>> found = evaluate_classification(truth, scores, truth, sectors=["Steel", "Cement"], draws=50)
    >>> float(found.table.loc["micro-F1", "value"])
    1.0
    """
    t, s, p = _matrix("truth", truth) != 0, _matrix("scores", scores), _matrix("predicted", predicted) != 0
    if not (t.shape == s.shape == p.shape) or t.ndim != 2 or t.shape[1] != len(sectors) or not len(t):
        raise DataError(
            f"truth {t.shape}, scores {s.shape} and predicted {p.shape} must all be (texts, {len(sectors)} sectors)"
        )
    draws, random_state = check_whole("draws", draws, least=1), check_seed("random_state", random_state)
    none = ~t.any(axis=1)
    return ClassificationScore(
        _metrics_table(t, s, p, draws, random_state),
        _by_sector(t, p, sectors),
        len(t),
        int(none.sum()),
        float(p[none].any(axis=1).mean()) if none.any() else float("nan"),
        method,
        record(
            options={"method": method, "draws": draws},
            inputs={"truth": t, "scores": s, "predicted": p},
            seed=random_state,
        ),
    )


def _matrix(name: str, values: npt.ArrayLike | TableLike) -> FloatArray:
    """Return a row for each text; a column of a table that holds no numbers is an error."""
    return check_array(name, as_frame(name, values).to_numpy() if is_table(values) else values)


def _metrics_table(t: BoolArray, s: FloatArray, p: BoolArray, draws: int, random_state: int) -> pd.DataFrame:
    """Return value, low and high of each metric, resampling the rows."""
    ranked = _lrap_rows(t, s)
    covered = (s >= np.where(t, s, np.inf).min(axis=1, keepdims=True)).sum(axis=1)

    def measure(rows: IntArray) -> list[float]:
        return [
            f1_micro(t[rows], p[rows]), float(np.nanmean(_f1_by(t[rows], p[rows], axis=0, empty=np.nan))),
            f1_samples(t[rows], p[rows]),
            float(np.nanmean(ranked[rows])) if np.isfinite(ranked[rows]).any() else float("nan"),
            float(covered[rows].mean()),
        ]  # fmt: skip

    rng = np.random.default_rng(random_state)
    drawn = np.array([measure(rng.integers(0, len(t), len(t))) for _ in range(draws)])
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    names = ("micro-F1", "macro-F1", "sample-F1", "LRAP", "coverage error")
    return pd.DataFrame(
        {"value": measure(np.arange(len(t))), "low": low, "high": high}, index=pd.Index(names, name="metric")
    )


def _by_sector(t: BoolArray, p: BoolArray, sectors: Sequence[str]) -> pd.DataFrame:
    hits = (t & p).sum(axis=0)
    return pd.DataFrame(
        {
            "texts": t.sum(axis=0),
            "found": hits,
            "precision": hits / np.where(p.any(axis=0), p.sum(axis=0), np.nan),
            "recall": hits / np.where(t.any(axis=0), t.sum(axis=0), np.nan),
            "f1": _f1_by(t, p, axis=0, empty=np.nan),
        },
        index=pd.Index(list(sectors), name="sector"),
    )


class Classifier(Protocol):
    """What `cross_validate` asks of a classifier; scikit-learn must be able to clone it."""

    method: Method
    taxonomy: Taxonomy | None

    def fit(self, texts: Iterable[str], labels: Iterable[Iterable[str]] | None = None) -> Classifier: ...

    def scores(self, texts: Iterable[str]) -> pd.DataFrame: ...

    def decide(self, probabilities: npt.ArrayLike, texts: Sequence[str]) -> list[list[str]]: ...


@renamed(seed="random_state")
def cross_validate(
    classifier: Classifier,
    texts: Iterable[str],
    labels: Iterable[Iterable[str]],
    *,
    folds: int = 5,
    random_state: int = 0,
) -> ClassificationScore:
    """Score a classifier on texts it was not fitted on.

    Weights, calibration, thresholds and fine-tuning are all learned anew inside each training part.

    Parameters
    ----------
    classifier : SectorClassifier
        Cloned for each fold.
    texts : sequence of str
    labels : sequence of lists of str
    folds : int
        Number of parts, 2 or more.
    random_state : int
        Seed of the split and of the bootstrap.

    Returns
    -------
    ClassificationScore

    Raises
    ------
    DataError
        If the same text would stand on both sides of a split; remove the repetitions first.
    """
    given, rows = list(texts), list(labels)
    repeated = len(given) - len(set(given))
    if repeated:
        raise DataError(
            f"{repeated} of {len(given)} texts are repeated and would leak across folds; drop duplicates first"
        )
    folds = check_whole("folds", folds, least=2, most=max(len(given), 2))
    taxonomy = classifier.taxonomy if classifier.taxonomy is not None else Taxonomy.default()
    truth = taxonomy.encode(rows)
    if len(truth) != len(given):
        raise DataError(f"{len(given)} texts but {len(truth)} label lists; give one list for each text")
    scores, predicted = np.zeros(truth.shape), np.zeros(truth.shape, dtype=bool)
    for train, test in KFold(folds, shuffle=True, random_state=random_state).split(given):
        model: Classifier = clone(classifier).fit([given[i] for i in train], [rows[i] for i in train])
        held_out = [given[i] for i in test]
        scores[test] = model.scores(held_out).to_numpy()
        predicted[test] = taxonomy.encode(model.decide(scores[test], held_out))
    return evaluate_classification(
        truth,
        scores,
        predicted,
        sectors=taxonomy.names,
        method=f"{classifier.method}, {folds}-fold",
        random_state=random_state,
    )
