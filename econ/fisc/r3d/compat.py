"""What the R package computes, its defects included: ``compat="r3d-0.1"``, and nothing else here knows of it.

Published results can so be reproduced and the differences explained. Known defects reproduced here:
residuals are dropped where the intercept weight is not positive; the first stage borrows the weights of
the first quantile; the bandwidth rests on differences of slopes instead of curvature and depends on the
units of x; rearrangement runs through 1001 interpolated points; p-values can be zero, and the Gini test
is not centred. Singular windows, which the package turns into zeros, raise an error here too.
"""

from __future__ import annotations

from dataclasses import replace
from math import factorial

import numpy as np

from fisc.core import DataError
from fisc.core.arrays import FloatArray

from .bandwidth import Selection
from .design import Bandwidths
from .estimation import Estimate, SideScores
from .inputs import Source
from .kernels import kernel_weights
from .localpoly import SideFit, fit_side
from .options import Compat, Kernel, Options
from .procedure import Procedure
from .projection import isotonic_rows
from .sample import Sample

_ZERO = 1e-14
_NO_VARIANCE = 2.2e-16


class RPackage(Procedure):
    """The steps of R3D at commit 28744db."""

    slack = 0.0
    refits = False

    def request(self, source: Source, options: Options) -> Source:
        """Refuse what the package does not have; keep quantiles without weights, on which it selects."""
        columns = source.columns
        absent = (columns.unit_weights, columns.cluster, columns.covariates)
        if any(v is not None for v in absent) or source.donut not in (0, (0, 0)) or options.deriv:
            raise DataError(
                "compat='r3d-0.1' reproduces a package without unit weights, clusters, covariates, donuts and kinks; "
                "leave these out or leave compat out"
            )
        plain = source.rule in ("auto", "linear")
        rule = source.rule if not plain else "linear" if columns.weights is None else "weighted_hmisc"
        return replace(source, rule=rule, keep_plain=True)

    def select(
        self, sample: Sample, outcomes: FloatArray, options: Options, pool: FloatArray | None
    ) -> Selection:
        """Return the package's automatic bandwidth, on unit quantiles that ignore weights."""
        if outcomes is sample.curves and sample.plain_curves is not None:
            outcomes = sample.plain_curves
        return reference_bandwidth(sample.x, outcomes, options, pooled=pool is not None)

    def estimate(self, sample: Sample, options: Options, bandwidths: Bandwidths) -> Estimate:
        """Return the package's estimate."""
        stage = None if bandwidths.t_plus is None else float(bandwidths.t_plus[0])
        return reference_estimate(sample, options, bandwidths.plus, stage)

    def mean_weights(self, q: FloatArray) -> FloatArray:
        """Return equal weights, whatever the grid."""
        return np.full(q.size, 1.0 / q.size)

    def critical_value(self, draws: FloatArray, alpha: float) -> float:
        """Return the type-7 quantile, which is not the rule of its band."""
        return float(np.quantile(draws, 1.0 - alpha))

    def p_value(self, statistic: float, draws: FloatArray) -> float:
        """Return the share of draws, which can be zero."""
        return float(np.mean(draws >= statistic))

    def gini_errors(self, draws: FloatArray, difference: float) -> FloatArray:
        """Return the draws without centring, so that the test never rejects."""
        return draws


_PROCEDURES: dict[Compat | None, Procedure] = {None: Procedure(), "r3d-0.1": RPackage()}


def procedure_of(options: Options) -> Procedure:
    """Return the procedure that options ask for."""
    return _PROCEDURES[options.compat]


def rearrange_1001(curve: FloatArray, q: FloatArray) -> FloatArray:
    """Rearrangement through 1001 interpolated points, as Rearrangement::rearrangement does.

    It changes curves that ascend already, unless m - 1 divides 1000.
    """
    grid = (q - q[0]) / (q[-1] - q[0])
    fine = np.interp(np.linspace(0.0, 1.0, 1001), grid, curve)
    return np.asarray(np.quantile(fine, grid))


def reference_estimate(
    sample: Sample, options: Options, h: FloatArray, h_treatment: float | None
) -> Estimate:
    """Return the package's estimate and the scores its bootstrap sums; h has shape (1,) or (m,).

    Residuals are always the package's; scores are zero where the intercept weight is not positive.
    """
    raw, limit, side_scores, stage_limit, inside = {}, {}, {}, {}, {}
    for plus in (False, True):
        fit = fit_side(sample.x, sample.curves, h, options.p, options.kernel, plus=plus)
        raw[plus], inside[plus] = fit.alpha[0], fit.n_inside
        if options.method == "frechet":
            limit[plus] = isotonic_rows(fit.alpha[:1], np.ones(sample.q.size))[0]
            fitted = isotonic_rows(fit.fitted, np.ones(sample.q.size))
        else:
            limit[plus] = rearrange_1001(fit.alpha[0], sample.q) if sample.q.size > 1 else fit.alpha[0]
            fitted = fit.fitted
        positive = np.maximum(fit.coefficient_weights, 0.0)
        own = positive * (sample.curves[fit.rows] - fitted)
        stage_limit[plus], stage = _stage(sample, options, fit, positive[:, :1], h_treatment, plus)
        side_scores[plus] = SideScores(fit.rows, own, stage)
    first_stage = 1.0 if h_treatment is None else stage_limit[True] - stage_limit[False]
    tau = limit[True] - limit[False]
    return Estimate(
        tau=tau / first_stage if abs(first_stage) >= _ZERO else np.full(tau.shape, np.nan),
        plus=limit[True],
        minus=limit[False],
        raw_plus=raw[True],
        raw_minus=raw[False],
        first_stage=first_stage,
        plus_scores=side_scores[True],
        minus_scores=side_scores[False],
        n_inside_plus=inside[True],
        n_inside_minus=inside[False],
        df=(np.array([np.inf]),),
        moving=np.ones(tau.size, dtype=bool),
    )


