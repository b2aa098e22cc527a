"""Residuals and degrees of freedom of local fits that hold in small samples.

A local polynomial is weighted least squares: with B chosen so that B' diag(K) B = I, fitted values are H Q,
H = B (K B)'. If the errors of units are independent with one variance (the working model), residuals (I - H) Q
have the covariance (I - H)(I - H)', and dividing by its square root, unit by unit (HC2) or cluster by cluster
(CR2), makes the variance estimate sum_g (w_g' A_g e_g)^2 of a limit w'Q exactly unbiased. That estimate is a
quadratic form in the errors; the chi-square with the same mean and variance has the degrees of freedom of Bell
and McCaffrey. Both depend on the weights only, so they cost nothing a quantile, and neither needs the working
model to be true: it only decides by how much residuals are stretched.

All n x n matrices are the identity plus a matrix of rank 2P, P coefficients, and are never formed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core.arrays import FloatArray, IntArray

from .localpoly import SideFit
from .scores import sum_by

# Smallest share of its variance that a residual may keep and still be stretched; a unit (or direction within a
# cluster) below it determines its own fitted value and says nothing about the error.
_KEPT_MIN = 1e-6
# Directions of a cluster's regressors below this share of the largest are rounding.
_RANK = 1e-10


@dataclass(frozen=True, slots=True)
class Hat:
    """The projection H = basis @ (mass * basis)' of weighted least squares on k units.

    Attributes
    ----------
    basis : array, shape (k, P)
        Combinations of the regressors with basis' diag(mass) basis = I.
    mass : array, shape (k,)
        Kernel times unit weight.
    """

    basis: FloatArray
    mass: FloatArray

    @property
    def factors(self) -> tuple[FloatArray, FloatArray]:
        """U, shape (k, 2P), and S, shape (2P, 2P), with (I - H)(I - H)' = I + U S U'."""
        weighted = self.mass[:, None] * self.basis
        size = self.basis.shape[1]
        middle = np.zeros((2 * size, 2 * size))
        middle[:size, :size] = weighted.T @ weighted
        middle[:size, size:] = middle[size:, :size] = -np.eye(size)
        return np.hstack([self.basis, weighted]), middle


def make_hat(regressors: FloatArray, mass: FloatArray) -> tuple[Hat, FloatArray]:
    """Projection on regressors, and the weights of the units in every coefficient.

    Parameters
    ----------
    regressors : array, shape (k, P)
        Of full column rank where the mass is positive.
    mass : array, shape (k,)
        Nonnegative weights; units without weight take no part.

    Returns
    -------
    (Hat, array (P, k))
        The projection; row c holds the weights w with w'Q = coefficient c.

    Examples
    --------
    >>> hat, weights = make_hat(np.ones((4, 1)), np.ones(4))
    >>> weights.round(12)
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    root = np.sqrt(mass)
    orthogonal, triangle = np.linalg.qr(root[:, None] * regressors)
    basis = np.linalg.solve(triangle.T, regressors.T).T
    basis[mass == 0.0] = 0.0  # units outside the window neither move the fit nor have a residual in it
    return Hat(basis, mass), np.linalg.solve(triangle, (orthogonal * root[:, None]).T)


def hat_of_side(fit: SideFit, x: FloatArray, order: int, column: int = 0) -> Hat:
    """Projection behind a fit on one side (`column`: which bandwidth, where there are several)."""
    return make_hat(_powers(fit, x, order), fit.root[:, column] ** 2)[0]


def joint_hat(
    minus: SideFit,
    plus: SideFit,
    x: FloatArray,
    order: int,
    covariates: FloatArray | None = None,
    column: int = 0,
) -> tuple[Hat, FloatArray]:
    """Projection on a polynomial on each side and on covariates with common coefficients.

    The covariates' coefficients are estimated from the units of both sides, so that units of both sides move each
    limit. Ignoring that is harmless with one covariate and many units only.

    Parameters
    ----------
    minus, plus : SideFit
        Fits of the two sides.
    x : array, shape (n,)
        Running variable less the cutoff, ascending.
    order : int
        Order of the polynomials.
    covariates : array, shape (n, c), optional
        Unit-level covariates.
    column : int
        Which bandwidth, where there are several.

    Returns
    -------
    (Hat, array (2(p+1)+c, k))
        The projection on the k units of both windows, lower window first; the weights of the units in every
        coefficient. Row d is the d-th coefficient in powers of x / max |x| of the lower window, row p+1+d of the
        upper one, with the covariates held at their means over the windows.
    """
    below, above = _powers(minus, x, order), _powers(plus, x, order)
    size, extra = order + 1, 0 if covariates is None else covariates.shape[1]
    regressors = np.zeros((len(below) + len(above), 2 * size + extra))
    regressors[: len(below), :size], regressors[len(below) :, size : 2 * size] = below, above
    if covariates is not None:
        near = np.vstack([covariates[minus.rows], covariates[plus.rows]])
        near = near - near.mean(axis=0)
        spread = np.abs(near).max(axis=0)
        regressors[:, 2 * size :] = near / np.where(spread > 0.0, spread, 1.0)
    return make_hat(regressors, np.concatenate([minus.root[:, column], plus.root[:, column]]) ** 2)


