"""`r3d`: one call from data to a fitted effect curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option, record

from .bands import Band, make_band, standard_errors
from .bandwidth import Selector
from .estimation import Bandwidths, Estimate, Method, estimate
from .inputs import prepare
from .kernels import FloatArray, Kernel
from .process import MULTIPLIERS, MultiplierName, Process, make_process
from .quantiles import Rule
from .reference import reference_estimate
from .result import R3DResult
from .sample import Sample
from .scores import Residuals
from .segments import Columns, Missing, Notes
from .settings import Bandwidth, Options, check_options, choose_bandwidths, plain, single


def r3d(
    data: Any = None,
    *,
    y: Any = None,
    x: Any = None,
    unit: Any = None,
    treatment: Any = None,
    weights: Any = None,
    unit_weights: Any = None,
    cluster: Any = None,
    quantiles: ArrayLike | None = None,
    cutoff: float = 0.0,
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    p: int = 2,
    s: int = 1,
    bandwidth: Bandwidth | None = None,
    bandwidth_treatment: Bandwidth | None = None,
    selector: Selector = "mse",
    residuals: Residuals = "hc3",
    band: Band = "constant",
    quantile_rule: Rule = "linear",
    deriv: int = 0,
    covariates: Any = None,
    donut: float | tuple[float, float] = 0.0,
    n_boot: int = 1999,
    alpha: float = 0.05,
    multipliers: ArrayLike | MultiplierName | None = None,
    compat: str | None = None,
    random_state: int | None = None,
    quantile_matrix: ArrayLike | None = None,
    missing: Missing = "drop",
    continuous_treatment: bool = False,
) -> R3DResult:
    """Effect of crossing a cutoff on a whole distribution.

    Every unit (a state-year, a school, a firm) has its own distribution of outcomes. The estimand is the
    jump, at the cutoff, of the average unit quantile function,
    tau(q) = lim_{x -> c+} E[Q_i(q) | x] - lim_{x -> c-} E[Q_i(q) | x]; in a fuzzy design that jump is
    divided by the jump of the treatment. Each unit counts once, however many values it has. This is not
    the jump of the quantiles of the pooled values.

    Parameters
    ----------
    data : DataFrame, path, list of arrays, optional
        Long micro-data, one row a value (pandas, polars, Arrow, a DuckDB relation); a Parquet or CSV file of it,
        which may be larger than memory; or one array of values per unit.
    y, x, unit : str
        Columns of the outcome, the running variable (constant within units) and the unit. With a list or a
        matrix, `x` is an array with one entry a unit, and `unit` optional labels.
    treatment : str or array, optional
        Treatment taken, 0 or 1, constant within units: makes the design fuzzy.
    weights : str or list of arrays, optional
        Positive sampling weights of the values within their unit.
    unit_weights : str or array, optional
        Positive weights of units; the estimand is then the weighted average of unit quantile functions.
    cluster : str or array, optional
        Clusters of units, for instance states in a state-year panel.
    quantiles : array, shape (m,), optional
        Ascending probabilities strictly inside (0, 1); .01, .02, ..., .99 by default.
    cutoff : float
        In units of x; units at the cutoff belong to the upper side.
    method : {"frechet", "simple"}
        "frechet": one bandwidth, limit curves projected on monotone curves. "simple": a bandwidth per
        quantile, limit curves rearranged (sorted).
    kernel : {"triangular", "epanechnikov", "uniform"}
        Kernel.
    p, s : int
        Order of the polynomial, and the order for which the bandwidth is optimal; p = s + 1 corrects the bias.
    bandwidth : float, array of shape (m,) or {"minus": h, "plus": h}, optional
        In units of x; an array only with method "simple". Selected from the data by default.
    bandwidth_treatment : float, {"minus": h, "plus": h} or "common", optional
        Bandwidth of the first stage; selected from the data by default, "common" takes the outcome's.
    selector : {"mse", "cer", "msetwo"}
        Minimise mean squared error (integrated over quantiles with "frechet"), coverage error, or the squared
        error of each side's limit.
    residuals : {"hc3", "hc0", "hc1", "hc2", "nn"}
        Correction of residuals for leverage, or nearest-neighbour residuals; with clusters CR0 to CR3.
    band : {"constant", "studentized", "pointwise", "anderson_rubin"}
        See `R3DResult.band`. The first two hold for all quantiles at once.
    quantile_rule : {"linear", "inverse_cdf", "weighted_hmisc"}
        How unit quantiles are computed; see `unit_quantiles`.
    deriv : {0, 1}
        0 for a jump, 1 for a kink (a jump in the slope).
    covariates : list of str or array (n, k), optional
        Unit-level covariates for additive adjustment.
    donut : float or (float, float)
        Leave out units closer to the cutoff than this (below, above).
    n_boot : int
        Draws of the error process.
    alpha : float
        One minus the coverage of the band.
    multipliers : array (n, B) or {"normal", "mammen", "rademacher"}, optional
        Explicit multipliers, rows in order of first appearance of the units, or the law of a multiplier
        bootstrap. By default draws come straight from N(0, D'D), which is what normal multipliers give.
    compat : {"r3d-0.1"}, optional
        Reproduce the R package, its defects included.
    random_state : int, optional
        Seed of the draws. Without it a fresh one is taken, and kept in the provenance.
    quantile_matrix : array, shape (n, m), optional
        Unit quantiles computed elsewhere, in place of `data`.
    missing : {"drop", "raise"}
        What to do with missing values of y; dropping is counted and warned.
    continuous_treatment : bool
        Allow a treatment other than 0 and 1.

    Returns
    -------
    R3DResult
        Effect curve, limit curves, standard errors, band; tests, functionals, diagnostics and pictures as methods.

    Raises
    ------
    fisc.data.DataError
        When the data or an option cannot be used; the message says what was given, what was expected, what to do.

    Notes
    -----
    Identification needs the average quantile function to be continuous at the cutoff but for the treatment,
    and units on both sides of it; the fuzzy design also a first stage and no defiers.

    References
    ----------
    van Dijcke, D. (2026), Regression discontinuity design with distribution-valued outcomes,
    arXiv:2504.03992.

    Examples
    --------
    >>> from fisc.r3d import r3d, simulate
    >>> sim = simulate("paper1", n=200, seed=1)
    >>> fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=sim.quantiles, random_state=0)
    >>> bool((fit.band_lower < sim.truth).all() and (sim.truth < fit.band_upper).all())
    True
    """
    options = check_options(method, kernel, p, s, deriv, selector, residuals, band, n_boot, alpha, compat)
    notes = Notes()
    if compat is not None:
        _refuse_with_compat(unit_weights, cluster, covariates, donut, deriv)
        if weights is not None and quantile_rule == "linear":
            quantile_rule = "weighted_hmisc"
    columns = Columns(y, x, unit, treatment, weights, unit_weights, cluster, covariates)
    sample = prepare(
        data,
        columns,
        quantile_matrix=quantile_matrix,
        quantiles=quantiles,
        cutoff=cutoff,
        rule=quantile_rule,
        donut=donut,
        missing=missing,
        continuous_treatment=continuous_treatment,
        notes=notes,
        keep_plain=compat is not None,
    )
    if p <= s and compat is None:
        notes.warn(
            f"p={p} is not above s={s}: the estimate is not bias-corrected, so bands may undercover; use p={s + 1}"
        )
    return fit_sample(
        sample, options, bandwidth, bandwidth_treatment, multipliers, random_state, notes, quantile_rule
    )


def fit_sample(
    sample: Sample,
    options: Options,
    bandwidth: Bandwidth | None,
    bandwidth_treatment: Bandwidth | None,
    multipliers: ArrayLike | MultiplierName | None,
    random_state: int | None,
    notes: Notes,
    quantile_rule: Rule = "linear",
    *,
    fingerprints: bool = True,
) -> R3DResult:
    """Fit a prepared sample; the part of `r3d` after reading the data.

    `fingerprints` may be left out where thousands of fits are made of known draws.
    """
    bandwidths, selection = choose_bandwidths(sample, options, bandwidth, bandwidth_treatment)
    if options.compat is None:
        fitted = estimate(sample, options.design, bandwidths)
        _enough_units(sample, options, bandwidths, fitted)
    else:
        stage = None if bandwidths.t_plus is None else float(bandwidths.t_plus[0])
        fitted = reference_estimate(sample, options.design, bandwidths.plus, stage)
    seed = _seed(random_state)
    xi = _multipliers(multipliers, sample, options)
    process = make_process(fitted, sample.clusters, options.n_boot, seed, xi)
    first_stage = None if sample.treatment is None else fitted.first_stage
    jump = fitted.plus - fitted.minus
    contrast = process.contrast(jump, fitted.first_stage)
    se = standard_errors(process, contrast)
    stage_se = _stage_error(process) if first_stage is not None else None
    _judge(sample, options, fitted, stage_se, notes)
    limits = make_band(options.band, options.alpha, fitted.tau, se, process, contrast, jump, first_stage)
    result = R3DResult(
        quantiles=sample.q,
        tau=fitted.tau,
        se=se,
        band_lower=limits.lower,
        band_upper=limits.upper,
        critical_value=limits.critical_value,
        band_kind=options.band,
        alpha=options.alpha,
        q_plus=fitted.plus,
        q_minus=fitted.minus,
        raw_plus=fitted.raw_plus,
        raw_minus=fitted.raw_minus,
        bandwidth=plain(bandwidths.minus, bandwidths.plus),
        bandwidth_treatment=None
        if bandwidths.t_plus is None
        else plain(bandwidths.t_minus, bandwidths.t_plus),
        bandwidth_minus=single(bandwidths.minus),
        bandwidth_plus=single(bandwidths.plus),
        automatic_bandwidth=bandwidth is None,
        pilot=None if selection is None else selection.pilot,
        density=None if selection is None else selection.density,
        first_stage=first_stage,
        first_stage_se=stage_se,
        n_minus=int(np.count_nonzero(~sample.plus)),
        n_plus=int(np.count_nonzero(sample.plus)),
        n_effective_minus=single(fitted.n_inside_minus),
        n_effective_plus=single(fitted.n_inside_plus),
        covariate_coefficients=fitted.adjustment,
        process=process,
        options=options,
        cutoff=sample.cutoff,
        warnings=tuple(notes.messages),
        provenance=record(
            options={**options.__dict__, "cutoff": sample.cutoff, "quantile_rule": quantile_rule},
            inputs={"quantiles": sample.curves, "x": sample.x} if fingerprints else {},
            seed=seed,
            notes=notes.messages,
        ),
    )
    return result.with_sample(sample)


def _enough_units(sample: Sample, options: Options, bandwidths: Bandwidths, fitted: Estimate) -> None:
    """Refuse windows with fewer units than coefficients and one more, where residuals say nothing."""
    least = options.p + 2
    for counts, h, side in (
        (fitted.n_inside_minus, bandwidths.minus, "below"),
        (fitted.n_inside_plus, bandwidths.plus, "at or above"),
    ):
        if counts.min() < least:
            worst = int(np.argmin(counts))
            raise DataError(
                f"bandwidth {h[worst]:.6g} holds {counts[worst]} units {side} the cutoff, and p={options.p} needs "
                f"at least {least} for standard errors: widen the bandwidth or lower p"
            )


def _multipliers(multipliers: Any, sample: Sample, options: Options) -> FloatArray | MultiplierName | None:
    """Check multipliers and bring explicit ones into the sample's order."""
    if multipliers is None:
        return None
    if isinstance(multipliers, str):
        check_option("multipliers", multipliers, MULTIPLIERS)
        return multipliers  # type: ignore[return-value]
    try:
        xi = np.asarray(multipliers, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(
            "multipliers are not numbers; give an array of shape (units, draws) or a name"
        ) from error
    if xi.ndim != 2 or xi.shape[0] not in (sample.n_given, sample.x.size):
        raise DataError(
            f"multipliers have shape {xi.shape}; expected ({sample.n_given}, B), one row per unit in order of first "
            "appearance in the data"
        )
    if not np.isfinite(xi).all():
        raise DataError("multipliers hold values that are not finite")
    if options.compat is None and xi.shape[1] + 1 < 1.0 / options.alpha - 1e-9:
        raise DataError(
            f"{xi.shape[1]} multiplier draws cannot give a {100 * (1 - options.alpha):g}% band; use at least "
            f"{int(np.ceil(1 / options.alpha)) - 1}"
        )
    whole = xi.shape[0] == sample.n_given
    xi = xi[sample.position if whole else np.argsort(np.argsort(sample.position))]
    if sample.clusters is not None:
        _, first = np.unique(sample.clusters, return_index=True)
        if not np.array_equal(xi, xi[first][sample.clusters]):
            raise DataError(
                "with cluster= the units of a cluster share their multipliers; give them equal rows"
            )
    return xi


def _judge(sample: Sample, options: Options, fitted: Estimate, stage_se: float | None, notes: Notes) -> None:
    """Warn where the numbers rest on thin ground."""
    if stage_se is not None:
        t = abs(fitted.first_stage) / stage_se if stage_se > 0.0 else np.inf
        if not np.isfinite(fitted.tau).all():
            raise DataError(
                "the treatment does not jump at the cutoff at all (first stage 0): there is no effect to estimate"
            )
        if t < 3.0:
            notes.warn(
                f"the first stage is weak (jump {fitted.first_stage:.3g}, t = {t:.2g}): ratios are unreliable; "
                "use band='anderson_rubin'"
            )
    if sample.sizes is not None:
        extreme = float(np.minimum(sample.q, 1.0 - sample.q).min())
        smallest = int(sample.sizes.min())
        if smallest * extreme < 1.0:
            few = int(np.count_nonzero(sample.sizes * extreme < 1.0))
            notes.warn(
                f"{few} of {sample.x.size} units have fewer than {int(np.ceil(1 / extreme - 1e-9))} values "
                f"(the smallest {smallest}), so that their quantiles at {extreme:g} from the ends are extremes; "
                "narrow the quantiles"
            )
    for plus, side in ((False, "below"), (True, "above")):
        x = sample.x[sample.plus == plus]
        distinct = np.unique(x).size
        if distinct < 10 and distinct < x.size:
            notes.warn(
                f"the running variable takes only {distinct} values {side} the cutoff: extrapolation to it rests "
                "on the functional form; consider cluster= by its value"
            )


def _stage_error(process: Process) -> float:
    """Return standard error of the jump of the treatment."""
    half = process.covariance.shape[0] // 2
    row = np.zeros(2 * half)
    row[process.m], row[half + process.m] = 1.0, -1.0
    return float(np.sqrt(max(float(row @ process.covariance @ row), 0.0)))


def _refuse_with_compat(unit_weights: Any, cluster: Any, covariates: Any, donut: Any, deriv: int) -> None:
    """Refuse what the R package does not have."""
    if (
        any(v is not None for v in (unit_weights, cluster, covariates))
        or donut not in (0, 0.0, (0.0, 0.0))
        or deriv
    ):
        raise DataError(
            "compat='r3d-0.1' reproduces a package without unit weights, clusters, covariates, donuts and kinks; "
            "leave these out or leave compat out"
        )


def _seed(random_state: Any) -> int:
    """Return the seed given, or a fresh one that the provenance keeps."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint32)[0])
    if isinstance(random_state, bool) or not isinstance(random_state, (int, np.integer)) or random_state < 0:
        raise DataError(
            f"random_state={random_state!r}; give a whole number of at least 0, or None for a fresh seed"
        )
    return int(random_state)
