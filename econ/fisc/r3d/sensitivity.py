"""The effect at other bandwidths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, check_array
from fisc.core.arrays import FloatArray
from fisc.report import Figure, Result, Section, Table
from fisc.report.style import COLOURS, INK, MUTED, axes_of, reference_line, shade, styled

from .choice import Sides
from .fit import Fit
from .fitting import fit_sample
from .functionals import evaluate
from .testing import run_test

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MULTIPLES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


@dataclass(frozen=True, eq=False)
class Sensitivity(Result):
    """Fits at multiples of a bandwidth.

    Attributes
    ----------
    multipliers : array, shape (k,)
        Factors of the bandwidth.
    table : DataFrame
        One row a factor: bandwidth, units inside, mean effect with interval, p-values; rows where the
        window held too few units are NaN.
    quantiles : array, shape (m,)
        Probabilities.
    tau, band_lower, band_upper : array, shape (k, m)
        Curves and bands.
    alpha : float
        One minus coverage.
    """

    multipliers: FloatArray
    table: pd.DataFrame
    quantiles: FloatArray
    tau: FloatArray
    band_lower: FloatArray
    band_upper: FloatArray
    alpha: float

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    def summary(self) -> str:
        """Return the table as text."""
        means = self.table["mean_effect"].to_numpy(dtype=float)
        good = means[np.isfinite(means)]
        low, high = self.multipliers.min(), self.multipliers.max()
        head = f"mean effect {good.min():.4g} to {good.max():.4g} over bandwidths times {low:g} to {high:g}"
        return head + "\n\n" + self.table.to_string(index=False, float_format=lambda v: f"{v:.4g}")

    @styled
    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean effect with interval, and the effect at three quantiles, against the bandwidth."""
        ax = axes_of(ax)
        table = self.table
        x = table["bandwidth"].to_numpy(dtype=float)
        shade(
            ax,
            x,
            table["lower"].to_numpy(),
            table["upper"].to_numpy(),
            color=INK,
            alpha=0.12,
            label=f"mean effect, {100 * (1 - self.alpha):g}% interval",
        )
        ax.plot(x, table["mean_effect"], "o-", color=INK, linewidth=2.0, label="mean effect")
        styles = ((0.1, (0, (1, 1.5))), (0.5, (0, (5, 2))), (0.9, (0, (6, 2, 1, 2))))
        columns = [int(np.argmin(np.abs(self.quantiles - q))) for q, _ in styles]
        for i, (column, (_, style)) in enumerate(zip(columns, styles, strict=True)):
            if column not in columns[:i]:
                ax.plot(
                    x,
                    self.tau[:, column],
                    color=COLOURS[i],
                    linestyle=style,
                    label=f"effect at quantile {self.quantiles[column]:g}",
                )
        used = x[np.isclose(self.multipliers, 1.0)]
        for value in used:
            reference_line(ax, float(value), which="x")
            ax.annotate(
                "used",
                (float(value), 0.02),
                xycoords=("data", "axes fraction"),
                xytext=(4, 0),
                textcoords="offset points",
                color=MUTED,
                fontsize=9,
            )
        reference_line(ax, 0.0)
        ax.set_xlabel("bandwidth, units of the running variable")
        ax.set_ylabel("effect, units of the outcome")
        ax.set_title("Effect by bandwidth")
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.3 * (high - low))
        ax.legend(loc="upper left", ncols=2)
        return ax

    def section(self) -> Section:
        """Section of a report."""
        head = self.summary().splitlines()[0]
        figure = Figure.from_matplotlib(
            self.plot(), caption="Effect at multiples of the bandwidth.", alt=head
        )
        return Section(
            "Bandwidth sensitivity", body=head, figures=(figure,), tables=(Table(self.table, index=False),)
        )


def sensitivity(fit: Fit, multipliers: ArrayLike = MULTIPLES) -> Sensitivity:
    """Refit at multiples of the bandwidth of a fit; see `R3DResult.sensitivity`."""
    factors = np.unique(check_array("multipliers", multipliers, what="positive factors of the bandwidth"))
    if factors.size == 0 or not np.all(factors > 0.0):
        raise DataError(f"multipliers={multipliers!r}; give positive factors of the bandwidth")
    rows, curves = [], []
    for factor in factors:
        row: dict[str, object] = {"multiplier": factor, "bandwidth": factor * float(np.mean(fit.bandwidth))}
        try:
            again = refit(fit, factor)
        except DataError as error:
            curves.append(np.full((3, fit.tau.size), np.nan))
            rows.append(row | {"note": str(error)})
            continue
        mean = evaluate(again, "mean")
        curves.append(np.stack([again.tau, again.band_lower, again.band_upper]))
        rows.append(
            row
            | {
                "n_below": float(np.min(again.n_effective_minus)),
                "n_above": float(np.min(again.n_effective_plus)),
                "mean_effect": mean.estimate,
                "lower": mean.lower,
                "upper": mean.upper,
                "p_nullity": run_test(again, "nullity").p_value,
                "p_homogeneity": run_test(again, "homogeneity").p_value if fit.tau.size > 1 else np.nan,
                "note": "",
            }
        )
    stacked = np.stack(curves, axis=1)
    table = pd.DataFrame(rows)
    if "mean_effect" not in table:
        raise DataError(f"no multiple of the bandwidth leaves enough units: {table['note'].iloc[0]}")
    return Sensitivity(factors, table, fit.quantiles, stacked[0], stacked[1], stacked[2], fit.alpha)


def refit(fit: Fit, factor: float) -> Fit:
    """Return the same fit with its bandwidths times `factor`, same seed."""
    stage: Sides | None = None
    if fit.bandwidth_treatment is not None:
        below, above = np.broadcast_to(fit.bandwidth_treatment, 2)
        stage = {"minus": factor * below, "plus": factor * above}
    return fit_sample(
        fit.sample,
        fit.options,
        bandwidth={"minus": factor * fit.bandwidth_minus, "plus": factor * fit.bandwidth_plus},
        bandwidth_treatment=stage,
        random_state=fit.process.seed,
    )
