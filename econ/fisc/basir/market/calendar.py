"""When Indian budgets were presented, and when the market could react."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from fisc.data import load_budget_attention

__all__ = ["INTERIM", "SUPPLEMENTARY", "budget_calendar", "budget_kind", "budget_year"]

# Budgets before an election or a change of government, without the year's measures.
INTERIM = frozenset(
    """
    1952-02-29 1957-03-19 1962-03-14 1967-03-20 1971-03-24 1977-03-28 1980-03-11 1991-03-04 1996-02-28
    1998-03-25 2004-02-03 2009-02-16 2014-02-17 2019-02-01 2024-02-01
    """.split()
)
SUPPLEMENTARY = frozenset(["1956-11-30", "1965-08-19", "1971-12-13", "1974-07-31"])
# Speeches began at 17:00, after the close, until the budget of 1999 moved to 11:00.
LAST_EVENING = dt.date(1998, 12, 31)


def budget_kind(date: dt.date) -> str:
    """Return "full", "interim" or "supplementary".

    Examples
    --------
    >>> budget_kind(dt.date(2019, 2, 1)), budget_kind(dt.date(2019, 7, 5))
    ('interim', 'full')
    """
    key = date.isoformat()
    return "interim" if key in INTERIM else "supplementary" if key in SUPPLEMENTARY else "full"


def budget_year(date: dt.date) -> str:
    """Return the financial year, April to March, that a budget of `date` is for.

    Budgets come in February or March for the year that begins in April; supplementary ones, and full ones
    after an election, within that year. The first one, of November 1947, is for 1947-48.

    Examples
    --------
    >>> budget_year(dt.date(2014, 2, 17)), budget_year(dt.date(2014, 7, 10))
    ('2014-15', '2014-15')
    """
    return f"{date.year}-{(date.year + 1) % 100:02d}"


def budget_calendar() -> pd.DataFrame:
    """Return the budgets whose attention ships with fisc.

    Returns
    -------
    DataFrame
        date, budget_year, kind ("full", "interim", "supplementary"), evening (whether the speech came
        after the market's close, so that the next trading day reacts), weekend (a special session, if the
        exchange held one). Fits `fisc.basir.event_returns` as ``events``.

    Notes
    -----
    Most days are printed in the speeches; some come from the budget calendar as generally known.

    Examples
    --------
    >>> table = budget_calendar().set_index("date")
    >>> bool(table.loc["1991-07-24", "evening"]), bool(table.loc["2020-02-01", "weekend"])
    (True, True)
    """
    days = pd.DatetimeIndex(load_budget_attention().index)
    return pd.DataFrame(
        {
            "date": days,
            "budget_year": [budget_year(d.date()) for d in days],
            "kind": [budget_kind(d.date()) for d in days],
            "evening": [d.date() <= LAST_EVENING for d in days],
            "weekend": days.day_of_week >= 5,
        }
    )