def _stage(
    sample: Sample, options: Options, fit: SideFit, weights: FloatArray, h_treatment: float | None, plus: bool
) -> tuple[float, FloatArray]:
    """First-stage limit and its scores under the weights of the first quantile's fit."""
    count = fit.rows.stop - fit.rows.start
    if h_treatment is None or sample.treatment is None:
        return float(plus), np.empty((count, 0))
    treatment = sample.treatment[:, None]
    own = fit_side(sample.x, treatment, np.array([h_treatment]), options.p, options.kernel, plus=plus)
    powers = (sample.x[fit.rows] / h_treatment)[:, None] ** np.arange(options.p + 1)
    return float(own.alpha[0, 0]), weights * (treatment[fit.rows] - powers @ own.alpha)


def reference_bandwidth(x: FloatArray, outcomes: FloatArray, options: Options, *, pooled: bool) -> Selection:
    """Return the package's automatic bandwidth for outcomes (n, m), one from sums over them if pooled.

    The kernel is used for the density and the constants; the local fit is always triangular.
    """
    kernel, s = options.kernel, options.s
    n, k = x.size, s + 1
    spread = float(np.std(x, ddof=1))
    c = 1.06 * spread * n**-0.2
    density = float(kernel_weights(x / c, kernel).mean() / c)
    exponent = 1.0 / (2 * s + 3)
    zero = int(np.searchsorted(x, 0.0))
    sides = {False: slice(0, zero), True: slice(zero, n)}

    def optimal(variance: FloatArray, difference: FloatArray) -> FloatArray:
        if pooled:
            variance, difference = np.array([variance.sum()]), np.sqrt(np.array([(difference**2).sum()]))
        flat = np.abs(difference) <= _ZERO
        square = np.where(flat, 1.0, 2.0 * k * difference**2)
        return np.where(flat, 1.06 * spread * n ** (-1.0 / (2 * s + 1)), (variance / square / n) ** exponent)

    change, noise = np.zeros(outcomes.shape[1]), np.zeros(outcomes.shape[1])
    for plus, side in sides.items():
        beta, v = _riemann_constants(kernel, s, plus)
        powers = x[side][:, None] ** np.arange(k + 1)
        coefficients, *_ = np.linalg.lstsq(powers, outcomes[side], rcond=None)
        residual_variance = (outcomes[side] - powers @ coefficients).var(axis=0, ddof=1)
        change += (1.0 if plus else -1.0) * beta * coefficients[k]
        noise += v * np.where(residual_variance < _NO_VARIANCE, 1.0, residual_variance)
    pilot = optimal(noise / density, change)

    bias, variance = {}, {}
    for plus in sides:
        fit = fit_side(x, outcomes, pilot, s, "triangular", plus=plus)
        bias[plus] = fit.alpha[s] / factorial(k)
        weights = np.maximum(fit.coefficient_weights, 0.0)
        squared = (outcomes[fit.rows] - fit.fitted) ** 2
        variance[plus] = (weights * squared).sum(axis=0) / weights.sum(axis=0)
    difference, total = bias[True] - bias[False], variance[True] + variance[False]
    h = optimal(total / density, difference)
    if options.selector == "cer":
        h = h * n ** (-s / ((2 * s + 3) * (s + 3)))
    return Selection(h, h, float(pilot.mean()), density, difference, total, np.zeros_like(total))


def _riemann_constants(kernel: Kernel, s: int, plus: bool) -> tuple[float, float]:
    """Boundary constants by a Riemann sum over 1000 points of [-1, 1]."""
    u = np.linspace(-1.0, 1.0, 1000)
    u = u[u >= 0.0] if plus else u[u < 0.0]
    mass = kernel_weights(u, kernel)
    powers = u[:, None] ** np.arange(s + 1)
    step = 2.0 / 1000
    gamma = (powers * mass[:, None]).T @ powers * step
    lam = (powers * mass[:, None]).T @ u ** (s + 1) * step
    psi = (powers * mass[:, None] ** 2).T @ powers * step
    row = np.linalg.solve(gamma, np.eye(s + 1)[:, 0])
    return float(row @ lam), float(row @ psi @ row)
