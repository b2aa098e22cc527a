"""Indian budgets: sectors, industries, labelled excerpts, attention and budget-day returns."""

from __future__ import annotations

import pandas as pd

from fisc.data.tables import read_table

__all__ = [
    "load_budget_attention",
    "load_budget_excerpts",
    "load_budget_returns",
    "load_nse_industries",
    "load_sectors",
]


def load_sectors() -> pd.DataFrame:
    """Load the taxonomy of 81 equity sectors.

    Returns
    -------
    DataFrame, shape (81, 5)
        Columns ``sector``, ``macro`` (broad group), ``description`` (one sentence), ``keywords``
        (list of phrases) and ``screener_in_2024_name``.

    Notes
    -----
    The names are those of a public stock screener's list of 2023-24 less five entries that are
    not industries; that arXiv 2504.13189 used this list is an inference from its size.

    Examples
    --------
    >>> sectors = load_sectors()
    >>> len(sectors), sectors.loc[0, "sector"], sectors.loc[0, "keywords"][:2]
    (81, 'Aerospace & Defence', ['defence procurement', 'ordnance'])
    """
    frame = read_table("sectors.csv", "fisc: our descriptions and keywords")
    frame["keywords"] = [[k.strip() for k in cell.split(";")] for cell in frame["keywords"]]
    return frame


def load_nse_industries() -> pd.DataFrame:
    """Load three levels of the India Industry Classification of NSE and BSE.

    Returns
    -------
    DataFrame, shape (59, 4)
        Columns ``code``, ``macro_economic_sector`` (12 values), ``sector`` (22) and ``industry``.

    Examples
    --------
    >>> load_nse_industries()["macro_economic_sector"].nunique()
    12
    """
    return read_table("nse_industries.csv", "NSE and BSE, classification of 31 March 2022")


def load_budget_excerpts() -> pd.DataFrame:
    """Load 125 budget-style excerpts labelled with sectors.

    The wording is ours, after facts of real budgets; figures in it may be rounded or
    illustrative, so never quote them as history.

    Returns
    -------
    DataFrame, shape (125, 4)
        Columns ``id``, ``year``, ``text`` and ``sectors`` (list of names of `load_sectors`;
        an empty list means that no sector is touched, 11 of 125).

    Examples
    --------
    >>> excerpts = load_budget_excerpts()
    >>> excerpts.loc[2, "sectors"]
    ['Construction', 'Realty']
    """
    return read_table("budget_excerpts.jsonl", "fisc: our wording, one annotator")


def load_budget_attention() -> pd.DataFrame:
    """Load how often each sector is mentioned in Indian budget speeches since 1947.

    Returns
    -------
    DataFrame, shape (93, 81)
        Mentions a thousand words; index ``date`` (day of the speech), a column a sector.

    Examples
    --------
    >>> attention = load_budget_attention()
    >>> attention.shape, float(attention.loc["1948-02-28", "Textiles"])
    ((93, 81), 1.7288)
    """
    frame = read_table(
        "budget_attention.csv", "fisc: keyword counts over published speeches", index_col=0, parse_dates=[0]
    )
    frame.index.name = "date"
    return frame


def load_budget_returns() -> pd.DataFrame:
    """Load abnormal returns of NIFTY sector indices on the budget days of 2017 to 2021.

    Returns
    -------
    DataFrame, shape (144, 7)
        Columns ``date``, ``type`` (full or interim), ``index`` (NIFTY index), ``raw_pct``,
        ``abnormal_pct`` (market model), ``sigma_pct`` (residual standard deviation), all per
        cent of the day, and ``t``.

    Examples
    --------
    >>> returns = load_budget_returns()
    >>> returns["date"].dt.year.unique().tolist()
    [2017, 2018, 2019, 2020, 2021]
    """
    return read_table("budget_returns.csv", "fisc: market model on daily index closes", parse_dates=["date"])
