"""Intervals, bands and tests that know how well the variance is estimated.

A local polynomial at a boundary leaves few degrees of freedom, and its variance estimate is as noisy as a
chi-square with so few. Every variance here is a sum over independent components (the two sides of the cutoff, or
both together where covariates or clusters tie them), V(q) = sum_c V_c(q), each with its own degrees of freedom.
Single quantiles get a t quantile with Welch and Satterthwaite's degrees of freedom. For the whole curve the
suprema are those of G(q) / (sum_c V_c(q) X_c)^(1/2), with Gaussian draws G and X_c chi-square over its degrees of
freedom, drawn independently of G.

Where an outcome has an atom (zero incomes, minimum wages), quantiles inside the atom have no variance. Nothing
can be said about them with an error, so they take no part in suprema, and are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import chi2
from scipy.stats import t as student

from fisc.core import DataError
from fisc.core.arrays import BoolArray, FloatArray

from .process import Component, critical_value, p_value

# A standard error below this share of the largest, or of the level of the curve, is rounding.
_ROUNDING = 1e-10
# Chi-squares whose degrees of freedom differ by quantile are interpolated between so many values of them.
_KNOTS = 16


@dataclass(frozen=True)
class Spread:
    """Variance of a curve of m estimates, by component.

    Attributes
    ----------
    variances : array, shape (C, m)
        Variance of every component.
    df : array, shape (C, m)
        Degrees of freedom of every component.
    level : float
        Largest absolute value of the outcome's curve, against which rounding is told from variance.
    moving : bool array, shape (m,), optional
        Quantiles at which units differ, see `fisc.r3d.atoms.has_spread`.
    """

    variances: FloatArray
    df: FloatArray
    level: float = 0.0
    moving: BoolArray | None = None

    @cached_property
    def se(self) -> FloatArray:
        """Standard errors, shape (m,)."""
        return np.asarray(np.sqrt(self.variances.sum(axis=0)))

    @cached_property
    def live(self) -> BoolArray:
        """Quantiles that suprema rest on, shape (m,); the others lie in an atom of the outcome."""
        live = self.se > _ROUNDING * max(float(self.se.max()), self.level * 1e-2)
        return np.asarray(live if self.moving is None else live & self.moving)

    @property
    def n_atoms(self) -> int:
        """Number of quantiles left out of suprema."""
        return int(np.count_nonzero(~self.live))

    @cached_property
    def pooled_df(self) -> FloatArray:
        """Degrees of freedom of the sum, shape (m,) (Welch 1947, Satterthwaite 1946); infinite without a variance."""
        top = self.variances.sum(axis=0) ** 2
        bottom = (self.variances**2 / self.df).sum(axis=0)
        return np.asarray(np.where(bottom > 0.0, top / np.where(bottom > 0.0, bottom, 1.0), np.inf))

    def t_quantiles(self, alpha: float) -> FloatArray:
        """Multiples of the standard error for intervals with coverage 1 - alpha, shape (m,)."""
        return np.asarray(student.ppf(1.0 - alpha / 2.0, self.pooled_df))

    def t_p_values(self, estimates: FloatArray) -> FloatArray:
        """Two-sided p-values of H0: 0, shape (m,); one where there is no variance."""
        ratio = np.abs(estimates) / np.where(self.live, self.se, 1.0)
        return np.where(self.live, 2.0 * student.sf(ratio, self.pooled_df), 1.0)

    def noise(self, n_draws: int, seed: int) -> FloatArray:
        """Draws of the estimated over the true variance, shape (n_draws, m) or (n_draws, 1) if common to all."""
        uniform = np.random.default_rng(seed).random((self.df.shape[0], n_draws))
        total = self.variances.sum(axis=0)
        share = self.variances / np.where(total > 0.0, total, 1.0)
        ratio = np.zeros((n_draws, total.size))
        for part, df, u in zip(share, self.df, uniform, strict=True):
            ratio += part * chi_square_ratio(u, df)
        return np.where(total > 0.0, ratio, 1.0)


def spread_of(
    components: tuple[Component, ...],
    contrast: FloatArray,
    level: float = 0.0,
    moving: BoolArray | None = None,
) -> Spread:
    """Variance by component of the estimates contrast'(process).

    Parameters
    ----------
    components : tuple of Component
        Parts of the covariance of the process, which sum to it.
    contrast : array, shape (2M, m)
        The estimates' errors as linear maps of the process.
    level : float
        Largest absolute value of the outcome's curves.
    moving : bool array, shape (m,), optional
        Estimates to keep, where these are the m quantiles: those at which units differ.

    Returns
    -------
    Spread
        With m columns; degrees of freedom that differ by quantile are averaged with the contrast's weights where
        the m estimates are not the m quantiles.
    """
    m = contrast.shape[1]
    variances = np.stack(
        [np.einsum("im,ij,jm->m", contrast, c.covariance, contrast, optimize=True) for c in components]
    )
    df = np.stack([_df_of(c.df, contrast, m) for c in components])
    return Spread(np.maximum(variances, 0.0), df, level, moving)


def _df_of(df: float | FloatArray, contrast: FloatArray, m: int) -> FloatArray:
    """Degrees of freedom of m estimates, shape (m,)."""
    given = np.asarray(df, dtype=float)
    if given.ndim == 0:
        return np.full(m, float(given))
    half = contrast.shape[0] // 2
    weight = np.abs(contrast[: given.size]) + np.abs(contrast[half : half + given.size])
    return np.asarray(given @ weight / weight.sum(axis=0))


def chi_square_ratio(u: FloatArray, df: FloatArray) -> FloatArray:
    """Chi-square quantiles over their degrees of freedom: u of shape (B,), df of shape (m,), result (B, m or 1).

    Examples
    --------
    >>> chi_square_ratio(np.array([0.5]), np.array([4.0, 4.0])).round(3)
    array([[0.839]])
    """
    if not np.isfinite(df).all():
        return np.ones((u.size, 1))
    low, high = float(df.min()), float(df.max())
    if high <= low * (1.0 + 1e-6):
        return np.asarray(chi2.ppf(u, low) / low)[:, None]
    knots = np.geomspace(low, high, _KNOTS)
    table = chi2.ppf(u[:, None], knots) / knots
    place = np.clip(np.searchsorted(knots, df) - 1, 0, _KNOTS - 2)
    share = (df - knots[place]) / (knots[place + 1] - knots[place])
    return np.asarray((1.0 - share) * table[:, place] + share * table[:, place + 1])


def t_draws(draws: FloatArray, components: tuple[Component, ...], seed: int) -> FloatArray:
    """Draws of the process divided by the root of their component's noise, for nonlinear functionals.

    Parameters
    ----------
    draws : array, shape (B, 2M)
        Gaussian draws; with two components the first moves the first half only, the second the second half.
    components : tuple of Component
        One (both halves) or two.
    seed : int
        Seed of the chi-squares.

    Returns
    -------
    array, shape (B, 2M)
        Errors in units of the true scale as they appear when the scale is estimated.
    """
    uniform = np.random.default_rng(seed).random((len(components), draws.shape[0]))
    out = draws.copy()
    half = draws.shape[1] // 2
    for index, (component, u) in enumerate(zip(components, uniform, strict=True)):
        df = float(np.min(component.df))
        columns = slice(None) if len(components) == 1 else slice(index * half, (index + 1) * half)
        out[:, columns] /= np.sqrt(chi_square_ratio(u, np.array([df])))
    return out


def suprema(errors: FloatArray, spread: Spread, seed: int, sign: int = 0) -> FloatArray:
    """Draws of the largest t ratio over the quantiles that have a variance, shape (B,).

    Parameters
    ----------
    errors : array, shape (B, m)
        Gaussian draws of the errors of the estimates.
    spread : Spread
        Their variance by component.
    seed : int
        Seed of the chi-squares.
    sign : {0, 1, -1}
        Largest absolute value, largest value, or largest value of the negative.

    Raises
    ------
    DataError
        When no quantile has a variance.
    """
    if not spread.live.any():
        raise DataError(
            "no quantile has a variance: within the bandwidth all units have the same quantiles there (an atom of "
            "the outcome); use quantiles outside the atom"
        )
    scale = spread.se[spread.live] * np.sqrt(spread.noise(errors.shape[0], seed)[:, spread.live])
    return largest(errors[:, spread.live] / scale, sign)


def largest(ratios: FloatArray, sign: int) -> FloatArray:
    """Return the largest absolute value (`sign` 0), value (1) or negative value (-1) over the last axis."""
    return np.asarray((np.abs(ratios) if sign == 0 else sign * ratios).max(axis=-1))


def band(
    estimates: FloatArray,
    errors: FloatArray,
    spread: Spread,
    alpha: float,
    seed: int,
    raw: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, float]:
    """Compute the studentised uniform band.

    Parameters
    ----------
    estimates : array, shape (m,)
        The curve.
    errors : array, shape (B, m)
        Gaussian draws of its errors.
    spread : Spread
        Its variance by component.
    alpha : float
        One minus the coverage.
    seed : int
        Seed of the chi-squares.
    raw : array, shape (m,), optional
        The curve before monotone projection.

    Returns
    -------
    (array (m,), array (m,), float)
        Lower and upper limit, and the multiple of the standard error. Quantiles left out of the supremum get the same
        multiple of the standard error they have, which may be zero; there the band reaches to `raw`, so that an
        effect which only the projection makes does not look like one.
    """
    c = critical_value(suprema(errors, spread, seed), alpha)
    half = c * spread.se
    lower, upper = estimates - half, estimates + half
    if raw is not None:
        lower = np.where(spread.live, lower, np.minimum(lower, raw))
        upper = np.where(spread.live, upper, np.maximum(upper, raw))
    return lower, upper, c


@dataclass(frozen=True, slots=True)
class SupTest:
    """Outcome of a test with the largest t ratio.

    Attributes
    ----------
    statistic, critical_value, p_value : float
        Largest ratio, its critical value and p-value.
    n_atoms : int
        Quantiles left out because they have no variance.
    """

    statistic: float
    critical_value: float
    p_value: float
    n_atoms: int


def sup_test(
    estimates: FloatArray, errors: FloatArray, spread: Spread, alpha: float, seed: int, sign: int = 0
) -> SupTest:
    """Test that a curve is zero (at most, at least zero with `sign` 1, -1) at all quantiles with a variance.

    Parameters are those of `band`, and `sign` of `suprema`.

    Examples
    --------
    The first quantile lies in an atom; the others decide.

    >>> errors = np.random.default_rng(0).standard_normal((999, 3)) * [0.0, 1.0, 2.0]
    >>> spread = Spread(np.array([[0.0, 1.0, 4.0]]), np.full((1, 3), 30.0))
    >>> test = sup_test(np.array([0.0, 0.5, 9.0]), errors, spread, 0.05, seed=1)
    >>> test.statistic, test.p_value < 0.01, test.n_atoms
    (4.5, True, 1)
    """
    draws = suprema(errors, spread, seed, sign)
    statistic = float(largest(estimates[spread.live] / spread.se[spread.live], sign))
    return SupTest(statistic, critical_value(draws, alpha), p_value(statistic, draws), spread.n_atoms)


def constant_half_width(
    draws: FloatArray, contrast: FloatArray, components: tuple[Component, ...], alpha: float, seed: int
) -> float:
    """Half width of the band that is equally wide everywhere, with the components' degrees of freedom."""
    errors = t_draws(draws, components, seed) @ contrast
    return critical_value(np.abs(errors).max(axis=1), alpha)
