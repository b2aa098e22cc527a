"""Tests on the effect curve: no effect, same effect everywhere, same inequality."""

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
from .inequality import gini
from .options import Alternative, TestName
from .quantiles import grid_points
from .studentised import largest, sup_test, t_draws


@dataclass(frozen=True)
class HypothesisTest(Result):
    """Outcome of one test.

    Attributes
    ----------
    name : str
        "nullity", "homogeneity" or "gini".
    null : str
        The hypothesis in words.
    interval : (float, float)
        First and last probability used.
    statistic, critical_value, p_value : float
        The hypothesis is rejected at level `alpha` when the statistic exceeds the critical value.
    alpha : float
        Level.
    studentized : bool
        Whether each point was divided by its standard error.
    note : str
        What was left out, and what qualifies the result; empty where nothing does.
    alternative : str
        "two-sided", "greater" or "less".
    """

    __test__ = False

    name: TestName
    null: str
    interval: tuple[float, float]
    statistic: float
    critical_value: float
    p_value: float
    alpha: float
    studentized: bool = False
    alternative: Alternative = "two-sided"
    note: str = ""

    @property
    def rejected(self) -> bool:
        """Whether the null is rejected at level `alpha`."""
        return self.p_value <= self.alpha

    def summary(self) -> str:
        """One line: hypothesis, statistic, p-value."""
        lo, hi = self.interval
        return (
            f"{self.name} on [{lo:g}, {hi:g}]: statistic {self.statistic:.4g}, critical value "
            f"{self.critical_value:.4g} at level {self.alpha:g}, p = {self.p_value:.3g}  (H0: {self.null})"
            + (f"; {self.note}" if self.note else "")
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return pd.DataFrame(
            {
                "test": [self.name],
                "from": [self.interval[0]],
                "to": [self.interval[1]],
                "statistic": [self.statistic],
                "critical_value": [self.critical_value],
                "p_value": [self.p_value],
            }
        )


def run_test(
    fit: Fit,
    name: TestName,
    *,
    interval: ArrayLike | None = None,
    studentized: bool = True,
    alternative: Alternative = "two-sided",
    null: ArrayLike = 0.0,
    alpha: float | None = None,
) -> HypothesisTest:
    """Carry out a test on a fitted curve; see `R3DResult.test`."""
    check_option("test", name, get_args(TestName))
    check_option("alternative", alternative, get_args(Alternative))
    level, procedure = fit.level(alpha), fit.procedure
    inside = grid_points(fit.quantiles, None if name == "gini" else interval, procedure.slack)
    if name == "gini":
        if interval is not None:
            raise DataError("the Gini test uses the whole distribution; leave interval= out")
        statistic, draws, words = _gini(fit)
        critical, p = procedure.critical_value(draws, level), procedure.p_value(statistic, draws)
        studentized = False
    else:
        if name == "homogeneity" and inside.size < 2:
            raise DataError(f"interval={interval!r} holds one quantile; homogeneity compares at least two")
        moving = fit.moving[inside]
        if not moving.any():
            raise DataError(
                "all quantiles asked for lie in an atom of the outcome (zeros, a minimum wage): within the bandwidth "
                "all units have the same value there, and there is no error to test with; use quantiles outside it"
            )
        target = np.broadcast_to(np.asarray(null, dtype=float), fit.tau.shape)[inside]
        curve, contrast = fit.tau[inside] - target, fit.contrast[:, inside]
        words = f"tau(q) {_RELATION[alternative]} {'0' if not np.any(target) else 'the given curve'} on the interval"
        if name == "homogeneity":
            weights = procedure.mean_weights(fit.quantiles[inside])
            curve = curve - curve @ weights
            contrast = contrast - (contrast @ weights)[:, None]
            words = "tau(q) is the same at all q of the interval"
        found = _studentised if studentized else _plain
        statistic, critical, p = found(fit, curve[moving], contrast[:, moving], level, _SIGN[alternative])
    return HypothesisTest(
        name=name,
        null=words,
        interval=(float(fit.quantiles[inside[0]]), float(fit.quantiles[inside[-1]])),
        statistic=statistic,
        critical_value=critical,
        p_value=p,
        alpha=level,
        studentized=studentized,
        alternative=alternative,
        note=fit.notes,
    )


_RELATION = {"two-sided": "=", "greater": "<=", "less": ">="}
_SIGN: dict[Alternative, int] = {"two-sided": 0, "greater": 1, "less": -1}


def _studentised(
    fit: Fit, curve: FloatArray, contrast: FloatArray, level: float, sign: int
) -> tuple[float, float, float]:
    """Statistic, critical value and p-value of the largest t ratio."""
    spread = fit.spread(contrast)
    if not spread.live.any() and not curve.any():  # one quantile left, or curves that agree exactly
        return 0.0, np.inf, 1.0
    process = fit.process
    test = sup_test(curve, process.draws @ contrast, spread, level, process.seed + 1, sign)
    return test.statistic, test.critical_value, test.p_value


def _plain(
    fit: Fit, curve: FloatArray, contrast: FloatArray, level: float, sign: int
) -> tuple[float, float, float]:
    """Statistic, critical value and p-value of the largest deviation in units of the outcome."""
    process, procedure = fit.process, fit.procedure
    errors = t_draws(process.draws, process.components, process.seed + 1) @ contrast
    statistic, draws = float(largest(curve, sign)), largest(errors, sign)
    return statistic, procedure.critical_value(draws, level), procedure.p_value(statistic, draws)


def _gini(fit: Fit) -> tuple[float, FloatArray, str]:
    """Size of the difference of Gini coefficients, and of its errors."""
    difference = gini(fit.q_plus, fit.quantiles) - gini(fit.q_minus, fit.quantiles)
    if not np.isfinite(difference):
        raise DataError(
            "the Gini coefficient needs a distribution with a positive mean on both sides of the cutoff"
        )
    plus, minus = fit.limit_errors
    draws = gini(fit.q_plus + plus, fit.quantiles) - gini(fit.q_minus + minus, fit.quantiles)
    draws = draws[np.isfinite(draws)]
    errors = np.abs(fit.procedure.gini_errors(draws, float(difference)))
    return abs(float(difference)), errors, "the limit distributions have the same Gini coefficient"
