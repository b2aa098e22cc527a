"""Tests on the effect curve: no effect, same effect everywhere, same inequality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from fisc.core import DataError, check_option
from fisc.report import Result

from .functionals import gini
from .kernels import FloatArray
from .process import critical_value, p_value
from .quantiles import trapezoid_weights
from .reference import share_at_least, type7_critical_value

if TYPE_CHECKING:
    import pandas as pd

    from .result import R3DResult

TestName = Literal["nullity", "homogeneity", "gini"]
TESTS: tuple[TestName, ...] = ("nullity", "homogeneity", "gini")
Alternative = Literal["two-sided", "greater", "less"]
ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "greater", "less")

# Slack with which a grid point counts as inside an interval (0.3 + 0.4 is not 0.7 in binary).
_TOLERANCE = 1e-9


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
    alternative : str
        "two-sided", "greater" or "less".
    """

    __test__ = False

    name: str
    null: str
    interval: tuple[float, float]
    statistic: float
    critical_value: float
    p_value: float
    alpha: float
    studentized: bool = False
    alternative: str = "two-sided"

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
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        import pandas as pd

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


def grid_points(
    q: FloatArray, interval: ArrayLike | None, *, exact: bool = False
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return indices of the grid points in an interval, ends included up to rounding.

    Examples
    --------
    >>> grid_points(np.arange(1, 10) / 10, (0.3, 0.7)).tolist()
    [2, 3, 4, 5, 6]
    """
    if interval is None:
        return np.arange(q.size)
    ends = np.asarray(interval, dtype=float)
    if ends.shape != (2,) or not ends[0] <= ends[1]:
        raise DataError(f"interval={interval!r}; give a pair (low, high) of probabilities with low <= high")
    slack = 0.0 if exact else _TOLERANCE
    inside = np.flatnonzero((q >= ends[0] - slack) & (q <= ends[1] + slack))
    if inside.size == 0:
        raise DataError(
            f"interval ({ends[0]:g}, {ends[1]:g}) holds none of the quantiles, which span {q[0]:g}..{q[-1]:g}"
        )
    return inside


def run_test(
    fit: R3DResult,
    name: TestName,
    *,
    interval: ArrayLike | None = None,
    studentized: bool = False,
    alternative: Alternative = "two-sided",
    null: ArrayLike = 0.0,
    alpha: float | None = None,
) -> HypothesisTest:
    """Carry out a test on a fitted curve; see `R3DResult.test`."""
    check_option("test", name, TESTS)
    check_option("alternative", alternative, ALTERNATIVES)
    level = fit.alpha if alpha is None else check_level(alpha)
    compat = fit.compat is not None
    inside = grid_points(fit.quantiles, None if name == "gini" else interval, exact=compat)
    if name == "gini":
        if interval is not None:
            raise DataError("the Gini test uses the whole distribution; leave interval= out")
        statistic, draws, words = _gini(fit)
        studentized = False
    else:
        if name == "homogeneity" and inside.size < 2:
            raise DataError(f"interval={interval!r} holds one quantile; homogeneity compares at least two")
        q = fit.quantiles[inside]
        target = np.broadcast_to(np.asarray(null, dtype=float), fit.tau.shape)[inside]
        curve, contrast = fit.tau[inside] - target, fit.contrast[:, inside]
        words = f"tau(q) {_RELATION[alternative]} {'0' if not np.any(target) else 'the given curve'} on the interval"
        if name == "homogeneity":
            weights = np.full(q.size, 1.0 / q.size) if compat else trapezoid_weights(q)
            curve = curve - curve @ weights
            contrast = contrast - (contrast @ weights)[:, None]
            words = "tau(q) is the same at all q of the interval"
        errors = fit.process.draws @ contrast
        if studentized:
            se = np.sqrt(np.einsum("im,ij,jm->m", contrast, fit.process.covariance, contrast, optimize=True))
            curve, errors = curve / se, errors / se
        statistic, draws = _supremum(curve, alternative), _supremum(errors, alternative)
    rule = type7_critical_value if compat else critical_value
    share = share_at_least if compat else p_value
    return HypothesisTest(
        name=name,
        null=words,
        interval=(float(fit.quantiles[inside[0]]), float(fit.quantiles[inside[-1]])),
        statistic=float(statistic),
        critical_value=rule(draws, level),
        p_value=share(float(statistic), draws),
        alpha=level,
        studentized=studentized,
        alternative=alternative,
    )


_RELATION = {"two-sided": "=", "greater": "<=", "less": ">="}


def _supremum(values: FloatArray, alternative: Alternative) -> FloatArray:
    """Max |v|, max v or max -v over the last axis."""
    if alternative == "two-sided":
        values = np.abs(values)
    elif alternative == "less":
        values = -values
    return np.asarray(values.max(axis=-1))


def _gini(fit: R3DResult) -> tuple[FloatArray, FloatArray, str]:
    """Difference of Gini coefficients and its errors, |draw - difference|.

    The R package does not centre the draws, so that its test never rejects.
    """
    difference = gini(fit.q_plus, fit.quantiles) - gini(fit.q_minus, fit.quantiles)
    if not np.isfinite(difference):
        raise DataError(
            "the Gini coefficient needs a distribution with a positive mean on both sides of the cutoff"
        )
    draws = gini(fit.q_plus + fit.process.plus, fit.quantiles) - gini(
        fit.q_minus + fit.process.minus, fit.quantiles
    )
    draws = draws[np.isfinite(draws)]
    centre = 0.0 if fit.compat is not None else difference
    return (
        np.abs(difference),
        np.abs(draws - centre),
        "the limit distributions have the same Gini coefficient",
    )


def check_level(alpha: float) -> float:
    """Return a level strictly between 0 and 1."""
    if not (isinstance(alpha, (int, float)) and 0.0 < alpha < 1.0):
        raise DataError(f"alpha={alpha!r}; give a level strictly between 0 and 1, such as 0.05")
    return float(alpha)


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm's step-down adjustment of several p-values.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    out = np.empty_like(p)
    out[order] = np.minimum(stepped, 1.0)
    return out
