"""Weighted quantiles of units that do not depend on the order of their rows, and units too small for a quantile.

Values that tie (wages, shares, scores do) carry different weights, and a rule that walks through the rows gives
whichever of them comes first its own knot. Here a block of tied values has one weight a row, the block's mean:
the knots of a block are then the same in every order, and with equal weights they are those of type 7. Rows are
summed by value and then by weight, so that results agree in every digit.
"""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import BoolArray, FloatArray, IntArray

# Slack with which a unit's size times a probability counts as a whole number (10 times 1 - 0.9 is 0.9999999999999998).
_SLACK = 1e-9


def weighted_quantiles(values: FloatArray, weights: FloatArray, q: FloatArray) -> FloatArray:
    """Interpolate weighted quantiles of every row.

    Parameters
    ----------
    values, weights : array, shape (n, size)
        One unit a row; weights are positive.
    q : array, shape (m,)
        Probabilities in (0, 1).

    Returns
    -------
    array, shape (n, m)
        Interpolated between the knots p_k = (S_k - w_k/2 - w_1/2) / (S_N - w_1/2 - w_N/2), S = cumsum(w), where tied
        values have the mean weight of their block. Type 7 when all weights agree; free of their scale and of the
        order of the values.

    Examples
    --------
    >>> y, w = np.array([[1., 1., 2., 3.]]), np.array([[1., 9., 1., 1.]])
    >>> weighted_quantiles(y, w, np.array([.75])), weighted_quantiles(y, w[:, [1, 0, 2, 3]], np.array([.75]))
    (array([[1.58333333]]), array([[1.58333333]]))
    """
    size = values.shape[1]
    if size == 1:
        return np.repeat(values, q.size, axis=1)
    values, weights = sorted_blocks(values, weights)
    cumulated = np.cumsum(weights, axis=1)
    first, last = weights[:, :1], weights[:, -1:]
    knots = (cumulated - 0.5 * weights - 0.5 * first) / (cumulated[:, -1:] - 0.5 * first - 0.5 * last)
    knots[:, -1] = 1.0
    out = np.empty((values.shape[0], q.size))
    for row, (x, y) in enumerate(zip(knots, values, strict=True)):
        out[row] = np.interp(q, x, y)
    return out


def sorted_blocks(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows sorted by value, with the mean weight of their block for tied values; both (n, size).

    Examples
    --------
    >>> sorted_blocks(np.array([[2., 1., 2.]]), np.array([[1., 5., 3.]]))
    (array([[1., 2., 2.]]), array([[5., 2., 2.]]))
    """
    order = np.argsort(values, axis=1, kind="stable")
    ascending = np.take_along_axis(values, order, axis=1)
    spread = np.take_along_axis(weights, order, axis=1)
    tied = ascending[:, 1:] == ascending[:, :-1]
    rows = np.flatnonzero(tied.any(axis=1))
    if rows.size:
        # by weight within a block, so that sums round the same way in every order
        order = np.lexsort((weights[rows], values[rows]), axis=1)
        spread[rows] = _block_means(np.take_along_axis(weights[rows], order, axis=1), tied[rows])
    return ascending, spread


def _block_means(weights: FloatArray, tied: BoolArray) -> FloatArray:
    """Mean weight of each run; `tied` (n, size - 1) tells whether an entry continues the run of the one before."""
    fresh = np.hstack([np.ones((tied.shape[0], 1), dtype=bool), ~tied]).ravel()
    starts = np.flatnonzero(fresh)
    counts = np.diff(np.append(starts, fresh.size))
    means = np.add.reduceat(weights.ravel(), starts) / counts
    return np.repeat(means, counts).reshape(weights.shape)


def values_needed(q: FloatArray) -> int:
    """Smallest size of a unit at which no quantile of the grid is an extreme: n min(q, 1 - q) is at least one.

    Examples
    --------
    >>> values_needed(np.arange(1, 10) / 10), values_needed(np.array([0.5, 0.95]))
    (10, 20)
    """
    return int(np.ceil(1.0 / float(np.minimum(q, 1.0 - q).min()) - _SLACK))


def too_small(sizes: IntArray, q: FloatArray) -> int:
    """Count the units whose quantiles at the ends of the grid are extremes.

    Examples
    --------
    >>> too_small(np.array([9, 10, 11]), np.arange(1, 10) / 10)
    1
    """
    return int(np.count_nonzero(sizes < values_needed(q)))
