"""The result of `r3d`: curves, bands, and everything that can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, Provenance, check_option
from fisc.report import Result

from .bands import BANDS, Band, Limits, make_band
from .functionals import Functional, FunctionalName, evaluate
from .kernels import FloatArray
from .process import Process
from .sample import Sample
from .testing import Alternative, HypothesisTest, TestName, check_level, holm, run_test

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

    from .diagnostics import Diagnosis
    from .mean import MeanEffect
    from .plots import PlotKind
    from .sensitivity import Sensitivity
    from .settings import Options


@dataclass(frozen=True, eq=False)
class R3DResult(Result):
    """Estimated effect of crossing the cutoff on the distribution; m quantiles.

    Attributes
    ----------
    quantiles : array, shape (m,)
        Probabilities.
    tau : array, shape (m,)
        Effect on the average quantile function, in units of the outcome (per unit of x for a kink).
    se : array, shape (m,)
        Conditional standard errors, point by point.
    band_lower, band_upper : array, shape (m,)
        Confidence band of kind `band_kind` with coverage 1 - `alpha`.
    critical_value : float
        Half width of a constant band; multiple of the standard error otherwise.
    q_plus, q_minus : array, shape (m,)
        Limit quantile curves at the cutoff after projection (slopes for a kink).
    raw_plus, raw_minus : array, shape (m,)
        The same before projection.
    bandwidth : float or array
        In units of x: a number; shape (m,) if it varies over quantiles; shape (2,) = (below, above) if it differs
        by side.
    bandwidth_treatment : float, array or None
        Of the first stage.
    bandwidth_minus, bandwidth_plus : float or array
        Of each side.
    automatic_bandwidth : bool
        Whether `bandwidth` was selected from the data.
    pilot, density : float or None
        Pilot bandwidth and density of x at the cutoff behind an automatic bandwidth.
    first_stage, first_stage_se : float or None
        Jump of the treatment and its standard error; None in sharp designs.
    n_minus, n_plus : int
        Units on each side.
    n_effective_minus, n_effective_plus : int or array
        Units inside the bandwidth.
    covariate_coefficients : array (k, m) or None
        Coefficients of the covariates.
    process : Process
        Joint errors of the limits.
    options : Options
        Options of the call.
    cutoff : float
        Cutoff in units of x.
    warnings : tuple of str
        What was dropped, repaired or doubtful.
    provenance : Provenance
        Version, options, fingerprints of the data, seed, time.
    """

    quantiles: FloatArray
    tau: FloatArray
    se: FloatArray
    band_lower: FloatArray
    band_upper: FloatArray
    critical_value: float
    band_kind: Band
    alpha: float
    q_plus: FloatArray
    q_minus: FloatArray
    raw_plus: FloatArray
    raw_minus: FloatArray
    bandwidth: Any
    bandwidth_treatment: Any
    bandwidth_minus: Any
    bandwidth_plus: Any
    automatic_bandwidth: bool
    pilot: float | None
    density: float | None
    first_stage: float | None
    first_stage_se: float | None
    n_minus: int
    n_plus: int
    n_effective_minus: Any
    n_effective_plus: Any
    covariate_coefficients: FloatArray | None
    process: Process
    options: Options
    cutoff: float
    warnings: tuple[str, ...]
    provenance: Provenance
    _sample: Sample | None = field(default=None, init=False, repr=False)

    def with_sample(self, sample: Sample) -> R3DResult:
        """Attach the data, which JSON leaves out."""
        object.__setattr__(self, "_sample", sample)
        return self

    @property
    def sample(self) -> Sample:
        """The prepared data.

        Raises
        ------
        DataError
            When the result was read back from JSON, which does not carry data.
        """
        if self._sample is None:
            raise DataError("this result was read back without its data; run r3d on the data again for this")
        return self._sample

    @property
    def method(self) -> str:
        """Which estimator: "frechet" or "simple"."""
        return self.options.method

    @property
    def deriv(self) -> int:
        """0 for a jump, 1 for a kink."""
        return self.options.deriv

    @property
    def compat(self) -> str | None:
        """Which package is reproduced, if any."""
        return self.options.compat

    @property
    def fuzzy(self) -> bool:
        """Whether the effect is a ratio with a first stage."""
        return self.first_stage is not None

    @cached_property
    def contrast(self) -> FloatArray:
        """Error of tau as a linear map of the process, shape (2M, m)."""
        stage = 1.0 if self.first_stage is None else self.first_stage
        return self.process.contrast(self.q_plus - self.q_minus, stage)

    @cached_property
    def draws(self) -> FloatArray:
        """Draws of the error of tau, shape (n_boot, m)."""
        return np.asarray(self.process.draws @ self.contrast)

    @property
    def projection_active(self) -> tuple[float, float]:
        """Share of the grid where the raw limit curve was not monotone and was changed: (below, above)."""
        shares = []
        for raw, limit in ((self.raw_minus, self.q_minus), (self.raw_plus, self.q_plus)):
            scale = max(float(np.abs(raw).max()), 1e-300)
            shares.append(float(np.mean(np.abs(raw - limit) > 1e-9 * scale)))
        return shares[0], shares[1]

    def band(self, kind: Band | None = None, alpha: float | None = None) -> Limits:
        """Return a confidence band of any kind and level from the same fit.

        Parameters
        ----------
        kind : {"constant", "studentized", "pointwise", "anderson_rubin"}, optional
            "constant" and "studentized" cover the whole curve at once; "pointwise" each point alone;
            "anderson_rubin" the whole curve in fuzzy designs, however weak the first stage.
        alpha : float, optional
            One minus coverage.

        Returns
        -------
        Limits
            `lower`, `upper` and `critical_value`.
        """
        chosen: Band = self.band_kind if kind is None else check_option("band", kind, BANDS)
        level = self.alpha if alpha is None else check_level(alpha)
        jump = self.q_plus - self.q_minus
        return make_band(
            chosen, level, self.tau, self.se, self.process, self.contrast, jump, self.first_stage
        )

    def test(
        self,
        name: TestName,
        *,
        interval: ArrayLike | None = None,
        studentized: bool = False,
        alternative: Alternative = "two-sided",
        null: ArrayLike = 0.0,
        alpha: float | None = None,
    ) -> HypothesisTest:
        """Test a hypothesis about the curve.

        Parameters
        ----------
        name : {"nullity", "homogeneity", "gini"}
            No effect at any quantile; the same effect at all; the same Gini coefficient on both sides.
        interval : (float, float), optional
            Range of probabilities; the whole grid by default.
        studentized : bool
            Divide each point by its standard error.
        alternative : {"two-sided", "greater", "less"}
            "greater" looks for tau above the null somewhere, "less" below (first-order dominance).
        null : float or array (m,)
            Curve under the null.
        alpha : float, optional
            Level of the critical value.

        Returns
        -------
        HypothesisTest
            `statistic`, `critical_value`, `p_value`.
        """
        return run_test(
            self,
            name,
            interval=interval,
            studentized=studentized,
            alternative=alternative,
            null=null,
            alpha=alpha,
        )

    def tests(
        self,
        intervals: Sequence[tuple[float, float]] | None = None,
        names: Sequence[TestName] = ("nullity", "homogeneity"),
    ) -> pd.DataFrame:
        """Several tests in one table, with Holm's adjustment within each hypothesis.

        Parameters
        ----------
        intervals : sequence of (float, float), optional
            Ranges; the whole grid by default.
        names : sequence of str
            Hypotheses.

        Returns
        -------
        DataFrame
            One row a test; `p_holm` allows for the number of ranges.
        """
        import pandas as pd

        wanted: list[Any] = [None] if intervals is None else list(intervals)
        frames = []
        for name in names:
            rows = [self.test(name, interval=i).to_frame() for i in wanted]
            block = pd.concat(rows, ignore_index=True)
            frames.append(block.assign(p_holm=holm(block["p_value"].to_numpy())))
        return pd.concat(frames, ignore_index=True)

    def functional(
        self,
        name: FunctionalName,
        *,
        interval: ArrayLike | None = None,
        top: float = 0.1,
        alpha: float | None = None,
    ) -> Functional:
        """Return a number made of the curves, with its standard error and interval.

        Parameters
        ----------
        name : {"mean", "iqr", "variance", "gini", "top_share", "w2"}
            Mean effect over `interval`; effect on the interquartile range (or that of `interval`); difference of
            variances, Gini coefficients or top shares of the two limit distributions; their 2-Wasserstein distance.
        interval : (float, float), optional
            For "mean" and "iqr".
        top : float
            For "top_share".
        alpha : float, optional
            One minus coverage.

        Returns
        -------
        Functional
            `estimate`, `se`, `lower`, `upper`, `p_value`.
        """
        return evaluate(self, name, interval=interval, top=top, alpha=alpha)

    def mean_effect(self) -> MeanEffect:
        """Return the scalar companion: rdrobust on unit means, beside the mean of this curve."""
        from .mean import mean_effect

        return mean_effect(self)

    def sensitivity(self, multipliers: ArrayLike = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)) -> Sensitivity:
        """Refit at multiples of the bandwidth.

        Parameters
        ----------
        multipliers : array
            Factors of the bandwidth (and of the first stage's).

        Returns
        -------
        Sensitivity
            A table and a picture.
        """
        from .sensitivity import sensitivity

        return sensitivity(self, multipliers)

    def diagnose(self, *, random_state: int = 0) -> Diagnosis:
        """All diagnostics of the design: a table and pictures.

        Parameters
        ----------
        random_state : int
            Seed of the placebo fits.

        Returns
        -------
        Diagnosis
            Manipulation, placebo cutoffs, balance, donut, mass points, unit sizes, monotonicity, bandwidths.
        """
        from .diagnostics import diagnose

        return diagnose(self, random_state=random_state)

    def to_frame(self) -> pd.DataFrame:
        """One row a quantile: effect, error, band and both limit curves."""
        import pandas as pd

        return pd.DataFrame(
            {
                "quantile": self.quantiles,
                "tau": self.tau,
                "se": self.se,
                "band_lower": self.band_lower,
                "band_upper": self.band_upper,
                "q_minus": self.q_minus,
                "q_plus": self.q_plus,
                "bandwidth_minus": np.broadcast_to(self.bandwidth_minus, self.tau.shape),
                "bandwidth_plus": np.broadcast_to(self.bandwidth_plus, self.tau.shape),
            }
        )

    def __repr__(self) -> str:
        from .summary import head

        return f"<R3DResult: {head(self)}>"

    def summary(self) -> str:
        """Return the fit in words and numbers, with rdrobust on unit means for comparison."""
        from .summary import summarise

        return summarise(self)

    def plot(self, ax: Axes | None = None, kind: PlotKind = "effect", **options: Any) -> Axes:
        """Draw the fit.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        kind : {"effect", "limits", "densities", "rd", "sensitivity", "running"}
            Effect with bands; both limit quantile curves; the densities they imply; binned unit quantiles with
            the fits; the effect at other bandwidths; the density of the running variable.
        **options
            Passed to the function in `fisc.r3d.plots`.

        Returns
        -------
        Axes
            Where it was drawn.
        """
        from .plots import draw

        return draw(self, kind, ax, **options)

    def section(self) -> Section:
        """Return the fit as a section of a report."""
        from .summary import make_section

        return make_section(self)
