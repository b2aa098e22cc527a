"""Arrays of one number for each worker or bracket: checked, and averaged over people by their weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fisc.core import DataError, check_array
from fisc.core.arrays import BoolArray, FloatArray

__all__ = ["checked_array", "checked_weights", "mean_by_decile", "person_mean", "person_quantile"]


def checked_array(name: str, values: npt.ArrayLike, *, what: str) -> FloatArray:
    """Return `values` as a new array of finite floats, shape (n,), or raise a DataError.

    `name` and `what` (what was expected) are for the message.
    """
    array = check_array(name, values, what=what, missing=True)
    if array.ndim != 1:
        raise DataError(f"{name} must be {what} in one dimension, got shape {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise DataError(
            f"{name} holds {bad.size} value(s) that are NaN or infinite (first: {array[bad[0]]} at "
            f"position {bad[0]}); expected {what}. Remove or fill them first"
        )
    return array


def checked_weights(values: npt.ArrayLike, n: int) -> FloatArray:
    """Return the people for whom each of `n` workers stands, shape (n,), or raise a DataError."""
    weights = checked_array("weights", values, what="numbers of people, one for each worker, none negative")
    if weights.size != n:
        raise DataError(f"{weights.size} weights for {n} workers; give one for each worker")
    bad = np.flatnonzero(weights < 0.0)
    if bad.size:
        raise DataError(
            f"weights must not be negative, got {weights[bad[0]]:g} at position {bad[0]} ({bad.size} such "
            "value(s)); leave those workers out, or give them 0"
        )
    if not 0.0 < weights.sum() < np.inf:
        raise DataError(
            f"weights add up to {weights.sum():g}, so that nobody can be counted; give the people for whom "
            "each worker stands"
        )
    return weights


def person_mean(values: FloatArray | BoolArray, weights: FloatArray | None) -> float:
    """Return the mean over people of values (n,), of whom each worker stands for some: weights (n,) or None.

    >>> person_mean(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    2.0
    """
    return float(np.mean(values)) if weights is None else float(weights @ values / weights.sum())


def person_quantile(values: FloatArray, shares: Sequence[float], weights: FloatArray | None) -> FloatArray:
    """Return the values (n,) that shares (Q,) of all people do not exceed, shape (Q,).

    >>> person_quantile(np.array([1.0, 4.0]), [0.5], np.array([1.0, 3.0]))
    array([4.])
    """
    people = np.ones(values.size) if weights is None else weights
    return np.asarray(np.quantile(values, np.array(shares), weights=people, method="inverted_cdf"))


def mean_by_decile(
    values: npt.ArrayLike, order_by: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return the mean of `values` (n,) over each tenth of the people by `order_by` (n,), lowest first, (10,).

    A worker who stands for people on both sides of a border counts on both, with the people there.

    >>> mean_by_decile(np.arange(20.0), np.arange(20.0)).tolist()[:3]
    [0.5, 2.5, 4.5]
    >>> mean_by_decile([0.0, 5.0], np.arange(2.0), np.array([1.0, 4.0])).tolist()[:3]
    [0.0, 0.0, 5.0]
    """
    held = np.asarray(values, dtype=np.float64)
    people = np.ones(held.size) if weights is None else weights
    order = np.argsort(order_by, kind="stable")
    order = order[people[order] > 0.0]
    reached = np.concatenate([[0.0], np.cumsum(people[order])])
    total = np.concatenate([[0.0], np.cumsum((people * held)[order])])
    borders = reached[-1] * np.arange(11) / 10.0
    return np.asarray(np.diff(np.interp(borders, reached, total)) / np.diff(borders))
