"""`r3d`: one call from data to a fitted effect curve."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from fisc.core.frames import TableLike

from .choice import Bandwidth
from .compat import procedure_of
from .fitting import fit_sample
from .inputs import Data, Source, prepare
from .names import check_inside, names_of
from .notes import Notes
from .options import (
    Band,
    Compat,
    Deriv,
    Kernel,
    Method,
    Missing,
    MultiplierName,
    Options,
    QuantileRule,
    Residuals,
    Selector,
)
from .result import R3DResult
from .variables import Columns


def r3d(
    data: Data | None = None,
    *,
    y: str | None = None,
    x: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    treatment: ArrayLike | None = None,
    weights: str | Sequence[ArrayLike] | None = None,
    unit_weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    quantiles: ArrayLike | None = None,
    cutoff: float = 0.0,
    method: Method = "frechet",
    kernel: Kernel = "triangular",
    p: int = 2,
    s: int = 1,
    bandwidth: Bandwidth | None = None,
    bandwidth_treatment: Bandwidth | None = None,
    selector: Selector = "mse",
    residuals: Residuals = "hc2",
    band: Band = "studentized",
    quantile_rule: QuantileRule = "auto",
    deriv: Deriv = 0,
    covariates: ArrayLike | None = None,
    donut: float | tuple[float, float] = 0.0,
    n_boot: int = 9999,
    alpha: float = 0.05,
    multipliers: ArrayLike | MultiplierName | None = None,
    compat: Compat | None = None,
    random_state: int | None = None,
    quantile_matrix: ArrayLike | TableLike | None = None,
    missing: Missing = "drop",
    continuous_treatment: bool = False,
    subset: str | ArrayLike | None = None,
    glob: bool = False,
    sizes: ArrayLike | None = None,
    means: ArrayLike | None = None,
    y_label: str | None = None,
    x_label: str | None = None,
    unit_label: str | None = None,
    support: tuple[float | None, float | None] | None = None,
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
        Long micro-data, one row a value (pandas, polars, Arrow, a DuckDB relation); the path of a file
        (Parquet, CSV, Stata, Feather) or of a folder of Parquet files, which may be larger than memory; or one
        array of values per unit.
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
    residuals : {"hc2", "hc0", "hc1", "hc3", "nn"}
        Correction of residuals for leverage (covariates included), or nearest-neighbour residuals; with clusters
        CR0 to CR3. "hc2" comes with Bell and McCaffrey's degrees of freedom, so that intervals, bands and tests use
        t and not normal quantiles; the others are normal.
    band : {"studentized", "constant", "pointwise", "anderson_rubin"}
        See `R3DResult.band`. The first two hold for all quantiles at once.
    quantile_rule : {"auto", "linear", "size_free", "inverse_cdf", "weighted_hmisc"}
        How unit quantiles are computed; see `unit_quantiles`. "auto" is "linear" (type 7) unless the sizes of
        units jump at the cutoff, which would look like an effect; then it is "size_free", with a warning.
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
        Explicit multipliers, rows in order of first appearance of the units, or the distribution to draw them
        from. By default draws come straight from N(0, D'D), which is what normal multipliers give.
    compat : {"r3d-0.1"}, optional
        Reproduce the R package, its defects included; its band is "constant", its tests are not studentised.
    random_state : int, optional
        Seed of the draws. Without it the data give one, so that the same call gives the same numbers.
    quantile_matrix : array, shape (n, m), optional
        Unit quantiles computed elsewhere, in place of `data`.
    missing : {"drop", "raise"}
        What to do with missing values of y; dropping is counted and warned.
    continuous_treatment : bool
        Allow a treatment other than 0 and 1; one that varies within units counts as its mean, the share treated.
    subset : str or array of bool, optional
        Rows of micro-data to use: a condition in SQL, such as ``"year >= 2000 and state = 'OH'"``, or truth values
        for the rows of a table.
    glob : bool
        Read a path with * or ? as a pattern for several Parquet files.
    sizes, means : array, shape (n,), optional
        How many values are behind each row of `quantile_matrix`, and their mean.
    y_label, x_label, unit_label : str, optional
        What pictures, tables and sentences call the outcome, the running variable and a unit; the names of the
        columns by default.
    support : (float or None, float or None), optional
        Where the outcome can lie, as (0, None) for incomes: pictures draw nothing outside.

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
    >>> sim = simulate("paper1", n=200, random_state=1)
    >>> fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=sim.quantiles, random_state=0)
    >>> bool((fit.band_lower < sim.truth).all() and (sim.truth < fit.band_upper).all())
    True
    """
    options = Options(method, kernel, p, s, deriv, selector, residuals, band, n_boot, alpha, compat)
    columns = Columns(y, x, unit, treatment, weights, unit_weights, cluster, covariates)
    source = Source(
        data,
        columns,
        quantile_matrix,
        quantiles,
        cutoff,
        quantile_rule,
        donut,
        missing,
        continuous_treatment,
        subset=subset,
        glob=glob,
        sizes=sizes,
        means=means,
    )
    names = names_of(columns, y_label, x_label, unit_label, support)
    source, notes = procedure_of(options).request(source, options), Notes()
    sample = prepare(source, notes)
    check_inside(names, sample.curves)
    fit = fit_sample(
        sample,
        options,
        bandwidth=bandwidth,
        bandwidth_treatment=bandwidth_treatment,
        multipliers=multipliers,
        random_state=random_state,
        notes=notes,
        fingerprints=True,
    )
    return R3DResult.of(fit, names)
