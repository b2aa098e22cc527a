"""The result of `r3d`: a fit, and everything that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, get_args

import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import check_option
from fisc.report import Section

from . import plots
from .bundle import Tabled, write_bundle
from .coarse import CurvatureIntervals, curvature_intervals
from .diagnostics import Diagnosis, density_of, diagnose
from .fit import Fit
from .functionals import Functional, evaluate
from .mean import MeanEffect, mean_effect
from .names import Names
from .options import Alternative, FunctionalName, Kernel, PlotKind, Residuals, Selector, TestName
from .print_figures import Width, write_print_figure
from .process import holm
from .prospect import planned_effect, planned_power
from .robustness import Robustness, robustness
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
        studentized: bool = True,
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
            Divide each point by its standard error; otherwise the largest deviation counts, which the noisiest
            quantile dominates.
        alternative : {"two-sided", "greater", "less"}
            "greater" looks for tau above the null somewhere, "less" below (first-order dominance).
        null : float or array (m,)
            Curve under the null.
        alpha : float, optional
            Level of the critical value.

        Returns
        -------
        HypothesisTest
            `statistic`, `critical_value`, `p_value`. Quantiles inside an atom of the outcome, where no unit moves, are
            left out, with a note.

        Raises
        ------
        DataError
            When nothing is left that has an error.
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

    def power(self, effect: ArrayLike, n: int | None = None, *, alpha: float | None = None) -> float:
        """Probability that the uniform test of no effect finds an effect, with n units like those of this fit.

        Parameters
        ----------
        effect : float or array (m,)
            Effect on every quantile, in units of the outcome.
        n : int, optional
            Units planned, spread over the running variable (and clusters) as here; as many as here by default.
        alpha : float, optional
            Level of the test.

        Returns
        -------
        float
            Between alpha, up to simulation error, and one.
        """
        return planned_power(self, effect, n, alpha)

    def mde(
        self,
        power: float = 0.8,
        n: int | None = None,
        *,
        shape: ArrayLike = 1.0,
        alpha: float | None = None,
    ) -> float:
        """Smallest effect that the uniform test of no effect finds with the given power.

        Parameters
        ----------
        power : float
            Probability of finding it, above the level.
        n : int, optional
            As for `power`.
        shape : float or array (m,)
            The effect up to its size: 1 for a shift of all quantiles, or for instance ones in the top tail only.
        alpha : float, optional
            Level of the test.

        Returns
        -------
        float
            Multiple of the shape.
        """
        return planned_effect(self, power, n, shape, alpha)

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

    def bounded_curvature(
        self, bound: ArrayLike | None = None, bandwidth: float | None = None
    ) -> CurvatureIntervals:
        """Return intervals that allow for the gap at the cutoff of a running variable of few values.

        With cohorts, months or scores no bandwidth makes the bias vanish. These intervals hold for all mean unit
        quantiles whose second derivative in x stays below a bound: the largest bias widens them. Units, kernel,
        weights, clusters and seed are those of the fit; the bandwidth is another.

        Parameters
        ----------
        bound : float or array of shape (m,), optional
            Bound of the absolute second derivative, outcome per squared unit of x. By default a rule of thumb from a
            global polynomial: no data can tell the bound, so see how the intervals change with it.
        bandwidth : float, optional
            In units of x; by default the one of the smallest worst-case error.

        Returns
        -------
        CurvatureIntervals
            Estimate, largest bias, intervals and band at each of the m quantiles.

        Raises
        ------
        DataError
            If the design is fuzzy, a kink or has covariates, a side has fewer than three values of x, a cluster lies
            on both sides, or the bound is negative.

        References
        ----------
        Kolesar, M. and Rothe, C. (2018). Inference in regression discontinuity designs with a discrete running
        variable. American Economic Review 108, 2277-2304.

        Examples
        --------
        >>> from fisc.r3d import r3d, simulate
        >>> data = simulate("paper1", n=200, random_state=1).data
        >>> data["x"] = data["x"].round(1) + 0.05
        >>> fit = r3d(data, y="y", x="x", unit="unit", quantiles=[0.25, 0.5, 0.75])
        >>> [bool(width > 0) for width in fit.bounded_curvature().bias]
        [True, True, True]
        """
        return curvature_intervals(self, bound, bandwidth)

    def robustness(
        self,
        *,
        kernels: Sequence[Kernel] | None = None,
        orders: Sequence[int] | None = None,
        selectors: Sequence[Selector] | None = None,
        residuals: Sequence[Residuals] | None = None,
        bandwidths: Sequence[float] | None = None,
        donuts: Sequence[float] | None = None,
        covariates: bool = True,
        crossed: bool = False,
    ) -> Robustness:
        """Refit under other choices, one at a time.

        The bandwidth is selected anew for another kernel, order or selector where the fit selected its own, and kept
        otherwise. An order p comes with a bandwidth for order p - 1. An empty list leaves a choice as it is.

        Parameters
        ----------
        kernels, selectors, residuals : sequence of str, optional
            As of `r3d`; all by default.
        orders : sequence of int, optional
            Of the polynomial; 1, 2, 3 by default.
        bandwidths : sequence of float, optional
            Multiples of the bandwidth; .5, .75, 1.25, 1.5 by default.
        donuts : sequence of float, optional
            Distances from the cutoff within which units are left out; 5% and 10% of the bandwidth by default.
        covariates : bool
            Also fit without the covariates of the fit.
        crossed : bool
            All combinations instead of one change at a time.

        Returns
        -------
        Robustness
            A table and a picture; `p_holm` allows for the number of rows.

        Examples
        --------
        >>> from fisc.r3d import r3d, simulate
        >>> data = simulate("paper1", n=200, random_state=1).data
        >>> fit = r3d(data, y="y", x="x", unit="unit", quantiles=[0.25, 0.5, 0.75], random_state=0)
        >>> few = fit.robustness(kernels=["uniform"], orders=[], selectors=[], residuals=[], donuts=[])
        >>> few.table["value"].tolist()
        ['', 'uniform', '0.5', '0.75', '1.25', '1.5']
        """
        return robustness(
            self,
            kernels=kernels,
            orders=orders,
            selectors=selectors,
            residuals=residuals,
            bandwidths=bandwidths,
            donuts=donuts,
            covariates=covariates,
            crossed=crossed,
        )

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

    def print_figure(
        self,
        path: str | Path,
        kind: PlotKind = "effect",
        *,
        width: Width | float = "column",
        height: float | None = None,
        **options: Unpack[PictureOptions],
    ) -> Path:
        """Write a picture for print: no title, the legend below, fonts of 8 points that can be edited.

        Parameters
        ----------
        path : str or Path
            Ends in .pdf, .svg, .eps or .png.
        kind : str
            As of `plot`.
        width : {"column", "page"} or float
            3.4 or 7 inches, or a number of them.
        height : float, optional
            In inches.
        **options
            As of `plot`.

        Returns
        -------
        Path
            The file.
        """
        return write_print_figure(lambda ax: self.plot(ax, kind, **options), path, width, height)

    def bundle(self, folder: str | Path, *, robustness: bool = True) -> Path:
        """Write a folder with which others can repeat this fit.

        It holds the units as quantiles (not the micro-data), a script that repeats the fit and compares the numbers,
        versions, tables as CSV and LaTeX, and pictures for print. An older bundle of that name is replaced.

        Parameters
        ----------
        folder : str or Path
            Made by this call.
        robustness : bool
            Add the table of `robustness`.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        WriteError
            If the folder holds anything but an older bundle.
        """
        results: dict[str, Tabled] = {"effect": self, "mean": self.functional("mean")}
        if robustness and self.procedure.refits:
            results["robustness"] = self.robustness()
        return write_bundle(self, folder, lambda ax, kind: self.plot(ax, kind), results)

    def section(self) -> Section:
        """Return the fit as a section of a report."""
        return make_section(self)
