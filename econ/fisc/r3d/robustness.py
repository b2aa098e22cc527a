"""The effect under other choices: one table, one picture, p-values that allow for the number of choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from fisc.core import DataError, check_option, check_whole, is_number
from fisc.report import Figure, Result, Section, Table
from fisc.report.style import COLOURS, MUTED, axes_of, reference_line, styled

from .choice import Sides
from .fit import Fit
from .fitting import fit_sample
from .functionals import evaluate
from .options import Kernel, Residuals, Selector
from .process import holm
from .sample import Sample
from .testing import run_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDERS = (1, 2, 3)
MULTIPLES = (0.5, 0.75, 1.25, 1.5)
DONUT_SHARES = (0.05, 0.1)  # of the bandwidth
_BASELINE = "as fitted"


@dataclass(frozen=True, eq=False)
class Robustness(Result):
    """Fits under other choices; k rows.

    Attributes
    ----------
    table : DataFrame
        One row a set of choices, the fit itself first: `choice` and `value` (what differs from the fit), bandwidth
        (mean over quantiles and sides), units inside, mean effect with error and interval, p-values of no effect
        and of the same effect everywhere; `p_holm` is the former, corrected for the number of rows. Where a choice
        leaves too few units the numbers are missing and `note` says why.
    outcome : str
        What the outcome is called.
    alpha : float
        One minus coverage.
    """

    table: pd.DataFrame
    outcome: str
    alpha: float

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    @property
    def _level(self) -> str:
        return f"{100 * (1 - self.alpha):g}%"

    def _headline(self) -> str:
        means = self.table["mean_effect"].dropna()
        agree = int((np.sign(means) == np.sign(means.iloc[0])).sum())
        found = int((self.table["p_holm"] <= self.alpha).sum())
        return (
            f"mean effect on {self.outcome} {means.min():.4g} to {means.max():.4g} over {len(means)} sets of choices, "
            f"{agree} with the sign of the fit; no effect is rejected in {found} after Holm's correction"
        )

    def summary(self) -> str:
        """Return the range of the mean effect, and the table."""
        shown = self.table.drop(columns="note")
        lines = [self._headline(), "", shown.to_string(index=False, float_format=lambda v: f"{v:.4g}")]
        lost = self.table[self.table["note"] != ""]
        lines += [f"note: {row.choice} {row.value}: {row.note}" for row in lost.itertuples()]
        return "\n".join(lines)

    @styled
    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean effect with its interval, a line a set of choices; the fit itself is the dashed line."""
        rows = self.table[self.table["mean_effect"].notna()]
        ax = axes_of(ax, height=max(2.6, 0.9 + 0.24 * len(rows)))
        y = np.arange(len(rows))[::-1]
        middle = rows["mean_effect"].to_numpy()
        sides = np.abs(np.stack([middle - rows["lower"], rows["upper"] - middle]))
        groups = rows["choice"].tolist()
        order = list(dict.fromkeys(groups))
        for group in order:
            own = np.array([g == group for g in groups])
            colour = COLOURS[order.index(group) % len(COLOURS)]
            ax.errorbar(
                middle[own], y[own], xerr=sides[:, own], fmt="o", color=colour, capsize=2.5, linewidth=1.3
            )
        reference_line(ax, 0.0, which="x")
        ax.axvline(middle[0], color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1.0)
        ax.set_yticks(y, [f"{c}: {v}" if v else str(c) for c, v in zip(groups, rows["value"], strict=True)])
        ax.grid(visible=False, axis="y")
        ax.set_xlabel(f"mean effect on {self.outcome}, {self._level} interval")
        ax.set_title("Effect under other choices")
        return ax

    def section(self) -> Section:
        """Section of a report."""
        picture = Figure.from_matplotlib(
            self.plot(),
            caption=f"Mean effect on {self.outcome} under other choices, {self._level} intervals.",
            alt=self._headline(),
        )
        table = Table(self.table, index=False, caption="Choices one at a time; p (Holm) allows for all rows")
        return Section("Robustness", body=self._headline(), figures=(picture,), tables=(table,))


