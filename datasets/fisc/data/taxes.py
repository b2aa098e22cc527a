"""Tax schedules as data, with their validity and their legal source."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from fisc.core.arguments import is_number
from fisc.core.errors import DataError, check_option
from fisc.data.tables import read_table

__all__ = ["FilingStatus", "load_tax_schedules"]

FilingStatus = Literal["single", "married_joint", "married_separate", "head_of_household", "widowed"]


def load_tax_schedules(
    year: int | None = None, status: FilingStatus | None = "single", *, country: Literal["US"] = "US"
) -> pd.DataFrame:
    """Load US federal income tax schedules of every year since 2013 and every filing status.

    Parameters
    ----------
    year : int, optional
        One tax year; all of them without it.
    status : str or None
        Filing status: ``"single"``, ``"married_joint"``, ``"married_separate"``, ``"head_of_household"``
        or ``"widowed"`` (surviving spouse with a child); None for all five.
    country : {"US"}
        Whose law.

    Returns
    -------
    DataFrame, seven rows a year and status
        Columns ``year``, ``filing_status``, ``bracket`` (1 to 7), ``lower_edge_usd`` (taxable
        income from which the rate applies), ``rate`` (0 to 1), ``standard_deduction_usd``,
        ``personal_exemption_usd`` (for each member of the household; 0 since 2018) and ``legal_source``.

    Raises
    ------
    OptionError
        If `status` or `country` is not one of those.
    DataError
        If there is no schedule for `year`.

    Notes
    -----
    Edges are those of *taxable* income: subtract the standard deduction from gross income
    first. The deduction of 2025 is the one of Public Law 119-21, 15 750 USD for a single filer; Rev.
    Proc. 2024-40 had set 15 000. Values are those of Tax-Calculator's policy parameters (CC0).

    References
    ----------
    26 U.S.C. 1; the revenue procedure of each year is in ``legal_source``.

    Examples
    --------
    >>> schedule = load_tax_schedules(2024)
    >>> schedule["lower_edge_usd"].tolist()
    [0, 11600, 47150, 100525, 191950, 243725, 609350]
    >>> int(load_tax_schedules(2017, "married_joint")["lower_edge_usd"].iloc[-1])
    470700
    """
    check_option("country", country, ("US",))
    if status is not None:
        check_option("status", status, get_args(FilingStatus))
    frame = read_table("tax_schedules.csv", "US statute and revenue procedures")
    if year is not None:
        first, last = int(frame["year"].min()), int(frame["year"].max())
        if not (is_number(year) and first <= year <= last and year == int(year)):
            raise DataError(
                f"year={year!r}: there are schedules for the years {first} to {last}; give one of these"
            )
        frame = frame[frame["year"] == year]
    if status is not None:
        frame = frame[frame["filing_status"] == status]
    return frame.reset_index(drop=True)
