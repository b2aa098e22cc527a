"""A fit whose running variable takes few values: intervals that allow for the gap at the cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, Provenance, check_array, check_number, record
from fisc.core.arrays import FloatArray
from fisc.report import Figure, Result, Section, Table
from fisc.report.style import COLOURS, axes_of, reference_line, shade, styled

from .curvature import bounded_curvature
from .fit import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class CurvatureIntervals(Result):
    """Effect with intervals that hold for all curves of bounded curvature; m quantiles.

    Attributes
    ----------
    quantiles, tau : array, shape (m,)
        Probabilities, and local linear estimates of the jump of the unit quantiles, without a projection.
    bound : array, shape (m,)
        Bound of the absolute second derivative of the mean unit quantile in x, outcome per squared unit of x.
    bias : array, shape (m,)
        Largest bias of `tau` within the bound.
    lower, upper, band_lower, band_upper : array, shape (m,)
        Intervals at each quantile, and the band for all of them.
    bandwidth : float
        In units of x, the same on both sides.
    alpha : float
        One minus coverage.
    outcome : str
        What the outcome is called.
    provenance : Provenance
        How it was made.
    """

    quantiles: FloatArray
    tau: FloatArray
    bound: FloatArray
    bias: FloatArray
    lower: FloatArray
    upper: FloatArray
    band_lower: FloatArray
    band_upper: FloatArray
    bandwidth: float
    alpha: float
    outcome: str
    provenance: Provenance

    def to_frame(self) -> pd.DataFrame:
        """Return one row a quantile."""
        names = ("tau", "bias", "lower", "upper", "band_lower", "band_upper", "bound")
        return pd.DataFrame({"quantile": self.quantiles, **{name: getattr(self, name) for name in names}})

    def summary(self) -> str:
        """Return where the band leaves out zero, and the table."""
        apart = (self.band_lower > 0.0) | (self.band_upper < 0.0)
        head = (
            f"effect on {self.outcome} under bounded curvature, bandwidth {self.bandwidth:.4g}: the "
            f"{100 * (1 - self.alpha):g}% band leaves out zero at {int(apart.sum())} of {apart.size} quantiles"
        )
        table = self.to_frame().to_string(index=False, float_format=lambda v: f"{v:.4g}")
        note = "The bound is an assumption: see how the intervals change with bound=."
        return "\n".join([head, "", table, "", note])

    @styled
    def plot(self, ax: Axes | None = None) -> Axes:
        """Effect with its intervals (lines) and band (area) against the quantile."""
        ax = axes_of(ax)
        shade(ax, self.quantiles, self.band_lower, self.band_upper, color=COLOURS[0])
        half = np.stack([self.tau - self.lower, self.upper - self.tau])
        ax.errorbar(self.quantiles, self.tau, yerr=half, fmt="o", color=COLOURS[0], capsize=2.5)
        reference_line(ax, 0.0)
        ax.set_xlabel("quantile")
        ax.set_ylabel(f"effect on {self.outcome}")
        ax.set_title("Effect under bounded curvature")
        return ax

    def section(self) -> Section:
        """Section of a report."""
        head = self.summary().splitlines()[0]
        picture = Figure.from_matplotlib(self.plot(), caption="Effect under bounded curvature.", alt=head)
        return Section(
            "Few values of the running variable",
            body=head,
            figures=(picture,),
            tables=(Table(self.to_frame(), index=False),),
            provenance=self.provenance,
        )


def curvature_intervals(fit: Fit, bound: ArrayLike | None, bandwidth: float | None) -> CurvatureIntervals:
    """Return intervals under a bound on the curvature for the units of a fit."""
    sample, options = fit.sample, fit.options
    if fit.fuzzy or sample.covariates is not None or fit.deriv:
        raise DataError(
            "bounded-curvature intervals are for sharp jumps without covariates; fit one of these"
        )
    found = bounded_curvature(
        sample.x,
        sample.curves,
        bound=None if bound is None else check_array("bound", bound),
        bandwidth=None if bandwidth is None else check_number("bandwidth", bandwidth, above=0),
        kernel=options.kernel,
        unit_weights=sample.unit_weights,
        clusters=sample.clusters,
        n_draws=options.n_boot,
        seed=fit.process.seed,
    )
    lower, upper = found.interval(options.alpha)
    band_lower, band_upper = found.band(options.alpha)
    history = record(options={"bandwidth": found.bandwidth, "alpha": options.alpha}, seed=fit.process.seed)
    return CurvatureIntervals(
        *(sample.q, found.tau, found.bound, found.bias, lower, upper, band_lower, band_upper),
        *(found.bandwidth, options.alpha, fit.names.y, history),
    )
