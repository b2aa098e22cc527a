"""Monotone curves: isotonic projection and rearrangement of quantile functions."""

from __future__ import annotations

import numpy as np
from scipy.optimize import isotonic_regression

from fisc.core.arrays import FloatArray

# Rows handed to one isotonic regression; offsets between rows cost log10 of this many digits.
_STACK = 32


def cell_widths(q: FloatArray) -> FloatArray:
    """Width of the part of (0, 1) that each grid point stands for, by central differences.

    Equal grids get equal widths, so that the weighted projection is then the plain one.

    Examples
    --------
    >>> import numpy as np
    >>> cell_widths(np.array([.1, .2, .4]))
    array([0.1 , 0.15, 0.2 ])
    """
    return np.gradient(q) if q.size > 1 else np.ones(1)


def isotonic_rows(rows: FloatArray, widths: FloatArray) -> FloatArray:
    """Least-squares projection of each row, shape (k, m), on nondecreasing sequences; weights of shape (m,).

    For quantile functions this is the metric projection in the 2-Wasserstein space, and the
    projected local polynomial is the local Frechet regression. Rows that already ascend are unchanged.

    References
    ----------
    Barlow, R. E. et al. (1972), Statistical Inference under Order Restrictions, Wiley.

    Examples
    --------
    >>> import numpy as np
    >>> isotonic_rows(np.array([[1., 3., 2.], [1., 2., 3.]]), np.ones(3))
    array([[1. , 2.5, 2.5],
           [1. , 2. , 3. ]])
    """
    falling = np.flatnonzero((rows[:, 1:] < rows[:, :-1]).any(axis=1))
    if falling.size == 0:
        return rows
    out = rows.copy()
    m = rows.shape[1]
    for start in range(0, falling.size, _STACK):
        part = falling[start : start + _STACK]
        block = rows[part]
        # Curves set one above the other can be pooled only within themselves.
        step = float(block.max() - block.min()) * 1.5
        shift = step * np.arange(part.size)[:, None]
        stacked = (block + shift).ravel()
        solution = isotonic_regression(stacked, weights=np.tile(widths, part.size))
        out[part] = solution.x.reshape(part.size, m) - shift
    return out


def rearrange(curve: FloatArray) -> FloatArray:
    """Monotone rearrangement of values on a grid: the sort, which leaves ascending curves alone.

    References
    ----------
    Chernozhukov, V., Fernandez-Val, I. and Galichon, A. (2010), Quantile and probability
    curves without crossing, Econometrica 78, 1093-1125.
    """
    return np.sort(curve, axis=-1)
