"""Gini coefficient, top share and variance of distributions given by quantile curves of shape (..., m)."""

from __future__ import annotations

import numpy as np

from fisc.core.arrays import FloatArray


def _extended(q: FloatArray, curves: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Grid and curves carried flat to 0 and 1."""
    grid = np.concatenate([[0.0], q, [1.0]])
    return grid, np.concatenate([curves[..., :1], curves, curves[..., -1:]], axis=-1)


def _cumulated(grid: FloatArray, curves: FloatArray) -> FloatArray:
    """Trapezoid integral from 0 to each grid point, zero first."""
    pieces = np.diff(grid) * (curves[..., 1:] + curves[..., :-1]) / 2
    total = np.cumsum(pieces, axis=-1)
    return np.concatenate([np.zeros_like(total[..., :1]), total], axis=-1)


def gini(curves: FloatArray, q: FloatArray) -> FloatArray:
    """Gini coefficient of quantile curves, by the trapezoid Lorenz curve; NaN where the mean is not positive.

    The curve is carried flat beyond the grid, which lowers the level when tails are cut off
    (a lognormal with sigma 1 has .5205; on .01, ..., .99 this gives .5062).

    Examples
    --------
    >>> q = np.arange(1, 1000) / 1000
    >>> round(float(gini(q, q)), 3)  # uniform on (0, 1)
    0.333
    """
    grid, extended = _extended(q, curves)
    mass = _cumulated(grid, extended)
    mean = mass[..., -1]
    positive = mean > 0.0
    lorenz = mass / np.where(positive, mean, 1.0)[..., None]
    area = _cumulated(grid, lorenz)[..., -1]
    return np.where(positive, 1.0 - 2.0 * area, np.nan)


def top_share(curves: FloatArray, q: FloatArray, top: float) -> FloatArray:
    """Share of the total that the top `top` of the distribution holds, curves carried flat.

    Examples
    --------
    >>> q = np.arange(1, 1000) / 1000
    >>> round(float(top_share(q, q, 0.5)), 3)
    0.75
    """
    grid, extended = _extended(q, curves)
    mass = _cumulated(grid, extended)
    cell = int(np.clip(np.searchsorted(grid, 1.0 - top, side="right") - 1, 0, grid.size - 2))
    step = 1.0 - top - grid[cell]
    slope = (extended[..., cell + 1] - extended[..., cell]) / (grid[cell + 1] - grid[cell])
    below = mass[..., cell] + step * (extended[..., cell] + 0.5 * slope * step)
    total = mass[..., -1]
    return np.where(total > 0.0, 1.0 - below / np.where(total > 0.0, total, 1.0), np.nan)


def variance(curves: FloatArray, q: FloatArray) -> FloatArray:
    """Variance of the distribution with these quantiles, curves carried flat."""
    grid, extended = _extended(q, curves)
    mean = _cumulated(grid, extended)[..., -1]
    return np.asarray(_cumulated(grid, (extended - mean[..., None]) ** 2)[..., -1])
