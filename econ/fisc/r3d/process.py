"""The error process of the two limit curves: covariance, draws, sup quantiles, p-values.

Given the data, multiplier draws with Gaussian multipliers are exactly N(0, D'D). The m x m matrix
D'D therefore replaces the n x B multipliers: it is factored once and draws are made of m-vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

from .estimation import Estimate
from .options import MultiplierName
from .scores import sum_by

# Eigenvalues below this share of the largest are rounding.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Component:
    """One independent part of the error process.

    Attributes
    ----------
    covariance : array, shape (2M, 2M)
        Its part of the covariance of the process.
    df : float or array of shape (m,)
        Degrees of freedom with which it is estimated, by quantile where bandwidths differ by quantile.
    """

    covariance: FloatArray
    df: float | FloatArray


@dataclass(frozen=True)
class Process:
    """Errors (nu_plus, d_plus, nu_minus, d_minus) of the limits; d only in fuzzy designs."""

    covariance: FloatArray  # (2M, 2M), M = m, or m + 1 with a first stage; the plus block comes first
    m: int  # grid points
    n_boot: int  # draws
    seed: int  # of the Gaussian draws
    df: tuple[FloatArray, ...]  # of the upper and lower block, or of both as one; each of shape (1,) or (m,)
    given: FloatArray | None = None  # (n_boot, 2M), draws with multipliers; else from N(0, covariance)

    @property
    def components(self) -> tuple[Component, ...]:
        """Independent parts of the covariance: upper and lower limit, or one where something ties them."""
        df = tuple(float(d[0]) if d.size == 1 else d for d in self.df)
        if len(df) == 1:
            return (Component(self.covariance, df[0]),)
        half = self.covariance.shape[0] // 2
        parts = []
        for block, own in zip((slice(0, half), slice(half, None)), df, strict=True):
            part = np.zeros_like(self.covariance)
            part[block, block] = self.covariance[block, block]
            parts.append(Component(part, own))
        return tuple(parts)

    @cached_property
    def draws(self) -> FloatArray:
        """Shape (n_boot, 2M)."""
        if self.given is not None:
            return self.given
        rng = np.random.default_rng(self.seed)
        half = self.covariance.shape[0] // 2
        if not np.any(self.covariance[:half, half:]):  # no unit or cluster has scores on both sides
            parts = (self.covariance[:half, :half], self.covariance[half:, half:])
            return np.hstack([rng.standard_normal((self.n_boot, half)) @ _root(part) for part in parts])
        return rng.standard_normal((self.n_boot, 2 * half)) @ _root(self.covariance)

    @property
    def plus(self) -> FloatArray:
        """Draws of the upper limit curve, shape (n_boot, m)."""
        return self.draws[:, : self.m]

    @property
    def minus(self) -> FloatArray:
        """Draws of the lower limit curve, shape (n_boot, m)."""
        half = self.draws.shape[1] // 2
        return self.draws[:, half : half + self.m]

    @property
    def errors(self) -> FloatArray:
        """Standard errors of (nu_plus, d_plus, nu_minus, d_minus), shape (2M,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def standard_errors(self, contrast: FloatArray) -> FloatArray:
        """Conditional standard errors sqrt(diag(L' C L)), shape (m,); no simulation."""
        variance = np.einsum("im,ij,jm->m", contrast, self.covariance, contrast, optimize=True)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))

    @property
    def to_stage(self) -> FloatArray:
        """Error of the first stage as a linear map of the process, shape (2M,)."""
        half = self.covariance.shape[0] // 2
        row = np.zeros(2 * half)
        row[self.m], row[half + self.m] = 1.0, -1.0
        return row

    @property
    def stage_error(self) -> float:
        """Standard error of the jump of the treatment."""
        row = self.to_stage
        return float(np.sqrt(max(float(row @ self.covariance @ row), 0.0)))

    def contrast(self, jump: FloatArray, first_stage: float) -> FloatArray:
        """Matrix L, shape (2M, m), with error of tau = L' (nu_plus, d_plus, nu_minus, d_minus).

        The fuzzy effect is linearised: (first_stage * (nu_+ - nu_-) - jump * (d_+ - d_-)) / first_stage^2.
        """
        half = self.covariance.shape[0] // 2
        matrix = np.zeros((2 * half, self.m))
        index = np.arange(self.m)
        matrix[index, index] = 1.0 / first_stage
        matrix[half + index, index] = -1.0 / first_stage
        if half > self.m:
            matrix[self.m] = -jump / first_stage**2
            matrix[half + self.m] = jump / first_stage**2
        return matrix


