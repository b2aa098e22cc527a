"""How this package selects, estimates and tests, step by step, so that another procedure can replace a step."""

from __future__ import annotations

from fisc.core.arrays import FloatArray

from .bandwidth import Selection, select
from .design import Bandwidths
from .estimation import Estimate, estimate
from .inputs import Source
from .options import Options
from .process import critical_value, p_value
from .quantiles import trapezoid_weights
from .sample import Sample


class Procedure:
    """The steps of a fit; `fisc.r3d.compat` replaces them by those of the R package."""

    # How far outside an interval a grid point still counts as inside.
    slack = 1e-9
    # Whether a fit can be repeated under other choices.
    refits = True

    def request(self, source: Source, options: Options) -> Source:
        """Return the data to read, or refuse what the procedure does not have."""
        return source

    def select(
        self, sample: Sample, outcomes: FloatArray, options: Options, pool: FloatArray | None
    ) -> Selection:
        """Select a bandwidth for outcomes (n, m): one with weights `pool` (m,), else one for each."""
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

    def estimate(self, sample: Sample, options: Options, bandwidths: Bandwidths) -> Estimate:
        """Fit both sides and collect the scores."""
        return estimate(sample, options, bandwidths)

    def mean_weights(self, q: FloatArray) -> FloatArray:
        """Return the weights of a mean over the grid."""
        return trapezoid_weights(q)

    def critical_value(self, draws: FloatArray, alpha: float) -> float:
        """Return the critical value of a test from draws of its statistic."""
        return critical_value(draws, alpha)

    def p_value(self, statistic: float, draws: FloatArray) -> float:
        """Return the p-value of a test."""
        return p_value(statistic, draws)

    def gini_errors(self, draws: FloatArray, difference: float) -> FloatArray:
        """Return the errors of a difference of Gini coefficients."""
        return draws - difference
