"""The effect at other bandwidths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError
from fisc.report import Result

from .kernels import FloatArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fisc.report import Section

    from .result import R3DResult


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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Mean effect, and effects at low, middle and high quantiles, against the bandwidth."""
        from .plots import sensitivity_picture

        return sensitivity_picture(self, ax)

    def section(self) -> Section:
        """Section of a report."""
        from fisc.report import Figure, Section, Table

        head = self.summary().splitlines()[0]
        figure = Figure.from_matplotlib(
            self.plot(), caption="Effect at multiples of the bandwidth.", alt=head
        )
        return Section(
            "Bandwidth sensitivity", body=head, figures=(figure,), tables=(Table(self.table, index=False),)
        )


def sensitivity(fit: R3DResult, multipliers: ArrayLike = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)) -> Sensitivity:
    """Refit at multiples of the bandwidth of a fit; see `R3DResult.sensitivity`.

    Parameters
    ----------
    fit : R3DResult
        A fit with its data.
    multipliers : array, shape (k,)
        Positive factors.

    Returns
    -------
    Sensitivity
        Table, curves and picture.
    """
    import pandas as pd

    factors = np.unique(np.atleast_1d(np.asarray(multipliers, dtype=float)))
    if factors.size == 0 or not np.all(np.isfinite(factors) & (factors > 0.0)):
        raise DataError(f"multipliers={multipliers!r}; give positive factors of the bandwidth")
    rows, curves = [], []
    for factor in factors:
        row: dict[str, Any] = {"multiplier": factor, "bandwidth": factor * float(np.mean(fit.bandwidth))}
        try:
            again = refit(fit, factor)
        except DataError as error:
            curves.append(np.full((3, fit.tau.size), np.nan))
            rows.append(row | {"note": str(error)})
            continue
        mean = again.functional("mean")
        curves.append(np.stack([again.tau, again.band_lower, again.band_upper]))
        rows.append(
            row
            | {
                "n_below": float(np.min(again.n_effective_minus)),
                "n_above": float(np.min(again.n_effective_plus)),
                "mean_effect": mean.estimate,
                "lower": mean.lower,
                "upper": mean.upper,
                "p_nullity": again.test("nullity").p_value,
                "p_homogeneity": again.test("homogeneity").p_value if fit.tau.size > 1 else np.nan,
                "note": "",
            }
        )
    stacked = np.stack(curves, axis=1)
    table = pd.DataFrame(rows)
    if "mean_effect" not in table:
        raise DataError(f"no multiple of the bandwidth leaves enough units: {table['note'].iloc[0]}")
    return Sensitivity(factors, table, fit.quantiles, stacked[0], stacked[1], stacked[2], fit.alpha)


def refit(fit: R3DResult, factor: float) -> R3DResult:
    """Return the same fit with its bandwidths times `factor`, same seed."""
    from .model import fit_sample
    from .segments import Notes

    def scaled(minus: Any, plus: Any) -> dict[str, Any]:
        return {"minus": factor * np.asarray(minus), "plus": factor * np.asarray(plus)}

    stage: Any = None
    if fit.bandwidth_treatment is not None:
        both = np.broadcast_to(fit.bandwidth_treatment, 2)
        stage = scaled(both[0], both[1])
    return fit_sample(
        fit.sample,
        fit.options,
        scaled(fit.bandwidth_minus, fit.bandwidth_plus),
        stage,
        None,
        fit.process.seed,
        Notes(silent=True),
        fingerprints=False,
    )
