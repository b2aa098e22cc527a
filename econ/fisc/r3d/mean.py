"""The scalar companion of a fit: rdrobust on unit means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fisc.core import DataError
from fisc.report import Result

from .fit import Fit
from .functionals import evaluate


@dataclass(frozen=True)
class MeanEffect(Result):
    """Effect on unit means, estimated as a scalar regression discontinuity.

    Attributes
    ----------
    estimate : float
        Bias-corrected estimate of rdrobust.
    se : float
        Its robust standard error.
    lower, upper, p_value : float
        Robust interval with coverage 1 - alpha, and p-value.
    conventional : float
        Estimate without bias correction.
    bandwidth_minus, bandwidth_plus : float
        rdrobust's bandwidths below and above.
    curve_mean : float
        Mean of tau over the grid, which leaves the tails out.
    alpha : float
        One minus coverage.
    """

    estimate: float
    se: float
    lower: float
    upper: float
    p_value: float
    conventional: float
    bandwidth_minus: float
    bandwidth_plus: float
    curve_mean: float
    alpha: float

    def summary(self) -> str:
        """One line."""
        return (
            f"rdrobust on unit means: {self.estimate:.4g} (robust se {self.se:.3g}), "
            f"{100 * (1 - self.alpha):g}% interval [{self.lower:.4g}, {self.upper:.4g}], p = {self.p_value:.3g}"
        )

    def to_frame(self) -> pd.DataFrame:
        """One row."""
        return pd.DataFrame([{k: v for k, v in self.__dict__.items() if k != "alpha"}])


def mean_effect(fit: Fit) -> MeanEffect:
    """Run rdrobust on the means of the units of a fit, with its own bandwidths and the fit's kernel.

    References
    ----------
    Calonico, S., Cattaneo, M. and Titiunik, R. (2014), Econometrica 82, 2295-2326.
    """
    from rdrobust import rdrobust

    sample = fit.sample
    if sample.means is None:
        raise DataError("the sample carries no unit means; fit from micro-data or a quantile matrix")
    arguments: dict[str, Any] = {"kernel": fit.options.kernel[:3], "deriv": fit.deriv, "masspoints": "off"}
    arguments["level"] = 100.0 * (1.0 - fit.alpha)
    if sample.treatment is not None:
        # With (nearly) full compliance the fuzzy rule of the bandwidth divides by a variance of zero.
        arguments |= {"fuzzy": sample.treatment, "sharpbw": True}
    if sample.unit_weights is not None:
        arguments["weights"] = sample.unit_weights
    if sample.clusters is not None:
        arguments["cluster"] = sample.clusters
    if sample.covariates is not None:
        arguments["covs"] = sample.covariates
    arguments["p"] = fit.options.p - 1 if fit.options.p > fit.deriv + 1 else fit.deriv + 1 - (fit.deriv == 0)
    try:
        with np.errstate(all="ignore"):
            out = rdrobust(sample.means, sample.x, c=0.0, **arguments)
    except Exception as error:
        # rdrobust says with a plain Exception that data are unusable; other kinds come from its arithmetic.
        if type(error) is Exception or isinstance(error, (ArithmeticError, ValueError, IndexError)):
            raise DataError(f"rdrobust cannot estimate the mean effect on these data ({error})") from error
        raise
    robust = "Robust"
    interval = out.ci.loc[robust]
    return MeanEffect(
        estimate=float(out.coef.loc["Bias-Corrected"].iloc[0]),
        se=float(out.se.loc[robust].iloc[0]),
        lower=float(interval.iloc[0]),
        upper=float(interval.iloc[1]),
        p_value=float(out.pv.loc[robust].iloc[0]),
        conventional=float(out.coef.loc["Conventional"].iloc[0]),
        bandwidth_minus=float(out.bws.loc["h"].iloc[0]),
        bandwidth_plus=float(out.bws.loc["h"].iloc[1]),
        curve_mean=evaluate(fit, "mean").estimate,
        alpha=fit.alpha,
    )
