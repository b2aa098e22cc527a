"""Is the design credible? Manipulation, placebos, donut, mass points, sizes, monotonicity, bandwidth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from fisc.core import DataError, check_option
from fisc.core.arrays import FloatArray
from fisc.report import Figure, Result, Section, Table
from fisc.report.style import MUTED, axes_of, reference_line, styled

from .choice import Sides
from .density import DensityTest, density_test
from .fit import Fit
from .fitting import fit_sample
from .functionals import evaluate
from .manipulation import check_manipulation
from .options import DiagnosisPicture, Options
from .plots import ABOVE
from .process import holm
from .sample import Sample
from .sensitivity import Sensitivity, sensitivity
from .summary import spans
from .testing import run_test
from .weighted import too_small

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL = 0.05
_PLACEBO_SHARES = (1 / 3, 2 / 3)
_DONUT_SHARES = (0.05, 0.1, 0.2)


@dataclass(frozen=True, eq=False)
class Diagnosis(Result):
    """What speaks for and against a design.

    Attributes
    ----------
    table : DataFrame
        One row a check: what was found, p-value where there is one, and "ok", "look", "not informative" (the check
        could not have told) or "not run".
    placebo : DataFrame
        Placebo cutoffs: mean effect with interval, p-value of no effect anywhere, Holm-adjusted.
    donut : DataFrame
        Mean effect when the units nearest to the cutoff are left out.
    covariates : DataFrame
        Jumps of unit-level covariates and of the unit sizes.
    density : DensityTest or None
        Manipulation test, where there are units enough.
    bandwidths : Sensitivity
        Effect at other bandwidths.
    """

    table: pd.DataFrame
    placebo: pd.DataFrame
    donut: pd.DataFrame
    covariates: pd.DataFrame
    density: DensityTest | None
    bandwidths: Sensitivity

    def to_frame(self) -> pd.DataFrame:
        """Return the table of checks."""
        return self.table

    def summary(self) -> str:
        """Return the table as text."""
        doubts = int((self.table["verdict"] == "look").sum())
        head = (
            "no check gives cause for doubt"
            if doubts == 0
            else f"{doubts} of {len(self.table)} checks want a look"
        )
        lines = [
            f"{verdict:<17}{check:<28}{finding}" + ("" if np.isnan(p) else f" (p = {p:.3g})")
            for check, finding, p, verdict in self.table.to_numpy().tolist()
        ]
        return "\n".join([head, "", *lines])

    def plot(self, ax: Axes | None = None, kind: DiagnosisPicture = "placebo") -> Axes:
        """One of the pictures.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        kind : {"placebo", "running", "sensitivity"}
            Placebo cutoffs; density of the running variable; effect by bandwidth.

        Returns
        -------
        Axes
            Where it was drawn.
        """
        check_option("kind", kind, get_args(DiagnosisPicture))
        if kind == "sensitivity":
            return self.bandwidths.plot(ax)
        if kind == "running":
            if self.density is None:
                raise DataError("the manipulation test was not run, because a side has too few units")
            return self.density.plot(ax)
        return self._plot_placebo(ax)

    @styled
    def _plot_placebo(self, ax: Axes | None = None) -> Axes:
        """Mean effect with interval at the true cutoff and at placebo cutoffs."""
        ax = axes_of(ax)
        table = self.placebo
        for placebo, colour, marker, label in (
            (False, ABOVE, "D", "true cutoff"),
            (True, MUTED, "o", "placebo cutoffs"),
        ):
            part = table[table["placebo"] == placebo]
            half = np.array([part["mean_effect"] - part["lower"], part["upper"] - part["mean_effect"]])
            ax.errorbar(
                part["cutoff"],
                part["mean_effect"],
                yerr=half,
                fmt=marker,
                color=colour,
                capsize=4,
                linewidth=1.8,
                label=label,
            )
        reference_line(ax, 0.0)
        ax.set_xlabel("cutoff, units of the running variable")
        ax.set_ylabel("mean effect, units of the outcome")
        ax.set_title("Mean effect at the cutoff and at placebo cutoffs")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.16 * (high - low))
        ax.legend(loc="upper left", ncols=2)
        return ax

    def section(self) -> Section:
        """Section of a report with all pictures."""
        head = self.summary().splitlines()[0]
        kinds: list[tuple[DiagnosisPicture, str]] = [
            ("placebo", "Mean effect at the cutoff and at placebo cutoffs, which should show none."),
            ("sensitivity", "Effect at multiples of the bandwidth."),
        ]
        if self.density is not None:
            kinds.insert(
                0, ("running", "Running variable: histogram, and estimated densities at the cutoff.")
            )
        figures = tuple(Figure.from_matplotlib(self.plot(kind=k), caption=c, alt=c) for k, c in kinds)
        tables = [Table(self.table.set_index("check"), caption="Checks")]
        tables += [Table(self.placebo, caption="Placebo cutoffs", index=False)] if len(self.placebo) else []
        tables += [Table(self.donut, caption="Donut", index=False)] if len(self.donut) else []
        return Section("Diagnostics of the design", body=head + ".", figures=figures, tables=tuple(tables))


def diagnose(fit: Fit, *, random_state: int = 0) -> Diagnosis:
    """Run every check on a fit; see `R3DResult.diagnose`."""
    options = replace(fit.options, compat=None)
    placebo = placebo_table(fit, options, random_state)
    covariates = _unit_level(fit, options, random_state)
    donut = _donut(fit, options, random_state)
    bandwidths = sensitivity(fit)
    sample = fit.sample
    manipulation = check_manipulation(sample.x + sample.cutoff, sample.cutoff, kernel=options.kernel)
    rows = [
        _check("manipulation of x", manipulation.finding, manipulation.p_value, manipulation.verdict),
        _placebos(placebo),
        *_balance(covariates),
        _near(fit, donut),
        *_describe(fit),
        _varied("bandwidth", fit, bandwidths.table.dropna(subset=["mean_effect"])),
    ]
    return Diagnosis(pd.DataFrame(rows), placebo, donut, covariates, manipulation.test, bandwidths)


def density_of(fit: Fit) -> DensityTest:
    """Return the manipulation test of the running variable of a fit."""
    sample = fit.sample
    return density_test(sample.x + sample.cutoff, sample.cutoff, kernel=fit.options.kernel)


Check = dict[str, str | float]


def _check(check: str, finding: str, p: float = np.nan, verdict: str | None = None) -> Check:
    """Row of the table; without a verdict, what the p-value says."""
    told = verdict or ("look" if p < LEVEL else "ok")
    return {"check": check, "finding": finding, "p_value": p, "verdict": told}


def _placebos(placebo: pd.DataFrame) -> Check:
    real = placebo[placebo["placebo"]]
    if not len(real):
        return _check("placebo cutoffs", "too few units on each side to place any", verdict="not run")
    worst = real.iloc[int(real["p_holm"].argmin())]
    finding = f"{len(real)} tried, strongest at {worst['cutoff']:.4g}"
    return _check("placebo cutoffs", finding, float(worst["p_holm"]))


def _balance(covariates: pd.DataFrame) -> Iterator[Check]:
    for name, part in covariates.groupby("group", sort=False):
        worst = part.iloc[int(part["p_holm"].argmin())]
        finding = f"strongest jump {worst['jump']:.3g} in {worst['variable']}"
        yield _check(str(name), finding, float(worst["p_holm"]))


def _near(fit: Fit, donut: pd.DataFrame) -> Check:
    if len(donut) > 1:
        return _varied("donut", fit, donut)
    return _check("donut", "too few units near the cutoff to leave any out", verdict="not run")


def _varied(name: str, fit: Fit, table: pd.DataFrame) -> Check:
    """Say "look" if some variant's interval leaves out the mean effect of the fit.

    Where none does, but the variants differ by more than the fit's own error, the intervals are too wide to tell.
    """
    mean = evaluate(fit, "mean")
    outside = ((table["lower"] > mean.estimate) | (table["upper"] < mean.estimate)).any()
    means = table["mean_effect"]
    apart = float(np.ptp(means)) > (mean.upper - mean.lower) / 2.0
    finding = f"mean effect {means.min():.4g} to {means.max():.4g}"
    if apart and not outside:
        finding += ", within intervals too wide to tell these apart"
    return _check(name, finding, verdict="look" if outside else "not informative" if apart else "ok")


def _describe(fit: Fit) -> Iterator[Check]:
    """Return the checks that are counts: mass points, sizes, monotonicity, first stage."""
    sample = fit.sample
    for plus, side in ((False, "below"), (True, "above")):
        x = sample.x[sample.plus == plus]
        distinct = np.unique(x).size
        few = distinct < 10 or 1.0 - distinct / x.size > 0.2
        finding = f"{distinct} distinct values among {x.size} units"
        yield _check(f"mass points {side}", finding, verdict="look" if few else "ok")
    if sample.sizes is not None:
        thin = too_small(sample.sizes, sample.q) / sample.sizes.size
        low, high = int(sample.sizes.min()), int(sample.sizes.max())
        finding = f"{low} to {high} values a unit; {thin:.0%} too small for the outermost quantile"
        yield _check("unit sizes", finding, verdict="look" if thin > 0.1 else "ok")
    below, above = fit.projection_active
    finding = f"projection active on {below:.0%} of the grid below, {above:.0%} above"
    pooled = fit.quantiles[np.abs(fit.raw_plus - fit.q_plus) + np.abs(fit.raw_minus - fit.q_minus) > 0.0]
    if max(below, above) > 0.0:
        finding += f" (quantiles {spans(fit.quantiles, pooled)})"
    yield _check("monotone limit curves", finding, verdict="look" if max(below, above) > 0.1 else "ok")
    if fit.first_stage is not None and fit.first_stage_se:
        f = (fit.first_stage / fit.first_stage_se) ** 2
        finding = f"jump {fit.first_stage:.3g}, F = {f:.3g}"
        yield _check("first stage", finding, verdict="look" if f < 10.0 else "ok")


def effect_row(fit: Fit) -> dict[str, float]:
    """Mean effect with its interval, and the p-value of no effect anywhere."""
    mean = evaluate(fit, "mean")
    p = run_test(fit, "nullity").p_value
    return {"mean_effect": mean.estimate, "lower": mean.lower, "upper": mean.upper, "p_nullity": p}


def _fit(sample: Sample, options: Options, random_state: int) -> Fit:
    return fit_sample(sample, options, random_state=random_state)


def placebo_table(fit: Fit, options: Options, random_state: int) -> pd.DataFrame:
    """Effects at cutoffs inside each side, where there is none to be found.

    Only units of that side are used, so that the true jump does not leak into the placebos; in fuzzy
    designs the outcome's jump is tested.
    """
    sample = replace(fit.sample, treatment=None)
    rows: list[dict[str, float]] = [
        {"cutoff": sample.cutoff, "placebo": False, **effect_row(_fit(sample, options, random_state))}
    ]
    for plus in (False, True):
        side = sample.take(sample.plus == plus)
        for share in _PLACEBO_SHARES:
            at = float(np.quantile(side.x, share))
            shifted = replace(side, x=side.x - at, cutoff=side.cutoff + at)
            try:
                again = _fit(shifted, options, random_state)
            except DataError:
                continue
            rows.append({"cutoff": shifted.cutoff, "placebo": True, **effect_row(again)})
    table = pd.DataFrame(rows).sort_values("cutoff", ignore_index=True)
    table["p_holm"] = np.nan
    table.loc[table["placebo"], "p_holm"] = holm(table.loc[table["placebo"], "p_nullity"].to_numpy())
    return table


def placebo_cutoffs(fit: Fit, *, random_state: int = 0) -> pd.DataFrame:
    """Effects at placebo cutoffs, with those at the true one for comparison.

    Parameters
    ----------
    fit : R3DResult
        A fit with its data.
    random_state : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        One row a cutoff: mean effect with interval, p-value of no effect anywhere (`p_nullity`), and Holm's
        adjustment over the placebos (`p_holm`).

    Examples
    --------
    >>> from fisc.r3d import placebo_cutoffs, r3d, simulate
    >>> sim = simulate("paper1", n=300, random_state=2)
    >>> fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=sim.quantiles, random_state=0)
    >>> placebo_cutoffs(fit)["placebo"].tolist()
    [True, True, False, True, True]
    """
    return placebo_table(fit, replace(fit.options, compat=None), random_state)


def _unit_level(fit: Fit, options: Options, random_state: int) -> pd.DataFrame:
    """Jumps at the cutoff of unit-level variables: covariates and log unit sizes."""
    sample = fit.sample
    variables: list[tuple[str, str, FloatArray]] = []
    if sample.covariates is not None:
        variables += [("covariates", f"covariate {j + 1}", z) for j, z in enumerate(sample.covariates.T)]
    if sample.sizes is not None and np.ptp(sample.sizes) > 0:
        variables.append(("jump in unit sizes", "log size", np.log(sample.sizes)))
    rows = []
    for group, name, values in variables:
        scalar = replace(
            sample,
            curves=values[:, None],
            q=np.array([0.5]),
            treatment=None,
            covariates=None,
            sizes=None,
            means=None,
        )
        again = _fit(scalar, options, random_state)
        rows.append(
            {
                "group": group,
                "variable": name,
                "jump": again.tau[0],
                "se": again.se[0],
                "p_value": _normal_p(again),
            }
        )
    table = pd.DataFrame(rows, columns=["group", "variable", "jump", "se", "p_value"])
    table["p_holm"] = np.nan
    for _, index in table.groupby("group").groups.items():
        table.loc[index, "p_holm"] = holm(table.loc[index, "p_value"].to_numpy())
    return table


def _normal_p(fit: Fit) -> float:
    """Return the two-sided p-value of a scalar jump; one that is rounding is no jump."""
    if abs(float(fit.tau[0])) <= 1e-9 * float(np.abs(fit.sample.curves).max()):
        return 1.0
    spread = fit.spread(fit.contrast)
    return float(spread.t_p_values(fit.tau)[0]) if spread.live[0] else 0.0


def _donut(fit: Fit, options: Options, random_state: int) -> pd.DataFrame:
    """Mean effect without the units nearest to the cutoff, bandwidth kept."""
    sample = fit.sample
    h = float(np.mean(fit.bandwidth))
    stage: Sides | None = None
    if fit.bandwidth_treatment is not None:
        below, above = np.broadcast_to(fit.bandwidth_treatment, 2)
        stage = {"minus": below, "plus": above}
    rows = []
    for share in (0.0, *_DONUT_SHARES):
        kept = sample.take(np.abs(sample.x) >= share * h) if share else sample
        try:
            again = fit_sample(
                kept,
                options,
                bandwidth={"minus": fit.bandwidth_minus, "plus": fit.bandwidth_plus},
                bandwidth_treatment=stage,
                random_state=random_state,
            )
        except DataError:
            continue
        rows.append({"donut": share * h, "left_out": sample.x.size - kept.x.size, **effect_row(again)})
    return pd.DataFrame(rows)
