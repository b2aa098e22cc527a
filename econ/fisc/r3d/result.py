"""The result of `r3d`: a fit, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, get_args

import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import check_option
from fisc.report import Section

from . import plots
from .diagnostics import Diagnosis, density_of, diagnose
from .fit import Fit
from .functionals import Functional, evaluate
from .mean import MeanEffect, mean_effect
from .names import Names
from .options import Alternative, FunctionalName, PlotKind, TestName
from .process import holm
from .sensitivity import MULTIPLES, Sensitivity, sensitivity
from .summary import head, make_section, summarise
from .testing import HypothesisTest, run_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class PictureOptions(TypedDict, total=False):
    """Options of single pictures."""

    quantiles: Sequence[float]
    bins: int
    multipliers: ArrayLike


@dataclass(frozen=True, eq=False)
class R3DResult(Fit):
    """Estimated effect of crossing the cutoff on the distribution; m quantiles.

    Its attributes are those of `fisc.r3d.fit.Fit`.
    """

    @classmethod
    def of(cls, fit: Fit, names: Names | None = None) -> Self:
        """Return the result of a fit, under the user's names."""
        held = {f.name: getattr(fit, f.name) for f in fields(fit) if f.init}
        return cls(**{**held, "names": names or fit.names}).with_sample(fit.sample)

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
        wanted: list[tuple[float, float] | None] = [None] if intervals is None else list(intervals)
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
        return mean_effect(self)

    def sensitivity(self, multipliers: ArrayLike = MULTIPLES) -> Sensitivity:
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
        return diagnose(self, random_state=random_state)

    def __repr__(self) -> str:
        return f"<R3DResult: {head(self)}>"

    def summary(self) -> str:
        """Return the fit in words and numbers, with rdrobust on unit means for comparison."""
        return summarise(self)

    def plot(
        self, ax: Axes | None = None, kind: PlotKind = "effect", **options: Unpack[PictureOptions]
    ) -> Axes:
        """Draw the fit.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw; a new figure by default.
        kind : {"effect", "limits", "densities", "rd", "sensitivity", "running"}
            Effect with bands; both limit quantile curves; the densities they imply; binned unit quantiles with
            the fits; the effect at other bandwidths; the density of the running variable.
        **options
            `quantiles` and `bins` of "rd", `multipliers` of "sensitivity".

        Returns
        -------
        Axes
            Where it was drawn.
        """
        check_option("kind", kind, get_args(PlotKind))
        if kind == "sensitivity":
            refits: Callable[..., Sensitivity] = sensitivity
            ax = refits(self, **options).plot(ax)
            ax.set(xlabel=f"bandwidth, in {self.names.x}", ylabel=f"effect on {self.names.y}")
            return ax
        if kind == "running":
            ax = density_of(self).plot(ax)
            ax.set_xlabel(self.names.x)
            return ax
        drawer: Callable[..., Axes] = getattr(plots, kind)
        return drawer(self, ax, **options)

    def section(self) -> Section:
        """Return the fit as a section of a report."""
        return make_section(self)
