"""Power of the uniform test, and the smallest effect it would find, from the errors of a pilot fit.

A fit knows the law of its errors: Gaussian with a covariance, scaled by the noise of the variance estimate. With n
units instead of n0 the same law holds on a smaller scale. The scale follows from the bandwidth that n units would
choose: variances go with 1 / (n h), and degrees of freedom with n h. Power is then the share of draws in which the
largest t ratio of effect plus error exceeds the critical value; nothing is fitted again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import brentq

from fisc.core import DataError
from fisc.core.arrays import FloatArray

from .bandwidth import Selection
from .process import critical_value
from .studentised import Spread, suprema

# Rejections by accident make the power of no effect alpha; effects are searched for up to so many standard errors.
_FARTHEST = 200.0


def bandwidth_growth(
    selection: Selection, n0: int, n: int, *, cap: float = np.inf, share: FloatArray | None = None
) -> float:
    """Ratio of the bandwidth that n units would choose to the one that n0 units chose.

    h^5 is proportional to 1 / (n (B^2 + Reg)). The squared bias estimated from n0 units is too large by its own
    variance Reg, which falls as 1/n: where there is curvature the bandwidth shrinks as n^(-1/5), where there is
    none it stays. (Powers are those of a local linear fit, s = 1.)

    Parameters
    ----------
    selection : Selection
        Ingredients of the bandwidth of the pilot fit.
    n0, n : int
        Units of the pilot and units planned.
    cap : float
        Largest bandwidth that means anything: the distance of the farthest unit to the cutoff.
    share : array, shape (m,), optional
        Weights of the quantiles in the pooled bandwidth; equal by default.

    Returns
    -------
    float
        With h0 times it at most `cap`.
    """
    m = selection.bias.size
    weights = np.full(m, 1.0 / m) if share is None else share / share.sum()
    noise = float(selection.regularisation @ weights)
    squared = max(float(selection.bias**2 @ weights) - noise, 0.0)
    if squared + noise == 0.0:
        return 1.0
    now, then = squared + 2.0 * noise, squared + 2.0 * noise * n0 / n
    h = float(np.mean([selection.minus.mean(), selection.plus.mean()]))
    return float(min((n0 * now / (n * then)) ** 0.2, cap / h))


def error_scale(n0: int, n: int, growth: float | None = None) -> float:
    """Ratio of standard errors with n units to those with n0, sqrt(n0 h0 / (n h)).

    Without `growth` (h / h0) the bandwidth is taken to shrink as n^(-1/5).

    Examples
    --------
    >>> round(error_scale(100, 3200), 4), error_scale(100, 400, growth=1.0)
    (0.25, 0.5)
    """
    if min(n0, n) < 1:
        raise DataError(f"power for n={n} units from a pilot of {n0}; give whole numbers of at least 1")
    ratio = (n0 / n) ** 0.2 if growth is None else growth
    return float(np.sqrt(n0 / (n * ratio)))


def scaled(spread: Spread, scale: float) -> Spread:
    """Return the spread of a larger or smaller sample: variances times scale^2, degrees of freedom over it."""
    return replace(spread, variances=spread.variances * scale**2, df=spread.df / scale**2)


def rejection_rate(
    errors: FloatArray, spread: Spread, alpha: float, seed: int, scale: float = 1.0
) -> Callable[[FloatArray], float]:
    """Prepare the power of the uniform test of no effect as a function of the effect.

    Parameters
    ----------
    errors : array, shape (B, m)
        Gaussian draws of the errors of the pilot's effect curve.
    spread : Spread
        Variance of that curve.
    alpha : float
        Level.
    seed : int
        Seed of the noise of the variance estimate.
    scale : float
        See `error_scale`.

    Returns
    -------
    callable
        From an effect curve, shape (m,), to the probability that the test rejects.
    """
    planned = scaled(spread, scale)
    moved = errors * scale
    c = critical_value(suprema(moved, planned, seed), alpha)
    live = planned.live
    threshold = c * planned.se[live] * np.sqrt(planned.noise(errors.shape[0], seed)[:, live])

    def rate(effect: FloatArray) -> float:
        return float(np.mean((np.abs(moved[:, live] + effect[live]) > threshold).any(axis=1)))

    return rate


def power(
    effect: FloatArray,
    errors: FloatArray,
    spread: Spread,
    *,
    n0: int,
    n: int,
    alpha: float = 0.05,
    growth: float | None = None,
    seed: int = 0,
) -> float:
    """Probability that the uniform test finds an effect with n units.

    Parameters
    ----------
    effect : array, shape (m,)
        Effect on every quantile, in units of the outcome.
    errors : array, shape (B, m)
        Gaussian draws of the errors of the pilot's effect curve.
    spread : Spread
        Variance of that curve.
    n0, n : int
        Units (with clusters: clusters) of the pilot and units planned.
    alpha : float
        Level of the test.
    growth : float, optional
        Ratio of the bandwidths, see `bandwidth_growth`.
    seed : int
        Seed of the noise of the variance estimate.

    Returns
    -------
    float
        Between alpha (up to simulation error) and one.

    Examples
    --------
    One quantile with standard error 1: an effect of 2.8 standard errors is found in 80 of 100 samples.

    >>> errors = np.random.default_rng(0).standard_normal((20000, 1))
    >>> spread = Spread(np.ones((1, 1)), np.full((1, 1), 1e6))
    >>> round(power(np.array([2.8]), errors, spread, n0=100, n=100), 1)
    0.8
    """
    return rejection_rate(errors, spread, alpha, seed, error_scale(n0, n, growth))(
        np.asarray(effect, dtype=float)
    )


def smallest_effect(
    shape: FloatArray,
    errors: FloatArray,
    spread: Spread,
    *,
    n0: int,
    n: int,
    power: float = 0.8,
    alpha: float = 0.05,
    growth: float | None = None,
    seed: int = 0,
) -> float:
    """Find the multiple of a shape that the uniform test finds with the given power, with n units.

    Parameters are those of `power`; `shape`, shape (m,), is the effect up to its size, such as ones for a shift.

    Raises
    ------
    DataError
        When the shape is zero wherever the test looks, or the power lies outside (alpha, 1).

    Examples
    --------
    >>> errors = np.random.default_rng(0).standard_normal((20000, 1))
    >>> spread = Spread(np.ones((1, 1)), np.full((1, 1), 1e6))
    >>> round(smallest_effect(np.ones(1), errors, spread, n0=100, n=100), 1)
    2.8
    """
    if not alpha < power < 1.0:
        raise DataError(f"power={power!r}; give a probability between the level {alpha:g} and 1")
    form = np.asarray(shape, dtype=float)
    scale = error_scale(n0, n, growth)
    rate = rejection_rate(errors, spread, alpha, seed, scale)
    largest = float(np.max(np.abs(form[spread.live]) / spread.se[spread.live])) if spread.live.any() else 0.0
    if not largest > 0.0:
        raise DataError(
            "the shape of the effect is zero at all quantiles with a variance; no size of it can be found"
        )
    far = _FARTHEST * scale / largest
    return float(brentq(lambda size: rate(size * form) - power, 0.0, far, xtol=1e-6 * far))
