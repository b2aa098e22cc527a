"""Tax law as data: schedules with their validity and their legal source."""

from __future__ import annotations

import pandas as pd

from fisc.core.errors import DataError
from fisc.data.tables import read_table

__all__ = ["load_tax_schedules"]


def load_tax_schedules(year: int | None = None) -> pd.DataFrame:
    """Load US federal income tax schedules of single filers, 2023 to 2025.

    Parameters
    ----------
    year : int, optional
        One tax year; all three without it.

    Returns
    -------
    DataFrame, seven rows a year
        Columns ``year``, ``filing_status``, ``bracket`` (1 to 7), ``lower_edge_usd`` (taxable
        income from which the rate applies), ``rate`` (0 to 1), ``standard_deduction_usd`` and
        ``legal_source``.

    Raises
    ------
    DataError
        If there is no schedule for `year`.

    Notes
    -----
    Edges are those of *taxable* income: subtract the standard deduction from gross income
    first. The deduction of 2025 is the one of Public Law 119-21, 15 750 USD; Rev. Proc.
    2024-40 had set 15 000.

    References
    ----------
    26 U.S.C. 1(j); Rev. Proc. 2022-38, 2023-34, 2024-40; Public Law 119-21, section 70102.

    Examples
    --------
    >>> law = load_tax_schedules(2024)
    >>> law["lower_edge_usd"].tolist()
    [0, 11600, 47150, 100525, 191950, 243725, 609350]
    """
    frame = read_table("tax_schedules.csv", "US statute and revenue procedures")
    if year is None:
        return frame
    years = sorted(frame["year"].unique().tolist())
    if year not in years:
        raise DataError(f"year={year!r}: there are schedules for {', '.join(map(str, years))}")
    return frame[frame["year"] == year].reset_index(drop=True)
