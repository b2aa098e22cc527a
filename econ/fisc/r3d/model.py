"""`r3d`: one call from data to a fitted effect curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.data import DataError, check_option, record

from .bands import BANDS, Band, make_band, standard_errors
from .bandwidth import SELECTORS, Selection, Selector, select
from .estimation import METHODS, Bandwidths, Design, Estimate, Method, estimate
from .inputs import Columns, Missing, Notes, prepare
from .kernels import KERNELS, FloatArray, Kernel
from .process import MULTIPLIERS, MultiplierName, Process, make_process
from .projection import cell_widths
from .quantiles import Rule
from .reference import COMPAT, reference_bandwidth, reference_estimate
from .result import R3DResult
from .sample import Sample
from .scores import RESIDUALS, Residuals
from .testing import check_level

Bandwidth = float | ArrayLike | dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Checked options of one call."""

    method: Method
    kernel: Kernel
    p: int
    s: int
    deriv: int
    selector: Selector
    residuals: Residuals
    band: Band
    n_boot: int
    alpha: float
    compat: str | None

    @property
    def design(self) -> Design:
        """What the estimator needs of them."""
        return Design(self.method, self.kernel, self.p, self.deriv, self.residuals)


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


def check_options(
    method: Any,
    kernel: Any,
    p: Any,
    s: Any,
    deriv: Any,
    selector: Any = "mse",
    residuals: Any = "hc3",
    band: Any = "constant",
    n_boot: Any = 1999,
    alpha: Any = 0.05,
    compat: Any = None,
) -> Options:
    """Check every option that is not data."""
    check_option("method", method, METHODS)
    check_option("kernel", kernel, KERNELS)
    check_option("selector", selector, SELECTORS)
    check_option("residuals", residuals, RESIDUALS)
    check_option("band", band, BANDS)
    check_option("compat", compat, (None, COMPAT))
    for name, value, least in (("p", p, 0), ("s", s, 0), ("n_boot", n_boot, 1)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise DataError(f"{name}={value!r}; give a whole number of at least {least}")
    check_option("deriv", deriv, (0, 1))
    if p < deriv or s < deriv:
        raise DataError(f"deriv={deriv} needs p >= {deriv} and s >= {deriv}; p={p}, s={s} were given")
    level = check_level(alpha)
    if n_boot + 1 < 1.0 / level - 1e-9:
        raise DataError(
            f"n_boot={n_boot} draws cannot give a {100 * (1 - level):g}% band; "
            f"use at least {int(np.ceil(1 / level)) - 1}"
        )
    return Options(
        method, kernel, int(p), int(s), int(deriv), selector, residuals, band, int(n_boot), level, compat
    )


def choose_bandwidths(
    sample: Sample, options: Options, bandwidth: Bandwidth | None, bandwidth_treatment: Bandwidth | None
) -> tuple[Bandwidths, Selection | None]:
    """Bandwidths given by the user, or selected where they are not."""
    selection = None
    if bandwidth is None:
        _enough_for_selection(sample, options.p)
        selection = _select_outcome(sample, options)
        minus, plus = selection.minus, selection.plus
    else:
        minus, plus = _given(bandwidth, "bandwidth", sample, vector=options.method == "simple")
    if sample.treatment is None:
        if bandwidth_treatment is not None:
            raise DataError(
                "bandwidth_treatment was given without treatment=; leave it out or name the treatment"
            )
        return Bandwidths(minus, plus), selection
    if isinstance(bandwidth_treatment, str):
        check_option("bandwidth_treatment", bandwidth_treatment, ("common",))
        t_minus, t_plus = minus.mean(keepdims=True), plus.mean(keepdims=True)
    elif bandwidth_treatment is None:
        _enough_for_selection(sample, options.p)
        stage = _select(sample, sample.treatment[:, None], options, pool=None)
        t_minus, t_plus = stage.minus, stage.plus
    else:
        t_minus, t_plus = _given(bandwidth_treatment, "bandwidth_treatment", sample, vector=False)
    return Bandwidths(minus, plus, t_minus, t_plus), selection


def _select_outcome(sample: Sample, options: Options) -> Selection:
    pool = cell_widths(sample.q) if options.method == "frechet" else None
    curves = sample.curves if options.compat is None or sample.plain_curves is None else sample.plain_curves
    selection = _select(sample, curves, options, pool)
    if sample.covariates is None:
        return selection
    # Once more on the curves net of covariates, whose variance is smaller.
    from .covariates import adjust_outcomes

    net, _ = adjust_outcomes(sample, curves, options.design, selection.minus, selection.plus)
    return _select(sample, net, options, pool)


def _select(sample: Sample, outcomes: FloatArray, options: Options, pool: FloatArray | None) -> Selection:
    if options.compat is not None:
        found = reference_bandwidth(
            sample.x,
            outcomes,
            kernel=options.kernel,
            s=options.s,
            pooled=pool is not None,
            coverage=options.selector == "cer",
        )
        difference = found["bias_plus"] - found["bias_minus"]
        total = found["variance_plus"] + found["variance_minus"]
        reach = float(np.abs(sample.x).max())
        return Selection(
            found["h"],
            found["h"],
            float(found["pilot"].mean()),
            float(found["density"][0]),
            0.0,
            reach,
            difference,
            total,
            np.zeros_like(total),
        )
    return select(
        sample.x,
        outcomes,
        kernel=options.kernel,
        p=options.p,
        s=options.s,
        deriv=options.deriv,
        selector=options.selector,
        pool=pool,
        unit_weights=sample.unit_weights,
        clusters=sample.clusters,
    )


def _enough_for_selection(sample: Sample, p: int) -> None:
    """Refuse to select a bandwidth from a handful of units."""
    least = 2 * (p + 2)
    for plus, side in ((False, "below"), (True, "at or above")):
        x = sample.x[sample.plus == plus]
        if x.size < least:
            raise DataError(
                f"only {x.size} units lie {side} the cutoff; an automatic bandwidth with p={p} needs "
                f"at least {least} on each side: pass bandwidth=, lower p, or gather more units"
            )
        distinct = np.unique(x).size
        if distinct < p + 2:
            raise DataError(
                f"the running variable has only {distinct} distinct values {side} the cutoff; p={p} needs at least "
                f"{p + 2}: lower p, or treat the design as one with a discrete running variable"
            )


def _given(value: Any, name: str, sample: Sample, *, vector: bool) -> tuple[FloatArray, FloatArray]:
    """Check a user's bandwidth; (minus, plus), each of shape (1,) or (m,)."""
    if isinstance(value, dict):
        if set(value) != {"minus", "plus"}:
            raise DataError(f"{name}={value!r}; a dict needs exactly the keys 'minus' and 'plus'")
        return _given(value["minus"], name, sample, vector=vector)[0], _given(
            value["plus"], name, sample, vector=vector
        )[1]
    try:
        h = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}={value!r} is not a number; give a distance in units of x") from error
    if h.ndim != 1 or h.size not in (1, sample.q.size):
        expected = f"one number, or {sample.q.size} (one per quantile)" if vector else "one number"
        raise DataError(f"{name} has shape {h.shape}; expected {expected}")
    if h.size > 1 and not vector:
        if np.ptp(h) > 0.0:
            raise DataError(
                f"{name} varies over quantiles, which only method='simple' allows; give one number"
            )
        h = h[:1]
    if not np.all(np.isfinite(h) & (h > 0.0)):
        low, high = sample.x[[0, -1]] + sample.cutoff
        raise DataError(
            f"{name}={h[~(np.isfinite(h) & (h > 0.0))][0]:g}; it must be a positive distance in units of x, "
            f"which spans {low:g}..{high:g} around the cutoff {sample.cutoff:g}"
        )
    if h.size > 1 and np.ptp(h) == 0.0:
        h = h[:1]
    return h, h


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
    if xi.shape[0] == sample.n_given:
        return xi[sample.position]
    return xi[np.argsort(np.argsort(sample.position))]


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


def single(values: Any) -> Any:
    """Return a plain number where one value holds for all quantiles, else the array."""
    return values[0].item() if values.size == 1 else values


def plain(minus: Any, plus: Any) -> Any:
    """Return the bandwidth as the user thinks of it: a number, one per quantile, or (below, above)."""
    if np.array_equal(minus, plus):
        return single(plus)
    if minus.size == plus.size == 1:
        return np.array([minus[0], plus[0]])
    return np.stack([np.broadcast_to(minus, plus.shape), plus])
