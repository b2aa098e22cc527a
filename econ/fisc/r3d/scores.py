"""Residuals and scores: how far each unit moves the estimated limit curves.

The estimate on one side is a weighted sum of unit curves, so its conditional error is
nu(q) = sum_i w_i e_i(q). The scores D_i(q) = w_i e_i(q), with residuals corrected for leverage,
carry all inference: variances are D'D and multiplier draws are D'xi.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from fisc.core.arrays import FloatArray, IntArray

from .localpoly import SideFit
from .options import Residuals

# Smallest 1 - leverage that a residual is divided by.
SLACK_MIN = 1e-3
NEIGHBOURS = 3


def scores(
    fit: SideFit,
    x: FloatArray,
    outcomes: FloatArray,
    errors: FloatArray,
    kind: Residuals,
    order: int,
    clusters: IntArray | None = None,
) -> FloatArray:
    """Scores w_i e_i(q) of the units of one side, shape (k, m), zero where the unit has no weight.

    `x` of shape (n,) and `outcomes` of shape (n, m) are those of all units; `errors`, shape (k, m), the residuals
    at `fit.rows` after any projection, which are used up. "hc0", "hc1", "hc3": plain residuals; times
    sqrt(k/(k-p-1)); divided by 1-l; with clusters CR0, CR1, CR3; "nn": the distance to the mean of the three
    nearest neighbours. ("hc2" is in `fisc.r3d.honest`.)

    References
    ----------
    MacKinnon, J. G. and White, H. (1985), Journal of Econometrics 29, 305-325.
    """
    if kind == "nn":
        return fit.coefficient_weights * neighbour_residuals(x, outcomes, fit)
    if clusters is not None and kind == "hc3":
        return _clustered(fit, x, errors, order, clusters)
    factor = fit.coefficient_weights
    if kind == "hc1":
        factor = factor * np.sqrt(_degrees(fit, order, clusters))
    elif kind == "hc3":
        factor = factor / np.maximum(1.0 - fit.leverage, SLACK_MIN)
    errors *= factor
    return errors


def _degrees(fit: SideFit, order: int, clusters: IntArray | None) -> FloatArray:
    """Variance inflation of hc1 (or cr1) for each column, shape (g,)."""
    k = fit.n_inside.astype(float)
    spare = np.maximum(k - (order + 1), 1.0)
    if clusters is None:
        return np.asarray(k / spare)
    codes = clusters[fit.rows]
    groups = np.array([np.unique(codes[column]).size for column in fit.inside.T], dtype=float)
    return np.asarray(groups / np.maximum(groups - 1.0, 1.0) * (k - 1.0) / spare)


def _clustered(fit: SideFit, x: FloatArray, errors: FloatArray, order: int, clusters: IntArray) -> FloatArray:
    """CR3: multiply a cluster's residuals by (I - P_gg)^(-1).

    P = B B' is the projection on the weighted design, so that
    (I - B_g B_g')^(-1) = I + B_g V diag(1 / (1 - lam)) V' B_g' with B_g'B_g = V diag(lam) V'.
    """
    _, group = np.unique(clusters[fit.rows], return_inverse=True)
    n_groups = int(group.max()) + 1
    powers = (x[fit.rows] / np.abs(x[fit.rows]).max())[:, None] ** np.arange(order + 1)
    out = np.empty_like(errors)
    for column in range(fit.root.shape[1]):
        which = slice(None) if fit.root.shape[1] == 1 else slice(column, column + 1)
        root = fit.root[:, [column]]
        basis = np.linalg.qr(root * powers)[0]
        inner = sum_by(group, (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1), n_groups)
        lam, vectors = np.linalg.eigh(inner.reshape(n_groups, basis.shape[1], basis.shape[1]))
        lam = np.clip(lam, 0.0, 1.0 - SLACK_MIN)
        middle = np.einsum("gab,gb,gcb->gac", vectors, 1.0 / (1.0 - lam), vectors)
        weighted = root * errors[:, which]
        projected = np.stack(
            [sum_by(group, basis[:, [j]] * weighted, n_groups) for j in range(basis.shape[1])], 1
        )
        change = np.einsum("ia,iab,ibm->im", basis, middle[group], projected[group])
        adjusted = weighted + change
        inside = root > 0.0
        factor = np.where(inside, fit.coefficient_weights[:, [column]] / np.where(inside, root, 1.0), 0.0)
        out[:, which] = factor * adjusted
    return out


def sum_by(group: IntArray, values: FloatArray, n_groups: int) -> FloatArray:
    """Return sums of the rows of `values` within groups, shape (n_groups, columns)."""
    k = group.size
    member = csr_array((np.ones(k), (group, np.arange(k))), shape=(n_groups, k))
    total: FloatArray = member @ values
    return total


def neighbour_residuals(x: FloatArray, outcomes: FloatArray, fit: SideFit) -> FloatArray:
    """Distance of each unit's outcome to the mean of its nearest neighbours on the same side.

    Three neighbours, all of those tied with the third included; scaled by sqrt(J/(J+1)) so that the
    square is unbiased for the variance (Abadie and Imbens 2006; the default of rdrobust).
    """
    zero = int(np.searchsorted(x, 0.0, side="left"))
    plus = fit.rows.start >= zero
    side = slice(zero, x.size) if plus else slice(0, zero)
    near, values = x[side], outcomes[side]
    k = near.size
    reach = min(NEIGHBOURS, k - 1)
    offsets = np.r_[-reach:0, 1 : reach + 1]
    neighbour = np.arange(k)[:, None] + offsets
    real = (neighbour >= 0) & (neighbour < k)
    gap = np.where(real, np.abs(near[np.clip(neighbour, 0, k - 1)] - near[:, None]), np.inf)
    radius = np.sort(gap, axis=1)[:, reach - 1] * (1.0 + 1e-12)
    left = np.searchsorted(near, near - radius, side="left")
    right = np.searchsorted(near, near + radius, side="right")
    own = values - values.mean(axis=0)
    running = np.vstack([np.zeros(own.shape[1]), np.cumsum(own, axis=0)])
    count = (right - left - 1).astype(float)[:, None]
    mean = (running[right] - running[left] - own) / count
    residual = np.sqrt(count / (count + 1.0)) * (own - mean)
    return np.asarray(residual[fit.rows.start - side.start : fit.rows.stop - side.start])
