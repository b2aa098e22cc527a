"""Limit curves, effect and scores for given bandwidths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from .kernels import FloatArray, Kernel
from .localpoly import SideFit, fit_side
from .projection import cell_widths, isotonic_rows, rearrange
from .quantiles import IntArray
from .sample import Sample
from .scores import Residuals, scores

Method = Literal["simple", "frechet"]
METHODS: tuple[Method, ...] = ("simple", "frechet")

# First stages smaller than this are indistinguishable from none in double precision.
FIRST_STAGE_MIN = 1e-12


@dataclass(frozen=True, slots=True)
class Design:
    """How to estimate: the options that shape the estimator itself."""

    method: Method = "frechet"
    kernel: Kernel = "triangular"
    p: int = 2
    deriv: int = 0
    residuals: Residuals = "hc3"


@dataclass(frozen=True, slots=True)
class Bandwidths:
    """Bandwidths in units of x, each of shape (1,) or (m,); `t_*` for the treatment, shape (1,)."""

    minus: FloatArray
    plus: FloatArray
    t_minus: FloatArray | None = None
    t_plus: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class SideScores:
    """Scores of one side on the units any of its fits uses.

    Attributes
    ----------
    rows : slice
        The k units within the widest bandwidth.
    curve : array, shape (k, m)
        Scores of the limit curve.
    stage : array, shape (k, 1) or (k, 0)
        Scores of the limit of the treatment; no column in sharp designs.
    """

    rows: slice
    curve: FloatArray
    stage: FloatArray

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
    stage_limits: tuple[float, float]
    plus_scores: SideScores
    minus_scores: SideScores
    n_inside_plus: IntArray
    n_inside_minus: IntArray
    adjustment: FloatArray | None = None


def estimate(sample: Sample, design: Design, bandwidths: Bandwidths) -> Estimate:
    """Fit both sides and collect the scores.

    Parameters
    ----------
    sample : Sample
        The prepared data.
    design : Design
        Method, kernel, order and residuals.
    bandwidths : Bandwidths
        In units of x.

    Returns
    -------
    Estimate
        With the Frechet method the limit curve and every fitted curve are projected on monotone
        curves before residuals are taken (van Dijcke 2026, equations 20 to 22).
    """
    curves, adjustment = sample.curves, None
    if sample.covariates is not None:
        from .covariates import adjust

        curves, adjustment = adjust(sample, design, bandwidths)
    widths = cell_widths(sample.q)
    sides = {}
    for plus in (False, True):
        h = bandwidths.plus if plus else bandwidths.minus
        fit = _fit(sample, curves, h, design, plus)
        raw = _limit(fit, h, design.deriv)
        fitted = fit.fitted
        limit = raw
        if design.method == "frechet":
            fitted = isotonic_rows(fitted, widths)
            limit = isotonic_rows(raw[None, :], widths)[0] if design.deriv == 0 else raw
        elif design.deriv == 0:
            limit = rearrange(raw)
        own = scores(fit, sample.x, curves, fitted, design.residuals, design.p, sample.clusters)
        sides[plus] = (raw, limit, fit, own, *_stage(sample, design, bandwidths, plus))
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
        stage_limits=(t_minus, t_plus),
        plus_scores=_merge(fit_plus.rows, own_plus, stage_plus),
        minus_scores=_merge(fit_minus.rows, own_minus, stage_minus),
        n_inside_plus=fit_plus.n_inside,
        n_inside_minus=fit_minus.n_inside,
        adjustment=adjustment,
    )


def _fit(sample: Sample, outcomes: FloatArray, h: FloatArray, design: Design, plus: bool) -> SideFit:
    return fit_side(
        sample.x,
        outcomes,
        h,
        design.p,
        design.kernel,
        plus=plus,
        deriv=design.deriv,
        unit_weights=sample.unit_weights,
    )


def _limit(fit: SideFit, h: FloatArray, deriv: int) -> FloatArray:
    """Value or slope at the cutoff, per unit of x."""
    return np.asarray(fit.alpha[deriv] / h**deriv)


def _stage(
    sample: Sample, design: Design, bandwidths: Bandwidths, plus: bool
) -> tuple[float, tuple[slice, FloatArray] | None]:
    """Limit of the treatment on one side with its scores; own bandwidth, own weights."""
    if sample.treatment is None:
        return float(plus), None
    h = bandwidths.t_plus if plus else bandwidths.t_minus
    assert h is not None  # set together with the treatment
    treatment = sample.treatment[:, None]
    if sample.covariates is not None:
        from .covariates import adjust_outcomes

        assert bandwidths.t_minus is not None
        assert bandwidths.t_plus is not None
        treatment, _ = adjust_outcomes(sample, treatment, design, bandwidths.t_minus, bandwidths.t_plus)
    fit = _fit(sample, treatment, h, design, plus)
    own = scores(fit, sample.x, treatment, fit.fitted, design.residuals, design.p, sample.clusters)
    return float(_limit(fit, h, design.deriv)[0]), (fit.rows, own)


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
