"""Targets in any form as one function of row and drifted weights, every row checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fisc.core import DataError, FloatArray, IntArray, check_array, is_table
from fisc.portfolio.accounting import SIMPLEX_TOLERANCE
from fisc.portfolio.market import Market, as_prices
from fisc.portfolio.rules import Decision, Rule, Targets

__all__ = ["decider"]


def decider(market: Market, targets: Targets) -> Callable[[int, FloatArray], FloatArray | None]:
    """Turn any form of targets into a function of row and drifted weights."""
    if isinstance(targets, Rule):
        return lambda t, weights: _optional(market, targets.decide(t, weights), t)
    if callable(targets):
        ask: Callable[..., Decision] = targets
        prices = market.frame()
        parameters = [
            p
            for p in inspect.signature(targets).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        if len([p for p in parameters if p.default is p.empty]) > 2 or not parameters:
            raise DataError(
                "the callable for targets must take (history) or (history, weights); "
                f"it takes {[p.name for p in parameters]}"
            )
        if len(parameters) == 1:
            return lambda t, weights: _optional(market, ask(prices.iloc[: t + 1]), t)
        return lambda t, weights: _optional(market, ask(prices.iloc[: t + 1], weights.copy()), t)
    table = _table(market, targets)
    return lambda t, weights: None if np.isnan(table[t, 0]) else table[t]


def _optional(market: Market, given: Decision, t: int) -> FloatArray | None:
    return None if given is None else _target(market, given, t)


def _target(market: Market, given: npt.ArrayLike | Mapping[str, float], t: int) -> FloatArray:
    """Check one row of weights and put cash first."""
    if isinstance(given, Mapping):
        given = pd.Series(given)
    if isinstance(given, pd.Series) and set(market.assets) <= set(given.index):
        rest = [label for label in given.index if label not in market.assets]
        if len(rest) > 1:
            raise DataError(f"target weights name {rest}, which are not assets of the market")
        given = given.loc[[*rest, *market.assets]]
    weights = check_array(f"target at {market.dates[t]}", given, what="weights, cash first", missing=True)
    if weights.shape == (market.n_assets,):
        weights = np.concatenate([[0.0], weights])
    if weights.shape != (market.n_assets + 1,):
        raise DataError(
            f"target at {market.dates[t]} has shape {weights.shape}; "
            f"expected {market.n_assets + 1} weights, cash first, or {market.n_assets} without cash"
        )
    checked: FloatArray = _normalised(weights[None], [market.dates[t]])[0]
    return checked


def _normalised(weights: FloatArray, dates: Sequence[object] | pd.Index[Any]) -> FloatArray:
    """Return rows that sum to one exactly, or say which row is not a long-only portfolio."""
    total = weights.sum(axis=1)
    for bad, trouble in (
        (~np.isfinite(total), "contain NaN or infinite values"),
        ((weights < -SIMPLEX_TOLERANCE).any(axis=1), "are negative"),
        (np.abs(total - 1) > SIMPLEX_TOLERANCE, "do not sum to one"),
    ):
        if bad.any():
            row = int(bad.argmax())
            raise DataError(
                f"target weights {trouble} at {dates[row]} (sum {total[row]:.6g}, least "
                f"{weights[row].min():.6g}; {int(bad.sum())} such rows); portfolios are long only: weights of "
                "at least 0 that sum to 1, cash included"
            )
    weights = np.maximum(weights, 0.0)
    normalised: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _numbers(targets: npt.ArrayLike) -> FloatArray:
    return check_array("targets", targets, what="weights by date, cash first", missing=True)


def _table(market: Market, targets: Targets) -> FloatArray:
    """Return targets as (n_dates, n_assets + 1) with NaN where nothing is to be traded."""
    n_dates, width = len(market), market.n_assets + 1
    if isinstance(targets, Mapping):
        targets = _by_date(targets)
    if is_table(targets):
        values, rows = _table_by_date(market, as_prices(targets, "targets"))
    else:
        values = _numbers(targets)  # type: ignore[arg-type]
        rows = np.arange(len(values)) if values.ndim else np.arange(0)
        if values.ndim != 2 or len(values) not in (n_dates, n_dates - 1):
            raise DataError(
                f"targets have shape {values.shape}; expected one row for each of {n_dates} dates "
                "(a table of some dates needs their dates: use a DataFrame)"
            )
    if values.shape[1] == width - 1:
        missing_row = np.isnan(values).all(axis=1)
        values = np.column_stack([np.where(missing_row, np.nan, 0.0), values])
    if values.shape[1] != width:
        raise DataError(
            f"targets have {values.shape[1]} columns; expected {width}, cash first, or {width - 1} assets"
        )
    given = ~np.isnan(values).all(axis=1)
    table = np.full((n_dates, width), np.nan)
    if given.any():
        table[rows[given]] = _normalised(values[given], market.dates[rows[given]])
    return table


def _by_date(targets: Mapping[Any, npt.ArrayLike]) -> pd.DataFrame:
    """Return a mapping of dates to weights as a table."""
    rows = {
        date: check_array(f"target at {date}", w, what="weights, cash first", missing=True)
        for date, w in targets.items()
    }
    shapes = {w.shape for w in rows.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        raise DataError(
            f"targets by date have shapes {sorted(shapes)}; give each date one row of equal length"
        )
    return pd.DataFrame(rows).T


def _table_by_date(market: Market, targets: pd.DataFrame) -> tuple[FloatArray, IntArray]:
    """Return the weights of a table, cash first where it has cash, and the rows of its dates."""
    unknown = targets.index[~targets.index.isin(market.dates)]
    if len(unknown) or not targets.index.is_unique:
        raise DataError(
            f"targets have {len(unknown)} dates that are not in the market or repeat dates; "
            f"first unknown: {unknown[0] if len(unknown) else None!r}"
        )
    rows = np.asarray(market.dates.get_indexer(targets.index), dtype=np.int64)
    columns = [str(c) for c in targets.columns]
    rest = [c for c in columns if c not in market.assets]
    if len(rest) <= 1 and set(market.assets) <= set(columns):
        order = [columns.index(c) for c in [*rest, *market.assets]]
        return _numbers(targets)[:, order], rows
    if targets.columns.dtype.kind == "i" or not set(columns) & set(market.assets):
        return _numbers(targets), rows
    missing = [a for a in market.assets if a not in columns]
    raise DataError(f"targets lack the assets {missing[:5]} or have unknown columns {rest[:5]}")