def _root(covariance: FloatArray) -> FloatArray:
    """Return a matrix R with R'R = covariance, which may be singular.

    The symmetric square root of the correlations, scaled by the standard deviations. Unlike a Cholesky
    factor it depends continuously on the matrix, so that rounding does not change the draws, and a change
    of units only scales them. Directions with a share of the variance below 1e-12 are rounding and dropped.
    """
    scale = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    divisor = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(covariance / divisor[:, None] / divisor)
    values = np.where(values > _NEGLIGIBLE * values[-1], values, 0.0)
    return np.asarray((vectors * np.sqrt(values)) @ vectors.T * scale)


def make_process(
    estimate: Estimate,
    clusters: IntArray | None,
    n_boot: int,
    seed: int,
    multipliers: FloatArray | MultiplierName | None = None,
) -> Process:
    """Covariance of the limits and, if multipliers (n, B) or their law are given, draws with them.

    With clusters, shape (n,), scores are summed, and multipliers drawn, by cluster.
    """
    upper, lower = estimate.plus_scores, estimate.minus_scores
    m = estimate.tau.size
    size = upper.curve.shape[1] + upper.stage.shape[1]
    covariance = np.zeros((2 * size, 2 * size))
    if clusters is None and upper.rows == lower.rows:
        covariance = _gram(np.hstack([upper.all, lower.all]))
    elif clusters is None:
        covariance[:size, :size] = _gram(upper.all)
        covariance[size:, size:] = _gram(lower.all)
    else:
        groups = int(clusters.max()) + 1
        summed = np.hstack([sum_by(clusters[side.rows], side.all, groups) for side in (upper, lower)])
        covariance = _gram(summed)
    if multipliers is None:
        return Process(covariance, m, n_boot, seed, estimate.df)
    if isinstance(multipliers, str):
        n_rows = upper.rows.stop if clusters is None else int(clusters.max()) + 1
        xi = draw_multipliers(multipliers, n_rows, n_boot, seed)
        xi = xi if clusters is None else xi[clusters]
    else:
        xi = multipliers
    given = np.hstack([xi[side.rows].T @ side.all for side in (upper, lower)])
    return Process(covariance, m, given.shape[0], seed, estimate.df, given)


def _gram(matrix: FloatArray) -> FloatArray:
    product: FloatArray = matrix.T @ matrix
    return product


def draw_multipliers(law: MultiplierName, n: int, n_boot: int, seed: int) -> FloatArray:
    """Multipliers with mean zero and variance one, shape (n, n_boot).

    Examples
    --------
    >>> draw_multipliers("rademacher", 2, 3, seed=0)
    array([[ 1.,  1.,  1.],
           [-1., -1., -1.]])
    """
    rng = np.random.default_rng(seed)
    if law == "normal":
        return rng.standard_normal((n, n_boot))
    if law == "rademacher":
        return np.asarray(2.0 * rng.integers(0, 2, (n, n_boot)) - 1.0)
    golden = (1.0 + np.sqrt(5.0)) / 2.0
    low = rng.random((n, n_boot)) < golden / np.sqrt(5.0)
    return np.asarray(np.where(low, 1.0 - golden, golden))


def critical_value(suprema: FloatArray, alpha: float) -> float:
    """Return the ceil((1 - alpha)(B + 1))-th smallest of B suprema, at most the largest.

    Examples
    --------
    >>> import numpy as np
    >>> critical_value(np.arange(1., 20.), 0.05)
    19.0
    """
    b = suprema.size
    if b == 0:
        raise DataError("n_boot=0 leaves no draws for a uniform band: ask for at least 1/alpha - 1 draws")
    rank = min(int(np.ceil((1.0 - alpha) * (b + 1) - 1e-9)), b)
    return float(np.partition(suprema, rank - 1)[rank - 1])


def p_value(statistic: float, draws: FloatArray) -> float:
    """(1 + #{draw >= statistic}) / (B + 1), which is never zero.

    Examples
    --------
    >>> import numpy as np
    >>> p_value(2.5, np.array([1., 2., 3.]))
    0.5
    """
    return float((1 + np.count_nonzero(draws >= statistic)) / (draws.size + 1))


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm's step-down adjustment of several p-values.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out
