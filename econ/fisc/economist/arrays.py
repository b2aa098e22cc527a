"""Arrays of one number for each worker or bracket: checked, and averaged over tenths of a population."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fisc.core import DataError, check_array
from fisc.core.arrays import FloatArray

__all__ = ["checked_array", "mean_by_decile"]


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


def mean_by_decile(values: npt.ArrayLike, order_by: FloatArray) -> FloatArray:
    """Return the mean of `values` (n,) in each tenth by `order_by` (n,), lowest first, shape (10,).

    NaN where there are fewer than ten values and a tenth is empty.

    >>> mean_by_decile(np.arange(20.0), np.arange(20.0)).tolist()[:3]
    [0.5, 2.5, 4.5]
    """
    held = np.asarray(values, dtype=np.float64)
    tenths = np.array_split(np.argsort(order_by, kind="stable"), 10)
    return np.array([held[part].mean() if part.size else np.nan for part in tenths])
