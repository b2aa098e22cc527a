"""Is the design credible? Manipulation, placebos, balance, donut, mass points, sizes, monotonicity, bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fisc.core import DataError, check_option
from fisc.report import Result

from .density import DensityTest, density_test
from .kernels import FloatArray
from .model import fit_sample, r3d
from .sample import Sample
from .segments import Notes
from .sensitivity import Sensitivity
from .settings import Options
from .summary import spans
from .testing import holm

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

    from .result import R3DResult

LEVEL = 0.05
_PLACEBO_SHARES = (1 / 3, 2 / 3)
_DONUT_SHARES = (0.05, 0.1, 0.2)
DiagnosisPicture = Literal["placebo", "running", "sensitivity"]


@dataclass(frozen=True, eq=False)
class Diagnosis(Result):
    """What speaks for and against a design.

    Attributes
    ----------
    table : DataFrame
        One row a check: what was found, p-value where there is one, and "ok", "look" or "not run".
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
            f"{verdict:<8}{check:<28}{finding}" + ("" if np.isnan(p) else f" (p = {p:.3g})")
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
        from .plots import placebo_picture

        check_option("kind", kind, ("placebo", "running", "sensitivity"))
        if kind == "sensitivity":
            return self.bandwidths.plot(ax)
        if kind == "running":
            if self.density is None:
                raise DataError("the manipulation test was not run, because a side has too few units")
            return self.density.plot(ax)
        return placebo_picture(self, ax)

    def section(self) -> Section:
        """Section of a report with all pictures."""
        from fisc.report import Figure, Section, Table

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


def diagnose(fit: R3DResult, *, random_state: int = 0) -> Diagnosis:
    """Run every check on a fit; see `R3DResult.diagnose`."""
    import pandas as pd

    sample, options = fit.sample, replace(fit.options, compat=None)
    rows: list[dict[str, Any]] = []

    def add(check: str, finding: str, p: float = np.nan, verdict: str | None = None) -> None:
        rows.append(
            {
                "check": check,
                "finding": finding,
                "p_value": p,
                "verdict": verdict or ("look" if p < LEVEL else "ok"),
            }
        )

    density: DensityTest | None = None
    try:
        density = density_test(sample.x + sample.cutoff, sample.cutoff, kernel=options.kernel)
        add(
            "manipulation of x",
            f"density {density.density_minus:.3g} below, {density.density_plus:.3g} above",
            density.p_value,
        )
    except DataError as error:
        add("manipulation of x", str(error), verdict="not run")
    placebo = placebo_table(fit, options, random_state)
    real = placebo[placebo["placebo"]] if len(placebo) else placebo
    if len(real):
        worst = real.iloc[int(real["p_holm"].argmin())]
        add(
            "placebo cutoffs",
            f"{len(real)} tried, strongest at {worst['cutoff']:.4g}",
            float(worst["p_holm"]),
        )
    else:
        add("placebo cutoffs", "too few units on each side to place any", verdict="not run")
    covariates = _unit_level(fit, options, random_state)
    for name, part in covariates.groupby("group", sort=False):
        worst = part.iloc[int(part["p_holm"].argmin())]
        add(str(name), f"strongest jump {worst['jump']:.3g} in {worst['variable']}", float(worst["p_holm"]))
    donut = _donut(fit, options, random_state)
    if len(donut) > 1:
        low, high = donut["mean_effect"].min(), donut["mean_effect"].max()
        add("donut", f"mean effect {low:.4g} to {high:.4g}", verdict=_stable(fit, donut))
    else:
        add("donut", "too few units near the cutoff to leave any out", verdict="not run")
    _describe(fit, sample, add)
    bandwidths = fit.sensitivity()
    means = bandwidths.table["mean_effect"].dropna()
    finding = f"mean effect {means.min():.4g} to {means.max():.4g}"
    add("bandwidth", finding, verdict=_stable(fit, bandwidths.table.dropna(subset=["mean_effect"])))
    return Diagnosis(pd.DataFrame(rows), placebo, donut, covariates, density, bandwidths)


def _stable(fit: R3DResult, table: pd.DataFrame) -> str:
    """Return "look" if some variant's interval leaves out the mean effect of the fit."""
    estimate = fit.functional("mean").estimate
    return "look" if ((table["lower"] > estimate) | (table["upper"] < estimate)).any() else "ok"


def _describe(fit: R3DResult, sample: Sample, add: Any) -> None:
    """Add the checks that are counts: mass points, sizes, monotonicity, first stage."""
    for plus, side in ((False, "below"), (True, "above")):
        x = sample.x[sample.plus == plus]
        distinct = np.unique(x).size
        share = 1.0 - distinct / x.size
        verdict = "look" if distinct < 10 or share > 0.2 else "ok"
        add(f"mass points {side}", f"{distinct} distinct values among {x.size} units", verdict=verdict)
    if sample.sizes is not None:
        extreme = float(np.minimum(sample.q, 1.0 - sample.q).min())
        thin = float(np.mean(sample.sizes * extreme < 1.0))
        low, high = int(sample.sizes.min()), int(sample.sizes.max())
        finding = f"{low} to {high} values a unit; {thin:.0%} too small for the outermost quantile"
        add("unit sizes", finding, verdict="look" if thin > 0.1 else "ok")
    below, above = fit.projection_active
    finding = f"projection active on {below:.0%} of the grid below, {above:.0%} above"
    pooled = fit.quantiles[np.abs(fit.raw_plus - fit.q_plus) + np.abs(fit.raw_minus - fit.q_minus) > 0.0]
    if max(below, above) > 0.0:
        finding += f" (quantiles {spans(fit.quantiles, pooled)})"
    add("monotone limit curves", finding, verdict="look" if max(below, above) > 0.1 else "ok")
    if fit.first_stage is not None and fit.first_stage_se:
        f = (fit.first_stage / fit.first_stage_se) ** 2
        add("first stage", f"jump {fit.first_stage:.3g}, F = {f:.3g}", verdict="look" if f < 10.0 else "ok")


