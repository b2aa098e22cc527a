"""Two steps of `r3d` that are useful alone: unit quantiles and bandwidths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option
from fisc.core.arrays import FloatArray
from fisc.core.frames import TableLike
from fisc.report import Result

from .choice import choose_bandwidths
from .compat import procedure_of
from .design import single
from .inputs import Data, Source, check_quantiles, prepare, read
from .notes import Notes
from .options import Compat, Deriv, Kernel, Method, Missing, Options, QuantileRule, Rule, Selector
from .sample import Sample
from .segments import Reading
from .variables import Columns


def unit_quantiles(
    data: Data,
    *,
    y: str | None = None,
    unit: str | None = None,
    weights: str | Sequence[ArrayLike] | None = None,
    quantiles: ArrayLike | None = None,
    rule: Rule = "linear",
    missing: Missing = "drop",
    subset: str | ArrayLike | None = None,
    glob: bool = False,
) -> pd.DataFrame:
    """Quantile functions of units.

    Parameters
    ----------
    data : DataFrame, path or list of arrays
        Long micro-data, a file or folder of it as of `r3d`, or one array a unit.
    y, unit : str
        Columns of the values and of the unit; not needed with a list.
    weights : str or list of arrays, optional
        Positive sampling weights of the values.
    quantiles : array, shape (m,), optional
        Ascending probabilities strictly inside (0, 1); .01, .02, ..., .99 by default.
    rule : {"linear", "size_free", "inverse_cdf", "weighted_hmisc"}
        "linear": Hyndman and Fan type 7, with weights the interpolation between
        p_k = (S_k - w_k/2 - w_1/2) / (S_N - w_1/2 - w_N/2), which equals type 7 when all weights agree; tied values
        share their mean weight, so that the order of rows does not matter. "size_free": the expected type-7 quantile
        of n0 of the unit's values drawn at random, n0 the size that all but 1 % of the units have, so that quantiles
        of small and large units have the same bias.
        "inverse_cdf": smallest value with cumulated share of at least q. "weighted_hmisc": the rule of
        Hmisc::wtd.quantile, for comparison with R.
    missing : {"drop", "raise"}
        What to do with missing values.
    subset : str or array of bool, optional
        Rows to use, as of `r3d`.
    glob : bool
        Read a path with * or ? as a pattern for several Parquet files.

    Returns
    -------
    DataFrame, shape (n, m)
        Rows: units in order of first appearance. Columns: probabilities.

    Raises
    ------
    fisc.data.DataError
        For unusable values, weights or probabilities.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"town": ["a", "a", "a", "b"], "wage": [1.0, 2.0, 4.0, 3.0]})
    >>> unit_quantiles(rows, y="wage", unit="town", quantiles=[0.5, 0.75])
          0.50  0.75
    town
    a      2.0   3.0
    b      3.0   3.0
    """
    q = check_quantiles(quantiles)
    check_option("rule", rule, get_args(Rule))
    columns = Columns(y=y, unit=unit, weights=weights)
    reading = Reading(columns, q, rule, missing, Notes(), with_x=False, subset=subset, glob=glob)
    parts = read(data, reading)
    curves = parts.curves if isinstance(parts, Sample) else reading.quantiles(parts)
    return pd.DataFrame(curves, index=pd.Index(parts.labels, name=unit or "unit"), columns=q)


@dataclass(frozen=True, eq=False)
class BandwidthChoice(Result):
    """Selected bandwidths.

    Attributes
    ----------
    bandwidth : float or array
        In units of x: a number; (m,) with method "simple"; (below, above) with selector "msetwo".
    bandwidth_treatment : float, array or None
        Of the first stage.
    bandwidth_minus, bandwidth_plus : float or array
        By side.
    pilot : float
        Bandwidth of the pilot fit of the curvature.
    density : float
        Density of x at the cutoff.
    bias, variance, regularisation : array, shape (m,)
        What the bandwidth balances, per quantile.
    quantiles : array, shape (m,)
        Probabilities.
    selector : str
        Rule.
    """

    bandwidth: float | FloatArray
    bandwidth_treatment: float | FloatArray | None
    bandwidth_minus: float | FloatArray
    bandwidth_plus: float | FloatArray
    pilot: float
    density: float
    bias: FloatArray
    variance: FloatArray
    regularisation: FloatArray
    quantiles: FloatArray
    selector: Selector

    def __float__(self) -> float:
        """Return the bandwidth, where it is one number."""
        if np.ndim(self.bandwidth):
            raise DataError(f"there are {np.size(self.bandwidth)} bandwidths; use .bandwidth")
        return float(self.bandwidth)

    def summary(self) -> str:
        """One line."""
        h = np.asarray(self.bandwidth)
        words = f"{float(h):.4g}" if h.ndim == 0 else f"{h.min():.4g} to {h.max():.4g}"
        stage = (
            ""
            if self.bandwidth_treatment is None
            else f", first stage {np.mean(self.bandwidth_treatment):.4g}"
        )
        rests = f"pilot {self.pilot:.4g}, density at the cutoff {self.density:.4g}"
        return f"bandwidth {words}{stage} ({self.selector}; {rests})"

    def to_frame(self) -> pd.DataFrame:
        """One row a quantile."""
        shape = self.quantiles.shape
        return pd.DataFrame(
            {
                "quantile": self.quantiles,
                "bandwidth_minus": np.broadcast_to(self.bandwidth_minus, shape),
                "bandwidth_plus": np.broadcast_to(self.bandwidth_plus, shape),
                "bias": self.bias,
                "variance": self.variance,
                "regularisation": self.regularisation,
            }
        )


def select_bandwidth(
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
    selector: Selector = "mse",
    quantile_rule: QuantileRule = "auto",
    deriv: Deriv = 0,
    covariates: ArrayLike | None = None,
    donut: float | tuple[float, float] = 0.0,
    compat: Compat | None = None,
    quantile_matrix: ArrayLike | TableLike | None = None,
    missing: Missing = "drop",
    continuous_treatment: bool = False,
) -> BandwidthChoice:
    """Bandwidth that `r3d` would select, with its ingredients.

    h = [(1 + 2 nu) V / (2 (s + 1 - nu) n (B^2 + Reg))]^(1/(2s+3)), in the units of x whatever they are; at
    least 10 (p + 1) units a side stay inside, and at most all of them. Parameters are those of `r3d`.

    Returns
    -------
    BandwidthChoice
        `bandwidth`, `bandwidth_treatment` and what they rest on.

    See Also
    --------
    fisc.r3d.bandwidth.select : the rule on arrays.

    Examples
    --------
    >>> from fisc.r3d import select_bandwidth, simulate
    >>> data = simulate("repo1", n=200, random_state=0).data
    >>> h = float(select_bandwidth(data, y="y", x="x", unit="unit"))
    >>> scaled = float(select_bandwidth(data.assign(x=100 * data["x"]), y="y", x="x", unit="unit"))
    >>> round(scaled / h, 9)
    100.0
    """
    options = Options(method, kernel, p, s, deriv, selector, compat=compat)
    columns = Columns(y, x, unit, treatment, weights, unit_weights, cluster, covariates)
    source = Source(
        data, columns, quantile_matrix, quantiles, cutoff, quantile_rule, donut, missing, continuous_treatment
    )
    sample = prepare(procedure_of(options).request(source, options), Notes())
    chosen, selection = choose_bandwidths(sample, options, None, None)
    assert selection is not None
    return BandwidthChoice(
        bandwidth=chosen.outcome,
        bandwidth_treatment=chosen.treatment,
        bandwidth_minus=single(chosen.minus),
        bandwidth_plus=single(chosen.plus),
        pilot=selection.pilot,
        density=selection.density,
        bias=selection.bias,
        variance=selection.variance,
        regularisation=selection.regularisation,
        quantiles=sample.q,
        selector=selector,
    )
