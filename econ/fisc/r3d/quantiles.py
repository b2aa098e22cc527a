"""Quantile functions of units: from rows of micro-data to a units x quantiles matrix.

Units of the same size are stacked into one matrix, sorted row by row and read off at the
columns their size dictates, so that nothing is sorted globally and no unit is visited alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

from .options import Rule
from .weighted import sorted_blocks, weighted_quantiles

# Slack for positions that are whole numbers but for rounding (0.3 * 10 = 3.0000000000000004).
_POSITION_SLACK = 1e-9
# Values handled at once: small enough that a block and its sorted copy stay in the cache.
_BLOCK = 1 << 15


def segment_quantiles(
    y: FloatArray,
    starts: IntArray,
    sizes: IntArray,
    q: FloatArray,
    rule: Rule = "linear",
    weights: FloatArray | None = None,
) -> FloatArray:
    """Quantiles, shape (n, m), of consecutive segments of `y`, shape (N,), each with at least one value.

    "linear" interpolates order statistics at 1 + (n_i - 1) q (Hyndman and Fan type 7), with weights
    between the knots p_k = (S_k - w_k/2 - w_1/2) / (S_N - w_1/2 - w_N/2), S = cumsum(w), which equals
    type 7 when all weights agree and depends neither on their scale nor on the order of tied values.
    "inverse_cdf" takes the smallest value whose share reaches q (type 1); "weighted_hmisc" is Hmisc::wtd.quantile with
    normalised weights. ("size_free" is in `fisc.r3d.size_free`.)

    References
    ----------
    Hyndman, R. and Fan, Y. (1996), Sample quantiles in statistical packages,
    The American Statistician 50, 361-365.

    Examples
    --------
    >>> import numpy as np
    >>> segment_quantiles(np.array([3., 1., 2., 5., 4.]), np.array([0, 3]), np.array([3, 2]), np.array([.5]))
    array([[2. ],
           [4.5]])
    """
    out = np.empty((starts.size, q.size))
    if weights is None and rule == "weighted_hmisc":
        rule = "linear"  # the two agree without weights
    by_size = np.argsort(sizes, kind="stable")
    edges = np.flatnonzero(np.diff(sizes[by_size])) + 1
    for same in np.split(by_size, edges):
        size = int(sizes[same[0]])
        step = max(1, _BLOCK // size)
        columns = np.arange(size)
        for block in (same[i : i + step] for i in range(0, same.size, step)):
            rows = starts[block][:, None] + columns
            values = y[rows]
            if weights is None:
                out[block] = _unweighted(values, q, rule)
            else:
                out[block] = _weighted(values, weights[rows], q, rule)
    return out


def _unweighted(values: FloatArray, q: FloatArray, rule: Rule) -> FloatArray:
    """Quantiles of the rows of `values` (n, size), which are sorted in place."""
    values.sort(axis=1)
    size = values.shape[1]
    if rule == "inverse_cdf":
        rank = np.ceil(size * q - _POSITION_SLACK).astype(np.intp)
        return np.asarray(values.take(np.clip(rank, 1, size) - 1, axis=1))
    position = (size - 1) * q
    low = np.floor(position).astype(np.intp)
    high = np.minimum(low + 1, size - 1)
    share = position - low
    left = values.take(low, axis=1)
    right = values.take(high, axis=1)
    right -= left
    right *= share
    right += left
    return np.asarray(right)


def _weighted(values: FloatArray, weights: FloatArray, q: FloatArray, rule: Rule) -> FloatArray:
    """Weighted quantiles of the rows of `values`, both (n, size)."""
    if rule == "linear":
        return weighted_quantiles(values, weights, q)
    values, weights = sorted_blocks(values, weights)
    if rule == "weighted_hmisc":
        return _hmisc(values, weights, q)
    cumulated = np.cumsum(weights, axis=1)
    targets = q * cumulated[:, -1:] * (1.0 - 1e-12)
    return np.take_along_axis(values, _first_at_least(cumulated, targets), axis=1)


def _hmisc(values: FloatArray, weights: FloatArray, q: FloatArray) -> FloatArray:
    """Step rule of Hmisc::wtd.quantile, normwt = TRUE, on rows sorted by value.

    Sums run in extended precision because the rule jumps where a cumulated weight meets a whole
    number, and R sums that way.
    """
    size = values.shape[1]
    extended = weights.astype(np.longdouble)
    scaled = (weights * size / extended.sum(axis=1, keepdims=True).astype(float)).astype(np.longdouble)
    cumulated = np.cumsum(scaled, axis=1)
    total = cumulated[:, -1:].astype(float)
    rank = 1.0 + (total - 1.0) * q
    low = np.maximum(np.floor(rank), 1.0)
    high = np.minimum(low + 1.0, total)
    share = rank - np.floor(rank)
    steps = cumulated.astype(float)
    y_low = np.take_along_axis(values, _first_at_least(steps, low), axis=1)
    y_high = np.take_along_axis(values, _first_at_least(steps, high), axis=1)
    return (1.0 - share) * y_low + share * y_high


def _first_at_least(rows: FloatArray, targets: FloatArray) -> IntArray:
    """Row-wise index of the first entry >= target, the last index where none is.

    `rows` (n, size) ascends along each row; `targets` is (n, m). A bisection on all rows at once.
    """
    size = rows.shape[1]
    low = np.zeros(targets.shape, dtype=np.intp)
    high = np.full(targets.shape, size - 1, dtype=np.intp)
    for _ in range(int(size).bit_length()):
        middle = (low + high) >> 1
        reached = np.take_along_axis(rows, middle, axis=1) >= targets
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    return high


def trapezoid_weights(q: FloatArray) -> FloatArray:
    """Weights with which a mean over the grid is the trapezoid integral over its span.

    Examples
    --------
    >>> trapezoid_weights(np.array([0.1, 0.2, 0.3]))
    array([0.25, 0.5 , 0.25])
    """
    if q.size == 1:
        return np.ones(1)
    steps = np.diff(q)
    weights = np.zeros(q.size)
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    return np.asarray(weights / weights.sum())


def grid_points(q: FloatArray, interval: ArrayLike | None, slack: float = 1e-9) -> IntArray:
    """Return indices of the grid points in an interval, ends included up to `slack` (0.3 + 0.4 is not 0.7).

    Examples
    --------
    >>> grid_points(np.arange(1, 10) / 10, (0.3, 0.7)).tolist()
    [2, 3, 4, 5, 6]
    """
    if interval is None:
        return np.arange(q.size)
    ends = np.asarray(interval, dtype=float)
    if ends.shape != (2,) or not ends[0] <= ends[1]:
        raise DataError(f"interval={interval!r}; give a pair (low, high) of probabilities with low <= high")
    inside = np.flatnonzero((q >= ends[0] - slack) & (q <= ends[1] + slack))
    if inside.size == 0:
        raise DataError(
            f"interval ({ends[0]:g}, {ends[1]:g}) holds none of the quantiles, which span {q[0]:g}..{q[-1]:g}"
        )
    return inside
