"""One logistic model shared by all (text, sector) pairs, with a threshold rule tuned out of fold."""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from fisc.core import AnyArray, BoolArray, DataError, FloatArray, Record

__all__ = ["DecisionRule", "PairModel", "fit_pair_model", "tune_rule"]

INNER_FOLDS = 5
TOLERANCE = 0.005  # settings within half a point of the best micro-F1 count as equally good


@dataclasses.dataclass(frozen=True)
class DecisionRule:
    """How scores become labels.

    A text gets no sector unless its best score reaches `abstain`; otherwise every sector whose score
    reaches `threshold` and `relative` times the best score, at most `cap` of them.
    """

    threshold: float = 0.35  # lowest probability of a returned sector, 0..1
    relative: float = 0.2  # lowest share of the best probability, 0..1
    abstain: float = 0.35  # lowest best probability of a text that gets a sector at all, 0..1
    cap: int = 8  # most sectors of one text

    def apply(self, scores: FloatArray) -> BoolArray:
        """Return the decisions on scores in 0..1, shape (n_texts, n_sectors)."""
        top = scores.max(axis=1, keepdims=True)
        keep: BoolArray = (scores >= self.threshold) & (scores >= self.relative * top) & (top >= self.abstain)
        if self.cap < scores.shape[1]:
            order = np.argsort(-scores, axis=1, kind="stable")
            rank = np.empty_like(order)
            np.put_along_axis(rank, order, np.arange(scores.shape[1])[None, :], axis=1)
            keep &= rank < self.cap
        return keep


@dataclasses.dataclass(frozen=True)
class PairModel(Record):
    """Weights of the shared logistic model.

    ``p = sigmoid(slope * (intercept + sum_f coef_f (x_f - mean_f) / scale_f) + shift)``, where slope and
    shift (Platt, 1999) are fitted on out-of-fold logits, so that p can be read as a probability.

    Attributes
    ----------
    mean, scale, coef : ndarray, shape (n_features,)
    intercept, slope, shift : float
    rule : DecisionRule
    """

    mean: FloatArray
    scale: FloatArray
    coef: FloatArray
    intercept: float
    slope: float
    shift: float
    rule: DecisionRule

    def __post_init__(self) -> None:
        if not (self.mean.shape == self.scale.shape == self.coef.shape) or self.mean.ndim != 1:
            raise DataError(
                f"mean {self.mean.shape}, scale {self.scale.shape} and coef {self.coef.shape} must be vectors of "
                "one length, a number for each feature"
            )

    def logit(self, features: FloatArray) -> FloatArray:
        """Return the uncalibrated logit of each pair; features have shape (..., n_features)."""
        return ((features - self.mean) / self.scale) @ self.coef + self.intercept

    def probability(self, features: FloatArray) -> FloatArray:
        """Return the calibrated probability of each pair, shape (...)."""
        return _sigmoid(self.slope * self.logit(features) + self.shift)

    def contributions(self, features: FloatArray) -> FloatArray:
        """Return what each feature adds to the calibrated logit, shape (..., n_features)."""
        return self.slope * (features - self.mean) / self.scale * self.coef


def fit_pair_model(
    features: FloatArray, targets: AnyArray, *, random_state: int = 0
) -> tuple[PairModel, FloatArray]:
    """Fit the shared weights, calibrate them and tune the decision rule, the last two out of fold.

    Features have shape (n_texts, n_sectors, n_features), targets are 0/1. Returns also the out-of-fold
    calibrated probabilities of the training texts, shape (n_texts, n_sectors).

    Raises
    ------
    DataError
        If fewer than five texts, or no text with a sector, are given.
    """
    n = len(features)
    if n < INNER_FOLDS:
        raise DataError(
            f"{n} labelled texts are too few to tune a threshold; give at least {INNER_FOLDS}, "
            "or call fit(texts) without labels for the zero-shot weights"
        )
    if not targets.any():
        raise DataError("none of the labelled texts has a sector; at least one positive label is needed")
    out_of_fold = np.zeros(targets.shape)
    for train, test in KFold(INNER_FOLDS, shuffle=True, random_state=random_state).split(features):
        if targets[train].any():
            weights = _logistic(features[train], targets[train])
            out_of_fold[test] = _apply(weights, features[test])
    slope, shift = _platt(out_of_fold, targets)
    calibrated = _sigmoid(slope * out_of_fold + shift)
    mean, scale, coef, intercept = _logistic(features, targets)
    model = PairModel(mean, scale, coef, intercept, slope, shift, tune_rule(calibrated, targets))
    return model, calibrated


def tune_rule(scores: FloatArray, targets: AnyArray) -> DecisionRule:
    """Choose the decision rule by micro-F1.

    Of all settings within half a point of the best the middle one is taken, setting by setting, because
    the single best of a grid is a feature of the sample.
    Scores are out-of-fold probabilities and targets 0/1, both of shape (n_texts, n_sectors).
    """
    tried = []
    truth = targets.astype(bool)
    for threshold in np.round(np.arange(0.16, 0.62, 0.03), 2):
        for relative in (0.0, 0.2, 0.35):
            for above in (0.0, 0.1, 0.2):
                rule = DecisionRule(float(threshold), relative, float(round(threshold + above, 2)))
                chosen = rule.apply(scores)
                f1 = 2 * (chosen & truth).sum() / max(chosen.sum() + truth.sum(), 1)
                tried.append((f1, rule))
    best = max(f1 for f1, _ in tried)
    good = [rule for f1, rule in tried if f1 >= best - TOLERANCE]
    middle = {
        k: sorted(getattr(r, k) for r in good)[len(good) // 2] for k in ("threshold", "relative", "abstain")
    }
    return DecisionRule(**middle)


def _logistic(features: FloatArray, targets: AnyArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    flat = features.reshape(-1, features.shape[-1])
    mean = flat.mean(axis=0)
    scale = flat.std(axis=0)
    scale[scale < 1e-12] = 1.0
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit((flat - mean) / scale, targets.ravel())
    return mean, scale, fitted.coef_[0].copy(), float(fitted.intercept_[0])


def _apply(weights: tuple[FloatArray, FloatArray, FloatArray, float], features: FloatArray) -> FloatArray:
    mean, scale, coef, intercept = weights
    return ((features - mean) / scale) @ coef + intercept


def _platt(logits: FloatArray, targets: AnyArray) -> tuple[float, float]:
    """Fit slope and shift of the calibration on out-of-fold logits; the slope stays positive."""
    fitted = LogisticRegression(C=1e4, max_iter=1000).fit(logits.reshape(-1, 1), targets.ravel())
    slope = float(fitted.coef_[0, 0])
    return (slope, float(fitted.intercept_[0])) if slope > 0 else (1.0, 0.0)


def _sigmoid(z: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-np.clip(z, -500, 500)))