def _effect_row(fit: R3DResult) -> dict[str, float]:
    mean = fit.functional("mean")
    return {
        "mean_effect": mean.estimate,
        "lower": mean.lower,
        "upper": mean.upper,
        "p_nullity": fit.test("nullity").p_value,
    }


def _fit(sample: Sample, options: Options, random_state: int) -> R3DResult:
    reduced = replace(options, band="constant")
    return fit_sample(sample, reduced, None, None, None, random_state, Notes(silent=True), fingerprints=False)


def placebo_table(fit: R3DResult, options: Options, random_state: int) -> pd.DataFrame:
    """Effects at cutoffs inside each side, where there is none to be found.

    Only units of that side are used, so that the true jump does not leak into the placebos; in fuzzy
    designs the outcome's jump is tested.
    """
    import pandas as pd

    sample = replace(fit.sample, treatment=None)
    rows: list[dict[str, Any]] = [
        {"cutoff": sample.cutoff, "placebo": False, **_effect_row(_fit(sample, options, random_state))}
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
            rows.append({"cutoff": shifted.cutoff, "placebo": True, **_effect_row(again)})
    table = pd.DataFrame(rows).sort_values("cutoff", ignore_index=True)
    table["p_holm"] = np.nan
    table.loc[table["placebo"], "p_holm"] = holm(table.loc[table["placebo"], "p_nullity"].to_numpy())
    return table


def placebo_cutoffs(fit: R3DResult, *, random_state: int = 0) -> pd.DataFrame:
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
    >>> sim = simulate("paper1", n=300, seed=2)
    >>> fit = r3d(sim.data, y="y", x="x", unit="unit", quantiles=sim.quantiles, random_state=0)
    >>> placebo_cutoffs(fit)["placebo"].tolist()
    [True, True, False, True, True]
    """
    return placebo_table(fit, replace(fit.options, compat=None), random_state)


def _unit_level(fit: R3DResult, options: Options, random_state: int) -> pd.DataFrame:
    """Jumps at the cutoff of unit-level variables: covariates and log unit sizes."""
    import pandas as pd

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


def _normal_p(fit: R3DResult) -> float:
    """Return the two-sided p-value of a scalar jump; one that is rounding is no jump."""
    from scipy.stats import norm

    jump, se = float(fit.tau[0]), float(fit.se[0])
    if abs(jump) <= 1e-9 * float(np.abs(fit.sample.curves).max()):
        return 1.0
    return float(2.0 * norm.sf(abs(jump) / se)) if se > 0.0 else 0.0


def _donut(fit: R3DResult, options: Options, random_state: int) -> pd.DataFrame:
    """Mean effect without the units nearest to the cutoff, bandwidth kept."""
    import pandas as pd

    sample = fit.sample
    h = float(np.mean(fit.bandwidth))
    bandwidth = {"minus": fit.bandwidth_minus, "plus": fit.bandwidth_plus}
    stage = fit.bandwidth_treatment
    if stage is not None and np.ndim(stage):
        stage = {"minus": stage[0], "plus": stage[1]}
    rows = []
    for share in (0.0, *_DONUT_SHARES):
        kept = sample.take(np.abs(sample.x) >= share * h) if share else sample
        reduced = replace(options, band="constant")
        try:
            again = fit_sample(
                kept, reduced, bandwidth, stage, None, random_state, Notes(silent=True), fingerprints=False
            )
        except DataError:
            continue
        rows.append({"donut": share * h, "left_out": sample.x.size - kept.x.size, **_effect_row(again)})
    return pd.DataFrame(rows)


def balance(
    data: Any,
    outcomes: Sequence[str],
    *,
    x: str,
    unit: str,
    random_state: int | None = 0,
    **options: Any,
) -> pd.DataFrame:
    """Effects on outcomes that the cutoff should not move: predetermined variables, placebo outcomes.

    Each is treated as distribution-valued, so that a jump anywhere in its distribution shows.

    Parameters
    ----------
    data : DataFrame or path
        Long micro-data.
    outcomes : sequence of str
        Columns to test.
    x, unit : str
        Columns of the running variable and the unit.
    random_state : int, optional
        Seed of the draws.
    **options
        Further arguments of `r3d`.

    Returns
    -------
    DataFrame
        One row a column: mean effect with interval, p-value of no effect at any quantile, and Holm's
        adjustment over the columns.

    Examples
    --------
    >>> from fisc.r3d import balance, simulate
    >>> data = simulate("paper1", n=200, seed=5).data
    >>> rng = np.random.default_rng(0)
    >>> data["age"] = 40 + 10 * rng.standard_normal(len(data))
    >>> balance(data, ["age"], x="x", unit="unit", quantiles=[0.25, 0.5, 0.75])["outcome"].tolist()
    ['age']
    """
    import pandas as pd

    if isinstance(outcomes, str) or not len(outcomes):
        raise DataError(f"outcomes={outcomes!r}; give a list of column names")
    rows = []
    for name in outcomes:
        fit = r3d(data, y=name, x=x, unit=unit, random_state=random_state, **options)
        rows.append({"outcome": name, **_effect_row(fit)})
    table = pd.DataFrame(rows)
    return table.assign(p_holm=holm(table["p_nullity"].to_numpy()))
