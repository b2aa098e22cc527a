"""Signals and returns relative to the other sectors of a budget, and the models that learn from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fisc.core import FloatArray, ObjectArray, require

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["centred", "conformal_quantile", "lambdamart", "ridge", "slope", "standardised", "within"]


def standardised(frame: pd.DataFrame, groups: ObjectArray) -> FloatArray:
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


def centred(target: FloatArray, groups: ObjectArray) -> FloatArray:
    """Return returns less the mean of their budget."""
    out = np.asarray(target, dtype=float).copy()
    for budget in dict.fromkeys(groups.tolist()):
        out[groups == budget] -= out[groups == budget].mean()
    return out


def within(raw: FloatArray, method: str) -> FloatArray:
    """Return scores of one budget as they enter the expected return: standardised unless ridge."""
    centred: FloatArray = raw - raw.mean()
    if method == "ridge":
        return centred
    spread = float(raw.std())
    return centred / spread if spread > 1e-12 else np.zeros(len(raw))


def slope(raw: FloatArray, target: FloatArray, groups: ObjectArray) -> float:
    """Return the return per standard score, not below 0: a signal is not turned round by its own past."""
    z = np.concatenate([within(raw[groups == b], "") for b in dict.fromkeys(groups.tolist())])
    y = np.concatenate([target[groups == b] for b in dict.fromkeys(groups.tolist())])
    return max(float(z @ y / max(z @ z, 1e-12)), 0.0)


def ridge(values: FloatArray, target: FloatArray, penalty: float) -> FloatArray:
    """Return the coefficients of ridge regression without an intercept."""
    p = values.shape[1]
    return np.asarray(
        np.linalg.solve(values.T @ values + penalty * np.eye(p), values.T @ target), dtype=np.float64
    )


def lambdamart(values: FloatArray, target: FloatArray, groups: ObjectArray, seed: int) -> Booster:
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
    booster: Booster = model.fit(values[order], grades[order], group=sizes.tolist()).booster_
    return booster


def conformal_quantile(sizes: FloatArray, level: float) -> float:
    """Return the ceil((n + 1) level)-th smallest residual size; the largest if n is too small."""
    ordered = np.sort(sizes)
    k = int(np.ceil((len(ordered) + 1) * level))
    return float(ordered[min(k, len(ordered)) - 1])
