"""Confidence bands for the effect curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import FloatArray

from .options import Band
from .process import Process, critical_value
from .studentised import Spread, band, constant_half_width, t_draws


@dataclass(frozen=True, eq=False)
class Limits:
    """A band on the grid.

    Attributes
    ----------
    lower, upper : array, shape (m,)
        Infinite where the data do not bound the effect (Anderson-Rubin).
    critical_value : float
        Half width of a constant band; multiple of the standard error otherwise (of pointwise intervals the median
        one).
    """

    lower: FloatArray
    upper: FloatArray
    critical_value: float


def make_band(
    kind: Band,
    alpha: float,
    tau: FloatArray,
    raw: FloatArray,
    process: Process,
    contrast: FloatArray,
    spread: Spread,
    jump: FloatArray,
    first_stage: float | None,
) -> Limits:
    """Band with coverage 1 - alpha around tau, shape (m,).

    Half width the same everywhere (simultaneous); proportional to the standard error (simultaneous); t intervals
    point by point (not simultaneous); or inversion of a test that does not divide by the first stage
    (simultaneous, fuzzy designs). `raw` is tau before limits are made monotone; `contrast`, shape (2M, m), gives
    the error of tau as a linear map of the process, and `spread` its variance; `jump` is that of the outcome, not
    divided by the first stage, which is None in sharp designs. Quantiles in an atom of the outcome take no part in
    what holds for all at once.
    """
    if kind == "pointwise":
        c = spread.t_quantiles(alpha)
        return Limits(tau - c * spread.se, tau + c * spread.se, float(np.median(c)))
    if kind == "anderson_rubin":
        if first_stage is None:
            raise DataError(
                "band='anderson_rubin' is for fuzzy designs; without treatment= use 'constant' or 'studentized'"
            )
        return anderson_rubin(alpha, jump, first_stage, process)
    if kind == "constant":
        half = constant_half_width(process.draws, contrast, process.components, alpha, process.seed + 1)
        return Limits(tau - half, tau + half, half)
    if not spread.live.any():  # the band is the curve itself
        return Limits(np.minimum(tau, raw), np.maximum(tau, raw), np.nan)
    return Limits(*band(tau, process.draws @ contrast, spread, alpha, process.seed + 1, raw))


def anderson_rubin(alpha: float, jump: FloatArray, first_stage: float, process: Process) -> Limits:
    """Values t(q) that the test of jump(q) = t(q) * first_stage does not reject.

    |jump - t d| <= c sqrt(V_jj - 2 t V_jd + t^2 V_dd) is a quadratic inequality in t at each q. The
    critical value is that of the studentised process jump(q) - t(q) d, taken at the estimated effect
    and at zero, whichever is larger, since it depends (weakly) on t. A set that is unbounded on one
    side or has a hole is reported as the whole line.

    References
    ----------
    Anderson, T. W. and Rubin, H. (1949), Annals of Mathematical Statistics 20, 46-63; Feir, D.,
    Lemieux, T. and Marmer, V. (2016), Journal of Business & Economic Statistics 34, 185-196.
    """
    m, to_stage = jump.size, process.to_stage
    to_jump = process.contrast(np.zeros(m), 1.0)
    v_dd = float(to_stage @ process.covariance @ to_stage)
    v_jd = to_jump.T @ process.covariance @ to_stage
    v_jj = np.einsum("im,ij,jm->m", to_jump, process.covariance, to_jump, optimize=True)
    draws = t_draws(process.draws, process.components, process.seed + 1)
    errors, stage_errors = draws @ to_jump, (draws @ to_stage)[:, None]
    candidates = [np.zeros(m)] + ([jump / first_stage] if first_stage != 0.0 else [])
    c = 0.0
    for t in candidates:
        se = np.sqrt(np.maximum(v_jj - 2.0 * t * v_jd + t**2 * v_dd, 0.0))
        suprema = np.abs((errors - stage_errors * t) / np.where(se > 0.0, se, 1.0)).max(axis=1)
        c = max(c, critical_value(suprema, alpha))
    # a t^2 + b t + d <= 0
    a = first_stage**2 - c**2 * v_dd
    b = -2.0 * (jump * first_stage - c**2 * v_jd)
    d = jump**2 - c**2 * v_jj
    discriminant = b**2 - 4.0 * a * d
    if a <= 0.0:
        return Limits(np.full(m, -np.inf), np.full(m, np.inf), c)
    root = np.sqrt(np.maximum(discriminant, 0.0))
    return Limits((-b - root) / (2.0 * a), (-b + root) / (2.0 * a), c)
