"""Limit curves, effect and scores for given bandwidths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import BoolArray, FloatArray, IntArray

from .atoms import has_spread
from .covariates import adjust
from .design import Bandwidths
from .honest import joint_scores, side_scores
from .localpoly import SideFit, fit_side, window
from .options import Options
from .projection import cell_widths, isotonic_rows, rearrange
from .sample import Sample
from .scores import scores

# First stages smaller than this are indistinguishable from none in double precision.
FIRST_STAGE_MIN = 1e-12


@dataclass(frozen=True, slots=True)
class SideScores:
    """Scores of one side on the units any of its fits uses."""

    rows: slice  # the k units within the widest bandwidth
    curve: FloatArray  # (k, m), of the limit curve
    stage: FloatArray  # (k, 1), of the limit of the treatment; (k, 0) in sharp designs

    @property
    def all(self) -> FloatArray:
        """Shape (k, m) or (k, m+1)."""
        return np.hstack([self.curve, self.stage]) if self.stage.size else self.curve


@dataclass(frozen=True, slots=True)
class Estimate:
    """Point estimates and scores; curves have shape (m,).

    `plus` and `minus` are the monotone limit curves (slopes, not made monotone, when deriv = 1),
    `raw_*` those before projection, `tau` their difference over the `first_stage` (1 when sharp).
    `df` holds degrees of freedom, shape (1,) or (m,), of the upper and of the lower variance, or of both together
    where something ties the sides; infinite where residuals are not stretched exactly. `moving`, shape (m,), tells
    at which quantiles units differ.
    """

    tau: FloatArray
    plus: FloatArray
    minus: FloatArray
    raw_plus: FloatArray
    raw_minus: FloatArray
    first_stage: float
    plus_scores: SideScores
    minus_scores: SideScores
    n_inside_plus: IntArray
    n_inside_minus: IntArray
    df: tuple[FloatArray, ...]
    moving: BoolArray
    adjustment: FloatArray | None = None


def estimate(sample: Sample, options: Options, bandwidths: Bandwidths) -> Estimate:
    """Fit both sides and collect the scores.

    With the Frechet method the limit curve and every fitted curve are projected on monotone curves
    before residuals are taken (van Dijcke 2026, equations 20 to 22).
    """
    curves, adjustment = sample.curves, None
    if sample.covariates is not None:
        curves, adjustment = adjust(sample, curves, options, bandwidths.minus, bandwidths.plus)
    limits = {}
    fits: list[SideFit] = []
    errors: list[FloatArray] = []
    for plus in (False, True):
        h = bandwidths.plus if plus else bandwidths.minus
        fit = _fit(sample, curves, h, options, plus)
        _enough_units(options, h, fit.n_inside, plus)
        raw, limit, fitted = _curves(fit, h, sample.q, options)
        limits[plus] = raw, limit
        fits.append(fit)
        errors.append(curves[fit.rows] - fitted)
    tied = _tied(sample, bandwidths)
    own, df = _scores(sample, options, fits, errors, curves, tied)
    first_stage, stage = 1.0, None
    if sample.treatment is not None:
        first_stage, stage, stage_df = _stage(sample, options, bandwidths, tied)
        df = tuple(np.minimum(a, b) for a, b in zip(df, stage_df, strict=True))
    (raw_minus, minus), (raw_plus, plus_) = limits[False], limits[True]
    return Estimate(
        tau=(plus_ - minus) / first_stage
        if abs(first_stage) > FIRST_STAGE_MIN
        else np.full(minus.shape, np.nan),
        plus=plus_,
        minus=minus,
        raw_plus=raw_plus,
        raw_minus=raw_minus,
        first_stage=first_stage,
        plus_scores=_merge(own[1], None if stage is None else stage[1]),
        minus_scores=_merge(own[0], None if stage is None else stage[0]),
        n_inside_plus=fits[1].n_inside,
        n_inside_minus=fits[0].n_inside,
        df=df,
        moving=has_spread(sample.curves[fits[0].rows], sample.curves[fits[1].rows]),
        adjustment=adjustment,
    )


def _curves(
    fit: SideFit, h: FloatArray, q: FloatArray, options: Options
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Limit curve before and after it is made monotone, shape (m,), and fitted curves, shape (k, m)."""
    raw = _limit(fit, h, options.deriv)
    if options.method == "simple":
        return raw, rearrange(raw) if options.deriv == 0 else raw, fit.fitted
    widths = cell_widths(q)
    limit = isotonic_rows(raw[None, :], widths)[0] if options.deriv == 0 else raw
    return raw, limit, isotonic_rows(fit.fitted, widths)


