"""The optimisers of skfolio behind some of the classical allocations, with its Ledoit-Wolf covariance."""

from __future__ import annotations

import warnings

import numpy as np
from skfolio import RiskMeasure
from skfolio.exceptions import OptimizationError
from skfolio.moments import LedoitWolf
from skfolio.optimization import (
    BaseOptimization,
    HierarchicalRiskParity,
    MeanRisk,
    ObjectiveFunction,
    RiskBudgeting,
)
from skfolio.prior import EmpiricalPrior

from fisc.core import DataError, DataWarning, FloatArray

__all__ = ["solve"]

# What stands in for an allocation that maximises a ratio where no asset has gained.
_LEAST_RISK = {"max_sharpe": "min_variance", "mean_cvar": "min_cvar"}


def _model(name: str) -> BaseOptimization:
    ratio, cvar = ObjectiveFunction.MAXIMIZE_RATIO, RiskMeasure.CVAR
    prior = EmpiricalPrior(covariance_estimator=LedoitWolf())
    if name == "min_variance":
        return MeanRisk(prior_estimator=prior)
    if name == "max_sharpe":
        return MeanRisk(objective_function=ratio, prior_estimator=prior)
    if name == "erc":
        return RiskBudgeting(prior_estimator=prior)
    if name == "hrp":
        return HierarchicalRiskParity(prior_estimator=prior)
    if name == "min_cvar":
        return MeanRisk(risk_measure=cvar)
    return MeanRisk(objective_function=ratio, risk_measure=cvar)


def solve(name: str, returns: FloatArray) -> FloatArray:
    """Return the weights (n_assets,) of an optimiser on returns (n_periods, n_assets)."""
    if name in _LEAST_RISK and not (returns.mean(axis=0) > 0).any():
        warnings.warn(
            f"{name}: no asset gained over the last {len(returns)} periods, so that no ratio can be maximised; "
            "took the allocation of least risk for this decision",
            DataWarning,
            stacklevel=2,
        )
        name = _LEAST_RISK[name]
    try:
        raw = _model(name).fit(returns).weights_
    except (OptimizationError, ValueError, ArithmeticError) as error:
        raise DataError(
            f"{name} found no solution on {returns.shape[0]} returns of {returns.shape[1]} assets: {error}; "
            "use a longer window or leave out assets that do not move"
        ) from error
    weights = np.maximum(np.asarray(raw, dtype=np.float64), 0.0)  # rounding errors below zero
    normalised: FloatArray = weights / weights.sum()
    return normalised