def _powers(fit: SideFit, x: FloatArray, order: int) -> FloatArray:
    near = x[fit.rows]
    return np.asarray((near / np.abs(near).max())[:, None] ** np.arange(order + 1))


def side_scores(
    fit: SideFit, x: FloatArray, errors: FloatArray, order: int, clusters: IntArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """HC2 (CR2) scores and degrees of freedom of one side, where nothing ties the sides together.

    Parameters
    ----------
    fit : SideFit
        The fit whose weights apply, with g = 1 or m bandwidths.
    x : array, shape (n,)
        Running variable less the cutoff, ascending.
    errors : array, shape (k, m)
        Residuals at `fit.rows`.
    order : int
        Order of the polynomial.
    clusters : int array, shape (n,), optional
        Cluster codes; no cluster has units on both sides (else use `joint_scores`).

    Returns
    -------
    (array (k, m), array (g,))
        Scores w_i e_i(q), whose sum of squares (over clusters, of sums) is the variance of the limit, and the
        degrees of freedom of that variance.
    """
    groups = None if clusters is None else clusters[fit.rows]
    out, df = np.empty_like(errors), np.empty(fit.root.shape[1])
    for column in range(df.size):
        which = slice(None) if df.size == 1 else slice(column, column + 1)
        hat = hat_of_side(fit, x, order, column)
        weights = fit.coefficient_weights[:, column]
        out[:, which] = weights[:, None] * adjusted_errors(hat, errors[:, which], groups)
        df[column] = degrees_of_freedom(hat, weights, groups)
    return out, df


def joint_scores(
    minus: SideFit,
    plus: SideFit,
    x: FloatArray,
    errors: FloatArray,
    order: int,
    *,
    deriv: int = 0,
    covariates: FloatArray | None = None,
    clusters: IntArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """HC2 (CR2) scores and degrees of freedom where covariates or clusters tie the sides together.

    Parameters
    ----------
    minus, plus : SideFit
        Fits of the two sides, with g = 1 or m bandwidths, of the outcomes net of covariates.
    x : array, shape (n,)
        Running variable less the cutoff, ascending.
    errors : array, shape (k, m)
        Residuals (net of covariates) of the lower window, then of the upper one.
    order, deriv : int
        Order of the polynomials; 0 for the limits, 1 for the slopes.
    covariates : array, shape (n, c), optional
        Unit-level covariates, with the same coefficients on both sides.
    clusters : int array, shape (n,), optional
        Cluster codes.

    Returns
    -------
    (array (k, m), array (k, m), array (g,))
        Scores of the lower and of the upper limit on the units of both windows, and the degrees of freedom of the
        variance of the jump.
    """
    groups = None if clusters is None else np.concatenate([clusters[minus.rows], clusters[plus.rows]])
    reach = [float(np.abs(x[fit.rows]).max()) for fit in (minus, plus)]
    lower, upper, df = np.empty_like(errors), np.empty_like(errors), np.empty(minus.root.shape[1])
    for column in range(df.size):
        which = slice(None) if df.size == 1 else slice(column, column + 1)
        hat, weights = joint_hat(minus, plus, x, order, covariates, column)
        below, above = weights[deriv] / reach[0] ** deriv, weights[order + 1 + deriv] / reach[1] ** deriv
        adjusted = adjusted_errors(hat, errors[:, which], groups)
        lower[:, which], upper[:, which] = below[:, None] * adjusted, above[:, None] * adjusted
        df[column] = degrees_of_freedom(hat, above - below, groups)
    return lower, upper, df


def adjusted_errors(hat: Hat, errors: FloatArray, groups: IntArray | None = None) -> FloatArray:
    """Residuals stretched for leverage: HC2, or CR2 with groups.

    Parameters
    ----------
    hat : Hat
        The projection of the fit.
    errors : array, shape (k, m)
        Residuals.
    groups : int array, shape (k,), optional
        Cluster codes.

    Returns
    -------
    array, shape (k, m)
        The scores of a limit w'Q are w_i times these, summed over clusters where there are any.

    References
    ----------
    MacKinnon, J. G. and White, H. (1985), Journal of Econometrics 29, 305-325. Pustejovsky, J. E. and Tipton, E.
    (2018), Journal of Business & Economic Statistics 36, 672-683 (CR2 for weighted least squares).
    """
    return _stretch(hat, errors, groups)


def degrees_of_freedom(hat: Hat, weights: FloatArray, groups: IntArray | None = None) -> float:
    """Bell-McCaffrey degrees of freedom of the variance estimate of the limit weights'Q.

    Parameters
    ----------
    hat : Hat
        The projection of the fit.
    weights : array, shape (k,)
        Weights of the units in the limit.
    groups : int array, shape (k,), optional
        Cluster codes.

    Returns
    -------
    float
        (tr A)^2 / tr A^2 for the variance estimate e'Ae in independent errors e of one variance.

    References
    ----------
    Bell, R. M. and McCaffrey, D. F. (2002), Bias reduction in standard errors for linear regression with multi-stage
    samples, Survey Methodology 28, 169-181. Imbens, G. W. and Kolesar, M. (2016), Robust standard errors in small
    samples: some practical advice, Review of Economics and Statistics 98, 701-712.

    Examples
    --------
    The mean of five values has a variance estimate with four degrees of freedom.

    >>> hat, weights = make_hat(np.ones((5, 1)), np.ones(5))
    >>> round(degrees_of_freedom(hat, weights[0]), 9)
    4.0
    """
    left, middle = hat.factors
    stretched = _stretch(hat, weights[:, None], groups)
    if groups is None:
        own, outer = stretched[:, 0] ** 2, stretched * left
    else:
        _, codes = np.unique(groups, return_inverse=True)
        count = int(codes.max()) + 1
        own = sum_by(codes, stretched**2, count)[:, 0]
        outer = sum_by(codes, stretched * left, count)
    # Gram matrix of the cluster scores' coefficients: diag(own) + outer middle outer'
    inner = middle @ (outer.T @ outer)
    diagonal = np.einsum("ga,ga->g", outer @ middle, outer)
    trace = float(own.sum() + diagonal.sum())
    square = float(own @ own + 2.0 * own @ diagonal + np.einsum("ab,ba->", inner, inner))
    return trace**2 / square if square > 0.0 else 1.0


def _stretch(hat: Hat, values: FloatArray, groups: IntArray | None) -> FloatArray:
    """Multiply by the inverse square root of the diagonal (blocks) of (I - H)(I - H)', which is symmetric."""
    left, middle = hat.factors
    if groups is None:
        kept = 1.0 + np.einsum("ia,ia->i", left @ middle, left)
        gain = np.where(kept > _KEPT_MIN, 1.0 / np.sqrt(np.maximum(kept, _KEPT_MIN)), 0.0)
        return np.asarray(values * gain[:, None])
    _, codes = np.unique(groups, return_inverse=True)
    count, width = int(codes.max()) + 1, left.shape[1]
    gram = sum_by(codes, (left[:, :, None] * left[:, None, :]).reshape(len(left), -1), count)
    scale, directions = np.linalg.eigh(gram.reshape(count, width, width))
    live = scale > _RANK * scale[:, -1:]
    root = np.sqrt(np.where(live, scale, 0.0))
    across = directions.transpose(0, 2, 1) @ middle @ directions
    # the block is the identity plus this on the cluster's directions
    shrink, axes = np.linalg.eigh(root[:, :, None] * across * root[:, None, :])
    kept = 1.0 + shrink
    gain = np.where(kept > _KEPT_MIN, 1.0 / np.sqrt(np.maximum(kept, _KEPT_MIN)), 0.0) - 1.0
    back = directions * np.where(live, 1.0 / np.where(live, root, 1.0), 0.0)[:, None, :] @ axes
    change = back * gain[:, None, :] @ back.transpose(0, 2, 1)
    projected = np.stack([sum_by(codes, left[:, [a]] * values, count) for a in range(width)], axis=1)
    moved = change @ projected  # (groups, 2P, m)
    out = values.copy()
    for a in range(width):
        out += left[:, [a]] * moved[codes, a]
    return out