def _tied(sample: Sample, bandwidths: Bandwidths) -> bool:
    """Tell whether units of both sides move each limit: by covariates, or clusters with units in both windows."""
    if sample.covariates is not None:
        return True
    if sample.clusters is None:
        return False
    below, above = (
        max(float(h.max()) for h in pair if h is not None)
        for pair in ((bandwidths.minus, bandwidths.t_minus), (bandwidths.plus, bandwidths.t_plus))
    )
    near = window(sample.x, below, False), window(sample.x, above, True)
    return bool(np.intersect1d(sample.clusters[near[0]], sample.clusters[near[1]]).size)


_Scores = tuple[tuple[slice, FloatArray], tuple[slice, FloatArray]]


def _scores(
    sample: Sample,
    options: Options,
    fits: list[SideFit],
    errors: list[FloatArray],
    outcomes: FloatArray,
    tied: bool,
) -> tuple[_Scores, tuple[FloatArray, ...]]:
    """Units and scores of the lower and of the upper limit, and degrees of freedom (of the upper one first)."""
    below, above = fits
    x, p, clusters = sample.x, options.p, sample.clusters
    if options.residuals != "hc2":
        lower, upper = (
            scores(f, x, outcomes, e, options.residuals, p, clusters)
            for f, e in zip(fits, errors, strict=True)
        )
        return ((below.rows, lower), (above.rows, upper)), (np.array([np.inf]),)
    if not tied:
        (lower, df_lower), (upper, df_upper) = (
            side_scores(f, x, e, p, clusters) for f, e in zip(fits, errors, strict=True)
        )
        return ((below.rows, lower), (above.rows, upper)), (df_upper, df_lower)
    lower, upper, df = joint_scores(
        below,
        above,
        x,
        np.vstack(errors),
        p,
        deriv=options.deriv,
        covariates=sample.covariates,
        clusters=clusters,
    )
    both = slice(below.rows.start, above.rows.stop)
    return ((both, lower), (both, upper)), (df,)


def _enough_units(options: Options, h: FloatArray, counts: IntArray, plus: bool) -> None:
    """Refuse windows with fewer units than coefficients and one more, where residuals say nothing."""
    least = options.p + 2
    if counts.min() < least:
        worst = int(np.argmin(counts))
        raise DataError(
            f"bandwidth {h[worst]:.6g} holds {counts[worst]} units {'at or above' if plus else 'below'} the cutoff, "
            f"and p={options.p} needs at least {least} for standard errors: widen the bandwidth or lower p"
        )


def _fit(sample: Sample, outcomes: FloatArray, h: FloatArray, options: Options, plus: bool) -> SideFit:
    return fit_side(
        sample.x,
        outcomes,
        h,
        options.p,
        options.kernel,
        plus=plus,
        deriv=options.deriv,
        unit_weights=sample.unit_weights,
    )


def _limit(fit: SideFit, h: FloatArray, deriv: int) -> FloatArray:
    """Value or slope at the cutoff, per unit of x."""
    return np.asarray(fit.alpha[deriv] / h**deriv)


def _stage(
    sample: Sample, options: Options, bandwidths: Bandwidths, tied: bool
) -> tuple[float, _Scores, tuple[FloatArray, ...]]:
    """Jump of the treatment with its scores and degrees of freedom; own bandwidth, own weights."""
    assert sample.treatment is not None
    assert bandwidths.t_minus is not None  # set together with the treatment
    assert bandwidths.t_plus is not None
    treatment = sample.treatment[:, None]
    if sample.covariates is not None:
        treatment, _ = adjust(sample, treatment, options, bandwidths.t_minus, bandwidths.t_plus)
    fits = [
        _fit(sample, treatment, h, options, plus)
        for plus, h in ((False, bandwidths.t_minus), (True, bandwidths.t_plus))
    ]
    errors = [treatment[fit.rows] - fit.fitted for fit in fits]
    own, df = _scores(sample, options, fits, errors, treatment, tied)
    below, above = (
        float(_limit(fit, h, options.deriv)[0])
        for fit, h in zip(fits, (bandwidths.t_minus, bandwidths.t_plus), strict=True)
    )
    return above - below, own, df


def _merge(curve: tuple[slice, FloatArray], stage: tuple[slice, FloatArray] | None) -> SideScores:
    """Put the scores of curve and treatment on the union of their units."""
    rows, own = curve
    if stage is None:
        return SideScores(rows, own, np.empty((own.shape[0], 0)))
    t_rows, t_own = stage
    if rows == t_rows:
        return SideScores(rows, own, t_own)
    union = slice(min(rows.start, t_rows.start), max(rows.stop, t_rows.stop))
    shared = np.zeros((union.stop - union.start, own.shape[1]))
    column = np.zeros((union.stop - union.start, 1))
    shared[rows.start - union.start : rows.stop - union.start] = own
    column[t_rows.start - union.start : t_rows.stop - union.start] = t_own
    return SideScores(union, shared, column)
