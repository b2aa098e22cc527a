"""Splits of a market's rows into past and future: training, gap, test."""

from __future__ import annotations

import dataclasses
from typing import TypeAlias

import numpy as np
import pandas as pd

from fisc.core import DataError, check_option
from fisc.portfolio.market import Date, Market

__all__ = ["Fold", "Span", "fold_table", "folds"]

# A number of closes, or a first and a last row or date.
Span: TypeAlias = int | tuple[Date, Date] | list[Date]


@dataclasses.dataclass(frozen=True)
class Fold:
    """One split: training rows ``[train_start, train_stop)``, decisions ``[test_start, test_stop)``."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int


def folds(
    market: Market,
    *,
    train: Span,
    test: Span,
    purge: int = 0,
    embargo: int = 0,
    expanding: bool = False,
    start: Date | None = None,
    stop: Date | None = None,
) -> list[Fold]:
    """Return the splits of a walk forward.

    `train` closes in each training span and `test` decisions in each test span (the last may be shorter), or one
    span (start, stop) of rows or dates each; `purge` and `embargo` closes are left out between the end of
    training and the first test decision, for labels that reach into the test and for dependence that outlasts
    them; `expanding` lets training start at the first row always; `start` and `stop` are the first test decision
    and the last close (exclusive). A test set inside its training set is a DataError.

    Examples
    --------
    >>> market = Market.from_prices([[1.0, 1.0]] * 100)
    >>> folds(market, train=40, test=30, purge=5)[0]
    Fold(train_start=0, train_stop=40, test_start=45, test_stop=75)
    """
    check_option("expanding", expanding, (False, True))
    for name, value in (("purge", purge), ("embargo", embargo)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise DataError(
                f"{name}={value!r} would put test rows inside the training set; give a number of closes, at least 0"
            )

    def row(given: Date) -> int:
        return int(given) if isinstance(given, int | np.integer) else market.row(given)

    if isinstance(train, tuple | list) or isinstance(test, tuple | list):
        if not (isinstance(train, tuple | list) and isinstance(test, tuple | list)):
            raise DataError("give both train and test as spans (start, stop), or both as numbers of closes")
        for name, span in (("train", train), ("test", test)):
            if len(span) != 2:
                raise DataError(f"{name}={span!r:.80}; give two rows or dates, (start, stop)")
        (a, b), (c, d) = (row(x) for x in train), (row(x) for x in test)
        d = min(d, len(market) - 1)
        if c < b + purge + embargo:
            raise DataError(
                f"the test set starts at row {c}, inside or too close to the training set, which ends at row {b} and "
                f"asks for a gap of {purge + embargo}; move the test behind it"
            )
        if not 0 <= a < b or not c < d:
            raise DataError(f"train rows {a} to {b} and test rows {c} to {d} do not hold any period")
        return [Fold(a, b, c, d)]
    for name, value in (("train", train), ("test", test)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise DataError(
                f"{name}={value!r}; give a number of closes of at least 1, or a span (start, stop)"
            )
    gap = purge + embargo
    end = len(market) if stop is None else row(stop)
    first = train + gap if start is None else row(start)
    if first < train + gap or first >= end - 1:
        raise DataError(
            f"train={train}, purge={purge} and embargo={embargo} need {train + gap} closes before the first test "
            f"decision (row {first}) and at least two from there to row {end}; the market has {len(market)}"
        )
    return [
        Fold(0 if expanding else c - gap - train, c - gap, c, min(c + test, end - 1))
        for c in range(first, end - 1, test)
    ]


def fold_table(market: Market, spans: list[Fold]) -> pd.DataFrame:
    """Return one row a fold, with its rows and dates."""
    rows = [
        {
            **dataclasses.asdict(span),
            "train_from": market.dates[span.train_start],
            "train_to": market.dates[span.train_stop - 1],
            "test_from": market.dates[span.test_start],
            "test_to": market.dates[span.test_stop],
        }
        for span in spans
    ]
    return pd.DataFrame(rows).rename_axis("fold")
