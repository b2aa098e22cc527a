"""Limit curves, effect and scores for given bandwidths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import FloatArray, IntArray

from .covariates import adjust
from .design import Bandwidths
from .localpoly import SideFit, fit_side
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
    adjustment: FloatArray | None = None


def estimate(sample: Sample, options: Options, bandwidths: Bandwidths) -> Estimate:
    """Fit both sides and collect the scores.

    With the Frechet method the limit curve and every fitted curve are projected on monotone curves
    before residuals are taken (van Dijcke 2026, equations 20 to 22).
    """
    curves, adjustment = sample.curves, None
    if sample.covariates is not None:
        curves, adjustment = adjust(sample, curves, options, bandwidths.minus, bandwidths.plus)
    widths = cell_widths(sample.q)
    sides = {}
    for plus in (False, True):
        h = bandwidths.plus if plus else bandwidths.minus
        fit = _fit(sample, curves, h, options, plus)
        _enough_units(options, h, fit.n_inside, plus)
        raw = _limit(fit, h, options.deriv)
        fitted = fit.fitted
        limit = raw
        if options.method == "frechet":
            fitted = isotonic_rows(fitted, widths)
            limit = isotonic_rows(raw[None, :], widths)[0] if options.deriv == 0 else raw
        elif options.deriv == 0:
            limit = rearrange(raw)
        own = scores(fit, sample.x, curves, fitted, options.residuals, options.p, sample.clusters)
        sides[plus] = (raw, limit, fit, own, *_stage(sample, options, bandwidths, plus))
    raw_minus, minus, fit_minus, own_minus, t_minus, stage_minus = sides[False]
    raw_plus, plus_, fit_plus, own_plus, t_plus, stage_plus = sides[True]
    first_stage = 1.0 if sample.treatment is None else t_plus - t_minus
    return Estimate(
        tau=(plus_ - minus) / first_stage
        if abs(first_stage) > FIRST_STAGE_MIN
        else np.full(minus.shape, np.nan),
        plus=plus_,
        minus=minus,
        raw_plus=raw_plus,
        raw_minus=raw_minus,
        first_stage=first_stage,
        plus_scores=_merge(fit_plus.rows, own_plus, stage_plus),
        minus_scores=_merge(fit_minus.rows, own_minus, stage_minus),
        n_inside_plus=fit_plus.n_inside,
        n_inside_minus=fit_minus.n_inside,
        adjustment=adjustment,
    )


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
    sample: Sample, options: Options, bandwidths: Bandwidths, plus: bool
) -> tuple[float, tuple[slice, FloatArray] | None]:
    """Limit of the treatment on one side with its scores; own bandwidth, own weights."""
    if sample.treatment is None:
        return float(plus), None
    h = bandwidths.t_plus if plus else bandwidths.t_minus
    assert h is not None  # set together with the treatment
    treatment = sample.treatment[:, None]
    if sample.covariates is not None:
        assert bandwidths.t_minus is not None
        assert bandwidths.t_plus is not None
        treatment, _ = adjust(sample, treatment, options, bandwidths.t_minus, bandwidths.t_plus)
    fit = _fit(sample, treatment, h, options, plus)
    own = scores(fit, sample.x, treatment, fit.fitted, options.residuals, options.p, sample.clusters)
    return float(_limit(fit, h, options.deriv)[0]), (fit.rows, own)


def _merge(rows: slice, own: FloatArray, stage: tuple[slice, FloatArray] | None) -> SideScores:
    """Put the scores of curve and treatment on the union of their units."""
    if stage is None:
        return SideScores(rows, own, np.empty((own.shape[0], 0)))
    t_rows, t_own = stage
    if rows == t_rows:
        return SideScores(rows, own, t_own)
    union = slice(min(rows.start, t_rows.start), max(rows.stop, t_rows.stop))
    curve = np.zeros((union.stop - union.start, own.shape[1]))
    column = np.zeros((union.stop - union.start, 1))
    curve[rows.start - union.start : rows.stop - union.start] = own
    column[t_rows.start - union.start : t_rows.stop - union.start] = t_own
    return SideScores(union, curve, column)
