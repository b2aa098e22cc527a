"""Prices and event days as an event study needs them: aligned, checked, moved to trading days."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pandas as pd

from fisc.core import (
    DataError,
    DataWarning,
    FloatArray,
    NotDatesError,
    TableLike,
    as_dated,
    as_frame,
    check_table,
    is_table,
    nearest,
    read_date,
    read_dates,
)

__all__ = ["Day", "Events", "aligned", "event_rows"]

Day: TypeAlias = pd.Timestamp
Events: TypeAlias = str | dt.date | Iterable[str | dt.date] | TableLike
LARGEST_CHANGE = 1e9  # no price moves by such a factor in a day; squares of it would overflow


def aligned(
    prices: TableLike, market: str | pd.Series[float] | TableLike
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Return asset prices and market prices on the days on which the market has a price."""
    frame = _by_day("prices", prices, "one row for each trading day and one column for each asset")
    if isinstance(market, str):
        if market not in frame.columns:
            guess = nearest(market, map(str, frame.columns))
            hint = f"; did you mean {guess!r}?" if guess else ""
            raise DataError(
                f"market={market!r} is not a column of prices{hint} (or give the market's own price series)"
            )
        benchmark = frame[market]
        frame = frame.drop(columns=[market])
    else:
        benchmark = _market_prices(market).reindex(frame.index)
    if frame.shape[1] == 0:
        raise DataError("prices holds the market and nothing else; give at least one other column")
    _check_levels(np.column_stack([frame.to_numpy(), benchmark.to_numpy()]))
    traded = benchmark.notna()
    if not traded.any():
        raise DataError("the market has no price on any day of prices; check the dates of both")
    return frame[traded], benchmark[traded]


def _by_day(name: str, table: TableLike, what: str) -> pd.DataFrame:
    frame = check_table(name, as_dated(name, table, what=what), what=what, dates=True)
    if frame.index.has_duplicates:
        raise DataError(
            f"{int(frame.index.duplicated().sum())} days occur twice in {name}; keep one row for each day"
        )
    return frame.sort_index()


def _market_prices(market: pd.Series[float] | TableLike) -> pd.Series[float]:
    if not isinstance(market, pd.Series) and not is_table(market):
        raise DataError(
            f"market is of type {type(market).__name__}; give the name of a column of prices, or a series of prices"
        )
    table = _by_day(
        "market", market.to_frame() if isinstance(market, pd.Series) else market, "the market's price by day"
    )
    if table.shape[1] != 1:
        raise DataError(f"market has {table.shape[1]} columns of prices; give one")
    name = market.name if isinstance(market, pd.Series) else table.columns[0]
    prices: pd.Series[float] = table.iloc[:, 0]
    prices.name = name or "market"
    return prices


def _check_levels(levels: FloatArray) -> None:
    bad = int((levels <= 0).sum())
    if bad:
        raise DataError(
            f"{bad} prices are zero or negative; prices must be positive, and missing ones left empty"
        )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        change = levels[1:] / levels[:-1]
    if (change > LARGEST_CHANGE).any() or (change < 1 / LARGEST_CHANGE).any():
        raise DataError(
            f"prices change by a factor of more than {LARGEST_CHANGE:g} from one day to the next; check the units, "
            "and leave missing prices empty"
        )


def event_rows(events: Events, days: pd.DatetimeIndex, notes: list[str]) -> list[tuple[Day, int]]:
    """Return each event with the row of the trading day that could react to it first."""
    dates, evening = _listed(events)
    out, moved, late = [], [], 0
    for given, after_close in zip(dates, evening, strict=True):
        day = _as_day(given, days)
        at = int(days.searchsorted(day))
        if days[at] != day:
            moved.append(f"{day:%Y-%m-%d} to {days[at]:%Y-%m-%d}")
        elif after_close:
            late += 1
            at += 1
            if at >= len(days):
                raise DataError(
                    f"prices end on the day of the evening event of {day:%Y-%m-%d}; the next day is needed"
                )
        out.append((day, at))
    if moved:
        notes.append(
            f"{len(moved)} of {len(out)} events fell on days without trading and count for the next: "
            f"{', '.join(moved[:3])}"
        )
        warnings.warn(notes[-1], DataWarning, stacklevel=5)
    if late:
        notes.append(f"{late} of {len(out)} events came after the close and count for the next trading day")
    return out


def _listed(events: Events) -> tuple[list[object], list[bool]]:
    """Return the dates of events, and which came after the close."""
    if is_table(events):
        table = as_frame("events", events)
        if "date" not in table.columns:
            raise DataError(f"events needs a column 'date'; it has {', '.join(map(str, table.columns))}")
        dates: list[object] = list(table["date"])
        evening = list(table["evening"].astype(bool)) if "evening" in table.columns else [False] * len(dates)
    elif isinstance(events, (str, dt.date)):
        dates, evening = [events], [False]
    elif isinstance(events, Iterable):
        dates = list(events)
        evening = [False] * len(dates)
    else:
        raise DataError(f"events is {events!r}; expected dates, or a table with a column 'date'")
    if not dates:
        raise DataError("no events were given; expected at least one date")
    if any(isinstance(date, str) for date in dates):  # read together: one day first tells for all
        texts = [i for i, date in enumerate(dates) if isinstance(date, str)]
        try:
            read = read_dates(pd.Series([dates[i] for i in texts], dtype="str"), where="events")
        except NotDatesError:
            return dates, evening  # the one that is no date is named below
        for i, day in zip(texts, read, strict=True):
            dates[i] = day
    return dates, evening


def _as_day(given: object, days: pd.DatetimeIndex) -> Day:
    """Return an event as a day that the prices reach."""
    try:
        day = pd.Timestamp(read_date("an event", given) if isinstance(given, str) else given)  # type: ignore[arg-type]
        if pd.isna(day):
            raise ValueError("it is missing")
        day = day.normalize().as_unit("us")
        if (day.tz is None) != (days.tz is None):
            raise ValueError("it and the dates of prices must both have a time zone, or neither")
    except (ValueError, TypeError) as error:
        raise DataError(f"event {given!r} is not a date: {error}") from error
    if day > days[-1]:
        raise DataError(
            f"prices end on {days[-1]:%Y-%m-%d}, before the event of {day:%Y-%m-%d}; give longer prices or leave "
            "it out"
        )
    return day
