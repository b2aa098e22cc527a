"""Abnormal returns of one event: the model of the expected return, its fit and its prediction errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np

from fisc.basir.options import ReturnModel
from fisc.core import FloatArray, IntArray

__all__ = ["ESTIMATED", "Fit", "Move", "drop_reasons", "fit_model", "measure"]

LEAST_ESTIMATION_DAYS = 30
# Parameters that each model estimates: intercept and slope, mean, nothing.
ESTIMATED: dict[ReturnModel, int] = {"market": 2, "mean_adjusted": 1, "market_adjusted": 0}


@dataclasses.dataclass(frozen=True)
class Fit:
    """Estimates of one event, one entry for each asset; residuals have shape (n_estimation, n_assets)."""

    alpha: FloatArray
    beta: FloatArray
    sigma: FloatArray
    count: IntArray
    market_mean: FloatArray
    market_squares: FloatArray
    residuals: FloatArray


@dataclasses.dataclass(frozen=True)
class Move:
    """What one event did: arrays of shape (n_days, n_assets), `scar` of shape (n_assets,)."""

    raw: FloatArray
    expected: FloatArray
    abnormal: FloatArray
    standardised: FloatArray
    scar: FloatArray


def fit_model(y: FloatArray, benchmark: FloatArray, model: ReturnModel, length: int) -> Fit:
    """Estimate the model on returns of shape (at most `length`, n_assets), asset by asset where known."""
    m = benchmark[:, None]
    known = np.isfinite(y) & np.isfinite(m)
    count = known.sum(axis=0)
    safe = np.maximum(count, 1)
    y_mean, m_mean = (np.where(known, x, 0.0).sum(axis=0) / safe for x in (y, m))
    dy, dm = np.where(known, y - y_mean, 0.0), np.where(known, m - m_mean, 0.0)
    squares = (dm**2).sum(axis=0)
    if model == "market":
        beta = (dm * dy).sum(axis=0) / np.where(squares > 0, squares, np.nan)
        alpha = y_mean - beta * m_mean
    elif model == "mean_adjusted":
        beta, alpha = np.zeros(len(count)), y_mean
    else:
        beta, alpha = np.ones(len(count)), np.zeros(len(count))
    residuals = np.where(known, y - _expected(alpha, beta, m), np.nan)
    total = np.nansum(residuals**2, axis=0)
    # The market-adjusted model estimates nothing, so its spread is taken around its own mean.
    if model == "market_adjusted":
        total = total - safe * (np.nansum(residuals, axis=0) / safe) ** 2
    degrees = np.maximum(count - max(ESTIMATED[model], 1), 1)
    sigma = np.sqrt(np.maximum(total, 0.0) / degrees)
    padded = np.full((length, y.shape[1]), np.nan)
    padded[length - len(residuals) :] = residuals
    return Fit(alpha, beta, sigma, count, m_mean, squares, padded)


def measure(fit: Fit, raw: FloatArray, benchmark: FloatArray, model: ReturnModel) -> Move:
    """Return abnormal returns of the window with their prediction standard errors.

    The variance of a prediction error is sigma^2 (1 + 1/L + (R_m - mean)^2 / S); that of the sum of n of
    them, which share the estimates, sigma^2 (n + n^2/L + (sum of R_m - mean)^2 / S), where L counts the
    estimation days and S is the sum of squares of the market there.
    """
    n = len(raw)
    expected = _expected(fit.alpha, fit.beta, benchmark[:, None])
    abnormal = raw - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_known = 0.0 if model == "market_adjusted" else 1.0 / fit.count
        deviation = benchmark[:, None] - fit.market_mean
        squares = fit.market_squares if model == "market" else np.inf
        forecast = 1.0 + mean_known + deviation**2 / squares
        of_sum = n + n**2 * mean_known + deviation.sum(axis=0) ** 2 / squares
        standardised = abnormal / (fit.sigma * np.sqrt(forecast))
        scar = abnormal.sum(axis=0) / (fit.sigma * np.sqrt(of_sum))
    return Move(raw, expected, abnormal, standardised, scar)


def _expected(alpha: FloatArray, beta: FloatArray, market: FloatArray) -> FloatArray:
    """Return alpha + beta R_m; a beta of zero does not ask for the market."""
    return alpha + np.where(beta == 0, 0.0, beta * market)


def drop_reasons(fit: Fit, abnormal: FloatArray, model: ReturnModel) -> list[str]:
    """Return for each asset why it cannot be studied, "" if it can."""
    priced = np.isfinite(abnormal) | np.isnan(fit.alpha)
    return [
        _reason(
            int(fit.count[j]), model == "market" and not fit.market_squares[j] > 0, priced[:, j], fit.sigma[j]
        )
        for j in range(len(fit.count))
    ]


def _reason(count: int, market_stands: bool, priced: Iterable[bool], sigma: float) -> str:
    if count < LEAST_ESTIMATION_DAYS:
        return (
            f"only {count} usable days in the estimation window, at least {LEAST_ESTIMATION_DAYS} are needed"
        )
    if market_stands:
        return "the market does not move in the estimation window"
    if not all(priced):
        return "no price on a day of the event window or on the day before it"
    if not sigma > 0:
        return "its price does not move in the estimation window"
    return ""
