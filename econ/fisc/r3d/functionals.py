"""Functionals of the effect and of the limit distributions, with intervals from the same draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option
from fisc.core.arrays import FloatArray
from fisc.report import Result

from .fit import Fit
from .inequality import gini, top_share, variance
from .options import FunctionalName
from .process import critical_value, p_value
from .quantiles import grid_points, trapezoid_weights
from .studentised import t_draws


@dataclass(frozen=True)
class Functional(Result):
    """A number made of the curves, with its standard error and interval.

    Attributes
    ----------
    name : str
        Which functional.
    estimate, se : float
        Value and standard error.
    lower, upper : float
        Interval with coverage 1 - alpha.
    p_value : float
        Of the hypothesis that the value is zero.
    plus, minus : float or None
        The functional of each limit distribution, where it has one.
    alpha : float
        One minus coverage.
    note : str
        What the number stands for where that is not plain.
    """

    name: str
    estimate: float
    se: float
    lower: float
    upper: float
    p_value: float
    plus: float | None
    minus: float | None
    alpha: float
    note: str = ""

    @property
    def standard_error(self) -> float:
        """The standard error, as `se`."""
        return self.se

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.lower, self.upper

    def summary(self) -> str:
        """One line."""
        sides = "" if self.plus is None else f", {self.minus:.4g} below and {self.plus:.4g} above"
        return (
            f"{self.name}: {self.estimate:.4g} (se {self.se:.4g}), {100 * (1 - self.alpha):g}% interval "
            f"[{self.lower:.4g}, {self.upper:.4g}], p = {self.p_value:.3g}{sides}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        fields = ("estimate", "se", "lower", "upper", "p_value", "minus", "plus")
        return pd.DataFrame([[getattr(self, f) for f in fields]], index=[self.name], columns=list(fields))


def evaluate(
    fit: Fit,
    name: FunctionalName,
    *,
    interval: ArrayLike | None = None,
    top: float = 0.1,
    alpha: float | None = None,
) -> Functional:
    """Evaluate a functional of a fitted curve; see `R3DResult.functional`."""
    check_option("functional", name, get_args(FunctionalName))
    level, q = fit.level(alpha), fit.quantiles
    if name in ("mean", "iqr"):
        row = np.zeros(q.size)
        if name == "mean":
            inside = grid_points(q, interval)
            row[inside] = trapezoid_weights(q[inside])
        else:
            lo, hi = (0.25, 0.75) if interval is None else np.asarray(interval, dtype=float)
            row = _interpolation(q, float(hi)) - _interpolation(q, float(lo))
        return _linear(fit, name, row, level)
    if name == "w2":
        return _distance(fit, level)
    if fit.deriv:
        raise DataError(
            f"functional {name!r} needs limit distributions; a kink design has limits of slopes only"
        )
    if name == "top_share" and not 0.0 < top < 1.0:
        raise DataError(f"top={top!r}; give the share of the population at the top, such as 0.1")

    def of(curves: FloatArray) -> FloatArray:
        if name == "gini":
            return gini(curves, q)
        if name == "variance":
            return variance(curves, q)
        return top_share(curves, q, top)

    plus, minus = float(of(fit.q_plus)), float(of(fit.q_minus))
    estimate = plus - minus
    if not np.isfinite(estimate):
        raise DataError(f"functional {name!r} needs a positive mean on both sides of the cutoff")
    above, below = fit.limit_errors
    errors = of(fit.q_plus + above) - of(fit.q_minus + below) - estimate
    errors = errors[np.isfinite(errors)]
    half = critical_value(np.abs(errors), level)
    note = (
        ""
        if fit.first_stage is None
        else "difference of the reduced-form limit distributions, not of compliers"
    )
    label = f"top {100 * top:g}% share" if name == "top_share" else name
    p = p_value(abs(estimate), np.abs(errors))
    gaussian = of(fit.q_plus + fit.process.plus) - of(fit.q_minus + fit.process.minus)
    se = float(gaussian[np.isfinite(gaussian)].std(ddof=1))
    return Functional(label, estimate, se, estimate - half, estimate + half, p, plus, minus, level, note)


def _interpolation(q: FloatArray, at: float) -> FloatArray:
    """Weights of the grid points in the linearly interpolated curve at `at`."""
    if not q[0] - 1e-9 <= at <= q[-1] + 1e-9:
        raise DataError(f"the curve is wanted at {at:g}, but the quantiles span {q[0]:g}..{q[-1]:g}")
    return np.array([np.interp(at, q, unit) for unit in np.eye(q.size)])


def _linear(fit: Fit, name: str, row: FloatArray, level: float) -> Functional:
    """Return a weighted sum of tau: exact conditional standard error, t interval."""
    estimate = float(fit.tau @ row)
    spread = fit.spread((fit.contrast @ row)[:, None])
    se, c = float(spread.se[0]), float(spread.t_quantiles(level)[0])
    p = float(spread.t_p_values(np.array([estimate]))[0])
    sharp = fit.first_stage is None
    plus = float(fit.q_plus @ row) if sharp else None
    minus = float(fit.q_minus @ row) if sharp else None
    return Functional(name, estimate, se, estimate - c * se, estimate + c * se, p, plus, minus, level)


def _distance(fit: Fit, level: float) -> Functional:
    """2-Wasserstein distance of the limit distributions, (int tau^2)^(1/2) over the grid's span.

    At zero distance the estimate is not normal. The interval |W - W_0| <= |error|_2 follows from the
    triangle inequality and is valid there too.
    """
    weights = trapezoid_weights(fit.quantiles)
    estimate = float(np.sqrt(weights @ fit.tau**2))
    process = fit.process
    errors = t_draws(process.draws, process.components, process.seed + 1) @ fit.contrast
    norms = np.sqrt(errors**2 @ weights)
    half = critical_value(norms, level)
    gradient = (
        fit.contrast @ (weights * fit.tau) / estimate if estimate > 0.0 else np.zeros(fit.contrast.shape[0])
    )
    se = float(np.sqrt(gradient @ fit.process.covariance @ gradient))
    return Functional(
        "w2",
        estimate,
        se,
        max(0.0, estimate - half),
        estimate + half,
        p_value(estimate, norms),
        None,
        None,
        level,
        "interval by the triangle inequality, valid at distance zero",
    )
