"""Honest intervals where the running variable takes few values: curvature bounded, extrapolation accounted for.

With cohorts, months or scores no unit comes arbitrarily near to the cutoff, so that no bandwidth makes the bias of a
local fit vanish. What can be had is an interval for all curves whose second derivative stays below a bound: the
local linear estimate has a known largest bias, and the interval is as much wider. The bound holds for each quantile
of the unit distributions, E[Q_i(q) | x], apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import ncf, ncx2

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

from .honest import side_scores
from .localpoly import SideFit, fit_side
from .options import Kernel
from .pilot_reach import near_side
from .process import Component, Process, critical_value
from .studentised import Spread, spread_of, suprema

# Order of the global polynomial whose largest second derivative is the rule of thumb for the bound.
_GLOBAL_ORDER = 4
# Distinct values a side that a window must hold, for a slope and residuals.
_VALUES_MIN = 3
_EDGE = 1.0 + 1e-4
_CANDIDATES = 40


@dataclass(frozen=True, eq=False)
class BoundedCurvature:
    """Estimate of the jump with its largest bias; m quantiles.

    Attributes
    ----------
    tau : array, shape (m,)
        Local linear estimate of the jump.
    bias : array, shape (m,)
        Largest bias over curves with second derivatives up to `bound` on each side.
    bound : array, shape (m,)
        Bound of the second derivative, in units of the outcome per squared unit of x.
    bandwidth : float
        In units of x, the same on both sides.
    spread : Spread
        Variance with its degrees of freedom.
    process : Process
        Errors of the limits (upper, lower), for uniform bands.
    """

    tau: FloatArray
    bias: FloatArray
    bound: FloatArray
    bandwidth: float
    spread: Spread
    process: Process

    @property
    def se(self) -> FloatArray:
        """Standard errors, shape (m,)."""
        return self.spread.se

    def interval(self, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
        """Intervals that hold quantile by quantile for every curve within the bound, each of shape (m,)."""
        safe = np.where(self.spread.live, self.se, 1.0)
        half = folded_quantile(self.bias / safe, alpha, self.spread.pooled_df) * safe
        half = np.where(self.spread.live, half, self.bias)
        return self.tau - half, self.tau + half

    def band(self, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
        """Band that holds for all quantiles at once: largest bias, and the studentised band around it.

        A little wider than necessary, since the bias need not be largest everywhere and in one direction.
        """
        contrast = self.process.contrast(self.tau, 1.0)
        c = critical_value(suprema(self.process.draws @ contrast, self.spread, self.process.seed + 1), alpha)
        half = self.bias + np.where(self.spread.live, c * self.se, 0.0)
        return self.tau - half, self.tau + half


def bounded_curvature(
    x: FloatArray,
    curves: FloatArray,
    *,
    bound: FloatArray | float | None = None,
    bandwidth: float | None = None,
    kernel: Kernel = "triangular",
    unit_weights: FloatArray | None = None,
    clusters: IntArray | None = None,
    n_draws: int = 1999,
    seed: int = 0,
) -> BoundedCurvature:
    """Estimate the jump under a bound on the curvature.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable less the cutoff, ascending; any number of distinct values.
    curves : array, shape (n, m)
        Unit quantiles.
    bound : float or array of shape (m,), optional
        Bound of the absolute second derivative of E[Q_i(q) | x]. By default `curvature_bound`, a rule of thumb:
        no data can tell the bound, so report how the interval changes with it.
    bandwidth : float, optional
        In units of x; by default the one with the smallest worst-case squared error, averaged over quantiles in
        units of their residual variances.
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.
    unit_weights : array, shape (n,), optional
        Positive weights of the units.
    clusters : int array, shape (n,), optional
        Cluster codes, no cluster on both sides.
    n_draws, seed : int
        Draws for the band.

    Returns
    -------
    BoundedCurvature
        Estimate, largest bias, intervals and band.

    Raises
    ------
    DataError
        When a side has fewer than three distinct values of x, or a cluster lies on both sides.

    References
    ----------
    Kolesar, M. and Rothe, C. (2018), Inference in regression discontinuity designs with a discrete running variable,
    American Economic Review 108, 2277-2304. Armstrong, T. B. and Kolesar, M. (2020), Simple and honest confidence
    intervals in nonparametric regression, Quantitative Economics 11, 1-39.

    Examples
    --------
    >>> x = np.repeat(np.arange(-10., 10.) + .5, 20)
    >>> y = .1 * x + .02 * x**2 + (x > 0) + np.random.default_rng(0).normal(0, .3, x.size)
    >>> fit = bounded_curvature(x, y[:, None], bound=.04)
    >>> low, high = fit.interval()
    >>> bool(low[0] < 1. < high[0]), bool(fit.bias[0] > 0.)
    (True, True)
    """
    m = curves.shape[1]
    zero = int(np.searchsorted(x, 0.0, side="left"))
    distances = np.unique(-x[:zero]), np.unique(x[zero:])
    if min(d.size for d in distances) < _VALUES_MIN:
        raise DataError(
            f"the running variable takes {distances[0].size} and {distances[1].size} values below and above the "
            f"cutoff; a bounded-curvature interval needs at least {_VALUES_MIN} on each side"
        )
    if clusters is not None and np.intersect1d(clusters[:zero], clusters[zero:]).size:
        raise DataError(
            "clusters lie on both sides of the cutoff; a bounded-curvature interval cannot tie the sides"
        )
    limit = (
        curvature_bound(x, curves) if bound is None else np.broadcast_to(np.asarray(bound, dtype=float), m)
    )
    if not bool(np.all(np.isfinite(limit) & (limit >= 0.0))):
        raise DataError(f"bound={bound!r}; give finite bounds of the second derivative that are not negative")
    if bandwidth is None:
        bandwidth = _bandwidth(x, curves, limit, distances, kernel, unit_weights)
    h = np.array([bandwidth])
    fits = [fit_side(x, curves, h, 1, kernel, plus=plus, unit_weights=unit_weights) for plus in (True, False)]
    parts = []
    for index, fit in enumerate(fits):
        scores, df = side_scores(fit, x, curves[fit.rows] - fit.fitted, 1, clusters)
        if clusters is not None:
            scores = _by_cluster(scores, clusters[fit.rows])
        covariance = np.zeros((2 * m, 2 * m))
        block = slice(index * m, (index + 1) * m)
        covariance[block, block] = scores.T @ scores
        parts.append(Component(covariance, float(df[0])))
    each = tuple(np.atleast_1d(part.df) for part in parts)
    process = Process(parts[0].covariance + parts[1].covariance, m, n_draws, seed, each)
    tau = fits[0].alpha[0] - fits[1].alpha[0]
    spread = spread_of(tuple(parts), process.contrast(tau, 1.0), float(np.abs(curves).max()))
    unit_bias = sum(worst_bias(np.abs(x[fit.rows]), fit.coefficient_weights[:, 0]) for fit in fits)
    return BoundedCurvature(tau, limit * unit_bias, np.asarray(limit), float(bandwidth), spread, process)


def _by_cluster(scores: FloatArray, clusters: IntArray) -> FloatArray:
    _, codes = np.unique(clusters, return_inverse=True)
    out = np.zeros((int(codes.max()) + 1, scores.shape[1]))
    np.add.at(out, codes, scores)
    return out


def worst_bias(distance: FloatArray, weights: FloatArray) -> float:
    """Largest bias of sum_i w_i f(d_i) as an estimate of f(0) over functions with |f''| at most one.

    For weights that reproduce straight lines the bias is int f''(s) r(s) ds with r(s) = sum_i w_i (d_i - s)_+, so
    that the largest is int |r(s)| ds; r is straight between the distances.

    Parameters
    ----------
    distance, weights : array, shape (k,)
        Distances to the cutoff on one side, in any order, and weights of the limit.

    Examples
    --------
    Two points extrapolate linearly; s(s - 1) / 2 at distances 1 and 2 misses zero by one.

    >>> worst_bias(np.array([1., 2.]), np.array([2., -1.]))
    1.0
    """
    place, inverse = np.unique(distance, return_inverse=True)
    mass = np.bincount(inverse, weights)
    knots = np.concatenate([[0.0], place]) if place[0] > 0.0 else place
    moments = np.maximum(place[None, :] - knots[:, None], 0.0) @ mass
    left, right, width = moments[:-1], moments[1:], np.diff(knots)
    crossing = left * right < 0.0
    total = np.abs(left) + np.abs(right)
    straight = 0.5 * width * total
    crossed = 0.5 * width * (left**2 + right**2) / np.where(total > 0.0, total, 1.0)
    return float(np.where(crossing, crossed, straight).sum())


def folded_quantile(bias: FloatArray, alpha: float, df: FloatArray) -> FloatArray:
    """(1 - alpha) quantile of |t ratio| whose numerator has a mean of `bias` standard errors; all of shape (m,).

    Examples
    --------
    >>> folded_quantile(np.array([0., 1.]), 0.05, np.full(2, np.inf)).round(3)
    array([1.96 , 2.646])
    """
    noncentral = np.square(bias)
    finite = np.isfinite(df)
    gaussian = ncx2.ppf(1.0 - alpha, 1.0, noncentral)
    few = ncf.ppf(1.0 - alpha, 1.0, np.where(finite, df, 1.0), noncentral)
    return np.asarray(np.sqrt(np.where(finite, few, gaussian)))


def curvature_bound(x: FloatArray, curves: FloatArray) -> FloatArray:
    """Rule of thumb for the bound: the largest second derivative of a polynomial of order four on each side.

    Parameters
    ----------
    x : array, shape (n,)
        Running variable less the cutoff, ascending.
    curves : array, shape (n, m)
        Unit quantiles.

    Returns
    -------
    array, shape (m,)
        Over both sides; far tails of x are left out.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 40)
    >>> curvature_bound(x, (3 * x**2)[:, None]).round(9)
    array([6.])
    """
    out = np.zeros(curves.shape[1])
    for plus in (False, True):
        rows = near_side(x, plus, 10 * (_GLOBAL_ORDER + 1))
        near = x[rows]
        reach = float(np.abs(near).max())
        u = near / reach
        order = min(_GLOBAL_ORDER, np.unique(near).size - 1)
        if order < 2:
            raise DataError(
                "a rule of thumb for the curvature needs three values of x on each side; give bound="
            )
        coefficients = np.linalg.lstsq(u[:, None] ** np.arange(order + 1), curves[rows], rcond=None)[0]
        powers = np.arange(2, order + 1)
        curvature = (
            (powers * (powers - 1) * np.unique(u)[:, None] ** (powers - 2)) @ coefficients[2:] / reach**2
        )
        out = np.maximum(out, np.abs(curvature).max(axis=0))
    return out


def _bandwidth(
    x: FloatArray,
    curves: FloatArray,
    bound: FloatArray,
    distances: tuple[FloatArray, FloatArray],
    kernel: Kernel,
    unit_weights: FloatArray | None,
) -> float:
    """Bandwidth that minimises the mean over quantiles of (largest bias^2 + variance) / residual variance."""
    points = np.unique(np.concatenate(distances)) * _EDGE
    enough = max(float(d[_VALUES_MIN - 1]) for d in distances) * _EDGE
    candidates = np.geomspace(enough, max(float(points[-1]), enough), _CANDIDATES)
    if points.size <= _CANDIDATES:  # each of few values, where a uniform kernel jumps
        candidates = np.unique(np.concatenate([candidates, points[points >= enough]]))
    noise = _residual_variance(x, curves, unit_weights)
    ratio = float(np.mean(bound**2 / np.where(noise > 0.0, noise, np.inf)))

    def risk(h: float) -> float:
        sides: list[SideFit] = [
            fit_side(x, curves[:, :1], np.array([h]), 1, kernel, plus=plus, unit_weights=unit_weights)
            for plus in (False, True)
        ]
        bias = sum(worst_bias(np.abs(x[s.rows]), s.coefficient_weights[:, 0]) for s in sides)
        return ratio * bias**2 + float(sum((s.coefficient_weights**2).sum() for s in sides))

    return float(candidates[int(np.argmin([risk(float(h)) for h in candidates]))])


def _residual_variance(x: FloatArray, curves: FloatArray, unit_weights: FloatArray | None) -> FloatArray:
    """Variance around the global polynomial, shape (m,)."""
    total, spare = np.zeros(curves.shape[1]), 0
    zero = int(np.searchsorted(x, 0.0, side="left"))
    for rows in (slice(0, zero), slice(zero, x.size)):
        u = x[rows] / np.abs(x[rows]).max()
        order = min(_GLOBAL_ORDER, np.unique(u).size - 1)
        root = np.ones(u.size) if unit_weights is None else np.sqrt(unit_weights[rows])
        basis = np.linalg.qr(root[:, None] * u[:, None] ** np.arange(order + 1))[0]
        outcome = root[:, None] * curves[rows]
        total += ((outcome - basis @ (basis.T @ outcome)) ** 2).sum(axis=0)
        spare += u.size - order - 1
    return np.asarray(total / max(spare, 1))
