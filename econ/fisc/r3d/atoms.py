"""Quantiles at which (nearly) all units have the same value: zero incomes, minimum wages, top codes.

There the effect is known or unknowable, but not uncertain: hardly any unit moves, so that no standard error
describes the estimate. Such quantiles are found on the unit curves themselves and not on residuals, because a
monotone projection can move a limit curve, and give it a variance, where no unit has any.
"""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import BoolArray, FloatArray, IntArray

# Units off the common value, in both windows together, from which a normal approximation is tried.
MOVING_MIN = 10
# Units looked at before a column is worked through; an atom that matters holds more than half of them.
_SCREEN = 200


def moving_units(curves: FloatArray) -> IntArray:
    """Count, at each quantile, the units that are not at the value shared by most, shape (m,).

    Parameters
    ----------
    curves : array, shape (k, m)
        Unit quantiles within the window of one side.

    Returns
    -------
    int array, shape (m,)
        k where no value is shared by more than half of the units.

    Examples
    --------
    >>> moving_units(np.array([[0., 0., 1.], [0., 2., 3.], [0., 0., 5.]])).tolist()
    [0, 1, 3]
    """
    k, m = curves.shape
    out = np.full(m, k, dtype=np.int64)
    sample = curves[np.linspace(0, k - 1, min(k, _SCREEN)).astype(np.int64)]
    at_median = sample == np.quantile(sample, 0.5, axis=0, method="lower")
    suspects = np.flatnonzero(at_median.mean(axis=0) > 0.25)
    if suspects.size:
        part = curves[:, suspects]
        shared = np.count_nonzero(part == np.quantile(part, 0.5, axis=0, method="lower"), axis=0)
        out[suspects] = np.where(2 * shared > k, k - shared, k)
    return out


def has_spread(below: FloatArray, above: FloatArray) -> BoolArray:
    """Quantiles at which enough units move for a standard error to mean something, shape (m,).

    Parameters
    ----------
    below, above : array, shape (k, m)
        Unit quantiles within the windows of both sides.

    Examples
    --------
    >>> zeros, spread = np.zeros((40, 1)), np.arange(40.)[:, None]
    >>> has_spread(np.hstack([zeros, zeros]), np.hstack([zeros, spread]))
    array([False,  True])
    """
    return np.asarray(moving_units(below) + moving_units(above) >= MOVING_MIN)
