"""How often there are prices, told by their dates: the periods a year by which results are annualised."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from fisc.core.arguments import check_number
from fisc.core.result import Record

__all__ = ["TRADING_DAYS", "Frequency", "frequency_of"]

# Name, median days from one date to the next (from, to), periods a year.
_KINDS = (
    ("weekly", 5.0, 9.0, 52.0),
    ("fortnightly", 13.0, 16.0, 26.0),
    ("monthly", 27.0, 35.0, 12.0),
    ("quarterly", 80.0, 100.0, 4.0),
    ("half-yearly", 170.0, 195.0, 2.0),
    ("yearly", 350.0, 380.0, 1.0),
)
_TRADING_DAYS = 252.0
_FEW = 5
_TOO_MANY = 1.3  # holes make rows fewer than the rhythm says, nothing makes them more


@dataclasses.dataclass(frozen=True)
class Frequency(Record):
    """How often there is a row, and by what rows are annualised.

    Attributes
    ----------
    name : str
        ``daily``, ``daily (7 days)``, ``weekly``, ``monthly``, ``quarterly``, ``yearly`` ...
    periods_per_year : float
    told_by : {"dates", "rows", "user"}
        What it rests on; rows without dates are taken for trading days.
    longest_gap : float
        Days of the longest step from one date to the next; 0 for rows without dates.
    usual_gap : float
        Median days of such a step.
    """

    name: str
    periods_per_year: float
    told_by: str
    longest_gap: float = 0.0
    usual_gap: float = 0.0

    @property
    def hole(self) -> bool:
        """Whether one step is so long that it cannot be one period."""
        return self.longest_gap > max(60.0, 3.0 * self.usual_gap)

    def given(self, periods_per_year: float | None) -> Frequency:
        """Return this with the periods a year that the user says; itself if he says nothing."""
        if periods_per_year is None:
            return self
        number = check_number("periods_per_year", periods_per_year, above=0, what="periods a year such as 12")
        return dataclasses.replace(self, periods_per_year=number, told_by="user")

    def __str__(self) -> str:
        source = {"rows": ", taken for trading days", "user": ", as you said"}.get(self.told_by, "")
        return f"{self.name} rows, {self.periods_per_year:g} a year{source}"


#: What rows without dates are taken for.
TRADING_DAYS = Frequency("numbered", _TRADING_DAYS, "rows")


def frequency_of(index: pd.Index[Any]) -> Frequency:
    """Infer how often there is a row from dates in ascending order.

    Days of trading are 252 a year, days with week-ends 365, weeks 52, months 12; dates without a rhythm count
    as many a year as there are; rows without dates are taken for days of trading.

    Examples
    --------
    >>> print(frequency_of(pd.date_range("2020-01-31", periods=30, freq="ME")))
    monthly rows, 12 a year
    """
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex) or len(index) < 2:
        return TRADING_DAYS
    steps = np.diff(index.as_unit("us").asi8) / 86_400_000_000.0
    usual, longest = float(np.median(steps)), float(steps.max())
    if len(steps) < _FEW and float(steps.min()) <= 4.0:
        usual = float(steps.min())
    if usual < 0.9:
        per_day = len(index) / len(index.normalize().unique())
        return Frequency("intraday", _periods_of_days(index) * per_day, "dates", longest, usual)
    if usual < 2.0:
        days = _periods_of_days(index)
        name = "daily" if days == _TRADING_DAYS else "daily (7 days)"
        return Frequency(name, days, "dates", longest, usual)
    rate = len(steps) / float(steps.sum()) * 365.25
    for name, least, most, periods in _KINDS:
        if least <= usual <= most and rate < _TOO_MANY * periods:
            return Frequency(name, periods, "dates", longest, usual)
    return Frequency("irregular", round(rate, 1), "dates", longest, usual)


def _periods_of_days(index: pd.DatetimeIndex) -> float:
    """Return 365 where there are rows on both days of the week-end, else 252."""
    weekdays = np.bincount(index.day_of_week, minlength=7) / len(index)
    return 365.0 if len(index) >= 2 * _FEW and weekdays[5] > 0.07 and weekdays[6] > 0.07 else _TRADING_DAYS
