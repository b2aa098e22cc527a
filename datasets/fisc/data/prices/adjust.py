"""Dividends and splits: from stored raw closes to adjusted ones, at reading time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core.errors import DataError, check_option
from fisc.data.prices.options import ADJUSTMENTS, Adjustment

__all__ = ["adjustment_factors"]

# A split counts as left out of a history that should contain it only where the price moved by
# the split to within a quarter of it (in logs), and only from 5-for-4 on: below, an ordinary
# day's move cannot be told from a missed split.
_NEARNESS = 0.25
_SMALLEST = float(np.log(1.25))


def adjustment_factors(
    close: pd.DataFrame,
    events: pd.DataFrame,
    *,
    adjust: Adjustment = "total",
    split_adjusted: bool | None = None,
) -> tuple[pd.DataFrame, list[tuple[str, pd.Timestamp, float]]]:
    r"""Return the factors that make raw closes comparable across dividends and splits.

    The adjusted close of day :math:`s` is :math:`A_s = C_s \prod_{t > s} f_t` with, on the
    ex-date :math:`t` of a dividend :math:`D_t`, :math:`f_t = 1 - D_t / C_{t^-}`, where
    :math:`C_{t^-}` is the last close before it, and :math:`f_t = 1/r` for a split into
    :math:`r` new shares per old one. The last day keeps its raw close, and the return over an
    ex-date is :math:`C_t / (C_{t^-} - D_t)`.

    Parameters
    ----------
    close : DataFrame, (days, tickers)
        Closes as the source gives them; NaN where there is none. Ascending unique dates.
    events : DataFrame
        Columns ``ticker``, ``date``, ``kind`` (``dividend`` or ``split``; others are left alone)
        and ``value``. An event on a day without a close takes effect on the next day with one;
        one without a close on both sides of it has no effect.
    adjust : {"total", "splits", "none"}
        Dividends and splits, splits only, or nothing.
    split_adjusted : bool or None
        Whether the source has already divided its older closes by later splits. If True, a
        split is applied only where the closes show that it was left out; if False, always; if
        None, where the closes lie nearer to an unadjusted history than to an adjusted one.

    Returns
    -------
    factors : DataFrame, (days, tickers)
        Multiply `close` (and open, high, low) by it.
    repaired : list of (ticker, date, ratio)
        Splits that a split-adjusted source had left out, and that were applied here.

    Raises
    ------
    DataError
        If a dividend is not below the close before it, or a split ratio is not positive.

    Notes
    -----
    The same convention as the adjusted closes of CRSP and Yahoo Finance. It depends on no event
    after the last day of `close`, so that a fixed period always gives the same numbers.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> close = pd.DataFrame({"A": [10.0, 9.0, 9.0]}, index=days)
    >>> paid = pd.DataFrame({"ticker": ["A"], "date": days[1:2], "kind": ["dividend"], "value": [1.0]})
    >>> factors, _ = adjustment_factors(close, paid)
    >>> (close * factors)["A"].tolist()
    [9.0, 9.0, 9.0]
    """
    check_option("adjust", adjust, ADJUSTMENTS)
    factors = pd.DataFrame(1.0, index=close.index, columns=close.columns)
    repaired: list[tuple[str, pd.Timestamp, float]] = []
    kinds = {"total": ("dividend", "split"), "splits": ("split",), "none": ()}[adjust]
    wanted = events[events["kind"].isin(kinds) & events["ticker"].isin(close.columns)]
    for ticker, own in wanted.groupby("ticker", sort=False):
        known = close[ticker].dropna()
        steps, missed = _steps(str(ticker), known, own, split_adjusted)
        repaired.extend(missed)
        # product over the later steps only: shift by one, then multiply from the end
        later = np.append(np.cumprod(steps[::-1])[::-1][1:], 1.0)
        position = np.searchsorted(known.index.to_numpy(), close.index.to_numpy(), side="right") - 1
        factors[ticker] = np.where(position < 0, 1.0, later[np.maximum(position, 0)])
    return factors, repaired


def _steps(
    ticker: str, known: pd.Series[float], events: pd.DataFrame, split_adjusted: bool | None
) -> tuple[npt.NDArray[np.float64], list[tuple[str, pd.Timestamp, float]]]:
    """Return the factor of each day with a close, (days,), splits before dividends."""
    closes = known.to_numpy(float)
    days = known.index
    steps = np.ones(len(closes))
    repaired = []
    for event in events.sort_values("kind", ascending=False).itertuples():
        when, value = pd.Timestamp(str(event.date)), float(str(event.value))
        k = int(days.searchsorted(when, side="left"))
        if k == 0 or k == len(closes):
            continue
        if event.kind == "split":
            if not value > 0:
                raise DataError(
                    f"{ticker}: the split of {when:%Y-%m-%d} has ratio {value:g}, expected new shares per "
                    "old share, above 0; correct the source, or pass adjust='none'"
                )
            if _applies(np.log(closes[k] / closes[k - 1]), np.log(value), split_adjusted):
                steps[k] /= value
                if split_adjusted:
                    repaired.append((ticker, when, value))
        else:
            before = closes[k - 1] * steps[k]
            if not 0 <= value < before:
                raise DataError(
                    f"{ticker}: the dividend of {when:%Y-%m-%d} is {value:g} but the close before it is "
                    f"{before:g}; a dividend must be below it. Check the units (cents?), or pass "
                    "adjust='splits'"
                )
            steps[k] *= 1.0 - value / before
    return steps, repaired


def _applies(move: float, log_ratio: float, split_adjusted: bool | None) -> bool:
    """Say whether a split must be applied, given the log return of its day."""
    if split_adjusted is None:
        return abs(move + log_ratio) < abs(move)
    if split_adjusted:
        return abs(log_ratio) > _SMALLEST and abs(move + log_ratio) < _NEARNESS * abs(log_ratio)
    return True