def robustness(
    fit: Fit,
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
    """Refit under other choices; see `R3DResult.robustness`."""
    if not fit.procedure.refits:
        raise DataError(f"compat={fit.compat!r} has no other choices; fit without compat= for its robustness")
    choices = _choices(fit, kernels, orders, selectors, residuals, bandwidths, donuts, covariates)
    rows = [{"choice": _BASELINE, "value": "", **_row(fit)}]
    for changes in _sets(choices, crossed):
        row: dict[str, Any] = {
            "choice": ", ".join(changes) if len(changes) < 2 else "several",
            "value": ", ".join(f"{v}" if len(changes) < 2 else f"{k} {v}" for k, v in changes.items()),
        }
        try:
            rows.append(row | _row(_refit(fit, changes)))
        except DataError as error:
            rows.append(row | {"note": str(error)})
    table = pd.DataFrame(rows)
    done = table["p_nullity"].notna()
    table.insert(table.columns.to_list().index("note"), "p_holm", np.nan)
    table.loc[done, "p_holm"] = holm(table.loc[done, "p_nullity"].to_numpy())
    return Robustness(table, fit.names.y, fit.alpha)


def _choices(
    fit: Fit,
    kernels: Sequence[Kernel] | None,
    orders: Sequence[int] | None,
    selectors: Sequence[Selector] | None,
    residuals: Sequence[Residuals] | None,
    bandwidths: Sequence[float] | None,
    donuts: Sequence[float] | None,
    covariates: bool,
) -> dict[str, list[Any]]:
    """Return the values of each choice that differ from the fit's, checked."""
    used, h = fit.options, float(np.mean(fit.bandwidth))
    all_selectors = get_args(Selector) if fit.automatic_bandwidth else ()
    found: dict[str, list[Any]] = {
        "kernel": [
            check_option("kernels", k, get_args(Kernel))
            for k in _listed("kernels", get_args(Kernel) if kernels is None else kernels)
        ],
        "order": [
            check_whole("orders", p, least=used.deriv + 1)
            for p in _listed("orders", ORDERS if orders is None else orders)
        ],
        "selector": [
            check_option("selectors", s, get_args(Selector))
            for s in _listed("selectors", all_selectors if selectors is None else selectors)
        ],
        "residuals": [
            check_option("residuals", r, get_args(Residuals))
            for r in _listed("residuals", get_args(Residuals) if residuals is None else residuals)
        ],
        "bandwidth times": _positive("bandwidths", MULTIPLES if bandwidths is None else bandwidths),
        "donut": _positive(
            "donuts", [float(f"{s * h:.3g}") for s in DONUT_SHARES] if donuts is None else donuts
        ),
        "covariates": ["none"] if covariates and fit.sample.covariates is not None else [],
    }
    if found["selector"] and not fit.automatic_bandwidth:
        raise DataError(
            "selectors= choose a bandwidth, and that of the fit was given; fit without bandwidth="
        )
    own: dict[str, Any] = {
        "kernel": used.kernel,
        "order": used.p,
        "selector": used.selector,
        "residuals": used.residuals,
    }
    own |= {"bandwidth times": 1.0, "donut": 0.0}
    return {name: [v for v in values if v != own.get(name)] for name, values in found.items()}


def _listed(name: str, values: Sequence[Any]) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, (list, tuple, np.ndarray)):
        raise DataError(f"{name}={values!r:.60}; give a list, empty for none")
    return list(dict.fromkeys(values))


def _positive(name: str, values: Sequence[float]) -> list[float]:
    found = _listed(name, values)
    if not all(is_number(v) and v > 0 for v in found):
        raise DataError(f"{name}={values!r:.60}; give positive numbers")
    return [float(v) for v in found]


def _sets(choices: dict[str, list[Any]], crossed: bool) -> Iterator[dict[str, Any]]:
    """Each other value alone, or all combinations that differ from the fit."""
    if not crossed:
        for name, values in choices.items():
            yield from ({name: value} for value in values)
        return
    for combination in product(*([None, *values] for values in choices.values())):
        changes = {n: v for n, v in zip(choices, combination, strict=True) if v is not None}
        if changes:
            yield changes


def _refit(fit: Fit, changes: dict[str, Any]) -> Fit:
    """Return the fit with the choices changed; the bandwidth is selected anew if the fit selected it."""
    sample, options = fit.sample, fit.options
    if "kernel" in changes:
        options = replace(options, kernel=changes["kernel"])
    if "order" in changes:
        options = replace(options, p=changes["order"], s=changes["order"] - 1)
    if "selector" in changes:
        options = replace(options, selector=changes["selector"])
    if "residuals" in changes:
        options = replace(options, residuals=changes["residuals"])
    if "covariates" in changes:
        sample = replace(sample, covariates=None)
    if "donut" in changes:
        sample = _without_middle(sample, changes["donut"])
    own: Sides = {"minus": fit.bandwidth_minus, "plus": fit.bandwidth_plus}
    selected = fit.automatic_bandwidth and set(changes) & {"kernel", "order", "selector", "covariates"}
    stage = _stage(fit)
    if selected:
        again = fit_sample(sample, options, random_state=fit.process.seed)
        if "bandwidth times" not in changes and "donut" not in changes:
            return again
        own, stage = {"minus": again.bandwidth_minus, "plus": again.bandwidth_plus}, _stage(again)
    factor = changes.get("bandwidth times", 1.0)
    return fit_sample(
        sample,
        options,
        bandwidth=_times(own, factor),
        bandwidth_treatment=None if stage is None else _times(stage, factor),
        random_state=fit.process.seed,
    )


def _times(sides: Sides, factor: float) -> Sides:
    return {"minus": factor * np.asarray(sides["minus"]), "plus": factor * np.asarray(sides["plus"])}


def _stage(fit: Fit) -> Sides | None:
    """Return the bandwidths of the first stage by side."""
    if fit.bandwidth_treatment is None:
        return None
    below, above = np.broadcast_to(fit.bandwidth_treatment, 2)
    return {"minus": float(below), "plus": float(above)}


def _without_middle(sample: Sample, donut: float) -> Sample:
    kept = sample.take(np.abs(sample.x) >= donut)
    if not 0 < int(kept.plus.sum()) < kept.x.size:
        raise DataError(f"a donut of {donut:g} leaves no unit on one side of the cutoff")
    return kept


def _row(fit: Fit) -> dict[str, Any]:
    """Return what the table says of a fit."""
    mean = evaluate(fit, "mean")
    return {
        "bandwidth": float(np.mean([np.mean(fit.bandwidth_minus), np.mean(fit.bandwidth_plus)])),
        "n_below": float(np.min(fit.n_effective_minus)),
        "n_above": float(np.min(fit.n_effective_plus)),
        "mean_effect": mean.estimate,
        "se": mean.se,
        "lower": mean.lower,
        "upper": mean.upper,
        "p_nullity": run_test(fit, "nullity").p_value,
        "p_homogeneity": run_test(fit, "homogeneity").p_value if fit.tau.size > 1 else np.nan,
        "note": "",
    }
